"""What waiting and growing cost: acks of replicas, a full buffer, partitions, hot keys, copies, a busy worker, batches."""

import json
from collections import Counter
from typing import Any

from edakit import CallTimeout, Exponential, Hold, Lab, LogNormal, Service, hours, measure, ms

ACKS = ("none", "leader", "majority", "all")
WRITE = LogNormal(ms(2))  # seconds to write on a healthy disk


class Enough(Exception):
    """The first answer is in; the others need not be waited for."""


def replicated(lab: Lab, acks: str = "all", slow: float = 0.06, orders: int = 60) -> None:
    """`web` publishes to a log with a leader and two followers, of which one writes `slow`, and waits for so many acks."""
    web, api = Service("web"), lab.server("api", threads=1_000)
    leader, fast, other = (Service(name) for name in ("leader", "replica-2", "replica-3"))

    @web.on("order.placed")
    async def publish(order: Any, ctx: Any) -> None:
        try:
            await ctx.call("leader", order.data, timeout=0 if acks == "none" else 5)
        except CallTimeout:
            return  # sent; nobody waits for what becomes of it

    @leader.on("append")
    async def append(record: Any, ctx: Any) -> None:
        async def first(follower: str) -> None:
            await ctx.call(follower, record.data, timeout=5)
            raise Enough

        await ctx.sleep(WRITE.draw(ctx.random))
        if acks == "all":
            await ctx.gather(*[ctx.call(name, record.data, timeout=5) for name in ("replica-2", "replica-3")])
        if acks == "majority":
            try:
                await ctx.gather(first("replica-2"), first("replica-3"))
            except Enough:
                return

    @fast.on("copy")
    async def write(record: Any, ctx: Any) -> None:
        await ctx.sleep(WRITE.draw(ctx.random))

    @other.on("copy")
    async def write_slowly(record: Any, ctx: Any) -> None:
        await ctx.sleep(LogNormal(slow).draw(ctx.random) if slow else WRITE.draw(ctx.random))

    for service in (web, leader, fast, other):
        lab.deploy(service, on=api)
    lab.workload(api, "web", every=Exponential(0.1), count=orders, source="ada")


def held_up(lab: Lab) -> list[float]:
    """Seconds that `web` waits for the ack of each order."""
    return [row.time - row.began for row in lab.trace.where("handle", who="web")]


def ack_waits(lab: Lab) -> dict[str, float]:
    """Median and 99th of a hundred of that wait, in milliseconds."""
    half, late = measure.quantiles(held_up(lab))
    return {"p50 ms": half * 1_000, "p99 ms": late * 1_000}


AWAY = Hold("web", "broker", at=10, until=40)  # what `web` sends in these 30 s is on its way until they are over


def buffered(lab: Lab, buffer: int = 150, orders: int = 500) -> None:
    """`web` may have `buffer` sends without an ack; the next order waits at the door. AWAY cuts `web` off from the broker."""
    web, broker = Service("web"), Service("broker")

    @web.on("order.place")
    async def place(order: Any, ctx: Any) -> None:
        ctx.log("taken")
        await ctx.call("broker", order.data, timeout=hours(1))

    @broker.on("append")
    async def append(record: Any, ctx: Any) -> None:
        await ctx.sleep(WRITE.draw(ctx.random))

    door, machine = lab.server("door"), lab.server("machine", threads=1_000)
    lab.deploy(web, on=door, concurrency=buffer)
    lab.deploy(broker, on=machine)
    lab.workload(door, "web", every=Exponential(0.1), count=orders, source="ada", timeout=hours(1))


def at_the_door(lab: Lab) -> dict[float, float]:
    """For each order, by the second in which it came: how long it waited until `web` took it."""
    taken = {row.event.id: row.time for row in lab.trace.where("log", note="taken")}
    return {row.time: taken[row.event.id] - row.time for row in lab.trace.where("call", who="ada")}


def blocked(lab: Lab) -> dict[str, float]:
    """The longest wait at the door, in seconds."""
    return {"blocked s": max(at_the_door(lab).values())}


def grouped(lab: Lab, consumers: int = 4, partitions: int = 4) -> None:
    """A hundred records a second for ten seconds; a consumer does ten a second."""
    billing, orders = Service("billing"), lab.stream("orders", partitions=partitions, like="kafka", start="earliest")

    @billing.on("order.placed")
    async def bill(order: Any, ctx: Any) -> None:
        await ctx.sleep(ctx.random.expovariate(10))

    lab.deploy(billing, on=orders, instances=consumers)
    lab.workload(orders, "order.placed", every=Exponential(0.01), count=1_000, key="order")


