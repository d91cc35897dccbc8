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

import math
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from edakit.chance import Duration, draw
from edakit.delivery import Retry
from edakit.errors import DurationError, Livelock, WiringError, known
from edakit.presets import settings
from edakit.saga import Saga, SagaLog
from edakit.service import Service, checked_name
from edakit.sim import clients, topology
from edakit.sim.brokers import Broker
from edakit.sim.buses import Bus
from edakit.sim.database import Database
from edakit.sim.deployment import Deployment
from edakit.sim.faults import Crash, Fault, Faults, Hold, Partition, PowerCut, parts
from edakit.sim.kernel import FOREVER
from edakit.sim.replicated import OPTIONS as COPIES
from edakit.sim.replicated import ReplicatedStream
from edakit.sim.reprocessing import reprocess
from edakit.sim.runtime import IDLE
from edakit.sim.sagas import Orchestrator
from edakit.sim.server import Server
from edakit.sim.streams import OPTIONS as STREAM_OPTIONS
from edakit.sim.streams import Stream
from edakit.sim.targets import BUSES
from edakit.sim.world import World
from edakit.units import nanoseconds

SLICE = 200_000  # steps between two looks at whether a run gets anywhere
QUIET = 10  # slices without a new row until a run is called endless
ROWS = 8_000_000  # rows of one run without an end; a million messages take four million

Made = TypeVar("Made", Broker, Stream, Server, Bus)


