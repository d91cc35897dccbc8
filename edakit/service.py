"""What a learner writes: a service, its handlers, and the context that a handler sees. Nothing here knows where it runs.

    payment = Service("payment")

    @payment.on("order.placed")
    async def charge(order, ctx):
        await ctx.sleep(0.2)
        await ctx.publish("payment.processed", {"order": order.data["order"]})

Where a service is deployed decides what its `ctx` does: virtual time in a lab, a real broker behind an adapter. `Context` is
that seam. Its verbs are a closed list.
"""

import inspect
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from edakit.chance import Random
from edakit.errors import HandlerError, WiringError
from edakit.event import Event
from edakit.topics import topic_matches


class DeliveryInfo(Protocol):
    """What a handler may know about how an event reached it."""

    @property
    def count(self) -> int:
        """How many times it has been delivered, this time included."""

    @property
    def redelivered(self) -> bool:
        """Whether somebody may have handled it before."""

    @property
    def place(self) -> str:
        """The queue, partition or server it comes from."""

    @property
    def tag(self) -> int:
        """Delivery tag of a queue, offset of a partition."""


class Context(Protocol):
    """What a handler can do to the world (verbs, all awaited but `timeout`, `transaction` and `log`) and what it can know (data)."""

    @property
    def now(self) -> float:
        """Processing time in seconds: virtual in a lab."""

    @property
    def random(self) -> Random:
        """This instance's own random numbers: the same for the same seed."""

    @property
    def delivery(self) -> DeliveryInfo:
        """How the event at hand got here."""

    @property
    def state(self) -> dict[str, Any]:
        """The memory of this instance: gone after a crash."""

    @property
    def db(self) -> Any:
        """The service's database (`deploy(db=...)`): survives a crash."""

    def sleep(self, seconds: float) -> Awaitable[None]:
        """Work, or wait, for so long."""

    def publish(self, type: str, data: Any = None, key: str | None = None, **properties: Any) -> Awaitable[Event]:
        """Publish what follows from the event at hand; return when the broker has confirmed it.

        properties, to a broker: headers, priority, ttl (seconds), persistent, mandatory.
        """

    def call(self, service: str, data: Any = None, *, timeout: float, key: str | None = None) -> Awaitable[Any]:
        """Ask a service and wait for its answer. Raises CallTimeout (outcome unknown) or CallRefused (outcome no)."""

    def gather(self, *work: Awaitable[Any]) -> Awaitable[list[Any]]:
        """Do several things at once; return their results in order. The first error cancels the rest."""

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[None]:
        """`async with ctx.timeout(2):` raises TimeoutError where the block stands after so long."""

    def transaction(self) -> AbstractAsyncContextManager[None]:
        """`async with ctx.transaction():` what is published in the block, and the offset of the event at hand: all or nothing."""

    def log(self, text: str) -> None:
        """Leave a line in the trace."""


Handler = Callable[[Any, Any], Awaitable[Any]]


class Service:
    """Handlers by event type, under a name. The first whose pattern covers a type gets it."""

    def __init__(self, name: str) -> None:
        self.name = checked_name("service", name)
        self.handlers: dict[str, Handler] = {}
        self._found: dict[str, Handler] = {}

    def on(self, *patterns: str) -> Callable[[Handler], Handler]:
        """Register `async def handler(event, ctx)` for event types; `*` covers one word, `#` any number (AMQP topics).

        Raises HandlerError for a handler of another shape or a pattern taken already.
        """
        if not patterns or not all(isinstance(pattern, str) and pattern for pattern in patterns):
            raise HandlerError(f'{self.name}.on{patterns!r}: name the event types, as in @{self.name}.on("order.placed")')

        def register(handler: Handler) -> Handler:
            check_handler(handler, f"{self.name}.on({', '.join(map(repr, patterns))})")
            for n, pattern in enumerate(patterns):
                if pattern in self.handlers or pattern in patterns[:n]:
                    raise HandlerError(
                        f"{self.name} handles {pattern!r} already: one handler a pattern; run the cell that makes the service again"
                    )
            self.handlers.update(dict.fromkeys(patterns, handler))
            self._found.clear()
            return handler

        return register

    def handler(self, type: str) -> Handler:
        """The handler for an event type; one that does nothing if the service has none (a group reads all of its topic)."""
        found = self._found.get(type)
        if found is None:
            found = next((h for pattern, h in self.handlers.items() if topic_matches(pattern, type)), nobody)
            self._found[type] = found
        return found

    def __repr__(self) -> str:
        return f"<service {self.name}: {', '.join(self.handlers) or 'no handlers'}>"


async def nobody(event: Event, ctx: Context) -> None:
    """The handler of what a service does not listen to."""


def check_handler(handler: object, what: str) -> None:
    """Raise HandlerError unless `handler` is an async function of an event and a context."""
    name = getattr(handler, "__name__", repr(handler))
    if not inspect.iscoroutinefunction(handler):
        shown = name if name.isidentifier() else "handler"
        raise HandlerError(f"{what}: {name} is not an async function; write `async def {shown}(event, ctx):`")
    needed = [p for p in inspect.signature(handler).parameters.values() if p.default is p.empty and p.kind in (0, 1, 3)]
    places = [p for p in inspect.signature(handler).parameters.values() if p.kind in (0, 1, 2)]
    if len(needed) > 2 or (len(places) < 2 and not any(p.kind == 2 for p in places)):
        raise HandlerError(f"{what}: {name} takes {inspect.signature(handler)}; write `async def {name}(event, ctx):`")


def checked_name(what: str, name: object) -> str:
    """A name as it may stand in a trace. Raises WiringError for anything but letters, digits, `-`, `_` and inner dots."""
    if isinstance(name, str):
        if name.isidentifier():
            return name
        words = name.split(".")
        if len(words) > 1 and words[-1].isdigit():
            raise WiringError(f"{what} name {name!r}: .{words[-1]} at the end is how instances are numbered; use another name")
        if all(word and all(char.isalnum() or char in "-_" for char in word) for word in words):
            return name
    raise WiringError(f"{what} name {name!r}: use letters, digits, - and _ (names stand in traces and pictures)")
