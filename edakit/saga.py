"""A saga: steps that each commit on their own, and a way back for those that can be taken back.

Instead of one transaction over several services, step after step is done; if one fails, the steps that were done are undone, last
first. Nothing is rolled back: a compensation is a new action, and others may have seen what it takes back.
Sources: Garcia-Molina and Salem, "Sagas" (SIGMOD 1987); Richardson, Microservices Patterns, chapter 4.

    checkout = Saga("checkout", on="order.placed", completed="order.confirmed", compensated="order.rejected")

    @checkout.step(compensate=release_stock, timeout=5, retry=Retry(3, backoff=0.5))
    async def reserve_stock(order, ctx):
        await ctx.call("inventory", order.data, timeout=2)

`SagaRun` is the rule book: it says what to do next and never does it. Steps run at least once: after a crash of the orchestrator
the step that was under way is run again, so steps and compensations must be idempotent. `SagaLog` keeps what was done, in memory or in
an SQLite file.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any, Literal, NamedTuple

from edakit.delivery import Retry
from edakit.errors import HandlerError
from edakit.service import Handler, check_handler, checked_name
from edakit.units import nanoseconds

NO_RETRY = Retry(0)
KEEP_TRYING = Retry(8, backoff=0.1)  # a compensation must get through: it is tried for about 25 s, then a person is asked


@dataclass(frozen=True)
class Step:
    """One step: what does it, what takes it back (None: nothing to take back), its time limit in seconds, its retries.

    pivot: once it is done there is no way back. retriable: it is not given up; after a pivot every step is. beside: it is done at the
    same time as the one before it.
    """

    name: str
    action: Handler
    compensate: Handler | None = None
    timeout: float | None = None
    retry: Retry = NO_RETRY
    compensate_retry: Retry = KEEP_TRYING
    pivot: bool = False
    retriable: bool = False
    beside: bool = False


class Saga:
    """A list of steps, begun by an event. `completed` and `compensated` are the types of the events that tell how it ended.

    They are published at least once: a crash between that and its entry in the log tells it again, caused by the same event.
    """

    def __init__(self, name: str, on: str, completed: str | None = None, compensated: str | None = None) -> None:
        self.name = checked_name("saga", name)
        if not isinstance(on, str) or not on:
            raise HandlerError(f"Saga({name!r}, on={on!r}): name the event type that begins a run, as in on='order.placed'")
        self.on, self.completed, self.compensated = on, completed, compensated
        self.steps: list[Step] = []

    def step(
        self,
        compensate: Handler | None = None,
        *,
        timeout: float | None = None,
        retry: Retry = NO_RETRY,
        compensate_retry: Retry = KEEP_TRYING,
        pivot: bool = False,
        retriable: bool = False,
        beside: bool = False,
    ) -> Callable[[Handler], Handler]:
        """Add the next step; its name is the function's. A step fails by raising: a no (`Refused`, also of who was called) at once,
        other errors, and that nobody was there to be called, after its retries.

        pivot: the point of no return. retriable, and all steps after a pivot: what fails, a no included, is tried again, and after its
        retries (unless given, those of a compensation) the run is parked for a person; it is never undone for that. beside: at the
        same time as the step before it; what is done of steps side by side is undone if one of them fails, so steps beside a pivot must
        be retriable. timeout: seconds for each try, of the compensation too. Raises HandlerError for a function of another shape, a name
        used twice, or a step beside a pivot that is not retriable.
        """
        if timeout is not None:
            nanoseconds(timeout, "timeout")

        def register(action: Handler) -> Handler:
            check_handler(action, f"{self.name}.step")
            if compensate is not None:
                check_handler(compensate, f"{self.name}.step(compensate=...)")
            name = getattr(action, "__name__", "step")
            if name in (step.name for step in self.steps):
                raise HandlerError(f"saga {self.name} has a step {name!r} already: run the cell that makes the saga again")
            if beside and not self.steps:
                raise HandlerError(f"saga {self.name}, step {name!r}: beside=True needs a step before it")
            step = Step(name, action, compensate, timeout, retry, compensate_retry, pivot, retriable, beside)
            together = [step]
            for each in reversed(self.steps if beside else ()):
                together.append(each)
                if not each.beside:
                    break
            for firm, loose in permutations(together, 2):
                if firm.pivot and not loose.retriable:
                    raise HandlerError(
                        f"saga {self.name}: {loose.name} is done at the same time as the pivot {firm.name}, and if it fails there is no "
                        "way back; make it retriable, or do it before or after the pivot"
                    )
            self.steps.append(step)
            return action

        return register

    def __repr__(self) -> str:
        return f"<saga {self.name} on {self.on}: {' -> '.join(step.name for step in self.steps) or 'no steps'}>"


class Entry(NamedTuple):
    """A line of the durable log of one run."""

    outcome: Literal["done", "failed", "undone", "stuck"]
    step: str
    unknown: bool = False  # failed without an answer: it may have happened, so it is undone too


class Task(NamedTuple):
    """What to do next."""

    verb: Literal["do", "undo"]
    step: Step
    number: int  # place in the list, from 1
    must: bool = False  # there is no way back: it is done, or a person is asked

    @property
    def retry(self) -> Retry:
        """How it is tried again."""
        if self.verb == "undo" or (self.must and self.step.retry is NO_RETRY):
            return self.step.compensate_retry
        return self.step.retry


class SagaRun:
    """Where one run stands: a fold of its log. `status` is running, compensating, completed, compensated or parked."""

    def __init__(self, steps: list[Step], log: Iterable[Entry] = ()) -> None:
        self.steps = steps
        self.log: list[Entry] = []
        self.status = "running" if steps else "completed"
        self._owed: list[Step] = []  # done and not undone, in order
        self._open = self._group(0)  # steps under way, side by side
        self._failed = self._turned = False  # one of them has failed; a pivot is done
        for entry in log:
            self.note(entry)

    def _group(self, at: int) -> list[int]:
        """The places of the steps that begin together."""
        end = next((n for n in range(at + 1, len(self.steps)) if not self.steps[n].beside), len(self.steps))
        return list(range(at, end))

    def tasks(self) -> list[Task]:
        """All that can be done now: steps side by side, or one compensation; empty if the run has ended."""
        if self.status == "running":
            chosen = [(n, self.steps[n]) for n in self._open]
            return [Task("do", step, n + 1, self._turned or step.retriable) for n, step in chosen]
        if self.status == "compensating":
            step = self._owed[-1]
            return [Task("undo", step, self.steps.index(step) + 1, must=True)]
        return []

    def next(self) -> Task | None:
        """The first of the things to do, or None: the run has ended."""
        return next(iter(self.tasks()), None)

    def note(self, entry: Entry) -> None:
        """Take down how a present task ended. Raises ValueError for an entry about any other; then nothing changes."""
        tasks = self.tasks()
        task = next((task for task in tasks if task.step.name == entry.step and entry.outcome in _outcomes(task)), None)
        if task is None:
            there = " or ".join(f"{each.verb} {each.step.name}" for each in tasks) or "nothing"
            raise ValueError(f"{entry.outcome} {entry.step}: the run is {self.status}, its next task is {there}")
        self.log.append(entry)
        if entry.outcome == "stuck":
            self.status = "parked"
        elif task.verb == "undo":
            self._owed.pop()
            self._turn_back()
        else:
            self._open.remove(task.number - 1)
            self._failed = self._failed or entry.outcome == "failed"
            self._turned = self._turned or (task.step.pivot and entry.outcome == "done")
            if task.step.compensate is not None and (entry.outcome == "done" or entry.unknown):
                self._owed.append(task.step)
            if not self._open:
                self._go_on(max(self.steps.index(task.step), *self._group(self._start(task.number - 1))))

    def _start(self, at: int) -> int:
        """Where the steps that are done together with this one begin."""
        return next(n for n in range(at, -1, -1) if not self.steps[n].beside or n == 0)

    def _go_on(self, last: int) -> None:
        """Steps that were done together have all ended."""
        if self._failed:
            self._turn_back()
        elif last + 1 == len(self.steps):
            self.status = "completed"
        else:
            self._open = self._group(last + 1)

    def _turn_back(self) -> None:
        self.status = "compensating" if self._owed else "compensated"


def _outcomes(task: Task) -> tuple[str, ...]:
    if task.verb == "undo":
        return ("undone", "stuck")
    return ("done", "stuck") if task.must else ("done", "failed")


class SagaLog:
    """The durable log of one saga: for each run what was done, in order; in memory, or in an SQLite file.

    An entry is on disk when `append` returns. What a dead process has left is `open()`: the runs to go on with, and what began them.
    """

    def __init__(self, path: str | Path = ":memory:") -> None:
        """Open the file, or make it. Raises ArgumentError if it is there and is something else."""
        from edakit.durable import open_durable  # at the first log, not at the first import of the kit

        self._db = open_durable(
            path,
            "saga log",
            """
            create table if not exists runs (run text primary key, began text not null, ended text);
            create table if not exists entries (n integer primary key, run text, outcome text, step text, unknown integer);
            create index if not exists of_run on entries (run);
            """,
        )

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def begin(self, run: str, began: Any = None) -> bool:
        """Note that a run has begun, and what began it (JSON). False if it had begun already."""
        return self._db.execute("insert or ignore into runs values (?, ?, null)", [run, json.dumps(began)]).rowcount > 0

    def append(self, run: str, entry: Entry) -> None:
        """Note how a task of a run ended."""
        values = (run, entry.outcome, entry.step, entry.unknown)
        self._db.execute("insert into entries (run, outcome, step, unknown) values (?, ?, ?, ?)", values)

    def end(self, run: str, status: str) -> None:
        """Note that a run has ended, and that this has been told."""
        self._db.execute("update runs set ended = ? where run = ?", [status, run])

    def entries(self, run: str) -> list[Entry]:
        """The entries of a run, in order."""
        rows = self._db.execute("select outcome, step, unknown from entries where run = ? order by n", [run])
        return [Entry(outcome, step, bool(unknown)) for outcome, step, unknown in rows]

    def status(self, run: str) -> str | None:
        """None if the run has not begun, "open", or how it ended."""
        row = self._db.execute("select coalesce(ended, 'open') from runs where run = ?", [run]).fetchone()
        return row[0] if row else None

    def runs(self) -> list[str]:
        """All runs that have begun, in order."""
        return [run for (run,) in self._db.execute("select run from runs order by rowid")]

    def open(self) -> dict[str, Any]:
        """The runs that have begun and not ended, in order, and what began them."""
        return {
            run: json.loads(began)
            for run, began in self._db.execute("select run, began from runs where ended is null order by rowid")
        }
