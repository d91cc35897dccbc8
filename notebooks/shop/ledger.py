"""Payment charges orders into a ledger. Six handlers that differ in what they do when the same order comes again."""

from typing import Any

from edakit import Faults, Lab, Service
from edakit.event import Event
from edakit.invariants import Broken
from edakit.service import Context
from shop.again import TOTAL


async def add(order: Event, ctx: Context) -> None:
    """Paid grows by the total."""
    await ctx.db.add(f"paid/{order.key}", order.data["total"])


async def put(order: Event, ctx: Context) -> None:
    """Paid is the total."""
    await ctx.db.put(f"paid/{order.key}", order.data["total"])


async def effect_then_mark(order: Event, ctx: Context) -> None:
    """The effect first."""
    if not await ctx.db.get(f"seen/{order.id}"):
        await ctx.db.add(f"paid/{order.key}", order.data["total"])
        await ctx.db.insert_once("seen", order.id)


async def mark_then_effect(order: Event, ctx: Context) -> None:
    """The mark first."""
    if await ctx.db.insert_once("seen", order.id):
        await ctx.db.add(f"paid/{order.key}", order.data["total"])


async def one_transaction(order: Event, ctx: Context) -> None:
    """Both or neither."""
    async with ctx.db.transaction() as tx:
        if await tx.insert_once("seen", order.id):
            await tx.add(f"paid/{order.key}", order.data["total"])


async def select_then_insert(order: Event, ctx: Context) -> None:
    """A transaction, and no unique index."""
    async with ctx.db.transaction() as tx:
        if not await tx.get(f"seen/{order.id}"):
            await tx.put(f"seen/{order.id}", True)
            await tx.add(f"paid/{order.key}", order.data["total"])


ADD, SET = "add", "set"
PLACES = {"effect, mark": effect_then_mark, "mark, effect": mark_then_effect, "one transaction": one_transaction}
WAYS = {ADD: add, SET: put, **PLACES, "select, insert": select_then_insert}
BETWEEN = (("add", "insert_once"), ("insert_once", "add"))  # the effect and the mark, whichever comes first


def gap(crash: float) -> Any:
    """So many crashes (0 to 1) for each handling, at the worst place: after the first of effect and mark, before the second."""
    one, other = (Faults(crash=crash, between=between, where="payment", restart_after=0.1) for between in BETWEEN)
    return one + other


def charging(
    lab: Lab, way: str = ADD, orders: int = 100, duplicate: float = 0, crash: float = 0, instances: int = 1, every: float = 0.02
) -> None:
    """Orders come one `every` so many seconds. way: one of WAYS; duplicate, crash: per cent of orders that are carried twice, and of
    handlings in which payment dies between effect and mark.
    """
    payment, shop = Service("payment"), lab.broker("shop", like="rabbitmq")
    payment.on("order.placed")(WAYS[way])
    lab.deploy(payment, on=shop, instances=instances, prefetch=1, db=lab.database("ledger"))
    lab.workload(
        shop,
        "order.placed",
        every=every,
        count=orders,
        data=lambda n, _: {"order": n, "total": TOTAL},
        key="order",
        source="orders",
    )
    if duplicate:
        lab.faults(duplicate=duplicate / 100, leg="publish", where=("orders", "shop"))
    if crash:
        lab.faults(gap(crash / 100))


def charges(lab: Lab) -> dict[str, int]:
    """How often each order has been charged, as its balance tells."""
    paid = lab.databases["ledger"].data
    return {key: round(paid.get(f"paid/{key}", 0) / TOTAL) for key in lab.trace.keys("order.placed")}


def effects(lab: Lab) -> dict[str, int]:
    """Charges that are too many, orders that have none, and by how much all of it is off."""
    found = charges(lab).values()
    many, none = sum(each - 1 for each in found if each > 1), sum(not each for each in found)
    return {"charged again": many, "not charged": none, "off by": many - none}


def right(lab: Lab) -> Broken:
    """The invariant: each order is charged once."""
    found = charges(lab)
    return {
        "duplicate": [key for key, count in found.items() if count > 1],
        "lost": [key for key, count in found.items() if not count],
    }


def versions(lab: Lab, orders: int = 1000, times: int = 5, lost: float = 2) -> None:
    """The total of each order is changed again and again, every two seconds, and payment sets it. So many per cent of acks are lost;
    what is not acked comes again after three seconds, when there may be a newer total.
    """
    payment, shop = Service("payment"), lab.broker("shop", like="rabbitmq", ack_timeout=3)
    payment.on("order.changed")(put)
    lab.deploy(payment, on=shop, concurrency=10, prefetch=100, db=lab.database("ledger"))
    lab.workload(
        shop, "order.changed", every=2 / orders, count=orders * times, data=_version(orders), key="order", source="orders"
    )
    lab.faults(drop=lost / 100, leg="ack")


def _version(orders: int) -> Any:
    return lambda n, _: {"order": n % orders, "total": 1 + (n - 1) // orders}


def outdated(lab: Lab) -> dict[str, int]:
    """Deliveries that were repeats, and orders whose last total was overwritten by an older one."""
    last = {row.event.key: row.event.data["total"] for row in lab.trace.where("publish") if row.event}
    paid = lab.databases["ledger"].data
    again = len(lab.trace.where("deliver")) - len(lab.trace.where("publish"))
    return {"repeats": again, "old total": sum(paid[f"paid/{key}"] != total for key, total in last.items())}


WHY = {
    "ada": {"0.00": "a lost ack would have to undo the work", "9.90": "the broker would have to know about the work"},
    "late": {
        "none": "a repeat would have to come before the next version",
        "about 100": "each repeat would have to be the last word",
    },
    "first": {
        "one too few": "the mark would have to come first",
        "none": "the two writes would have to be one",
    },
}
