"""What a stream forgets, and when: retention by age and size, and compaction, looked after as long as anybody uses the stream.

A broker looks every so many seconds. Here that look is made up for at the next append, poll or seek, so that nobody can tell the
difference and a run still ends when nothing is left to do.
"""

import json
from typing import TYPE_CHECKING

from edakit.errors import ArgumentError, WiringError
from edakit.units import nanoseconds

if TYPE_CHECKING:
    from edakit.sim.topic import Topic


class Retention:
    """How long, how much and what of each key a stream keeps."""

    def __init__(
        self, age: float | None, size: int | None, most: int | None, compact: bool, tombstones: float, check: float, segment: int
    ) -> None:
        self.age = None if age is None else nanoseconds(age, "retention")
        for name, limit in (("retention_bytes", size), ("maxlen", most)):
            if limit is not None and not (isinstance(limit, int) and limit >= 0):
                raise ArgumentError(f"{name}={limit!r}: a whole number, 0 or more, or None")
        if not isinstance(segment, int) or segment < 1:
            raise ArgumentError(f"segment={segment!r}: records a segment, 1 or more")
        nanoseconds(tombstones, "delete_retention")
        self.size, self.most, self.compact, self.delete_retention = size, most, compact, tombstones
        self.every = nanoseconds(check, "check")
        if self.every == 0:
            raise ArgumentError("check=0: seconds between two looks, more than 0")
        self.next = self.every

    def wanted(self) -> bool:
        """Whether there is anything to look after."""
        return self.compact or (self.age, self.size, self.most) != (None, None, None)

    def refuse(self, stream: "Topic", type: str) -> None:
        """A compacted topic takes no record without a key (Kafka: InvalidRecordException)."""
        if self.compact:
            raise WiringError(f"{type} has no key, and {stream.name} is compacted: of what would it be the last word? Give key=")

    def look(self, stream: "Topic") -> None:
        """Do what the looks up to now have done."""
        if stream.kernel.ns < self.next and self.most is None:
            return
        at = stream.kernel.ns - stream.kernel.ns % self.every
        self.next = at + self.every
        self.clean(stream, at)

    def clean(self, stream: "Topic", ns: int) -> None:
        """Expire and compact each partition; a row for each that changes."""
        for log in stream.logs:
            before = log.start
            if self.most is not None:
                log.start = max(log.start, log.end - self.most)
            if self.age is not None or self.size is not None:
                log.expire(ns, self.age, self.size)
            if log.start > before:
                stream.add(stream.kernel.ns, "expire", log.place, stream.name, None, log.start)
            if self.compact:
                gone = log.compact(ns, self.delete_retention)
                if gone:
                    stream.add(stream.kernel.ns, "compact", log.place, stream.name, None, len(gone), 0, json.dumps(gone))
