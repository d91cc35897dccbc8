"""The order service opened up: it records an order in its database and publishes that it is placed. Two writes, or one."""

from edakit import Exponential, Lab, Service
from edakit.event import Event
from edakit.service import Context
from edakit.trace import Keys


async def record_then_publish(order: Event, ctx: Context) -> None:
    """Two systems, one after the other."""
    await ctx.db.insert_once("orders", order.key)
    await ctx.publish("order.placed", order.data)


async def record_with_outbox(order: Event, ctx: Context) -> None:
    """One transaction: the event lies in the database beside the order, and leaves if and only if the order is there."""
    async with ctx.db.transaction() as tx:
        await tx.insert_once("orders", order.key)
        tx.publish("order.placed", order.data)


def order_service(lab: Lab, outbox: bool = False, count: int = 1000) -> None:
    """Customers ask two instances of the order service over HTTP; what it publishes goes to the shop's broker."""
    web, shop = lab.server("web", like="http"), lab.broker("shop", like="rabbitmq")
    orders = Service("orders")
    orders.on("place")(record_with_outbox if outbox else record_then_publish)
    lab.deploy(orders, on=web, publishes=shop, instances=2, db=lab.database("orders_db"))
    lab.workload(web, "orders/place", every=Exponential(0.1), count=count, key="place")


def recorded(lab: Lab) -> Keys:
    """Orders in the database of the order service."""
    return Keys(lab.databases["orders_db"].table("orders"))


def stuck(lab: Lab) -> Keys:
    """Orders that are recorded, and that nobody will ever work on."""
    return recorded(lab) - lab.trace.keys("order.placed")


def losses(lab: Lab) -> dict[str, float]:
    """Crashes, orders recorded, orders stuck."""
    crashes = len(lab.trace.where("crash"))
    return {"crashes": crashes, "recorded": len(recorded(lab)), "stuck": len(stuck(lab))}
