"""Where the nodes stand and how the edges run: in layers, with few crossings, and no edge behind a node.

The method is that of Sugiyama, Tagawa and Toda (1981): layers by distance from where things begin, a bend point in every layer
that an edge passes through, an order within layers by barycentres, and then heights. Pure arithmetic: the same system gives the
same picture everywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

Point = tuple[float, float]
Pair = tuple[str, str]

GAP = 18  # pixels between two nodes of a layer
BEND = 10  # the height that a passing edge is given
SIDE, TOP = 14, 14  # margins
TALL = 520  # a layer higher than this becomes two
ROUNDS = 8  # sweeps of barycentres


@dataclass
class Box:
    """A node: its size, and from `arrange` its upper left corner."""

    wide: float
    high: float
    x: float = 0
    y: float = 0

    @property
    def middle(self) -> float:
        """The height of its centre."""
        return self.y + self.high / 2


@dataclass
class Plan:
    """The layers from left to right, and by pair of nodes the points an edge passes through between them."""

    layers: list[list[str]]
    bends: dict[Pair, list[str]] = field(default_factory=dict)
    boxes: dict[str, Box] = field(default_factory=dict)
    width: float = 0
    height: float = 0

    def crossings(self) -> int:
        """How often two edges cross between neighbouring layers."""
        at = {name: n for names in self.layers for n, name in enumerate(names)}
        layer = {name: n for n, names in enumerate(self.layers) for name in names}
        count, gaps = 0, dict[int, list[tuple[int, int]]]()
        for (start, end), bends in self.bends.items():
            for a, b in zip([start, *bends], [*bends, end], strict=True):
                if layer[a] != layer[b]:
                    gaps.setdefault(layer[a], []).append((at[a], at[b]))
        for lines in gaps.values():
            lines.sort()
            count += sum(a < c and b > d for n, (a, b) in enumerate(lines) for c, d in lines[n + 1 :])
        return count


def arrange(boxes: dict[str, Box], edges: Sequence[Pair], first: Sequence[str]) -> Plan:
    """Place the boxes, those of `first` at the left. Edges may name a pair more than once, in either direction."""
    if not boxes:
        return Plan([], width=2 * SIDE, height=2 * TOP)
    ranks = _ranks(list(boxes), edges, first)
    plan = Plan(_split(boxes, ranks), boxes=dict(boxes))
    layer = {name: n for n, names in enumerate(plan.layers) for name in names}
    for a, b in edges:
        start, end = (a, b) if layer[a] <= layer[b] else (b, a)
        if start == end or (start, end) in plan.bends or (end, start) in plan.bends:
            continue
        plan.bends[start, end] = [f"{start}\0{end}\0{n}" for n in range(layer[start] + 1, layer[end])]
        for n, name in enumerate(plan.bends[start, end], layer[start] + 1):
            plan.layers[n].append(name)
            plan.boxes[name] = Box(0, BEND)
    near = _neighbours(plan)
    _order(plan, near)
    _heights(plan, near)
    _columns(plan)
    return plan


def _ranks(names: list[str], edges: Sequence[Pair], first: Sequence[str]) -> dict[str, int]:
    """Steps from where things begin, along the edges; what nothing leads to stands beside what it leads to."""
    ahead: dict[str, dict[str, None]] = {name: {} for name in names}
    for start, end in edges:
        ahead[start][end] = None
    entered = {end for _, end in edges}
    starts = list(first) or [name for name in names if name not in entered] or names[:1]
    ranks = dict.fromkeys(starts, 0)
    queue = list(ranks)
    for name in queue:  # grows while it is read: breadth first
        for other in ahead[name]:
            if other not in ranks:
                ranks[other] = ranks[name] + 1
                queue.append(other)
    for name in names:
        if name not in ranks:
            known = [ranks[other] for other in ahead[name] if other in ranks]
            ranks[name] = max(0, min(known) - 1) if known else 0
    return ranks


def _split(boxes: dict[str, Box], ranks: dict[str, int]) -> list[list[str]]:
    """The layers; one that would be too high becomes several."""
    layers: list[list[str]] = []
    for rank in sorted(set(ranks.values())):
        names = [name for name in boxes if ranks[name] == rank]
        parts = max(1, round(sum(boxes[name].high + GAP for name in names) / TALL + 0.35))
        layers += [part for n in range(parts) if (part := names[n::parts])]
    return layers


def _neighbours(plan: Plan) -> dict[str, list[str]]:
    near: dict[str, list[str]] = {name: [] for name in plan.boxes}
    for (start, end), bends in plan.bends.items():
        for a, b in zip([start, *bends], [*bends, end], strict=True):
            near[a].append(b)
            near[b].append(a)
    return near


def _order(plan: Plan, near: dict[str, list[str]]) -> None:
    """Sort each layer by the mean place of its neighbours, to and fro; keep the order with the fewest crossings."""
    best, fewest = [list(names) for names in plan.layers], plan.crossings()
    for turn in range(ROUNDS):
        layers = plan.layers[1:] if turn % 2 == 0 else plan.layers[-2::-1]
        for names in layers:
            at = {name: (n + 0.5) / len(other) for other in plan.layers for n, name in enumerate(other) if other is not names}
            mean = {}
            for n, name in enumerate(names):
                known = [at[other] for other in near[name] if other in at]
                mean[name] = sum(known) / len(known) if known else (n + 0.5) / len(names)
            names.sort(key=mean.__getitem__)  # stable
        if (count := plan.crossings()) < fewest:
            best, fewest = [list(names) for names in plan.layers], count
    plan.layers[:] = best


def _heights(plan: Plan, near: dict[str, list[str]]) -> None:
    """Draw each box towards the middle of its neighbours, in the order that the layer has."""
    for names in plan.layers:
        _stack(plan, names, dict.fromkeys(names, 0.0))
    for turn in range(ROUNDS):
        for names in plan.layers if turn % 2 == 0 else plan.layers[::-1]:
            wish = {}
            for name in names:
                known = [plan.boxes[other].middle for other in near[name]]
                wish[name] = sum(known) / len(known) if known else plan.boxes[name].middle
            _stack(plan, names, wish)
    top = min(box.y for box in plan.boxes.values())
    for box in plan.boxes.values():
        box.y = round(box.y - top + TOP, 1)
    plan.height = round(max(box.y + box.high for box in plan.boxes.values()) + TOP, 1)


def _stack(plan: Plan, names: list[str], wish: dict[str, float]) -> None:
    """As near to the wished middles as the order and the gaps allow: half way between pushing down and pushing up."""
    down: list[float] = []
    up: list[float] = []
    for name in names:
        box, floor = plan.boxes[name], down[-1] if down else None
        y = wish[name] - box.high / 2
        down.append((y if floor is None else max(y, floor)) + box.high + GAP)
    for name in reversed(names):
        box, roof = plan.boxes[name], up[-1] if up else None
        y = wish[name] - box.high / 2
        up.append(y if roof is None else min(y, roof - box.high - GAP))
    for name, below, above in zip(names, down, reversed(up), strict=True):
        box = plan.boxes[name]
        box.y = (below - box.high - GAP + above) / 2


def _columns(plan: Plan) -> None:
    """From left to right, each layer as wide as its widest node; more layers stand closer."""
    wide = [max([plan.boxes[name].wide for name in names]) for names in plan.layers]
    between = max(72.0, min(190.0, (900 - sum(wide)) / max(1, len(wide) - 1)))
    x = float(SIDE)
    for names, width in zip(plan.layers, wide, strict=True):
        for name in names:
            box = plan.boxes[name]
            if box.wide:
                box.x = round(x + (width - box.wide) / 2, 1)
            else:
                box.x, box.wide = x, width
        x += width + between
    plan.width = round(x - between + SIDE, 1)


def route(plan: Plan, start: str, end: str, heights: tuple[float, float], shift: float) -> list[Point]:
    """The points of an edge from border to border: from one height to another, `shift` pixels beside its fellow."""
    one, two = plan.boxes[start], plan.boxes[end]
    if abs(one.x + one.wide / 2 - two.x - two.wide / 2) < 1:  # the same layer: around the right side
        out = max(one.x + one.wide, two.x + two.wide) + 26 + shift
        return [(one.x + one.wide, heights[0]), (out, heights[0]), (out, heights[1]), (two.x + two.wide, heights[1])]
    ahead = one.x < two.x
    bends = plan.bends.get((start, end)) or plan.bends.get((end, start), [])[::-1]
    points = [(one.x + one.wide if ahead else one.x, heights[0])]
    for name in bends:
        box = plan.boxes[name]
        y = box.middle + shift
        points += _curve(points[-1], (box.x if ahead else box.x + box.wide, y))
        points.append((box.x + box.wide if ahead else box.x, y))
    return points + _curve(points[-1], (two.x if ahead else two.x + two.wide, heights[1]))


def _curve(a: Point, b: Point) -> list[Point]:
    """An S from a to b, level at both ends; without its first point."""
    if abs(a[1] - b[1]) < 1:
        return [b]
    out = []
    for n in range(1, 13):
        t = n / 12
        ease = t * t * (3 - 2 * t)
        out.append((round(a[0] + (b[0] - a[0]) * t, 1), round(a[1] + (b[1] - a[1]) * ease, 1)))
    return out
