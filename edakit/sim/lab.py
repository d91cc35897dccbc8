"""The laboratory: build a system, run it in virtual time, look at its trace.

    lab = Lab(seed=42)
    shop = lab.broker("shop", like="rabbitmq")
    lab.deploy(payment, on=shop, instances=2, prefetch=10)
    shop.publish("order.placed", {"order": 42, "total": 9.90}, key="42")
    lab.run()
    lab.trace

`Lab` is a facade: the rules live in `edakit.broker`, `edakit.stream` and `edakit.saga`, time in the kernel, and nothing here decides
anything. The same seed and the same calls give the same trace, byte for byte.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from edakit.chance import Duration, Random, draw
from edakit.delivery import Retry
from edakit.errors import CallError, ClosedError, DurationError, Livelock, PayloadError, WiringError, known
from edakit.event import NOTHING, Event, freeze, new_event
from edakit.presets import settings
from edakit.saga import Saga
from edakit.service import Service, checked_name, nobody
from edakit.sim.brokers import Broker
from edakit.sim.database import Database
from edakit.sim.faults import Crash, Fault, Faults, Hold, Partition, parts
from edakit.sim.kernel import FOREVER, Kernel, Task
from edakit.sim.network import HOP, Network
from edakit.sim.runtime import IDLE, Instance, Outlet, SimContext
from edakit.sim.sagas import Orchestrator
from edakit.sim.server import Server
from edakit.sim.streams import Stream
from edakit.trace import Trace
from edakit.units import SECOND, nanoseconds

SLICE = 200_000  # steps between two looks at whether a run gets anywhere
QUIET = 10  # slices without a new row until a run is called endless

Home = Broker | Stream | Server


@dataclass
class Deployment:
    """A service where it runs, and how."""

    lab: "Lab"
    service: Service
    home: Home
    prefetch: int
    concurrency: int
    group: str
    db: Database | None
    outlet: Outlet
    retry: Retry | None
    delivery_limit: int | None
    dead_letter: bool
    on_error: str
    commit: str | float
    saga: Saga | None = None


class Edge(NamedTuple):
    """An arrow of the topology: who can hear, call or use whom."""

    source: str
    target: str
    label: str
    kind: str  # publish, deliver, call or store


class Lab:
    """A system under a seed, its clock and its trace. All times are virtual seconds."""

    def __init__(self, seed: int = 0, *, hop: float = HOP / SECOND) -> None:
        self.seed, self.kernel, self.trace = seed, Kernel(), Trace()
        self._randoms: dict[str, Random] = {}
        self._counts: dict[str, int] = {}  # events by id without the number
        self._words: dict[str, tuple[str, str]] = {}  # event types, cut behind the first word
        self.network = Network(self.kernel, self.trace, self.random, nanoseconds(hop, "hop"))
        self.homes: dict[str, Home] = {}
        self.databases: dict[str, Database] = {}
        self.deployments: dict[str, Deployment] = {}
        self.instances: dict[str, Instance] = {}  # the one that runs under a name, or ran last
        self.clients: dict[str, None] = {}
        self.pending: dict[str, tuple[str, Task, int]] = {}  # requests without an answer yet: who waits, and how to wake it
        self.crashes: list[Faults] = []
        self.closed = False
        self.recipe: Any = None  # how `run` built this lab, for `fork`

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
        """A new event with an id a person can read: order-42.placed.1 is the first order.placed with key 42."""
        if self.closed:
            raise ClosedError(f"cannot publish {type!r}: this lab is closed; build a new one (its trace can still be read)")
        if type.__class__ is not str or not type:
            raise PayloadError(f"event type {type!r}: give a name like 'order.placed'")
        if key is not None and key.__class__ is not str:
            if not isinstance(key, int):
                raise PayloadError(f"key {key!r}: a key is a string or a whole number")
            key = str(key)
        words = self._words.get(type)
        if words is None:
            entity, dot, verb = type.partition(".")
            words = self._words[type] = entity, dot + verb
        counts, stem = self._counts, type if key is None else f"{words[0]}-{key}{words[1]}"
        counts[stem] = n = counts.get(stem, 0) + 1
        id = f"{stem}.{n}"
        causation, correlation = (None, id) if cause is None else (cause.id, cause.correlation)
        return new_event((id, type, source, freeze(data), key, self.kernel.ns, causation, correlation, NOTHING))

    def broker(self, name: str, *, like: str | None = None, **options: Any) -> Broker:
        """A message broker. like: "rabbitmq", "rabbitmq-quorum" or "in-process"; options: exchange, ack_timeout (seconds)."""
        chosen = {**settings(like, "broker"), **options}
        return self._build(Broker, name, chosen, "exchange (topic, direct, fanout), ack_timeout (seconds), delivery_limit")

    def stream(self, name: str, *, partitions: int = 1, like: str | None = None, **options: Any) -> Stream:
        """A topic of an event stream. like: "kafka"; options: start ("earliest" or "latest"), session_timeout (seconds)."""
        chosen = {"partitions": partitions, **settings(like, "stream"), **options}
        return self._build(Stream, name, chosen, "partitions, start (earliest, latest), session_timeout (seconds)")

    def server(self, name: str, *, like: str | None = None, **options: Any) -> Server:
        """A server for request-response. like: "http"; options: threads (requests at once an instance)."""
        return self._build(Server, name, {**settings(like, "server"), **options}, "threads")

    def _build(self, kind: Callable[..., Any], name: str, options: dict[str, Any], known_options: str) -> Any:
        self._open(f"build {name!r}")
        self._free(name)
        try:
            home = kind(self, name, **options)
        except TypeError as error:
            raise WiringError(f"{name}: {error}; options are: {known_options}") from None
        self.homes[name] = home
        return home

    def database(self, name: str, data: dict[str, Any] | None = None) -> Database:
        """A database with these contents ({key: JSON value}); give it to services with deploy(db=...). It survives crashes."""
        self._open(f"build {name!r}")
        self._free(checked_name("database", name))
        self.databases[name] = database = Database(self.kernel, self.trace, name, data or {}, self._relay)
        return database

    def deploy(
        self,
        service: Service | Saga,
        *,
        on: Home,
        instances: int = 1,
        prefetch: int | None = None,
        concurrency: int | None = None,
        group: str | None = None,
        db: Database | None = None,
        publishes: Broker | Stream | None = None,
        retry: Retry | None = None,
        delivery_limit: int | None = None,
        dead_letter: bool = True,
        on_error: str = "requeue",
        commit: str | float = "after",
    ) -> Deployment:
        """Let a service run on a broker (one queue, instances compete), a stream (one group) or a server (instances in turn).

        prefetch: unsettled deliveries an instance holds at most (default 10; stream: records a poll, 500). concurrency: handlers at
        once in an instance (default 1; server: its threads). publishes: where `ctx.publish` goes, if not to `on`. retry: tries before
        a failure is reported. on_error: "requeue" or "reject" what failed; delivery_limit: so many deliveries, then it is a dead letter
        (dead_letter=False: thrown away). commit (stream): "after" or "before" the handler, or seconds between auto-commits.
        Raises WiringError for a service that is deployed already or an `on` of another lab.
        """
        self._open(f"deploy {service.name!r}")
        if service.name in self.deployments:
            place = self.deployments[service.name].home.name
            raise WiringError(
                f"{service.name} is deployed on {place} already: for more copies use instances=, for another service another name"
            )
        if self.homes.get(getattr(on, "name", "")) is not on:
            raise WiringError(f"on={on!r}: give a broker, stream or server made by this lab, such as lab.broker('shop')")
        saga = service if isinstance(service, Saga) else None
        plain = service if isinstance(service, Service) else Orchestrator(service, self).service()
        if not plain.handlers:
            raise WiringError(f"{plain.name} handles nothing: give it a handler first, @{plain.name}.on('order.placed')")
        _check_choices(on, instances, prefetch, on_error, commit, delivery_limit)
        many = 1000 if saga else 1  # runs of a saga wait most of the time: one orchestrator carries many
        deployment = Deployment(
            lab=self,
            service=plain,
            home=on,
            prefetch=prefetch or (500 if isinstance(on, Stream) else 10 if not saga else many),
            concurrency=concurrency or (on.threads if isinstance(on, Server) else many),
            group=group or plain.name,
            db=db,
            outlet=publishes if publishes is not None else on,
            retry=retry,
            delivery_limit=delivery_limit if delivery_limit is not None else getattr(on, "delivery_limit", None),
            dead_letter=dead_letter,
            on_error=on_error,
            commit=commit,
            saga=saga,
        )
        self.deployments[plain.name] = deployment
        for n in range(instances):
            name = plain.name if instances == 1 else f"{plain.name}.{n + 1}"
            self.instances[name] = on.start(deployment, name)
        return deployment

    def workload(
        self,
        target: Home,
        type: str,
        *,
        every: Duration,
        count: int,
        data: Any = None,
        key: str | None = None,
        source: str = "client",
        start: float = 0,
        timeout: float = 30,
    ) -> None:
        """Publish `count` events of a type (on a server: ask `service/operation` so often), one `every` so many seconds.

        data: a dict, or a function (n, random) -> dict with n from 1; by default {first word of the type: n}. key: the name of the
        field of the data that is the key.
        """
        self._open(f"add a workload of {type!r}")
        if not isinstance(count, int) or count < 0:
            raise WiringError(f"count={count!r}: a whole number, 0 or more")
        random, word = self.random(f"workload/{source}/{type}"), type.rpartition("/")[2].partition(".")[0]
        fixed = nanoseconds(every, "every") if isinstance(every, (int, float)) else None
        publish = self._publisher(target, type, timeout, self.client(source))

        def wait() -> int:
            return nanoseconds(draw(every, random), "every") if fixed is None else fixed

        def produce(n: int) -> None:
            made = data(n, random) if callable(data) else {word: n} if data is None else data
            if key is not None and key not in made:
                raise PayloadError(f"key={key!r}, but {made!r} has no such field")
            publish(made, None if key is None else str(made[key]))
            if n < count:
                self.kernel.later(wait(), produce, n + 1)

        if count:
            self.kernel.later(nanoseconds(start, "start") + wait(), produce, 1)

    def _publisher(self, target: Home, type: str, timeout: float, source: str) -> Callable[[Any, str | None], object]:
        """What a workload does with data and a key: publish them, or ask with them."""
        if isinstance(target, Server):
            return lambda data, key: self.call(type, data, timeout=timeout, key=key, source=source)
        return lambda data, key: target.publish(type, data, key, source=source)

    def call(
        self, service: str, data: Any = None, *, timeout: float = 30, key: str | int | None = None, source: str = "client"
    ) -> None:
        """Ask a service from outside: the answer, a refusal or the timeout is in the trace."""
        self.endpoint(service)

        async def ask() -> None:
            ctx = self._outside(source)
            try:
                await ctx.call(service, data, timeout=timeout, key=None if key is None else str(key))
            except CallError:
                return  # the trace has it

        self.kernel.spawn(f"{source} calls {service}", ask)

    def client(self, name: str) -> str:
        """Note the name of somebody outside."""
        if name not in self.clients:
            self.clients[checked_name("client", name)] = None
        return name

    def _outside(self, source: str) -> SimContext:
        """A context for a client, who runs nowhere."""
        outside = Server.__new__(Server)
        outside.name = source
        deployment = Deployment(
            self, Service(self.client(source)), outside, 1, 1, "", None, outside, None, None, False, "reject", "after"
        )
        return SimContext(Instance(deployment, source, outside), _FROM_OUTSIDE, None)

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

    def _relay(self, event: Event) -> None:
        """Publish an event from an outbox, again and again until it is sent."""
        outlet = self.deployments[self.instances[event.source].service.name].outlet
        if not self.network.send("publish", event.source, outlet.name, event, outlet.accept, event, self.kernel.ns):
            self.kernel.later(SECOND, self._relay, event)

    def faults(self, fault: Fault | None = None, **rates: Any) -> None:
        """Let things go wrong from now on: a plan, or the rates of `Faults(...)` as keywords."""
        for each in parts(fault if not rates else Faults(**rates)):
            if isinstance(each, Crash):
                at = draw(each.at, self.random(f"faults/crash at/{each.name}"))
                self.crash(each.name, at=at, restart_after=each.restart_after)
            elif isinstance(each, Hold):
                self.hold(each.a, each.b, at=each.at)
                if each.until is not None:
                    self.release(each.a, each.b, at=each.until)
            elif isinstance(each, Partition):
                self.partition(each.a, each.b, at=each.at, oneway=each.oneway)
                if each.until is not None:
                    self.repair(each.a, each.b, at=each.until)
            elif isinstance(each, Faults):
                self._node(each.where)
                if each.crash:
                    self.crashes.append(each)
                self.network.disturb(each)

    def crash(self, name: str, *, at: float | None = None, restart_after: float | None = None) -> None:
        """Kill a service (all its instances) or one instance, at a time or now; memory is lost, what it sent is not."""
        if name not in self.deployments and name not in self.instances:
            raise WiringError(known("service or instance", name, [*self.deployments, *self.instances]))
        self._at(at, self.strike, name, restart_after)

    def strike(self, name: str, restart_after: float | None) -> None:
        """Kill now what is up under this name."""
        for each in [key for key, instance in self.instances.items() if name in (key, instance.service.name) and instance.up]:
            self.instances[each].crash()
            if restart_after is not None:
                self.kernel.later(nanoseconds(restart_after, "restart_after"), self._restart, each)

    def restart(self, name: str, *, at: float | None = None) -> None:
        """Start what is down under this name again, at a time or now."""
        if name not in self.deployments and name not in self.instances:
            raise WiringError(known("service or instance", name, [*self.deployments, *self.instances]))
        for each in [key for key, instance in self.instances.items() if name in (key, instance.service.name)]:
            self._at(at, self._restart, each)

    def _restart(self, name: str) -> None:
        old = self.instances[name]
        if not old.up:
            self.trace.add(self.kernel.ns, "restart", old.home.name, name, None)
            self.instances[name] = old.home.start(old.deployment, name)

    def hold(self, a: str, b: str, *, at: float | None = None) -> None:
        """Keep what is sent between two nodes, at a time or from now on; it stays in flight until `release`."""
        self._node((a, b))
        self._at(at, self.network.hold, a, b)

    def release(self, a: str, b: str, *, at: float | None = None) -> None:
        """Let go of what was held between two nodes."""
        self._node((a, b))
        self._at(at, self.network.release, a, b)

    def partition(self, a: str, b: str, *, at: float | None = None, oneway: bool = False) -> None:
        """Lose what is sent between two nodes, at a time or from now on, until `repair`; oneway: only from a to b."""
        self._node((a, b))
        self._at(at, self.network.cut, a, b, oneway)

    def repair(self, a: str, b: str, *, at: float | None = None) -> None:
        """Carry messages between two nodes again."""
        self._node((a, b))
        self._at(at, self.network.mend, a, b)

    def at(self, time: float, action: Callable[..., object], *args: Any) -> None:
        """Call a function at a virtual time."""
        self._at(time, action, *args)

    def _at(self, time: float | None, action: Callable[..., object], *args: Any) -> None:
        self._open("change this system")
        if time is None:
            action(*args)
            return
        wait = nanoseconds(time, "at") - self.kernel.ns
        if wait < 0:
            raise DurationError(f"at={time!r}: it is {self.now} already")
        self.kernel.later(wait, action, *args)

    def run(self, until: float | None = None) -> "Lab":
        """Run until nothing is left to do, or until a time; return this lab. May be called again.

        Raises the learner's own mistakes out of handlers (see `edakit.errors`) and Livelock for a run that gets nowhere.
        """
        self._open("run")
        end, quiet = FOREVER if until is None else nanoseconds(until, "until"), 0
        while True:
            before = len(self.trace), self.kernel.ns
            try:
                self.kernel.run(end, SLICE)
            except Livelock as livelock:
                if "without an end" not in str(livelock):
                    raise
                if self.kernel.ns == before[1]:
                    raise
                quiet = quiet + 1 if len(self.trace) == before[0] else 0
                if quiet == QUIET:
                    raise Livelock(
                        f"{livelock}; nothing has happened for {QUIET * SLICE:,} steps: give run(until=...) or end the loop"
                    ) from None
            else:
                return self

    def stuck(self) -> list[tuple[str, str]]:
        """Who still waits, and for what, when nothing is left to run."""
        return [(name, why) for name, why in self.kernel.stuck() if why != IDLE]

    def close(self) -> None:
        """End every handler that is under way, last begun first. The trace can still be read; nothing else can be done."""
        if not self.closed:
            self.kernel.close()
            self.closed = True

    def nodes(self) -> dict[str, str]:
        """The nodes of the topology by name: client, broker, stream, server, service, saga or database."""
        kinds = {Broker: "broker", Stream: "stream", Server: "server"}
        return {
            **dict.fromkeys(self.clients, "client"),
            **{name: kinds[home.__class__] for name, home in self.homes.items()},
            **{name: "saga" if each.saga else "service" for name, each in self.deployments.items()},
            **dict.fromkeys(self.databases, "database"),
        }

    def topology(self) -> list[Edge]:
        """Who can hear, call or use whom: from the wiring, and from what has been published and called so far."""
        edges: dict[Edge, None] = {}
        for name, each in self.deployments.items():
            heard = each.service.handlers if not isinstance(each.home, Server) else ["request"]
            edges.update(dict.fromkeys(Edge(each.home.name, name, pattern, "deliver") for pattern in heard))
            if each.db is not None:
                edges[Edge(name, each.db.name, "", "store")] = None
        for row in self.trace:
            if row.kind in ("publish", "append") and row.event is not None:
                edges[Edge(row.service, row.place.partition("/")[0], row.event.type, "publish")] = None
            elif row.kind == "call" and row.event is not None:
                edges[Edge(row.service, row.place, row.event.type, "call")] = None
        return list(edges)

    def _node(self, where: str | tuple[str, str] | None) -> None:
        """Raise WiringError for a link or node that names nothing in this lab."""
        there = {**self.nodes(), **dict.fromkeys(self.instances, "service")}
        for name in () if where is None else (where,) if isinstance(where, str) else where:
            if name not in there:
                raise WiringError(known("node", name, list(there)))

    def _free(self, name: str) -> None:
        if name in self.homes or name in self.databases:
            raise WiringError(f"there is a {name!r} in this lab already: choose another name")

    def _open(self, what: str) -> None:
        if self.closed:
            raise ClosedError(f"cannot {what}: this lab is closed; build a new one (its trace can still be read)")

    def __repr__(self) -> str:
        return f"<lab seed {self.seed}: {', '.join(self.nodes()) or 'empty'}; {len(self.trace):,} rows, t={self.now:g} s>"


class _Outside:
    """How an event reaches somebody outside: it does not."""

    event, tag, place, count, redelivered = None, 0, "", 1, False


_FROM_OUTSIDE: Any = _Outside()


def _check_choices(on: Home, instances: int, prefetch: int | None, on_error: str, commit: str | float, limit: int | None) -> None:
    """Raise for a choice that nothing can be made of."""
    if not isinstance(instances, int) or instances < 1:
        raise WiringError(f"instances={instances!r}: 1 or more")
    if prefetch is not None and (not isinstance(prefetch, int) or prefetch < 1):
        raise WiringError(f"prefetch={prefetch!r}: 1 or more")
    if on_error not in ("requeue", "reject"):
        raise WiringError(known("on_error", on_error, ["requeue", "reject"]))
    if limit is not None and (not isinstance(limit, int) or limit < 1):
        raise WiringError(f"delivery_limit={limit!r}: 1 or more, or None for no limit")
    if isinstance(commit, str):
        if commit not in ("after", "before"):
            raise WiringError(f"commit={commit!r}: 'after', 'before' or seconds between auto-commits")
    else:
        nanoseconds(commit, "commit")
