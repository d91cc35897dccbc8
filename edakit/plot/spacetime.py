"""The space-time diagram: a lane per node, time to the right, a message is a slanted arrow, a handler at work is a
bar.
"""

from collections.abc import Callable, Sequence

from edakit.errors import ArgumentError, EmptyTrace
from edakit.measure import is_moment
from edakit.plot.canvas import Box, Canvas, Point, apart, fitting, wide
from edakit.plot.clock import Scale, axis, round_step
from edakit.plot.scene import Arrow, Bar, Scene, scene
from edakit.plot.style import BLUE, FAINT, GREEN, GREY, INK, ORANGE, PALE, PINK, RED, SKY, Picture, Source, rows_of
from edakit.table import clean, number
from edakit.trace import Row, Trace
from edakit.units import SECOND, nanoseconds

LEFT, RIGHT, TOP, BOTTOM = 118, 26, 40, 42  # pixels around the lanes
FULL = 60  # arrows beyond which they are thin and unlabelled
WORDS = 40  # lines of the text twin

STROKES = {  # kind of arrow: colour, width, dash
    "event": (BLUE, 1.5, "solid"),
    "receipt": (GREY, 0.9, (0, (4, 2.5))),
    "refusal": (RED, 0.9, (0, (4, 2.5))),
    "gone": (RED, 0.9, (0, (1, 2))),
    "call": (PINK, 1.4, (0, (1, 1.2))),
    "reply": (PINK, 1.0, (0, (5, 1.5, 1, 1.5))),
}
NAMES = {
    "event": "event",
    "receipt": "ack",
    "refusal": "nack",
    "gone": "connection lost",
    "call": "request",
    "reply": "reply",
}
GLYPHS = {
    "crash": ("bolt", RED),
    "restart": ("up", GREEN),
    "dead": ("square", RED),
    "timeout": ("glass", ORANGE),
    "log": ("diamond", INK),
}
BARS = {"done": (SKY, ""), "failed": (RED, "xxx"), "cut": ("#f0a36b", "///"), "open": ("#d9ecf7", "...")}
MARKS = {"dead": "dead letter"}
BAR_NAMES = {"done": "handler at work", "failed": "handler failed", "cut": "work cut off", "open": "still at work"}


def timeline(
    *sources: Source,
    titles: Sequence[str] = (),
    mark: str | None = None,
    scale: Scale | None = None,
    until: float = 0,
) -> Picture:
    """Draw who sent what to whom, and who worked when; several runs one above the other over the same time.

    `mark` draws a thick line at the first such moment: an event type, the note of a `log` row, or "reply". `scale` is
    "time" (true, the choice for several runs), "readable" (true, but gaps too short to see are widened: the choice for
    one) or "events" (every instant equally far from the next). `until` (virtual seconds) is how far time reaches at least:
    pictures that are compared, as in a panel, need the same. Raises EmptyTrace for a run without rows, ArgumentError
    for a scale or moment that is not there.
    """
    if not sources:
        raise ArgumentError("plot.timeline needs a lab or a trace: plot.timeline(lab)")
    traces = [rows_of(source, "timeline") for source in sources]
    scale = scale or ("readable" if len(traces) == 1 else "time")
    if scale not in ("readable", "time", "events"):
        raise ArgumentError(f'scale is {scale!r}: give "readable", "time" or "events"')
    moments = [_moment(trace, mark) for trace in traces]
    if mark is not None and not any(moments):
        raise ArgumentError(f"no moment {mark!r} to mark: give an event type, the note of a log row, or 'reply'")
    scenes = [scene(trace) for trace in traces]
    if not all(told.kinds for told in scenes):
        raise EmptyTrace("plot.timeline draws messages and work, and these rows have none: give it more of the trace")
    order = _lanes(scenes)
    sheet = _Sheet(scenes, order, scale, [*titles, *[""] * len(traces)][: len(traces)], nanoseconds(until, "until"))
    for n, told in enumerate(scenes):
        sheet.draw(n, told, moments[n], mark or "")
    return sheet.canvas.picture("\n\n".join(_twin(*each) for each in zip(scenes, order, sheet.titles, moments, strict=True)))


def _moment(trace: Trace, mark: str | None) -> Row | None:
    return None if mark is None else next((row for row in trace if is_moment(row, mark)), None)


def _lanes(scenes: list[Scene]) -> list[list[str]]:
    """The lanes of each run: clients, brokers, then the rest, as they appear; in every run in the same order.

    Appearance follows causes, so that a story reads downwards; an order by fewest crossings would put the broker in
    the middle.
    """
    kinds: dict[str, str] = {}
    for told in scenes:
        kinds.update({name: kind for name, kind in told.kinds.items() if name not in kinds or kind == "client"})
    rank = {"client": 0, "broker": 1, "stream": 1}
    order = sorted(kinds, key=lambda name: rank.get(kinds[name], 2))  # stable: ties stay in order of appearance
    lanes = [[name for name in order if name in told.kinds] for told in scenes]
    return [_siblings(names) for names in lanes]


