"""Who in a group reads which partition: pure functions from members and partitions to an assignment.

The members are taken in the order of their names, as Kafka's assignors do, so that every member computes the same answer.
Source: Apache Kafka, RangeAssignor and RoundRobinAssignor (clients/consumer).
"""

from edakit.errors import WiringError, known

Partition = tuple[str, int]  # topic, number


def assign(
    strategy: str, members: dict[str, list[str]], partitions: dict[str, int], owned: dict[str, list[Partition]] | None = None
) -> dict[str, list[Partition]]:
    """Deal partitions to the members of a consumer group: {member: [(topic, partition), ...]}.

    members: {member: [topic, ...]} it subscribes to; partitions: {topic: count}; `owned` is what each had before.
    strategy: "range" (each topic cut into runs, the first members get the longer ones) or "round-robin" (all partitions dealt in turn).
    """
    del owned  # neither strategy looks back; the sticky ones will
    if strategy not in STRATEGIES:
        raise WiringError(known("assignment strategy", strategy, list(STRATEGIES)))
    return STRATEGIES[strategy](members, partitions)


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


STRATEGIES = {"range": assign_range, "round-robin": assign_round_robin}
