"""Four writers, one table of events, and a projector that asks for everything above the last id it has seen.

A model of what PostgreSQL does with a sequence: an id is given when a transaction begins its insert, and the row is visible when it
commits. So ids become visible in another order than they count.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from edakit import Lab, Service, measure
from edakit.event import Event
from edakit.service import Context


class Numbered:
    """A table with a sequence: ids are given at the start of a transaction, and rows are seen once it is committed."""

    def __init__(self) -> None:
        self.last = 0
        self.open: set[int] = set()
        self.rows: dict[int, str] = {}  # id, order

    def begin(self) -> int:
        """Start a transaction: the next id."""
        self.last += 1
        self.open.add(self.last)
        return self.last

    def commit(self, id: int, order: str) -> None:
        """Make its row visible."""
        self.open.remove(id)
        self.rows[id] = order

    def above(self, id: int, below: float = math.inf) -> list[int]:
        """The visible ids above one, and below another."""
        return sorted(each for each in self.rows if id < each < below)

    @property
    def lowest_open(self) -> float:
        """The lowest id whose transaction has not ended; infinity if there is none."""
        return min(self.open, default=math.inf)


READ: dict[str, Callable[[Numbered], float]] = {
    "after the last id": lambda table: math.inf,
    "below what is in flight": lambda table: table.lowest_open,
}


def four_writers(
    lab: Lab,
    poll: float = 0.05,
    read: str = "after the last id",
    takes: float = 0.01,
    orders: int = 1000,
    writers: int = 4,
    every: float = 0.02,
) -> None:
    """Each writer begins a transaction every `every` seconds on average, and commits it `takes` later on average.

    The projector looks every `poll` seconds, and once more after the last commit.
    """
    web, clerk, projector, table = lab.server("web", threads=writers + 1), Service("clerk"), Service("projector"), Numbered()

    @clerk.on("write")
    async def write(mine: Event, ctx: Context) -> None:
        for n in range(mine.data["from"], orders, writers):
            await ctx.sleep(ctx.random.expovariate(1 / every))
            id = table.begin()
            ctx.log(f"begins {id}")
            await ctx.sleep(ctx.random.expovariate(1 / takes))
            table.commit(id, f"order-{n}")
            ctx.log(f"commits {id}")

    @projector.on("follow")
    async def follow(start: Event, ctx: Context) -> None:
        last, done = 0, False
        while not done:
            await ctx.sleep(poll)
            done = len(table.rows) == orders
            for id in table.above(last, READ[read](table)):
                ctx.log(f"shows {id}")
                last = id
            ctx.log(f"polled {last}")

    lab.deploy(clerk, on=web)
    lab.deploy(projector, on=web)
    lab.call("projector", {}, source="lab-clock", timeout=10_000)
    for n in range(writers):
        lab.call("clerk", {"from": n}, source=f"writer-{n + 1}", timeout=10_000)


class Seen(NamedTuple):
    """Of each id: when its transaction began and ended, and when the projector had it; of each poll: when, and the last id it saw."""

    began: dict[int, float]
    ended: dict[int, float]
    shown: dict[int, float]
    polls: list[tuple[float, int]]

    @property
    def skipped(self) -> list[int]:
        """The ids that are in the table and never came to the view."""
        return sorted(self.ended.keys() - self.shown.keys())

    @property
    def overtaken(self) -> list[int]:
        """The ids that were in flight at a poll, while a higher one was there already."""
        return [id for id in sorted(self.began) if any(self._passed(id, time) for time, _ in self.polls)]

    def _passed(self, id: int, time: float) -> bool:
        """Whether a transaction is in flight at a time, and a higher id is committed."""
        open = self.began[id] < time < self.ended[id]
        return open and any(each > id and end < time for each, end in self.ended.items())


def seen(lab: Lab) -> Seen:
    """The story of each id, from the trace."""
    found: dict[str, list[tuple[int, float]]] = {"begins": [], "commits": [], "shows": [], "polled": []}
    for row in lab.trace.where("log"):
        what, id = row.note.split()
        found[what].append((int(id), row.time))
    polls = [(time, last) for last, time in found["polled"]]
    return Seen(dict(found["begins"]), dict(found["commits"]), dict(found["shows"]), polls)


def counts(lab: Lab) -> dict[str, float]:
    """Orders in the table, in the view, between them; and how late the view is, 99 in a hundred orders, in ms."""
    each = seen(lab)
    late = [1000 * (time - each.ended[id]) for id, time in each.shown.items()]
    return {
        "stored": len(each.ended),
        "in the view": len(each.shown),
        "lost": len(each.skipped),
        "lag p99 ms": measure.quantiles(late, (0.99,))[0],
    }


def nothing_skipped(lab: Lab) -> dict[str, list[int]]:
    """What `explore` is to find broken: ids that are in the table and will never be in the view."""
    return {"lost": seen(lab).skipped}


WHY = {
    "all 1,000": "every row is there when somebody looks for it, but nobody looks for it again",
    "999": "at most one a poll? every poll may pass some by",
    "none": "most rows are committed in time",
}


def guessed(lab: Lab) -> str:
    """Which of the guesses fits."""
    lost = len(seen(lab).skipped)
    return {0: "all 1,000", 1: "999", 1000: "none"}.get(lost, f"about {round(1000 - lost, -1):,}")
