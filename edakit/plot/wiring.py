"""The map of a system: boxes for who is there, arrows for who can hear whom."""

import math
from collections.abc import Collection, Iterable
from typing import Any, Protocol

import networkx as nx

from edakit.errors import ArgumentError
from edakit.plot.canvas import Canvas, Point, fitting, wide
from edakit.plot.scene import links, scene
from edakit.plot.style import BLUE, GREEN, GREY, INK, ORANGE, PINK, Picture, rows_of
from edakit.table import clean
from edakit.trace import Trace, service_of

ROW, SIDE, HALF, HIGH = 92, 100, 58, 17  # pixels: between boxes, margin, half a box

FILL = {
    "client": "#ffffff",
    "broker": "#fdf0d5",
    "stream": "#fdf0d5",
    "service": "#e3f0f9",
    "server": "#f8e8f1",
    "saga": "#e0f3ec",
    "database": "#eeeeee",
}
EDGE = {
    "client": GREY,
    "broker": ORANGE,
    "stream": ORANGE,
    "service": BLUE,
    "server": PINK,
    "saga": GREEN,
    "database": GREY,
}
STROKES: dict[str, tuple[str, Any, str]] = {  # kind of edge: colour, dash, what it says in the legend
    "event": (BLUE, "solid", "events"),
    "call": (PINK, (0, (1, 1.2)), "asks and waits"),
    "store": (GREY, (0, (4, 2)), "reads and writes"),
}


class Edge(Protocol):
    """An arrow of the map: node names, and what travels."""

    @property
    def source(self) -> str:
        """Who sends."""

    @property
    def target(self) -> str:
        """Who hears."""

    @property
    def label(self) -> str:
        """An event type, or what else travels."""

    @property
    def kind(self) -> str:
        """publish, deliver, call or store."""


class Mapped(Protocol):
    """A lab: it knows its map before anything has happened."""

    def topology(self) -> Iterable[Edge]:
        """The arrows."""

    def nodes(self) -> dict[str, str]:
        """The kind of each node, by name."""


def topology(source: Mapped | Trace | Any, highlight: Collection[str] = ()) -> Picture:
    """Draw who can hear whom: of a lab as it is wired, of a trace as far as something was sent.

    `highlight` names what is new: it is hatched, and its arrows are thick. Raises EmptyTrace for a system without
    parts, ArgumentError for a highlighted name that is not there.
    """
    nodes, edges = _parts(source)
    for name in highlight:
        if name not in nodes:
            raise ArgumentError(f"no node {name!r} to highlight; the map has: {', '.join(nodes)}")
    joined: dict[tuple[str, str, str], list[str]] = {}
    for start, end, label, kind in edges:
        labels = joined.setdefault((start, end, kind), [])
        if label and label not in labels:
            labels.append(label)
    place, height = _places(nodes, [(start, end) for start, end, _ in joined])
    canvas = Canvas(height=height)
    both = {(start, end) for start, end, _ in joined if any((end, start) == other[:2] for other in joined)}
    for (start, end, kind), labels in joined.items():
        new = start in highlight or end in highlight
        _draw_edge(canvas, place[start], place[end], kind, labels, both=(start, end) in both, new=new)
    for name, kind in nodes.items():
        _draw_node(canvas, place[name], name, kind, new=name in highlight)
    _legend(canvas, nodes, [kind for _, _, kind in joined], new=bool(highlight))
    return canvas.picture(_twin(nodes, joined, highlight))


def _parts(source: Any) -> tuple[dict[str, str], list[tuple[str, str, str, str]]]:
    """Nodes and edges as the lab tells them, or as the rows show them."""
    tell = getattr(source, "topology", None)
    if callable(tell):
        nodes = dict(source.nodes())
        edges = [(edge.source, edge.target, edge.label, edge.kind) for edge in tell()]
        for start, end, _, _ in edges:
            nodes.setdefault(start, "client")
            nodes.setdefault(end, "service")
        if nodes:
            return _answering(nodes, edges)
    told = scene(rows_of(source, "topology"))
    nodes = {}
    for name, kind in told.kinds.items():
        nodes.setdefault(service_of(name), kind)
    return nodes, list(links(told))


def _answering(
    nodes: dict[str, str], edges: list[tuple[str, str, str, str]]
) -> tuple[dict[str, str], list[tuple[str, str, str, str]]]:
    """A server and the service behind it are one box: whoever calls names the service."""
    behind = {end: start for start, end, _, kind in edges if kind == "deliver" and nodes[start] == "server"}
    hidden = set(behind.values())
    kinds = {name: "server" if name in behind else kind for name, kind in nodes.items() if name not in hidden}
    return kinds, [edge for edge in edges if edge[0] in kinds and edge[1] in kinds]


