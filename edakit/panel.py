"""Controls that run a scenario again and redraw its picture: one slider, list or box for each knob.

    panel(shop_system, pay=(0.05, 2.0, 0.2, "s"), instances=(1, 4), crash=[None, 0.1, 0.25], fast=True)

Its twin without controls is `run(shop_system, seed=42, pay=0.2, instances=1, crash=None, fast=True)`.
"""

import base64
import html
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from edakit.errors import ArgumentError, EdakitError
from edakit.sim.lab import Lab
from edakit.sim.scenario import run
from edakit.table import clean, number

BIG = 10_000  # rows of a trace from which on a slider waits until it is let go


class Knob(NamedTuple):
    """One control: how it is turned, where it starts, what may be chosen."""

    kind: str  # slider, list or box
    start: Any
    low: float = 0
    high: float = 0
    step: float = 1
    choices: tuple[Any, ...] = ()
    unit: str = ""

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        if self.kind == "slider":
            return f"{number(self.low)} to {number(self.high)}{unit}, now {number(self.start)}"
        if self.kind == "list":
            return f"one of {', '.join(clean(choice, 20) for choice in self.choices)}{unit}"
        return "yes" if self.start else "no"


class Panel:
    """What `panel` returns: `.values`, `.lab` and `.picture` as they are now; `.set(name=value)` turns knobs in
    code.
    """

    def __init__(
        self, build: Callable[..., Any], show: Callable[[Lab], Any], knobs: dict[str, Knob], fixed: dict[str, Any]
    ) -> None:
        self._build, self._show, self._knobs, self._fixed = build, show, knobs, fixed
        self._turning = False
        self.values: dict[str, Any] = {name: knob.start for name, knob in knobs.items()}
        self.lab: Lab | None = None
        self.picture: Any = None
        self.message = ""
        self._make_widgets(_widgets(build))
        self._redraw()
        for name, control in self._controls.items():
            if hasattr(control, "continuous_update"):
                control.continuous_update = self.lab is not None and len(self.lab.trace) < BIG
            control.observe(lambda change, name=name: self._turned(name, change["new"]), names="value")

    def set(self, **values: Any) -> "Panel":
        """Turn knobs in code, all at once. Raises ArgumentError for a knob that is not there or a value it does not
        have.
        """
        for name, value in values.items():
            _check(self._knobs, name, value)
        self._turning = True
        try:
            for name, value in values.items():
                self._controls[name].value = value
        finally:
            self._turning = False
        self.values.update(values)
        self._redraw()
        return self

    def reset(self) -> "Panel":
        """Every knob back to where it started."""
        return self.set(**{name: knob.start for name, knob in self._knobs.items()})

    def _turned(self, name: str, value: Any) -> None:
        if not self._turning:
            self.values[name] = round(value, 9) if isinstance(value, float) else value
            self._redraw()

    def _redraw(self) -> None:
        """Run and draw; what goes wrong is said in the panel, and the last picture stays."""
        try:
            self.lab = run(self._build, **self._fixed, **self.values)
            self.picture = self._show(self.lab)
            self.message = ""
        except Exception as error:  # noqa: BLE001  a knob turned too far is for the learner to read, not a stack
            kind = "" if isinstance(error, EdakitError) else f"{type(error).__name__}: "
            self.message = clean(f"{kind}{error}", 300)
        if self.picture is not None and not self.message:
            self._put()
        said = "; ".join(f"{name} {_said(self.values[name], knob)}" for name, knob in self._knobs.items())
        self._line.value = f"{'⚠ ' + self.message if self.message else said}"

    def _put(self) -> None:
        """Show what `show` has returned: a picture, or anything else as text."""
        drawn = hasattr(self.picture, "png")
        if drawn:
            self._image.value = self.picture.png(quick=True)
        else:
            self._text.value = f"<pre>{html.escape(str(self.picture))}</pre>"
        self._image.layout.display = None if drawn else "none"
        self._text.layout.display = "none" if drawn else None

    def _make_widgets(self, widgets: Any) -> None:
        self._controls = {name: _control(widgets, name, knob) for name, knob in self._knobs.items()}
        button = widgets.Button(description="Reset", tooltip="every knob back to where it started")
        button.on_click(lambda _: self.reset())
        self._line = widgets.Label()
        self._image = widgets.Image(format="png", layout={"max_width": "100%"})
        self._text = widgets.HTML()
        self._box = widgets.VBox([*self._controls.values(), widgets.HBox([button, self._line]), self._image, self._text])

    def __repr__(self) -> str:
        name = getattr(self._build, "__name__", "scenario")
        knobs = [f"  {name}: {knob}" for name, knob in self._knobs.items()]
        fixed = [f"  {name}: {clean(value)} (fixed)" for name, value in self._fixed.items()]
        return "\n".join([f"panel of {clean(name)}", *knobs, *fixed])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """The controls; where there are none, the picture; where there is none, the words."""
        bundle = dict(self._box._repr_mimebundle_())  # how ipywidgets shows itself
        bundle["text/plain"] = repr(self)
        if hasattr(self.picture, "png"):
            bundle["image/png"] = base64.b64encode(self.picture.png()).decode()
        return bundle


