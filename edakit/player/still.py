"""The film in one picture, for where no widget lives: a fresh clone, a code host.

A short film is its timeline. A long one is the map of the player with the state that the end has left, and what stood out on the
way. That map is drawn with Pillow: matplotlib needs most of the half second in which a player opens.
"""

import io
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
from PIL import Image, ImageDraw, ImageFont  # comes with matplotlib

from edakit.player.facts import Fact
from edakit.player.film import HEAD, LINE, Film, Node
from edakit.player.layout import Point
from edakit.player.twins import told
from edakit.player.words import MOMENTS, case
from edakit.plot.spacetime import timeline
from edakit.plot.style import BLUE, GREY, INK, PALE, PINK, RED, WIDE
from edakit.plot.wiring import EDGE, FILL
from edakit.table import clean, number

LANES, ARROWS = 12, 120  # that a timeline can carry and stay low, readable and quick
LINES = 12  # sentences under a map
COLORS = 64  # of a picture
FINE = 2  # shapes are drawn so many times larger, and made smaller: smooth edges


def picture(film: Film) -> bytes:
    """PNG: the timeline of a short film, the map of a long one. The same bytes for the same trace and libraries."""
    if 0 < len(film.told.kinds) <= LANES and 0 < len(film.told.arrows) <= ARROWS:
        return _packed(Image.open(io.BytesIO(timeline(film.trace).png(quick=True))).convert("RGB"))
    return _packed(_map(film))


