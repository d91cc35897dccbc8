"""Running services: the only place that calls a learner's code.

An *instance* is one running copy of a service: an inbox, some workers, a memory. It takes deliveries from its *home* (a broker, a
stream or a server), runs the handler, and tells the home how that ended. A crash ends the object; a restart makes a new one, so
what was on its way to the old one arrives nowhere.
"""

import inspect
import traceback
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from edakit.broker.declared import message_properties
from edakit.chance import Random
from edakit.errors import CallFailed, CallRefused, CallTimeout, EdakitError, ForeignAwait, Mistake, Refused, WiringError
from edakit.event import Event
from edakit.service import Service
from edakit.sim.database import Session
from edakit.sim.kernel import Cancelled, Kernel, Task
from edakit.sim.world import PATIENCE, NobodyUp
from edakit.units import SECOND, nanoseconds

if TYPE_CHECKING:
    from edakit.sim.deployment import Deployment
    from edakit.sim.world import Home, Outlet

IDLE = "a delivery"  # what a worker waits for that has nothing to do


class Delivered(Protocol):
    """What a home hands to an instance."""

    event: Event
    tag: int

    place: str
    count: int

    @property
    def redelivered(self) -> bool:
        """Whether somebody may have handled it before."""


class Instance:
    """A running copy of a service. It has a task only while it has work."""

    def __init__(self, deployment: "Deployment", name: str, home: "Home") -> None:
        self.deployment, self.name, self.home, self.lab = deployment, name, home, deployment.lab
        self.service: Service = deployment.service
        self.kernel: Kernel = self.lab.kernel
        self.state: dict[str, Any] = {}
        self.up = True
        self.arrive: Callable[[Any], None] = self.receive  # where its home sends deliveries to
        self.settle = home.settle  # what hears how a handler has ended
        self.consumer: Any = None  # what its home knows it as
        self.inbox: deque[Any] = deque()
        self.tasks: dict[Task, None] = {}  # workers, and parts of what they gather
        self._idle: list[tuple[Task, int]] = []  # workers that wait for a delivery
        self._workers = 0

    @property
    def random(self) -> Random:
        """Its own random numbers; the first instance keeps its own however many there are."""
        return self.lab.random(self.name if self.name != self.service.name else f"{self.name}.1")

    def receive(self, delivery: Any) -> None:
        """A delivery has arrived."""
        if not self.up:
            return
        self.inbox.append(delivery)
        if self._idle:
            self.kernel.wake(*self._idle.pop())
        elif self._workers < self.deployment.concurrency:
            self._workers += 1
            self.tasks[self.kernel.spawn(self.name, self._work)] = None

    async def _work(self) -> None:
        """Take, handle, settle; wait for more."""
        kernel, inbox, idle, settle, write = self.kernel, self.inbox, self._idle, self.settle, self.lab.trace.write
        name, handler, park = self.name, self.service.handler, kernel.park
        try:
            while True:
                while inbox:
                    delivery = inbox.popleft()
                    event, began = delivery.event, kernel.ns
                    try:
                        result = await handler(event.type)(event, SimContext(self, delivery, event))
                    except Exception as error:  # whatever a handler raises is part of the story
                        settle(self, delivery, *await self.handle(delivery, began, error))
                    else:
                        write((kernel.ns, "handle", delivery.place, name, event, delivery.tag, began, ""))
                        settle(self, delivery, None, result)
                await park(IDLE, idle)
        except (Exception, KeyboardInterrupt):
            # A learner's mistake or wish ends the run; another worker goes on when it is resumed.
            self.tasks[kernel.spawn(name, self._work)] = None
            raise

    async def handle(self, delivery: Any, began: int = 0, error: Exception | None = None) -> tuple[Exception | None, Any]:
        """Run the handler once more than it fails, as the deployment allows; write how it went: (error, result).

        With an error, the first try has been made, and this is how it ended.
        """
        event, add, kernel, attempt, wait = delivery.event, self.lab.trace.add, self.kernel, 0, None
        while True:
            if error is None:
                began = kernel.ns
                try:
                    result = await self.service.handler(event.type)(event, SimContext(self, delivery, event))
                except Exception as raised:  # as above
                    error = raised
                else:
                    add(kernel.ns, "handle", delivery.place, self.name, event, delivery.tag, began)
                    return None, result
            check_mistake(error, self.name)
            if isinstance(error, Refused):
                add(kernel.ns, "handle", delivery.place, self.name, event, delivery.tag, began, f"refused: {error}")
                return error, None
            add(kernel.ns, "fail", delivery.place, self.name, event, delivery.tag, began, say(error, self.service))
            attempt += 1
            retry = self.deployment.retry
            wait = retry.delay(attempt, self.random, wait) if retry else None
            if wait is None:
                return error, None
            await kernel.sleep(nanoseconds(wait))
            error = None

    def retire(self) -> None:
        """End the workers that wait for a delivery: the lab is closing."""
        while self._idle:
            task, _ = self._idle.pop()
            if task.done:  # ended by a crash where it waited
                continue
            if task.coro is not None:
                task.coro.close()
            del self.kernel.tasks[task]

    def crash(self) -> None:
        """Stop where it stands, memory and inbox gone; what it sent before is still on its way."""
        self.up = False
        self.lab.trace.add(self.kernel.ns, "crash", self.home.name, self.name, None)
        self.inbox.clear()
        for task in self.tasks:
            if task is self.kernel.current:  # a handler that kills its own instance: it ends where it next waits
                self.kernel.later(0, self.kernel.cancel, task)
            self.kernel.cancel(task)
        self.home.crashed(self)


