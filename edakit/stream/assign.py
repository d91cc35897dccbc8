"""Who in a group reads which partition: pure functions from members and partitions to an assignment.

The members are taken in the order of their names, as Kafka's assignors do, so that every member computes the same answer.
"range" and "round-robin" look at the present alone; the two sticky ones (edakit.stream.sticky) at what each member had before.
Source: Apache Kafka, RangeAssignor, RoundRobinAssignor, StickyAssignor and CooperativeStickyAssignor (clients/consumer).
"""

from edakit.errors import ArgumentError, WiringError, known

Partition = tuple[str, int]  # topic, number


def assign(
    strategy: str, members: dict[str, list[str]], partitions: dict[str, int], owned: dict[str, list[Partition]] | None = None
) -> dict[str, list[Partition]]:
    """Deal partitions to the members of a consumer group: {member: [(topic, partition), ...]}; each goes to one subscriber.

    members: {member: [topic, ...]} it subscribes to; partitions: {topic: count}; topics without a subscriber, and topics that do not
    exist, are left out. owned: {member: [(topic, partition), ...]} that each had before; only the sticky strategies read it.

    "range": each topic is cut into runs, and the first members get the longer ones: topics of the same size are cut alike.
    "round-robin": all partitions of all topics are dealt in turn.
    "sticky": as even as can be, and then as little moved as can be; everybody stops, and goes on with the new shares.
    "cooperative-sticky": the same, but a partition that has to move is in nobody's share yet: its owner gives it up first, and the
    next call, with the new `owned`, deals it. Call again until nothing is given up: nobody else had to stop.

        >>> assign("sticky", {"a": ["t"], "b": ["t"]}, {"t": 3}, owned={"a": [("t", 0), ("t", 1), ("t", 2)]})
        {'a': [('t', 0), ('t', 1)], 'b': [('t', 2)]}
        >>> assign("cooperative-sticky", {"a": ["t"], "b": ["t"]}, {"t": 3}, owned={"a": [("t", 0), ("t", 1), ("t", 2)]})
        {'a': [('t', 0), ('t', 1)], 'b': []}

    The same answer, in the same order, as Kafka's own assignors give, without racks and generations: a partition that two members
    claim to own is nobody's. Raises WiringError for an unknown strategy and ArgumentError for a count that is none.
    """
    if strategy not in STRATEGIES:
        raise WiringError(known("assignment strategy", strategy, list(STRATEGIES)))
    for topic, count in partitions.items():
        if not isinstance(count, int) or count < 0:
            raise ArgumentError(f"partitions[{topic!r}]={count!r}: how many partitions there are, 0 or more")
    if strategy == "range":
        return assign_range(members, partitions)
    if strategy == "round-robin":
        return assign_round_robin(members, partitions)
    from edakit.stream.sticky import assign_sticky, handing_over

    assignment, contested = assign_sticky(members, partitions, owned or {})
    if strategy == "cooperative-sticky":
        for partition, member in handing_over(assignment, members, owned or {}, contested).items():
            assignment[member].remove(partition)
    return assignment


def assign_range(members: dict[str, list[str]], partitions: dict[str, int]) -> dict[str, list[Partition]]:
    """Topic by topic: n partitions over m members, each a run of n // m, the first n % m members one more."""
    assignment: dict[str, list[Partition]] = {member: [] for member in sorted(members)}
    for topic in sorted(partitions):
        readers = [member for member in sorted(members) if topic in members[member]]
        if not readers:
            continue
        share, extra = divmod(partitions[topic], len(readers))
        start = 0
        for n, member in enumerate(readers):
            stop = start + share + (n < extra)
            assignment[member] += [(topic, number) for number in range(start, stop)]
            start = stop
    return assignment


def assign_round_robin(members: dict[str, list[str]], partitions: dict[str, int]) -> dict[str, list[Partition]]:
    """All partitions of all topics in order, dealt in turn to the next member that subscribes to the topic."""
    assignment: dict[str, list[Partition]] = {member: [] for member in sorted(members)}
    ring, turn = sorted(members), 0
    for topic in sorted(partitions):
        if not any(topic in topics for topics in members.values()):
            continue
        for number in range(partitions[topic]):
            while topic not in members[ring[turn % len(ring)]]:
                turn += 1
            assignment[ring[turn % len(ring)]].append((topic, number))
            turn += 1
    return assignment


STRATEGIES = ("range", "round-robin", "sticky", "cooperative-sticky")