def _packed(image: Image.Image) -> bytes:
    """As PNG with at most so many colours: a third of the size, and no difference to the eye."""
    out = io.BytesIO()
    few = image.quantize(COLORS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    palette, paper = few.getpalette() or [], few.getpixel((0, 0))
    assert isinstance(paper, int)
    palette[3 * paper : 3 * paper + 3] = [255, 255, 255]  # the mean of what is nearly white is not white
    few.putpalette(palette)
    few.save(out, format="png")
    return out.getvalue()


class _Sheet:
    """Shapes first, then text; in the units of the film, which `scale` makes fit."""

    def __init__(self, height: float, scale: float) -> None:
        self.size, self.scale = (WIDE, round(height)), scale
        self.image = Image.new("RGB", (WIDE * FINE, round(height) * FINE), "white")
        self.brush = ImageDraw.Draw(self.image)
        self.texts: list[tuple[float, float, str, str, int, bool, str]] = []

    def at(self, point: Point) -> Point:
        return point[0] * self.scale * FINE, point[1] * self.scale * FINE

    def line(self, points: list[Point], color: str, dash: tuple[int, int] | None = None) -> None:
        """A line through points; with a dash, so many pixels on and off."""
        spots = [self.at(point) for point in points]
        if dash is None:
            self.brush.line(spots, color, 2 * FINE - 1, joint="curve")
            return
        gone = 0.0
        for (ax, ay), (bx, by) in pairwise(spots):
            far = max(1e-6, ((bx - ax) ** 2 + (by - ay) ** 2) ** 0.5)
            done = 0.0
            while done < far:
                on, place = dash[0] * FINE, gone % (sum(dash) * FINE)
                step = min(far - done, (on if place < on else sum(dash) * FINE) - place + 1e-6)
                if place < on:
                    ends = [(ax + (bx - ax) * part / far, ay + (by - ay) * part / far) for part in (done, done + step)]
                    self.brush.line(ends, color, 2 * FINE - 1)
                done, gone = done + step, gone + step

    def tip(self, tail: Point, head: Point, color: str) -> None:
        """The point of an arrow."""
        (ax, ay), (bx, by) = self.at(tail), self.at(head)
        far = max(1e-6, ((bx - ax) ** 2 + (by - ay) ** 2) ** 0.5)
        dx, dy, long, half = (bx - ax) / far, (by - ay) / far, 7 * FINE, 3 * FINE
        neck = (bx - dx * long, by - dy * long)
        self.brush.polygon(
            [(bx, by), (neck[0] - dy * half, neck[1] + dx * half), (neck[0] + dy * half, neck[1] - dx * half)], color
        )

    def card(self, box: tuple[float, float, float, float], fill: str, edge: str, round_: float) -> None:
        """A box with round corners."""
        left, top, right, bottom = box
        corners = (*self.at((left, top)), *self.at((right, bottom)))
        self.brush.rounded_rectangle(corners, round_ * self.scale * FINE, fill, edge, 3 * FINE // 2)

    def text(self, x: float, y: float, text: str, color: str = INK, size: int = 11, *, bold: bool = False, to: str = "l") -> None:
        """One line; `to` is l or r: the end that stands at x. In pixels of the picture."""
        self.texts.append((x, y, text, color, size, bold, to))

    def done(self) -> Image.Image:
        """The picture."""
        image = self.image.resize(self.size, Image.Resampling.BOX)
        brush = ImageDraw.Draw(image)
        for x, y, text, color, size, bold, to in self.texts:
            brush.text((x, y), text, color, _font(size, bold=bold), anchor=f"{to}m")
        return image


@lru_cache
def _font(size: int, *, bold: bool) -> Any:
    """DejaVu Sans as matplotlib brings it: the same on every machine."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    path = Path(mpl.get_data_path()) / "fonts" / "ttf" / name
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)


def _fitting(text: str, room: float, size: int, *, bold: bool = False) -> str:
    """As much of a text as there is room for."""
    font = _font(size, bold=bold)
    if font.getlength(text) <= room:
        return text
    while text and font.getlength(text + "...") > room:
        text = text[:-1]
    return text + "..."


def _map(film: Film) -> Image.Image:
    """The cards and edges of the player, with the state after the last row and the moments that stand out."""
    plan, lines = film.plan, _headlines(film)
    scale = min(1.0, WIDE / plan.width)
    sheet = _Sheet(plan.height * scale + 30 + 18 * len(lines), scale)
    for edge in film.edges:
        color, dash = {"call": (PINK, (2, 3)), "store": (GREY, (6, 4))}.get(edge.kind, (BLUE, None))
        sheet.line(edge.points, color, dash)
        if edge.kind != "store":
            sheet.tip(edge.points[-2], edge.points[-1], color)
    last = film.ledger.after(len(film.trace))
    size = max(8, round(12 * scale))
    for node in film.nodes.values():
        _draw(sheet, film, node, last, size)
    y = plan.height * scale + 8
    sheet.line([(14 / scale, (y - 6) / scale), ((WIDE - 14) / scale, (y - 6) / scale)], PALE)
    counts = f"{len(film.events):,} events, {len(film.trace):,} rows, {number(film.trace[-1].time, 3)} virtual seconds"
    sheet.text(14, y + 8, f"{counts}; shown is what the end has left", GREY)
    for n, (time, text) in enumerate(lines, 1):
        sheet.text(76, y + 8 + 18 * n, time, GREY, to="r")
        sheet.text(88, y + 8 + 18 * n, _fitting(text, WIDE - 100, 11))
    return sheet.done()


def _draw(sheet: _Sheet, film: Film, node: Node, last: dict[Fact, Any], size: int) -> None:
    """One card with its lines."""
    box, scale = film.plan.boxes[node.name], sheet.scale
    fill, edge = FILL.get(node.kind, "#ffffff"), EDGE.get(node.kind, INK)
    sheet.card((box.x, box.y, box.x + box.wide, box.y + box.high), fill, edge, 14 if node.kind in ("client", "database") else 5)
    left, right = (box.x + 9) * scale, (box.x + box.wide - 9) * scale
    said = node.kind
    if node.kind in ("service", "server", "saga") and not node.lines:
        said = "crashed" if ("down", node.name) in last else "up"
    room = right - left
    if node.kind != "client":
        sheet.text(right, (box.y + HEAD / 2) * scale, said, RED if said == "crashed" else GREY, size - 1, to="r")
        room -= _font(size - 1, bold=False).getlength(said) + 6
    name = _fitting(clean(node.name), room, size + 1, bold=True)
    sheet.text(left, (box.y + HEAD / 2) * scale, name, INK, size + 1, bold=True)
    for n, line in enumerate(node.lines):
        text = _line(node, line, n, last)
        color = RED if "dead" in text or "crashed" in text else INK
        sheet.text(left, (box.y + HEAD + LINE * (n + 0.5)) * scale, _fitting(text, right - left, size - 1), color, size - 1)


def _headlines(film: Film) -> list[tuple[str, str]]:
    """The rows that stand out, the first of each sort; of a run without any, its beginning."""
    seen: dict[str, list[int]] = {}
    for n, row in enumerate(film.trace):
        said = case(row, again=n in film.ledger.again)
        if said in MOMENTS:
            seen.setdefault(said, []).append(n)
    each = max(1, LINES // max(1, len(seen)))
    chosen = sorted(n for rows in seen.values() for n in rows[:each])[:LINES] or range(min(LINES, len(film.trace)))
    lines = [told(film, n)[1:] for n in chosen]
    if seen:
        lines.append(("in all", ", ".join(f"{MOMENTS[said]} {len(rows):,}" for said, rows in seen.items())))
    return lines


def _line(node: Node, line: str, n: int, facts: dict[Fact, Any]) -> str:
    """One line of a card, from the facts."""
    if node.kind == "broker" and ("queue", line) in facts:
        ready, out, dead, _ = facts["queue", line]
        return f"{clean(line.rpartition('/')[2], 16)}: {ready:,} + {out:,}" + (f", {dead:,} dead" if dead else "")
    if node.kind == "stream":
        return f"{clean(line.rpartition('/')[2], 16)}: {facts.get(('log', line), 0):,} records"
    if node.kind == "database":
        _, shown = facts.get(("database", node.name), [0, []])
        return f"{shown[n][0]}: {shown[n][1]}" if n < len(shown) else ""
    if node.kind in ("service", "server", "saga"):
        return f"{clean(line, 16)}: {'crashed' if ('down', line) in facts else 'up'}"
    return clean(line, 24)