class SimContext:
    """`ctx` in virtual time. One for each time a handler runs."""

    __slots__ = ("_verbs", "delivery", "event", "instance")

    def __init__(self, instance: Instance, delivery: Delivered, event: Event | None) -> None:
        self.instance, self.delivery, self.event = instance, delivery, event
        self._verbs: list[str] | None = None  # done so far; kept only where crashes may fall between two

    @property
    def now(self) -> float:
        """Virtual seconds."""
        return self.instance.kernel.ns / SECOND

    @property
    def random(self) -> Random:
        """The random numbers of this instance."""
        return self.instance.random

    @property
    def state(self) -> dict[str, Any]:
        """The memory of this instance: gone after a crash."""
        return self.instance.state

    @property
    def db(self) -> Session:
        """The service's database. Raises WiringError if it was deployed without."""
        database = self.instance.deployment.db
        if database is None:
            raise WiringError(f"{self.instance.service.name} has no database: deploy it with db=lab.database(...)")
        return Session(database, self)

    def verb(self, name: str) -> None:
        """A point at which the instance may die; every verb and database statement begins with one."""
        instance = self.instance
        if not instance.up:  # what cleans up after a crash is as dead as the rest
            raise Cancelled
        crashes = instance.lab.crashes
        if crashes and instance.home.kind != "client":
            done, random = self._verbs or [], instance.lab.random(f"faults/crash/{instance.name}")
            instance.lab.network.about = self.event
            for fault, struck in crashes.items():
                here = fault.between is None or (name == fault.between[1] and fault.between[0] in done)
                if here and fault.strikes(instance.name, self.event) and random.random() < fault.crash and struck != fault.times:
                    crashes[fault] += 1
                    instance.lab.strike(instance.name, fault.restart_after)
                    raise Cancelled
            self._verbs = [*done, name]

    def make(self, type: str, data: Any, key: str | None) -> Event:
        """A new event that follows from the one at hand."""
        cause = self.event
        key = cause.key if key is None and cause else key
        return self.instance.lab.event(type, data, key, self.instance.name, cause)

    def outlet(self) -> "Outlet":
        """Where this service publishes to. Raises WiringError if nowhere."""
        outlet = self.instance.deployment.outlet
        if outlet is None:
            raise WiringError(f"{self.instance.service.name} has nowhere to publish to: deploy it with publishes=lab.broker(...)")
        return outlet

    async def sleep(self, seconds: float) -> None:
        """Work, or wait, for so many virtual seconds. Raises DurationError for a negative time."""
        ns, instance = nanoseconds(seconds, "ctx.sleep"), self.instance
        self.verb("sleep")
        for fault in instance.lab.slow:
            if fault.strikes(instance.name, self.event):
                ns = round(ns * fault.slow)
        await instance.kernel.sleep(ns)

    async def publish(self, type: str, data: Any = None, key: str | None = None, **properties: Any) -> Event:
        """Publish what follows from the event at hand; return when it is confirmed. The key is that of the cause if none is given.

        properties, to a broker: headers, priority, ttl, persistent, mandatory (see `edakit.broker.message_properties`).
        Raises CallTimeout after 5 s without a confirm (it may have arrived), CallRefused if a queue is full or a mandatory event
        reaches none (other queues have it all the same), PayloadError if the data is not JSON.
        """
        instance, cause = self.instance, self.event
        lab, outlet = instance.lab, instance.deployment.outlet or self.outlet()
        event = lab.event(type, data, cause.key if key is None and cause else key, instance.name, cause)
        if properties:
            event = event._replace(extensions=message_properties(**properties))
        if lab.crashes or not instance.up:
            self.verb("publish")
        if outlet.inline:
            await outlet.run_inline(event)
            return event
        kernel, network = lab.kernel, lab.network
        task, ticket = kernel.current, kernel.ticket()
        message = event, kernel.ns, (instance.name, task, ticket)
        if quick := network.quick:
            quick(outlet.accept, message)
        else:
            network.send("publish", instance.name, outlet.name, event, outlet.accept, *message)
            kernel.timer(PATIENCE, task, ticket)
        confirm = await kernel.park("the broker's confirm")
        if confirm is not True:
            if confirm:
                raise CallRefused(confirm)
            raise CallTimeout(f"{outlet.name} has not confirmed {event.id} within {PATIENCE // SECOND} s: it may have it or not")
        return event

    async def call(self, service: str, data: Any = None, *, timeout: float, key: str | None = None) -> Any:
        """Ask `service` (or `service/operation`, if it answers several) and wait for the answer, at most `timeout` virtual seconds.

        Raises CallTimeout (outcome unknown: the request, the work or the reply may be what is missing), CallFailed (the service says
        that it failed, outcome unknown) or CallRefused (outcome no).
        `key` travels with the request: give the same for every try of one intent, and the service can recognise it.
        """
        instance = self.instance
        kernel, lab = instance.kernel, instance.lab
        patience = nanoseconds(timeout, "timeout")
        endpoint, operation = lab.endpoint(service)
        request = self.make(operation, data, key)
        self.verb("call")
        asked, task, ticket, target = kernel.ns, kernel.current, kernel.ticket(), service.partition("/")[0]
        lab.pending[request.id] = (instance.name, task, ticket)
        lab.trace.add(asked, "call", target, instance.name, request)
        node = target if endpoint.kind == "server" else endpoint.name
        lab.network.send("request", instance.name, node, request, endpoint.ask, target, request, asked)
        kernel.timer(patience, task, ticket)
        try:
            answer = await kernel.park(f"the answer of {target} to {request.id}")
        finally:
            lab.pending.pop(request.id, None)
        if answer is None:
            lab.trace.add(kernel.ns, "timeout", target, instance.name, request, 0, asked)
            raise CallTimeout(f"no answer of {target} to {request.id} within {timeout} s: it may have happened or not")
        reply, error = answer
        lab.trace.add(kernel.ns, "reply", target, instance.name, reply, 0, asked, "" if error is None else str(error))
        if error is None:
            return reply.data
        if isinstance(error, Refused):
            raise CallRefused(str(error), answered=not isinstance(error, NobodyUp))
        raise CallFailed(f"{target} failed: {error}")

    async def gather(self, *work: Awaitable[Any]) -> list[Any]:
        """Do several things at once; return their results in order. The first error cancels the rest and comes out here."""
        kernel, parent, tasks = self.instance.kernel, self.instance.kernel.current, self.instance.tasks
        results: list[Any] = [None] * len(work)
        failures: list[Exception] = []
        left = len(work)

        async def one(n: int, part: Awaitable[Any]) -> None:
            nonlocal left
            try:
                results[n] = await part
            except Exception as error:  # handed on to the parent below
                failures.append(error)
            left -= 1
            tasks.pop(kernel.current, None)
            if failures or not left:
                kernel.wake(parent, ticket)

        children = [kernel.spawn(f"{self.instance.name}: part {n + 1}", one, n, part) for n, part in enumerate(work)]
        tasks.update(dict.fromkeys(children))
        ticket = kernel.ticket()
        try:
            if work:
                await kernel.park("its parts")
        finally:
            for child, part in zip(children, work, strict=True):
                kernel.cancel(child)
                tasks.pop(child, None)
                if child.coro is None:
                    part.close()  # type: ignore[attr-defined]
        if failures:
            raise failures[0]
        return results

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[None]:
        """`async with ctx.timeout(2):` raises TimeoutError where the block stands after so many virtual seconds."""
        return Deadline(self.instance.kernel, seconds)

    def transaction(self) -> AbstractAsyncContextManager[None]:
        """All that is published in the block, and the offset of the event at hand, become visible together, or not at all (KIP-98).

        Raises WiringError unless the service has a Producer(transactional=True); at its end CallRefused if it had to be aborted.
        """
        outlet: Any = self.outlet()
        if outlet.kind != "stream":
            raise WiringError(
                f"{self.instance.service.name} publishes to {outlet.name}, a {outlet.kind}: only a stream has transactions"
            )
        self.verb("transaction")
        begun: AbstractAsyncContextManager[None] = outlet.transaction(self)
        return begun

    def log(self, text: str) -> None:
        """Leave a line in the trace."""
        instance = self.instance
        if not instance.up:
            return
        instance.lab.trace.add(instance.kernel.ns, "log", self.delivery.place, instance.name, self.event, 0, 0, str(text))
        self._verbs = [*(self._verbs or []), str(text)]


