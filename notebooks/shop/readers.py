"""Who has read what: a newcomer, a reader that is away for too long, copies that come twice or never. Notebook 02, scenes 1 and 2.

Every scenario is one broker, bus or stream of orders and the services that listen. What is measured is which orders they got.
"""

from collections import Counter
from typing import Any

from edakit import Exponential, Lab, Service

FIRST = ("payment", "inventory", "notification")  # there from the first order on
NEWCOMER = 5.5  # virtual seconds: when fraud is deployed


def listener(name: str, works: float = 0, once: bool = False) -> Service:
    """A service that works so many seconds on each order. once: it asks its database whether it has seen this one."""
    service = Service(name)

    @service.on("order.placed")
    async def handle(order: Any, ctx: Any) -> None:
        if once and not await ctx.db.insert_once(f"{name} has seen", order.id):
            return
        await ctx.sleep(works)
        ctx.log("done")

    return service


def got(lab: Lab, name: str) -> list[str]:
    """The orders that a service was given, each once."""
    rows = lab.trace.where(["deliver", "fetch"], who=name)
    return list(dict.fromkeys(row.event.key for row in rows))


def ten_orders(lab: Lab, kind: str = "stream", seek: str | int = "earliest", slow: float = 2.0) -> None:
    """An order each second, 1 to 10, for three services; `fraud` joins at 5.5 s.

    seek: where fraud begins on the stream, "earliest", "latest" or an offset. slow: seconds that notification needs for an order.
    """
    orders = lab.broker("shop", like="rabbitmq") if kind == "broker" else lab.stream("orders", like="kafka")
    for name in FIRST:
        lab.deploy(listener(name, slow if name == "notification" else 0.1), on=orders)

    def join() -> None:
        lab.deploy(listener("fraud", 0.1), on=orders)
        if kind == "stream":
            orders.seek("fraud", **({"to": seek} if isinstance(seek, str) else {"offset": seek}))

    lab.at(NEWCOMER, join)
    lab.workload(orders, "order.placed", every=1, count=10, key="order")


def received(labs: dict[str, Lab]) -> list[dict[str, Any]]:
    """How many of the ten orders each service has got: a row for each service, a column for each lab."""
    return [{"": name, **{kind: len(got(lab, name)) for kind, lab in labs.items()}} for name in (*FIRST, "fraud")]


def retained(lab: Lab, retention: int = 60, away: int = 90, reset: str = "earliest") -> None:
    """Ten orders a second; `payment` is off from second 10 on, for `away` seconds, and the log keeps `retention` seconds.

    reset: where a group goes on whose next record is gone. A segment is one record here, so that the log keeps exactly what it
    promises; Kafka drops whole segments, later.
    """
    orders = lab.stream("orders", like="kafka", retention=retention, check=1, segment=1, start=reset)
    lab.deploy(listener("payment"), on=orders)
    lab.crash("payment", at=10, restart_after=away)
    lab.workload(orders, "order.placed", every=0.1, count=10 * (20 + away), key="order")


def missed(lab: Lab) -> int:
    """Orders that payment never worked on."""
    return len(lab.trace.events("order.placed")) - len({row.event.id for row in lab.trace.where("handle", who="payment")})


def three_by_two(lab: Lab, like: str = "rabbitmq", away: float = 0, orders: int = 1_000, once: bool = False) -> None:
    """Ten orders a second for three services of two instances each; `notification` is off for `away` seconds.

    On Redis Pub/Sub every connection is a subscription, and no two share a copy: there each service has one instance.
    """
    pubsub = like == "redis-pubsub"
    shop = lab.bus("shop", like=like) if pubsub else lab.broker("shop", like=like)
    for name in FIRST:
        lab.deploy(listener(name, 0.01, once), on=shop, instances=1 if pubsub else 2, db=lab.database(f"{name}-db"))
    if away:
        lab.crash("notification", at=10, restart_after=away)
    lab.workload(shop, "order.placed", every=Exponential(0.1), count=orders, key="order")


def times_delivered(lab: Lab) -> dict[str, Counter[int]]:
    """For each subscription, how many orders were delivered to it 0, 1, 2, ... times."""
    orders = [event.id for event in lab.trace.events("order.placed")]
    found = {}
    for name in FIRST:
        times = Counter(row.event.id for row in lab.trace.where("deliver", who=name))
        found[name] = Counter(times[id] for id in orders)
    return found


def copies(lab: Lab) -> dict[str, float]:
    """Copies that were owed, that came more than once, that never came; and how often the work was done."""
    times = Counter[int]()
    for each in times_delivered(lab).values():
        times += each
    return {
        "copies": times.total(),
        "more than once": sum(count for n, count in times.items() if n > 1),
        "never": times[0],
        "work done": len(lab.trace.where("log", note="done")),
    }
