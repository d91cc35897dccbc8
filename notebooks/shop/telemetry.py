"""Clicks and orders: both are events. What may be sampled, and whose clock to believe."""

from itertools import pairwise

from edakit import Lab, LogNormal, Service


def sampled(lab: Lab, share: float = 0.1, orders: int = 1000) -> None:
    """`orders` has them all in its database, and publishes one in `1 / share`; `packing` packs what it hears of."""
    random, price, packing, shop = lab.random("orders"), LogNormal(20, 0.3), Service("packing"), lab.broker("shop")
    totals = {str(n): round(price.draw(random), 2) for n in range(orders)}

    @packing.on("order.placed")
    async def pack(order, ctx):
        await ctx.publish("parcel.shipped", order.data)

    lab.database("orders_db", totals)
    lab.deploy(packing, on=shop)
    for order, total in totals.items():
        if random.random() < share:
            shop.publish("order.placed", {"order": order, "total": total}, key=order, source="orders")


def extrapolated(lab: Lab, share: float = 0.1) -> dict[str, float]:
    """Revenue worked out from the sample, in percent off the truth, and parcels that left the shop for every hundred orders."""
    truth = lab.databases["orders_db"].data
    guess = sum(event.data["total"] for event in lab.trace.events("order.placed")) / share
    shipped = len(lab.trace.keys("parcel.shipped"))
    return {"revenue off, %": 100 * (guess / sum(truth.values()) - 1), "parcels, %": 100 * shipped / len(truth)}


def clicks(lab: Lab, skew: float = 30, count: int = 60) -> None:
    """One click a second, each from another phone, which writes its own time on it. skew: how wrong phones are, seconds (one sigma)."""
    web = lab.stream("clicks")

    def click(n, random):
        return {"click": n, "phone": n + random.gauss(0, skew)}

    lab.workload(web, "button.clicked", every=1, count=count, data=click, key="click", source="phones")


def both_times(lab: Lab) -> list[tuple[float, float]]:
    """For each click, in order of arrival: when it arrived, and when its phone says it was."""
    return [(row.time, row.event.data["phone"]) for row in lab.trace.where("append") if row.event is not None]


def swapped(lab: Lab) -> dict[str, float]:
    """Neighbours that the phones' clocks put in the wrong order, in percent of all pairs of neighbours."""
    pairs = list(pairwise(phone for _, phone in both_times(lab)))
    return {"wrong way round, %": 100 * sum(first > second for first, second in pairs) / len(pairs)}
