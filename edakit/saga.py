"""A saga: steps that each commit on their own, and a way back for those that can be taken back.

Instead of one transaction over several services, step after step is done; if one fails, the steps that were done are undone, last
first. Nothing is rolled back: a compensation is a new action, and others may have seen what it takes back.
Sources: Garcia-Molina and Salem, "Sagas" (SIGMOD 1987); Richardson, Microservices Patterns, chapter 4.

    checkout = Saga("checkout", on="order.placed", completed="order.confirmed", compensated="order.rejected")

    @checkout.step(compensate=release_stock, timeout=5, retry=Retry(3, backoff=0.5))
    async def reserve_stock(order, ctx):
        await ctx.call("inventory", order.data, timeout=2)

`SagaRun` is the rule book: it says what to do next and never does it. Steps run at least once: after a crash of the orchestrator
the step that was under way is run again, so steps and compensations must be idempotent.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from edakit.delivery import Retry
from edakit.errors import HandlerError
from edakit.service import Handler, check_handler, checked_name
from edakit.units import nanoseconds

NO_RETRY = Retry(0)
KEEP_TRYING = Retry(8, backoff=0.1)  # a compensation must get through: it is tried for about 25 s, then a person is asked


@dataclass(frozen=True)
class Step:
    """One step: what does it, what takes it back (None: nothing to take back), its time limit in seconds, its retries."""

    name: str
    action: Handler
    compensate: Handler | None = None
    timeout: float | None = None
    retry: Retry = NO_RETRY
    compensate_retry: Retry = KEEP_TRYING


class Saga:
    """A list of steps, begun by an event. `completed` and `compensated` are the types of the events that tell how it ended."""

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
    ) -> Callable[[Handler], Handler]:
        """Add the next step; its name is the function's. A step fails by raising: `Refused` at once, other errors after its retries.

        Raises HandlerError for a function of another shape or a name used twice.
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
            self.steps.append(Step(name, action, compensate, timeout, retry, compensate_retry))
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


class SagaRun:
    """Where one run stands: a fold of its log. `status` is running, compensating, completed, compensated or parked."""

    def __init__(self, steps: list[Step], log: Iterable[Entry] = ()) -> None:
        self.steps = steps
        self.log: list[Entry] = []
        self.status = "running" if steps else "completed"
        self._owed: list[Step] = []  # done and not undone, in order
        self._at = 0  # the step under way
        for entry in log:
            self.note(entry)

    def next(self) -> Task | None:
        """The next thing to do, or None: the run has ended."""
        if self.status == "running":
            return Task("do", self.steps[self._at], self._at + 1)
        if self.status == "compensating":
            step = self._owed[-1]
            return Task("undo", step, self.steps.index(step) + 1)
        return None

    def note(self, entry: Entry) -> None:
        """Take down how the present task ended. Raises ValueError for an entry about any other; then nothing changes."""
        task = self.next()
        fits = task is not None and task.step.name == entry.step and entry.outcome in OUTCOMES[task.verb]
        if task is None or not fits:
            raise ValueError(
                f"{entry.outcome} {entry.step}: the run is {self.status}, its next task is {task and task[0]} {task and task.step.name}"
            )
        self.log.append(entry)
        if entry.outcome == "done":
            self._at += 1
            self._owe(task.step)
            self.status = "completed" if self._at == len(self.steps) else "running"
        elif entry.outcome == "failed":
            if entry.unknown:
                self._owe(task.step)
            self.status = "compensating" if self._owed else "compensated"
        elif entry.outcome == "undone":
            self._owed.pop()
            self.status = "compensating" if self._owed else "compensated"
        else:
            self.status = "parked"

    def _owe(self, step: Step) -> None:
        if step.compensate is not None:
            self._owed.append(step)


OUTCOMES = {"do": ("done", "failed"), "undo": ("undone", "stuck")}
