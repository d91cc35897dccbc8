"""A shop under load, with the three sliders that are called best practice: partitions, a lock, and how many orders want the same item.

Orders wait in a stream; each partition has a clerk of its own, who takes one order at a time: look at the shelf, work, write the new
number. lock: "none"; "per item" (nobody else works on the item meanwhile); "none, add -1" (no look: the database subtracts, if it can).
"""

from itertools import product
from typing import Any

from edakit import Exponential, Lab, Service, measure, run
from edakit.event import Event
from edakit.service import Context

LOCKS = ("none", "per item", "none, add -1")
FULL = 1000  # of each item on the shelf, at first
SETTINGS = {"partitions": (1, 4, 16), "lock": LOCKS, "items": (1, 5, 50)}


def clerk(lock: str) -> Service:
    """Who takes one of the item off the shelf."""
    service = Service("checkout")

    @service.on("order.placed")
    async def sell(order: Event, ctx: Context) -> None:
        item = order.data["item"]
        if lock == "none, add -1":
            await ctx.sleep(order.data["work"])
            await ctx.db.add(item, -1, where=lambda left: left > 0)
            return
        async with ctx.db.transaction() as tx:
            if lock == "per item":
                await tx.add(f"lock/{item}", 1)  # held until the block ends
            left = await tx.get(item)
            await ctx.sleep(order.data["work"])
            await tx.put(item, left - 1)

    return service


def at_load(
    lab: Lab,
    partitions: int = 4,
    lock: str = "none",
    items: int = 5,
    orders_per_s: float = 25,
    count: int = 200,
    work: float = 0.06,
) -> None:
    """`count` orders of one thing each, `work` seconds on average."""
    stream = lab.stream("orders", partitions=partitions, like="kafka")
    shelf = lab.database("shelf", {f"item-{n}": FULL for n in range(items)})
    lab.deploy(clerk(lock), on=stream, instances=partitions, db=shelf)

    def order(n: int, random: Any) -> dict[str, Any]:
        return {"order": n, "item": f"item-{random.randrange(items)}", "work": round(random.expovariate(1 / work), 6)}

    lab.workload(stream, "order.placed", every=Exponential(1 / orders_per_s), count=count, data=order, key="order", source="web")


def bill(lab: Lab) -> dict[str, float]:
    """What a setting costs: orders overtaken by a later one, things sold and not counted, seconds until an order is done (p99)."""
    placed = {row.event.id: (n, row.time) for n, row in enumerate(lab.trace.where("append")) if row.event}
    latest, overtaken, waits = -1, 0, []
    for row in lab.trace.where("handle"):
        if row.event and row.event.id in placed:
            n, time = placed[row.event.id]
            overtaken += n < latest
            latest = max(latest, n)
            waits.append(row.time - time)
    data = lab.databases["shelf"].data
    gone = sum(FULL - left for name, left in data.items() if name.startswith("item-"))
    return {"overtaken": overtaken, "miscounted": len(placed) - gone, "p99 s": round(measure.quantiles(waits, (0.99,))[0], 3)}


def bills(seed: int = 42, **fixed: Any) -> list[dict[str, Any]]:
    """Every setting of the sliders under one seed, each with its bill."""
    found = []
    for values in product(*map(list[Any], SETTINGS.values())):
        setting = dict(zip(SETTINGS, values, strict=True))
        found.append({**setting, **bill(run(at_load, seed=seed, **setting, **fixed))})
    return found


def all_three(rows: list[dict[str, Any]], late: float = 2) -> list[dict[str, Any]]:
    """The settings with nobody overtaken, nothing miscounted and a p99 below `late` seconds."""
    return [row for row in rows if not row["overtaken"] and not row["miscounted"] and row["p99 s"] < late]
