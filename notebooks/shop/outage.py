"""The same shop as a chain of calls, to take services away from it and from the saga, and see who notices."""

from edakit import Crash, Lab, Service
from edakit.errors import CallError
from edakit.event import Event
from edakit.service import Context
from edakit.sim.faults import Fault
from edakit.trace import Keys
from shop.orders import TEA, apologise, charge, confirm, customers, release, reserve, saga

LATE = 5  # seconds: who waits longer for a yes has noticed


async def place(order: Event, ctx: Context) -> None:
    """Call one service after the other; give the tea back if payment says no, or nothing."""
    await ctx.call("inventory/reserve", order.data, timeout=5)
    try:
        await ctx.call("payment/charge", order.data, timeout=5)
    except CallError:
        await ctx.call("inventory/release", order.data, timeout=5)
        raise
    await ctx.call("notification/confirm", order.data, timeout=5)
    await ctx.publish("order.confirmed", order.data)


async def place_anyway(order: Event, ctx: Context) -> None:
    """The same, by somebody careful: without a mail the order still stands."""
    await ctx.call("inventory/reserve", order.data, timeout=5)
    try:
        await ctx.call("payment/charge", order.data, timeout=5)
    except CallError:
        await ctx.call("inventory/release", order.data, timeout=5)
        raise
    try:
        await ctx.call("notification/confirm", order.data, timeout=5)
    except CallError:
        ctx.log("no mail")
    await ctx.publish("order.confirmed", order.data)


def calls(lab: Lab, count: int = 1200, stock: int = 1200, every: float = 0.1, careful: bool = False) -> None:
    """The handlers of the shop behind HTTP; whoever places an order waits for the last of them."""
    web = lab.server("web", like="http", threads=100)
    facts = lab.broker("facts", like="rabbitmq")  # where the handlers publish; nobody listens
    teas = lab.database("stock", {TEA: stock})
    jobs = {
        "inventory": {"reserve": reserve, "release": release},
        "payment": {"charge": charge},
        "notification": {"confirm": confirm, "apologise": apologise},
        "checkout": {"place": place_anyway if careful else place},
    }
    for name, handlers in jobs.items():
        service = Service(name)
        for operation, handler in handlers.items():
            service.on(operation)(handler)
        lab.deploy(service, on=web, publishes=facts, db=teas if name == "inventory" else None)
    data = customers(declines=0, stolen=0)
    lab.workload(web, "checkout/place", every=every, count=count, data=data, key="order", source="orders")


def ten_a_second(lab: Lab, style: str = "events", count: int = 1200, mailers: int = 1) -> None:
    """Two minutes of good orders. style: "calls", "careful calls" or "events" (the saga); mailers: instances of notification."""
    if style == "events":
        saga(lab, count=count, stock=count, declines=0, every=0.1, mailers=mailers)
    else:
        calls(lab, count=count, stock=count, careful=style == "careful calls")


def minute_without(service: str) -> Fault:
    """A service is down from second 30 to second 90."""
    return Crash(service, at=30, restart_after=60)


def waits(lab: Lab, last: str = "order.confirmed") -> dict[float, float]:
    """For each order that got as far as `last`: seconds it waited for it, by the second at which it was placed."""
    placed: dict[str | None, float] = {}
    for row in lab.trace.where(("publish", "call"), who="orders"):
        if row.event is not None:
            placed.setdefault(row.event.key, row.event.time)
    ends: dict[str | None, float] = {}
    for row in lab.trace.where("publish", type=last):
        if row.event is not None:
            ends.setdefault(row.event.key, row.time)
    return {start: ends[key] - start for key, start in placed.items() if key in ends}


def noticed(lab: Lab) -> dict[str, float]:
    """Who noticed: orders without a yes at the end (every card is good, so each deserves one), those of them that paid, yeses that
    came late, the longest wait, orders without a mail.
    """
    orders = Keys(row.event.key for row in lab.trace.where(("publish", "call"), who="orders") if row.event is not None)
    yes, times = lab.trace.keys("order.confirmed"), list(waits(lab).values())
    return {
        "failed": len(orders - yes),
        "failed, yet paid": len((orders - yes) & lab.trace.keys("payment.processed")),
        "late": sum(time > LATE for time in times),
        "longest wait s": max(times),
        "no mail": len(orders - lab.trace.keys("mail.sent")),
    }
