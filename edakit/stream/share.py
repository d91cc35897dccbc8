"""A share group: its members take the records of a partition one by one, and settle each for itself. No order is promised.

    part = SharePartition(log, start=0)
    list(part.acquire("worker.1", most=10, now=0))  # locked for worker.1, and for nobody else
    part.acknowledge("worker.1", 3, "release")      # somebody may have it again; "accept": done; "reject": given up
    list(part.expire(now=30 * SECOND))              # what has not been settled in time

Between the start and the end offset each record is in one of four states:

    available       may be handed out (again)
    acquired        locked for one member until `lock` after it was handed out
    acknowledged    done
    archived        given up: rejected, gone from the log, or handed out `limit` times and not accepted

The start moves past what is acknowledged or archived; at most `window` records lie between the two. Pure rules; times are virtual
nanoseconds. Source: KIP-932; kafka.server.share.SharePartition (acquire, acknowledge, releaseAcquisitionLockOnTimeout).

A consumer group of Redis Streams keeps the same book (`fenced=False`): acquired is pending, accept is XACK, and `expire` is the first half
of XAUTOCLAIM. There nobody's lock protects anything: XACK asks for the entry, not for who it is pending for.
Source: https://redis.io/docs/latest/develop/data-types/streams/ (consumer groups, recovering from failures).
"""

from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush
from typing import Literal

from edakit.event import Event
from edakit.stream.log import Log
from edakit.units import SECOND

State = Literal["available", "acquired", "acknowledged", "archived"]
Settle = Literal["accept", "release", "reject"]


class Flight:
    """A record between start and end. `count`: how often it was handed out; `member`, `since`: to whom and when, last."""

    __slots__ = ("count", "member", "since", "state")

    def __init__(self) -> None:
        self.state: State = "available"
        self.count, self.member, self.since = 0, "", 0


class SharePartition:
    """One partition as one share group sees it: `start`, `end`, and the records `flight` between them by offset."""

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
        self.seek(start)

    def seek(self, offset: int) -> None:
        """Begin anew at an offset: what was handed out before counts for nothing."""
        self.start = self.end = offset
        self.flight: dict[int, Flight] = {}
        self._free: list[int] = []  # available, a heap
        self._locks: dict[int, None] = {}  # acquired, who has had it longest first

    @property
    def due(self) -> int | None:
        """When the next lock runs out; None: never."""
        first = next(iter(self._locks), None)
        return None if first is None or self.lock is None else self.flight[first].since + self.lock

    @property
    def ready(self) -> bool:
        """Whether there is a record to be handed out."""
        return bool(self._free) or (self.end < self.log.end and (self.window is None or self.end - self.start < self.window))

    def lag(self) -> int:
        """Records that are neither acknowledged nor archived: handed out, released, or not read yet."""
        return len(self._locks) + len(self._free) + self.log.end - self.end

    def pending(self) -> Iterable[tuple[int, Flight]]:
        """The records that somebody has and has not settled, by offset."""
        return ((offset, self.flight[offset]) for offset in sorted(self._locks))

    def forget(self) -> Iterator[int]:
        """Give up what the log has given up and nobody has at the moment, one by one; then go on where the log begins, if that is later."""
        for offset in sorted(offset for offset in self._free if offset < self.log.start or offset in self.log.gone):
            self._free.remove(offset)
            heapify(self._free)
            self.flight[offset].state = "archived"
            self._advance()
            yield offset
        self.end = max(self.end, self.log.start)
        self._advance()

    def acquire(self, member: str, most: int, now: int) -> Iterator[tuple[int, Event, int]]:
        """At most so many records for a member, released ones first: (offset, event, how often it was handed out); locked once yielded."""
        room = most - len(self._free)
        if self.window is not None:
            room = min(room, self.window - (self.end - self.start))
        fresh = self.log.scan(self.end, max(0, room))
        for offset in [*(heappop(self._free) for _ in range(min(most, len(self._free)))), *(offset for offset, _ in fresh)]:
            flight = self.flight.setdefault(offset, Flight())
            self.end = max(self.end, offset + 1)
            flight.state, flight.member, flight.since = "acquired", member, now
            flight.count += 1
            self._locks[offset] = None
            self._advance()
            yield offset, self.log.records[offset], flight.count

    def acknowledge(self, member: str, offset: int, how: Settle) -> State | None:
        """Settle a record: its state afterwards; None if it is not this member's (any more), and nothing changes."""
        flight = self.flight.get(offset)
        if flight is None or flight.state != "acquired" or (self.fenced and flight.member != member):
            return None
        if how == "release":
            return self._give_back(offset)
        return self._close(offset, "acknowledged" if how == "accept" else "archived")

    def expire(self, now: int, most: int | None = None) -> Iterator[tuple[int, str, State]]:
        """Take back what was not settled in time, one by one, all or at most so many: (offset, whose it was, its state now)."""
        count = 0
        while count != most and self.due is not None and self.due <= now:
            offset, count = next(iter(self._locks)), count + 1
            yield offset, self.flight[offset].member, self._give_back(offset)

    def _give_back(self, offset: int) -> State:
        if self.limit is not None and self.flight[offset].count >= self.limit:
            return self._close(offset, "archived")
        del self._locks[offset]
        heappush(self._free, offset)
        self.flight[offset].state, self.flight[offset].member = "available", ""
        return "available"

    def _close(self, offset: int, state: State) -> State:
        del self._locks[offset]
        self.flight[offset].state = state
        self._advance()
        return state

    def _advance(self) -> None:
        """Move the start past what is over, and past the holes that compaction and retention have left."""
        while self.start < self.end:
            flight = self.flight.get(self.start)
            if flight and flight.state in ("available", "acquired"):
                return
            self.flight.pop(self.start, None)
            self.start += 1


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
