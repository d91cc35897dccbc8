"""The order page is a copy, fed by events: how old it is when Ada looks, also after an outage, and what three medicines do about it."""

from typing import Any

from edakit import Crash, Exponential, Faults, Lab, Refused, Saga, Service, sweep
from edakit.evidence import Sweep
from edakit.store import EventStore
from edakit.trace import Trace

LAG = 0.2  # seconds that a fact is under way, on average
RELOAD = 0.2  # seconds after paying, when Ada looks again
AFTER = (0.05, 0.1, 0.2, 0.5, 1.0, 1.4, 2.0)  # seconds after the fact at which somebody may look
DOWN, UP = 30, 60  # seconds: the copy's worker is gone, and is back


def copy_of(lag: float, hears: str = "order.paid", idempotent: bool = False) -> Service:
    """`web`, which keeps the page: a fact is under way for a while (exponential, `lag` seconds on average), then it is written.

    It also counts what it has sold; idempotent: an event that it has seen is not counted again.
    """
    web = Service("web")

    @web.on(hears)
    async def update(event: Any, ctx: Any) -> None:
        await ctx.sleep(ctx.random.expovariate(1 / lag) if lag else 0)
        async with ctx.db.transaction() as tx:
            await tx.put(event.key, "paid")
            if not idempotent or await tx.insert_once("seen", event.id):
                await tx.add("sold", 1)

    return web


def order_page(lab: Lab, orders: int = 100, lag: float = LAG) -> None:
    """So many orders are paid, ten a second; the page of each is a copy that hears of it a little later."""
    shop = lab.broker("shop", like="rabbitmq")
    lab.deploy(copy_of(lag), on=shop, db=lab.database("copy"), concurrency=orders, prefetch=orders)
    lab.workload(shop, "order.paid", every=0.1, count=orders, key="order", source="payment")


def reload(lab: Lab, key: str = "42") -> None:
    """Ada asks for her page."""
    lab.call("page", {}, key=key, source="ada")


def windows(lab: Lab) -> list[tuple[float, float]]:
    """For each order (when it was paid, when the copy showed it), seconds; infinite: not yet. In the order of payment."""
    paid = {row.event.key: row.event.time for row in lab.trace.where("publish", type="order.paid") if row.event}
    shown: dict[Any, float] = {}
    for row in lab.trace.where("write", place="copy"):
        if row.event:
            shown.setdefault(row.event.key, row.time)
    return [(time, shown.get(key, float("inf"))) for key, time in paid.items()]


def stale(lab: Lab, after: float = RELOAD) -> float:
    """Per cent of the orders whose page is still old so many seconds after they were paid."""
    found = windows(lab)
    return 100 * sum(shown > paid + after for paid, shown in found) / len(found)


def curve(lab: Lab) -> dict[str, float]:
    """Figures for a sweep: per cent stale after each of AFTER."""
    return {f"stale after {after:g} s": stale(lab, after) for after in AFTER}


def paused(lab: Lab, pause: float = UP - DOWN, arrive: float = 5, handle: float = 10, seconds: float = 120) -> None:
    """One worker keeps the page, `handle` events a second at most, and `arrive` come. At second 30 it is gone for `pause` seconds."""
    shop, web = lab.broker("shop", like="rabbitmq"), Service("web")

    @web.on("order.paid")
    async def update(event: Any, ctx: Any) -> None:
        await ctx.sleep(ctx.random.expovariate(handle))
        await ctx.db.put(event.key, "paid")

    lab.deploy(web, on=shop, db=lab.database("copy"))
    lab.workload(shop, "order.paid", every=Exponential(1 / arrive), count=int(arrive * seconds), key="order", source="payment")
    if pause:
        lab.faults(Crash("web", at=DOWN, restart_after=pause))


