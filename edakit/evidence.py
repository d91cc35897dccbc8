"""Statistics: a scenario run for a thousand seeds, one row of figures each, with mean and spread.

rows = sweep(shop_system, seeds=1_000, measure=lambda lab: {"paid": len(lab.trace.keys("payment.processed"))})
"""

import functools
import hashlib
import inspect
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

from edakit.errors import ArgumentError, EvidenceError, WiringError
from edakit.sim.faults import Fault
from edakit.sim.lab import Lab
from edakit.sim.scenario import Build, name_of, run

Figures = dict[str, float]
LIVE = 20  # so many seeds of a stored sweep are computed anew and compared


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
            raise ArgumentError(f"no figure {name!r}; there are: {', '.join(self.rows[0])}")
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
        return Sweep([one(seed) for seed in watched(range(seeds), f"{name_of(build)}")])
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
    rows = [json.loads(json.dumps(one(seed))) for seed in watched(range(seeds), f"{name_of(build)}")]
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
    """Whether two rows of figures agree, up to the last digits in which the mathematics of two machines may differ."""
    return one.keys() == other.keys() and all(math.isclose(one[name], other[name], rel_tol=1e-9) for name in one)


def _digest(build: Build, measure: Callable[..., Any], *rest: object) -> str:
    """A name for what a sweep computes: the source of the scenario's module and of the measure, and the knobs."""
    module = sys.modules.get(build.__module__)
    source = inspect.getsource(module) if module and getattr(module, "__file__", None) else inspect.getsource(build)
    return hashlib.blake2b(f"{source}\n{inspect.getsource(measure)}\n{rest!r}".encode(), digest_size=8).hexdigest()


def watched(seeds: Sequence[int], what: str) -> Iterator[int]:
    """The seeds, with a progress bar once it has taken a second, where a person watches; never in a checked output."""
    lab = "JPY_SESSION_NAME" in os.environ  # a kernel that Jupyter's server has started for somebody
    stream = sys.stdout if lab else sys.stderr
    person = (lab or stream.isatty()) and not os.environ.get("EDAKIT_CHECK")
    start = shown = monotonic()
    for n, seed in enumerate(seeds):
        if person and (now := monotonic()) > max(start + 1, shown + 0.2):
            shown, done = now, 30 * n // len(seeds)
            print(f"\r{what} [{'#' * done}{'.' * (30 - done)}] {n:,} of {len(seeds):,} seeds", end="", file=stream, flush=True)
        yield seed
    if shown > start:
        print("\r" + " " * 100 + "\r", end="", file=stream, flush=True)