def throughput(lab: Lab) -> dict[str, float]:
    """Records a second that the group has handled in these ten seconds."""
    return {"per second": sum(row.time <= 10 for row in lab.trace.where("handle")) / 10}


def unequal(lab: Lab, partitions: int = 48, records: int = 1_000, customers: int = 10_000) -> None:
    """Customers who buy in unequal measure (Zipf, exponent 1.1), keyed by customer: other customers in every run."""
    orders, shares = lab.stream("orders", partitions=partitions), [rank**-1.1 for rank in range(1, customers + 1)]
    ranks = lab.random("customers").choices(range(customers), shares, k=records)
    lab.workload(
        orders,
        "order.placed",
        every=ms(1),
        count=records,
        data=lambda n, _: {"customer": f"{lab.seed}-{ranks[n - 1]}"},
        key="customer",
    )


def hottest(lab: Lab) -> dict[str, float]:
    """The share of the fullest partition (%), and how many times the mean that is."""
    counts = Counter(row.place for row in lab.trace.where("append"))
    share = max(counts.values()) / sum(counts.values())
    return {"share %": 100 * share, "times the mean": share * len(lab.homes["orders"].logs)}


def fanned_out(lab: Lab, subscribers: int = 1, orders: int = 100) -> None:
    """Every subscriber has its own copy of every order."""
    shop = lab.broker("shop", like="rabbitmq")
    for n in range(subscribers):
        service = Service(f"reader-{n + 1}")

        @service.on("order.placed")
        async def read(order: Any, ctx: Any) -> None:
            await ctx.sleep(ms(1))

        lab.deploy(service, on=shop)
    lab.workload(shop, "order.placed", every=0.1, count=orders, data={"order": 42, "customer": "Ada", "total": 9.90})


def bytes_out(lab: Lab) -> int:
    """Bytes of events that leave the broker."""
    return sum(len(json.dumps(row.event.to_dict())) for row in lab.trace.where("deliver"))


def busy(lab: Lab, load: float = 0.5, messages: int = 1_000) -> None:
    """One worker, 10 ms an order on average, busy for a share `load` of the time."""
    ticker, shop = Service("ticker"), lab.broker("shop", like="rabbitmq")

    @ticker.on("price.moved")
    async def show(price: Any, ctx: Any) -> None:
        await ctx.sleep(ctx.random.expovariate(100))

    lab.deploy(ticker, on=shop)
    lab.workload(shop, "price.moved", every=Exponential(0.01 / load), count=messages)


def delays(lab: Lab) -> list[float]:
    """Milliseconds from each event until it is handled."""
    return [1_000 * (row.time - row.event.time) for row in lab.trace.where("handle")]


def p99(lab: Lab) -> dict[str, float]:
    """The 99th of a hundred of them."""
    return {"p99 ms": measure.quantiles(delays(lab))[1]}


def batched(lab: Lab, linger: float = 0.02, messages: int = 300) -> None:
    """A producer lets a batch linger for so many seconds, so that others can join; a hundred orders a second."""
    producer, till, shop = Service("producer"), lab.broker("till"), lab.broker("shop", like="rabbitmq")

    @producer.on("order.placed")
    async def send(order: Any, ctx: Any) -> None:
        batch = ctx.state.setdefault("open", [])
        batch.append(order.id)
        if len(batch) == 1:
            await ctx.sleep(linger)
            ctx.state["open"] = []
            await ctx.publish("batch.sent", {"orders": batch})

    lab.deploy(producer, on=till, publishes=shop, concurrency=1_000, prefetch=1_000)
    lab.workload(till, "order.placed", every=Exponential(0.01), count=messages)


def lingering(lab: Lab) -> dict[str, float]:
    """Median wait of an order until its batch is with the broker (ms), and how many batches there are."""
    born = {event.id: event.time for event in lab.trace.events("order.placed")}
    sent = lab.trace.where("publish", type="batch.sent")
    seconds = [row.time - born[id] for row in sent for id in row.event.data["orders"]]
    return {"median wait ms": 1_000 * measure.quantiles(seconds)[0], "requests": len(sent)}