def by_time(lab: Lab, step: float = 5) -> dict[float, float]:
    """Per cent stale RELOAD seconds after payment, of the orders paid in each stretch of time: middle of the stretch -> per cent."""
    shares: dict[float, list[bool]] = {}
    for paid, shown in windows(lab):
        shares.setdefault((paid // step + 0.5) * step, []).append(shown > paid + RELOAD)
    return {middle: 100 * sum(each) / len(each) for middle, each in shares.items()}


def outage(lab: Lab) -> dict[str, float]:
    """Figures for a sweep: per cent stale before, during and after the pause, the oldest page, and when pages were fresh again."""
    found = windows(lab)
    parts = {"before": (0, DOWN - 1), "during": (DOWN, UP), "30 s after": (UP, UP + 30), "later": (UP + 40, 1e9)}
    figures = {}
    for name, (start, end) in parts.items():
        part = [shown > paid + RELOAD for paid, shown in found if start <= paid < end]
        figures[f"stale % {name}"] = 100 * sum(part) / max(1, len(part))
    first = next((paid for paid, shown in found if paid >= UP and shown <= paid + RELOAD), found[-1][0])
    return {**figures, "oldest page s": max(shown - paid for paid, shown in found), "first fresh s": first - UP}


SOLD_OUT = 20  # every 20th order asks for a packet that is not there
TWICE = Faults(duplicate=0.05, leg="deliver", where=("shop", "web"))  # one event in twenty reaches the copy twice
MEDICINES = ("none", "idempotent", "saga", "event sourcing")


def treated(lab: Lab, medicine: str = "none", orders: int = 40, lag: float = LAG) -> None:
    """Orders are placed, paid and packed; `web` shows what is paid. Each medicine of the page is put on the same flow."""
    shop = lab.broker("shop", like="rabbitmq")
    many: dict[str, Any] = {"concurrency": orders, "prefetch": 2 * orders}
    ledger, store = lab.database("ledger"), EventStore() if medicine == "event sourcing" else None

    async def take_money(order: Any, ctx: Any) -> None:
        await ctx.db.put(f"paid/{order.key}", True)
        if store is not None:
            store.append(order.key, [("order.placed", {}), ("order.paid", {})], expected_version=0)
            ctx.log(f"{len(store.load(order.key)[0])} states")

    async def give_back(order: Any, ctx: Any) -> None:
        await ctx.db.delete(f"paid/{order.key}")

    async def pack(order: Any, ctx: Any) -> None:
        if order.data["order"] % SOLD_OUT == 0:
            raise Refused("sold out")
        await ctx.db.put(f"packed/{order.key}", True)

    if medicine == "saga":
        checkout = Saga("checkout", on="order.placed", completed="order.confirmed", compensated="order.rejected")
        checkout.step(compensate=give_back)(take_money)

        @checkout.step()
        async def packed(order: Any, ctx: Any) -> None:
            await ctx.sleep(ctx.random.expovariate(1 / lag))  # one more hop: the packet must be found first
            await pack(order, ctx)

        lab.deploy(checkout, on=shop, db=ledger)
    else:
        payment, inventory = Service("payment"), Service("inventory")

        @payment.on("order.placed")
        async def pay(order: Any, ctx: Any) -> None:
            await take_money(order, ctx)
            await ctx.publish("order.paid", order.data)

        inventory.on("order.paid")(pack)
        lab.deploy(payment, on=shop, db=ledger, **many)
        lab.deploy(inventory, on=shop, db=ledger, **many)
    hears = "order.confirmed" if medicine == "saga" else "order.paid"
    lab.deploy(copy_of(lag, hears, idempotent=medicine == "idempotent"), on=shop, db=lab.database("copy"), **many)
    lab.workload(shop, "order.placed", every=0.1, count=orders, key="order", source="client")
    lab.faults(TWICE)


def effects(lab: Lab) -> dict[str, float]:
    """Figures for a sweep: per cent stale RELOAD seconds after the money was taken, and what each medicine is made for: doubles, half-done
    orders (paid, with no packet), and how many states of an order can be read.
    """
    paid, shown = first(lab.trace, "ledger"), first(lab.trace, "copy")
    keys = [key for key in paid if int(key) % SOLD_OUT]
    books, sold = lab.databases["ledger"].data, lab.databases["copy"].data["sold"]
    half = sum(f"packed/{key}" not in books for key in paid if f"paid/{key}" in books)
    kept = [int(row.note.split()[0]) for row in lab.trace.where("log") if row.note.endswith("states")]
    return {
        "stale %": 100 * sum(shown[key] > paid[key] + RELOAD for key in keys) / len(keys),
        "doubles": sold - len(shown),
        "half-done": half,
        "states readable": min(kept, default=1),  # a row of a table has its present state
    }


def first(trace: Trace, database: str) -> dict[str, float]:
    """When each order was first written there."""
    found: dict[str, float] = {}
    for row in trace.where("write", place=database):
        if row.event:
            found.setdefault(str(row.event.key), row.time)
    return found


def treatments() -> dict[str, Sweep]:
    """A thousand runs of each medicine."""
    return {name: sweep(treated, measure=effects, medicine=name, evidence=f"04-{name.replace(' ', '-')}") for name in MEDICINES}
