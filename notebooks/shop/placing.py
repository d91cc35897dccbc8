"""An order is saved, and it must be published: two writes. Three ways to do both, and what a crash leaves of each."""

import math
from typing import Any

from edakit import Faults, Lab, Service, Uniform
from edakit.event import Event
from edakit.service import Context
from edakit.trace import Keys

EVERY = Uniform(0.05, 0.15)  # seconds between two orders


async def save_first(order: Event, ctx: Context) -> None:
    """Save, then publish."""
    await ctx.db.put(f"orders/{order.key}", order.data)
    await ctx.publish("order.placed", order.data)


async def publish_first(order: Event, ctx: Context) -> None:
    """Publish, then save."""
    await ctx.publish("order.placed", order.data)
    await ctx.db.put(f"orders/{order.key}", order.data)


async def with_outbox(order: Event, ctx: Context) -> None:
    """One transaction: the order, and its event as a row of the same database. `rows` stays locked until the commit."""
    async with ctx.db.transaction() as tx:
        await tx.put(f"orders/{order.key}", order.data)
        await tx.add("rows", 1)
        await tx.put(f"outbox/{await tx.get('rows')}", order.data)


async def relay_rows(tick: Event, ctx: Context) -> None:
    """Publish the rows that are new, in their order; note each one after it was sent."""
    done, rows = await ctx.db.get("done", 0), await ctx.db.get("rows", 0)
    for n in range(done + 1, rows + 1):
        order = await ctx.db.get(f"outbox/{n}")
        await ctx.publish("order.placed", order, key=str(order["order"]))
        await ctx.db.put("done", n)  # a crash just before this line publishes the row again


WAYS = {"save-first": save_first, "publish-first": publish_first, "outbox": with_outbox}
GAP = Faults(crash=0.01, between=("put", "publish"), where="orders", restart_after=0.03) + Faults(
    crash=0.01, between=("publish", "put"), restart_after=0.03
)
"""One crash in a hundred, exactly between the two halves, whichever comes first; of the relay: between sending and noting it."""


def placing(lab: Lab, way: str = "save-first", orders: int = 100, relay_every: float = 0.1, queue: bool = False) -> None:
    """Customers place orders, ten a second, over HTTP, or by a `queue` that keeps a request until it is handled.

    way: one of WAYS; relay_every: seconds between two looks at the outbox.
    """
    door: Any = lab.broker("door") if queue else lab.server("door", like="http")
    shop, service, db = lab.broker("shop"), Service("orders"), lab.database("orders_db")
    service.on("place")(WAYS[way])
    lab.deploy(service, on=door, publishes=shop, db=db)
    if way == "outbox":
        clock, relay = lab.broker("clock", ack_timeout=1), Service("relay")
        relay.on("tick")(relay_rows)
        lab.deploy(relay, on=clock, publishes=shop, db=db)
        lab.workload(clock, "tick", every=relay_every, count=math.ceil((2 + 0.105 * orders) / relay_every), source="time")
    lab.workload(
        door, "place" if queue else "orders/place", every=EVERY, count=orders, data=lambda n, _: {"order": n}, key="order"
    )


def saved(lab: Lab) -> Keys:
    """Orders in the database of the order service."""
    return Keys(lab.databases["orders_db"].table("orders"))


def two_counters(lab: Lab) -> dict[str, int]:
    """Orders saved, events published, and how they disagree: saved and never published, published and never saved, sent twice."""
    rows, known, told = lab.trace.where("publish", type="order.placed"), saved(lab), lab.trace.keys("order.placed")
    return {
        "saved": len(known),
        "published": len(rows),
        "lost": len(known - told),
        "phantom": len(told - known),
        "twice": len(rows) - len(told),
    }


def waits(lab: Lab) -> list[float]:
    """Seconds from the commit of each order until its event is at the broker."""
    commits: dict[str, float] = {}
    for row in lab.trace.where("write", who="orders"):
        if row.event is not None and row.event.key is not None:
            commits[row.event.key] = row.time
    there = {row.event.key: row.time for row in reversed(lab.trace.where("publish", type="order.placed")) if row.event}
    return [there[key] - time for key, time in commits.items() if key in there]
