"""The sticky assignors: shares as even as can be, and what somebody already reads moves only if it must.

Two ways, as in Kafka. When all members subscribe to the same topics, `_even_shares`: everybody keeps up to their quota, the rest is
dealt in turn. Otherwise `_Balance`: keep all, deal what is free to whoever has least, then move single partitions while that helps.

Ties are broken as Kafka breaks them, so that the answer is that of a real client: most by name, but who of two equals gives up a
partition by the order in which Java's HashMap yields their names (`_hash_order`). Racks and generations are left out.
Source: Apache Kafka, AbstractStickyAssignor and its test (clients/consumer/internals); KIP-54, KIP-429.
"""

from collections.abc import Iterable, Mapping, Sequence

from edakit.stream.assign import Partition

Shares = dict[str, list[Partition]]  # member -> what it reads


def assign_sticky(
    members: Mapping[str, Sequence[str]], partitions: Mapping[str, int], owned: Mapping[str, Sequence[Partition]]
) -> tuple[Shares, set[Partition]]:
    """The shares, every partition of a subscribed topic in one of them; and the partitions that several claim, so that all must let go.

    Like Kafka, only a group that subscribes to the same topics notices such claims; in another the first of the claimants may go on.
    """
    topics = {topic for subscribed in members.values() for topic in subscribed}
    counts = {topic: partitions[topic] for topic in sorted(topics) if topic in partitions}
    order = _hash_order(members)
    kept, contested = _claims(order, counts, owned)
    if not members:
        return {}, contested
    if len({frozenset(subscribed) for subscribed in members.values()}) == 1:
        shares = _even_shares(order, counts, kept)
    else:
        shares, contested = _Balance(members, counts, kept).shares, set()
    return {member: shares[member] for member in sorted(shares)}, contested


def handing_over(
    assignment: Shares,
    members: Mapping[str, Sequence[str]],
    owned: Mapping[str, Sequence[Partition]],
    contested: set[Partition],
) -> dict[Partition, str]:
    """Partitions that would change hands at once, with their new owner: under the cooperative protocol they must be given up first."""
    reader = {partition: member for member, share in assignment.items() for partition in share}
    given_up = {p for member in members for p in owned.get(member, ()) if reader.get(p, member) != member}
    return {p: reader[p] for p in reader if p in contested or (p in given_up and p not in owned.get(reader[p], ()))}


def _hash_order(names: Iterable[str]) -> list[str]:
    """The order in which a java.util.HashMap yields these keys, put in by name."""
    there = sorted(names)
    size = 16
    while len(there) > size * 3 // 4:
        size *= 2
    return sorted(there, key=lambda name: _spread(_java_hash(name)) % size)


def _java_hash(text: str) -> int:
    """String.hashCode(), as an unsigned 32-bit number."""
    units, value = text.encode("utf-16-be", "surrogatepass"), 0
    for at in range(0, len(units), 2):
        value = (31 * value + int.from_bytes(units[at : at + 2], "big")) & 0xFFFFFFFF
    return value


def _spread(value: int) -> int:
    return value ^ value >> 16


def _claims(
    order: list[str], counts: Mapping[str, int], owned: Mapping[str, Sequence[Partition]]
) -> tuple[Shares, set[Partition]]:
    """What each member may keep: partitions that still exist and that nobody else claims; and the ones that several claim."""
    kept: Shares = {member: [] for member in order}
    claimed: dict[Partition, str] = {}
    contested = set()
    for member in order:
        for topic, number in dict.fromkeys((topic, number) for topic, number in owned.get(member, ())):
            partition = (topic, number)
            if partition in contested or not 0 <= number < counts.get(topic, 0):
                continue
            if partition in claimed:
                contested.add(partition)
                kept[claimed[partition]].remove(partition)
            else:
                claimed[partition] = member
                kept[member].append(partition)
    return kept, contested


