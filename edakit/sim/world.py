"""What the parts of a lab share: one clock, one network, one trace, random numbers, events, and who is who.

Brokers, streams, servers, databases and instances know the world they live in and nothing of the facade that built it.
"""

from collections.abc import Callable, Collection
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from edakit.chance import Random
from edakit.errors import ArgumentError, ClosedError, PayloadError, Refused, WiringError, known
from edakit.event import NOTHING, Event, freeze, new_event
from edakit.service import checked_name, nobody
from edakit.sim.kernel import Kernel, Task
from edakit.sim.network import HOP, Network
from edakit.trace import Trace
from edakit.units import SECOND, nanoseconds

if TYPE_CHECKING:
    from edakit.sim.database import Database
    from edakit.sim.deployment import Deployment
    from edakit.sim.faults import Faults
    from edakit.sim.runtime import Instance


class Home(Protocol):
    """Where a service is deployed: a broker, a stream or a server. It brings deliveries and hears how they ended."""

    name: str
    kind: str  # broker, stream or server

    def start(self, deployment: "Deployment", name: str) -> "Instance":
        """Begin an instance and let deliveries come."""

    def settle(self, instance: "Instance", delivery: Any, error: Exception | None, result: Any) -> None:
        """A handler has ended: with an error, or with a result."""

    def crashed(self, instance: "Instance") -> None:
        """An instance is gone."""

    def ask(self, service: str, request: Event, since: int) -> None:
        """A request for a service that is deployed here has arrived."""


Waiter = tuple[str, Task | None, int]  # who waits for a confirm, and how to wake it; an outbox is told without a message
OUTBOX: Waiter = ("", None, 0)


class NobodyUp(Refused):
    """The connection is refused: no instance of a service is there."""


class Outlet(Protocol):
    """Where a service publishes to: a broker or a stream."""

    name: str
    inline: bool

    def accept(self, event: Event, since: int, confirm: Waiter | None = None) -> None:
        """An event that was published at `since` has arrived here."""

    async def run_inline(self, event: Event) -> None:
        """Handle an event inside the publisher's own call."""


PATIENCE = 5 * SECOND  # how long a publisher waits for a confirm


@lru_cache(maxsize=4096)
def split(type: str) -> tuple[str, str]:
    """An event type cut behind its first word: the key of an event goes between."""
    entity, dot, verb = type.partition(".")
    return entity, dot + verb