def _places(nodes: dict[str, str], edges: list[tuple[str, str]]) -> tuple[dict[str, Point], int]:
    """Columns by distance from where things begin, each ordered so that arrows cross little; from networkx to
    pixels.
    """
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(nodes)
    graph.add_edges_from(edges)
    far: dict[str, int] = {}
    starts = [name for name, kind in nodes.items() if kind == "client"] or [n for n in nodes if not graph.in_degree(n)]
    for start in [*starts, *nodes]:  # the rest: what no client leads to
        if start not in far:
            base = 0 if start in starts or nodes[start] not in ("service", "saga") else 2
            for name, steps in nx.single_source_shortest_path_length(graph, start).items():
                far[name] = min(far.get(name, 99), base + steps)
    columns: dict[int, list[str]] = {}
    for name in nodes:
        columns.setdefault(far[name], []).append(name)
    columns = {n: columns[key] for n, key in enumerate(sorted(columns))}
    order: dict[str, float] = {}
    for names in columns.values():
        mid = {
            name: [order[near] for near in (*graph.predecessors(name), *graph.successors(name)) if near in order]
            for name in names
        }
        names.sort(key=lambda name: sum(mid[name]) / len(mid[name]) if mid[name] else 0.0)  # stable
        order.update({name: (n + 0.5) / len(names) for n, name in enumerate(names)})
    positions = nx.multipartite_layout(graph, subset_key=columns)  # lists, not an attribute: that way runs through a set
    deepest = max(map(len, columns.values()))
    height = 56 + max(2, deepest) * ROW + 24
    step = (900 - 2 * SIDE) / max(1, len(columns) - 1)
    xs = sorted({round(float(x), 6) for x, _ in positions.values()})
    place = {}
    for names in columns.values():
        for n, name in enumerate(names):
            column = xs.index(round(float(positions[name][0]), 6))
            x = SIDE + column * step if len(columns) > 1 else 450.0
            place[name] = (x, 40 + (height - 64) * (n + 0.5) / len(names))
    return place, height


def _draw_edge(canvas: Canvas, tail: Point, head: Point, kind: str, labels: list[str], *, both: bool, new: bool) -> None:
    """An arrow from border to border; of two that go both ways each keeps to its right, its label beside it."""
    (x0, y0), (x1, y1) = tail, head
    length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5 or 1.0
    dx, dy = (x1 - x0) / length, (y1 - y0) / length
    color, dash, _ = STROKES.get(kind, STROKES["event"])
    width = 2.4 if new else 1.4
    if abs(dx) < 0.05:  # in one column: around what stands between
        _draw_bend(canvas, tail, head, (color, width, dash), _elide(labels, 90) if labels else "")
        return
    shift = 7 if both else 0
    along, across = (dx, dy), (-dy * shift, dx * shift)
    a = _border(tail, along, across)
    b = _border(head, (-dx, -dy), across)
    canvas.arrow(a, b, color, width, dash, 7)
    if labels:
        room = abs(b[0] - a[0]) + 10 if abs(dx) > 0.3 else 150
        text = _elide(labels, max(room, 70))
        part = 0.5 if abs(dy) < 0.25 else (0.66 if dx > 0 else 0.34)  # near the far end, where arrows have spread out
        x, y = a[0] + (b[0] - a[0]) * part, a[1] + (b[1] - a[1]) * part
        side = 9 if both and dx > 0 else -9  # of two arrows that go both ways: away from the other
        up = 1 if dx > 0 else -1
        turn = math.degrees(math.atan2(-dy * up, dx * up))
        canvas.text(x - dy * up * side, y + dx * up * side, text, INK, 7.5, ha="center", turn=turn, most=60, layer=5)


def _draw_bend(canvas: Canvas, tail: Point, head: Point, stroke: tuple[str, float, Any], text: str) -> None:
    """An arrow between two boxes of one column."""
    (x, y0), (_, y1) = tail, head
    color, width, dash = stroke
    out = x + HALF + 12 + min(20.0, abs(y1 - y0) / 12)
    canvas.line([(x + HALF, y0), (out, y0), (out, y1)], color, width, dash, layer=3)
    canvas.arrow((out, y1), (x + HALF + 2, y1), color, width, dash, 7)
    if text:
        canvas.text(out - 3, (y0 + y1) / 2, text, INK, 7.5, ha="right", ground="white", layer=5)