def panel(build: Callable[..., Any], *, show: Callable[[Lab], Any] | None = None, seed: Any = 42, **knobs: Any) -> Panel:
    """Show a scenario with a control for each knob; every change runs it again under its seed and redraws `show(lab)`.

    A knob is (low, high), (low, high, start), either with a unit as its last element: a slider, whole numbers if all
    are whole; a list: a choice; True or False: a box. Anything else is passed to the scenario as it is (also `until`
    and `faults`, see `run`). `seed` may be a knob too. `show` is `plot.timeline` unless told. Raises ArgumentError for
    a range that is none, or without ipywidgets.
    """
    if show is None:
        from edakit import plot

        show = plot.timeline
    given = {"seed": seed, **knobs}
    made = {name: _knob(name, spec) for name, spec in given.items()}
    turned = {name: knob for name, knob in made.items() if knob is not None}
    return Panel(build, show, turned, {name: spec for name, spec in given.items() if made[name] is None})


def _knob(name: str, spec: Any) -> Knob | None:
    """The control a specification asks for; None if it is a plain value."""
    if isinstance(spec, bool):
        return Knob("box", spec)
    if isinstance(spec, list):
        if not spec:
            raise ArgumentError(f"{name}=[]: give at least one value to choose from")
        return Knob("list", spec[0], choices=tuple(spec))
    if not isinstance(spec, tuple):
        return None
    unit = spec[-1] if spec and isinstance(spec[-1], str) else ""
    numbers = spec[:-1] if unit else spec
    whole = all(isinstance(value, int) and not isinstance(value, bool) for value in numbers)
    if len(numbers) not in (2, 3) or not all(isinstance(value, (int, float)) for value in numbers):
        raise ArgumentError(
            f"{name}={spec!r}: give (low, high) or (low, high, start), and a unit if you like; a list for a choice"
        )
    low, high, start = numbers if len(numbers) == 3 else (*numbers, numbers[0])
    if not low < high or not low <= start <= high:
        raise ArgumentError(f"{name}={spec!r}: low must be below high, and the start between them")
    return Knob("slider", start if whole else float(start), low, high, 1 if whole else _step(low, high, start), (), unit)


def _step(low: float, high: float, start: float) -> float:
    """About a hundred steps of 1, 2 or 5 times a power of ten, that lead to the start and the end: a slider would move them."""
    power = 10.0 ** (math.floor(math.log10((high - low) / 100)) + 1)
    steps = [round(power * factor / 10.0**down, 12) for down in range(4) for factor in (1, 0.5, 0.2)]
    for step in steps:
        if step <= (high - low) / 50 and all(abs(way / step - round(way / step)) < 1e-6 for way in (start - low, high - low)):
            return step
    return steps[-1]


def _control(widgets: Any, name: str, knob: Knob) -> Any:
    label = f"{name.replace('_', ' ')} ({knob.unit})" if knob.unit else name.replace("_", " ")
    look = {"description": label, "style": {"description_width": "10em"}}
    if knob.kind == "box":
        return widgets.Checkbox(value=knob.start, **look)
    if knob.kind == "list":
        return widgets.Dropdown(options=[(clean(choice, 40), choice) for choice in knob.choices], value=knob.start, **look)
    look["layout"] = {"width": "32em"}
    if isinstance(knob.start, int):
        return widgets.IntSlider(value=knob.start, min=knob.low, max=knob.high, **look)
    decimals = max(0, -math.floor(math.log10(knob.step)))
    return widgets.FloatSlider(
        value=knob.start, min=knob.low, max=knob.high, step=knob.step, readout_format=f".{decimals}f", **look
    )


def _check(knobs: Mapping[str, Knob], name: str, value: Any) -> None:
    if name not in knobs:
        raise ArgumentError(f"no knob {name!r}; this panel has: {', '.join(knobs) or 'none'}")
    knob = knobs[name]
    fits: bool | Sequence[Any] = value in knob.choices
    if knob.kind == "slider":
        whole = isinstance(knob.start, int)
        fits = (
            isinstance(value, int if whole else (int, float)) and not isinstance(value, bool) and knob.low <= value <= knob.high
        )
    elif knob.kind == "box":
        fits = isinstance(value, bool)
    if not fits:
        raise ArgumentError(f"{name}={value!r}: this knob has {knob}")


def _said(value: Any, knob: Knob) -> str:
    text = number(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else clean(value, 20)
    return f"{text} {knob.unit}".rstrip()


def _widgets(build: Callable[..., Any]) -> Any:
    try:
        import ipywidgets
    except ImportError:
        name = getattr(build, "__name__", "build")
        raise ArgumentError(
            f"a panel needs ipywidgets (pip install ipywidgets); without it, the same is run({name}, seed=42, ...)"
        ) from None
    return ipywidgets
