"""Search for the schedule that breaks a system, and shrink it to the few events and faults that it takes.

    found = explore(shop_system, invariant=at_most_once("payment.processed"), seeds=1_000)
    found                           # Right in 871 of 1,000 schedules; smallest failure: seed 3, 1 crash, 1 event.
    print(found.smallest.story()); found.smallest.play()

Each seed is one schedule: other times, and a plan of faults drawn from a menu. What goes wrong is decided by generators of the faults
alone, so two designs meet the same faults, and a failing run can be run again with fewer of them: a fault that strikes is one number
below its rate, and to leave it out is to read another. Safety comes first (with faults on, nothing is ever wrong), then liveness: the
faults end, what is down is started again, and now all must come to its end. Shrinking is delta debugging (Zeller and Hildebrandt,
Simplifying and Isolating Failure-Inducing Input, 2002).
"""

import functools
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from edakit.chance import Exponential, Random
from edakit.errors import ArgumentError, Livelock
from edakit.evidence import watched
from edakit.invariants import HEALED, Invariant
from edakit.learn.story import story
from edakit.sim.faults import Fault, Faults, parts
from edakit.sim.lab import Lab
from edakit.sim.scenario import Build, build_lab, name_of
from edakit.table import table
from edakit.trace import Trace

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
NONE = 0.9999999999999999  # a draw below no rate
Strike = tuple[str, str, int]  # a generator, an event, and the n-th draw of the one about the other


class Dice(Random):
    """The generator of a fault. It notes which of its draws are low enough to strike, and can be told which of them may.

    A draw is known by what it is about, its event and the how-manieth it is for that, and not by its place in the sequence: so it is
    found again when other events are left out, or when another instance has the event.
    """

    def __init__(self, name: str, seed: str, stage: "Stage") -> None:
        super().__init__(seed)
        self.name, self.stage, self.plain = re.sub(r"\.\d+\b", "", name), stage, False

    def random(self) -> float:
        """One draw."""
        value, stage = super().random(), self.stage
        if self.plain:
            return value
        event = stage.network.about
        about = (self.name, event.id if event else "")
        stage.draws[about] = count = stage.draws.get(about, 0) + 1
        strike = (*about, count)
        if stage.may is not None:
            value = stage.may.get(strike, NONE)
        if value < stage.rate:
            stage.strikes[strike] = value
        return value

    def expovariate(self, lambd: float = 1.0) -> float:
        """A time, which is no strike."""
        return self._time(super().expovariate, lambd)

    def gauss(self, mu: float = 0.0, sigma: float = 1.0) -> float:
        """A time, which is no strike."""
        return self._time(super().gauss, mu, sigma)

    def uniform(self, a: float, b: float) -> float:
        """A time, which is no strike."""
        return self._time(super().uniform, a, b)

    def _time(self, distribution: Callable[..., float], *args: float) -> float:
        self.plain = True
        try:
            return distribution(*args)
        finally:
            self.plain = False


class Stage(Lab):
    """A lab in which what comes from outside and what strikes is counted, and can be left out.

    sent: the events from outside, by number; only: those that are sent (None: all). may: the strikes that are let happen (None: all).
    """

    def __init__(self, seed: int, rate: float, only: Collection[int] | None, may: Mapping[Strike, float] | None) -> None:
        self.rate, self.only, self.may = rate, only, may
        self.strikes: dict[Strike, float] = {}
        self.draws: dict[tuple[str, str], int] = {}
        self.sent: list[int] = []
        self.asked = 0
        self._dice: dict[str, Dice] = {}
        super().__init__(seed)

    def random(self, name: str) -> Random:
        """The generators of faults are dice; all others are what they are."""
        if not name.startswith("faults/"):
            return super().random(name)
        if name not in self._dice:
            self._dice[name] = Dice(name, f"{self.seed}/{name}", self)
        return self._dice[name]

    def _build(self, *args: Any) -> Any:
        home = super()._build(*args)
        if hasattr(home, "publish"):
            home.publish = functools.partial(self._publish, home.publish)
        return home

    def _publish(self, publish: Callable[..., Any], type: str, data: Any = None, key: Any = None, **more: Any) -> Any:
        """Publish from outside, unless this event is left out: then it is made, so that the others keep their names, and not sent."""
        self.asked += 1
        if self.only is not None and self.asked not in self.only:
            return self.event(type, data, key, more.get("source", "client"), None)
        self.sent.append(self.asked)
        return publish(type, data, key, **more)

    def heal(self) -> None:
        """No more faults: links work, what is down is started again."""
        self.crashes.clear()
        self.slow.clear()
        self.network.calm()
        for name, instance in list(self.instances.items()):
            if not instance.up:
                self.revive(name)
        for home in self.homes.values():
            recover = getattr(home, "recover", None)
            if recover:
                recover()


