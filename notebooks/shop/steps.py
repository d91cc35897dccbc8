"""The steps of one order and their ways back, and two places to write down the flow: in one leader, or in what each service listens to.

What inventory, payment and shipping do is the same in both. Every step and every way back may come twice: a row for each order says how
far it is (0 nothing, 1 done, 2 taken back for good), and a way back that comes before its step leaves that mark too, so that a step which
arrives late finds the door shut.
"""

import json
from collections.abc import Callable
from typing import Any

from edakit import CallTimeout, Exponential, Lab, Refused, Retry, Saga, Service
from edakit.chance import Duration, Random
from edakit.event import Event
from edakit.service import Context, Handler
from edakit.sim.brokers import Broker

TEA = "tea-42"
DONE, BACK = 1, 2
PATIENCE = 60  # seconds a step waits for an answer, unless it has a time-out
RUSH = Exponential(0.1)  # seconds between two orders


async def take_tea(order: Event, ctx: Context) -> bool:
    """Set one tea aside, once an order. Says whether there was one."""
    await ctx.sleep(order.data["shelf"])
    row = f"order/{order.key}"
    async with ctx.db.transaction() as tx:
        if not await tx.add(row, DONE, where=lambda state: state == 0):
            return bool(await tx.get(row) == DONE)
        found: bool = await tx.add(TEA, -1, where=lambda left: left > 0)
        if not found:
            await tx.add(row, BACK - DONE)
    return found


async def put_back_tea(order: Event, ctx: Context) -> None:
    """Put the tea back, if one is set aside. One time in so many (`jams`) the shelf is locked."""
    await ctx.sleep(0.05)
    if ctx.random.random() < order.data.get("jams", 0):
        raise Refused("the shelf is locked")
    row = f"order/{order.key}"
    async with ctx.db.transaction() as tx:
        if await tx.add(row, BACK - DONE, where=lambda state: state == DONE):
            await tx.add(TEA, 1)
        else:
            await tx.add(row, BACK, where=lambda state: state == 0)


async def take_money(order: Event, ctx: Context) -> bool:
    """Ask the bank, and charge the card once an order. Says whether it is charged."""
    await ctx.sleep(order.data["bank"])
    row = f"order/{order.key}"
    if order.data["card"] == "declined":
        return False
    return bool(await ctx.db.add(row, DONE, where=lambda state: state == 0) or await ctx.db.get(row) == DONE)


async def give_back_money(order: Event, ctx: Context) -> None:
    """Refund, if charged."""
    await ctx.sleep(0.05)
    row = f"order/{order.key}"
    async with ctx.db.transaction() as tx:
        if not await tx.add(row, BACK - DONE, where=lambda state: state == DONE):
            await tx.add(row, BACK, where=lambda state: state == 0)


async def send_parcel(order: Event, ctx: Context) -> bool:
    """Pack and send, once an order. One time in so many (`queue`) the packers are busy. Says whether it is sent."""
    await ctx.sleep(order.data["shelf"])
    if ctx.random.random() < order.data.get("queue", 0):
        return False
    await ctx.db.insert_once("sent", order.key)
    return True


async def look_twice(order: Event, ctx: Context) -> bool:
    """Fraud detection. Says whether the order may go on."""
    await ctx.sleep(0.1)
    return bool(order.data["card"] != "stolen")


# Asked by a leader: each answers its request, and `Refused` is a no.


async def reserve(order: Event, ctx: Context) -> None:
    """A tea, or no."""
    if not await take_tea(order, ctx):
        raise Refused("sold out")


async def charge(order: Event, ctx: Context) -> None:
    """The money, or no."""
    if not await take_money(order, ctx):
        raise Refused("declined")


async def screen(order: Event, ctx: Context) -> None:
    """An honest card, or no."""
    if not await look_twice(order, ctx):
        raise Refused("fraud")


ASKED: dict[str, dict[str, Handler]] = {
    "inventory": {"reserve": reserve, "release": put_back_tea},
    "payment": {"charge": charge, "refund": give_back_money},
    "shipping": {"ship": send_parcel},
}


# The steps of the leader: what it asks, and what takes that back.


def asks(name: str, address: str) -> Handler:
    """A step of that name, or a way back, that asks a service and waits for the answer; False means: not now, ask again."""

    async def step(order: Event, ctx: Context) -> None:
        if await ctx.call(address, order.data, timeout=PATIENCE) is False:
            raise RuntimeError(f"{address}: not now")

    step.__name__ = name
    return step


