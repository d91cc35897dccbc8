"""Exactly once: eight ways from an order to its effect, inside Kafka and out of it, under lost answers and crashes."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from edakit import Lab, Service, run, table
from edakit.event import Event
from edakit.service import Context
from edakit.stream.producer import Producer
from edakit.table import Table

WORK = 0.01  # seconds: what a service still has to do once the effect is there


class Way(NamedTuple):
    """What is switched on, and what goes wrong: one answer in twenty lost, or one crash in a hundred right behind the effect."""

    fault: str
    idempotent: bool = True
    transaction: bool = False
    isolation: str = "read_committed"
    card: str = ""  # where the effect is a card outside of Kafka: the key that it is given


ANSWER, SENDER, READER = "answer lost", "sender dies", "reader dies"
WAYS = {
    "retry": Way(ANSWER, idempotent=False),
    "retry, idempotent": Way(ANSWER),
    "sent again by the application": Way(SENDER),
    "Kafka to Kafka": Way(READER),
    "in a transaction": Way(READER, transaction=True),
    "the same, read uncommitted": Way(READER, transaction=True, isolation="read_uncommitted"),
    "a card": Way(READER, transaction=True, card="a new one"),
    "a card that knows the key": Way(READER, transaction=True, card="order"),
}


def once(lab: Lab, way: str = "retry", orders: int = 100, rate: float = 1) -> None:
    """Orders come fifty a second; each must have one effect. way: one of WAYS; rate: times as many faults."""
    chosen = WAYS[way]
    invoices, books = lab.stream("invoices", like="kafka", start="earliest"), lab.database("books")
    lab.deploy(_reader(), on=invoices, isolation=chosen.isolation, db=books)
    if chosen.fault == READER:
        source: Any = lab.stream("orders", like="kafka", start="earliest")
        lab.deploy(_bank(), on=lab.server("api", threads=100), db=lab.database("cards"))
    else:
        source = lab.broker("orders", like="rabbitmq")
    lab.deploy(_billing(chosen), on=source, publishes=invoices)
    sends = Producer(idempotence=chosen.idempotent, transactional=chosen.transaction, timeout=0.5, linger=0)
    invoices.producer("billing", sends)
    lab.workload(source, "order.placed", every=0.02, count=orders, key="order", source="client")
    if chosen.fault == ANSWER:
        lab.faults(drop=min(1, 0.05 * rate), leg="confirm", where=("billing", "invoices"))
    else:
        effect = "call" if chosen.card else "publish"
        lab.faults(crash=min(1, 0.01 * rate), between=(effect, "sleep"), where="billing", restart_after=0.1)


def _billing(way: Way) -> Service:
    """Writes an invoice for each order; with a card it charges that, too."""
    billing = Service("billing")

    async def bill(order: Event, ctx: Context) -> None:
        if way.card:
            key = order.key if way.card == "order" else f"{order.key} at {ctx.now}"
            await ctx.call("bank", {"order": order.key, "key": key}, timeout=1)
        else:
            await ctx.publish("invoice.sent", order.data)
        await ctx.sleep(WORK)

    @billing.on("order.placed")
    async def handle(order: Event, ctx: Context) -> None:
        if way.transaction:
            async with ctx.transaction():
                await bill(order, ctx)
        else:
            await bill(order, ctx)

    return billing


def _bank() -> Service:
    """Charges each key once."""
    bank = Service("bank")

    @bank.on("charge")
    async def charge(request: Event, ctx: Context) -> None:
        async with ctx.db.transaction() as tx:
            if await tx.insert_once("keys", request.data["key"]):
                await tx.add(request.data["order"], 1)

    return bank


def _reader() -> Service:
    """Counts the invoices it can see."""
    reader = Service("reader")

    @reader.on("invoice.sent")
    async def count(invoice: Event, ctx: Context) -> None:
        await ctx.db.add(str(invoice.key), 1)

    return reader


def counts(lab: Lab) -> dict[str, int]:
    """How many effects each order has had, where it must have one."""
    cards = lab.databases["cards"].data if "cards" in lab.databases else {}
    data = cards if any(not key.startswith("keys/") for key in cards) else lab.databases["books"].data
    return {key: data.get(key, 0) for key in lab.trace.keys("order.placed")}


def effects(lab: Lab) -> dict[str, int]:
    """Effects beyond the first of each order, and orders without any."""
    found = counts(lab).values()
    return {"duplicates": sum(each - 1 for each in found if each > 1), "missing": sum(not each for each in found)}


def all_ways(orders: int = 1000) -> dict[str, dict[str, int]]:
    """Each way once, under seed 42."""
    return {way: effects(run(once, seed=42, way=way, orders=orders)) for way in WAYS}


def told(found: Mapping[str, Mapping[str, int]]) -> Table:
    """The same as a table."""
    return table([{"way": way, "what goes wrong": WAYS[way].fault, **each} for way, each in found.items()])


def verdict(found: Mapping[str, Mapping[str, int]], options: Sequence[str]) -> str:
    """Where there are extra effects with everything switched on: nowhere, where the transaction does not reach, or everywhere."""
    inside = found["in a transaction"]["duplicates"]
    outside = [found[way]["duplicates"] for way in ("sent again by the application", "a card")]
    return options[2] if inside else options[1] if any(outside) else options[0]


WHY = {"nowhere": "it would have to be a property of the product", "everywhere": "inside of Kafka the transaction holds"}
