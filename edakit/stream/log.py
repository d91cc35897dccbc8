"""One partition of a stream: an append-only log. Reading changes nothing; a position in it is a number, the offset.

Source: https://kafka.apache.org/documentation/#design (the log, offsets).
"""

from edakit.event import Event


class Log:
    """Records by offset: 0, 1, 2, ... `end` is the offset that the next record will get."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.records: list[Event] = []

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
        return self.records[offset : offset + most]

    def offset_at(self, ns: int) -> int:
        """The first offset whose event is not older than a time (virtual nanoseconds); the end of the log if there is none."""
        return next((offset for offset, event in enumerate(self.records) if event.ns >= ns), self.end)
