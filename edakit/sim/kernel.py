"""Virtual time: who runs next, and what time it is.

A *task* is a coroutine. It runs until it awaits `sleep` or `park`; then the kernel runs the next one. Time stands still while a
task runs, and jumps to the next timer when no task is ready. What falls on one instant keeps the order in which it was asked
for, so a run is a function of its program. A plain function can be called later, too: a message on its way.

    kernel.spawn("greet", greet), kernel.run()      # async def greet(): await kernel.sleep(SECOND // 5)
"""

import sys
import types
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from heapq import heappop, heappush
from itertools import repeat
from typing import Any

from edakit.errors import DurationError, ForeignAwait, Livelock
from edakit.units import SECOND

FOREVER = sys.maxsize
PARKED = object()  # the one thing a task may yield; private, so that a foreign await cannot imitate it


class Cancelled(BaseException):
    """Thrown into a cancelled task. Not an Exception, so that `except Exception` in a handler does not swallow it."""


class Task:
    """A coroutine and where it stands. `ticket` numbers its present wait (0: not waiting); `why` tells a person."""

    __slots__ = ("args", "coro", "done", "function", "name", "result", "send", "ticket", "why")

    def __init__(self, name: str, function: Callable[..., Coroutine[Any, Any, Any]], args: tuple[Any, ...]) -> None:
        self.name, self.function, self.args = name, function, args
        self.send: Callable[[Any], Any] = self.start
        self.coro: Coroutine[Any, Any, Any] | None = None
        self.result: Any = None
        self.ticket, self.why, self.done = 0, "", False

    def start(self, _: object) -> Any:
        """The first step makes the coroutine: a task that never ran leaves nothing behind to be awaited."""
        self.coro = coro = self.function(*self.args)
        self.send = coro.send
        return coro.send(None)

    def throw(self, error: BaseException) -> Any:
        """A step that raises where the task stands."""
        if self.coro is None:
            raise error
        return self.coro.throw(error)


