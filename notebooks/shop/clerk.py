"""One clerk who numbers every event, or one for each lane of orders.

A clerk takes 10 ms for a number: it counts only when it is written down in more than one place, or a failover would give it out again.
"""

from collections.abc import Mapping

from edakit import Crash, Lab, Service, measure
from edakit.event import Event
from edakit.ordering import Sequencer
from edakit.service import Context
from edakit.sim.faults import Fault
from edakit.units import SECOND
from shop.turns import publish

STAMP = 0.01  # seconds for a number
DOWN, UP = 2, 7  # seconds: a clerk dies, and another has taken over
STATES = ("placed", "paid", "packed", "shipped")


def stamped(lab: Lab, lanes: int = 1, rate: float = 50, seconds: float = 10, failover: bool = False, orders: int = 400) -> None:
    """So many events a second for so many seconds, about changing orders; `lanes` clerks, each for its share of the orders.

    One lane: one sequence for everything. More: a sequence for each order. failover: the clerk of the first lane is away for 5 s.
    """
    topic, clerk = lab.stream("orders", partitions=lanes, session_timeout=60), Service("clerk")
    numbers, random = Sequencer(), lab.random("customers")

    @clerk.on("#")
    async def stamp(event: Event, ctx: Context) -> None:
        number = numbers.number(None if lanes == 1 else event.key)
        await ctx.sleep(STAMP)
        ctx.log(f"order {event.key} number {number} {event.data['state']}")

    lab.deploy(clerk, on=topic, instances=lanes)
    steps = dict.fromkeys(range(1, orders + 1), 0)
    time = 0.0
    while (time := time + random.expovariate(rate)) < seconds:
        order = random.randint(1, orders)
        state = STATES[steps[order] % len(STATES)]
        steps[order] += 1
        lab.at(time, publish, topic, "order.changed", {"order": order, "state": state}, order)
    if failover:
        lab.faults(away(lanes))


def away(lanes: int) -> Fault:
    """The clerk of the first lane dies, and is replaced five seconds later."""
    return Crash("clerk" if lanes == 1 else "clerk.1", at=DOWN, restart_after=UP - DOWN)


def waits(lab: Lab) -> dict[str, list[tuple[float, float]]]:
    """For each lane, (when an event came, how many seconds it took until it had its number), in order."""
    found: dict[str, list[tuple[float, float]]] = {}
    for row in lab.trace.where("log"):
        if row.event:
            found.setdefault(row.place, []).append((row.event.time, (row.ns - row.event.ns) / SECOND))
    return found


def figures(lab: Lab) -> dict[str, float]:
    """Median and 99th of a hundred waits in ms, numbers given a second, the share of events that waited over a second, in per cent."""
    seconds = [wait for each in waits(lab).values() for _, wait in each]
    half, most = measure.quantiles(seconds)
    return {
        "p50 ms": round(1000 * half, 3),
        "p99 ms": round(1000 * most, 3),
        "numbers/s": round(len(seconds) / lab.trace.where("log")[-1].time, 3),
        "% over 1 s": 100 * sum(wait > 1 for wait in seconds) / len(seconds),
    }


def last_states(lab: Lab) -> Mapping[str, str]:
    """What the numbers are for: the state with the highest number, for each order."""
    found: dict[str, tuple[int, str]] = {}
    for row in lab.trace.where("log"):
        _, order, _, number, state = row.note.split()
        found[order] = max(found.get(order, (0, "")), (int(number), state))
    return {order: state for order, (_, state) in sorted(found.items())}
