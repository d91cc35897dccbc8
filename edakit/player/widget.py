"""The player as a notebook shows it: a widget with one module for the browser, and its twins for where no widget lives."""

import base64
from functools import cached_property
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from edakit.errors import ArgumentError, EmptyTrace
from edakit.player import still, twins
from edakit.player.film import Film
from edakit.plot.style import HasTrace
from edakit.table import number
from edakit.trace import Trace

HERE = Path(__file__).parent


class Player(anywidget.AnyWidget):
    """A run as a film. Space plays and pauses, the arrow keys step, `?` lists the other keys.

    `.t` (virtual seconds) is where it stands: set it to jump. The same film stands still in `.png()`, as a page of its own in
    `.save("film.html")`, as text in `.text()`, and as a Mermaid sequence diagram in `.mermaid()`.
    """

    _esm = (HERE / "player.js").read_text(encoding="utf-8")
    _css = (HERE / "player.css").read_text(encoding="utf-8")
    film = traitlets.Bytes().tag(sync=True)
    t = traitlets.Float(0.0).tag(sync=True)

    def __init__(self, film: Film, t: float = 0.0) -> None:
        self._film = film
        super().__init__(film=film.json().encode(), t=t)

    @cached_property
    def _png(self) -> bytes:
        return still.picture(self._film)

    def png(self) -> bytes:
        """The film in one picture: its timeline where that can be read, else the map with what the end has left."""
        return self._png

    def html(self) -> str:
        """A page that plays the film by itself: no kernel, no network, nothing but this text."""
        return twins.page(self._film.json(), repr(self), self._esm, self._css, self.t)

    def save(self, path: str | Path) -> Path:
        """Write the page of `html()` to a file; return its path."""
        path = Path(path)
        path.write_text(self.html(), encoding="utf-8")
        return path

    def text(self, rows: int = 40) -> str:
        """A table with a sentence for each row, at most so many; the middle is left out."""
        return twins.table(self._film, rows)

    def mermaid(self, messages: int = 60) -> str:
        """A Mermaid sequence diagram of the first so many messages and what befell the nodes between them."""
        return twins.mermaid(self._film, messages)

    def __repr__(self) -> str:
        trace = self._film.trace
        counts = {"nodes": len(self._film.nodes), "events": len(self._film.events), "rows": len(trace)}
        said = ", ".join(f"{number(count)} {name if count != 1 else name[:-1]}" for name, count in counts.items())
        return f"<player: {said}, {number(trace[-1].time, 3)} virtual seconds>"

    def __str__(self) -> str:
        return self.text()

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The widget; where none can live, the picture; where none is drawn, a line."""
        shown = super()._repr_mimebundle_(**kwargs)
        data, more = shown if isinstance(shown, tuple) else (shown or {}, {})
        return {**data, "text/plain": repr(self), "image/png": base64.b64encode(self.png()).decode()}, more


def play(source: Trace | HasTrace, *, t: float = 0.0) -> Player:
    """Show a lab or a trace as a film, from virtual second `t` on: messages on their way, queues, offsets, sagas, crashes.

    It is fed by the trace alone; of a lab, the parts of its wiring that have done nothing yet are shown too. Raises EmptyTrace
    for a run without rows, TypeError for what has no trace, ArgumentError for a `t` that is no time or
    for a part of a trace.
    """
    trace = source if isinstance(source, Trace) else getattr(source, "trace", None)
    if not isinstance(trace, Trace):
        raise TypeError(f"play shows a lab or a trace, not {type(source).__name__}")
    if not len(trace):
        raise EmptyTrace("play has nothing to show: no row has been written yet; publish something and call lab.run()")
    if isinstance(t, bool) or not isinstance(t, (int, float)) or not 0 <= t < float("inf"):
        raise ArgumentError(f"t is {t!r}: give virtual seconds, 0 or more")
    return Player(Film(trace, source), float(t))
