"""How pictures look, in one place: the colours, the sheet, and the Picture that a notebook shows.

The sheet is opaque white, also in a dark notebook. Colours are those of Okabe and Ito without yellow and black; none
of them ever says anything alone: there is always a dash, a shape, a hatch or a word beside it.
"""

import base64
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from edakit.errors import EmptyTrace
from edakit.trace import Trace

BLUE, ORANGE, GREEN, RED, PINK, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
INK, GREY, PALE, FAINT = "#222222", "#767676", "#c8c8c8", "#efefef"

CYCLE = (BLUE, ORANGE, GREEN, RED, PINK, SKY)
DASHES = ("solid", (0, (5, 2)), (0, (1, 1.2)), (0, (6, 2, 1, 2)), (0, (3, 1, 1, 1, 1, 1)), (0, (8, 3)))
MARKERS = ("o", "s", "^", "D", "v", "P")
HATCHES = ("", "///", "...", "\\\\\\", "xx", "oo")

DPI = 100
WIDE = 900  # pixels: the width of a notebook

LOOK: dict[str, Any] = {
    "figure.dpi": DPI,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
    "font.size": 9,
    "hatch.linewidth": 0.6,
    "hatch.color": GREY,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "grid.color": FAINT,
    "text.color": INK,
    "text.parse_math": False,  # a name from an event is a name, not a formula
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
}


class HasTrace(Protocol):
    """A lab, or whatever else keeps a trace."""

    @property
    def trace(self) -> Trace:
        """All that has happened."""


Source = Trace | HasTrace


@contextmanager
def look() -> Iterator[None]:
    """Draw in the kit's look, whatever the reader has set for their own figures."""
    with matplotlib.style.context(["default", LOOK]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a name in another script shows as boxes
        yield


class Picture(Figure):
    """A figure that shows itself once, as PNG, and says in words what it shows: `print(picture)`, or `.twin`.

    An ordinary matplotlib Figure otherwise: `.axes`, `.savefig(...)`.
    """

    def __init__(self, width: int = WIDE, height: int = 300) -> None:
        with look():
            super().__init__(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
        self.twin = ""

    def png(self, *, quick: bool = False) -> bytes:
        """The picture as PNG: the same bytes for the same trace and matplotlib. `quick` packs it less tightly."""
        out = io.BytesIO()
        with look():
            self.savefig(
                out,
                format="png",
                dpi=DPI,
                facecolor="white",
                metadata={"Software": None},
                pil_kwargs={"compress_level": 1 if quick else 6},
            )
        return out.getvalue()

    def _repr_png_(self) -> bytes:
        return self.png()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": self.twin, "image/png": base64.b64encode(self.png()).decode()}

    def __str__(self) -> str:
        return self.twin

    __repr__ = __str__


def plain(width: int = WIDE, height: int = 300) -> tuple[Picture, Axes]:
    """A picture with one ordinary pair of axes. Call it inside `look()`."""
    picture = Picture(width, height)
    left, right, bottom, top = 70, 24, 46, 34
    axes = picture.add_axes((left / width, bottom / height, (width - left - right) / width, (height - bottom - top) / height))
    return picture, axes


def rows_of(source: Any, what: str) -> Trace:
    """The trace of a lab, or the trace itself. Raises EmptyTrace, saying what `what` needs, where there is nothing to
    draw.
    """
    trace = source if isinstance(source, Trace) else getattr(source, "trace", None)
    if not isinstance(trace, Trace):
        raise TypeError(f"plot.{what} draws a lab or a trace, not {type(source).__name__}")
    if not len(trace):
        raise EmptyTrace(f"plot.{what} has nothing to draw: no row has been written yet; publish something and call lab.run()")
    return trace
