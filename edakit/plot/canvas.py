"""A white sheet measured in pixels, for pictures made of boxes and arrows.

Strokes are collected and handed to matplotlib in a few big pieces, so that a thousand arrows take no longer than ten.
y grows downwards, as on a screen.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from matplotlib.collections import PolyCollection
from matplotlib.font_manager import FontProperties
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.textpath import TextToPath

from edakit.plot.style import DPI, INK, WIDE, Picture, look
from edakit.table import clean

Point = tuple[float, float]
Box = tuple[float, float, float, float]  # left, top, right, bottom

RULER = TextToPath()

GLYPHS: dict[str, tuple[Point, ...]] = {  # outlines in a square from -1 to 1
    "bolt": ((0.35, -1), (-0.6, 0.15), (-0.05, 0.15), (-0.35, 1), (0.6, -0.2), (0.05, -0.2)),
    "up": ((-0.8, 0.7), (0.8, 0.7), (0, -0.8)),
    "glass": ((-0.7, -0.9), (0.7, -0.9), (-0.7, 0.9), (0.7, 0.9)),
    "square": ((-0.75, -0.75), (0.75, -0.75), (0.75, 0.75), (-0.75, 0.75)),
    "diamond": ((0, -0.9), (0.8, 0), (0, 0.9), (-0.8, 0)),
    "dot": tuple((0.55 * math.cos(n * math.pi / 8), 0.55 * math.sin(n * math.pi / 8)) for n in range(16)),
    "cross": (
        (-0.8, -0.45),
        (-0.45, -0.8),
        (0, -0.35),
        (0.45, -0.8),
        (0.8, -0.45),
        (0.35, 0),
        (0.8, 0.45),
        (0.45, 0.8),
        (0, 0.35),
        (-0.45, 0.8),
        (-0.8, 0.45),
        (-0.35, 0),
    ),
}


class Canvas:
    """Collect strokes, then ask for the `picture`. `layer` decides what lies above what."""

    def __init__(self, width: int = WIDE, height: int = 300) -> None:
        self.width, self.height = width, height
        self._lines: dict[tuple[Any, ...], list[list[Point]]] = {}
        self._shapes: dict[tuple[Any, ...], list[Sequence[Point]]] = {}
        self._texts: list[dict[str, Any]] = []

    def line(self, points: list[Point], color: str, width: float = 1, dash: Any = "solid", layer: float = 1) -> None:
        """Draw a line through points."""
        self._lines.setdefault((layer, color, width, dash), []).append(points)

    def shape(
        self,
        points: Sequence[Point],
        fill: str,
        edge: str = "none",
        hatch: str = "",
        width: float = 1,
        layer: float = 2,
    ) -> None:
        """Draw a closed outline."""
        self._shapes.setdefault((layer, fill, edge, hatch, width), []).append(points)

    def box(self, box: Box, fill: str, edge: str = "none", hatch: str = "", width: float = 1, layer: float = 2) -> None:
        """Draw a box with upright sides."""
        left, top, right, bottom = box
        self.shape([(left, top), (right, top), (right, bottom), (left, bottom)], fill, edge, hatch, width, layer)

    def glyph(self, name: str, x: float, y: float, color: str, size: float = 6, layer: float = 6) -> None:
        """Draw one of GLYPHS around a point."""
        self.shape([(x + size * dx, y + size * dy) for dx, dy in GLYPHS[name]], color, "white", "", 0.6, layer)

    def arrow(
        self,
        tail: Point,
        head: Point,
        color: str,
        width: float = 1.2,
        dash: Any = "solid",
        size: float = 6,
        layer: float = 3,
    ) -> None:
        """A straight arrow; its point is exactly at `head`."""
        (x0, y0), (x1, y1) = tail, head
        length = math.hypot(x1 - x0, y1 - y0) or 1.0
        dx, dy = (x1 - x0) / length, (y1 - y0) / length
        neck = (x1 - dx * size * 1.4, y1 - dy * size * 1.4)
        self.line([tail, neck if size else head], color, width, dash, layer)
        if size:
            side = size * 0.55
            points = [head, (neck[0] - dy * side, neck[1] + dx * side), (neck[0] + dy * side, neck[1] - dx * side)]
            self.shape(points, color, "none", "", 0, layer)

    def text(
        self,
        x: float,
        y: float,
        string: object,
        color: str = INK,
        size: float = 8,
        ha: str = "left",
        va: str = "center",
        weight: str = "normal",
        ground: str | None = None,
        most: int = 40,
        turn: float = 0,
        layer: float = 7,
    ) -> None:
        """Write one short line; `ground` lays a patch of that colour under it; `turn` (degrees) tilts it upwards."""
        style: dict[str, Any] = {
            "color": color,
            "fontsize": size,
            "ha": ha,
            "va": va,
            "weight": weight,
            "zorder": layer,
        }
        if turn:
            style |= {"rotation": turn, "rotation_mode": "anchor"}
        if ground:
            style["bbox"] = {"facecolor": ground, "edgecolor": "none", "pad": 0.6, "alpha": 0.85}
        self._texts.append({"x": x, "y": y, "s": clean(string, most), **style})

    def picture(self, twin: str) -> Picture:
        """Draw all strokes, and say in words (`twin`) what they show."""
        with look():
            picture = Picture(self.width, self.height)
            axes = picture.add_axes((0, 0, 1, 1))
            axes.set_axis_off()
            axes.set_xlim(0, self.width)
            axes.set_ylim(self.height, 0)
            for (layer, color, width, dash), lines in self._lines.items():
                codes = [Path.MOVETO if n == 0 else Path.LINETO for line in lines for n in range(len(line))]
                path = Path([point for line in lines for point in line], codes)
                stroke = {"edgecolor": color, "linewidth": width, "linestyle": dash, "zorder": layer}
                axes.add_artist(PathPatch(path, fill=False, capstyle="butt", **stroke))
            for (layer, fill, edge, hatch, width), shapes in self._shapes.items():
                colors = {"facecolors": fill, "edgecolors": edge, "linewidths": width, "zorder": layer}
                axes.add_collection(PolyCollection(shapes, hatch=hatch or None, **colors), autolim=False)
            for text in self._texts:
                axes.text(**text, parse_math=False)
        picture.twin = twin
        return picture


def wide(text: str, size: float = 8) -> float:
    """About how many pixels a line of text takes."""
    return sum(map(_advance, text)) * size * DPI / 72


@lru_cache(4000)
def _advance(char: str) -> float:
    """The width of one character, in its own size."""
    with look():
        font = FontProperties(family="DejaVu Sans", size=100)
        across, _, _ = RULER.get_text_width_height_descent(char, font, ismath=False)
    return float(across) / 100


def fitting(text: str, room: float, size: float = 9) -> float:
    """The size at which a name fits, not below 6."""
    return max(6.0, min(size, size * room / max(1.0, wide(text, size) * 1.12)))


def apart(one: Box, other: Box) -> bool:
    """Whether two boxes do not touch."""
    return one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
