"""Search for the schedule that breaks a system, and shrink it to the few events and faults that it takes.

    found = explore(shop_system, invariant=at_most_once("payment.processed"), seeds=1_000)
    found                           # Right in 790 of 1,000 schedules; smallest failure: seed 4, 1 loss, 1 event: duplicate.
    print(found.smallest.story()); found.smallest.play()

Each seed is one schedule: other times, and a plan of faults drawn from a menu. What goes wrong is decided by generators of the faults
alone, so two designs meet the same faults, and a failing run can be run again with fewer of them: a fault that strikes is one number
below its rate, and to leave it out is to read another. Safety comes first (with faults on, nothing is ever wrong), then liveness: the
faults end, what is down is started again, and now all must come to its end. Shrinking is delta debugging: see `edakit.smaller`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from edakit.chance import Exponential, Random
from edakit.errors import ArgumentError, Livelock
from edakit.evidence import watched
from edakit.explorer.found import Comparison, Exploration, Failure
from edakit.explorer.processes import spread
from edakit.explorer.stage import Stage, Strike
from edakit.invariants import NEVER, Invariant
from edakit.sim.faults import Crash, Fault, Faults, Hold, parts
from edakit.sim.lab import Lab
from edakit.sim.replicated import ReplicatedStream
from edakit.sim.scenario import Build, build_lab, name_of
from edakit.smaller import fewest
from edakit.table import clean

__all__ = ["MENU", "Comparison", "Exploration", "Failure", "explore"]

MENU = (
    Faults(drop=0.02, leg="ack"),
    Faults(drop=0.02, leg="confirm"),
    Faults(drop=0.05, leg="publish"),
    Faults(drop=0.05, leg="reply"),
    Faults(duplicate=0.05, leg="deliver"),
    Faults(reorder=0.1, leg="deliver"),
    Faults(delay=Exponential(0.05), leg="deliver"),
    Faults(slow=5),
    Faults(crash=0.02, restart_after=0.5, times=3),
)
RUSH = (-1.5, 0)  # powers of ten: seconds after which what was held back comes all at once, or a machine dies
HEALING = 120.0  # virtual seconds after the faults have ended
FIRST = 50  # schedules after which a search stops if most of them fail, and at length
LONG = 5_000  # rows of a long failure
SHRUNK = 2  # of the failures, those with the fewest rows and those with the fewest events and faults are made smaller still
RUNS, ROWS = 500, 300_000  # spent on that, for all together


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
    do. seeds: 0, 1, 2, ... up to this, or a list of them; where most of the first 50 fail, and at length, no more are tried. faults: one
    plan for every seed; a list: a menu, of which each seed draws some; None: the standard menu, MENU, of what a system must bear (no
    message is overtaken where a home promises the order); () for none. until: virtual seconds with faults on (None: until nothing is left
    to do; what goes round in circles, faults or no faults, is stuck); then they end, and the system has `heal` seconds to come to its
    end. Duplicate, reordered, phantom and oversold count as soon as they are there; lost, stuck, stale, orphan saga and names of your own
    only in the end. vary: {knob: values}: an Exploration for each value, as a `Comparison`; else one `Exploration`.
    Raises ArgumentError for an invariant that returns anything else; what build, handlers or invariant raise comes out with its seed.
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

    failing, tried = dict[int, Any](), 0
    for part in (order[:FIRST], order[FIRST:]):
        if tried and len(failing) > tried / 2 and sum(size[-1] for _, size in failing.values()) > LONG * len(failing):
            break
        failing |= spread(part, names_and_size, lambda share: watched(share, f"exploring {name_of(build)}"))
        tried += len(part)
    found = Exploration(tried, {seed: names for seed, (names, _) in failing.items()}, None)
    if failing:
        name = max(found.by_name, key=lambda name: found.by_name[name])
        sizes = {seed: size for seed, (names, size) in failing.items() if name in names}
        showing = sorted(sizes, key=lambda seed: sizes[seed][-1])[:SHRUNK] + sorted(sizes, key=lambda seed: sizes[seed])[:SHRUNK]
        found.smallest = search.smallest(name, showing, [seed for seed in order[:tried] if seed not in failing])
    return found


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
        self.runs, self.rows = RUNS, ROWS

    def plan(self, seed: int, lab: Lab) -> tuple[Fault, ...]:
        """The faults of a seed: all, if there is one plan; of a menu, one or more; and of the standard menu what this system can meet."""
        if self.fixed or not self.menu:
            return self.menu
        dice = Random(f"{seed}/plan")
        chosen = [each for each in self.menu if dice.random() < 0.4]
        if self.menu == MENU:
            when = 10 ** dice.uniform(*RUSH)
            readers = [(each.home.name, name) for name, each in lab.deployments.items() if each.home.kind != "server"]
            if readers and dice.random() < 0.4:
                chosen.append(Hold(*dice.choice(readers), until=when))
            copied = [name for name, home in lab.homes.items() if isinstance(home, ReplicatedStream)]
            if copied and dice.random() < 0.4:
                chosen.append(Crash(dice.choice(copied), at=when, restart_after=1))
        return tuple(chosen or [dice.choice(self.menu)])

    def run(
        self,
        seed: int,
        on: Collection[int] | None = None,
        only: Collection[int] | None = None,
        may: Mapping[Strike, float] | None = None,
    ) -> Failure | None:
        """One schedule: None if it held, else what broke. on, only, may: of its faults, events and strikes, those to keep."""
        try:
            lab = build_lab(self.build, seed, None, self.knobs, lambda seed: Stage(seed, only, may))
            assert isinstance(lab, Stage)
            plan = self.plan(seed, lab)
            kept = tuple(range(len(plan))) if on is None else tuple(sorted(on))
            for n, each in enumerate(plan):
                lab.add_fault(each, fair=any(each is known for known in MENU), off=n not in kept)
            wrong = self._played(lab)
            lab.close()
        except Exception as error:
            error.add_note(f"in schedule {seed}: explore(..., seeds=[{seed}])")
            raise
        return Failure(seed, wrong, plan, kept, tuple(lab.sent), dict(lab.strikes), lab.trace) if wrong else None

    def _played(self, lab: Stage) -> dict[str, list[str]]:
        """What is wrong with a lab once it has come to its end, first with faults and then without."""
        circles = self._ends(lab, self.until)
        wrong = {name: keys for name, keys in self._judge(lab).items() if name in NEVER}
        if circles and wrong:
            return wrong
        lab.heal()
        circles = self._ends(lab, None if circles and self.until is None else lab.now + self.healing)
        return {**wrong, **self._judge(lab), **({"stuck": [circles]} if circles and self.until is None else {})}

    @staticmethod
    def _ends(lab: Lab, until: float | None) -> str:
        """Let a lab run; what it said, if it goes round in circles."""
        try:
            lab.run(until)
        except Livelock as livelock:
            return str(livelock).partition("(")[0].partition(": give run")[0]
        return ""

    def _judge(self, lab: Lab) -> dict[str, list[str]]:
        found: Any = self.invariant(lab)
        if type(found).__name__ in ("bool", "bool_"):  # Python's, or numpy's
            return {} if found else {"wrong": ["the invariant is False"]}
        if not isinstance(found, Mapping) or any(
            isinstance(keys, str) or not isinstance(keys, Iterable) for keys in found.values()
        ):
            raise ArgumentError(
                f"the invariant returned {clean(repr(found), 60)}: give {{anomaly: keys}}, as in {{'lost': ['42']}}, empty if it holds, "
                "or True or False"
            )
        return {str(name): kept for name, keys in found.items() if (kept := [str(key) for key in keys])}

    def smallest(self, name: str, failing: Sequence[int], right: Sequence[int]) -> Failure | None:
        """The smallest failure of this name that can be made of these schedules. right: schedules that hold."""
        found = [self.shrink(name, failure, right) for seed in dict.fromkeys(failing) if (failure := self.run(seed))]
        return min(found, key=lambda each: each.size, default=None)

    def shrink(self, name: str, failure: Failure, right: Sequence[int]) -> Failure:
        """The same anomaly with fewer faults, strikes and events: halves are left out first, then single ones."""
        failure.wrong = {name: failure.wrong[name], **failure.wrong}
        steps = [_step("as found", failure)]
        calm = [seed for seed in (failure.seed, *right[:2]) if self._holds(seed, name, None)]

        def attempt(on: tuple[int, ...], only: tuple[int, ...], may: tuple[Strike, ...]) -> bool:
            nonlocal failure
            if self.runs <= 0 or self.rows <= 0 or (failure.events and not only):
                return False
            found = self.run(
                failure.seed, on, frozenset(only), {each: failure.strikes[each] for each in may if each in failure.strikes}
            )
            self.runs, self.rows = self.runs - 1, self.rows - len(found.trace if found else failure.trace)
            if found is None or name not in found.wrong or found.size > failure.size:
                return False
            if len(only) < len(failure.events) and calm and not any(self._holds(seed, name, only) for seed in calm):
                return False  # not wrong by what happened, but by what was left out: an order without its payment
            found.wrong = {name: found.wrong[name], **found.wrong}
            failure = found
            return True

        before = None
        while before != failure.size and self.runs > 0:
            before = failure.size
            fewest(failure.on, lambda kept: attempt(kept, failure.events, tuple(failure.strikes)))
            steps.append(_step("faults", failure))
            fewest(tuple(failure.strikes), lambda kept: attempt(failure.on, failure.events, kept))
            steps.append(_step("strikes", failure))
            fewest(failure.events, lambda kept: attempt(failure.on, kept, tuple(failure.strikes)))
            steps.append(_step("events", failure))
        failure.steps = steps
        return failure

    def _holds(self, seed: int, name: str, only: Collection[int] | None) -> bool:
        """Whether this anomaly stays away with these events as long as nothing goes wrong."""
        found = self.run(seed, (), only)
        return found is None or name not in found.wrong


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
