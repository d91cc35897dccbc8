"""What becomes of a dead letter: how long it can be read, whether it arrives at all, and what it says of its past."""

from typing import Any

from edakit import Lab, Service, days, hours, table
from edakit.broker.declared import Death
from edakit.table import Table
from edakit.units import SECOND

QUEUE = "shop"  # SQS has one queue, named as its bus


def cannot() -> Service:
    """A service that can charge nobody."""
    payment = Service("payment")

    @payment.on("order.placed")
    async def charge(order: Any, ctx: Any) -> None:
        float("9,90")

    return payment


def shelf(lab: Lab, in_source: float = 1, keep: float = 4, fifo: bool = False) -> None:
    """SQS: order 42 waits `in_source` days in its queue until somebody looks at it and cannot charge it; then it is a dead letter. Both
    queues keep a message `keep` days.
    """
    shop = lab.bus("shop", like="sqs", delivery_limit=1, retention=days(keep), fifo=fifo)
    lab.deploy(cannot(), on=shop)
    lab.crash("payment", at=0, restart_after=days(in_source))
    lab.at(1, place, shop)  # when the queue has heard that nobody asks any more


def place(shop: Any) -> None:
    """Order 42 comes."""
    shop.publish("order.placed", {"order": 42, "total": "9,90"}, key=42, source="orders")


class Shelf:
    """The life of a letter: hours in its first queue and among the dead letters, and the rows that tell of its end."""

    def __init__(self, lab: Lab) -> None:
        """Let the lab go on, hour by hour, until the letter cannot be read any more."""
        shop: Any = lab.homes["shop"]
        queue, buried = shop.queues[QUEUE], lab.trace.where("dead")
        self.kind, self.keep = "FIFO" if queue.fifo else "standard", queue.retention / days(SECOND)
        self.died = buried[0].time if buried else min(lab.now, days(self.keep))  # or it died in its queue
        rows, end = len(lab.trace), self.died
        while shop.dead_letters(QUEUE) and end < days(30):
            end = hours(round(end / hours(1)) + 1)
            lab.run(until=end)
        self.gone, self.told = end, len(lab.trace) - rows if buried else len(lab.trace.where("discard"))
        self.window = (self.gone - self.died) / days(1)

    def __repr__(self) -> str:
        words = {"days in the queue": round(self.died / days(1), 1), "days to look at the letter": round(self.window, 1)}
        return str(table([{**words, "rows that tell of its end": self.told}]))


def rejected(lab: Lab, orders: int = 50, safe: bool = False) -> None:
    """So many orders that payment rejects, each of which takes the hop to the queue of dead letters. safe: dead-lettering at least once,
    with confirms, which a quorum queue can do that refuses when it is full.
    """
    kind: dict[str, Any] = {"overflow": "reject-publish", "dead_letter_strategy": "at-least-once"} if safe else {}
    shop = lab.broker("shop", like="rabbitmq-quorum")
    shop.queue("payment", dead_letter="parked", **kind)
    lab.deploy(cannot(), on=shop, on_error="reject")
    for n in range(orders):
        shop.publish("order.placed", {"order": 100 + n, "total": "9,90"}, key=100 + n, source="orders")


def hops(lab: Lab) -> dict[str, float]:
    """Orders that are neither in their queue nor among the dead letters, and those that are there twice."""
    shop: Any = lab.homes["shop"]
    arrived = [row.event.id for row in lab.trace.where("hop") if row.event is not None]
    orders = len(lab.trace.where("publish"))
    return {"lost": orders - len(set(arrived)) - shop.depth("payment"), "twice": len(arrived) - len(set(arrived))}


def history(lab: Lab) -> Table:
    """Somebody reads the queue `parked`: what x-death says of each letter."""
    found, desk = list[tuple[str | None, Death]](), Service("parked")
    shop: Any = lab.homes["shop"]

    @desk.on("#")
    async def read(letter: Any, ctx: Any) -> None:
        found.extend((letter.key, death) for death in ctx.delivery.deaths)

    lab.deploy(desk, on=shop)
    lab.run(until=lab.now + 1)
    rows = [(key, death.reason, death.count, death.queue, f"{death.first_time / SECOND:g} s") for key, death in found]
    return table(rows, ["order", "reason", "times", "queue", "first"])


WHY = {
    "4 days": "its clock did not start anew when it died",
    "5 days": "the days do not add up; they are shared",
    "for ever": "it is a queue, not a table",
}