reserve_tea, release_tea = asks("reserve_tea", "inventory/reserve"), asks("release_tea", "inventory/release")
pay, refund = asks("pay", "payment/charge"), asks("refund", "payment/refund")
ship, ask_fraud = asks("ship", "shipping/ship"), asks("ask_fraud", "fraud/screen")


def checkout(
    timeout: float | None = 5, back: Handler | None = refund, tries: int = 8, gate: Handler | None = None, name: str = "checkout"
) -> Saga:
    """Reserve, pay, ship. timeout: seconds for the payment; back: its way back; tries: of a way back; gate: a step before the payment."""
    flow = Saga(name, on="order.placed", completed="order.confirmed", compensated="order.rejected")
    again = Retry(tries - 1, backoff=0.5)
    flow.step(compensate=release_tea, compensate_retry=again)(reserve_tea)
    if gate:
        flow.step()(gate)
    flow.step(compensate=back, compensate_retry=again, pivot=True, timeout=timeout)(pay)
    flow.step(retriable=True)(ship)
    return flow


# Nobody leads: each hears the event of the one before, and tells what happened.


async def tell(type: str, order: Event, ctx: Context) -> None:
    """Publish, and do not look whether it has arrived: many publishers ask for no confirm."""
    try:
        await ctx.publish(type, order.data)
    except CallTimeout:
        ctx.log("not confirmed, and nobody looks")


def tells(work: Callable[[Event, Context], Any], yes: str, no: str = "") -> Handler:
    """A listener that works and tells how it went."""

    async def listener(order: Event, ctx: Context) -> None:
        await tell(yes if await work(order, ctx) in (True, None) else no, order, ctx)

    return listener


async def noted(order: Event, ctx: Context) -> bool:
    """The order service notes how an order has ended."""
    return True


DANCE: dict[str, dict[str, Handler]] = {
    "inventory": {
        "order.placed": tells(take_tea, "stock.reserved", "stock.rejected"),
        "payment.declined": tells(put_back_tea, "stock.released"),
    },
    "payment": {"stock.reserved": tells(take_money, "payment.processed", "payment.declined")},
    "shipping": {"payment.processed": tells(send_parcel, "parcel.sent")},
    "orders": {
        "parcel.sent": tells(noted, "order.confirmed"),
        "stock.rejected": tells(noted, "order.rejected"),
        "payment.declined": tells(noted, "order.rejected"),
    },
}
DANCE_WITH_FRAUD: dict[str, dict[str, Handler]] = {
    **DANCE,
    "fraud": {"stock.reserved": tells(look_twice, "fraud.cleared", "fraud.refused")},
    "payment": {"fraud.cleared": DANCE["payment"]["stock.reserved"]},
    "inventory": {**DANCE["inventory"], "fraud.refused": DANCE["inventory"]["payment.declined"]},
    "orders": {**DANCE["orders"], "fraud.refused": DANCE["orders"]["payment.declined"]},
}


# Scenarios


def open_shop(lab: Lab, wiring: dict[str, dict[str, Handler]], stock: int) -> Broker:
    """A broker with the services on it, each with a database of its own."""
    shop = lab.broker("shop", like="rabbitmq")
    for name, wires in wiring.items():
        service = Service(name)
        for event, handler in wires.items():
            service.on(event)(handler)
        shelf = {TEA: stock} if name == "inventory" else {}
        db = lab.database("stock" if name == "inventory" else f"{name}-db", shelf)
        lab.deploy(service, on=shop, concurrency=1000, prefetch=1000, db=db)
    return shop


def customers(declines: float = 0, slow: float = 0.05, jams: float = 0) -> Callable[[int, Random], dict[str, Any]]:
    """Orders of one tea. A bank takes 0.2 s on average; `slow` of them take 1 s. `declines` of the cards are declined."""

    def order(n: int, random: Random) -> dict[str, Any]:
        card = "declined" if random.random() < declines else "good"
        bank = random.expovariate(1 if random.random() < slow else 5)
        more = {"jams": jams} if jams else {}
        return {"order": n, "card": card, "bank": round(bank, 6), "shelf": round(random.expovariate(5), 6), **more}

    return order


