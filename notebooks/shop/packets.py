"""The last packets of tea: who may say that there is one left, the copy or the owner, and what the difference costs."""

from collections.abc import Mapping, Sequence
from typing import Any

from edakit import CallRefused, Exponential, Lab, Refused, Service, measure, sweep
from edakit.evidence import Sweep
from edakit.measure import spread

TEA = "tea-42"


def selling(
    lab: Lab, decides: str = "copy", lag: float = 0.2, rate: float = 10, stock: int = 40, orders: int = 70, owner: float = 0.01
) -> None:
    """Packets of tea, and more orders than packets, `rate` a second. decides: "copy", web looks at its own copy of the stock, or "owner",
    web asks inventory, which takes a packet in one statement if there is one, and works `owner` seconds on it.
    """
    shop, http = lab.broker("shop", like="rabbitmq"), lab.server("http", threads=1)
    shelf, copy = lab.database("shelf", {TEA: stock}), lab.database("copy", {TEA: stock})
    web, stocks, view = Service("web"), Service("inventory"), Service("view")
    many: dict[str, Any] = {"concurrency": 1000, "prefetch": 1000}

    @web.on("order.placed")
    async def sell(order: Any, ctx: Any) -> None:
        if decides == "copy":
            yes = await ctx.db.get(TEA) > 0
            if yes:
                await ctx.publish("packet.sold", order.data)
        else:
            try:
                yes = await ctx.call("inventory/packet.take", order.data, timeout=60)
            except CallRefused:
                yes = False
        ctx.log("yes" if yes else "no")

    @stocks.on("packet.sold")
    async def take(order: Any, ctx: Any) -> None:
        await ctx.db.add(TEA, -1)
        await ctx.publish("packet.taken", order.data)

    @stocks.on("packet.take")
    async def take_if_there(request: Any, ctx: Any) -> bool:
        await ctx.sleep(owner)
        async with ctx.db.transaction() as tx:
            if not await tx.add(TEA, -1, where=lambda left: left > 0):
                raise Refused("sold out")
            tx.publish("packet.taken", request.data)
        return True

    @view.on("packet.taken")
    async def count(order: Any, ctx: Any) -> None:
        await ctx.sleep(ctx.random.expovariate(1 / lag) if lag else 0)
        await ctx.db.add(TEA, -1)

    lab.deploy(web, on=shop, db=copy, **many)
    lab.deploy(stocks, on=http if decides == "owner" else shop, db=shelf, publishes=shop, **({} if decides == "owner" else many))
    lab.deploy(view, on=shop, db=copy, **many)
    lab.workload(shop, "order.placed", every=Exponential(1 / rate), count=orders, key="order", source="ada")


def flash(lab: Lab, decides: str = "copy", lag: float = 0.2, buyers: int = 20) -> None:
    """A flash sale: one packet, and so many buyers within about a second."""
    selling(lab, decides, lag, rate=buyers, stock=1, orders=buyers)


def promised(lab: Lab) -> int:
    """How many orders were told yes."""
    return len(lab.trace.where("log", who="web", note="yes"))


def oversold(lab: Lab) -> dict[str, float]:
    """Figures for a sweep: yeses beyond the packets there were, and the milliseconds until an answer (median, and 99th of a hundred)."""
    had = next(iter(lab.trace.where("write", place="shelf", who="lab"))).note
    stock = int(had.rpartition(" ")[2].rstrip("}"))
    waits = measure.latency(lab.trace, "order.placed", "yes", by="key")
    half, late = measure.quantiles(waits)
    return {"oversold": max(0, promised(lab) - stock), "p50 ms": 1000 * half, "p99 ms": 1000 * late}


LAGS = (0, 0.05, 0.2, 1)


def by_lag() -> dict[float, Sweep]:
    """A thousand runs for each lag, web deciding from its copy."""
    return {lag: sweep(selling, measure=oversold, lag=lag, evidence=f"04-oversold-{lag:g}") for lag in LAGS}


def rows(found: Mapping[float, Sweep], rate: float = 10) -> list[dict[str, Any]]:
    """A row for each lag: oversold packets, in how many runs any, and the rule of thumb."""
    return [
        {
            "lag s": lag,
            "oversold": spread(each.column("oversold")),
            "runs with any": sum(count > 0 for count in each.column("oversold")),
            "rate x lag": rate * lag,
        }
        for lag, each in found.items()
    ]


def nearest(value: float, options: Sequence[str]) -> str:
    """The option that this many oversold packets comes closest to."""
    sizes = dict(zip(options, (0, 2, 100), strict=True))
    return min(options, key=lambda option: abs(sizes[option] - value))


WHY = {
    "0": "then the copy would have to know of a sale before it has heard of it",
    "about 100": "that is what comes after the last packet; web stops once its copy reads zero",
}
