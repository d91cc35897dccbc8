"""Probes: what a messaging system promises, asked by doing. A word in a table is not evidence.

    probe.replay("kafka")                           # "held"
    probe.order("rabbitmq")                         # "violated": four workers, one queue
    probe.order("rabbitmq", single_active_consumer=True)
    table(probe.axes(["rabbitmq", "kafka"]))

A probe is a scenario and one question to its trace. It knows no product: it is given a `System`, which has a few verbs, and the name of a
preset (with the options of its broker, stream or bus) stands for that preset in a lab. An adapter to a real system fills the same
protocol. The answer is "held" (the run shows it), "violated" (the run shows the contrary) or "not offered" (the system has no such verb,
or refuses it).
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from edakit.broker.declared import Arguments
from edakit.errors import ArgumentError, EdakitError, WiringError, known
from edakit.event import Event
from edakit.presets import PRESETS, settings
from edakit.service import Context, Handler, Service
from edakit.sim.lab import Lab
from edakit.trace import Trace
from edakit.units import days, hours

Answer = Literal["held", "violated", "not offered"]
TEN = range(1, 11)
BAD = 3  # of ten orders, the one with which something is the matter


class NotOffered(EdakitError):
    """A system has no such verb."""


class System(Protocol):
    """What a probe asks of a system, embedded or real. A verb that the system does not have raises NotOffered."""

    @property
    def trace(self) -> Trace:
        """What has happened so far: rows of the kinds of `edakit.trace`."""

    def read(self, name: str, handler: Handler, *, instances: int = 1, at_once: int = 1, limit: int = 0, over: int = 0) -> None:
        """Let a service read order.placed. at_once: handlers at a time in an instance; limit: deliveries of one message until it is
        given up (0: the system's own); over: only orders with a `total` above this are for it, and the system sees to that.
        """

    def publish(self, orders: Iterable[int], key: str | None = None, **properties: Any) -> None:
        """Publish order.placed events, {"order": n, "total": 100 * n}, each under a key of its own or all under one.

        properties of the messages, where the system has them: priority, ttl (seconds).
        """

    def wait(self, seconds: float) -> None:
        """Let time pass."""

    def stop(self, name: str) -> None:
        """Kill a reader."""

    def go_on(self, name: str) -> None:
        """Start a reader again that was killed."""

    def restart(self) -> None:
        """Restart the system itself, as far as it can be restarted."""

    def rewind(self, name: str) -> None:
        """Let a reader have again all that there was."""

    def dead(self, name: str) -> list[Event]:
        """The messages that the system has set aside as undeliverable to a reader."""


@contextmanager
def refusals() -> Iterator[None]:
    """What a system in a lab has no method or parameter for, or refuses, it does not offer."""
    try:
        yield
    except (AttributeError, TypeError, WiringError) as error:
        raise NotOffered(str(error)) from error


class Embedded:
    """A preset in a lab. What broker, stream and bus have in common; each of them is a few lines."""

    def __init__(self, like: str, seed: int = 42, **options: Any) -> None:
        self.lab, self.like, self.options = Lab(seed), like, options
        self.properties: dict[str, Any] = {}  # of what is published
        self.home: Any = self.build()

    @property
    def trace(self) -> Trace:
        """The trace of the lab."""
        return self.lab.trace

    def build(self) -> Any:
        """The home of the readers."""
        raise NotImplementedError

    def read(self, name: str, handler: Handler, *, instances: int = 1, at_once: int = 1, limit: int = 0, over: int = 0) -> None:
        """Deploy a service."""
        service = Service(name)
        service.on("order.placed")(handler)
        policy, most = self.above(over) if over else None, self.limit(limit)
        with refusals():
            self.lab.deploy(service, on=self.home, instances=instances, concurrency=at_once, delivery_limit=most, filter=policy)

    def limit(self, limit: int) -> int | None:
        """The delivery limit that can be asked for."""
        return limit or None

    def above(self, total: int) -> Mapping[str, Any]:
        """The content filter for orders above a total."""
        return {"total": [{"numeric": [">", total]}]}

    def publish(self, orders: Iterable[int], key: str | None = None, **properties: Any) -> None:
        """Publish from outside."""
        with refusals():
            for n in orders:
                data = {"order": n, "total": 100 * n}
                self.home.publish("order.placed", data, key=key or str(n), **self.properties, **properties)

    def wait(self, seconds: float) -> None:
        """Run the lab on."""
        self.lab.run(until=self.lab.now + seconds)

    def stop(self, name: str) -> None:
        """Crash a service."""
        self.lab.crash(name)

    def go_on(self, name: str) -> None:
        """Restart a service."""
        self.lab.restart(name)

    def restart(self) -> None:
        """A service of a cloud, and a log in a lab, have nothing that the probe could restart: the reader was away, that is all."""

    def rewind(self, name: str) -> None:
        """A queue has no such verb."""
        raise NotOffered(f"{self.home.name} gives nothing back that was acknowledged")

    def dead(self, name: str) -> list[Event]:
        """The dead letters of a service, or of the one queue that all take from."""
        with refusals():
            found: list[Event] = self.home.dead_letters(name if name in self.home.queues else self.home.name)
        return found


class OnBroker(Embedded):
    """Options of the broker, arguments of its queues, and persistent= of its messages, as they come."""

    def build(self) -> Any:
        """A broker."""
        self.arguments = {name: self.options.pop(name) for name in list(self.options) if name in Arguments.__annotations__}
        if "persistent" in self.options:
            self.properties = {"persistent": self.options.pop("persistent")}
        return self.lab.broker("system", like=self.like, **self.options)

    def read(self, name: str, handler: Handler, **choices: Any) -> None:
        """Declare the queue, if it has arguments."""
        if self.arguments:
            self.home.queue(name, limit=self.limit(choices.get("limit", 0)), **self.arguments)
        super().read(name, handler, **choices)

    def restart(self) -> None:
        """The broker crashes and comes back."""
        self.lab.crash(self.home.name, restart_after=1)
        self.wait(5)


class OnStream(Embedded):
    """A topic, of one partition unless told."""

    def build(self) -> Any:
        """A stream."""
        return self.lab.stream("system", like=self.like, **self.options)

    def rewind(self, name: str) -> None:
        """Read on from the earliest record."""
        with refusals():
            self.home.seek(name, to="earliest")


class OnBus(Embedded):
    """A bus; a filter policy is over the body, where there is a choice."""

    def build(self) -> Any:
        """A bus."""
        self.by_body = "filter_scope" in settings(self.like, "bus")
        scope = {"filter_scope": "MessageBody"} if self.by_body else {}
        return self.lab.bus("system", like=self.like, **{**scope, **self.options})

    def limit(self, limit: int) -> int | None:
        """Where the queues count receives; else the bus has a patience of its own."""
        return super().limit(limit) if hasattr(self.home, "delivery_limit") else None

    def above(self, total: int) -> Mapping[str, Any]:
        """A policy is over the body, an event pattern over the whole envelope."""
        condition = super().above(total)
        return condition if self.by_body else {"detail": condition}

    def rewind(self, name: str) -> None:
        """Replay from the archive, to the rule of this reader alone."""
        with refusals():
            self.home.replay(0, self.lab.now, rules=[name])


KINDS: dict[str, type[Embedded]] = {"broker": OnBroker, "stream": OnStream, "bus": OnBus}
ALIASES = {"sns+sqs": "sns"}


def embedded(like: str, **options: Any) -> System:
    """A preset in a lab of its own, ready to be probed. Raises WiringError for an unknown name or option."""
    like = ALIASES.get(like, like)
    fitting = [name for name, preset in PRESETS.items() if preset.kind in KINDS and name != "in-process"]
    if like not in fitting:
        raise WiringError(known("preset to probe", like, fitting))
    return KINDS[PRESETS[like].kind](like, **options)


class Probe(NamedTuple):
    """A question with the scenario that answers it. Call it with the name of a preset and options, or with a System."""

    name: str
    question: str
    scenario: Callable[[System], Answer | bool]

    def __call__(self, system: str | System, **options: Any) -> Answer:
        """Run the scenario and answer."""
        try:
            found = self.scenario(embedded(system, **options) if isinstance(system, str) else system)
        except NotOffered:
            return "not offered"
        return found if isinstance(found, str) else "held" if found else "violated"


PROBES: dict[str, Probe] = {}


def probing(scenario: Callable[[System], Answer | bool]) -> Probe:
    """Make a probe of a scenario: its name is the function's, its question the docstring; True is "held", False "violated"."""
    found = Probe(scenario.__name__.replace("_", " "), (scenario.__doc__ or "").partition("\n")[0], scenario)
    return PROBES.setdefault(found.name, found) if scenario.__module__ == __name__ else found


def ask(name: str, system: str | System, **options: Any) -> Answer:
    """The answer of the probe of that name. Raises ArgumentError for an unknown one."""
    if name not in PROBES:
        raise ArgumentError(known("probe", name, list(PROBES)))
    return PROBES[name](system, **options)


def handled(trace: Trace, reader: str) -> list[int]:
    """The orders that a reader has handled to the end, in that order, each as often as it was."""
    return [row.event.data["order"] for row in trace.where("handle", who=reader) if row.event]


async def quick(order: Event, ctx: Context) -> None:
    """A handler that has nothing to do."""
    await ctx.sleep(0.01)


@probing
def replay(system: System) -> bool:
    """Can a reader have yesterday's events again?"""
    system.read("payment", quick)
    system.publish(TEN)
    system.wait(hours(20))
    system.rewind("payment")
    system.wait(hours(1))
    return sorted(handled(system.trace, "payment")) == sorted([*TEN, *TEN])


@probing
def second_reader(system: System) -> bool:
    """Does a second reader get a copy of its own?"""
    system.read("payment", quick)
    system.read("analytics", quick)
    system.publish(TEN)
    system.wait(60)
    return all(sorted(handled(system.trace, reader)) == [*TEN] for reader in ("payment", "analytics"))


@probing
def redelivery(system: System) -> Answer:
    """Does one unfinished message come back, and nothing else? (Held: the ack is of a message. Violated: of an offset.)"""

    async def slow_for_one(order: Event, ctx: Context) -> None:
        await ctx.sleep(3 if order.data["order"] == BAD else 0.1)

    system.read("payment", slow_for_one, at_once=len(TEN))
    system.publish(TEN)
    system.wait(1.5)
    system.stop("payment")  # nine are done, one is not
    system.wait(1)
    system.go_on("payment")
    system.wait(hours(1))
    done = handled(system.trace, "payment")
    if BAD not in done:
        return "not offered"
    return "held" if sorted(done) == [*TEN] else "violated"


@probing
def order(system: System) -> bool:
    """Do four workers finish the events of one key in the order in which they were published?"""

    async def vary(order: Event, ctx: Context) -> None:
        await ctx.sleep(ctx.random.random())

    system.read("payment", vary, instances=4)
    for n in range(1, 41):
        system.publish([n], key="42")
        system.wait(0.1)  # so that no worker takes them all
    system.wait(hours(1))
    first = list(dict.fromkeys(handled(system.trace, "payment")))
    return first == [*range(1, 41)]


@probing
def durability(system: System) -> bool:
    """Is a backlog still there when the system, and its reader, have been down?"""
    system.read("payment", quick)
    system.wait(1)
    system.stop("payment")
    system.wait(1)
    system.publish(TEN)
    system.wait(1)
    system.restart()
    system.go_on("payment")
    system.wait(days(2))
    return set(handled(system.trace, "payment")) == {*TEN}


@probing
def dead_letters(system: System) -> bool:
    """Is a message that always fails set aside, where somebody can look at it, and do all others get through?"""

    async def fail_for_one(order: Event, ctx: Context) -> None:
        if order.data["order"] == BAD:
            raise ValueError("no such card")

    system.read("payment", fail_for_one, limit=3)
    system.publish(TEN)
    system.wait(days(2))
    aside = [letter.data["order"] for letter in system.dead("payment")]
    return aside == [BAD] and set(handled(system.trace, "payment")) == {*TEN} - {BAD}


@probing
def filter(system: System) -> bool:
    """Does a reader who asks for totals over 500 get those, and are the others never sent to it?"""
    system.read("audit", quick, over=500)
    system.publish(TEN)
    system.wait(60)
    sent = [row.event.data["total"] for row in system.trace.where(("deliver", "fetch"), who="audit") if row.event]
    return sorted(set(sent)) == [100 * n for n in TEN if n > 5]


def axes(names: Iterable[str] | Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    """Three axes of each preset, found by running it: rows for `table`. Options of a preset: {"redis-stream": {"claim_idle": 30}}.

    second reader: its own "copy", or they "share"; yesterday: "again" or "gone"; ack: what one settles, a "message", an "offset" (all
    before it), or "none" (what was unfinished does not come back).
    """
    copy = {"held": "copy", "violated": "share", "not offered": "-"}
    unit = {"held": "message", "violated": "offset", "not offered": "none"}
    asked = names if isinstance(names, Mapping) else {name: dict[str, Any]() for name in names}
    return [
        {
            "system": name,
            "second reader": copy[second_reader(name, **options)],
            "yesterday": "again" if replay(name, **options) == "held" else "gone",
            "ack": unit[redelivery(name, **options)],
        }
        for name, options in asked.items()
    ]


def recorded(probe: str, system: str) -> str:
    """What a recorded run of the real system answered, with version, date and digest, or "no run recorded".

    A record is the file `recorded/SYSTEM-PROBE.json` beside the notebooks: {"answer", "version", "date", "digest"}.
    """
    path = Path("recorded") / f"{system}-{probe.replace(' ', '-')}.json"
    if not path.exists():
        return "no run recorded"
    found = json.loads(path.read_text("utf-8"))
    return f"{found['answer']} ({found['version']}, {found['date']}, {found['digest']})"
