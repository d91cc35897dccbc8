"""Leaders that die in the middle: one that keeps in its memory how far an order is, and one that writes each step into a log.

The memory leader does the steps of the same saga, one after the other. It acknowledges an order first (then nobody brings it again) or
last (then the broker does, and all steps begin anew).
"""

from collections import Counter

from edakit import CallRefused, Exponential, Lab, Service
from edakit.chance import Duration
from edakit.event import Event
from edakit.service import Context
from shop.steps import ASKED, checkout, customers, ended, open_shop, still_open

CALM = Exponential(0.5)  # seconds between two orders
LEADERS = ("memory, acked first", "memory, acked last", "log")


async def from_memory(order: Event, ctx: Context) -> None:
    """All steps, or the ways back of those done; where it stands is known to this process alone."""
    steps = checkout().steps
    for n, step in enumerate(steps):
        try:
            await step.action(order, ctx)
        except CallRefused:
            for each in reversed(steps[:n]):
                if each.compensate:
                    await each.compensate(order, ctx)
            await ctx.publish("order.rejected", order.data)
            return
    await ctx.publish("order.confirmed", order.data)


def mortal(lab: Lab, leader: str = "log", count: int = 1000, declines: float = 0.05, every: Duration = CALM) -> None:
    """Orders under a leader that may die; give faults=Faults(crash=..., where="checkout")."""
    shop = open_shop(lab, ASKED, stock=count)
    if leader == "log":
        lab.deploy(checkout(), on=shop)
    else:
        memory = Service("checkout")
        memory.on("order.placed")(from_memory)
        lab.deploy(memory, on=shop, concurrency=1000, prefetch=1000, commit="before" if "first" in leader else "after")
    lab.workload(shop, "order.placed", every=every, count=count, data=customers(declines), key="order", source="web")


def held_by_orphans(lab: Lab) -> int:
    """Teas set aside for orders that nobody will end."""
    rows, over = lab.databases["stock"].data, ended(lab)
    return sum(state == 1 and name.partition("/")[2] not in over for name, state in rows.items() if name.startswith("order/"))


def after_crashes(lab: Lab) -> dict[str, float]:
    """Crashes of the leader, and what they have left: orders without an end, teas they hold, steps that were asked for again."""
    asked = Counter((row.event.key, row.event.type) for row in lab.trace.where("call") if row.event)
    again = sum(count - 1 for count in asked.values())
    crashes = len(lab.trace.where("crash"))
    return {"crashes": crashes, "orphans": len(still_open(lab)), "teas held": held_by_orphans(lab), "steps asked again": again}


def who_leaves(after: dict[str, dict[str, float]]) -> str:
    """Which leaders have left orders without an end."""
    left = [leader for leader, figures in after.items() if figures["orphans"]]
    return "all three" if len(left) == 3 else "memory, both" if left == list(LEADERS[:2]) else ", ".join(left)
