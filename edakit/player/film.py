"""A trace made ready to be shown: nodes in their places, edges, flights, work, and the state after every row.

A `Film` is computed once and then only read: by the browser as JSON, by the picture, the table and the diagram.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from edakit.event import Event, Frozen
from edakit.player.facts import Ledger
from edakit.player.layout import Box, Plan, Point, arrange, route
from edakit.player.words import MOMENTS, SAY, case
from edakit.plot.scene import Arrow, Scene, links, scene
from edakit.plot.wiring import _parts
from edakit.table import clean
from edakit.trace import Row, Trace, service_of

HEAD, LINE, FOOT = 28, 18, 7  # pixels of a card
WIDE = {"broker": 226, "stream": 226, "client": 124}
MOST = 18  # lines of a card
SHORT = 160  # characters of a payload that are shown
DEEP = 20  # levels of a payload that are shown


@dataclass
class Node:
    """A card: what is there, and a line for each of its queues, partitions or instances."""

    name: str
    kind: str  # client, broker, stream, service, server, saga, database
    lines: list[str] = field(default_factory=list)


@dataclass
class Edge:
    """A way that messages take, in the direction of `kind`: publish, deliver, call or store."""

    kind: str
    start: str
    end: str
    points: list[Point] = field(default_factory=list)


class Film:
    """What there is to see. `source` is a lab or a trace; of a lab also the silent parts of its wiring are shown."""

    def __init__(self, trace: Trace, source: Any = None) -> None:
        self.trace, self.ledger = trace, Ledger(trace)
        self.told: Scene = scene(trace)
        self.nodes: dict[str, Node] = {}
        self.edges: list[Edge] = []
        self._edge: dict[tuple[str, str, str], int] = {}
        self._meet(source)
        self.flights = [(found, arrow) for arrow in self.told.arrows if (found := self._way(arrow))]
        self.plan = self._place()

    @cached_property
    def events(self) -> list[Event]:
        """The events, each once."""
        return self.trace.events()

    def _meet(self, source: Any) -> None:
        """Who is there, and who has to do with whom."""
        wired = _parts(source) if source is not None and not isinstance(source, Trace) else ({}, [])
        kinds = {service_of(name): kind for name, kind in self.told.kinds.items()}
        kinds |= {row.place: "database" for row in self.trace.where(("read", "write", "rollback"))}
        kinds |= {row.place: "saga" for row in self.trace.where(("saga", "step"))}
        kinds |= wired[0]
        self.nodes = {name: Node(name, kind) for name, kind in kinds.items()}
        for fact in self.ledger.steps:
            place = fact[-1] if fact[0] in ("queue", "log", "group") else ""
            home = self.nodes.get(place.rpartition("/")[0])
            if home is not None and place not in home.lines:
                home.lines.append(place)
        for name in dict.fromkeys([*self.told.kinds, *(row.who for row in self.trace.where(("crash", "restart", "assign")))]):
            node = self.nodes.get(service_of(name))
            if node is not None and node.kind in ("service", "server", "saga"):
                node.lines.append(name)
        for node in self.nodes.values():
            _lines(node, self.ledger)
        for start, end, _, kind in links(self.told):
            self._join(start, end, kind)
        for start, end, _, kind in wired[1]:
            self._join(start, end, kind)
        for row in self.trace.where(("read", "write")):
            if row.service in self.nodes:
                self._between("store", row.service, row.place)

    def _between(self, kind: str, start: str, end: str) -> int:
        """The number of an edge, from 1; it is made if it is not there."""
        found = self._edge.get((kind, start, end))
        if found is None:
            self.edges.append(Edge(kind, start, end))
            found = self._edge[kind, start, end] = len(self.edges)
        return found

    def _join(self, start: str, end: str, kind: str) -> int:
        """An edge by its ends: into a broker, out of a broker, or past it; 0 if an end is not there."""
        if start not in self.nodes or end not in self.nodes or start == end:
            return 0
        if kind == "store":
            return self._between("store", start, end)
        if self._carries(end):
            return self._between("publish", start, end)
        return self._between("deliver" if self._carries(start) else "call", start, end)

    def _carries(self, name: str) -> bool:
        return self.nodes[name].kind in ("broker", "stream")

    def _way(self, arrow: Arrow) -> int:
        """The edge that a message takes; negative: against its direction."""
        start, end = service_of(arrow.source), service_of(arrow.target)
        if arrow.kind in ("receipt", "refusal", "gone", "reply"):
            return -self._join(end, start, arrow.kind)
        return self._join(start, end, arrow.kind)

    def _place(self) -> Plan:
        """Lay out the cards and draw the edges between their sides."""
        boxes = {node.name: Box(WIDE.get(node.kind, 178), card(node)) for node in self.nodes.values()}
        clients = [node.name for node in self.nodes.values() if node.kind == "client"]
        joined = [(edge.start, edge.end) for edge in self.edges if edge.kind != "publish"]
        joined += [(edge.start, edge.end) for edge in self.edges if edge.kind == "publish"]
        plan = arrange(boxes, joined, clients)
        for node in self.nodes.values():
            if node.kind == "broker":
                node.lines.sort(key=partial(_across, plan, node.name))
        for edge in self.edges:
            shift = {"publish": 5, "deliver": -5}.get(edge.kind, 0)
            heights = (self._port(plan, edge, edge.start, shift), self._port(plan, edge, edge.end, shift))
            edge.points = route(plan, edge.start, edge.end, heights, shift)
        return plan

    def _port(self, plan: Plan, edge: Edge, name: str, shift: float) -> float:
        """Where an edge meets a card: at a broker beside the queue of the service at its other end, if there is one."""
        node, box = self.nodes[name], plan.boxes[name]
        if self._carries(name):
            place = f"{name}/{edge.start if edge.end == name else edge.end}"
            if place in node.lines:
                return box.y + HEAD + LINE * (node.lines.index(place) + 0.5) + shift * 0.8
            return box.y + HEAD / 2 if edge.kind == "publish" else box.middle
        return box.middle + (shift if box.high < 60 else shift * 1.5)

    def shown(self) -> dict[str, Any]:
        """Everything for the browser, as JSON values: every text in it short, on one line, and only text."""
        texts = _Texts()
        names = list(self.nodes)
        events = self.events
        number = {event.id: n for n, event in enumerate(events)}
        boxes = self.plan.boxes
        return {
            "size": [self.plan.width, self.plan.height],
            "nodes": [
                {
                    "name": clean(node.name),
                    "kind": node.kind,
                    "box": [boxes[node.name].x, boxes[node.name].y, boxes[node.name].wide, boxes[node.name].high],
                    "lines": [clean(line) for line in node.lines],
                }
                for node in self.nodes.values()
            ],
            "edges": [
                {"kind": edge.kind, "start": names.index(edge.start), "end": names.index(edge.end), "points": edge.points}
                for edge in self.edges
            ],
            "rows": self._rows(texts, number),
            "events": {
                "id": [clean(event.id) for event in events],
                "cause": [number.get(event.causation or "", -1) for event in events],
                "key": [texts.of(event.key or "") for event in events],
                "data": [texts.of(preview(event.data)) for event in events],
            },
            "flights": self._flights(number),
            "work": self._work(number),
            "facts": [[*map(clean, fact), rows, values] for fact, (rows, values) in self.ledger.steps.items()],
            "records": {clean(place): [number[event.id] for event in log] for place, log in self.ledger.state.logs.items()},
            "steps": self._steps(),
            "say": SAY,
            "moments": MOMENTS,
            "texts": texts.all,
        }

    def _rows(self, texts: "_Texts", number: dict[str, int]) -> dict[str, list[Any]]:
        """The rows, a list for each column: a long trace is sent as a dozen lists, not as many small objects."""
        rows, again, of = list(self.trace), self.ledger.again, texts.of
        at = {said: n for n, said in enumerate(SAY)}
        names = {name: n for n, name in enumerate(self.nodes)}
        ways: dict[tuple[str, str, str], int] = {}
        nodes: dict[tuple[str, str], int] = {}
        for row in rows:
            if (way := (row.kind, row.place, row.who)) not in ways:
                ways[way] = self._touched(row)
                home = names.get(row.place.rpartition("/")[0], -1)
                nodes[row.place, row.who] = names.get(row.service, home)
        return {
            "ns": [row.ns for row in rows],
            "say": [at[case(row, again=n in again)] for n, row in enumerate(rows)],
            "place": [of(row.place) for row in rows],
            "who": [of(row.who) for row in rows],
            "event": [number[row.event.id] if row.event else -1 for row in rows],
            "tag": [row.tag for row in rows],
            "note": [of(row.note.replace(" ", ", ") if row.kind == "publish" else row.note) for row in rows],
            "edge": [ways[row.kind, row.place, row.who] for row in rows],
            "node": [nodes[row.place, row.who] for row in rows],
        }

    def _touched(self, row: Row) -> int:
        """The edge that a row is about, if it is about one."""
        home, who = row.place.rpartition("/")[0] or row.place, row.service
        if row.kind in ("publish", "append"):
            return self._edge.get(("publish", who, home), 0)
        if row.kind in ("deliver", "fetch", "acquire"):
            return self._edge.get(("deliver", home, who), 0)
        if row.kind in ("ack", "requeue", "dead", "discard", "commit", "stale", "accept", "unlock"):
            return -self._edge.get(("deliver", home, who), 0)
        if row.kind in ("call", "reply", "timeout"):
            return self._edge.get(("call", who, row.place), 0) * (-1 if row.kind == "reply" else 1)
        if row.kind in ("read", "write", "rollback"):
            return self._edge.get(("store", who, row.place), 0)
        if row.kind in ("drop", "duplicate"):
            start, _, end = row.place.partition(">")
            ways = [(kind, a, b) for kind in ("publish", "deliver", "call") for a, b in ((start, end), (end, start))]
            return next((self._edge[way] for way in ways if way in self._edge), 0)
        return 0

    def _flights(self, number: dict[str, int]) -> dict[str, list[Any]]:
        """The messages on their way, by when they left; the last column says whether one is lost (1) or sent again (2)."""
        flights = sorted(self.flights, key=lambda pair: pair[1].left)
        kinds = ("event", "receipt", "refusal", "gone", "call", "reply")
        return {
            "edge": [way for way, _ in flights],
            "left": [arrow.left for _, arrow in flights],
            "came": [arrow.came for _, arrow in flights],
            "kind": [kinds.index(arrow.kind) for _, arrow in flights],
            "event": [number[arrow.event.id] if arrow.event else -1 for _, arrow in flights],
            "mark": [arrow.lost + 2 * arrow.again for _, arrow in flights],
        }

    def _work(self, number: dict[str, int]) -> dict[str, list[list[Any]]]:
        """For each instance its handlers: from, to, how it ended, the event; by when they began."""
        work: dict[str, list[list[Any]]] = {}
        for bar in sorted(self.told.bars, key=lambda bar: bar.start):
            if bar.end > bar.start:
                event = number[bar.event.id] if bar.event else -1
                work.setdefault(clean(bar.who), []).append([bar.start, bar.end, bar.how, event])
        return work

    def _steps(self) -> dict[str, Any]:
        """For each saga its steps in order; for each run, in order of the facts, the rows of its steps: [row, step, outcome]."""
        order: dict[str, list[str]] = {}
        runs: dict[tuple[str, ...], list[list[Any]]] = {fact: [] for fact in self.ledger.steps if fact[0] == "saga"}
        for n, row in enumerate(self.trace):
            if row.kind == "step":
                outcome, step, run = row.note.split(" ", 2)
                names = order.setdefault(clean(row.place), [])
                if clean(step) not in names:
                    names.append(clean(step))
                runs["saga", row.place, run].append([n, clean(step), outcome])
        return {"order": order, "runs": list(runs.values())}

    def json(self) -> str:
        """The film as JSON text."""
        return json.dumps(self.shown(), separators=(",", ":"))


class _Texts:
    """Texts kept once each and named by number."""

    def __init__(self) -> None:
        self.all: list[str] = []
        self._numbers: dict[str, int] = {}

    def of(self, text: str) -> int:
        found = self._numbers.get(text)
        if found is None:
            found = self._numbers[text] = len(self.all)
            self.all.append(clean(text, SHORT))
        return found


def _across(plan: Plan, broker: str, place: str) -> float:
    """How high the edge of a queue leaves its broker, so that queues stand in the order of their edges."""
    reader = place.rpartition("/")[2]
    if reader not in plan.boxes:
        return float("inf")
    bends = plan.bends.get((broker, reader)) or plan.bends.get((reader, broker), [])[::-1]
    return plan.boxes[(*bends, reader)[0]].middle


def card(node: Node) -> float:
    """How high the card of a node is."""
    return HEAD + LINE * len(node.lines) + (FOOT if node.lines else 0)


def _lines(node: Node, ledger: Ledger) -> None:
    """Bring the lines of a card into order, and into its height."""
    if node.kind in ("service", "server", "saga"):  # one instance stands in the head
        node.lines[:] = [line for line in node.lines if line != node.name]
    node.lines.sort(key=lambda line: (len(line), line) if node.kind not in ("broker", "database") else (0, ""))
    if node.kind == "database":
        _, values = ledger.steps.get(("database", node.name), ([], [[0, []]]))
        node.lines[:] = [""] * max(1, *(len(shown) for _, shown in values))
    if len(node.lines) > MOST:
        node.lines[MOST - 1 :] = [f"and {len(node.lines) - MOST + 1} more"]


def preview(data: Any) -> str:
    """The beginning of a payload as JSON, without writing out all of a long one."""
    if data.__class__ is Frozen and len(data) < 10 and all(_plain(value) for value in data.values()):
        return json.dumps(data, ensure_ascii=False)  # the usual event
    text, long = [], 0
    for piece in _pieces(data):
        text.append(piece[: SHORT + 1])
        long += len(text[-1])
        if long > SHORT:
            break
    return "".join(text)


def _plain(value: Any) -> bool:
    return len(value) < 40 if value.__class__ is str else value.__class__ in (int, float, bool, type(None))


def _pieces(data: Any, deep: int = 0) -> Iterable[str]:
    if isinstance(data, str):
        return [json.dumps(data[: SHORT + 1], ensure_ascii=False)]
    if deep > DEEP:
        return ["..."]
    if isinstance(data, dict):
        return _joined("{", ([*_pieces(name), ": ", *_pieces(value, deep + 1)] for name, value in data.items()), "}")
    if isinstance(data, (list, tuple)):
        return _joined("[", (_pieces(value, deep + 1) for value in data), "]")
    return [json.dumps(data)]


def _joined(left: str, parts: Iterable[Iterable[str]], right: str) -> Iterable[str]:
    yield left
    for n, part in enumerate(parts):
        yield from ([", "] if n else [])
        yield from part
    yield right
