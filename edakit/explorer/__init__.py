"""Search for the schedule that breaks a system, and shrink it to the few events and faults that it takes.

    found = explore(shop_system, invariant=at_most_once("payment.processed"), seeds=1_000)
    found                           # Right in 790 of 1,000 schedules; smallest failure: seed 4, 1 loss, 1 event: duplicate.
    print(found.smallest.story()); found.smallest.play()

Each seed is one schedule: other times, and a plan of faults drawn from a menu. What goes wrong is decided by generators of the faults
alone, so two designs meet the same faults, and a failing run can be run again with fewer of them: a fault that strikes is one number
below its rate, and to leave it out is to read another. Safety comes first (with faults on, nothing is ever wrong), then liveness: the
faults end, what is down is started again, and now all must come to its end. Shrinking is delta debugging (Zeller and Hildebrandt,
Simplifying and Isolating Failure-Inducing Input, 2002).
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from edakit.chance import Exponential, Random
from edakit.errors import ArgumentError, Livelock
from edakit.evidence import watched
from edakit.explorer.found import Comparison, Exploration, Failure
from edakit.explorer.processes import spread
from edakit.explorer.stage import Stage, Strike
from edakit.invariants import HEALED, Invariant
from edakit.sim.faults import Fault, Faults, parts
from edakit.sim.lab import Lab
from edakit.sim.scenario import Build, build_lab, name_of

__all__ = ["MENU", "Comparison", "Exploration", "Failure", "explore"]

MENU = (
    Faults(drop=0.02, leg="ack"),
    Faults(drop=0.02, leg="confirm"),
    Faults(duplicate=0.05, leg="deliver"),
    Faults(reorder=0.1, leg="deliver"),
    Faults(delay=Exponential(0.05), leg="deliver"),
    Faults(crash=0.02, restart_after=0.5, times=3),
)
FAILING = 20  # failing schedules among which the smallest is looked for
RUNS = 400  # spent on making it smaller
HEALING = 120.0  # virtual seconds after the faults have ended


def explore(
    build: Build,
    *,
    invariant: Invariant,
    seeds: int | Sequence[int] = 1_000,
    faults: Fault | Sequence[Fault] | None = None,
    until: float | None = None,
    heal: float = HEALING,
    vary: dict[str, Sequence[Any]] | None = None,
    **knobs: Any,
) -> Any:
    """Run a scenario under many schedules and say in how many the invariant holds; of those that break it, show the smallest.

    invariant: a function of the finished lab that returns {anomaly: keys}, such as those of `edakit.invariants`; False for "wrong" will
    do. seeds: 0, 1, 2, ... up to this, or a list of them. faults: one plan for every seed; a list: a menu, of which each seed draws
    some; None: the standard menu, MENU; () for none. until: virtual seconds with faults on (None: until nothing is left to do); then
    they end, and the system has `heal` seconds to come to its end. Lost, stuck, stale and orphan saga count only then; all else as soon
    as it is there. vary: {knob: values}: an Exploration for each value, as a `Comparison`; else one `Exploration`.
    """
    if vary is not None:
        return Comparison(
            (
                _label(knob, value),
                explore(build, invariant=invariant, seeds=seeds, faults=faults, until=until, heal=heal, **{**knobs, knob: value}),
            )
            for knob, values in vary.items()
            for value in values
        )
    order = range(seeds) if isinstance(seeds, int) else list(seeds)
    if not order:
        raise ArgumentError(f"seeds={seeds!r}: 1 or more")
    search = Search(build, invariant, MENU if faults is None else faults, until, heal, knobs)

    def names_and_size(seed: int) -> tuple[tuple[str, ...], tuple[int, int, int]] | None:
        found = search.run(seed)
        return (tuple(found.wrong), found.size) if found else None

    failing = spread(order, names_and_size, lambda share: watched(share, f"exploring {name_of(build)}"))
    smallest = search.run(min(list(failing)[:FAILING], key=lambda seed: failing[seed][1])) if failing else None
    return Exploration(
        len(order), {seed: names for seed, (names, _) in failing.items()}, search.shrink(smallest) if smallest else None
    )


class Search:
    """One system under one menu of faults."""

    def __init__(
        self,
        build: Build,
        invariant: Invariant,
        faults: Fault | Sequence[Fault],
        until: float | None,
        heal: float,
        knobs: dict[str, Any],
    ) -> None:
        self.build, self.invariant, self.until, self.healing, self.knobs = build, invariant, until, heal, knobs
        self.fixed = isinstance(faults, Fault)
        self.menu = tuple(part for each in ([faults] if isinstance(faults, Fault) else faults) for part in parts(each))
        rates = [
            rate
            for each in self.menu
            if isinstance(each, Faults)
            for rate in (each.drop, each.duplicate, each.reorder, each.crash)
        ]
        self.rate = max(rates, default=0.0)

    def plan(self, seed: int) -> tuple[Fault, ...]:
        """The faults of a seed: all, if there is one plan; of a menu, one or more."""
        if self.fixed or not self.menu:
            return self.menu
        dice = Random(f"{seed}/plan")
        chosen = [each for each in self.menu if dice.random() < 0.4]
        return tuple(chosen or [dice.choice(self.menu)])

    def run(
        self,
        seed: int,
        on: Collection[int] | None = None,
        only: Collection[int] | None = None,
        may: Mapping[Strike, float] | None = None,
    ) -> Failure | None:
        """One schedule: None if it held, else what broke. on, only, may: of its faults, events and strikes, those to keep."""
        plan = self.plan(seed)
        kept = tuple(range(len(plan))) if on is None else tuple(sorted(on))
        lab = build_lab(self.build, seed, None, self.knobs, lambda seed: Stage(seed, self.rate, only, may))
        assert isinstance(lab, Stage)
        for n, each in enumerate(plan):
            if n in kept:
                lab.faults(each)
            elif isinstance(each, Faults):  # it strikes never, and yet has its place: the dice of the others stay theirs
                lab.faults(replace(each, times=0))
        wrong: dict[str, list[str]] = {}
        try:
            lab.run(self.until)
            wrong = {name: keys for name, keys in self._judge(lab).items() if name not in HEALED}
            lab.heal()
            lab.run(lab.now + self.healing)
            wrong = {**wrong, **self._judge(lab)}
        except Livelock as livelock:
            wrong.setdefault("stuck", [str(livelock).partition("(")[0]])
        lab.close()
        if not wrong:
            return None
        return Failure(seed, wrong, plan, kept, tuple(lab.sent), dict(lab.strikes), lab.trace)

    def _judge(self, lab: Lab) -> dict[str, list[str]]:
        found = self.invariant(lab)
        if isinstance(found, bool):
            return {} if found else {"wrong": ["the invariant is False"]}
        return {name: kept for name, keys in found.items() if (kept := [str(key) for key in keys])}

    def shrink(self, failure: Failure) -> Failure:
        """The same anomaly with fewer faults, strikes and events: halves are left out first, then single ones."""
        left, name = RUNS, failure.name
        steps = [_step("as found", failure)]

        def attempt(on: tuple[int, ...], only: tuple[int, ...], may: Iterable[Strike]) -> bool:
            nonlocal left, failure
            left -= 1
            found = (
                self.run(failure.seed, on, frozenset(only), {each: failure.strikes[each] for each in may}) if left >= 0 else None
            )
            if found is None or name not in found.wrong or found.size > failure.size:
                return False
            found.wrong = {name: found.wrong[name], **found.wrong}
            failure = found
            return True

        before = None
        while before != failure.size and left > 0:
            before = failure.size
            for what, value, retry in (
                ("faults", lambda: failure.on, lambda kept: attempt(kept, failure.events, failure.strikes)),
                ("strikes", lambda: tuple(failure.strikes), lambda kept: attempt(failure.on, failure.events, kept)),
                ("events", lambda: failure.events, lambda kept: attempt(failure.on, kept, failure.strikes)),
            ):
                _reduce(value, retry)
                steps.append(_step(what, failure))
        failure.steps = steps
        return failure


def _reduce(value: Callable[[], tuple[Any, ...]], keeps: Callable[[tuple[Any, ...]], bool]) -> None:
    """Leave out runs of items, half of them, a quarter, ... one, wherever that keeps what is sought."""
    size = (len(value()) + 1) // 2
    while size:
        at = 0
        while at < len(items := value()):
            if not keeps(items[:at] + items[at + size :]):
                at += size
        size //= 2


def _step(what: str, failure: Failure) -> dict[str, Any]:
    struck, rows = len(failure.strikes), len(failure.trace)
    return {
        "without needless": what,
        "events": len(failure.events),
        "kinds of faults": len(failure.on),
        "strikes": struck,
        "rows": rows,
    }


def _label(knob: str, value: Any) -> str:
    return getattr(value, "__name__", None) or f"{knob}={value}"
