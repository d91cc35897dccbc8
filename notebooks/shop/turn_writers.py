"""Two ways in which the writing side loses order: a producer that sends again, and a topic that gets a partition more."""

from edakit import Faults, Lab, Service
from edakit.errors import ArgumentError, known
from edakit.stream import Producer, partition_for
from shop.turns import Writers, customers, drain_and_grow, grow, note_down, share

GROUP = "analytics"


def writer(lab: Lab, in_flight: int = 5, idempotence: bool = False, lost: float = 0.01, count: int = 100) -> None:
    """2,500 batches a second for one partition; a share is lost on the way and, after 10 ms without an answer, sent again.

    in_flight: so many batches may be under way at once.
    """
    log = lab.stream("orders")
    log.producer("web", Producer(batch=1, linger=0, in_flight=in_flight, idempotence=idempotence, timeout=0.01, backoff=0.001))
    lab.faults(Faults(drop=lost, leg="publish", where="orders"))
    lab.workload(log, "order.placed", every=0.0004, count=count, source="web")


def written(lab: Lab) -> list[int]:
    """The numbers of the batches, in the order in which the partition has written them."""
    return [row.event.data["order"] for row in lab.trace.where("append") if row.event]


def late(lab: Lab) -> list[int]:
    """The batches that were written behind a higher number."""
    found, highest = [], 0
    for number in written(lab):
        if number < highest:
            found.append(number)
        highest = max(highest, number)
    return found


def overtaken_by(lab: Lab) -> list[int]:
    """For each late batch, how many with a higher number lie before it."""
    order = written(lab)
    return [sum(other > number for other in order[: order.index(number)]) for number in late(lab)]


def lateness(lab: Lab) -> dict[str, float]:
    """Late batches of a hundred; by how many each was overtaken, on average; batches a second."""
    order, passed = written(lab), overtaken_by(lab)
    seconds = lab.trace.where("append")[-1].time
    return {
        "% late": 100 * len(passed) / len(order),
        "overtaken by": sum(passed) / max(1, len(passed)),
        "batches/s": round(len(order) / seconds),
    }


def moved(before: int, after: int, keys: int = 10_000) -> float:
    """The share of keys, order-0, order-1, ..., that have another partition when there are `after` in place of `before`, in per cent."""
    names = [f"order-{n}" for n in range(keys)]
    return 100 * sum(partition_for(name, before) != partition_for(name, after) for name in names) / keys


HOWS = ("at-once", "drained")
OPENS = 6  # seconds after which the fourth partition opens


def grown(lab: Lab, backlog: float = 5, how: str = "at-once", count: int = 50) -> None:
    """Three partitions become four, while analytics, which was away for `backlog` seconds, has as much to catch up with.

    how: "at-once", or "drained": writers wait until everything is read.
    """
    if how not in HOWS:
        raise ArgumentError(known("way", how, HOWS))
    orders, analytics = lab.stream("orders", partitions=3), Service("analytics")
    writers = Writers(orders)
    analytics.on("#")(note_down)
    lab.deploy(analytics, on=orders, group=GROUP, instances=4)
    if backlog:
        lab.hold("orders", "analytics", at=OPENS - backlog)
        lab.release("orders", "analytics", at=OPENS)
    lab.at(OPENS, drain_and_grow if how == "drained" else grow, lab, orders, writers)
    customers(lab, writers.tell, count, gap=2, every=0.15)


def widening(lab: Lab) -> dict[str, float]:
    """Orders told out of turn, in per cent, and how many seconds the writers had to wait."""
    return {**share(lab), "writers wait s": round(lab.trace.where("grow")[0].time - OPENS, 3)}