def led(
    lab: Lab,
    flow: Saga | None = None,
    count: int = 1000,
    timeout: float | None = 5,
    declines: float = 0,
    tries: int = 8,
    jams: float = 0,
    gate: bool = False,
    every: Duration = RUSH,
) -> None:
    """A leader asks for each step (orchestration)."""
    shop = open_shop(lab, {**ASKED, "fraud": {"screen": screen}} if gate else ASKED, stock=count)
    lab.deploy(flow or checkout(timeout=timeout, tries=tries, gate=ask_fraud if gate else None), on=shop)
    orders = customers(declines, jams=jams)
    lab.workload(shop, "order.placed", every=every, count=count, data=orders, key="order", source="web")


def danced(lab: Lab, count: int = 1000, declines: float = 0, gate: bool = False, every: Duration = RUSH) -> None:
    """Each service hears the event of the one before (choreography)."""
    shop = open_shop(lab, DANCE_WITH_FRAUD if gate else DANCE, stock=count)
    lab.workload(shop, "order.placed", every=every, count=count, data=customers(declines), key="order", source="web")


ADA = {"order": 42, "card": "good", "bank": 0.6, "shelf": 0.2}
BOB = {"order": 43, "card": "good", "bank": 0.3, "shelf": 0.05}


def ada_and_bob(lab: Lab, flow: Saga | None = None, card: str = "declined", teas: int = 900, bob: float | None = None) -> None:
    """Ada orders a tea at once, Bob wants one `bob` seconds later, or not at all."""
    shop = open_shop(lab, ASKED, stock=teas)
    lab.deploy(flow or checkout(), on=shop)
    shop.publish("order.placed", {**ADA, "card": card}, key="42", source="web")
    if bob is not None:
        lab.at(bob, lambda: shop.publish("order.placed", BOB, key="43", source="web"))


# Figures


def stock_seen(lab: Lab) -> list[int]:
    """What anybody who looked could have seen on the shelf, in order."""
    seen: list[int] = []
    for _, left in shelf(lab):
        if seen[-1:] != [left]:
            seen.append(left)
    return seen


def shelf(lab: Lab) -> list[tuple[float, int]]:
    """The teas on the shelf from each change on: (seconds, teas)."""
    changes = [(row.time, json.loads(row.note).get(TEA)) for row in lab.trace.where("write", place="stock")]
    return [(time, left) for time, left in changes if left is not None]


def ended(lab: Lab) -> set[str]:
    """Orders whose customer has heard how they ended."""
    return set(lab.trace.keys("order.confirmed")) | set(lab.trace.keys("order.rejected"))


def still_open(lab: Lab) -> list[str]:
    """Orders that have begun and not ended."""
    over = ended(lab)
    return [key for key in lab.trace.keys("order.placed") if key not in over]


def charged(lab: Lab) -> set[str]:
    """Orders whose money is with the shop."""
    return {key.partition("/")[2] for key, state in lab.databases["payment-db"].data.items() if state == DONE}


def charged_for_nothing(lab: Lab) -> list[str]:
    """Customers who were told no, and have paid."""
    paid = charged(lab)
    return [key for key in lab.trace.keys("order.rejected") if key in paid]


def noticed_after(lab: Lab) -> str:
    """How long a leader waited for a word that never came; never, where nobody waits."""
    late = [row for row in lab.trace.where("step") if row.note.startswith("failed pay")]
    return f"{max(row.time - row.began for row in late):.1f} s" if late else "never"


def silence(lab: Lab) -> dict[str, float]:
    """What is left after some words of payment were lost."""
    lost = len(lab.trace.where("drop"))
    return {"words lost": lost, "still open": len(still_open(lab)), "charged, told no": len(charged_for_nothing(lab))}


def cut_off(lab: Lab) -> dict[str, float]:
    """Payments that were given up although they would have been fine."""
    return {"cut off": sum(row.note.startswith("failed pay") for row in lab.trace.where("step"))}


def stuck_undos(lab: Lab) -> dict[str, float]:
    """Ways back that were needed, and those that were given up: a person must look."""
    back = [row for row in lab.trace.where("step") if row.note.split()[1] == "reserve_tea" and row.note.split()[0] != "done"]
    return {"ways back": len(back), "stuck": sum(row.note.startswith("stuck") for row in back)}


def messages(lab: Lab) -> dict[str, int]:
    """Messages of a run, by what they are."""
    published, asked, answered = (len(lab.trace.where(kind)) for kind in ("publish", "call", "reply"))
    return {"events": published - asked, "requests": asked, "replies": answered}
