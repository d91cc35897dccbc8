"""A share group: its members take the records of a partition one by one, and settle each for itself. No order is promised.

    part = SharePartition(log, start=0)
    list(part.acquire("worker.1", most=10, now=0))  # locked for worker.1, and for nobody else
    part.acknowledge("worker.1", 3, "release")      # somebody may have it again; "accept": done; "reject": given up
    list(part.expire(now=30 * SECOND))              # what has not been settled in time

A record is available (again), acquired (locked for one member until `lock` after it was handed out), acknowledged (done), or archived:
given up, because it was rejected, is gone from the log, or was handed out `limit` times and not accepted. The start moves past what is
acknowledged or archived; at most `window` offsets are under way. Pure rules; times are virtual nanoseconds.
Source: KIP-932; kafka.server.share.SharePartition (acquire, acknowledge, releaseAcquisitionLockOnTimeout).

A consumer group of Redis Streams keeps the same book (`fenced=False`): acquired is pending, accept is XACK, and `expire` is the first half
of XAUTOCLAIM. There nobody's lock protects anything: XACK asks for the entry, not for who it is pending for.
Source: https://redis.io/docs/latest/develop/data-types/streams/ (consumer groups, recovering from failures).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from edakit.event import Event
from edakit.stream.log import Log
from edakit.units import SECOND

State = Literal["available", "acknowledged", "archived"]
Settle = Literal["accept", "release", "reject"]


@dataclass(slots=True)
class Flight:
    """A record under way: how often it was handed out, and to whom and when the last time. No member: it is available."""

    count: int = 0
    member: str = ""
    since: int = 0


class SharePartition:
    """One partition as one share group sees it. `end`: what was never handed out begins here; `flight`: what is under way, by offset."""

    def __init__(
        self,
        log: Log,
        start: int = 0,
        *,
        lock: int | None = 30 * SECOND,
        limit: int | None = 5,
        window: int | None = 2000,
        fenced: bool = True,
    ) -> None:
        self.log, self.lock, self.limit, self.window, self.fenced = log, lock, limit, window, fenced
        self.scan: Callable[[int, int], Iterable[tuple[int, Event]]] = (
            log.scan
        )  # a log with transactions does not show all it has
        self.seek(start)

    def seek(self, offset: int) -> None:
        """Begin anew at an offset: what was handed out before counts for nothing."""
        self.end, self.flight = offset, dict[int, Flight]()  # in the order of offsets

    @property
    def start(self) -> int:
        """All before this offset is done or given up."""
        return next(iter(self.flight), self.end)

    @property
    def due(self) -> int | None:
        """When the next lock runs out; None: never."""
        since = [flight.since for flight in self.flight.values() if flight.member]
        return min(since) + self.lock if since and self.lock is not None else None

    @property
    def room(self) -> int:
        """How many records more may be under way."""
        return self.log.end - self.end if self.window is None else min(self.log.end, self.start + self.window) - self.end

    @property
    def ready(self) -> bool:
        """Whether there is a record to be handed out."""
        return self.room > 0 or any(not flight.member for flight in self.flight.values())

    def available(self) -> list[int]:
        """What may be handed out again."""
        return [offset for offset, flight in self.flight.items() if not flight.member]

    def lag(self) -> int:
        """Records that are neither acknowledged nor archived: handed out, released, or not read yet."""
        return len(self.flight) + self.log.end - self.end

    def forget(self) -> Iterator[int]:
        """Give up what the log has given up and nobody has at the moment, one by one; then go on within the log as it is now."""
        for offset in self.available():
            if offset < self.log.start or offset in self.log.gone:
                del self.flight[offset]
                yield offset
        if self.end > self.log.end:  # its copies have lost what was behind that
            self.flight = {offset: flight for offset, flight in self.flight.items() if offset < self.log.end}
        self.end = min(max(self.end, self.log.start), self.log.end)

    def acquire(self, member: str, most: int, now: int) -> Iterator[tuple[int, Event, int]]:
        """At most so many records for a member, released ones first: (offset, event, how often it was handed out); locked once yielded."""
        again = self.available()[:most]
        fresh = self.scan(self.end, max(0, min(most - len(again), self.room)))
        for offset in [*again, *(offset for offset, _ in fresh)]:
            flight = self.flight.setdefault(offset, Flight())
            self.end = max(self.end, offset + 1)
            flight.count, flight.member, flight.since = flight.count + 1, member, now
            yield offset, self.log.records[offset], flight.count

    def acknowledge(self, member: str, offset: int, how: Settle) -> State | None:
        """Settle a record: its state afterwards; None if it is not this member's (any more), and nothing changes."""
        flight = self.flight.get(offset)
        if flight is None or not flight.member or (self.fenced and flight.member != member):
            return None
        if how == "release" and (self.limit is None or flight.count < self.limit):
            flight.member = ""
            return "available"
        del self.flight[offset]
        return "acknowledged" if how == "accept" else "archived"

    def expire(self, now: int, most: int | None = None) -> Iterator[tuple[int, State | None]]:
        """Take back what was not settled in time, one by one, all or at most so many: (offset, its state now)."""
        late = [
            n for n, flight in self.flight.items() if flight.member and self.lock is not None and flight.since + self.lock <= now
        ]
        for offset in late[:most]:
            yield offset, self.acknowledge(self.flight[offset].member, offset, "release")


def entry_ids(times: Iterable[int]) -> list[str]:
    """The ids that Redis gives to entries that arrive at these virtual nanoseconds: `ms-seq`, never going back (XADD with *).

    >>> entry_ids([1_500_000_000, 1_500_000_000, 1_501_000_000])
    ['1500-0', '1500-1', '1501-0']
    """
    ids, last, seq = [], -1, 0
    for ns in times:
        ms = max(last, ns * 1000 // SECOND)
        seq = seq + 1 if ms == last else 0
        last = ms
        ids.append(f"{ms}-{seq}")
    return ids
