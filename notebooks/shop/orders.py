"""The shop of order 42: what its services do, and who listens to what.

The handlers below are the same in every wiring. A wiring is a table: service, what wakes it, what it then does. In the first
three a service is woken by an event; in the saga by a request of the flow, which also hears the answer. That is all that differs:
each handler publishes what happened and, where it cannot do its job, raises `Refused`, which an event has nobody to tell.
"""

from collections.abc import Callable, Mapping
from typing import Any

from edakit import Exponential, Lab, Refused, Saga, Service
from edakit.chance import Duration, Random
from edakit.event import Event
from edakit.service import Context, Handler
from edakit.sim.brokers import Broker

TEA = "tea-42"
RUSH = Exponential(0.1)  # seconds between two orders
PATIENCE = 3600  # seconds the flow waits for an answer, unless told: longer than any outage here

Wiring = Mapping[str, Mapping[str, Handler]]  # service -> what wakes it -> what it does


async def charge(order: Event, ctx: Context) -> None:
    """Ask the bank, and wait as long as it takes, or until the limit that came with the request."""
    bank = order.data["bank"]
    limit = order.data.get("limit", bank)
    await ctx.sleep(min(bank, limit))
    if order.data["card"] == "empty" or bank > limit:
        await ctx.publish("payment.declined", order.data)
        raise Refused("no money")
    await ctx.publish("payment.processed", order.data)


async def reserve(order: Event, ctx: Context) -> None:
    """Set one tea aside, if one is left."""
    await ctx.sleep(0.05)
    async with ctx.db.transaction() as tx:
        found = await tx.add(TEA, -1, where=lambda left: left > 0)
        tx.publish("stock.reserved" if found else "stock.rejected", order.data)
    if not found:
        raise Refused("sold out")


async def release(order: Event, ctx: Context) -> None:
    """Put the tea back."""
    async with ctx.db.transaction() as tx:
        await tx.add(TEA, 1)
        tx.publish("stock.released", order.data)


async def confirm(order: Event, ctx: Context) -> None:
    """Mail that the order is confirmed: 20 ms a mail, so 50 a second."""
    await ctx.sleep(0.018)
    await ctx.publish("mail.sent", order.data)


async def apologise(order: Event, ctx: Context) -> None:
    """Mail that it is not."""
    await ctx.sleep(0.018)
    await ctx.publish("sorry.sent", order.data)


PARALLEL: Wiring = {
    "payment": {"order.placed": charge},
    "inventory": {"order.placed": reserve},
    "notification": {"order.placed": confirm, "payment.declined": apologise, "stock.rejected": apologise},
}
CHAIN: Wiring = {
    "payment": {"order.placed": charge},
    "inventory": {"payment.processed": reserve},
    "notification": {"stock.reserved": confirm, "payment.declined": apologise, "stock.rejected": apologise},
}
RESERVE_FIRST: Wiring = {
    "inventory": {"order.placed": reserve},
    "payment": {"stock.reserved": charge},
    "notification": {"payment.processed": confirm, "payment.declined": apologise, "stock.rejected": apologise},
}
SAGA: Wiring = {
    "inventory": {"reserve": reserve, "release": release},
    "payment": {"charge": charge},
    "notification": {"order.confirmed": confirm, "order.rejected": apologise},
}
WIRINGS = {"parallel": PARALLEL, "chain": CHAIN, "reserve first": RESERVE_FIRST, "saga": SAGA}

AT_ONCE = {"notification": 1, "inventory": 100}  # orders in hand; who only waits for others has as many as come


def checkout(*gates: Handler, limit: float | None = None, patience: float = PATIENCE) -> Saga:
    """The flow, which owns the order of the steps and the way back. Gates are steps before all others.

    limit: seconds that payment may take, told to payment. patience: seconds after which the flow hangs up on payment, told to nobody.
    """
    flow = Saga("checkout", on="order.placed", completed="order.confirmed", compensated="order.rejected")
    for gate in gates:
        flow.step()(gate)

    async def put_back(order: Event, ctx: Context) -> None:
        await ctx.call("inventory/release", order.data, timeout=PATIENCE)

    @flow.step(compensate=put_back)
    async def reserve_tea(order: Event, ctx: Context) -> None:
        await ctx.call("inventory/reserve", order.data, timeout=PATIENCE)

    @flow.step()
    async def pay(order: Event, ctx: Context) -> None:
        request = order.data if limit is None else {**order.data, "limit": limit}
        await ctx.call("payment/charge", request, timeout=patience)

    return flow


