"""How many orders today? Two writers count them in one number, or in a set."""

from edakit import Lab, Service
from edakit.event import Event
from edakit.service import Context
from shop.again import send

THINKS = 0.02  # seconds between reading the number and writing it


async def read_add(order: Event, ctx: Context) -> None:
    """Read the counter, add one, write it."""
    count = await ctx.db.get("count", 0)
    await ctx.sleep(THINKS)
    await ctx.db.put("count", count + 1)


async def check_read_add(order: Event, ctx: Context) -> None:
    """First look whether this order has been counted."""
    if not await ctx.db.get(f"counted/{order.key}"):
        await read_add(order, ctx)
        await ctx.db.put(f"counted/{order.key}", True)


async def set_of_ids(order: Event, ctx: Context) -> None:
    """Keep the ids; the counter is their number."""
    await ctx.db.insert_once("counted", order.key)


async def add_once(order: Event, ctx: Context) -> None:
    """Id and addition in one transaction."""
    async with ctx.db.transaction() as tx:
        if await tx.insert_once("counted", order.key):
            await tx.add("count", 1)


HOW = {"read, add": read_add, "check, read, add": check_read_add, "set of ids": set_of_ids, "add once": add_once}


def counting(
    lab: Lab, how: str = "read, add", duplicate: float = 5, writers: int = 2, orders: int = 1000, pace: float = 10
) -> None:
    """So many orders a second (`pace`, at random moments), and a share of them (%) a second time soon after. how: one of HOW."""
    counter, shop = Service("counter"), lab.broker("shop", like="rabbitmq")
    counter.on("order.placed")(HOW[how])
    lab.deploy(counter, on=shop, instances=writers, prefetch=1, db=lab.database("books"))
    send(lab, shop, "order.placed", count=orders, every=1 / pace, share=duplicate / 100, gap=1)


def errors(lab: Lab) -> dict[str, int]:
    """By how much the counter is off, and why: repeats that were counted, additions that another writer has overwritten."""
    books, orders = lab.databases["books"], len(lab.trace.keys("order.placed"))
    shown = books.data.get("count", len(books.table("counted")))
    added = sum('"count"' in row.note for row in lab.trace.where("write", place="books")) or shown
    return {"counter": shown, "off by": shown - orders, "repeats counted": added - orders, "additions lost": added - shown}


WHY = {
    "more than 1,000": "nothing would have to be overwritten",
    "exactly 1,000": "nobody may come between the check and the write",
}
