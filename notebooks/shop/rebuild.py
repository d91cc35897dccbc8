"""A view of the shop that is built from a log, and built again. Notebook 02, scene 8."""

from typing import Any

from edakit import Exponential, Lab, Service, run

HANDLERS = ("sums", "reads the clock", "sends mail", "sends mail once")
HOUR = 3_600


def shop_log(lab: Lab, handler: str = "sums", orders: int = 900) -> None:
    """Orders of one day, and `analytics`, which adds up what each hour has sold.

    A reading that begins at offset 0 begins with an empty view. The handler that reads the clock takes the hour from it, in place of
    the order; the one that sends mail once keeps in its database up to which offset that is done.
    """
    analytics, log, mail = Service("analytics"), lab.stream("orders", like="kafka", start="earliest"), lab.broker("mail")

    @analytics.on("order.placed")
    async def add(order: Any, ctx: Any) -> None:
        offset = ctx.delivery.tag
        if offset == 0:
            ctx.state.clear()
        hour = (ctx.now if handler == "reads the clock" else order.time) // HOUR
        ctx.state[hour] = ctx.state.get(hour, 0) + order.data["cents"]
        if handler.startswith("sends mail") and (handler == "sends mail" or await first_time(offset, ctx)):
            await ctx.publish("mail.sent", {"order": order.key})

    async def first_time(offset: int, ctx: Any) -> bool:
        done = await ctx.db.get("done") or 0
        if offset >= done:
            await ctx.db.put("done", offset + 1)
        return bool(offset >= done)

    lab.deploy(analytics, on=log, publishes=mail, db=lab.database("notes"))
    lab.workload(log, "order.placed", every=Exponential(86_400 / orders), count=orders, data=new_order, key="order")


def new_order(n: int, random: Any) -> dict[str, int]:
    """An order of one to nine packets of tea."""
    return {"order": n, "cents": 330 * random.randint(1, 9)}


def view(lab: Lab) -> dict[float, int]:
    """What analytics holds now: cents by hour."""
    return dict(lab.instances["analytics"].state)


def mails(lab: Lab) -> int:
    """Mails that have gone out so far."""
    return len(lab.trace.where("publish", type="mail.sent"))


def read_again(handler: str) -> Lab:
    """Read a day, then the same log again from its earliest record."""
    lab = run(shop_log, seed=42, handler=handler)
    lab.homes["orders"].seek("analytics", to="earliest")
    return lab.run()


def replayed(handler: str) -> dict[str, Any]:
    """Whether the view of the second reading equals that of the first, and the mails that were out after each."""
    first, second = run(shop_log, seed=42, handler=handler), read_again(handler)
    return {"handler": handler, "view equal": view(second) == view(first), "mails": mails(first), "mails after": mails(second)}
