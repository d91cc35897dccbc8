"""What a partition knows of transactions: where each began, which were aborted, and how far a reader may read.

Pure rules. Records of a transaction are written when they are sent, and end with a marker: commit or abort. Nobody is handed a
marker. With "read_committed" a reader gets nothing behind the last stable offset, where the earliest open transaction begins, and
no record of an aborted one; with "read_uncommitted" it gets all, as they come.
Source: KIP-98 (transactional messaging); apache/kafka ConsumerConfig, isolation.level (read_uncommitted).
"""

from collections.abc import Iterable

from edakit.event import Event
from edakit.stream.log import Log

ISOLATIONS = ("read_uncommitted", "read_committed")


class Transactions:
    """The transactions of one partition, open and aborted."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.open: dict[int, list[int]] = {}  # producer -> its offsets since its last marker; the earliest transaction first
        self.aborted: set[int] = set()
        self.markers: set[int] = set()

    def write(self, producer: int, offset: int) -> None:
        """A record of an open transaction has been written."""
        self.open.setdefault(producer, []).append(offset)

    def end(self, producer: int, marker: int, commit: bool) -> None:
        """The marker of a transaction has been written, at this offset."""
        offsets = self.open.pop(producer, [])
        self.markers.add(marker)
        if not commit:
            self.aborted.update(offsets)

    @property
    def stable(self) -> int:
        """The last stable offset: all before it is decided."""
        return min((offsets[0] for offsets in self.open.values()), default=self.log.end)

    def scan(self, offset: int, most: int, isolation: str) -> Iterable[tuple[int, Event]]:
        """At most so many records from an offset on that a reader with this isolation is handed, with their offsets."""
        committed = isolation == "read_committed"
        stop, found = self.stable if committed else self.log.end, list[tuple[int, Event]]()
        while offset < stop and len(found) < most and (part := list(self.log.scan(offset, most))):
            offset = part[-1][0] + 1
            found += [
                (n, event) for n, event in part if n < stop and n not in self.markers and not (committed and n in self.aborted)
            ]
        return found[:most]

    def passed(self, offset: int, isolation: str) -> int:
        """The position of a reader that has been handed all before `offset`: past what it is never handed (as a Kafka consumer's)."""
        committed = isolation == "read_committed"
        stop = self.stable if committed else self.log.end
        while offset < stop and (offset in self.markers or (committed and offset in self.aborted)):
            offset += 1
        return offset
