"""The registry is green: a text that nobody serialized, and a total that is in cents from one day to the next."""

from typing import Any

from edakit import Lab, Service, measure, minutes, table
from edakit.schema import NotFramed, Registry
from edakit.table import Table
from shop.schemas import field, record

SCHEMA = record(field("order", "int"), field("total", "double"))
WITH_CENTS = record(field("order", "int"), field("total", "double"), field("total_cents", "long", default=-1))
WORK = 0.02  # seconds for an order
PRICE = 9.90
RULES = ("raise", "park")


def pill(lab: Lab, rule: str = "raise", at: int = 20, every: float = 0.1) -> None:
    """A minute of orders; at one second a script publishes the text `hello` to the topic. rule: what billing does with bytes it cannot
    decode, raise (and get them again) or park them in a topic of their own.
    """
    orders, aside = lab.stream("orders", like="kafka"), lab.stream("parked")
    registry, billing = Registry(), Service("billing")
    registry.register("orders", SCHEMA)

    @billing.on("order.placed")
    async def bill(order: Any, ctx: Any) -> None:
        await ctx.sleep(WORK)
        try:
            registry.decode(bytes.fromhex(order.data["bytes"]))
        except NotFramed:
            if rule == "raise":
                raise
            await ctx.publish("order.parked", order.data)

    lab.deploy(billing, on=orders, publishes=aside)
    for n in range(1, round(60 / every)):
        data = registry.encode("orders", {"order": n, "total": PRICE})
        lab.at(n * every, orders.publish, "order.placed", {"bytes": data.hex()}, n)
    lab.at(at + 0.001, orders.publish, "order.placed", {"bytes": b"hello".hex()}, 42)
    lab.at(minutes(1), lab.database("registry").data.update, {"refused": registry.rejections})


def behind(lab: Lab) -> int:
    """How many records billing has not done, at the end."""
    return measure.lag(lab.trace, "billing")["orders/0"][-1][1]


def refusals(lab: Lab) -> Table:
    """Who said no: schemas the registry has refused, records the stream has refused, errors of billing; and billing's lag."""
    said = {"registry": lab.databases["registry"].data["refused"], "stream": len(lab.trace.where("decline"))}
    parked = len(lab.trace.where("append", place="parked/0"))
    return table([{**said, "errors of billing": len(lab.trace.where("fail")), "parked": parked, "lag": behind(lab)}])


def who(lab: Lab) -> str:
    """Who stopped the text."""
    if lab.databases["registry"].data["refused"]:
        return "the registry"
    return "the broker" if lab.trace.where("decline") else "the consumer, again and again"


def euros(n: int) -> dict[str, Any]:
    """An order as it was always written."""
    return {"order": n, "total": PRICE}


def cents(n: int) -> dict[str, Any]:
    """The same order by a team that has moved to cents and left the name."""
    return {"order": n, "total": round(PRICE * 100)}


def both(n: int) -> dict[str, Any]:
    """The same with a field of its own for cents; the old one stays as it was."""
    return {"order": n, "total": PRICE, "total_cents": round(PRICE * 100)}


def meaning(lab: Lab, writer: Any = cents, moved: int = 501, orders: int = 1000) -> None:
    """So many orders of 9.90; from number `moved` on another writer writes them. Billing adds up `total`."""
    stream, registry, billing = lab.stream("orders", like="kafka"), Registry("FULL_TRANSITIVE"), Service("billing")
    for schema in (SCHEMA, WITH_CENTS) if writer is both else (SCHEMA,):
        registry.register("orders", schema)

    @billing.on("order.placed")
    async def bill(order: Any, ctx: Any) -> None:
        total = registry.decode(bytes.fromhex(order.data["bytes"]), version=1)["total"]
        ctx.state["cents"] = ctx.state.get("cents", 0) + round(total * 100)

    lab.deploy(billing, on=stream)
    for n in range(1, orders + 1):
        wrote = writer if n >= moved else euros
        data = registry.encode("orders", wrote(n), version=None if wrote is both else 1)
        stream.publish("order.placed", {"bytes": data.hex()}, key=n)
    lab.database("registry", {"refused": registry.rejections})


def billed(lab: Lab) -> float:
    """The sum in euros."""
    return float(lab.instances["billing"].state["cents"]) / 100


def golden(writer: Any) -> str:
    """A contract test: the writer must make of order 42 what everybody has agreed on."""
    wrote = writer(42)
    return "green" if wrote["total"] == PRICE else f"red: order 42 costs {PRICE}, and its total is {wrote['total']}"


WHY = {
    "hello": {
        "the registry": "it would have to see the bytes; it sees schemas",
        "the broker": "it would have to look inside; bytes are bytes to it",
    },
    "cents": {
        "9,900.00": "the type would have to know its unit",
        "an error": "a number is a number, and nobody has to fail",
    },
}
