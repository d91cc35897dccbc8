"""Two services that answer each other: the shortest chain that never ends."""

from edakit import Lab, Service
from edakit.event import Event
from edakit.service import Context, Handler


def answers(type: str, limit: int | None) -> Handler:
    """Look for 20 ms, then tell the other. limit: after so many hops it is an error."""

    async def handler(event: Event, ctx: Context) -> None:
        await ctx.sleep(0.02)
        hops = event.data["hops"]
        if limit is not None and hops >= limit:
            raise ValueError(f"{hops} hops: somebody answers somebody for ever")
        await ctx.publish(type, {"hops": hops + 1})

    return handler


def echo(lab: Lab, limit: int | None = None) -> None:
    """One change of order 42. limit: the hop counter's."""
    shop = lab.broker("shop", like="rabbitmq")
    for name, hears, tells in (("inventory", "order.updated", "stock.updated"), ("orders", "stock.updated", "order.updated")):
        service = Service(name)
        service.on(hears)(answers(tells, limit))
        lab.deploy(service, on=shop, on_error="reject")
    shop.publish("order.updated", {"hops": 1}, key="42", source="web")