class Lab(World):
    """A system under a seed, its clock and its trace. All times are virtual seconds.

    hop: one way between two nodes. trace: the kinds of rows to keep, such as ("publish", "dead"); () for none, None for all.
    """

    recipe: Any = None  # how `run` built this lab, for `fork`

    def broker(self, name: str, *, like: str | None = None, **options: Any) -> Broker:
        """A message broker. like: "rabbitmq", "rabbitmq-quorum" or "in-process"; options: exchange (topic, direct, fanout, headers),
        ack_timeout (seconds), delivery_limit, default_queue_type ("classic" or "quorum"), alternate (the queue for what no other gets).
        """
        chosen = {**settings(like, "broker"), **options}
        return self._build(Broker, name, chosen, "exchange, ack_timeout, delivery_limit, default_queue_type, alternate")

    def stream(self, name: str, *, partitions: int = 1, like: str | None = None, **options: Any) -> Stream:
        """A topic of an event stream. like: "kafka", "kafka-share", "kinesis", "redis-stream" or "rabbitmq-stream".

        Options: see `edakit.sim.streams.Stream`; with replicas=, flush= or others of `edakit.sim.replicated.ReplicatedStream` it has
        copies on machines, "orders.1", "orders.2", ...
        """
        chosen = {"partitions": partitions, **settings(like, "stream"), **options}
        copies = any(each.partition(" ")[0] in options for each in COPIES)
        return self._build(ReplicatedStream if copies else Stream, name, chosen, ", ".join((*STREAM_OPTIONS, *COPIES)))

    def bus(self, name: str, *, like: str, **options: Any) -> Bus:
        """A bus. like: "sns" (an SQS queue for each service), "sns-http", "sqs", "eventbridge", "eventbridge-custom", "redis-pubsub".

        Options: see `table(preset_table(like))`.
        """
        chosen = settings(like, "bus")
        return self._build(BUSES[like], name, {**chosen, **options}, ", ".join(chosen))

    def server(self, name: str, *, like: str | None = None, **options: Any) -> Server:
        """A server for request-response. like: "http"; options: threads (requests at once an instance)."""
        return self._build(Server, name, {**settings(like, "server"), **options}, "threads")

    def _build(self, kind: type[Made], name: str, options: dict[str, Any], known_options: str) -> Made:
        self.check_open(f"build {name!r}")
        self._free(name)
        try:
            home = kind(self, name, **options)
        except TypeError as error:
            raise WiringError(f"{name}: {error}; options are: {known_options}") from None
        self.homes[name] = home
        return home

    def database(self, name: str, data: dict[str, Any] | None = None) -> Database:
        """A database with these contents ({key: JSON value}); give it to services with deploy(db=...). It survives crashes."""
        self.check_open(f"build {name!r}")
        self._free(checked_name("database", name))
        self.databases[name] = database = Database(self.kernel, self.trace, name, data or {}, self.relay)
        return database

    def deploy(
        self,
        service: Service | Saga,
        *,
        on: Broker | Stream | Server | Bus,
        instances: int = 1,
        prefetch: int | None = None,
        concurrency: int | None = None,
        group: str | None = None,
        db: Database | None = None,
        publishes: Broker | Stream | Bus | None = None,
        retry: Retry | None = None,
        retry_topics: Sequence[float] = (),
        delivery_limit: int | None = None,
        dead_letter: bool | str = True,
        on_error: str = "requeue",
        commit: str | float = "after",
        ack_every: int = 1,
        filter: Any = None,
        isolation: str = "read_uncommitted",
        log: str | Path | SagaLog | None = None,
    ) -> Deployment:
        """Let a service run on a broker (one queue, instances compete), a stream (one group) or a server (instances in turn).

        prefetch: unsettled deliveries an instance holds at most (default 10; stream: records a poll, 500). concurrency: handlers at
        once in an instance (default 1; server: its threads). publishes: where `ctx.publish` goes, if not to `on`. retry: tries before
        a failure is reported. on_error: "requeue" or "reject" what failed; delivery_limit: so many deliveries, then it is a dead letter
        (dead_letter=False: thrown away; a name: sent to that queue). commit: "after" or "before" the handler (the ack of a broker, the
        offset of a stream), or, on a stream, seconds between auto-commits. ack_every: on a broker, one ack for so many. filter: on a bus,
        a content pattern or filter policy besides the event types. isolation: on a stream, "read_committed" (nothing open or aborted).
        retry_topics: on a stream, seconds after which what failed is tried again, once each, by readers of their own (payment-retry-1, ...,
        with a ctx.state of their own) on topics of their own (orders-payment-retry-1, ...), and at last a letter in orders-payment-dlt:
        nothing waits for it, so the order of a key is lost. Without them dead_letter="name" writes what the group gives up to that topic.
        log: of a saga, an SQLite file of its own; what another process has left open in it is gone on with.
        Raises WiringError for a service that is deployed already, an `on` of another lab, or a log of other steps.
        """
        self._check_deploy(service, on, instances)
        saga, orchestrator, plain = None, None, service
        if isinstance(service, Saga):
            kept = log if isinstance(log, SagaLog) else SagaLog(":memory:" if log is None else log)
            saga, orchestrator = service, Orchestrator(service, self, kept)
            plain = orchestrator.service()
        assert isinstance(plain, Service)
        many = 1000 if saga else 1  # runs of a saga wait most of the time: one orchestrator carries many
        deployment = Deployment(
            self, plain, on,
            outlet=publishes if publishes is not None else None if isinstance(on, Server) else on,
            prefetch=prefetch if prefetch is not None else 500 if isinstance(on, Stream) else max(10, many),
            concurrency=concurrency if concurrency is not None else on.threads if isinstance(on, Server) else many,
            delivery_limit=delivery_limit if delivery_limit is not None else getattr(on, "delivery_limit", None),
            group=group or plain.name, db=db, retry=retry, retry_topics=retry_topics, dead_letter=dead_letter, on_error=on_error,
            commit=commit, ack_every=ack_every, filter=filter, isolation=isolation, saga=saga,
        )  # fmt: skip
        for each in (deployment, *reprocess(self._build, deployment)):
            each.begin(instances)
        if orchestrator:
            orchestrator.go_on(on)
        return deployment

    def _check_deploy(self, service: Service | Saga, on: Broker | Stream | Server | Bus, instances: int) -> None:
        """Raise WiringError for what cannot be deployed, or not there."""
        if not isinstance(service, (Service, Saga)):
            raise WiringError(f"{service!r} is no service: give a Service or a Saga, made with Service('payment')")
        self.check_open(f"deploy {service.name!r}")
        if service.name in self.deployments:
            place = self.deployments[service.name].home.name
            raise WiringError(f"{service.name} is deployed on {place} already: use instances= for more copies, or another name")
        self._free(service.name)
        if self.homes.get(getattr(on, "name", "")) is not on:
            raise WiringError(f"on={on!r}: give a broker, stream, bus or server made by this lab, such as lab.broker('shop')")
        if isinstance(service, Service) and not service.handlers:
            raise WiringError(f"{service.name} handles nothing: give it a handler first, @{service.name}.on('order.placed')")
        if not isinstance(instances, int) or instances < 1:
            raise WiringError(f"instances={instances!r}: 1 or more")

    def workload(
        self,
        target: Broker | Stream | Server | Bus,
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
        self.check_open(f"add a workload of {type!r}")
        clients.produce(
            self, target, type, every=every, count=count, data=data, key=key, source=source, start=start, timeout=timeout
        )

    def call(
        self, service: str, data: Any = None, *, timeout: float = 30, key: str | int | None = None, source: str = "client"
    ) -> None:
        """Ask a service, `service` or `service/operation`, from outside: the answer, a refusal or the timeout is in the trace."""
        self.check_open(f"call {service!r}")
        clients.ask(self, service, data, timeout, key, source)

    def faults(self, fault: Fault | None = None, **rates: Any) -> None:
        """Let things go wrong from now on: a plan, or the rates of `Faults(...)` as keywords."""
        self.check_open("change this system")
        for each in parts(fault if not rates else Faults(**rates)):
            if isinstance(each, Crash):
                at = draw(each.at, self.random(f"faults/crash at/{each.name}"))
                strike = self.power_cut if isinstance(each, PowerCut) else self.crash
                strike(each.name, at=at, restart_after=each.restart_after)
            elif isinstance(each, Hold):
                self.hold(each.a, each.b, at=each.at)
                if each.until is not None:
                    self.release(each.a, each.b, at=each.until)
            elif isinstance(each, Partition):
                self.partition(each.a, each.b, at=each.at, oneway=each.oneway)
                if each.until is not None:
                    self.repair(each.a, each.b, at=each.until)
            elif isinstance(each, Faults):
                self.check_node(each.where)
                if each.crash:
                    self.crashes.setdefault(each, 0)
                if each.slow != 1:
                    self.slow.append(each)
                if each.drop or each.duplicate or each.reorder or each.delay:
                    self.network.disturb(each)

    def crash(self, name: str, *, at: float | None = None, restart_after: float | None = None) -> None:
        """Kill a service (all its instances), one instance or a broker, at a time or now; memory is lost, what it sent is not.

        A broker keeps its durable queues and the persistent messages in them. Of a stream with copies the leader dies, or one
        machine: "orders.2"; one that is in sync leads then.
        """
        self._check_mortal(name)
        self._at(at, self.strike, name, restart_after)

    def power_cut(self, name: str, *, at: float | None = None, restart_after: float | None = None) -> None:
        """Take the power from all machines of a stream, at a time or now: what is not synced on any of them is gone."""
        stream = self.homes.get(name)
        if not isinstance(stream, ReplicatedStream):
            raise WiringError(f"power_cut({name!r}): name a stream that says what it has on disk, built with replicas= or flush=")
        self._at(at, stream.power_cut)
        if restart_after is not None:
            self._at((self.now if at is None else at) + restart_after, stream.recover)

    def restart(self, name: str, *, at: float | None = None) -> None:
        """Start what is down under this name again, at a time or now."""
        self._check_mortal(name)
        for each in [key for key, instance in self.instances.items() if name in (key, instance.service.name)]:
            self._at(at, self.revive, each)
        home: Any = {**self.homes, **self.machines}.get(name)
        if home is not None:
            self._at(at, home.recover)

    def _check_mortal(self, name: str) -> None:
        homes = [each for each, home in {**self.homes, **self.machines}.items() if hasattr(home, "fail")]
        if name not in self.deployments and name not in self.instances and name not in homes:
            raise WiringError(known("service or instance", name, [*self.deployments, *self.instances, *homes]))

    def hold(self, a: str, b: str, *, at: float | None = None) -> None:
        """Keep what is sent between two nodes, at a time or from now on; it stays in flight until `release`."""
        self.check_node((a, b))
        self._at(at, self.network.hold, a, b)

    def release(self, a: str, b: str, *, at: float | None = None) -> None:
        """Let go of what was held between two nodes."""
        self.check_node((a, b))
        self._at(at, self.network.release, a, b)

    def partition(self, a: str, b: str, *, at: float | None = None, oneway: bool = False) -> None:
        """Lose what is sent between two nodes, at a time or from now on, until `repair`; oneway: only from a to b."""
        self.check_node((a, b))
        self._at(at, self.network.cut, a, b, oneway)

    def repair(self, a: str, b: str, *, at: float | None = None) -> None:
        """Carry messages between two nodes again."""
        self.check_node((a, b))
        self._at(at, self.network.mend, a, b)

    def at(self, time: float, action: Callable[..., object], *args: Any) -> None:
        """Call a function at a virtual time."""
        self._at(time, action, *args)

    def _at(self, time: float | None, action: Callable[..., object], *args: Any) -> None:
        self.check_open("change this system")
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
        self.check_open("run")
        self._check_outside("run")
        end, quiet, begun = FOREVER if until is None else nanoseconds(until, "until"), 0, self._written()
        self.running, self.bounded = True, until is not None
        try:
            while True:
                (steps, most), rows, ns, due = self.patience(until), self._written(), self.kernel.ns, self._due()
                try:
                    self.kernel.run(end, steps)
                except Livelock as livelock:
                    if "without an end" not in str(livelock):
                        raise
                    if self.kernel.ns == ns and self._due() >= due:
                        raise
                    quiet = quiet + 1 if self._written() == rows else 0
                    endless = self._written() > begun + most
                    if quiet == QUIET or endless:
                        what = f"{most:,} rows and no end" if endless else f"nothing has happened for {QUIET * steps:,} steps"
                        raise Livelock(f"{livelock}; {what}: give run(until=...) or end the loop") from None
                else:
                    return self
        finally:
            self.running = False

    def _written(self) -> int:
        """How much has happened: rows kept and not kept."""
        return len(self.trace) + self.trace.left_out

    def patience(self, until: float | None) -> tuple[int, float]:
        """How many steps pass between two looks at whether a run gets anywhere, and how many rows it may write."""
        return SLICE, ROWS if until is None else math.inf

    def _due(self) -> int:
        """How much is left to do at the present instant: it falls while a great deal that falls together is worked off."""
        heap, ns = self.kernel.heap, self.kernel.ns
        return len(self.kernel._ready) + (sum(entry[0] <= ns for entry in heap) if heap and heap[0][0] <= ns else 0)

    def _check_outside(self, what: str) -> None:
        """Raise WiringError for a call that comes from inside a run."""
        if self.running:
            raise WiringError(f"lab.{what}() inside a run of this lab: call it from a cell, not from a handler or lab.at(...)")

    def stuck(self) -> list[tuple[str, str]]:
        """Who still waits, and for what, when nothing is left to run."""
        return [(name, why) for name, why in self.kernel.stuck() if why != IDLE]

    def close(self) -> None:
        """End every handler that is under way, last begun first. The trace can still be read; nothing else can be done."""
        if not self.closed:
            self._check_outside("close")
            for instance in self.instances.values():
                instance.retire()
            if self.kernel.tasks:
                self.kernel.close()
            self.closed = True

    def play(self, **options: Any) -> Any:
        """What has happened so far as a film: see `edakit.play`."""
        return import_module("edakit.player").play(self, **options)  # by name: what is looked at stands above the simulation

    def nodes(self) -> dict[str, str]:
        """The nodes of the topology by name: client, broker, stream, server, service, saga or database."""
        return topology.nodes(self)

    def topology(self) -> list[topology.Edge]:
        """Who can hear, call or use whom: (source, target, label, kind)."""
        return topology.edges(self)

    def _free(self, name: str) -> None:
        if name in self.homes or name in self.databases or name in self.deployments:
            raise WiringError(f"there is a {name!r} in this lab already: choose another name")

    def __repr__(self) -> str:
        return f"<lab seed {self.seed}: {', '.join(self.nodes()) or 'empty'}; {len(self.trace):,} rows, t={self.now:g} s>"
