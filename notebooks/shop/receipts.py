"""When is the receipt signed: before the work, after it, or every few seconds? What a crash costs, by the place of the commit."""

from collections import Counter

from edakit import Crash, Faults, Lab, Service, Uniform
from edakit.event import Event
from edakit.service import Context

AT_EACH_AWAIT = Faults(crash=0.01, restart_after=0.03)
ONE_CRASH = Crash("packing", at=Uniform(10, 20), restart_after=0.03)
EVERY = 0.1  # seconds between two orders


async def pack(order: Event, ctx: Context) -> None:
    """The effect, then a moment until the handler returns."""
    await ctx.publish("parcel.packed", order.data)
    await ctx.sleep(0.005)


async def pack_once(order: Event, ctx: Context) -> None:
    """The effect and the memory of it in one transaction."""
    async with ctx.db.transaction() as tx:
        if await tx.insert_once("packed", order.key):
            tx.publish("parcel.packed", order.data)
    await ctx.sleep(0.005)


def receipts(lab: Lab, commit: str | float = "after", remember: bool = False, orders: int = 100) -> None:
    """One consumer of a topic, ten orders a second. commit: "before" or "after" the handler, or seconds between auto-commits."""
    topic, facts, packing = lab.stream("orders"), lab.broker("facts"), Service("packing")
    packing.on("order.placed")(pack_once if remember else pack)
    lab.deploy(packing, on=topic, prefetch=1, commit=commit, publishes=facts, db=lab.database("packing_db"))
    lab.workload(topic, "order.placed", every=EVERY, count=orders, data=lambda n, _: {"order": n}, key="order")


def anomalies(lab: Lab) -> dict[str, float]:
    """Orders without a parcel, and parcels beyond the first of an order."""
    parcels = Counter(row.event.key for row in lab.trace.where("publish", type="parcel.packed") if row.event)
    return {"lost": len(lab.trace.keys("order.placed") - parcels.keys()), "twice": parcels.total() - len(parcels)}
