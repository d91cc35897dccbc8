"""`web` has payment charge Ada, over three pipes, while things go wrong: an outage, a lost reply, a long chain."""

from collections import Counter
from typing import Any

from edakit import CallTimeout, Crash, Exponential, Faults, Lab, Refused, Service, measure
from edakit.errors import CallError

STYLES = ("call", "call through a queue", "event")
AT_ONCE = {"8 threads": 8, "asyncio": 1_000}  # requests that `web` can have waiting
DOWN, UP = 10, 40  # seconds: payment dies, and comes back
OUTAGE = Crash("payment", at=DOWN, restart_after=UP - DOWN)


def one_charge(lab: Lab, style: str = "call", io: str = "asyncio", instances: int = 4, orders: int = 750) -> None:
    """Ten orders a second; an instance of payment does five. `web` calls payment (straight or through a queue) or publishes."""
    web, payment = Service("web"), Service("payment")

    @web.on("order.place")
    async def place(order: Any, ctx: Any) -> None:
        if style == "event":
            await ctx.publish("order.placed", order.data)
            return
        try:
            await ctx.call("payment", order.data, timeout=5)
        except CallError as error:
            raise Refused(f"try again later ({error.outcome})") from error

    @payment.on("order.placed")
    async def charge(order: Any, ctx: Any) -> None:
        await ctx.sleep(ctx.random.expovariate(5))

    api, shop = lab.server("api", threads=1), lab.broker("shop", like="rabbitmq")
    lab.deploy(web, on=api, publishes=shop, concurrency=AT_ONCE[io])
    lab.deploy(payment, on=api if style == "call" else shop, instances=instances, prefetch=1)
    lab.workload(api, "web/order.place", every=Exponential(0.1), count=orders, key="order", source="ada", timeout=60)


def accepted(lab: Lab) -> float:
    """Share (%) of the orders placed while payment was down that had a yes within a second."""
    asked = sum(DOWN < row.time < UP for row in lab.trace.where("call", who="ada"))
    replies = lab.trace.where("reply", who="ada", note="")
    return 100 * sum(DOWN < row.began < UP and row.time - row.began < 1 for row in replies) / asked


def charged_for_nothing(lab: Lab) -> int:
    """Orders that payment has charged although Ada was told no."""
    told_no = {row.event.key for row in lab.trace.where(("reply", "timeout"), who="ada") if row.kind == "timeout" or row.note}
    return sum(row.event.key in told_no for row in lab.trace.where("handle", who="payment"))


def waiting(lab: Lab) -> dict[float, int]:
    """Messages in payment's queue, from each change on."""
    return dict(measure.backlog(lab.trace, "shop/payment"))


def failed(lab: Lab) -> dict[str, float]:
    """Orders that Ada was told no for."""
    return {"failed": sum(bool(row.note) for row in lab.trace.where("reply", who="ada"))}


def recovery(lab: Lab) -> dict[str, float]:
    """Orders that failed; orders that waited; seconds to drain them; the longest wait."""
    handled = lab.trace.where("handle", who="payment")
    depth = waiting(lab)
    at_work = sum(name.startswith("payment") for name in lab.instances)
    return {
        **failed(lab),
        "piled up": max(depth.values()),
        "drain s": next(time for time, number in depth.items() if time > UP + 1 and number <= at_work) - UP,
        "longest wait s": max(row.time - row.event.time for row in handled),
    }


def bank(lab: Lab, orders: int = 1, once: bool = False) -> None:
    """`web` calls payment and tries again when no answer comes. once: payment looks at the key first."""
    web, payment = Service("web"), Service("payment")

    @web.on("order.place")
    async def place(order: Any, ctx: Any) -> str:
        for _ in range(5):
            try:
                await ctx.call("payment", order.data, timeout=0.5, key=order.key)
            except CallTimeout:
                continue
            return "paid"
        return "unknown"

    @payment.on("charge")
    async def charge(order: Any, ctx: Any) -> None:
        async with ctx.db.transaction() as tx:
            if once and not await tx.insert_once("charges", order.key):
                return
            await tx.add(f"paid by {order.key}", order.data["total"])
        await ctx.sleep(0.05)

    api = lab.server("api", threads=1_000)
    lab.deploy(web, on=api)
    lab.deploy(payment, on=api, db=lab.database("ledger"))
    lab.workload(
        api,
        "web/order.place",
        every=0.1,
        count=orders,
        data=lambda n, _: {"order": 41 + n, "total": 9.90},
        key="order",
        source="ada",
    )


def double_charges(lab: Lab) -> dict[str, float]:
    """How many charges there are beyond one for each order, and how many orders have none."""
    charges = Counter(row.event.key for row in lab.trace.where("write", place="ledger") if "paid by" in row.note)
    orders = {row.event.key for row in lab.trace.where("call", who="ada")}
    return {"double charges": sum(charges.values()) - len(charges), "not charged": len(orders - charges.keys())}


def seen_by(lab: Lab, who: str) -> list[tuple[float, str, str]]:
    """All that one side can know: when it asked, when an answer came, when it gave up."""
    return [(row.time, row.kind, row.place) for row in lab.trace.where(("call", "reply", "timeout"), who=who)]


def chain(lab: Lab, services: int = 10, each: float = 0.999, orders: int = 50) -> None:
    """Every service calls the next and is up with probability `each`."""
    api = lab.server("api")
    for n in range(1, services + 1):
        service = Service(f"service-{n}")

        @service.on("do")
        async def do(order: Any, ctx: Any, following: str = f"service-{n + 1}" if n < services else "") -> None:
            if ctx.random.random() >= each:
                raise Refused("down")
            if following:
                await ctx.call(following, order.data, timeout=5)

        lab.deploy(service, on=api)
    lab.workload(api, "service-1", every=0.1, count=orders, source="ada")


def announced(lab: Lab, services: int = 10, each: float = 0.999, orders: int = 50) -> None:
    """`web` publishes to a broker, and every service hears of it; each of them, the broker too, is up with probability `each`."""
    web, api, shop = Service("web"), lab.server("api"), lab.broker("shop", like="rabbitmq")

    @web.on("order.place")
    async def place(order: Any, ctx: Any) -> None:
        if ctx.random.random() >= each:
            raise Refused("down")
        await ctx.publish("order.placed", order.data)

    async def do(order: Any, ctx: Any) -> None:
        if ctx.random.random() >= each:
            raise ConnectionError("down")

    lab.deploy(web, on=api, publishes=shop)
    for n in range(1, services + 1):
        service = Service(f"service-{n}")
        service.on("order.placed")(do)
        lab.deploy(service, on=shop)
    lab.faults(Faults(drop=1 - each, where=("web", "shop"), leg="publish"))
    lab.workload(api, "web", every=0.1, count=orders, source="ada")


def up(lab: Lab) -> dict[str, float]:
    """Share of the orders that got a yes."""
    asked, yes = lab.trace.where("call", who="ada"), lab.trace.where("reply", who="ada", note="")
    return {"answered": len(yes) / len(asked)}


def up_and_done(lab: Lab) -> dict[str, float]:
    """The same for events, and the published ones that not every service has handled in the end."""
    handled = Counter(row.event.id for row in lab.trace.where("handle") if row.place.startswith("shop/"))
    taken, services = lab.trace.where("publish"), len(lab.deployments) - 1
    return {**up(lab), "left undone": sum(handled[row.event.id] < services for row in taken)}
