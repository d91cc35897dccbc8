"""Scenarios: functions `build(lab, **knobs)` that make a system. Run one, fork it, or run it for a thousand seeds.

lab = run(shop_system, seed=42, consumers=4, faults=Faults(drop=.01))
rows = sweep(shop_system, seeds=1_000, measure=lambda lab: {"paid": len(lab.trace.keys("payment.processed"))})
"""

import functools
import hashlib
import inspect
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from edakit.errors import EvidenceError, WiringError
from edakit.sim.faults import Fault
from edakit.sim.lab import Lab

Build = Callable[..., Any]
Figures = dict[str, float]
LIVE = 20  # so many seeds of a stored sweep are computed anew and compared


def build_lab(build: Build, seed: int, faults: Fault | None, knobs: dict[str, Any]) -> Lab:
    """A lab with the system of a scenario in it, not run yet. Raises WiringError for a knob that the scenario does not have."""
    if not callable(build):
        raise WiringError(f"{build!r} is not a scenario: give a function build(lab, **knobs)")
    parameters = inspect.signature(build).parameters
    if not any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
        for name in knobs:
            if name not in parameters:
                raise WiringError(
                    f"{_name(build)} has no knob {name!r}; its knobs are: {', '.join(list(parameters)[1:]) or 'none'}"
                )
    lab = Lab(seed)
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


class Sweep(Sequence[Figures]):
    """One row of figures a seed, and their statistics: `mean`, `spread(name)`, `column(name)`."""

    def __init__(self, rows: list[Figures]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        return self.rows[index]

    def column(self, name: str) -> list[float]:
        """One figure of every seed, in order of the seeds."""
        if self.rows and name not in self.rows[0]:
            raise KeyError(f"no figure {name!r}; there are: {', '.join(self.rows[0])}")
        return [row[name] for row in self.rows]

    def spread(self, name: str) -> tuple[float, float, float]:
        """Mean, and the values that 5 % and 95 % of the seeds do not exceed."""
        values = sorted(self.column(name))
        return sum(values) / len(values), values[int(0.05 * (len(values) - 1))], values[int(0.95 * (len(values) - 1) + 0.999999)]

    def __repr__(self) -> str:
        if not self.rows:
            return "no seeds"
        lines = [f"{len(self):,} seeds: mean (5 % - 95 %)"]
        wide = max(map(len, self.rows[0]))
        for name in self.rows[0]:
            mean, low, high = self.spread(name)
            lines.append(f"  {name.ljust(wide)}  {mean:,.4g} ({low:,.4g} - {high:,.4g})")
        return "\n".join(lines)


def sweep(
    build: Build,
    *,
    measure: Callable[[Lab], Figures],
    seeds: int = 1_000,
    until: float | None = None,
    faults: Fault | None = None,
    evidence: str | None = None,
    **knobs: Any,
) -> Sweep:
    """Run a scenario for seeds 0, 1, 2, ... and measure each run: the source of every statistic.

    evidence: a name under which the rows are kept in the folder `evidence`. Stored rows are used as long as the scenario, the knobs
    and the measure are the same, and 20 of their seeds, computed anew, agree; else EvidenceError says how to make them again.
    """
    if not isinstance(seeds, int) or seeds < 1:
        raise WiringError(f"seeds={seeds!r}: 1 or more")
    one = functools.partial(_measured, build, measure, until, faults, knobs)
    if evidence is None:
        return Sweep([one(seed) for seed in _watched(range(seeds), f"{_name(build)}")])
    path = Path("evidence") / f"{evidence}.json"
    digest = _digest(build, measure, seeds, until, faults, knobs)
    if path.exists() and not os.environ.get("EDAKIT_EVIDENCE"):
        stored = json.loads(path.read_text("utf-8"))
        rows = [dict(zip(stored["names"], row, strict=True)) for row in stored["rows"]]
        live = range(0, seeds, max(1, seeds // LIVE))
        if stored["digest"] == digest and all(_same(one(seed), rows[seed]) for seed in live):
            return Sweep(rows)
        if os.environ.get("EDAKIT_CHECK"):
            raise EvidenceError(f"{path} was made by other code or other knobs: make it again with `make evidence`")
    rows = [json.loads(json.dumps(one(seed))) for seed in _watched(range(seeds), f"{_name(build)}")]
    path.parent.mkdir(exist_ok=True)
    stored = {"digest": digest, "names": list(rows[0]), "rows": [list(row.values()) for row in rows]}
    path.write_text(json.dumps(stored, separators=(",", ":")).replace("],[", "],\n[") + "\n", "utf-8")
    return Sweep(rows)


def _measured(
    build: Build, measure: Callable[[Lab], Figures], until: float | None, faults: Fault | None, knobs: dict[str, Any], seed: int
) -> Figures:
    lab = run(build, seed=seed, until=until, faults=faults, **knobs)
    figures = measure(lab)
    lab.close()
    return figures


def _same(one: Figures, other: Figures) -> bool:
    return json.loads(json.dumps(one)) == other


def _digest(build: Build, measure: Callable[..., Any], *rest: object) -> str:
    """A name for what a sweep computes: the source of the scenario's module and of the measure, and the knobs."""
    module = sys.modules.get(build.__module__)
    source = inspect.getsource(module) if module and getattr(module, "__file__", None) else inspect.getsource(build)
    return hashlib.blake2b(f"{source}\n{inspect.getsource(measure)}\n{rest!r}".encode(), digest_size=8).hexdigest()


def _name(build: Build) -> str:
    return getattr(build, "__name__", "scenario")


def _watched(seeds: range, what: str) -> Iterator[int]:
    """The seeds, with a progress line where a person watches and it takes long; never in a checked output."""
    person = sys.stderr.isatty() or ("ipykernel" in sys.modules and not os.environ.get("EDAKIT_CHECK"))
    for n, seed in enumerate(seeds):
        if person and n and n % max(1, len(seeds) // 50) == 0:
            print(f"\r{what}: {n:,} of {len(seeds):,} seeds", end="", file=sys.stderr, flush=True)
        yield seed
    if person and len(seeds) >= 50:
        print("\r" + " " * 60 + "\r", end="", file=sys.stderr, flush=True)
