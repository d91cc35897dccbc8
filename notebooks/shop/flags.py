"""Two instances of payment and a `status` in the database: four ways to use it, and what each lets through."""

from typing import Any

from edakit import Faults, Lab, Retry, Service
from edakit.event import Event
from edakit.service import Context
from shop.again import send

NEW, BUSY, DONE = "NEW", "IN WORK", "DONE"
WORK = 0.07  # seconds from reading the status to writing it, on average
LEASE = 1.0  # seconds for which an instance may keep an order
BREAK = 2.0  # seconds that an instance sleeps at times: a garbage collection, a paused machine


class Taken(Exception):
    """Somebody else is at it: come again later."""


async def work(ctx: Context) -> None:
    """Charge the card; and now and then the machine pauses."""
    await ctx.sleep(ctx.random.expovariate(1 / WORK) + (BREAK if ctx.random.random() < ctx.state.get("pauses", 0) else 0))


async def read_then_write(order: Event, ctx: Context) -> None:
    """Look, work, write."""
    if await ctx.db.get(f"status/{order.key}", NEW) == NEW:
        await work(ctx)
        await ctx.db.put(f"status/{order.key}", DONE)
        await ctx.db.add(f"charges/{order.key}", 1)


async def update_where(order: Event, ctx: Context) -> None:
    """Test and set in one statement: UPDATE ... SET status = 1 WHERE status = 0, as SQL writes it."""
    if await ctx.db.add(f"status/{order.key}", 1, where=lambda status: status == 0):
        await work(ctx)
        await ctx.db.add(f"charges/{order.key}", 1)


async def lease(order: Event, ctx: Context, fence: bool = False) -> None:
    """Test and set, for a while: who finds an order in work whose time is up takes it over."""
    row, number = f"status/{order.key}", f"number/{order.key}"
    async with ctx.db.transaction() as tx:
        await tx.add(number, 1)  # the row is locked now
        mine, (status, until) = await tx.get(number), await tx.get(row, [NEW, 0])
        if status == DONE:
            return
        if until > ctx.now:
            raise Taken(order.key)
        await tx.put(row, [BUSY, ctx.now + LEASE])
    await work(ctx)
    async with ctx.db.transaction() as tx:
        if fence and not await tx.add(number, 0, where=lambda newest: newest == mine):
            return  # somebody has a higher number: this is a late owner
        await tx.put(row, [DONE, 0])
        await tx.add(f"charges/{order.key}", 1)


async def fenced_lease(order: Event, ctx: Context) -> None:
    """The same, and the last write asks whether the number is still the newest."""
    await lease(order, ctx, fence=True)


GUARDS = {"read, then write": read_then_write, "update where": update_where, "lease": lease, "lease, fenced": fenced_lease}
DIES = Faults(crash=0.02, where="payment", between=("commit", "sleep"), restart_after=0.2) + Faults(
    crash=0.02, where="payment", between=("get", "sleep"), restart_after=0.2
)


def two_instances(
    lab: Lab, guard: str = "read, then write", gap: float = 100, orders: int = 1000, share: float = 5, pauses: float = 0
) -> None:
    """Four orders a second for two instances; a share of them (%) comes twice, `gap` milliseconds apart on average.

    guard: one of GUARDS; pauses: per cent of orders during which an instance sleeps for longer than a lease.
    """
    payment, shop = Service("payment"), lab.broker("shop", like="rabbitmq")

    @payment.on("order.placed")
    async def charge(order: Event, ctx: Context) -> None:
        ctx.state["pauses"] = pauses / 100
        await GUARDS[guard](order, ctx)

    retry = Retry(100, backoff=0.25, factor=1)
    lab.deploy(payment, on=shop, instances=2, prefetch=1, retry=retry, db=lab.database("ledger"))
    send(lab, shop, "order.placed", count=orders, every=0.25, share=share / 100, gap=gap / 1000)


def charges(lab: Lab) -> dict[str, int]:
    """How often each order was charged."""
    data = lab.databases["ledger"].data
    return {key: data.get(f"charges/{key}", 0) for key in lab.trace.keys("order.placed")}


def outcome(lab: Lab) -> dict[str, int]:
    """Orders charged twice, and orders that nobody will ever charge."""
    found = charges(lab).values()
    return {"charged twice": sum(each > 1 for each in found), "stuck": sum(not each for each in found)}


def gaps(lab: Lab) -> dict[str, list[float]]:
    """Milliseconds between the two copies of an order, by how that ended."""
    times, found = dict[str, list[float]](), charges(lab)
    for row in lab.trace.where("publish"):
        if row.event is not None:
            times.setdefault(row.event.key or "", []).append(row.time)
    ended: dict[str, list[float]] = {"charged once": [], "charged twice": []}
    for key, moments in times.items():
        if len(moments) > 1:
            ended["charged twice" if found[key] > 1 else "charged once"].append(1000 * (moments[1] - moments[0]))
    return ended


def worst(lab: Lab) -> list[dict[str, Any]]:
    """The first order that was charged twice: when each instance read and wrote."""
    key = next(key for key, count in charges(lab).items() if count > 1)
    return [{"key": key, "who": row.who, "read": row.began, "wrote": row.time} for row in lab.trace.where("handle", key=key)]


WHY = {"none": "a flag would have to be a lock", "all of them": "each pair would have to overlap"}
