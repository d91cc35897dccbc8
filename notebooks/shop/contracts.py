"""Thirteen contracts, what they promise when they are asked, and ten tasks of the shop that need a contract.

A contract is a preset with its switches: "eventbridge" is EventBridge as it comes; "eventbridge, kept" has its archive on and a target
that answers (an API destination, not an asynchronous function). Consumers of "redis-stream" claim what others left for 30 seconds.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from edakit import probe
from edakit.errors import ArgumentError, WiringError, known
from edakit.event import Event
from edakit.probe import OnBroker, Probe, System, handled, probing
from edakit.service import Context, Handler

CONTRACTS: dict[str, dict[str, Any]] = {  # by name: the preset, and what is switched on
    "rabbitmq": {"like": "rabbitmq"},
    "rabbitmq-quorum": {"like": "rabbitmq-quorum"},
    "rabbitmq-stream": {"like": "rabbitmq-stream"},
    "kafka": {"like": "kafka"},
    "kafka-share": {"like": "kafka-share"},
    "sns": {"like": "sns"},
    "sqs": {"like": "sqs"},
    "kinesis": {"like": "kinesis"},
    "eventbridge": {"like": "eventbridge"},
    "eventbridge, kept": {"like": "eventbridge", "archive": True, "invoke": "request-response"},
    "eventbridge-custom": {"like": "eventbridge-custom"},
    "redis-pubsub": {"like": "redis-pubsub"},
    "redis-stream": {"like": "redis-stream", "claim_idle": 30},
}


@probing
def urgent(system: System) -> bool:
    """Does an urgent order overtake those that wait?"""

    async def pack(order: Event, ctx: Context) -> None:
        await ctx.sleep(1)

    system.read("packing", pack)
    system.publish(range(1, 31))
    system.wait(1.5)
    system.publish([31], priority=9)
    system.wait(60)
    return handled(system.trace, "packing")[-1] != 31


@probing
def expiry(system: System) -> bool:
    """Is an offer that nobody took within ten minutes never delivered?"""
    system.read("offers", probe.quick)
    system.wait(1)
    system.stop("offers")
    system.wait(1)
    system.publish([42], ttl=600)
    system.wait(3600)
    system.go_on("offers")
    system.wait(3600)
    return not handled(system.trace, "offers")


@probing
def delay(system: System) -> bool:
    """Can the system keep an event back for ten seconds before anybody gets it?"""
    system.read("payment", probe.quick)
    system.publish([42])
    system.wait(60)
    (done,) = system.trace.where("handle", who="payment")
    return done.time >= 10


class WaitingRoom(OnBroker):
    """A queue that nobody reads, whose messages expire after ten seconds into the queue of the reader: how RabbitMQ delays."""

    def read(self, name: str, handler: Handler, **choices: Any) -> None:
        """Declare both queues, then deploy."""
        self.home.queue("waiting_room", bind="order.placed", message_ttl=10, dead_letter=name)
        self.home.queue(name, bind="nobody.publishes.this")
        super().read(name, handler, **choices)


class Need(NamedTuple):
    """Something a task may need: the probe that asks for it, and the switch that turns it on where there is one."""

    probe: Probe
    switch: Mapping[str, Any] = {}
    on_a_broker: type[OnBroker] | None = None  # where it takes more than a switch


NEEDS = {
    "replay": Need(probe.replay),
    "second reader": Need(probe.second_reader),
    "one message alone": Need(probe.redelivery),
    "order of a key": Need(probe.order),
    "durability": Need(probe.durability),
    "dead letters": Need(probe.dead_letters),
    "content filter": Need(probe.filter),
    "urgent first": Need(urgent, {"max_priority": 9}),
    "expiry": Need(expiry, {"durable": True}),  # a queue that is declared looks at the time limit of a message
    "delay": Need(delay, {"delay": 10}, WaitingRoom),
}


@cache
def asked(need: str, contract: str) -> str:
    """Whether a contract holds what a need asks for: held, violated or not offered. A run, not a look into a table."""
    if need not in NEEDS or contract not in CONTRACTS:
        raise ArgumentError(
            known("need", need, list(NEEDS)) if need not in NEEDS else known("contract", contract, list(CONTRACTS))
        )
    what, options = NEEDS[need], dict(CONTRACTS[contract])
    if what.on_a_broker and options["like"] in ("rabbitmq", "rabbitmq-quorum"):
        return what.probe(what.on_a_broker(**options))
    try:
        return what.probe(options.pop("like"), **options, **what.switch)
    except WiringError:  # it has no such switch
        return "not offered"


def promises(needs: Iterable[str], contracts: Iterable[str] = CONTRACTS) -> dict[tuple[str, str], str]:
    """Every need put to every contract: what `edakit.grid` shows."""
    needs = list(needs)
    return {(contract, need): asked(need, contract) for contract in contracts for need in needs}


def holds(contract: str, needs: Iterable[str]) -> bool:
    """Whether a contract holds all of this."""
    return all(asked(need, contract) == "held" for need in needs)


class Task(NamedTuple):
    """A task of the shop, and what it cannot do without."""

    name: str
    needs: tuple[str, ...]


TASKS = (
    Task("rebuild last week's figures", ("replay", "durability")),
    Task("retry one card alone", ("one message alone", "dead letters", "durability")),
    Task("urgent parcels first", ("urgent first", "durability")),
    Task("fraud desk: totals over 500 only", ("content filter", "durability")),
    Task("thumbnails, one of them poison", ("one message alone", "dead letters", "durability")),
    Task("an offer that ends in ten minutes", ("expiry", "durability")),
    Task("the states of one order, in order", ("order of a key", "durability")),
    Task("an audit log for a second team", ("replay", "second reader", "durability")),
    Task("prices on the screens in the shop", ("second reader",)),
    Task("fill a new search index", ("replay", "order of a key", "durability")),
)
STREAM, PUBSUB = "kafka", "rabbitmq"  # what the study page calls a stream, and what it calls pub-sub


def page_rule(task: Task, axes: Sequence[str] = ("durability", "replay")) -> str:
    """The study page's rule: whoever needs one of these takes a stream, else pub-sub."""
    return STREAM if set(axes) & set(task.needs) else PUBSUB


def missing(task: Task, contract: str) -> list[str]:
    """What a task needs and a contract does not hold."""
    return [need for need in task.needs if asked(need, contract) != "held"]


def choose(task: Task) -> str:
    """The first contract that holds all that a task needs."""
    return next((name for name in CONTRACTS if holds(name, task.needs)), "none")
