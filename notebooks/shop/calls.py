"""One purchase, called and announced: the same three workers, and two ways to reach them.

Ada asks `web` to place an order. Called, `web` asks payment, inventory and notification in turn and answers at the end. Announced,
`web` publishes one event, answers, and the three hear of each other's results from the broker.
"""

from typing import Any

from edakit import Exponential, Lab, Refused, Service, measure, ms

TAKES = {"payment": 0.2, "inventory": 0.1, "notification": 0.05}  # mean seconds of work
PLENTY = 1_000_000


def new_order(n: int, random: Any) -> dict[str, Any]:
    """The n-th order of the day; the first is order 42."""
    return {"order": 41 + n, "customer": "Ada", "item": "tea-42", "total": 9.90}


async def work(event: Any, ctx: Any, name: str, steady: bool, poll: float = 0) -> None:
    """Do the work of a service. A worker that polls and had nothing to do sees the event only at its next look."""
    if poll and event.time > ctx.state.get("free since", 0):
        await ctx.sleep(poll - ctx.now % poll)
    await ctx.sleep(TAKES[name] if steady else ctx.random.expovariate(1 / TAKES[name]))
    ctx.state["free since"] = ctx.now


def by_call(lab: Lab, orders: int = 1, steady: bool = True, workers: int = 4, decline: float = 0, stock: int = PLENTY) -> None:
    """`web` calls the three in turn, and answers when the mail is out."""
    web, payment, inventory, notification = map(Service, ("web", *TAKES))

    @web.on("order.place")
    async def place(order: Any, ctx: Any) -> dict[str, str]:
        for name in TAKES:
            await ctx.call(name, order.data, timeout=60)
        ctx.log("answer")
        return {"status": "paid"}

    @payment.on("charge")
    async def charge(order: Any, ctx: Any) -> None:
        await work(order, ctx, "payment", steady)
        if ctx.random.random() < decline:
            raise Refused("declined")

    @inventory.on("reserve")
    async def reserve(order: Any, ctx: Any) -> None:
        await work(order, ctx, "inventory", steady)
        ctx.state["sold"] = sold = ctx.state.get("sold", 0) + 1
        if sold > stock:
            raise Refused("sold out")

    @notification.on("mail")
    async def mail(order: Any, ctx: Any) -> None:
        await work(order, ctx, "notification", steady)
        ctx.log("mail")

    api = lab.server("api", threads=1_000)
    lab.deploy(web, on=api)
    for service in (payment, inventory, notification):
        lab.deploy(service, on=api, concurrency=workers)
    lab.workload(
        api, "web/order.place", every=Exponential(0.1), count=orders, data=new_order, key="order", source="ada", timeout=60
    )


def by_event(
    lab: Lab,
    orders: int = 1,
    steady: bool = True,
    workers: int = 4,
    decline: float = 0,
    stock: int = PLENTY,
    poll: float = 0,
    wait: bool = False,
    broken: bool = False,
    like: str = "rabbitmq",
) -> None:
    """`web` publishes and answers; the three work behind its back.

    poll: seconds between two looks of an idle worker (0: it is told at once). wait: `web` answers only when the mail is out.
    broken: payment has a bug. like="in-process": no broker, the handlers run inside the publisher's call.
    """
    web, payment, inventory, notification = map(Service, ("web", *TAKES))

    @web.on("order.place")
    async def place(order: Any, ctx: Any) -> dict[str, str]:
        await ctx.publish("order.placed", order.data)
        while wait and await ctx.db.get(order.key) is None:
            await ctx.sleep(ms(5))
        ctx.log("answer")
        return {"status": "done" if wait else "accepted"}

    @payment.on("order.placed")
    async def charge(order: Any, ctx: Any) -> None:
        await work(order, ctx, "payment", steady, poll)
        if broken:
            raise KeyError("card")
        declined = ctx.random.random() < decline
        await ctx.publish("payment.declined" if declined else "payment.processed", order.data)

    @inventory.on("payment.processed")
    async def reserve(order: Any, ctx: Any) -> None:
        await work(order, ctx, "inventory", steady, poll)
        ctx.state["sold"] = sold = ctx.state.get("sold", 0) + 1
        await ctx.publish("stock.short" if sold > stock else "stock.reserved", order.data)

    @notification.on("stock.reserved")
    async def mail(order: Any, ctx: Any) -> None:
        await work(order, ctx, "notification", steady, poll)
        ctx.log("mail")
        if wait:
            await ctx.db.put(order.key, "done")

    api, shop = lab.server("api", threads=1_000), lab.broker("shop", like=like)
    status = lab.database("status") if wait else None
    lab.deploy(web, on=api, publishes=shop, db=status)
    for service in (payment, inventory, notification):
        lab.deploy(service, on=shop, concurrency=workers, prefetch=2 * workers, db=status, on_error="reject")
    lab.workload(
        api, "web/order.place", every=Exponential(0.1), count=orders, data=new_order, key="order", source="ada", timeout=60
    )


def answers(lab: Lab) -> list[float]:
    """Seconds until Ada has an answer, for each order."""
    return [row.time - row.began for row in lab.trace.where("reply", who="ada")]


def mails(lab: Lab) -> list[float]:
    """Seconds from Ada's click until her mail is out, for each order that gets one."""
    asked = {row.event.id: row.time for row in lab.trace.where("call", who="ada")}
    return [row.time - asked[row.event.correlation] for row in lab.trace.where("log", note="mail")]


def told_yes(lab: Lab) -> int:
    """How many orders Ada was told yes for."""
    return len(lab.trace.where("reply", who="ada", note=""))


def waits(lab: Lab) -> dict[str, float]:
    """Median and 99th of a hundred of both waits, in seconds."""
    found = {}
    for name, seconds in (("answer", answers(lab)), ("mail", mails(lab))):
        found[f"{name} p50"], found[f"{name} p99"] = measure.quantiles(seconds)
    return found


def late_noes(lab: Lab) -> dict[str, float]:
    """Orders Ada was told yes for and that came to nothing; orders she was told no for."""
    yes = told_yes(lab)
    return {"told yes": yes, "told no": len(answers(lab)) - yes, "yes, but failed later": yes - len(mails(lab))}
