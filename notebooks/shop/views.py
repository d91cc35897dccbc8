"""Two models of one shop: streams that decide, and a view `my_orders` that answers. How far is the second behind the first?"""

from functools import partial

from edakit import EventStore, Lab, Service, measure
from edakit.event import Event
from edakit.service import Context

PROJECTOR, SAME, WAITS = "projector", "same transaction", "wait for the version"
WAYS = (PROJECTOR, WAITS, SAME)
LOOK = 0.005  # a reader who waits asks again so often
POLL = 0.01  # the projector, when there was nothing new


class View:
    """Which orders `my_orders` shows, and up to which position of the store."""

    def __init__(self) -> None:
        self.position = 0

    def apply(self, position: int) -> None:
        """Show one more."""
        self.position = position


async def following(store: EventStore, view: View, ctx: Context, works: float, until: int) -> None:
    """Apply what is new, event by event, up to a position."""
    while view.position < until:
        batch = list(store.read_all(after=view.position, limit=50))
        for event in batch:
            await ctx.sleep(ctx.random.expovariate(1 / works))
            view.apply(event.position)
            ctx.log(f"shows {event.position}")
        if not batch:
            await ctx.sleep(POLL)


def two_models(
    lab: Lab, rate: float = 40, way: str = PROJECTOR, look_after: float = 100, orders: int = 200, works: float = 0.02
) -> None:
    """Customers pay, `rate` of them a second, and look at their orders `look_after` milliseconds later.

    way: the projector (which takes `works` an event on average) keeps the view; or it is written in the transaction of the payment; or
    the reader knows the version of their payment, and waits until the view has it.
    """
    web, shop, projector = lab.server("web", threads=orders + 1), Service("shop"), Service("projector")
    store, view = EventStore(), View()

    @shop.on("visit")
    async def visit(order: Event, ctx: Context) -> None:
        store.append(f"order-{order.key}", [("payment.processed", {"amount": 9.90})], expected_version=0)
        mine = store.position
        ctx.log(f"paid {mine}")
        if way == SAME:
            view.apply(mine)
        await ctx.sleep(look_after / 1000)
        looked = ctx.now
        while way == WAITS and view.position < mine:
            await ctx.sleep(LOOK)
        ctx.log(f"{'sees' if view.position >= mine else 'misses'} {ctx.now - looked:.3f}")

    @projector.on("follow")
    async def follow(start: Event, ctx: Context) -> None:
        await following(store, view, ctx, works, orders)

    lab.deploy(shop, on=web)
    lab.deploy(projector, on=web)
    if way != SAME:
        lab.call("projector", {}, source="lab-clock", timeout=10_000)
    dice, time = lab.random("customers"), 0.0
    for n in range(orders):
        time += dice.expovariate(rate)
        lab.at(time, partial(lab.call, "shop", {}, key=n + 1, source="ada", timeout=10_000))


def reads(lab: Lab) -> dict[str, float]:
    """How many looks miss the own order, how many wait for it, how long all of them wait on average; and how late the view is."""
    notes = [note for note in (row.note.split() for row in lab.trace.where("log", who="shop")) if note[0] in ("sees", "misses")]
    waited = [1000 * float(seconds) for _, seconds in notes]
    share = 100 / len(notes)
    return {
        "stale %": share * sum(what == "misses" for what, _ in notes),
        "waits %": share * sum(wait > 0 for wait in waited),
        "mean wait ms": sum(waited) / len(waited),
        "lag p99 ms": 1000 * measure.quantiles(lags(lab), (0.99,))[0],
    }


IN_PLACE, BESIDE = "in place", "beside, then swap"


def rebuilding(lab: Lab, how: str = IN_PLACE, history: int = 2000, rate: float = 40, works: float = 0.02) -> None:
    """A view is built anew from `history` events while `rate` new ones come in each second.

    how: in place, readers have what has been built so far; beside, they have the old view, kept up to date, until the new one is whole.
    """
    web, shop, projector = lab.server("web", threads=3), Service("shop"), Service("projector")
    store, old, new = EventStore(), View(), View()
    store.append("history", [("payment.processed", {"amount": 9.90})] * history)
    old.position, done = history, [False]

    @shop.on("sell")
    async def sell(start: Event, ctx: Context) -> None:
        while not done[0]:
            await ctx.sleep(ctx.random.expovariate(rate))
            store.append("sales", [("payment.processed", {"amount": 9.90})])

    @projector.on("rebuild")
    async def rebuild(start: Event, ctx: Context) -> None:
        while new.position < store.position:
            await following(store, new, ctx, works, min(store.position, new.position + 10))
            ctx.log(f"readers {(old if how == BESIDE else new).position} {store.position}")
        done[0] = True

    @projector.on("follow")
    async def follow(start: Event, ctx: Context) -> None:
        while not done[0]:
            await following(store, old, ctx, works, store.position)
            await ctx.sleep(POLL)

    lab.deploy(shop, on=web)
    lab.deploy(projector, on=web)
    for what in ("shop/sell", "projector/rebuild", *(["projector/follow"] if how == BESIDE else [])):
        lab.call(what, {}, source="lab-clock", timeout=1e6)


def behind(lab: Lab) -> list[tuple[float, int]]:
    """During a rebuild: time, and how many events the view is behind that readers have."""
    notes = [(row.time, row.note.split()) for row in lab.trace.where("log")]
    return [(time, int(note[2]) - int(note[1])) for time, note in notes if note[0] == "readers"]


def rebuilt(lab: Lab) -> dict[str, float]:
    """How long the rebuild took, and how far behind readers were on average meanwhile."""
    found = behind(lab)
    return {"rebuild s": found[-1][0], "behind on average": sum(each for _, each in found) / len(found)}


def lags(lab: Lab) -> list[float]:
    """Of each payment, the seconds until the view has it."""
    paid, shown = moments(lab)
    return [time - paid[position] for position, time in shown.items()]


def moments(lab: Lab) -> tuple[dict[int, float], dict[int, float]]:
    """By position in the store: when it was paid, and when the view had it."""
    found: dict[str, dict[int, float]] = {"paid": {}, "shows": {}}
    for row in lab.trace.where("log"):
        what, position, *_ = row.note.split()
        if what in found:
            found[what][int(position)] = row.time
    return found["paid"], found["shows"] or found["paid"]


WHY = {
    "0 %": "the projector is at work 80 percent of the time: most events find others in front of them",
    "20 %": "that is the part of the time in which it has nothing to do",
    "80 %": "that is its load; some waits are shorter than your 100 ms",
}


def guessed(stale: float) -> str:
    """Which of the guesses is nearest."""
    return min(("0 %", "20 %", "40 %", "80 %"), key=lambda each: abs(stale - float(each.split()[0])))
