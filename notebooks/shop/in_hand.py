"""How many messages a worker holds: prefetch, from one at a time to the whole queue."""

from edakit import Lab, Service

WORK, HOP = 0.005, 0.01  # seconds: to pack a parcel on average; for a message, one way


def packing_hall(lab: Lab, prefetch: int = 10, slow: float = 1, workers: int = 2, orders: int = 200) -> None:
    """All orders lie in the queue at once. slow: how many times longer the last worker takes for a parcel."""
    lab.faults(delay=HOP - 0.001)  # on top of the millisecond that a message takes anyway
    shop, packing = lab.broker("shop", like="rabbitmq"), Service("packing")

    @packing.on("order.placed")
    async def pack(order, ctx):
        await ctx.sleep(ctx.random.expovariate(1 / WORK))

    lab.deploy(packing, on=shop, instances=workers, prefetch=prefetch)
    lab.faults(slow=slow, where=list(lab.instances)[-1])
    for n in range(1, orders + 1):
        shop.publish("order.placed", {"order": n}, key=n, source="orders")


def pace(lab: Lab) -> dict[str, float]:
    """Seconds until the last parcel is packed, parcels a second, and the share of the orders that the last worker packed."""
    done = lab.trace.where("handle", who="packing")
    last = list(lab.instances)[-1]
    seconds = done[-1].time - done[0].time
    return {
        "seconds": done[-1].time,
        "per second": (len(done) - 1) / seconds,
        "last worker, %": 100 * len(done.where(who=last)) / len(done),
    }