def _even_shares(order: list[str], counts: Mapping[str, int], kept: Shares) -> Shares:
    """All subscribe to the same: n partitions, m members; n % m members get n // m + 1, the others n // m."""
    least, larger = divmod(sum(counts.values()), len(order))  # `larger` members may still get one more than the least
    shares: Shares = {}
    short, full = [], []  # members below the least, and with just the least
    for member in order:
        mine = sorted(kept[member], key=lambda partition: (partition[1], partition[0]))
        if len(mine) < least:
            shares[member] = mine
            short.append(member)
        elif len(mine) > least and larger:
            shares[member] = mine[: least + 1]
            larger -= 1
        else:
            shares[member] = mine[:least]
            full.append(member)
    short, full, turn = sorted(short), sorted(full), 0
    taken = {partition for share in shares.values() for partition in share}
    free = [(topic, number) for topic in sorted(counts) for number in range(counts[topic]) if (topic, number) not in taken]
    for partition in free:
        if short:
            turn %= len(short)
            member = short[turn]
            shares[member].append(partition)
            if len(shares[member]) == least:
                short.remove(member)
                full.append(member)
            else:
                turn += 1
        else:  # all have the least; the first of them, in turn, get one more
            shares[full.pop(0)].append(partition)
    return shares


class _Balance:
    """Members subscribe to different topics: start from what they keep, and move single partitions while that evens the shares.

    `shares` is the answer. A partition stays where it is unless its reader has at least two more than another subscriber.
    """

    def __init__(self, members: Mapping[str, Sequence[str]], counts: Mapping[str, int], kept: Shares) -> None:
        self.counts = counts
        self.topics = {member: [topic for topic in topics if topic in counts] for member, topics in members.items()}
        self.readers = {topic: [member for member in members if topic in self.topics[member]] for topic in counts}
        self.shares = {member: [p for p in kept[member] if p[0] in self.topics[member]] for member in members}
        self.reader = {partition: member for member, share in self.shares.items() for partition in share}
        self.moves: dict[Partition, tuple[str, str]] = {}  # partition -> from whom, to whom, over all its moves
        revoked = any(len(self.shares[member]) < len(kept[member]) for member in members)
        fresh = not any(self.shares.values())

        topics = sorted(counts, key=lambda topic: (len(self.readers[topic]), topic))
        everything = [(topic, number) for topic in topics for number in range(counts[topic])]
        free = [partition for partition in everything if partition not in self.reader]
        for partition in free:
            self._give(partition, self._poorest(self.readers[partition[0]]))

        self.movable = [member for member in members if self._may_change(member)]
        before = {member: list(share) for member, share in self.shares.items()}
        if not revoked:
            self._move([partition for partition in free if len(self.readers[partition[0]]) > 1])
        moved = self._move([partition for partition in everything if len(self.readers[partition[0]]) > 1])
        if moved and not fresh and self._unevenness(self.shares) >= self._unevenness(before):
            self.shares = before

    def _poorest(self, members: Iterable[str]) -> str:
        return min(members, key=lambda member: (len(self.shares[member]), member))

    def _give(self, partition: Partition, member: str) -> None:
        self.shares[member].append(partition)
        self.reader[partition] = member

    def _may_change(self, member: str) -> bool:
        """Whether a member could get something more, or give something to another."""
        most = sum(self.counts[topic] for topic in self.topics[member])
        return len(self.shares[member]) < most or any(len(self.readers[topic]) > 1 for topic, _ in self.shares[member])

    def _move(self, partitions: list[Partition]) -> bool:
        """Move partitions, again and again, until that helps no more; whether any moved."""
        moved = False
        while True:
            moved_now = False
            for partition in partitions:
                size = len(self.shares[self.reader[partition]])
                if any(size > len(self.shares[other]) + 1 for other in self.readers[partition[0]]):
                    self._reassign(partition)
                    moved = moved_now = True
            if not moved_now:
                return moved

    def _reassign(self, partition: Partition) -> None:
        """To the subscriber with least; if another partition of the topic came the other way, that one goes back instead."""
        target = self._poorest(self.readers[partition[0]])
        source = self.moves[partition][0] if partition in self.moves else self.reader[partition]
        back = [p for p, move in self.moves.items() if p[0] == partition[0] and move == (target, source)]
        if back:
            partition = min(back, key=lambda p: (_spread((31 * (31 + p[1]) + _java_hash(p[0])) & 0xFFFFFFFF) % 16, p))
        reader = self.reader[partition]
        origin = self.moves.pop(partition)[0] if partition in self.moves else reader
        if origin != target:
            self.moves[partition] = (origin, target)
        self.shares[reader].remove(partition)
        self._give(partition, target)

    def _unevenness(self, shares: Shares) -> int:
        sizes = [len(shares[member]) for member in self.movable]
        return sum(abs(a - b) for n, a in enumerate(sizes) for b in sizes[n + 1 :])
