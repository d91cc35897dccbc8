"""edakit: run event-driven systems in virtual time, break them, repair them.

{names}
"""

import sys

if sys.version_info < (3, 11):  # pip refuses this too; a checkout on the path does not

    class TooOld(ImportError):
        """Shown in a notebook as the one line that matters, without a stack."""

        def _render_traceback_(self):  # type: ignore[no-untyped-def]  # noqa: ANN202  (read by Pythons that know no list[str])
            return [str(self)]

    raise TooOld(f"edakit needs Python 3.11 or later, this is {sys.version.split()[0]}: start Jupyter from a newer one")

from importlib import import_module
from typing import TYPE_CHECKING, Any

from edakit.chance import Exponential, LogNormal, Uniform
from edakit.delivery import Retry
from edakit.errors import CallFailed, CallRefused, CallTimeout, EdakitError, Refused
from edakit.event import Event
from edakit.panel import panel
from edakit.saga import Saga
from edakit.service import Service
from edakit.sim.faults import Crash, Faults, Hold, Partition, PowerCut
from edakit.sim.lab import Lab
from edakit.sim.scenario import fork, run
from edakit.table import grid, table
from edakit.trace import Trace
from edakit.units import days, hours, minutes, ms

if TYPE_CHECKING:
    from edakit import measure, plot, probe
    from edakit.evidence import sweep
    from edakit.explorer import explore
    from edakit.learn.exercise import exercise
    from edakit.learn.prediction import predict
    from edakit.learn.progress import progress
    from edakit.learn.quiz import quiz
    from edakit.player import play
    from edakit.store import EventStore

NAMES = {
    "Lab": "a system under a seed: brokers, streams, servers, databases, services, faults",
    "Service": "handlers by event type, @service.on(...)",
    "Saga": "steps with a way back, @saga.step(compensate=...)",
    "Event": "one fact",
    "EventStore": "streams that refuse a stale writer, snapshots, views",
    "Trace": "everything that happened, one row each",
    "run": "build a scenario and run it",
    "fork": "the same past, another future",
    "sweep": "a scenario for a thousand seeds",
    "explore": "the schedule that breaks a system, made small",
    "Faults": "drop, duplicate, delay, reorder, crash: chances",
    "Crash": "a service dies at a time",
    "PowerCut": "all machines of a stream lose power at a time",
    "Hold": "a link keeps what it is given for a while",
    "Partition": "a link loses what it is given for a while",
    "Retry": "how often, after how long",
    "Exponential": "a distribution of times",
    "Uniform": "a distribution of times",
    "LogNormal": "a distribution of times",
    "Refused": "raise it in a handler to answer no",
    "CallTimeout": "no answer: outcome unknown",
    "CallFailed": "the service failed: outcome unknown",
    "CallRefused": "the answer was no",
    "EdakitError": "the root of what this package raises",
    "ms": "milliseconds as seconds",
    "minutes": "minutes as seconds",
    "hours": "hours as seconds",
    "days": "days as seconds",
    "plot": "pictures of a lab or a trace",
    "measure": "figures of a trace",
    "probe": "what a system promises, asked by doing",
    "table": "rows as an aligned text table",
    "grid": "values by row and column as a text table",
    "panel": "sliders that re-run a scenario",
    "predict": "say what will happen, before it does",
    "play": "a run as a film",
    "exercise": "a task whose check attacks your answer",
    "quiz": "five questions on a notebook, one of them from your run",
    "progress": "where you are",
}
__doc__ = __doc__.replace("{names}", "\n".join(f"    {name:12} {text}" for name, text in NAMES.items()))
__all__ = [
    "Lab",
    "Service",
    "Saga",
    "Event",
    "EventStore",
    "Trace",
    "run",
    "fork",
    "sweep",
    "explore",
    "Faults",
    "Crash",
    "PowerCut",
    "Hold",
    "Partition",
    "Retry",
    "Exponential",
    "Uniform",
    "LogNormal",
    "Refused",
    "CallTimeout",
    "CallFailed",
    "CallRefused",
    "EdakitError",
    "ms",
    "minutes",
    "hours",
    "days",
    "plot",
    "measure",
    "probe",
    "table",
    "grid",
    "panel",
    "predict",
    "play",
    "exercise",
    "quiz",
    "progress",
]
assert __all__ == list(NAMES)
__version__ = "0.1.0"

LAZY = {  # panel and table are not: a module loaded later under the name of its function would take its place
    "plot": ("edakit.plot", None),
    "measure": ("edakit.measure", None),
    "probe": ("edakit.probe", None),
    "sweep": ("edakit.evidence", "sweep"),
    "explore": ("edakit.explorer", "explore"),
    "EventStore": ("edakit.store", "EventStore"),
    "predict": ("edakit.learn", "predict"),
    "play": ("edakit.player", "play"),
    "exercise": ("edakit.learn", "exercise"),
    "quiz": ("edakit.learn", "quiz"),
    "progress": ("edakit.learn", "progress"),
}


def __getattr__(name: str) -> Any:
    """What draws, shows or stores is loaded at first use: `import edakit` brings neither matplotlib nor ipywidgets."""
    if name not in LAZY:
        raise AttributeError(f"edakit has no {name!r}; it has: {', '.join(NAMES)}")
    module, attribute = LAZY[name]
    value = import_module(module)
    value = getattr(value, attribute) if attribute else value
    globals()[name] = value  # a submodule of the same name may have taken its place
    return value
