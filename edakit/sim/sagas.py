"""An orchestrator in virtual time: it asks the rules of `edakit.saga` what to do next, does it, and writes it down.

The log of each run is durable (`edakit.saga.SagaLog`). An orchestrator that crashed gets the event that began the run again, reads the
log, and goes on behind the last step that is written there; what another process has left open in a file is begun again when the saga
is deployed. A run has one live orchestrator at a time: an event that comes twice begins nothing new.
"""

from collections import deque
from typing import TYPE_CHECKING, Any

from edakit.errors import CallRefused, Refused, WiringError
from edakit.event import Event
from edakit.saga import Entry, Saga, SagaLog, SagaRun, Task
from edakit.service import Handler, Service
from edakit.sim.brokers import Broker
from edakit.sim.runtime import SimContext, check_mistake, say
from edakit.units import nanoseconds

if TYPE_CHECKING:
    from edakit.sim.kernel import Task as Waiter
    from edakit.sim.world import World

LOG = 1_000_000  # virtual nanoseconds to write one entry


class Orchestrator:
    """Runs of one saga, named by the id of the event that began them."""

    def __init__(self, saga: Saga, lab: "World", log: SagaLog) -> None:
        self.saga, self.lab = saga, lab
        self.log = log
        self._left = [self._checked(run, began) for run, began in log.open().items()]
        self._lines: dict[str, deque[tuple[Waiter, int]]] = {}  # runs under way, and who waits for their end

    def _checked(self, run: str, began: Any) -> Event:
        """What began a run. Raises WiringError for one that is not a run of these steps."""
        try:
            SagaRun(self.saga.steps, self.log.entries(run))
        except ValueError as error:
            raise WiringError(
                f"the log of saga {self.saga.name} holds a run of other steps: {run}: {error}; "
                "deploy the saga that began it, or give another file"
            ) from None
        return Event.from_dict(began)

    def service(self) -> Service:
        """The orchestrator as a service: one handler, for the event that begins a run."""
        service = Service(self.saga.name)
        service.on(self.saga.on)(self.run)
        return service

    def go_on(self, home: Any) -> None:
        """Begin again what a dead process has left open. A broker gives it to the saga alone, and tells nobody else."""
        for event in self._left:
            if isinstance(home, Broker):
                home.ask(self.saga.name, event, self.lab.kernel.ns)
            else:
                home.accept(event, self.lab.kernel.ns)

    async def run(self, event: Event, ctx: SimContext) -> None:
        """One run, from where its log stands to its end.

        The event may come twice. The second waits for the end of the run: to return at once would be to acknowledge what has not been
        done, and a crash of the first would end the run for ever.
        """
        while event.id in self._lines:
            await self.lab.kernel.park(f"the end of saga run {event.id}", self._lines[event.id])
        if self.log.status(event.id) not in (None, "open"):
            return
        line = self._lines[event.id] = deque()
        try:
            await self._to_the_end(event, ctx)
        finally:
            del self._lines[event.id]
            for waiter in line:
                self.lab.kernel.wake(*waiter)

    async def _to_the_end(self, event: Event, ctx: SimContext) -> None:
        saga = self.saga
        begun = not self.log.begin(event.id, event.to_dict())  # by an orchestrator that is gone, perhaps in the middle of a step
        if not begun:
            self._row("saga", ctx, event, f"begun {event.id}")
        run = SagaRun(saga.steps, self.log.entries(event.id))
        news = not run.log
        while tasks := run.tasks():
            news = True
            work = [self._task(task, run, event, ctx, unknown=begun) for task in tasks]
            await (work[0] if len(work) == 1 else ctx.gather(*work))
            begun = False
        if news:
            self._row("saga", ctx, event, f"{run.status} {event.id}")
        ending = saga.completed if run.status == "completed" else saga.compensated if run.status == "compensated" else None
        if ending:
            await ctx.publish(ending, event.data)
        self.log.end(event.id, run.status)

    async def _task(self, task: Task, run: SagaRun, event: Event, ctx: SimContext, *, unknown: bool) -> None:
        """Do or undo a step, and write down how that ended."""
        began = self.lab.kernel.ns
        entry, why = await self._attempt(task, event, ctx, unknown=unknown)
        ctx.verb("saga log")
        await self.lab.kernel.sleep(LOG)
        run.note(entry)
        self.log.append(event.id, entry)
        self._row("step", ctx, event, f"{entry.outcome} {entry.step} {event.id}", task.number, began)
        if why:
            ctx.log(f"{entry.step}: {why}")

    async def _attempt(self, task: Task, event: Event, ctx: SimContext, *, unknown: bool) -> tuple[Entry, str]:
        """Do or undo a step, with its time limit and retries: the entry for the log, and why it failed.

        `unknown`: an earlier try may have had an effect. A no to a later one does not settle that.
        """
        step = task.step
        doing = task.verb == "do"
        action = step.action if doing else step.compensate
        assert action is not None, "a step without a compensation is never undone"
        attempt, wait = 0, None
        while True:
            try:
                await self._timed(action, event, ctx, step.timeout)
                return Entry("done" if doing else "undone", step.name), ""
            except (Refused, CallRefused) as no:  # nothing has happened now
                why = str(no)
                if doing and not task.must and getattr(no, "answered", True):
                    return Entry("failed", step.name, unknown), why
            except Exception as error:  # anything else a step raises: it may have had an effect
                check_mistake(error, ctx.instance.name)
                why, unknown = say(error, ctx.instance.service), True
            attempt += 1
            wait = task.retry.delay(attempt, ctx.random, wait)
            if wait is None:
                return Entry("stuck" if task.must else "failed", step.name, unknown and doing), why
            await self.lab.kernel.sleep(nanoseconds(wait))

    async def _timed(self, action: Handler, event: Event, ctx: SimContext, timeout: float | None) -> None:
        if timeout is None:
            await action(event, ctx)
        else:
            async with ctx.timeout(timeout):
                await action(event, ctx)

    def _row(self, kind: str, ctx: SimContext, event: Event, note: str, tag: int = 0, since: int = 0) -> None:
        self.lab.trace.add(self.lab.kernel.ns, kind, self.saga.name, ctx.instance.name, event, tag, since, note)
