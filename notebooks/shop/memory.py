"""A bank tells the shop of payments, and tells each of them twice: how long must the shop remember that it has heard one?"""

import math
from hashlib import blake2b
from typing import Any

from edakit import Lab, Service, days, minutes
from edakit.event import Event
from edakit.service import Context
from shop.again import send

MEAN = minutes(2)  # until the bank tells again, on average
WINDOW = minutes(5)  # for which SQS and SNS FIFO remember


def window(seconds: float) -> Any:
    """Remember ids for so long."""

    async def handler(paid: Event, ctx: Context) -> None:
        async with ctx.db.transaction() as tx:
            seen = await tx.get(f"seen/{paid.key}")
            if seen is None or ctx.now - seen > seconds:
                await tx.put(f"seen/{paid.key}", ctx.now)
                await tx.add(f"credit/{paid.key}", 1)

    return handler


def bloom(bits: int, hashes: int = 7) -> Any:
    """Remember ids in a Bloom filter: a few bits for each, and at times all bits of an id were set by others."""

    async def handler(paid: Event, ctx: Context) -> None:
        digests = (blake2b(f"{n}/{paid.key}".encode(), digest_size=8).digest() for n in range(hashes))
        mine = sum({1 << int.from_bytes(digest, "big") % bits for digest in digests})
        async with ctx.db.transaction() as tx:
            found = int(await tx.get("filter", "0"), 16)
            if mine & ~found:
                await tx.put("filter", f"{found | mine:x}")
                await tx.add(f"credit/{paid.key}", 1)

    return handler


async def high_water(paid: Event, ctx: Context) -> None:
    """Remember the highest number that the sender has counted up to."""
    async with ctx.db.transaction() as tx:
        if paid.data["order"] > await tx.get("mark", 0):
            await tx.put("mark", paid.data["order"])
            await tx.add(f"credit/{paid.key}", 1)


WAYS = {
    "ids, 5 minutes": window(WINDOW),
    "ids, for ever": window(math.inf),
    "Bloom filter": bloom(bits=5_000),
    "highest number": high_water,
}


def told_twice(
    lab: Lab, remember: float = 5, mean: float = 2, way: str | None = None, orders: int = 1000, replay: bool = False
) -> None:
    """Each payment is told twice, the second time after `mean` minutes on average. remember: minutes for which an id is kept, unless
    `way` names one of WAYS. replay: a day later everything is read again.
    """
    shop, payments = Service("shop"), lab.stream("payments", like="kafka")
    shop.on("order.paid")(WAYS[way] if way else window(minutes(remember)))
    lab.deploy(shop, on=payments, db=lab.database("ledger"))
    send(lab, payments, "order.paid", count=orders, every=0.1, share=1, gap=minutes(mean))
    if replay:
        lab.at(days(1), lambda: payments.seek("shop", to="earliest"))


def by_the_broker(lab: Lab, orders: int = 1000) -> None:
    """The same where the broker remembers: a FIFO queue of SQS, with the number of the payment as deduplication id."""
    shop, queue, dice = Service("shop"), lab.bus("payments", like="sqs", fifo=True), lab.random("again")

    @shop.on("order.paid")
    async def credit(paid: Event, ctx: Context) -> None:
        await ctx.db.add(f"credit/{paid.key}", 1)

    lab.deploy(shop, on=queue, db=lab.database("ledger"))
    for n in range(orders):
        for time in (n * 0.1, n * 0.1 + dice.expovariate(1 / MEAN)):
            lab.at(time, lambda n=n: queue.publish("order.paid", {"order": n}, key=n, dedup=str(n), source="bank"))


def credits(lab: Lab) -> dict[str, int]:
    """Payments that were credited more than once, and those that never were."""
    data = lab.databases["ledger"].data
    found = [data.get(f"credit/{key}", 0) for key in lab.trace.keys("order.paid")]
    return {"twice": sum(each > 1 for each in found), "never": sum(not each for each in found)}


def escaped(lab: Lab) -> dict[str, float]:
    """The same in per cent of all payments."""
    found = len(lab.trace.keys("order.paid"))
    return {"credited twice, %": 100 * credits(lab)["twice"] / found}


def kept(lab: Lab) -> int:
    """Rows that are kept in order to remember."""
    return sum(not key.startswith("credit/") for key in lab.databases["ledger"].data)


def delays(lab: Lab) -> dict[str, list[float]]:
    """Minutes from the first to the second time that a payment was told, by what became of the second."""
    data, told = lab.databases["ledger"].data, dict[str, list[float]]()
    for row in lab.trace.where("append"):
        if row.event is not None:
            told.setdefault(row.event.key or "", []).append(row.time)
    found: dict[str, list[float]] = {"recognised": [], "credited again": []}
    for key, (first, second, *_) in told.items():
        found["credited again" if data.get(f"credit/{key}", 0) > 1 else "recognised"].append((second - first) / 60)
    return found


WHY = {"none": "2 minutes would have to be the longest, not the mean", "about half": "that is a window as short as the median"}
