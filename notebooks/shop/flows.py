"""Where a flow is written down: in a chain of subscriptions or in one saga; and two pipes, each used against its habit."""

from typing import Any

from edakit import CallTimeout, Exponential, Lab, Saga, Service, hours


def inventory_at_work(swallow: float) -> Any:
    """How inventory reserves: 0.1 s, and with chance `swallow` it never says how that ended."""

    async def reserve(order: Any, ctx: Any) -> bool:
        await ctx.sleep(0.1)
        if ctx.random.random() < swallow:
            await ctx.sleep(hours(1))  # a bug: the thread is lost, and with it the outcome
            return False
        return True

    return reserve


def chained(lab: Lab, orders: int = 100, swallow: float = 0.01) -> None:
    """Payment, inventory and notification, each listening to the one before."""
    payment, inventory, notification = Service("payment"), Service("inventory"), Service("notification")
    at_work = inventory_at_work(swallow)

    @payment.on("order.placed")
    async def charge(order: Any, ctx: Any) -> None:
        await ctx.sleep(0.2)
        await ctx.publish("payment.processed", order.data)

    @inventory.on("payment.processed")
    async def reserve(order: Any, ctx: Any) -> None:
        if await at_work(order, ctx):
            await ctx.publish("stock.reserved", order.data)

    @notification.on("stock.reserved")
    async def mail(order: Any, ctx: Any) -> None:
        await ctx.sleep(0.05)
        await ctx.publish("mail.sent", order.data)

    _open(lab, (payment, inventory, notification), orders)


def checkout() -> Saga:
    """The flow, in one place: who is asked, in which order, for how long, and what is taken back."""
    saga = Saga("checkout", on="order.placed", completed="order.confirmed", compensated="order.rejected")

    async def refund(order: Any, ctx: Any) -> None:
        await ctx.call("payment/refund", order.data, timeout=5)

    @saga.step(compensate=refund)
    async def charge(order: Any, ctx: Any) -> None:
        await ctx.call("payment/charge", order.data, timeout=5)

    @saga.step()
    async def reserve(order: Any, ctx: Any) -> None:
        await ctx.call("inventory", order.data, timeout=5)

    @saga.step()
    async def mail(order: Any, ctx: Any) -> None:
        await ctx.call("notification", order.data, timeout=5)

    return saga


def owned(lab: Lab, orders: int = 100, swallow: float = 0.01) -> None:
    """The same work, asked for by one owner."""
    payment, inventory, notification = Service("payment"), Service("inventory"), Service("notification")

    @payment.on("charge", "refund")
    async def charge(order: Any, ctx: Any) -> None:
        await ctx.sleep(0.2)

    inventory.on("reserve")(inventory_at_work(swallow))

    @notification.on("mail")
    async def mail(order: Any, ctx: Any) -> None:
        await ctx.sleep(0.05)

    shop = _open(lab, (payment, inventory, notification), orders)
    lab.deploy(checkout(), on=shop)


def _open(lab: Lab, services: tuple[Service, ...], orders: int) -> Any:
    """A broker with plenty of workers, and a customer every tenth of a second."""
    shop = lab.broker("shop", like="rabbitmq")
    for service in services:
        lab.deploy(service, on=shop, concurrency=1_000, prefetch=1_000)
    lab.workload(shop, "order.placed", every=Exponential(0.1), count=orders, key="order", source="web")
    return shop


def alarms(lab: Lab) -> int:
    """Rows that somebody could be woken by: a failure, a dead letter, a timeout, a message given back."""
    return len(lab.trace.where(("fail", "dead", "timeout", "requeue", "discard")))


def stuck(lab: Lab) -> dict[str, float]:
    """Orders that nobody finished, and alarms."""
    return {"stuck": len(lab.trace.keys("order.placed") - lab.trace.keys("mail.sent")), "alarms": alarms(lab)}


def named(lab: Lab) -> dict[str, float]:
    """Orders that neither ended well nor were taken back; those named as failed; those of them named more than 5.5 s late."""
    ended = lab.trace.keys("order.confirmed") | lab.trace.keys("order.rejected")
    found = [row.time - row.event.time for row in lab.trace.where("step") if row.note.startswith("failed")]
    return {
        "stuck": len(lab.trace.keys("order.placed") - ended),
        "named": len(found),
        "named late": sum(seconds > 5.5 for seconds in found),
    }


def webhook(lab: Lab) -> None:
    """HTTP throughout, and nobody waits: `web` answers 202, payment calls back when it is done."""
    web, payment, hook = Service("web"), Service("payment"), Service("ada-hook")

    @web.on("order.place")
    async def place(order: Any, ctx: Any) -> dict[str, int]:
        try:
            await ctx.call("payment", order.data, timeout=0)
        except CallTimeout:
            ctx.log("202 accepted")  # sent; the handler does not wait for it
        return {"status": 202}

    @payment.on("charge")
    async def charge(order: Any, ctx: Any) -> None:
        await ctx.sleep(0.2)
        await ctx.call("ada-hook", order.data, timeout=5)

    @hook.on("order.paid")
    async def paid(order: Any, ctx: Any) -> None:
        ctx.log("paid")

    api = lab.server("api", like="http")
    for service in (web, payment, hook):
        lab.deploy(service, on=api)
    lab.call("web", {"order": 42}, key=42, source="ada")


def asked_by_queue(lab: Lab) -> None:
    """A broker throughout, and the caller waits: a request in payment's queue, and a reply to whoever asked."""
    payment, shop = Service("payment"), lab.broker("shop", like="rabbitmq")

    @payment.on("charge")
    async def charge(order: Any, ctx: Any) -> dict[str, str]:
        await ctx.sleep(0.2)
        ctx.log("paid")
        return {"status": "paid"}

    lab.deploy(payment, on=shop)
    lab.call("payment", {"order": 42}, key=42, source="ada")


def answer(lab: Lab) -> dict[str, float]:
    """When Ada's own call ended, and when the card was charged, in seconds."""
    return {
        "call ended": lab.trace.where("reply", who="ada")[0].time,
        "paid": lab.trace.where("log", note="paid")[0].time,
    }
