"""Two teams deploy a change to order.placed, one instance at a time, while orders go on: which events can nobody read?"""

from functools import cache
from typing import Any

from edakit import Lab, Service, run
from edakit.errors import ArgumentError, known
from edakit.schema import Registry
from edakit.table import Table, grid
from shop.schemas import AVRO, EXAMPLES, V1

CHANGES = {
    "add, default": "add a field with a default",
    "add, no default": "add a field, no default",
    "remove, no default": "remove one that has none",
    "int to long": "int becomes long",
    "rename": "rename a field",
}
ORDERS = ("consumers", "producers", "any order")
EARLY, LATE, ALL = (10, 50), (50, 90), (10, 90)  # seconds in which a team upgrades its instances, one by one
WINDOWS = {"consumers": (LATE, EARLY), "producers": (EARLY, LATE), "any order": (ALL, ALL)}  # producers, consumers
FIRST = {"consumers": "consumers", "producers": "producers", "any": "any order"}  # for names of evidence
PRODUCERS = ("web-1", "web-2", "web-3")
CONSUMERS = ("billing-1", "billing-2", "billing-3", "billing-4")


@cache
def registered(change: str) -> Registry:
    """A registry that lets anything through, with both versions: what breaks shall break at the reader."""
    registry = Registry("NONE")
    for schema in (V1, AVRO[CHANGES[change]]):
        registry.register("orders", schema)
    return registry


@cache
def written(change: str, version: int) -> str:
    """The bytes of an order in that version, as hex."""
    registry = registered(change)
    names = [each["name"] for each in registry.versions("orders")[version - 1].schema["fields"]]
    return registry.encode("orders", {name: EXAMPLES[name] for name in names}, version=version).hex()


@cache  # all orders have the same bytes, so each pair of versions is decoded once
def problem(change: str, message: str, version: int) -> str:
    """Read a message with the schema of that version: why that fails, or nothing."""
    try:
        registered(change).decode(bytes.fromhex(message), version=version)
    except Exception as error:  # noqa: BLE001  (whatever the decoder raises, the consumer cannot read it)
        return f"{type(error).__name__}: {error}"
    return ""


def times(lab: Lab, first: str) -> dict[str, float]:
    """When each instance gets the new version. The other team begins when the first is done; in "any order" nobody waits."""
    random, (producers, consumers) = lab.random("upgrades"), WINDOWS[first]
    return {name: round(random.uniform(*(producers if name in PRODUCERS else consumers)), 3) for name in PRODUCERS + CONSUMERS}


def rollout(lab: Lab, change: str = "remove, no default", first: str = "producers", orders: int = 1000) -> None:
    """A hundred seconds of orders from three producers to four consumers, all of which go from version 1 to version 2.

    first: who upgrades first, consumers or producers; or "any order".
    """
    for what, value, options in (("change", change, list(CHANGES)), ("first", first, list(ORDERS))):
        if value not in options:
            raise ArgumentError(known(what, value, options))
    upgrade, stream = times(lab, first), lab.stream("orders", partitions=len(CONSUMERS), like="kafka")
    lab.database("upgrades", dict(upgrade))

    def version(name: str, now: float) -> int:
        return 2 if now >= upgrade[name] else 1

    for name in CONSUMERS:
        consumer = Service(name)

        @consumer.on("order.placed")
        async def bill(order: Any, ctx: Any, name: str = name) -> None:
            error = problem(change, order.data["bytes"], version(name, ctx.now))
            if error:
                ctx.log(f"unreadable: {error}")

        lab.deploy(consumer, on=stream, group="billing")

    def place(n: int, web: str) -> None:
        stream.publish("order.placed", {"bytes": written(change, version(web, lab.now))}, key=n, source=web)

    random = lab.random("customers")
    for n in range(1, orders + 1):
        lab.at(n * 100 / orders, place, n, random.choice(PRODUCERS))


def unreadable(lab: Lab) -> int:
    """How many orders a consumer could not read."""
    return len([row for row in lab.trace.where("log") if row.note.startswith("unreadable")])


def every(seed: int) -> Table:
    """Unreadable orders of a thousand for each change, by who is first."""
    return grid(
        {
            (change, first): unreadable(run(rollout, seed=seed, change=change, first=first))
            for change in CHANGES
            for first in ORDERS
        }
    )


def figures(lab: Lab) -> dict[str, float]:
    """The same for a sweep."""
    return {"unreadable": unreadable(lab)}


def about(lab: Lab) -> str:
    """The number of unreadable orders of a thousand, in words."""
    found = unreadable(lab)
    return "0" if found == 0 else "a few" if found < 100 else "about 400"


WHY = {
    "0": "compatible would have to mean any order",
    "a few": "an upgrade would have to be short; here each team takes 40 seconds",
}
