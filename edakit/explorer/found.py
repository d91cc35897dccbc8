"""What a search has found: how many schedules were right, and the smallest that was not."""

from dataclasses import dataclass, field
from typing import Any

from edakit.explorer.stage import LATE, Strike
from edakit.learn.story import story
from edakit.sim.faults import Fault, Faults
from edakit.table import table
from edakit.trace import Trace


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
        return "\n".join([*self._unseen(), *story(self.trace, keys), *ends])

    def _unseen(self) -> list[str]:
        """Of what has happened, that which leaves no row: a line each."""
        late = [f"{name.split('/', 2)[2].replace('>', ' to ')}: {event} may be overtaken" for name, event in self._late()]
        lasting = []
        for each in self.faults:
            if isinstance(each, Faults) and each.delay:
                lasting.append(f"{each.leg or 'every leg'}: each message is late by {each.delay} s")
            if isinstance(each, Faults) and each.slow != 1:
                lasting.append(f"each ctx.sleep takes {each.slow:g} times as long")
        return [f"         {line}" for line in (*late, *lasting)]

    def _late(self) -> list[tuple[str, str]]:
        """What a fault let be overtaken: the generator, and the event."""
        return [(name, event) for name, event, n in self.strikes if name.split("/")[1].isdigit() and (n - 1) % 3 == LATE]

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
        ways = [each for each in self.faults if isinstance(each, Faults)]
        lasting = {"delays": sum(bool(each.delay) for each in ways), "slowness": sum(each.slow != 1 for each in ways)}
        return {name: count for name, count in {**found, "late message": len(self._late()), **lasting}.items() if count}

    def __str__(self) -> str:
        told = [name if name in ("delays", "slowness") else _many(count, name) for name, count in self.counts().items()]
        return f"seed {self.seed}, {', '.join(told or ['no fault'])}, {_many(len(self.events), 'event')}: {self.name}"


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


def _many(count: int, name: str) -> str:
    return f"{count:,} {name}{'' if count == 1 else 'es' if name[-1] in 'sh' else 's'}"
