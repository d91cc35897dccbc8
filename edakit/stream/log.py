"""One partition of a stream: an append-only log. Reading changes nothing; a position in it is a number, the offset.

A log does not keep everything for ever: `expire` gives up the oldest segments, `compact` all but the last record of each key.
Offsets stay as they are: what is gone leaves a hole, and the log begins at `start`.
Source: https://kafka.apache.org/documentation/#design (the log, offsets); UnifiedLog.deleteOldSegments.
"""

import json
from collections.abc import Iterable

from edakit.event import Event
from edakit.stream.compaction import compact
from edakit.units import SECOND


class Log:
    """Records by offset: 0, 1, 2, ... `end` is the offset that the next record will get, `start` the first that may still be read.

    A segment is a run of `segment` offsets; the last one, which is being written, is active. (Kafka cuts by bytes and by age.)
    `records` keeps also what is gone, so that the index is the offset; `gone` says which of them compaction took.
    """

    def __init__(self, place: str, segment: int = 1000) -> None:
        self.place, self.segment, self.start = place, segment, 0
        self.records: list[Event] = []
        self.gone: set[int] = set()
        self._sizes: list[int] = []

    @property
    def end(self) -> int:
        """The log-end offset: one past the last record."""
        return len(self.records)

    def append(self, event: Event) -> int:
        """Write a record at the end; return its offset."""
        self.records.append(event)
        return len(self.records) - 1

    def read(self, offset: int, most: int) -> list[Event]:
        """At most so many records from an offset on; none at the end of the log."""
        return [event for _, event in self.scan(offset, most)]

    def scan(self, offset: int, most: int) -> Iterable[tuple[int, Event]]:
        """The same with their offsets: holes are passed over."""
        if not self.gone and offset >= self.start:
            return enumerate(self.records[offset : offset + most], offset)
        found: list[tuple[int, Event]] = []
        for n in range(max(offset, self.start), self.end):
            if len(found) >= most:
                break
            if n not in self.gone:
                found.append((n, self.records[n]))
        return found

    def offset_at(self, ns: int) -> int:
        """The first offset whose event is not older than a time (virtual nanoseconds); the end of the log if there is none."""
        there = (n for n in range(self.start, self.end) if n not in self.gone and self.records[n].ns >= ns)
        return next(there, self.end)

    def segments(self) -> list[range]:
        """The offsets of each segment from `start` on, the active one last (empty if nothing has been written to it)."""
        base = self.start - self.start % self.segment
        return [range(max(n, self.start), min(n + self.segment, self.end)) for n in range(base, self.end + 1, self.segment)]

    def expire(self, ns: int, keep_ns: int | None = None, keep_bytes: int | None = None) -> int:
        """Give up the oldest segments: first those beyond the size, then those whose youngest record is older than `keep_ns`.

        Whole segments go, so more is kept than was asked for; never less. By size the active one stays; by age it goes too, when
        all it has is too old. Returns the new start.
        """
        *closed, active = self.segments()
        if keep_bytes is not None:
            sizes = [sum(self.size(n) for n in segment if n not in self.gone) for segment in [*closed, active]]
            surplus = sum(sizes) - keep_bytes
            for segment, size in zip(list(closed), sizes, strict=False):
                if surplus < size:
                    break
                surplus -= size
                self.start = segment.stop
                closed.remove(segment)
        if keep_ns is not None:
            for segment in [*closed, active]:
                if not segment or ns - max(self.records[n].ns for n in segment) <= keep_ns:
                    break
                self.start = segment.stop
        return self.start

    def compact(self, ns: int, delete_retention: float) -> list[int]:
        """Keep of each key the last record in the closed segments (see `edakit.stream.compact`); return the offsets that go.

        An event without data is a tombstone.
        """
        closed = [
            [(n, (event := self.records[n]).key, event.data, event.ns / SECOND) for n in segment if n not in self.gone]
            for segment in self.segments()[:-1]
        ]
        stay = {
            record[0] for segment in compact(closed, now=ns / SECOND, delete_retention=delete_retention) for record in segment
        }
        gone = [record[0] for segment in closed for record in segment if record[0] not in stay]
        self.gone.update(gone)
        return gone

    def size(self, offset: int) -> int:
        """Bytes of a record: its key and its data as JSON."""
        for event in self.records[len(self._sizes) : offset + 1]:
            self._sizes.append(len(json.dumps([event.key, event.data], separators=(",", ":")).encode()))
        return self._sizes[offset]
