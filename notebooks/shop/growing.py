"""What you can add and what it buys: nodes to queues, consumers to partitions, events to a quota. And what it costs.

One thing here is a model and no system of the kit: a node is one worker that takes 10 ms a message, and each queue lives on one node, as
one replica of a RabbitMQ queue runs on one core. So the unit of throughput is one core.
"""

from typing import Any

from edakit import Lab, Service
from edakit.event import Event
from edakit.service import Context

WORK = 0.01  # seconds of a core for a message
QUOTA = 18_750  # invocations a second of an account in us-east-1 (Amazon EventBridge quotas)
SCALE = 1_000  # one event in the lab is so many


def _worker(name: str, *types: str) -> Service:
    worker = Service(name)

    @worker.on(*types)
    async def work(message: Event, ctx: Context) -> None:
        await ctx.sleep(WORK)

    return worker


def cluster(lab: Lab, nodes: int = 1, queues: int = 1, messages: int = 320) -> None:
    """Some queues, one after the other placed on some nodes; all messages are there from the start, evenly over the queues."""
    shop = lab.broker("shop", like="rabbitmq")
    for node in range(min(nodes, queues)):
        lab.deploy(_worker(f"node-{node}", *(f"queue.{n}" for n in range(node, queues, nodes))), on=shop)
    for n in range(messages):
        shop.publish(f"queue.{n % queues}", {"message": n})


def group(lab: Lab, partitions: int = 4, consumers: int = 1, messages: int = 320) -> None:
    """A Kafka topic, and a consumer group with some members; all messages are there from the start, evenly over the partitions."""
    orders = lab.stream("orders", like="kafka", partitions=partitions)
    lab.deploy(_worker("billing", "order.placed"), on=orders, instances=consumers, prefetch=messages)
    for n in range(messages):
        orders.publish("order.placed", {"message": n})


def throughput(lab: Lab) -> float:
    """Messages a second, in units of one core."""
    done = lab.trace.where("handle")
    return round(len(done) * WORK / done[-1].time, 1)


def quota(lab: Lab, rate: float = 8_000, targets: int = 3, seconds: float = 60) -> None:
    """Events a second for a minute on an EventBridge bus, each for some targets, under the account's quota of invocations a second.

    One event of the lab stands for a thousand.
    """
    bus = lab.bus("shop", like="eventbridge", invocations=QUOTA / SCALE)
    for n in range(targets):
        lab.deploy(_worker(f"target-{n + 1}", "order.placed"), on=bus, concurrency=100)
    lab.workload(bus, "order.placed", every=SCALE / rate, count=round(rate * seconds / SCALE))


def behind(lab: Lab) -> list[tuple[float, float]]:
    """For each invocation: when its event was published, and how many seconds later the target had it."""
    sent = {row.event.id: row.time for row in lab.trace.where("publish") if row.event}
    return sorted((sent[row.event.id], row.time - sent[row.event.id]) for row in lab.trace.where("deliver") if row.event)


def delay_at_end(lab: Lab) -> float:
    """Seconds that the last invocation came behind its event."""
    return round(max(seconds for _, seconds in behind(lab)), 1)


def prices(lab: Lab, cluster: float = 600, shard: float = 15, million: float = 1, targets: int = 1) -> None:
    """No system: three prices for a picture. cluster: a month; shard: a month for 1,000 events a second; million: a million events.

    targets: deliveries of each event that the bus charges for.
    """
    lab.client("you")


MONTH = 30 * 86_400  # seconds


def costs(rate: float, cluster: float, shard: float, million: float, targets: int) -> dict[str, float]:
    """What a month at so many events a second costs in each shape."""
    return {
        "a cluster": cluster,
        "by shard": shard * max(1, -(-rate // 1_000)),
        "by event": million * targets * rate * MONTH / 1e6,
    }


def crossing(cluster: float = 600, million: float = 1, targets: int = 1, **_: Any) -> float:
    """Events a second at which a price by event is that of the cluster."""
    return cluster * 1e6 / (million * targets * MONTH)
