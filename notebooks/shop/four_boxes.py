"""The four parts of an event-driven system, once as everybody writes them first, and once with each joint mended."""

from typing import Any

from edakit import Faults, Lab, Service
from edakit.event import Event
from edakit.service import Context
from shop.event_store import ConflictError, EventStore
from shop.placing import save_first, saved

EVERYTHING = Faults(crash=0.03, restart_after=0.2) + Faults(drop=0.03)
"""Each await of a handler may be its last, and each message on the network may be lost: three in a hundred."""


async def save_and_publish(order: Event, ctx: Context) -> None:
    """Producer, mended: one transaction, and the event leaves if and only if it is committed."""
    async with ctx.db.transaction() as tx:
        await tx.put(f"orders/{order.key}", order.data)
        tx.publish("order.placed", order.data)


async def charge(order: Event, ctx: Context) -> None:
    """Consumer: take the money, say so."""
    await ctx.publish("payment.processed", order.data)
    await ctx.sleep(0.005)


async def charge_once(order: Event, ctx: Context) -> None:
    """Consumer, mended: the order's number is remembered together with the effect."""
    async with ctx.db.transaction() as tx:
        if await tx.insert_once("charged", order.key):
            tx.publish("payment.processed", order.data)


async def record(order: Event, ctx: Context) -> None:
    """Store: append what was heard."""
    await EventStore(ctx.db).append("book", [order.data], expected_version=None)


async def record_once(order: Event, ctx: Context) -> None:
    """Store, mended: this is the first event of its order, or it is known already."""
    try:
        await EventStore(ctx.db).append(f"order-{order.key}", [order.data], expected_version=0)
    except ConflictError:
        ctx.log("known already")


def service(name: str, type: str, handler: Any) -> Service:
    """A service with one handler."""
    made = Service(name)
    made.on(type)(handler)
    return made


def four_boxes(lab: Lab, mended: bool = False, orders: int = 10) -> None:
    """orders (producer) saves and publishes; shop (broker); payment (consumer); book (store), which appends what it hears."""
    web, shop, book = lab.server("web", like="http"), lab.broker("shop", like="rabbitmq"), lab.database("book_db")
    place, pay, keep = (save_and_publish, charge_once, record_once) if mended else (save_first, charge, record)
    lab.deploy(service("orders", "place", place), on=web, publishes=shop, db=lab.database("orders_db"))
    lab.deploy(service("payment", "order.placed", pay), on=shop, db=lab.database("payment_db"))
    lab.deploy(service("book", "order.placed", keep), on=shop, db=book, commit="after" if mended else "before")
    lab.workload(web, "orders/place", every=1, count=orders, data=lambda n, _: {"order": n}, key="order")


def counters(lab: Lab) -> dict[str, int]:
    """What each of the four parts would say if you asked it how many orders there were."""
    book = [key for key in lab.databases["book_db"].data if "/" in key]
    return {
        "saved": len(saved(lab)),
        "published": len(lab.trace.where("publish", type="order.placed")),
        "charged": len(lab.trace.where("publish", type="payment.processed")),
        "stored": len(book),
    }


def disagreements(lab: Lab) -> dict[str, float]:
    """By how much the other three are off from what was saved; published twice is no error if charged and stored are right."""
    found = counters(lab)
    return {name: found[name] - found["saved"] for name in ("published", "charged", "stored")}
