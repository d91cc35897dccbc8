"""Repairs for who reads: ask the copy for at least a version, ask the owner instead; and what two copies do to one screen."""

from typing import Any

from edakit import Lab, Service, measure, run, table
from edakit.table import Table
from shop.pages import LAG, RELOAD

POLL = 0.01  # seconds between two looks of a reader that waits


def page_of(name: str, copy: str | None = None) -> Service:
    """The service that shows an order. A reader may ask for `at_least` a version: then it waits, `timeout` seconds at most, and after that
    it says *pending* rather than something old.
    """
    page = Service(name)

    @page.on("order.show")
    async def show(request: Any, ctx: Any) -> Any:
        wanted, until = request.data.get("at_least", 0), ctx.now + request.data.get("timeout", 0)
        while True:
            found = await ctx.db.get(request.key, {"version": 1, "status": "open"})
            if found["version"] >= wanted:
                return found
            if ctx.now >= until:
                return {"version": found["version"], "status": "pending"}
            await ctx.sleep(POLL)

    return page


def keeper(name: str, lag: float) -> Service:
    """A copy: it hears of a fact a while later (exponential) and keeps its data, version included."""
    web = Service(name)

    @web.on("order.paid")
    async def update(event: Any, ctx: Any) -> None:
        await ctx.sleep(ctx.random.expovariate(1 / lag))
        await ctx.db.put(event.key, {"version": event.data["version"], "status": "paid"})

    return web


def reading(lab: Lab, repair: str = "none", orders: int = 50, lag: float = LAG, timeout: float = 0.5) -> None:
    """Ada pays; payment answers with a receipt that has a version; RELOAD seconds later she looks. repair: "none" reads the copy, "version"
    asks it for at least the version of the receipt, "owner" asks payment itself.
    """
    shop, http = lab.broker("shop", like="rabbitmq"), lab.server("http", threads=100)
    books, copy = lab.database("books"), lab.database("copy")
    payment, ada = Service("payment"), Service("ada")

    @payment.on("card.charge")
    async def charge(request: Any, ctx: Any) -> Any:
        async with ctx.db.transaction() as tx:
            await tx.put(request.key, {"version": 2, "status": "paid"})
            tx.publish("order.paid", {"version": 2})
        return {"version": 2}

    @payment.on("order.show")
    async def show(request: Any, ctx: Any) -> Any:
        return await ctx.db.get(request.key)

    @ada.on("order.buy")
    async def buy(request: Any, ctx: Any) -> Any:
        receipt = await ctx.call("payment/card.charge", {}, timeout=5)
        await ctx.sleep(RELOAD)
        asked = {"at_least": receipt["version"], "timeout": timeout} if repair == "version" else {}
        return await ctx.call("payment/order.show" if repair == "owner" else "page", asked, timeout=60)

    lab.deploy(payment, on=http, db=books, publishes=shop)
    lab.deploy(page_of("page"), on=http, db=copy)
    lab.deploy(keeper("web", lag), on=shop, db=copy, concurrency=orders, prefetch=orders)
    lab.deploy(ada, on=http)
    lab.workload(http, "ada/order.buy", every=0.3, count=orders, data=lambda n, random: {"order": n}, key="order", timeout=60)


def answers(lab: Lab) -> list[tuple[str, float]]:
    """What each reader saw (paid, open or pending), and the seconds until she saw it."""
    rows = lab.trace.where("reply", type="order.show.reply")
    return [(row.event.data["status"], row.time - row.began) for row in rows if row.event]


def seen(lab: Lab) -> dict[str, float]:
    """Figures for a sweep: per cent that saw the old page, per cent that were told *pending*, how long a reload took (mean, p99), and how
    often the owner was asked.
    """
    found = answers(lab)
    waits, share = [wait for _, wait in found], 100 / len(found)
    return {
        "stale %": share * sum(status == "open" for status, _ in found),
        "pending %": share * sum(status == "pending" for status, _ in found),
        "reload ms": 1000 * sum(waits) / len(waits),
        "p99 ms": 1000 * measure.quantiles(waits)[1],
        "owner asked": len(lab.trace.where("call", place="payment", type="order.show")),
    }


REPAIRS = {"none": {}, "version": {"timeout": 0.5}, "version, no hurry": {"timeout": 30.0}, "owner": {}}


def repaired() -> Table:
    """The repairs, with the same seed."""
    rows = [
        {"repair": name, **seen(run(reading, seed=42, orders=200, repair=name.partition(",")[0], **knobs))}
        for name, knobs in REPAIRS.items()
    ]
    return table([{key: round(value, 1) if isinstance(value, float) else value for key, value in row.items()} for row in rows])


def two_copies(
    lab: Lab, route: str = "at random", orders: int = 25, lag: float = LAG, every: float = 0.1, polls: int = 20
) -> None:
    """Two copies of the page behind a balancer, each with a lag of its own. A screen looks `polls` times. route: "at random" (any copy each
    time), "one copy" (always the same: a sticky session), or "version" (any copy, but at least what was seen last).
    """
    shop, http = lab.broker("shop", like="rabbitmq"), lab.server("http", threads=100)
    for name in ("a", "b"):
        copy = lab.database(f"copy-{name}")
        lab.deploy(keeper(f"web-{name}", lag), on=shop, db=copy, concurrency=orders, prefetch=orders)
        lab.deploy(page_of(f"page-{name}"), on=http, db=copy)
    screen = Service("screen")

    @screen.on("order.watch")
    async def watch(request: Any, ctx: Any) -> None:
        version, start = 0, ctx.now
        for n in range(polls):
            await ctx.sleep(max(0, start + (n + 1) * every - ctx.now))
            name = ctx.random.choice("ab") if route != "one copy" else "ab"[int(request.key) % 2]
            asked = {"at_least": version, "timeout": 30} if route == "version" else {}
            found = await ctx.call(f"page-{name}", asked, timeout=60)
            version = max(version, found["version"])
            ctx.log(found["status"])

    lab.deploy(screen, on=http)
    for n in range(orders):
        lab.at(0.1 * n, begin, lab, shop, n + 1)


def begin(lab: Lab, shop: Any, order: int) -> None:
    """An order is paid, and its screen begins to look."""
    shop.publish("order.paid", {"order": order, "version": 2}, key=order, source="payment")
    lab.call("screen", {"order": order}, key=order, source="ada", timeout=60)


def screens(lab: Lab) -> dict[str, list[str]]:
    """What each screen showed, look by look."""
    shown: dict[str, list[str]] = {}
    for row in lab.trace.where("log", who="screen"):
        if row.event:
            shown.setdefault(str(row.event.key), []).append(row.note)
    return shown


def back(lab: Lab) -> dict[str, float]:
    """Figures for a sweep: per cent of the screens that showed *open* after *paid*."""
    shown = screens(lab).values()
    return {"went back %": 100 * sum("open" in each[each.index("paid") :] for each in shown if "paid" in each) / len(shown)}


WHY = {
    "0 %": "each copy only moves forward, but the screen moves between them",
    "5 %": "it takes one look at the copy that is ahead and one at the other: two copies differ for about the length of the lag",
}