def wire(lab: Lab, wiring: Wiring, stock: int = 900, mailers: int = 1) -> Broker:
    """A broker with the services of a wiring on it, and a database of teas. mailers: instances of notification."""
    shop = lab.broker("shop", like="rabbitmq")
    teas = lab.database("stock", {TEA: stock})
    for name, wires in wiring.items():
        service = Service(name)
        for event, handler in wires.items():
            service.on(event)(handler)
        many = AT_ONCE.get(name, 1000)
        lab.deploy(
            service,
            on=shop,
            instances=mailers if name == "notification" else 1,
            concurrency=many,
            prefetch=max(many, 10),
            db=teas if name == "inventory" else None,
        )
    return shop


def customers(
    declines: float = 0.05, pay: float = 0.2, stolen: float = 0.02, think: float = 0.5, pack: float = 0.6
) -> Callable[[int, Random], dict[str, Any]]:
    """Orders of one tea each, with what the world has in store for them: so every wiring meets the same customers.

    card: `declines` of them are empty, `stolen` of them stolen. bank, check, pack: seconds (exponential, with these means) that
    the bank takes to answer, the fraud desk to think, the packers to pack.
    """

    def order(n: int, random: Random) -> dict[str, Any]:
        chance = random.random()
        card = "empty" if chance < declines else "stolen" if chance > 1 - stolen else "good"
        bank, check, packing = (round(mean * random.expovariate(1), 6) for mean in (pay, think, pack))
        return {"order": n, "card": card, "bank": bank, "check": check, "pack": packing}

    return order


def parallel(lab: Lab, count: int = 1000, stock: int = 900, declines: float = 0.05) -> None:
    """Everybody listens to order.placed."""
    open_shop(lab, PARALLEL, count, stock, customers(declines))


def chain(lab: Lab, count: int = 1000, stock: int = 900, declines: float = 0.05) -> None:
    """Placed, then paid, then the stock."""
    open_shop(lab, CHAIN, count, stock, customers(declines))


def reserve_first(lab: Lab, count: int = 1000, stock: int = 900, declines: float = 0.05) -> None:
    """Placed, then the stock, then paid; nobody puts back."""
    open_shop(lab, RESERVE_FIRST, count, stock, customers(declines))


def saga(
    lab: Lab,
    count: int = 1000,
    stock: int = 900,
    declines: float = 0.05,
    pay: float = 0.2,
    limit: float | None = None,
    patience: float = PATIENCE,
    every: Duration = RUSH,
    mailers: int = 1,
) -> None:
    """The flow reserves, takes the money, confirms; on a decline it puts the tea back."""
    shop = open_shop(lab, SAGA, count, stock, customers(declines, pay), every, mailers)
    lab.deploy(checkout(limit=limit, patience=patience), on=shop)


def one_order(lab: Lab, wiring: str = "parallel", card: str = "empty", teas: int = 1) -> None:
    """Order 42 alone: Ada wants one tea."""
    shop = wire(lab, WIRINGS[wiring], teas)
    if wiring == "saga":
        lab.deploy(checkout(), on=shop)
    order_42 = {"order": 42, "customer": "ada", "item": TEA, "total": 9.90, "card": card, "bank": 0.2}
    shop.publish("order.placed", order_42, key="42", source="orders")


def open_shop(
    lab: Lab,
    wiring: Wiring,
    count: int,
    stock: int,
    data: Callable[[int, Random], dict[str, Any]],
    every: Duration = RUSH,
    mailers: int = 1,
) -> Broker:
    """A wired shop, and its customers."""
    shop = wire(lab, wiring, stock, mailers)
    lab.workload(shop, "order.placed", every=every, count=count, data=data, key="order", source="orders")
    return shop
