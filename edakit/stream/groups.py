"""A consumer group: each partition is read by one member, and the group remembers how far it has got.

Pure rules. `join` and `leave` rebalance: they return the partitions that changed hands, and the new reader goes on from the
committed offset. What was read and not committed is read again: at-least-once. (https://kafka.apache.org/documentation/#design_consumerposition)
"""

from edakit.errors import WiringError
from edakit.stream.assign import assign
from edakit.stream.log import Log


class Group:
    """Members, who owns which partition, the position of each reader, and the committed offsets (the next to read)."""

    def __init__(self, name: str, topic: str, logs: list[Log], strategy: str = "range", start: str = "earliest") -> None:
        if start not in ("earliest", "latest"):
            raise WiringError(f"start={start!r}: a new group begins at 'earliest' or 'latest'")
        self.name, self.topic, self.logs, self.strategy = name, topic, logs, strategy
        self.members: list[str] = []
        self.owner: dict[int, str] = {}  # partition -> member
        self.committed = [0 if start == "earliest" else log.end for log in logs]
        self.position = list(self.committed)

    def join(self, member: str) -> list[int]:
        """A member comes: the partitions that have a new reader now."""
        if member in self.members:
            raise WiringError(f"{member} is in group {self.name} already")
        self.members.append(member)
        return self._rebalance()

    def leave(self, member: str) -> list[int]:
        """A member goes: the partitions that have a new reader now, or none."""
        self.members.remove(member)
        return self._rebalance()

    def _rebalance(self) -> list[int]:
        dealt = assign(self.strategy, {member: [self.topic] for member in self.members}, {self.topic: len(self.logs)})
        owner = {number: member for member, share in dealt.items() for _, number in share}
        moved = [number for number in range(len(self.logs)) if owner.get(number) != self.owner.get(number)]
        for number in moved:
            self.position[number] = self.committed[number]
        self.owner = owner
        return moved

    def partitions_of(self, member: str) -> list[int]:
        """The partitions that a member reads, in order."""
        return [number for number in range(len(self.logs)) if self.owner.get(number) == member]

    def commit(self, partition: int, offset: int) -> None:
        """Remember that the group will go on from `offset` in this partition."""
        self.committed[partition] = offset

    def seek(self, partition: int, offset: int) -> None:
        """Read on from `offset`, whatever was read before: replay, or skip."""
        self.position[partition] = self.committed[partition] = offset

    def lag(self) -> int:
        """Records written and not committed, over all partitions."""
        return sum(log.end - offset for log, offset in zip(self.logs, self.committed, strict=True))
