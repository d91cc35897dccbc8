"""In which order events are finished: several workers at one queue, a group that stops, and one bad event among ten."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from edakit import Exponential, Lab, Service
from edakit.event import Event
from edakit.service import Context
from shop.keeping import home

BAD_GROUP, BAD_EVENT = "order-7", 42


def one_queue(lab: Lab, consumers: int = 1, single_active: bool = False, events: int = 250) -> None:
    """One publisher, one RabbitMQ queue, some consumers that take 10 ms an event on average; everything is there from the start.

    single_active: only one of the consumers is served, the others stand by. Each holds one event at a time (prefetch 1).
    """
    shop = lab.broker("shop", like="rabbitmq")
    shop.queue("packing", single_active_consumer=single_active)
    packing = Service("packing")

    @packing.on("parcel.ready")
    async def pack(parcel: Event, ctx: Context) -> None:
        await ctx.sleep(ctx.random.expovariate(100))

    lab.deploy(packing, on=shop, instances=consumers, prefetch=1)
    for n in range(1, events + 1):
        shop.publish("parcel.ready", {"parcel": n}, key=n % 8)


def one_partition(lab: Lab, at_once: int = 1, events: int = 250) -> None:
    """The same parcels on one partition of a Kafka topic, and a group of four; at_once: handlers at a time in a consumer."""
    parcels = lab.stream("parcels", like="kafka")
    packing = Service("packing")

    @packing.on("parcel.ready")
    async def pack(parcel: Event, ctx: Context) -> None:
        await ctx.sleep(ctx.random.expovariate(100))

    lab.deploy(packing, on=parcels, instances=4, concurrency=at_once)
    for n in range(1, events + 1):
        parcels.publish("parcel.ready", {"parcel": n}, key=n % 8)


def finished(lab: Lab) -> list[int]:
    """The parcels in the order in which they were finished for the first time."""
    return list(dict.fromkeys(row.event.data["parcel"] for row in lab.trace.where("handle") if row.event))


def inversions(order: Sequence[int]) -> int:
    """Neighbours of which the later one came first."""
    return sum(a > b for a, b in pairwise(order))


def out_of_order(lab: Lab) -> dict[str, float]:
    """Inverted neighbours among all events and, of eight keys, among those of one key; events handed out again; seconds to finish."""
    order = finished(lab)
    by_key = [[n for n in order if n % 8 == key] for key in range(8)]
    return {
        "inverted": inversions(order),
        "of one key": sum(map(inversions, by_key)),
        "handed out again": len(lab.trace.where("deliver")) - len(order),
        "seconds": round(lab.trace.where("handle")[-1].time, 2),
    }


def failing_event(lab: Lab, subscriber: str = "fifo", mended: float = 60, groups: int = 12, events: int = 250) -> None:
    """An EventBridge Custom Event Bus, 2.5 events a second in some groups; one event fails until its street is mended (a time in seconds).

    subscriber: "fifo" (each group in order) or "unordered". Tries go on, ever more rarely, for 300 seconds; then it is a dead letter.
    """
    bus = lab.bus("shop", like="eventbridge-custom", fifo=subscriber == "fifo", retries=185, max_age=300)
    shipping = Service("shipping")

    @shipping.on("order.changed")
    async def ship(change: Event, ctx: Context) -> None:
        await ctx.sleep(0.05)
        if change.data["change"] == BAD_EVENT and ctx.now < mended:
            raise ValueError("no such street")

    def change(n: int, random: Any) -> dict[str, Any]:
        group = 7 if n == BAD_EVENT else random.randint(1, groups)
        return {"change": n, "order": f"order-{group}"}

    lab.deploy(shipping, on=bus, concurrency=100)
    lab.workload(bus, "order.changed", every=Exponential(0.4), count=events, data=change, key="order")


def waits(lab: Lab) -> dict[int, tuple[str, float, float]]:
    """For each change that was shipped: its group, when it was published, how many seconds it then waited."""
    sent = {row.event.id: row.time for row in lab.trace.where("publish") if row.event}
    return {
        row.event.data["change"]: (row.event.key or "", sent[row.event.id], row.time - sent[row.event.id])
        for row in lab.trace.where("handle")
        if row.event
    }


def held(lab: Lab) -> dict[str, float]:
    """Events that waited over a second for the bad one: how many, how many groups, the longest wait, neighbours inverted in a group."""
    slow = [(group, wait) for change, (group, _, wait) in waits(lab).items() if wait > 1 and change != BAD_EVENT]
    order = [(row.event.key, row.event.data["change"]) for row in lab.trace.where("handle") if row.event]
    groups = dict.fromkeys(key for key, _ in order)
    return {
        "held": len(slow),
        "groups": len({group for group, _ in slow}),
        "longest s": round(max((wait for _, wait in slow), default=0)),
        "dead letters": len(lab.trace.where("dead")),
        "inverted in a group": sum(inversions([n for key, n in order if key == group]) for group in groups),
    }


def third_fails(lab: Lab, like: str = "kafka", workers: int = 4) -> None:
    """Ten orders, four workers; the third order fails three times, a second apart, before it succeeds."""
    shop = home(lab, like)
    payment = Service("payment")

    @payment.on("order.placed")
    async def charge(order: Event, ctx: Context) -> None:
        for attempt in range(3 if order.data["order"] == 3 else 0):
            ctx.log(f"try {attempt + 1} failed")
            await ctx.sleep(1)
        await ctx.sleep(0.05)

    lab.deploy(payment, on=shop, instances=workers, prefetch=1)
    for n in range(1, 11):
        lab.at(n * 0.02, shop.publish, "order.placed", {"order": n}, n)


def neighbours(lab: Lab) -> dict[str, Any]:
    """What one bad order costs the nine others: how many wait over a second, and whether all were finished in order."""
    done = {row.event.data["order"]: row.time for row in lab.trace.where("handle") if row.event}
    return {
        "others that wait": sum(done[n] - n * 0.02 > 1 for n in done if n != 3),
        "finished in order": finished_orders(lab) == sorted(done),
    }


def finished_orders(lab: Lab) -> list[int]:
    """The orders in the order in which they were finished."""
    return [row.event.data["order"] for row in lab.trace.where("handle") if row.event]
