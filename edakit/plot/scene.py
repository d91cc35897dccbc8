"""What a space-time diagram shows, told from the rows of a trace: who is there, who sends what to whom, who works
when.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from edakit.event import Event
from edakit.trace import Row, Trace, service_of

HOP = 1_000_000  # ns a message takes where the rows do not say when it came


@dataclass(slots=True)
class Arrow:
    """A message on its way, from `left` to `came` (ns)."""

    source: str
    target: str
    left: int
    came: int
    kind: str  # event, receipt, refusal, gone, call, reply
    event: Event | None
    lost: bool = False
    again: bool = False  # it has been delivered before
    note: str = ""


@dataclass(slots=True)
class Bar:
    """A handler at work, from `start` to `end` (ns)."""

    who: str
    start: int
    end: int
    how: str  # done, failed, cut, open
    event: Event | None


@dataclass(slots=True)
class Mark:
    """Something that happened to one node at one instant: crash, restart, dead, timeout, log."""

    who: str
    ns: int
    kind: str
    note: str = ""


@dataclass
class Scene:
    """All there is to draw. `kinds` names the nodes in order of first appearance."""

    kinds: dict[str, str] = field(default_factory=dict)
    arrows: list[Arrow] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    down: list[tuple[str, int, int]] = field(default_factory=list)  # who, from, to (ns)

    def instants(self) -> list[int]:
        """Every instant at which something begins or ends, each once, in order (ns)."""
        times = {0}
        for arrow in self.arrows:
            times.update((arrow.left, arrow.came))
        for bar in self.bars:
            times.update((bar.start, bar.end))
        times.update(mark.ns for mark in self.marks)
        return sorted(times)


def scene(trace: Trace) -> Scene:
    """Read the rows once and tell what they show."""
    return _Teller(trace).tell()


class _Teller:
    """Keeps what a row needs to know of the rows around it."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.out = Scene()
        self.first: dict[tuple[str, str, str, int], int] = {}  # (who, place, event id, tag) -> when its handler began
        self.asked: dict[tuple[str, str], Row] = {}  # (server, request id) -> the first handler row
        self.busy: dict[str, tuple[list[int], list[int]]] = {}  # who -> starts of its handlers, and the latest end so far
        self.given: dict[tuple[str, str], int] = {}  # (place, event id) -> deliveries so far
        self.open: dict[str, list[Bar]] = {}  # who -> deliveries not yet handled
        self.free: dict[str, int] = {}  # who -> the end of its last handler
        self.crashed: dict[str, int] = {}
        calls = {_id(row) for row in trace.where("call")}
        self.carried = {_id(row) for row in trace.where("publish")} & calls  # requests that go by way of a broker
        rows = trace.where(("handle", "fail"))
        for row in rows:
            self.first.setdefault((row.who, row.place, _id(row), row.tag), row.since)
            self.asked.setdefault((row.place, _id(row)), row)
        for row in sorted(rows, key=lambda row: row.since):
            starts, latest = self.busy.setdefault(row.who, ([], []))
            starts.append(row.since)
            latest.append(max(row.ns, latest[-1]) if latest else row.ns)

    def tell(self) -> Scene:
        last = 0
        for row in self.trace:
            last = row.ns
            tell = getattr(self, f"_{row.kind}", None)
            if tell is not None:
                tell(row)
        for bars in self.open.values():
            for bar in bars[:1]:
                start = max(bar.start, self.free.get(bar.who, 0))
                if start < last:
                    self.out.bars.append(Bar(bar.who, start, last, "open", bar.event))
        out, there = self.out, self.out.kinds
        out.down += [(who, ns, last) for who, ns in self.crashed.items()]
        out.arrows = [arrow for arrow in out.arrows if arrow.source in there and arrow.target in there]
        out.bars = [bar for bar in out.bars if bar.who in there]
        out.marks = [mark for mark in out.marks if mark.who in there]
        return out

    def _is(self, name: str, kind: str) -> str:
        """Note a node; a client that turns out to handle something is a service."""
        if self.out.kinds.get(name) in (None, "client") and name:
            self.out.kinds[name] = kind
        return name

    def _send(self, row: Row, source: str, target: str, left: int, came: int, kind: str) -> Arrow:
        arrow = Arrow(source, target, left, came, kind, row.event)
        self.out.arrows.append(arrow)
        return arrow

    def _publish(self, row: Row) -> None:
        self._is(row.who, "client")
        kind = "call" if _id(row) in self.carried else "event"
        self._send(row, row.who, self._is(row.place, "broker"), _sent(row), row.ns, kind)

    def _append(self, row: Row) -> None:
        self._is(row.who, "client")
        self._send(row, row.who, self._is(_before(row.place), "stream"), _sent(row), row.ns, "event")

    def _deliver(self, row: Row) -> None:
        source = self._is(_before(row.place), "broker" if row.kind == "deliver" else "stream")
        kind = "call" if _id(row) in self.carried else "event"
        arrow = self._send(row, source, self._is(row.who, "service"), row.ns, self._taken(row, row.who), kind)
        key = (row.place if row.kind == "deliver" else f"{row.place} {row.note}", _id(row))
        self.given[key] = self.given.get(key, 0) + 1
        arrow.again = self.given[key] > 1
        self.open.setdefault(row.who, []).append(Bar(row.who, arrow.came, arrow.came, "open", row.event))

    _fetch = _acquire = _deliver

    def _taken(self, row: Row, who: str) -> int:
        """When a message reached its handler: the handler's start, unless it had to wait for one at work."""
        came = row.ns + HOP
        start = self.first.get((who, row.place, _id(row), row.tag))
        return came if start is None or start < row.ns or self._works(who, came, start) else start

    def _works(self, who: str, ns: int, before: int) -> bool:
        """Whether another handler of `who` was at work then, begun before that one."""
        starts, latest = self.busy.get(who, ([], []))
        n = bisect_right(starts, min(ns, before - 1)) - 1
        return n >= 0 and latest[n] > ns

    def _handle(self, row: Row) -> None:
        self._is(row.who, "server" if "/" not in row.place else "service")
        self.out.bars.append(Bar(row.who, row.since, row.ns, "done" if row.kind == "handle" else "failed", row.event))
        self.free[row.who] = row.ns
        waiting = self.open.get(row.who, [])
        for n, bar in enumerate(waiting):
            if _same(bar.event, row.event):
                del waiting[n]
                break

    _fail = _handle

    def _ack(self, row: Row) -> None:
        if row.since:
            self._send(row, row.who, _before(row.place), row.since, row.ns, "receipt")

    _accept = _ack

    def _commit(self, row: Row) -> None:
        if row.since and row.who:
            self._send(row, row.who, _before(row.place), row.since, row.ns, "receipt")

    def _requeue(self, row: Row) -> None:
        if row.since and row.who in self.out.kinds:
            kind = "gone" if row.who in self.crashed else "refusal"
            self._send(row, row.who, _before(row.place), row.since, row.ns, kind)

    _unlock = _requeue

    def _dead(self, row: Row) -> None:
        self._requeue(row)
        self.out.marks.append(Mark(_before(row.place), row.ns, "dead", _id(row)))

    def _call(self, row: Row) -> None:
        self._is(row.who, "client")
        if _id(row) in self.carried:
            return  # its way to the broker and on to the service is drawn
        end = self.asked.get((row.place, _id(row)))
        target, came = (end.who, end.since) if end and end.since >= row.ns else (row.place, row.ns + HOP)
        if self._works(target, row.ns + HOP, came):
            came = row.ns + HOP
        arrow = self._send(row, row.who, self._is(target, "server"), row.ns, came, "call")
        arrow.again = row.tag > 1
        self.open.setdefault(target, []).append(Bar(target, came, came, "open", row.event))

    def _reply(self, row: Row) -> None:
        request = row.event.causation if row.event else None
        source, left = row.place, row.ns - HOP
        for bar in reversed(self.out.bars):
            if bar.event is not None and bar.event.id in (request, _id(row)) and bar.end <= row.ns:
                source, left = bar.who, bar.end
                break
        arrow = self._send(row, self._is(source, "server"), self._is(row.who, "client"), left, row.ns, "reply")
        arrow.note = row.note

    def _timeout(self, row: Row) -> None:
        self.out.marks.append(Mark(self._is(row.who, "client"), row.ns, "timeout", row.place))

    def _drop(self, row: Row) -> None:
        source, target = self._link(row)
        found: Arrow | None = None
        for arrow in reversed(self.out.arrows):
            if arrow.came < row.ns - HOP:
                break
            there = arrow.target == target or (arrow.kind == "call" and row.note == "request")
            if arrow.event is row.event and arrow.source == source and there and not arrow.lost:
                arrow.came = min(arrow.came, arrow.left + HOP)
                found = arrow
                break
        arrow = found or self._send(
            row, self._is(source, "client"), self._is(target, "service"), row.since or row.ns, row.ns + HOP, "event"
        )
        arrow.lost = True
        arrow.kind = {"ack": "receipt", "request": "call", "reply": "reply"}.get(row.note, arrow.kind)
        waiting = self.open.get(arrow.target, [])
        if waiting and row.note in ("deliver", "request") and _same(waiting[-1].event, row.event):
            waiting.pop()

    def _duplicate(self, row: Row) -> None:
        source, target = self._link(row)
        kind = "receipt" if row.note == "ack" else "event"
        arrow = self._send(row, self._is(source, "client"), self._is(target, "service"), row.ns, row.ns + HOP, kind)
        arrow.again = True

    def _link(self, row: Row) -> tuple[str, str]:
        """Both ends of the link of a row."""
        source, _, target = row.place.partition(">")
        return row.who if service_of(row.who) == source else source, target

    def _crash(self, row: Row) -> None:
        self.out.marks.append(Mark(self._is(row.who, "service"), row.ns, "crash"))
        for bar in self.open.pop(row.who, [])[:1]:  # the rest waited in its memory
            start = max(bar.start, self.free.get(row.who, 0))
            if start < row.ns:
                self.out.bars.append(Bar(bar.who, start, row.ns, "cut", bar.event))
        self.crashed.setdefault(row.who, row.ns)

    def _restart(self, row: Row) -> None:
        self.out.marks.append(Mark(self._is(row.who, "service"), row.ns, "restart"))
        since = self.crashed.pop(row.who, None)
        if since is not None:
            self.out.down.append((row.who, since, row.ns))

    def _log(self, row: Row) -> None:
        self.out.marks.append(Mark(self._is(row.who, "client"), row.ns, "log", row.note))


def _sent(row: Row) -> int:
    """When a publisher let go of its event. 0 is either the start of time or unknown: then the event's own time is the
    better guess.
    """
    return row.since or (min(row.event.ns, row.ns) if row.event else row.ns)


def _before(place: str) -> str:
    """The broker of a queue, the topic of a partition."""
    return place.rpartition("/")[0] or place


def _id(row: Row) -> str:
    return row.event.id if row.event else ""


def _same(one: Event | None, other: Event | None) -> bool:
    return one is other or (one is not None and other is not None and one.id == other.id)


def links(told: Scene) -> Iterator[tuple[str, str, str, str]]:
    """Who sends what to whom, by service instead of instance: (source, target, event type, kind of arrow), each
    once.
    """
    seen: dict[tuple[str, str, str, str], None] = {}
    for arrow in told.arrows:
        if arrow.kind in ("event", "call"):
            seen[
                (
                    service_of(arrow.source),
                    service_of(arrow.target),
                    arrow.event.type if arrow.event else "",
                    arrow.kind,
                )
            ] = None
    yield from seen