def _border(at: Point, along: Point, across: Point) -> Point:
    """Where an arrow that leaves the middle of a box in one direction, moved aside by `across`, passes its border."""
    x, y = across
    room = [
        (half - math.copysign(1, step) * off) / abs(step)
        for half, off, step in ((HALF + 2, x, along[0]), (HIGH + 2, y, along[1]))
        if step
    ]
    return at[0] + x + along[0] * min(room), at[1] + y + along[1] * min(room)


def _elide(labels: list[str], room: float) -> str:
    """As many labels as there is room for, and how many more there are."""
    for count in range(len(labels), 0, -1):
        text = ", ".join(labels[:count]) + (f" +{len(labels) - count}" if count < len(labels) else "")
        if wide(clean(text, 200), 7.5) <= room:
            return text
    more = f" +{len(labels) - 1}" if len(labels) > 1 else ""
    return clean(labels[0], max(8, int(room / 6))) + more


def _draw_node(canvas: Canvas, at: Point, name: str, kind: str, *, new: bool) -> None:
    """Each kind has its own outline: circle ends, box, hexagon, segments, cylinder, double border."""
    x, y = at
    fill, edge = FILL.get(kind, "#ffffff"), EDGE.get(kind, INK)
    hatch = "////" if new else ""
    width = 2.4 if new else 1.4
    left, right, top, bottom = x - HALF, x + HALF, y - HIGH, y + HIGH
    if kind == "broker":
        points = [(left, y), (left + 14, top), (right - 14, top), (right, y), (right - 14, bottom), (left + 14, bottom)]
        canvas.shape(points, fill, edge, hatch, width, 4)
    elif kind == "client":
        canvas.shape(_round(left, right, y, HIGH), fill, edge, hatch, width, 4)
    else:
        canvas.box((left, top, right, bottom), fill, edge, hatch, width, 4)
    if kind == "stream":
        for n in (1, 2, 3, 4, 5):
            canvas.line([(left + n * 2 * HALF / 6, top), (left + n * 2 * HALF / 6, top + 6)], edge, 1.2, layer=4.5)
            canvas.line([(left + n * 2 * HALF / 6, bottom - 6), (left + n * 2 * HALF / 6, bottom)], edge, 1.2, layer=4.5)
    if kind == "saga":
        canvas.box((left + 4, top + 4, right - 4, bottom - 4), "none", edge, "", 1, 4.5)
    if kind == "database":
        canvas.line([(left, top + 6), (right, top + 6)], edge, 1, layer=4.5)
        canvas.line([(left, top + 9), (right, top + 9)], edge, 1, layer=4.5)
    if kind == "server":
        canvas.line([(left + 7, top), (left + 7, bottom)], edge, 1.4, layer=4.5)
    size = fitting(clean(name, 20), 2 * HALF - 14)
    canvas.text(x, y, name, size=size, ha="center", weight="bold", most=20, ground=fill if new else None)


def _round(left: float, right: float, y: float, high: float) -> list[Point]:
    """A box with round ends."""
    turn = [n * math.pi / 12 - math.pi / 2 for n in range(13)]
    east = [(right - high + high * math.cos(a), y + high * math.sin(a)) for a in turn]
    west = [(left + high - high * math.cos(a), y - high * math.sin(a)) for a in turn]
    return east + west


def _legend(canvas: Canvas, nodes: dict[str, str], kinds: list[str], *, new: bool) -> None:
    """The kinds of nodes and arrows that are there, in small."""
    x = 14.0
    for kind in dict.fromkeys(nodes.values()):
        canvas.box((x, 10, x + 18, 22), FILL.get(kind, "#ffffff"), EDGE.get(kind, INK), "", 1.4)
        said = {"server": "answers calls"}.get(kind, kind)
        canvas.text(x + 24, 16, said, size=8)
        x += 24 + wide(said) + 16
    for color, dash, name in dict.fromkeys(STROKES.get(kind, STROKES["event"]) for kind in kinds):
        canvas.arrow((x, 16), (x + 26, 16), color, 1.4, dash, 6)
        canvas.text(x + 32, 16, name, size=8)
        x += 32 + wide(name) + 16
    if new:
        canvas.box((x, 10, x + 18, 22), "#ffffff", INK, "////", 1.4)
        canvas.text(x + 24, 16, "new", size=8)


def _twin(nodes: dict[str, str], joined: dict[tuple[str, str, str], list[str]], highlight: Collection[str]) -> str:
    lines = []
    for name, kind in nodes.items():
        lines.append(f"{kind:9} {clean(name)}{'  (new)' if name in highlight else ''}")
        for (start, end, _), labels in joined.items():
            if start == name:
                lines.append(f"          -> {clean(end)}  {clean(', '.join(labels), 80)}".rstrip())
    return "\n".join(lines)
