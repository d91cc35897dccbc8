"""Four versions of an order in one log: each reader upcasts while reading, or a service in the middle copies to a new topic."""

from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import Any

from edakit import Lab, Service
from edakit.schema import Registry
from shop.schemas import field, record

ORDER = field("order", "int")
VERSIONS = (
    record(ORDER, field("total", "double")),
    record(ORDER, field("amount", "double")),
    record(ORDER, field("cents", "long")),
    record(ORDER, field("cents", "long"), field("currency", ["null", "string"], default=None)),
)
EXAMPLES = ({"total": 9.90}, {"amount": 9.90}, {"cents": 990}, {"cents": 990, "currency": "EUR"})
READERS = ("billing", "shipping", "report")
ON_READ, TRANSLATOR = PLACES = ("upcast on read", "translator")
DOWN_AT, SECONDS = 30, 120


@cache
def registered(*, bad: bool = False, currency: str | None = None) -> Registry:
    """All four versions, and a small step from each to the next. bad: one step forgets that cents are not euros; currency: what the last
    step writes for an order that does not say.
    """
    registry = Registry("NONE")
    for schema in VERSIONS:
        registry.register("orders", schema)

    @registry.upcaster("orders", 1)
    def renamed(order: Any) -> Any:
        return {"order": order["order"], "amount": order["total"]}

    @registry.upcaster("orders", 2)
    def in_cents(order: Any) -> Any:
        return {"order": order["order"], "cents": round(order["amount"] * (1 if bad else 100))}

    @registry.upcaster("orders", 3)
    def with_currency(order: Any) -> Any:
        return {**order, "currency": currency}

    return registry


@cache
def written(version: int, number: int = 42) -> str:
    """The bytes of an order in a version, as hex."""
    return registered().encode("orders", {"order": number, **EXAMPLES[version - 1]}, version=version).hex()


@cache  # of the orders of one version all bytes are the same here
def current(message: str, *, bad: bool) -> Any:
    """A message as an order of today."""
    return registered(bad=bad).decode(bytes.fromhex(message))


def four_versions(lab: Lab, where: str = ON_READ, down: float = 60, bad: bool = False, rate: int = 10) -> None:
    """Two minutes of orders in all four versions, `rate` a second, and three readers that want version 4.

    down: seconds for which the translator is down, if there is one; bad: the newest release has a wrong step in it: that of billing, or
    that of the translator.
    """
    source = lab.stream("orders", like="kafka")
    target = lab.stream("orders-v4", like="kafka") if where == TRANSLATOR else source
    if where == TRANSLATOR:
        translator = Service("translator")

        @translator.on("order.placed")
        async def translate(order: Any, ctx: Any) -> None:
            data = current(order.data["bytes"], bad=bad)
            await ctx.publish("order.placed", {**data, "placed": order.time}, key=order.key)

        lab.deploy(translator, on=source, publishes=target)
        if down:
            lab.crash("translator", at=DOWN_AT, restart_after=down)
    for name in READERS:
        reader = Service(name)

        @reader.on("order.placed")
        async def take(order: Any, ctx: Any, wrong: bool = bad and name == "billing") -> None:
            data = order.data if where == TRANSLATOR else current(order.data["bytes"], bad=wrong)
            ctx.state["cents"] = ctx.state.get("cents", 0) + data["cents"]
            ctx.log(f"{ctx.now - data.get('placed', order.time):.3f}")

        lab.deploy(reader, on=target)
    for n in range(SECONDS * rate):
        lab.at((n + 1) / rate, source.publish, "order.placed", {"bytes": written(n % 4 + 1)}, n)


def delays(lab: Lab) -> list[tuple[float, float]]:
    """(when it was placed, seconds until billing had it) for each order."""
    rows = lab.trace.where("log", who="billing")
    return [(row.time - float(row.note), float(row.note)) for row in rows]


def row(lab: Lab) -> dict[str, float]:
    """Orders, those more than a second late at billing, records stored for each order, readers whose sum is wrong."""
    found, placed = delays(lab), len(lab.trace.where("append", place="orders/0"))
    sums = [lab.instances[name].state["cents"] for name in READERS]
    return {
        "orders": placed,
        "not there": placed - len(found),
        "late": sum(late > 1 for _, late in found),
        "records per order": len(lab.trace.where("append")) / placed,
        "readers with a wrong sum": sum(cents != 990 * placed for cents in sums),
    }


def late(lab: Lab) -> str:
    """Late orders in words."""
    found = row(lab)
    if found["not there"]:
        return "some are lost"
    return "none" if found["late"] == 0 else "about 600"


def handlers(*, compatible: bool, versions: int = 5, consumers: int = 4) -> int:
    """Handlers that consumers need after so many versions: one type that evolves compatibly, or a type for each version."""
    types = ["order.placed"] if compatible else [f"order.placed.v{n}" for n in range(1, versions + 1)]
    count = 0
    for n in range(consumers):
        service = Service(f"consumer-{n + 1}")

        async def handle(order: Any, ctx: Any) -> None:
            """Book the order."""

        for type in types:
            service.on(type)(handle)
        count += len(service.handlers)
    return count


TRUTH = ("EUR",) * 7 + ("CHF",) * 3  # ten orders of version 1, three of them from the shop in Zurich


def sums(names: Iterable[str | None]) -> str:
    """Ten orders of 9.90 by currency."""
    return ", ".join(f"{count * 9.90:.2f} {name or 'of unknown currency'}" for name, count in Counter(names).items())


def guessed(guess: str | None) -> str:
    """What the books say of those ten orders when the last step writes this as their currency."""
    messages = [bytes.fromhex(written(1, n)) for n in range(len(TRUTH))]
    return sums(registered(currency=guess).decode(each)["currency"] for each in messages)


WHY = {
    "none": "that is the reader that upcasts by itself",
    "some are lost": "the log keeps them, and the translator goes on where it was",
}
