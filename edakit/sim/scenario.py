"""Scenarios: functions `build(lab, **knobs)` that make a system. Run one, fork it, or run it for a thousand seeds.

lab = run(shop_system, seed=42, consumers=4, faults=Faults(drop=.01))
rows = sweep(shop_system, seeds=1_000, measure=lambda lab: {"paid": len(lab.trace.keys("payment.processed"))})
"""

import inspect
from collections.abc import Callable
from typing import Any

from edakit.errors import WiringError
from edakit.sim.faults import Fault
from edakit.sim.lab import Lab

Build = Callable[..., Any]
VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def build_lab(build: Build, seed: int, faults: Fault | None, knobs: dict[str, Any], make: Callable[[int], Lab] = Lab) -> Lab:
    """A lab with the system of a scenario in it, not run yet.

    Raises WiringError for a knob that the scenario does not have, or that it needs and is not given.
    """
    if not callable(build):
        raise WiringError(f"{build!r} is not a scenario: give a function build(lab, **knobs)")
    parameters = inspect.signature(build).parameters
    if not parameters:
        raise WiringError(f"{name_of(build)} takes no lab: a scenario is a function build(lab, **knobs)")
    names = list(parameters)[1:]
    if not any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
        for name in knobs:
            if name not in parameters:
                raise WiringError(f"{name_of(build)} has no knob {name!r}; its knobs are: {', '.join(names) or 'none'}")
    needed = [name for name in names if parameters[name].default is inspect.Parameter.empty]
    if missing := [name for name in needed if name not in knobs and parameters[name].kind not in VARIABLE]:
        raise WiringError(f"{name_of(build)} needs {', '.join(missing)}: give it as a knob, {missing[0]}=..., or a default")
    lab = make(seed)
    build(lab, **knobs)
    lab.faults(faults)
    lab.recipe = (build, seed, faults, knobs)
    return lab


def run(build: Build, *, seed: int = 0, until: float | None = None, faults: Fault | None = None, **knobs: Any) -> Lab:
    """Build a system and run it until nothing is left to do, or until a time (virtual seconds); return the lab."""
    return build_lab(build, seed, faults, knobs).run(until)


def fork(lab: Lab, *, at: float, change: Callable[[Lab], object], until: float | None = None) -> tuple[Lab, Lab]:
    """The same seed and the same past, another future: (the lab as it was, the lab changed `at` a time and run on).

    A coroutine cannot be copied, so the past is run again. Raises WiringError for a lab that `run` did not make.
    """
    if lab.recipe is None:
        raise WiringError("fork needs a lab made by run(build, ...): only a scenario can be run again")
    other = build_lab(*lab.recipe).run(at)
    change(other)
    return lab, other.run(until)


def name_of(build: Build) -> str:
    """What a scenario is called."""
    return getattr(build, "__name__", "scenario")
