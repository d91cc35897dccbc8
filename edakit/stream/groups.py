"""A consumer group: each partition is read by one member, and the group remembers how far it has got.

Pure rules. `edakit.stream.rebalance` says when the partitions are dealt anew, and which of them change hands; whoever drives it gives
them over one by one, with a row for each, and who gets one goes on from the committed offset.

What was read and not committed is read again: at-least-once. (https://kafka.apache.org/documentation/#design_consumerposition) Where a
group begins counts as committed here. (In Kafka a member that dies before the first commit of a group leaves nothing behind: with
auto.offset.reset=latest the next one begins at the end, and what came between is not read.)
"""

from edakit.errors import WiringError
from edakit.event import Event
from edakit.stream.assign import assign
from edakit.stream.log import Log

ALL = "*"  # the owner of a partition that all members of a group read


class Record:
    """A record handed to a member of a group."""

    __slots__ = ("count", "event", "failed", "group", "partition", "place", "tag")
    failed: int  # when it did at first

    def __init__(self, group: str, partition: int, place: str, offset: int, event: Event, count: int) -> None:
        self.group, self.partition, self.place, self.tag, self.event, self.count = group, partition, place, offset, event, count

    @property
    def offset(self) -> int:
        """Its place in the partition."""
        return self.tag

    @property
    def redelivered(self) -> bool:
        """Whether it was handed out before: in a share group to anybody; else to this member, for a log does not count deliveries."""
        return self.count > 1


class Group:
    """Members, who owns which partition, the position of each reader, and the committed offsets (the next to read)."""

    def __init__(self, name: str, topic: str, logs: list[Log], strategy: str = "range", start: str = "earliest") -> None:
        if start not in ("earliest", "latest"):
            raise WiringError(f"start={start!r}: a new group begins at 'earliest' or 'latest'")
        self.name, self.topic, self.logs, self.strategy, self.start = name, topic, logs, strategy, start
        self.members: list[str] = []
        self.owner: dict[int, str] = {}  # partition -> member
        self.committed = [log.start if start == "earliest" else log.end for log in logs]
        self.position = list(self.committed)
        self.dealt: dict[int, str] = {}  # partition -> member, once all is handed over

    def deal(self, owned: dict[str, list[int]]) -> None:
        """Work out who shall read what, given what each has had so far; nothing changes hands yet."""
        members = {member: [self.topic] for member in self.members}
        had = {member: [(self.topic, number) for number in share] for member, share in owned.items()}
        shares = assign(self.strategy, members, {self.topic: len(self.logs)}, had)
        self.dealt = {number: member for member, share in shares.items() for _, number in share}

    def grow(self) -> None:
        """The topic has more partitions than before: read them from their beginning."""
        new = [0] * (len(self.logs) - len(self.position))
        self.position += new
        self.committed += new

    def hand_over(self, partition: int) -> str:
        """Give a partition to the reader it was dealt to, who goes on from the committed offset; return its name, "" for nobody."""
        self.position[partition] = self.committed[partition]
        if partition in self.dealt:
            self.owner[partition] = self.dealt[partition]
        else:
            self.owner.pop(partition, None)
        return self.owner.get(partition, "")

    def take(self, partition: int) -> None:
        """Take a partition from its reader: it is nobody's until it is handed over."""
        self.owner.pop(partition)

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