class World:
    """The shared state of a lab under a seed."""

    def __init__(self, seed: int = 0, *, hop: float | None = None, trace: Collection[str] | None = None) -> None:
        self.seed, self.kernel, self.trace = seed, Kernel(), Trace(only=trace)
        self.network = Network(self.kernel, self.trace, self.random, HOP if hop is None else nanoseconds(hop, "hop"))
        self.homes: dict[str, Home] = {}
        self.machines: dict[str, Any] = {}  # of homes that have several: fail() and recover()
        self.databases: dict[str, Database] = {}
        self.deployments: dict[str, Deployment] = {}
        self.instances: dict[str, Instance] = {}  # the one that runs under a name, or ran last
        self.clients: dict[str, None] = {}
        self.pending: dict[str, tuple[str, Task, int]] = {}  # requests without an answer yet: who waits, and how to wake it
        self.crashes: dict[Faults, int] = {}  # crashes at random points, and how often each has struck
        self.slow: list[Faults] = []  # what makes handlers slow
        self.closed, self.running = False, False
        self.bounded = False  # whether the run has a time at which it ends, whatever goes on
        self._randoms: dict[str, Random] = {}
        self._counts: dict[str, int] = {}  # events by id without the number

    @property
    def now(self) -> float:
        """Virtual seconds since the start."""
        return self.kernel.ns / SECOND

    def random(self, name: str) -> Random:
        """The random numbers of one component, made at the first draw: one more component changes no other's."""
        found = self._randoms.get(name)
        if found is None:
            found = self._randoms[name] = Random(f"{self.seed}/{name}")
        return found

    def event(self, type: str, data: Any, key: str | int | None, source: str, cause: Event | None) -> Event:
        """A new event with an id a person can read: order-42.placed.1 is the first order.placed with key 42.

        Raises ClosedError, or PayloadError for a type, key or data that an event cannot have.
        """
        if self.closed or (key.__class__ is not str and key is not None) or type.__class__ is not str or not type:
            key = self._check(type, key)
        entity, verb = split(type)
        stem = type if key is None else f"{entity}-{key}{verb}"
        counts = self._counts
        counts[stem] = n = counts.get(stem, 0) + 1
        id = f"{stem}.{n}"
        if cause is None:
            return new_event((id, type, source, freeze(data), key, self.kernel.ns, None, id, NOTHING))
        return new_event((id, type, source, freeze(data), key, self.kernel.ns, cause.id, cause.correlation, NOTHING))

    def _check(self, type: object, key: str | int | None) -> str | None:
        """Look at the type and the key of an event to be made; the key as it will be."""
        self.check_open(f"publish {type!r}")
        if not isinstance(type, str) or not type:
            raise PayloadError(f"event type {type!r}: give a name like 'order.placed'")
        if not isinstance(key, (str, int, None.__class__)) or isinstance(key, bool):
            raise PayloadError(f"key {key!r}: a key is a string or a whole number")
        return str(key) if isinstance(key, int) else key

    def client(self, name: str) -> str:
        """Note the name of somebody outside."""
        if name not in self.clients:
            self.clients[checked_name("client", name)] = None
        return name

    def admits(self) -> bool:
        """Whether the next request from outside is made; an explorer leaves some out."""
        return True

    def endpoint(self, service: str) -> tuple[Home, str]:
        """Where a service answers, and the operation asked for: `service`, or `service/operation`. Raises WiringError if there is none."""
        name, _, operation = service.partition("/")
        if name not in self.deployments:
            raise WiringError(known("service", name, list(self.deployments)))
        found = self.deployments[name].service
        if not operation:
            if len(found.handlers) != 1:
                raise WiringError(f"{name} answers {', '.join(found.handlers)}: say which, '{name}/{next(iter(found.handlers))}'")
            operation = next(iter(found.handlers))
        if found.handler(operation) is nobody:
            raise WiringError(known(f"operation of {name}", operation, list(found.handlers)))
        return self.deployments[name].home, operation

    def answer(self, who: str, request: Event, result: Any, error: Exception | None) -> None:
        """Send the answer to whoever asked, if they still wait."""
        if request.id in self.pending:
            caller, task, ticket = self.pending[request.id]
            reply = self.event(f"{request.type}.reply", result, request.key, who, request)
            self.network.send("reply", who, caller, reply, self.kernel.wake, task, ticket, (reply, error))

    def relay(self, event: Event) -> None:
        """Publish an event from an outbox, once a second until it is taken: one that is lost, refused or not confirmed comes again."""
        outlet = self.instances[event.source].deployment.outlet
        assert outlet is not None, "an event is put in an outbox only where it can be published"
        if not self.network.send("publish", event.source, outlet.name, event, outlet.accept, event, self.kernel.ns, OUTBOX):
            self.kernel.later(SECOND, self.relay, event)

    def unconfirmed(self, event: Event, since: int, source: str, task: Task | None, ticket: int) -> None:
        """Nobody will answer a publisher who waits since then."""
        if task is not None:
            self.kernel.timer(max(0, since + PATIENCE - self.kernel.ns), task, ticket)
        elif not source:  # an outbox; who has a name and no task does not wait
            self.kernel.later(SECOND, self.relay, event)

    def confirm(
        self, home: str, event: Event, since: int, source: str, task: Task | None, ticket: int, refused: str = ""
    ) -> None:
        """Answer a publisher who waits since then: `home` has taken the event, or why not."""
        if task is None:
            if refused:
                self.unconfirmed(event, since, source, task, ticket)
            return
        if quick := self.network.quick:
            quick(self.kernel.wake, (task, ticket, refused or True))
        else:  # disturbed since the message left, perhaps: then its sender has no time limit yet
            self.network.send("confirm", home, source, event, self.kernel.wake, task, ticket, refused or True)
            self.unconfirmed(event, since, source, task, ticket)

    def paced(self, count: int, rate: float, action: Callable[..., object], *args: Any) -> int:
        """Call `action` so often, `rate` times a second from now on; return the count. Raises ArgumentError for a rate of 0 or less."""
        gap = self.gap(rate, "rate")
        for n in range(count):
            self.kernel.later(n * gap, action, *args)
        return count

    def gap(self, rate: float, what: str) -> int:
        """Nanoseconds from one to the next at so many a second. Raises ArgumentError for a rate of 0 or less."""
        if not (isinstance(rate, (int, float)) and rate > 0):
            raise ArgumentError(f"{what}={rate!r}: messages a second, more than 0")
        return nanoseconds(1 / rate, f"1/{what}")

    def strike(self, name: str, restart_after: float | None) -> None:
        """Kill now what is up under this name."""
        home: Any = self.machines.get(name) or self.homes.get(name)  # only one that can fail is named here
        if home is not None:
            home.fail()
            if restart_after is not None:
                self.kernel.later(nanoseconds(restart_after, "restart_after"), home.recover)
        for each in [key for key, instance in self.instances.items() if name in (key, instance.service.name) and instance.up]:
            self.instances[each].crash()
            if restart_after is not None:
                self.kernel.later(nanoseconds(restart_after, "restart_after"), self.revive, each)

    def revive(self, name: str) -> None:
        """Start a new instance in place of a dead one."""
        old = self.instances[name]
        if not old.up:
            self.trace.add(self.kernel.ns, "restart", old.home.name, name, None)
            self.instances[name] = old.home.start(old.deployment, name)

    def check_node(self, where: str | tuple[str, str] | None) -> None:
        """Raise WiringError for a link or node that names nothing in this lab."""
        there = [*self.clients, *self.homes, *self.deployments, *self.databases, *self.instances, *self.machines]
        for name in () if where is None else (where,) if isinstance(where, str) else where:
            if name not in there:
                raise WiringError(known("node", name, list(dict.fromkeys(there))))

    def check_open(self, what: str) -> None:
        """Raise ClosedError if the lab is closed."""
        if self.closed:
            raise ClosedError(f"cannot {what}: this lab is closed; build a new one (its trace can still be read)")