def _siblings(names: list[str]) -> list[str]:
    """The instances of a service stand together, in the order of their numbers."""
    heads: dict[str, list[str]] = {}
    for name in names:
        stem, dot, digits = name.rpartition(".")
        heads.setdefault(stem if dot and digits.isdigit() else name, []).append(name)
    return [name for group in heads.values() for name in sorted(group, key=lambda name: (len(name), name))]


class _Sheet:
    """One canvas with the lanes of every run."""

    def __init__(self, scenes: list[Scene], order: list[list[str]], scale: Scale, titles: list[str], until: int) -> None:
        count = sum(map(len, order))
        self.pitch = 56 if count <= 6 else 46 if count <= 9 else max(16, 420 // count)
        self.small = sum(len(told.arrows) for told in scenes) <= FULL
        self.titles, self.scale, self.order = titles, scale, order
        heights = [self.pitch * len(names) + (26 if any(titles) else 4) for names in order]
        self.tops = [TOP + sum(heights[:n]) + (26 if any(titles) else 4) for n in range(len(order))]
        self.canvas = Canvas(height=TOP + sum(heights) + BOTTOM)
        self.floor = self.canvas.height - BOTTOM
        self.times = sorted({until, *(ns for told in scenes for ns in told.instants())})
        place = axis(self.times, scale, self.canvas.width - LEFT - RIGHT)
        self.x: Callable[[int], float] = lambda ns: LEFT + place(ns)
        self.taken: list[Box] = []  # what a label must not lie on
        self.used: dict[str, None] = {}
        self._ticks()

    def _ticks(self) -> None:
        """The time axis; on a widened axis a tick stands at an instant, where there is room."""
        last = self.times[-1]
        if self.scale == "time":
            step = round_step(last / SECOND / 6)
            ticks = [round(n * step * SECOND) for n in range(int(last / SECOND / step + 1e-9) + 1)]
            spots = [(LEFT + ns / (last or 1) * (self.canvas.width - LEFT - RIGHT), ns) for ns in ticks]
        else:
            spots = [(self.x(ns), ns) for ns in self.times]
        free = 0.0
        for x, ns in spots:
            text = number(ns / SECOND, 3) if self.scale != "time" else f"{ns / SECOND:g}"
            if x - wide(text) / 2 >= free:
                self.canvas.line([(x, TOP), (x, self.floor)], FAINT, 0.8, layer=0)
                self.canvas.line([(x, self.floor), (x, self.floor + 4)], GREY, 0.8)
                self.canvas.text(x, self.floor + 11, text, GREY, 7.5, ha="center")
                free = x + wide(text) / 2 + 4
        label = {"time": "virtual seconds", "events": "virtual seconds (one step per instant, not to scale)"}
        self.canvas.line([(LEFT, self.floor), (self.canvas.width - RIGHT, self.floor)], GREY, 0.8)
        self.canvas.text(
            self.canvas.width - RIGHT,
            self.floor + 28,
            label.get(self.scale, "virtual seconds (short gaps widened)"),
            GREY,
            8,
            ha="right",
        )

    def draw(self, n: int, told: Scene, moment: Row | None, mark: str) -> None:
        y = {name: self.tops[n] + self.pitch * (k + 0.5) for k, name in enumerate(self.order[n])}
        end = self.canvas.width - RIGHT
        if self.titles[n]:
            self.canvas.text(12, self.tops[n] - 8, self.titles[n], size=10, weight="bold")
        for name, level in y.items():
            self.canvas.line([(LEFT, level), (end, level)], PALE, 1, layer=1)
            if self.pitch >= 14:
                size = fitting(clean(name, 20), LEFT - 16)
                self.canvas.text(LEFT - 10, level, name, size=size, ha="right", most=20, weight="bold")
        for who, start, stop in told.down:
            self.used["down"] = None
            self.canvas.box((self.x(start), y[who] - 9, self.x(stop), y[who] + 9), "#fbe9e0", "none", "////", layer=1.5)
        self._bars(told.bars, y)
        labels = _labels(told)
        for arrow in told.arrows:
            if self.small or arrow.kind != "receipt":
                self._arrow(arrow, y)
        for one in told.marks:
            if one.kind != "log" or self.small:
                glyph, color = GLYPHS[one.kind]
                self.canvas.glyph(glyph, self.x(one.ns), y[one.who], color, 10 if one.kind == "crash" else 7)
                self.used[one.kind] = None
                self.taken.append(_around(self.x(one.ns), y[one.who], 8))
        if moment is not None:
            self._line(n, moment, mark)
        if self.small:
            self._write(told, y, labels)
        if n == len(self.order) - 1:
            self._legend()

    def _bars(self, bars: list[Bar], y: dict[str, float]) -> None:
        """Bars of one lane that overlap share its height."""
        tracks: dict[str, list[int]] = {}
        placed = []
        for bar in sorted(bars, key=lambda bar: (bar.start, bar.end)):
            ends = tracks.setdefault(bar.who, [])
            track = next((k for k, end in enumerate(ends) if end <= bar.start), len(ends))
            ends[track : track + 1] = [bar.end]
            placed.append((bar, track))
        for bar, track in placed:
            high = 15 if self.pitch >= 40 else self.pitch * 0.4
            deep = high / len(tracks[bar.who])
            top = y[bar.who] - high / 2 + deep * track
            fill, hatch = BARS[bar.how]
            box = (self.x(bar.start), top, max(self.x(bar.end), self.x(bar.start) + 1), top + deep)
            edge = GREY if deep > 4 and self.small else "none"
            self.canvas.box(box, fill if bar.how != "failed" else "#f6c9ad", edge, hatch if self.small else "", 0.7, layer=2)
            self.used[bar.how] = None
            self.taken.append(box)

    def _arrow(self, arrow: Arrow, y: dict[str, float]) -> None:
        color, width, dash = STROKES[arrow.kind]
        if arrow.again:
            color = ORANGE
            self.used["again"] = None
        tail = (self.x(arrow.left), y[arrow.source])
        head = (self.x(arrow.came), y[arrow.target])
        size = (6.0 if arrow.kind in ("event", "call") else 4.5) if self.small else 0.0
        if not self.small:
            width, dash = 0.5, dash if arrow.kind != "event" else "solid"
        if arrow.lost:
            head = ((tail[0] + head[0]) / 2, (tail[1] + head[1]) / 2)
            size = 0
            self.canvas.glyph("cross", *head, RED, 6)
            self.used["lost"] = None
            self.taken.append(_around(*head, 7))
        self.canvas.arrow(tail, head, color, width, dash, size)
        if arrow.kind == "event" and self.small and not arrow.again:
            self.canvas.glyph("dot", *tail, color, 6, layer=4)
        self.used[arrow.kind] = None
        for part in (0.15, 0.3, 0.5, 0.7, 0.85):
            self.taken.append(_around(tail[0] + (head[0] - tail[0]) * part, tail[1] + (head[1] - tail[1]) * part, 3))

    def _write(self, told: Scene, y: dict[str, float], labels: list[tuple[Arrow, str, str]]) -> None:
        """Put each label beside its arrow where it lies on nothing; one that finds no room is left out."""
        for arrow, text, color in labels:
            (x0, y0), (x1, y1) = (self.x(arrow.left), y[arrow.source]), (self.x(arrow.came), y[arrow.target])
            beside = [(x0 + (x1 - x0) * part, y0 + (y1 - y0) * part) for part in (0.5, 0.35, 0.65, 0.2, 0.8)]
            self._place(text, beside, [(x0, y0 + 17), (x0, y0 - 17)], color)
        for one in told.marks:
            if one.kind == "log":
                at = (self.x(one.ns), y[one.who])
                self._place(one.note, [], [(at[0], at[1] - 15), (at[0], at[1] + 15)], INK)

    def _place(self, text: str, beside: list[Point], across: list[Point], color: str) -> None:
        """Try left and right of some points, then the middle, left and right over others."""
        text = clean(text, 28)
        long = wide(text, 7.5)
        spots = [(x + side, y) for x, y in beside for side in (6, -6 - long)]
        spots += [(x + side, y) for x, y in across for side in (-long / 2, -long + 8, -8)]
        for left, y in spots:
            box = (left - 1, y - 6, left + long + 1, y + 6)
            if box[0] > LEFT - 6 and box[2] < self.canvas.width - 4 and all(apart(box, other) for other in self.taken):
                self.canvas.text(left, y, text, color, 7.5, ground="white", most=28)
                self.taken.append(box)
                return

    def _line(self, n: int, moment: Row, mark: str) -> None:
        """The thick line of the marked moment through one run."""
        x = (
            self.x(moment.ns)
            if moment.ns in self.times
            else LEFT + moment.ns / (self.times[-1] or 1) * (self.canvas.width - LEFT - RIGHT)
        )
        top, bottom = self.tops[n], self.tops[n] + self.pitch * len(self.order[n])
        self.canvas.line([(x, top - 2), (x, bottom)], INK, 3.5, layer=5)
        text = f"{mark}: {number(moment.time, 3)} s"
        late = x + wide(text, 9) > self.canvas.width - 10
        box = (x - wide(text, 9) if late else x, top - 16, x if late else x + wide(text, 9), top)
        self.taken.append((x - 3, top, x + 3, bottom))
        self.taken.append(box)
        self.canvas.text(
            x - 6 if late else x + 6,
            top - 8,
            text,
            size=9,
            weight="bold",
            ha="right" if late else "left",
            ground="white",
        )

    def _legend(self) -> None:
        """Only the marks that are there, in two lines if one is too short."""
        x, y = 14.0, 18.0
        for kind in [*STROKES, "again", "lost", *BARS, "down", *GLYPHS]:
            if kind not in self.used:
                continue
            if x + 32 + wide(self._name(kind)) > self.canvas.width - 4:
                x, y = 14.0, 33.0
            x = self._entry(kind, x, y)
        if not self.small:
            self.canvas.text(x + 6, y, "(acks left out)", GREY)

    def _name(self, kind: str) -> str:
        """What the legend calls a mark."""
        again = "delivered again" if "reply" not in self.used else "again"
        return {"again": again, "lost": "lost", "down": "down", "dead": "dead letter", **NAMES, **BAR_NAMES}.get(kind, kind)

    def _entry(self, kind: str, x: float, y: float) -> float:
        name = self._name(kind)
        if kind in STROKES or kind == "again":
            color, width, dash = STROKES.get(kind, (ORANGE, 1.5, "solid"))
            self.canvas.arrow((x, y), (x + 26, y), color, width, dash, 6 if self.small else 0, layer=6)
            if kind == "event" and self.small:
                self.canvas.glyph("dot", x, y, color, 6)
            x += 32
        elif kind in BARS or kind == "down":
            fill, hatch = BARS.get(kind, ("#fbe9e0", "////"))
            self.canvas.box((x, y - 6, x + 22, y + 6), "#f6c9ad" if kind == "failed" else fill, GREY, hatch, 0.7)
            x += 28
        else:
            glyph, color = GLYPHS.get(kind, ("cross", RED))
            self.canvas.glyph(glyph, x + 6, y, color, 8 if kind == "crash" else 6)
            x += 17
        self.canvas.text(x, y, name, size=8)
        return x + wide(name) + 12


def _labels(told: Scene) -> list[tuple[Arrow, str, str]]:
    """What is written beside arrows: the type where an event or request sets out, `again`, and what an answer says."""
    keys = {arrow.event.key for arrow in told.arrows if arrow.event}
    found = []
    for arrow in told.arrows:
        name = ""
        if arrow.event is not None:
            name = arrow.event.type if len(keys) < 2 or arrow.event.key is None else f"{arrow.event.type} {arrow.event.key}"
        if arrow.again:
            found.append((arrow, "again" if arrow.kind != "event" else "redelivered", "#9a6a00"))
        elif arrow.kind == "reply" and arrow.note:
            found.append((arrow, arrow.note, RED))
        elif arrow.kind == "call" or (arrow.kind == "event" and told.kinds.get(arrow.source) not in ("broker", "stream")):
            found.append((arrow, name, INK))
    return found


def _around(x: float, y: float, size: float) -> Box:
    return (x - size, y - size, x + size, y + size)


def _twin(told: Scene, lanes: list[str], title: str, moment: Row | None) -> str:
    """The diagram in words: one line for each message, bar and mark, in order of time."""
    lines = [(arrow.left, _tell(arrow)) for arrow in told.arrows]
    lines += [(bar.start, f"{bar.who}  {BAR_NAMES[bar.how]} until {number(bar.end / SECOND, 3)}") for bar in told.bars]
    lines += [(each.ns, f"{each.who}  {MARKS.get(each.kind, each.kind)} {each.note}".rstrip()) for each in told.marks]
    lines.sort(key=lambda line: line[0])
    shown = lines if len(lines) <= WORDS else [*lines[: WORDS // 2], *lines[-WORDS // 2 :]]
    texts = [f"{number(ns / SECOND, 3):>9}  {clean(text, 110)}" for ns, text in shown]
    if len(shown) < len(lines):
        texts.insert(WORDS // 2, f"      ...  {len(lines) - len(shown):,} more")
    head = f"{title}: " if title else ""
    tail = [f"marked: {number(moment.time, 3)} s"] if moment else []
    return "\n".join([f"{head}lanes {clean(', '.join(lanes), 110)}", *texts, *tail])


def _tell(arrow: Arrow) -> str:
    """An arrow in words."""
    what = arrow.event.id if arrow.event else ""
    more = [(arrow.again, "again"), (arrow.lost, "lost"), (arrow.note, f"says {arrow.note}")]
    extra = ", ".join(text for said, text in more if said)
    return f"{arrow.source} -> {arrow.target}  {NAMES[arrow.kind]} {what}{f', {extra}' if extra else ''}"