@dataclass
class Failure:
    """A schedule that breaks the system: the seed, what is wrong (anomaly -> keys), the faults of the plan, and the run."""

    seed: int
    wrong: dict[str, list[str]]
    plan: tuple[Fault, ...]
    on: tuple[int, ...]  # of the plan, the numbers of those that are needed
    events: tuple[int, ...]  # of those from outside, the numbers of the ones that are sent
    strikes: dict[Strike, float]
    trace: Trace = field(repr=False)
    steps: list[dict[str, Any]] = field(default_factory=list, repr=False)  # how it was made smaller

    @property
    def faults(self) -> list[Fault]:
        """The faults it takes."""
        return [self.plan[n] for n in self.on]

    @property
    def name(self) -> str:
        """The anomaly."""
        return next(iter(self.wrong))

    @property
    def size(self) -> tuple[int, int, int]:
        """Events and strikes: the fewer, the better; then rows."""
        return len(self.events) + len(self.strikes), len(self.on), len(self.trace)

    def story(self) -> str:
        """What happened, in a few lines, and what is wrong in the end."""
        keys = [key for found in self.wrong.values() for key in found]
        ends = [f"{name}: {', '.join(found)}" for name, found in self.wrong.items()]
        return "\n".join([*story(self.trace, keys), *ends])

    def play(self) -> Any:
        """The run as a film."""
        from edakit.player import play

        return play(self.trace)

    def plot(self) -> Any:
        """The run as a timeline."""
        from edakit import plot

        return plot.timeline(self.trace)

    def counts(self) -> dict[str, int]:
        """What struck, by name."""
        kinds = {"crash": "crash", "drop": "loss", "duplicate": "duplicate", "cut": "cut", "hold": "hold"}
        found = {name: len(self.trace.where(kind)) for kind, name in kinds.items()}
        delays = sum(1 for each in self.faults if isinstance(each, Faults) and (each.delay or each.reorder))
        return {name: count for name, count in {**found, "kind of delay": delays}.items() if count}

    def __str__(self) -> str:
        told = [_many(count, name) for name, count in self.counts().items()] or ["no fault"]
        return f"seed {self.seed}, {', '.join(told)}, {_many(len(self.events), 'event')}: {self.name}"


class Exploration:
    """What a search has found: `right` and `failing` schedules, anomalies `by_name`, and the `smallest` failure, or None."""

    def __init__(self, seeds: int, failing: dict[int, tuple[str, ...]], smallest: Failure | None) -> None:
        self.seeds, self.failing, self.smallest = seeds, failing, smallest
        self.by_name: dict[str, int] = {}
        for names in failing.values():
            for name in names:
                self.by_name[name] = self.by_name.get(name, 0) + 1

    @property
    def right(self) -> int:
        """In how many schedules all held."""
        return self.seeds - len(self.failing)

    @property
    def bound(self) -> float:
        """With 95 % confidence fewer schedules than this share fail, if none of those tried did (about 3 in so many)."""
        return float(1 - 0.05 ** (1 / self.seeds))

    def row(self) -> dict[str, Any]:
        """The search as a row for `table`."""
        return {"right": self.right, "of": self.seeds, **self.by_name, "smallest": str(self.smallest or "")}

    def __repr__(self) -> str:
        if self.smallest is None:
            return f"Right in all {self.seeds:,} schedules: fewer than {self.bound:.2%} fail, with 95 % confidence."
        return f"Right in {self.right:,} of {self.seeds:,} schedules; smallest failure: {self.smallest}."


class Comparison(dict[str, Exploration]):
    """Explorations of several designs over the same seeds and faults."""

    @property
    def summary(self) -> list[dict[str, Any]]:
        """A row a design, for `table`."""
        names = list(dict.fromkeys(name for each in self.values() for name in each.by_name))
        return [
            {"design": design, "right": each.right, "of": each.seeds, **{name: each.by_name.get(name, 0) for name in names}}
            for design, each in self.items()
        ]

    def __repr__(self) -> str:
        return str(table(self.summary))


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
    failing: dict[int, tuple[str, ...]] = {}
    smallest: Failure | None = None
    for seed in watched(order, f"exploring {name_of(build)}"):
        found = search.run(seed)
        if found:
            failing[seed] = tuple(found.wrong)
            if len(failing) <= FAILING and (smallest is None or found.size < smallest.size):
                smallest = found
    return Exploration(len(order), failing, search.shrink(smallest) if smallest else None)


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


def _many(count: int, name: str) -> str:
    return f"{count:,} {name}{'' if count == 1 else 'es' if name[-1] in 'sh' else 's'}"


def _label(knob: str, value: Any) -> str:
    return getattr(value, "__name__", None) or f"{knob}={value}"