class Kernel:
    """A clock, a heap of timers and a queue of ready tasks. After an error the tasks stand where they stood; `run` may be called again."""

    def __init__(self) -> None:
        self.ns, self.seq = 0, 0
        self.current: Any = None
        self.tasks: dict[Task, None] = {}  # strong references, in order of spawning
        self.heap: list[tuple[int, int, Any, Any]] = []  # (when, number, task, ticket or 0) or (when, number, function, args)
        self._ready: deque[tuple[Any, Any, Any]] = deque()  # (task, step, value) or (None, function, args)

    @types.coroutine
    def sleep(self, ns: int) -> Generator[object, None, None]:
        """Let virtual time pass. Zero lets the tasks that are ready go first."""
        task = self.current
        self.seq = task.ticket = ticket = self.seq + 1
        if ns > 0:
            heappush(self.heap, (self.ns + ns, ticket, task, 0))
        elif ns == 0:
            self.wake(task, ticket)
        else:
            raise DurationError(f"cannot sleep {ns} ns: time does not run backwards")
        yield PARKED

    @types.coroutine
    def park(self, why: str, waiting: Any = None) -> Generator[object, Any, Any]:
        """Wait for `wake`; return the value it brings. Give your `ticket()` to whoever is to wake you, or name a line to wait in."""
        self.current.why = why
        if waiting is not None:
            waiting.append((self.current, self.ticket()))
        return (yield PARKED)

    def ticket(self) -> int:
        """Number the coming wait of the running task: a wake or a timer with an older number is stale and does nothing."""
        self.seq = self.current.ticket = ticket = self.seq + 1
        return ticket

    def spawn(self, name: str, function: Callable[..., Coroutine[Any, Any, Any]], *args: Any) -> Task:
        """Start a task. It runs when its turn comes, at the present instant."""
        task = Task(name, function, args)
        self.tasks[task] = None
        self._ready.append((task, task.start, None))
        return task

    def later(self, ns: int, function: Callable[..., object], *args: Any) -> None:
        """Call a function after `ns`. What it raises ends the run."""
        self.seq = number = self.seq + 1
        heappush(self.heap, (self.ns + ns, number, function, args))

    def timer(self, ns: int, task: Task, ticket: int) -> None:
        """Wake `task` with None after `ns`, unless its wait is over by then: a timeout is a park plus a timer."""
        self.seq = number = self.seq + 1
        heappush(self.heap, (self.ns + ns, number, task, ticket))

    def wake(self, task: Task, ticket: int, value: Any = None) -> bool:
        """End a wait and hand over `value`; say whether it did: False if that wait is over already."""
        if task.ticket != ticket:
            return False
        task.ticket = 0
        self._ready.append((task, task.send, value))
        return True

    def cancel(self, task: Task, error: BaseException | None = None) -> None:
        """Throw Cancelled (or `error`) into a task where it waits. It may clean up, also with awaits. It cannot cancel itself."""
        if task.done or task is self.current:
            return
        throw = (task, task.throw, error or Cancelled())
        if task.ticket:  # waiting: it becomes ready, and what it waited for is stale
            task.ticket = 0
            self._ready.append(throw)
        else:  # ready already: it gets the error instead of its value
            self._ready[next(i for i, entry in enumerate(self._ready) if entry[0] is task)] = throw

    def run(self, until: int = FOREVER, budget: int = 100_000_000) -> None:
        """Run until nothing is left to do, or to `until` (ns), in at most `budget` steps. An error in a task ends the run and comes out."""
        heap, ready, take, add = self.heap, self._ready, self._ready.popleft, self._ready.append
        hooks, asyncio = sys.get_asyncgen_hooks(), sys.modules.get("asyncio.events")  # not imported: then no loop runs either
        loop = asyncio._get_running_loop() if asyncio else None
        if asyncio:
            asyncio._set_running_loop(None)  # in a notebook, create_task in a handler must raise, not run later
        sys.set_asyncgen_hooks(None, None)
        try:
            for _ in repeat(None, budget):
                if ready:
                    task, step, value = take()
                elif heap and heap[0][0] <= until:
                    when, number, task, value = heappop(heap)
                    if value.__class__ is tuple:
                        task, step = None, task
                    elif task.ticket == (value or number):
                        task.ticket, step, value = 0, task.send, None
                    else:  # stale: that wait is over, and no time passes for it
                        continue
                    self.ns = when
                    while heap and heap[0][0] == when:  # what was due now goes before what it will bring about
                        _, number, other, args = heappop(heap)
                        if args.__class__ is tuple:
                            add((None, other, args))
                        elif other.ticket == (args or number):
                            other.ticket = 0
                            add((other, other.send, None))
                else:
                    break
                self.current = task
                if task is None:
                    step(*value)
                    continue
                try:
                    if step(value) is not PARKED:
                        self._foreign(task)
                except StopIteration as end:
                    self._ended(task, end.value)
                except BaseException as error:
                    self._ended(task, None, error)
            else:
                who = getattr(self.current, "name", "messages")
                raise Livelock(f"{budget:,} steps without an end at t={self.ns / SECOND}; running: {who}")
            self.ns = self.ns if until is FOREVER else max(self.ns, until)
        finally:
            self.current = None
            sys.set_asyncgen_hooks(*hooks)
            if asyncio:
                asyncio._set_running_loop(loop)

    def stuck(self) -> list[tuple[str, str]]:
        """Who waits for what when nothing is left to run: (task name, reason), in order of spawning."""
        return [(task.name, task.why) for task in self.tasks if task.ticket]

    def close(self) -> None:
        """End every task, last spawned first. Each may clean up, also with awaits; virtual time passes for those."""
        self._ready.clear()
        self.heap.clear()
        for task in reversed(self.tasks):
            task.ticket = 0
            self._ready.append((task, task.throw, Cancelled()))
        self.run()

    def _ended(self, task: Task, result: object, error: BaseException | None = None) -> None:
        task.ticket, task.done, task.result = 0, True, result
        del self.tasks[task]
        if error and not isinstance(error, Cancelled):
            raise error

    def _foreign(self, task: Task) -> None:
        """A task awaited something that is not ours: tell it so, where it stands."""
        task.ticket = 0
        why = f"{task.name} awaited something that does not live in virtual time (asyncio.sleep?): use ctx.sleep"
        self._ready.appendleft((task, task.throw, ForeignAwait(why)))
