"""Order 42 comes with a comma in its total, in front of a line of good orders: how often it is tried, and what the others pay."""

import math
from collections.abc import Mapping
from typing import Any

from edakit import Lab, Service, run, table
from edakit.sim.brokers import Broker
from edakit.table import Table
from edakit.trace import Trace

WORK = 0.01  # seconds a charge takes on average
COMMA = {"order": 42, "total": "9,90"}  # a comma where a point belongs
POISON = "42"  # its key


def poison_first(shop: Broker, orders: int = 1000) -> None:
    """Publish order 42, which cannot be charged, and then so many good orders, all at once."""
    shop.publish("order.placed", COMMA, key=POISON, source="orders")
    for n in range(orders):
        shop.publish("order.placed", {"order": 100 + n, "total": "9.90"}, key=100 + n, source="orders")


def poisoned(
    lab: Lab,
    instances: int = 1,
    prefetch: int = 1,
    limit: int | None = None,
    orders: int = 1000,
    poison: bool = True,
    on_error: str = "requeue",
    dead_letter: bool = True,
    mended: float = math.inf,
) -> None:
    """The same as a scenario. limit: deliveries until it is a dead letter; poison=False: order 42 has a point; on_error: what becomes
    of what failed; dead_letter: whether there is a place for dead letters; mended: the second from which payment reads commas, because
    somebody has written a new release.
    """
    payment, shop = Service("payment"), lab.broker("shop", like="rabbitmq")

    @payment.on("order.placed")
    async def charge(order: Any, ctx: Any) -> None:
        await ctx.sleep(ctx.random.expovariate(1 / WORK))
        total = order.data["total"]
        if ctx.now >= mended or not poison:
            total = total.replace(",", ".")
        ctx.log(f"charged {float(total):.2f}")

    lab.deploy(
        payment, on=shop, instances=instances, prefetch=prefetch, delivery_limit=limit, dead_letter=dead_letter, on_error=on_error
    )
    poison_first(shop, orders)


def tries(trace: Trace) -> int:
    """How often order 42 was delivered."""
    return len(trace.where("deliver", key=POISON))


def charged(trace: Trace) -> dict[str, int]:
    """How often each order was charged, by order."""
    counts: dict[str, int] = {}
    for row in trace.where("log"):
        if row.event is not None and row.note.startswith("charged"):
            counts[row.event.key or ""] = counts.get(row.event.key or "", 0) + 1
    return counts


def good(trace: Trace) -> int:
    """How many good orders are charged."""
    return len(charged(trace).keys() - {POISON})


def by_order(trace: Trace) -> Table:
    """Deliveries of order 42, and of all others together."""
    everything = len(trace.where("deliver"))
    return table({"deliveries of order 42": tries(trace), "deliveries of all others": everything - tries(trace)})


def drained(lab: Lab) -> float:
    """Seconds until the last good order was charged; infinite if some still wait."""
    placed = len(lab.trace.where("publish")) - 1
    times = [row.time for row in lab.trace.where("log") if row.event is not None and row.event.key != POISON]
    return times[-1] if len(times) == placed else math.inf


def slowed(lab: Lab) -> dict[str, float]:
    """Figures for a sweep: seconds the good orders took, and how often order 42 was tried in them."""
    end = drained(lab)
    return {"good orders s": end, "tries of order 42": sum(row.time <= end for row in lab.trace.where("deliver", key=POISON))}


def summary(lab: Lab) -> Table:
    """What became of order 42, and of the others."""
    shop: Any = lab.homes["shop"]
    words = {"tries of order 42": tries(lab.trace), "charged": charged(lab.trace).get(POISON, 0)}
    return table([{**words, "dead letters": len(shop.dead_letters("payment")), "good orders charged": good(lab.trace)}])


def slowdown(settings: Mapping[str, tuple[int, int]]) -> dict[str, tuple[float, float]]:
    """For each setting of (instances, prefetch), seconds of 1,000 good orders without and with order 42 in front."""
    return {
        name: (
            drained(run(poisoned, seed=42, until=30, poison=False, instances=instances, prefetch=prefetch)),
            drained(run(poisoned, seed=42, until=30, instances=instances, prefetch=prefetch)),
        )
        for name, (instances, prefetch) in settings.items()
    }


def verdict(times: tuple[float, float]) -> str:
    """What the good orders pay, in words: seconds without and with order 42."""
    without, along = times
    if math.isinf(along):
        return "never finish"
    return "take about a third longer" if along > 1.15 * without else "do not notice"


WHY = {
    "tries": {
        "once": "a failure ends the delivery, not the message",
        "5 times": "that is an SDK with retries; nobody has set any",
        "20 times": "that is a quorum queue since RabbitMQ 4.0; this is a classic one",
    },
    "four": {"never finish": "true of one worker", "do not notice": "one in four is always busy with order 42"},
}
