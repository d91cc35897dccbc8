"""Figures of a run: each a pure function of its trace. Times and durations are virtual seconds.

A *story* is all that one event led to: the events of equal `correlation`. A *moment* is named by an event type (the
broker or stream has it), by the note of a `log` row, or by `reply` (an answer is back at its caller).
"""

import math
import sys
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from edakit.errors import ArgumentError, EmptyTrace
from edakit.state import fold_until
from edakit.table import number
from edakit.trace import AT_MOST_ONCE, Row, Trace, service_of
from edakit.units import SECOND

By = Literal["correlation", "key"]
Series = list[tuple[float, int]]  # (virtual seconds, how many from then on)

TAKEN = ("publish", "append")


class Spread(NamedTuple):
    """The mean of many runs, and the range in which 90 % of them lie."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        if self.low == self.high:
            return number(_short(self.mean))
        return f"{number(_short(self.mean))} [{number(_short(self.low))}-{number(_short(self.high))}]"

    def __repr__(self) -> str:
        return str(self)


def spread(values: Iterable[float]) -> Spread:
    """Sum up many runs: the mean and the range from the 5th to the 95th of a hundred. Raises EmptyTrace for no
    values.
    """
    values = list(values)
    low, high = quantiles(values, (0.05, 0.95))
    return Spread(math.fsum(values) / len(values), low, high)


def quantiles(values: Iterable[float], shares: Sequence[float] = (0.5, 0.99)) -> tuple[float, ...]:
    """The values below which these shares of all lie, between neighbours in proportion (median and p99 unless told).

    Raises EmptyTrace for no values, ArgumentError for a share outside 0 to 1.
    """
    ordered = sorted(float(value) for value in values)
    if not ordered:
        raise EmptyTrace("no values to sum up: the run has no such moment; look at trace.counts(by='type')")
    found = []
    for share in shares:
        if not 0 <= share <= 1:
            raise ArgumentError(f"share is {share!r}: give a number from 0 to 1 (0.99 for the 99th percentile)")
        place = share * (len(ordered) - 1)
        below, above = ordered[math.floor(place)], ordered[math.ceil(place)]
        found.append(below + (above - below) * (place - math.floor(place)))
    return tuple(found)


def latency(trace: Trace, first: str, last: str, by: By = "correlation") -> list[float]:
    """Seconds from when `first` was sent until `last` was there, for each story (or key) that has both, in order of
    `first`.

    Counts the first of each; `first` and `last` are moments (see the top of this module).
    """
    if by not in ("correlation", "key"):
        raise ArgumentError(f"by is {by!r}: give 'correlation' or 'key'")
    begun: dict[str | None, int] = {}
    ended: dict[str | None, int] = {}
    for row in trace:
        if row.event is None:
            continue
        story = row.event.key if by == "key" else row.event.correlation
        if is_moment(row, first):
            begun.setdefault(story, row.since or min(row.event.ns, row.ns))
        if is_moment(row, last):
            ended.setdefault(story, row.ns)
    return [(ended[story] - ns) / SECOND for story, ns in begun.items() if ended.get(story, -1) >= ns]


def is_moment(row: Row, name: str) -> bool:
    """Whether the row is the moment of that name."""
    if row.kind in TAKEN:
        return row.event is not None and row.event.type == name
    return (row.kind == "log" and row.note == name) or (row.kind == "reply" and name == "reply")


def deliveries(trace: Trace, service: str | None = None) -> dict[str, int]:
    """How often each event was handed to the service (to all services together, unless told), by event id."""
    counts: dict[str, int] = {}
    for row in trace:
        if row.kind in ("deliver", "fetch", "acquire") and row.event is not None and service in (None, row.service, row.who):
            counts[row.event.id] = counts.get(row.event.id, 0) + 1
    return counts


def duplicates(trace: Trace, type: str | None = None) -> dict[tuple[str, str], int]:
    """The events that a service has handled to the end more than once: (service, event id) -> times."""
    counts: dict[tuple[str, str], int] = {}
    for row in trace:
        if row.kind == "handle" and row.event is not None and type in (None, row.event.type):
            handled = (service_of(row.who), row.event.id)
            counts[handled] = counts.get(handled, 0) + 1
    return {handled: count for handled, count in counts.items() if count > 1}


def lost_acked(trace: Trace) -> int:
    """How many events a stream with copies has confirmed (to whoever asked for it) and lost since: no copy has them any more."""
    confirmed = {row.event.id for row in trace.where("confirm") if row.event}
    there = {event.id for log in fold_until(trace, sys.maxsize).logs.values() for event in log}
    return len(confirmed - there)


CHANGES = {"ack": -1, "dead": -1, "discard": -1, "lapse": -1, "evict": -1, "redrive": 1, "hop": 1}  # of what a queue owns


def backlog(trace: Trace, place: str) -> Series:
    """How many messages queue `place` ("shop/payment") owns, from each change on: those that wait and those not yet
    acked.

    Raises ArgumentError for a queue that the trace does not name.
    """
    broker, _, name = place.rpartition("/")
    series: Series = []
    depth = 0
    for row in trace:
        change = 0
        if row.kind == "publish" and row.place == broker:
            change = row.note.split().count(name)
        elif row.place == place:
            change = CHANGES.get(row.kind, 0) - (row.note == AT_MOST_ONCE)
        if change:
            depth += change
            series.append((row.time, depth))
    if not series:
        raise ArgumentError(f"no queue {place!r} in this trace; it has: {', '.join(queues(trace)) or 'none'}")
    return series


def queues(trace: Trace) -> list[str]:
    """The queues of the trace, as "broker/queue", in order of first sight."""
    found: dict[str, None] = {}
    for row in trace:
        if row.kind == "publish":
            found.update(dict.fromkeys(f"{row.place}/{name}" for name in row.note.split()))
        elif row.kind == "hop":
            found[row.place] = None
    return list(found)


def drain(trace: Trace, place: str) -> float | None:
    """Seconds from the highest backlog of queue `place` until it is empty; None if it never is."""
    series = backlog(trace, place)
    top = max(depth for _, depth in series)
    peak = max(time for time, depth in series if depth == top)
    return next((time - peak for time, depth in series if time >= peak and depth == 0), None)


def groups(trace: Trace) -> list[str]:
    """The consumer groups of the trace, in order of first sight."""
    return list(dict.fromkeys(row.note for row in trace if row.kind in ("assign", "fetch", "commit", "seek") and row.note))


def lag(trace: Trace, group: str | None = None) -> dict[str, Series]:
    """How many records of each partition the group has not committed yet (a share group: not done), from each change on.

    `group` may be left out where there is only one. Raises ArgumentError for a group that the trace does not name.
    """
    known = groups(trace)
    if group is None and len(known) == 1:
        group = known[0]
    if group not in known:
        raise ArgumentError(f"no group {group!r} in this trace; say one of: {', '.join(known) or 'none yet'}")
    ends: dict[str, int] = {}
    committed: dict[str, int] = {}
    series: dict[str, Series] = {}
    shared = {row.place for row in trace if row.kind == "assign" and row.note == group and row.who == "*"}
    for row in trace:
        if row.kind == "append":
            ends[row.place] = row.tag + 1
        elif row.kind in ("commit", "seek") and row.note == group:
            committed[row.place] = row.tag
        elif row.kind in ("accept", "skip") and row.note == group and row.place in shared:
            committed[row.place] = committed.get(row.place, 0) + 1  # not so far, but so many
        elif row.kind == "assign" and row.note == group and row.tag != committed.get(row.place, 0):
            committed[row.place] = row.tag  # a new group that begins at the end
        else:
            continue
        series.setdefault(row.place, []).append((row.time, ends.get(row.place, 0) - committed.get(row.place, 0)))
    return {place: series[place] for place in sorted(series, key=_partition)}


def _partition(place: str) -> tuple[str, int]:
    """Sorts "orders/10" behind "orders/9"."""
    topic, _, partition = place.rpartition("/")
    return topic, int(partition) if partition.isdigit() else -1


def _short(value: float) -> float | int:
    """A figure of a spread: whole from 100 on, else with about three figures."""
    return round(value) if abs(value) >= 100 or value == int(value) else float(value)
