"""Who keeps order: eight orders whose events go through one queue or four partitions, to one worker or several. Notebook 02, scene 5.

Every event has a number, in the order in which it was published. A pair is *inverted* if the later one was finished first.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from edakit import Exponential, Lab, Service

PATHS = {
    "1 queue, 1 worker": {"workers": 1},
    "1 queue, 4 workers": {"workers": 4},
    "4 partitions, 4 workers": {"workers": 4, "stream": True},
}
KEYS = tuple(str(42 + n) for n in range(8))  # orders 42 to 49


class Done(NamedTuple):
    """An event that was handled: its number, its order, when."""

    number: int
    key: str
    time: float


def eight_orders(lab: Lab, workers: int = 4, stream: bool = False, single_active: bool = False, events: int = 240) -> None:
    """Two hundred events a second, each of one of eight orders; a worker needs 50 ms for one, on average.

    single_active: of the workers at the queue one works, and the others wait for its end.
    """
    packing = Service("packing")

    @packing.on("order.changed")
    async def pack(event: Any, ctx: Any) -> None:
        await ctx.sleep(ctx.random.expovariate(20))

    def change(n: int, random: Any) -> dict[str, Any]:
        return {"n": n, "order": random.choice(KEYS)}

    if stream:
        shop: Any = lab.stream("shop", partitions=4, like="kafka")
    else:
        shop = lab.broker("shop", like="rabbitmq")
        if single_active:
            shop.queue("packing", single_active_consumer=True)
    lab.deploy(packing, on=shop, instances=workers)
    lab.workload(shop, "order.changed", every=Exponential(0.005), count=events, data=change, key="order")


def handled(lab: Lab) -> list[Done]:
    """All events in the order in which their handlers ended."""
    return [Done(row.event.data["n"], row.event.key, row.time) for row in lab.trace.where("handle")]


def inverted(done: Sequence[Done]) -> list[bool]:
    """For each event whether the one before it in this list was published later."""
    return [False, *(later.number < earlier.number for earlier, later in pairwise(done))][: len(done)]


def inversions(lab: Lab) -> dict[str, float]:
    """Of a hundred neighbours, how many are inverted: among all events, and within each order; and how long it took."""
    done = handled(lab)
    single = [[each for each in done if each.key == key] for key in KEYS]
    pairs = sum(max(0, len(each) - 1) for each in single)
    return {
        "all %": 100 * sum(inverted(done)) / (len(done) - 1),
        "within an order %": 100 * sum(sum(inverted(each)) for each in single) / pairs,
        "seconds": done[-1].time,
    }