class TimeUp(BaseException):
    """Thrown where a block stands when its time is up. Not an Exception, so that a handler does not swallow it."""


class Deadline:
    """A block that must end in time."""

    def __init__(self, kernel: Kernel, seconds: float) -> None:
        self.kernel, self.seconds, self.ns = kernel, seconds, nanoseconds(seconds, "timeout")
        self.error: TimeUp | None = None

    async def __aenter__(self) -> None:
        self.error = TimeUp()
        self.kernel.later(self.ns, self._time_up, self.kernel.current, self.error)

    def _time_up(self, task: Task, error: TimeUp) -> None:
        if self.error is error:  # the block is still open
            self.kernel.cancel(task, error)

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        mine, self.error = self.error, None
        if error is mine and mine is not None:
            raise TimeoutError(f"no end within {self.seconds} s") from None


def check_mistake(error: Exception, name: str) -> None:
    """Raise what is no part of the story: a mistake of whoever wrote the handler, or asyncio at a loss for its loop."""
    if isinstance(error, Mistake):
        raise error
    if isinstance(error, RuntimeError) and ("no running event loop" in str(error) or "no current event loop" in str(error)):
        text = f"{name} awaited something that does not live in virtual time (asyncio.sleep?): use ctx.sleep"
        raise ForeignAwait(text).with_traceback(error.__traceback__) from None


def say(error: Exception, service: Service) -> str:
    """An error in one line: what, and where in the learner's handler, counted from the handler's first line."""
    where = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        code = frame.f_code
        if any(code is getattr(inspect.unwrap(handler), "__code__", None) for handler in service.handlers.values()):
            where = f" in {code.co_name}, line {line - code.co_firstlineno}"
    text = (
        str(error) if isinstance(error, EdakitError) else "".join(traceback.format_exception_only(error)).strip().split("\n")[-1]
    )
    return text + where
