"""Two sagas on one order: one creates it, the other cancels it, and each is right when it is alone.

Creating: set a tea aside, charge, approve. Cancelling: refund if charged, put back if set aside, cancelled. `rule` says what keeps them
apart: "none"; "look again" (read the order before the last write); or a semantic lock: the state is a flag, and who finds it down must go
back. A cancel that finds it up, PENDING, takes it down at once ("lock, take over"), asks again ("lock, wait") or hears no ("lock, refuse").
deadline: after so many seconds the flag no longer counts.
"""

from collections.abc import Mapping
from typing import Any

from edakit import Lab, Refused, Retry, Saga, Service
from edakit.chance import Random
from edakit.event import Event
from edakit.service import Context, Handler
from shop.steps import ASKED, BACK, DONE, TEA, asks, pay, refund, release_tea, reserve_tea

RULES = ("none", "look again", "lock, take over", "lock, wait", "lock, refuse")
AGAIN = Retry(100, backoff=0.1, factor=1)  # a cancel that finds the flag asks again every 0.1 s, for 10 s at least
OPEN = ("PENDING", "CANCELLING")
LOST, NO_TEA, NO_MONEY, HELD, PAID = (
    "APPROVED over CANCELLED",
    "approved without tea",
    "approved, refunded",
    "cancelled, tea held",
    "cancelled, charged",
)


def taken_back(what: str) -> Handler:
    """The cancel's way back: undo what is there; where nothing is there yet, nothing is to do."""

    async def handler(order: Event, ctx: Context) -> None:
        await ctx.sleep(order.data[what])
        async with ctx.db.transaction() as tx:
            if await tx.add(f"order/{order.key}", BACK - DONE, where=lambda state: state == DONE) and what == "restock":
                await tx.add(TEA, 1)

    return handler


def order_book(rule: str, deadline: float | None) -> dict[str, Handler]:
    """What the order service does about the state of an order."""

    async def approve(order: Event, ctx: Context) -> None:
        await ctx.sleep(order.data["approve"])
        if rule == "look again" and await ctx.db.get("state") != "PENDING":
            raise Refused("no longer pending")
        async with ctx.db.transaction() as tx:
            await tx.add("turn", 1)  # holds a row: nobody comes between the look and the write
            if rule.startswith("lock") and await tx.get("state") != "PENDING":
                raise Refused("no longer pending")
            await tx.put("state", "APPROVED")

    async def begin(order: Event, ctx: Context) -> bool:
        """Whether the cancel may begin: the flag is down, or too old to count."""
        async with ctx.db.transaction() as tx:
            await tx.add("turn", 1)
            if rule == "lock, take over" or await tx.get("state") != "PENDING" or (deadline is not None and ctx.now > deadline):
                await tx.put("state", "CANCELLING")
                return True
        if rule == "lock, refuse":
            raise Refused("try again")
        return False

    async def cancel(order: Event, ctx: Context) -> None:
        await ctx.sleep(order.data["cancel"])
        await ctx.db.put("state", "CANCELLED")

    return {"approve": approve, "begin": begin, "cancel": cancel}


begin = asks("begin", "orders/begin")  # a flag that is up is asked for again
approve, mark_cancelled = asks("approve", "orders/approve"), asks("cancel", "orders/cancel")
repay, restock = asks("repay", "payment/repay"), asks("restock", "inventory/restock")


def two_sagas(rule: str) -> tuple[Saga, Saga]:
    """The one that creates, and the one that cancels."""
    create = Saga("create", on="order.placed", completed="order.confirmed", compensated="order.rejected")
    create.step(compensate=release_tea)(reserve_tea)
    create.step(compensate=refund)(pay)
    create.step()(approve)
    cancel = Saga("cancel", on="cancel.asked", completed="cancel.done", compensated="cancel.refused")
    if rule.startswith("lock"):
        cancel.step(retry=AGAIN)(begin)
    cancel.step()(repay)
    cancel.step()(restock)
    cancel.step()(mark_cancelled)
    return create, cancel


def an_order(random: Random) -> dict[str, Any]:
    """Ada's order, with the time each step of both sagas takes: 0.2 s on average."""
    names = ("shelf", "bank", "approve", "repay", "restock", "cancel")
    return {"order": 42, "card": "good", **{name: round(random.expovariate(5), 6) for name in names}}


def create_and_cancel(lab: Lab, rule: str = "none", cancel_at: float | None = None, deadline: float | None = None) -> None:
    """Ada orders a tea, and asks to cancel within a second (or `cancel_at` seconds later)."""
    random = lab.random("ada")
    at = random.uniform(0, 1)  # drawn in any case: another time of the cancel changes nothing else
    both(lab, rule, an_order(random), at if cancel_at is None else cancel_at, order_book(rule, deadline))


def both(lab: Lab, rule: str, order: dict[str, Any], cancel_at: float, book: dict[str, Handler]) -> None:
    """An order at once, and a cancel at a time. book: what the order service does."""
    shop = lab.broker("shop", like="rabbitmq")
    wiring: dict[str, dict[str, Handler]] = {
        "inventory": {**ASKED["inventory"], "restock": taken_back("restock")},
        "payment": {**ASKED["payment"], "repay": taken_back("repay")},
        "orders": book,
    }
    contents: dict[str, dict[str, Any]] = {"inventory": {TEA: 1}, "orders": {"state": "PENDING"}}
    for name, wires in wiring.items():
        service = Service(name)
        for request, handler in wires.items():
            service.on(request)(handler)
        db = lab.database("stock" if name == "inventory" else f"{name}-db", contents.get(name))
        lab.deploy(service, on=shop, concurrency=10, db=db)
    for saga in two_sagas(rule):
        lab.deploy(saga, on=shop)
    shop.publish("order.placed", order, key="42", source="web")
    lab.at(cancel_at, lambda: shop.publish("cancel.asked", order, key="42", source="web"))


def standing(lab: Lab) -> tuple[str, bool, bool]:
    """State of the order, whether a tea is set aside for it, whether it is charged."""
    data = [lab.databases[name].data for name in ("orders-db", "stock", "payment-db")]
    return str(data[0].get("state")), data[1].get("order/42") == DONE, data[2].get("order/42") == DONE


def order_is_consistent(lab: Lab) -> Mapping[str, list[str]]:
    """Approved with a tea and paid, or cancelled with neither; and who was told "cancelled" is."""
    state, tea, paid = standing(lab)
    told = bool(lab.trace.keys("cancel.done"))
    wrong = {
        LOST: state == "APPROVED" and told,
        NO_TEA: state == "APPROVED" and not tea,
        NO_MONEY: state == "APPROVED" and not paid,
        HELD: state == "CANCELLED" and tea,
        PAID: state == "CANCELLED" and paid,
        "stuck": state in OPEN,
    }
    return {name: ["42"] for name, found in wrong.items() if found}


def overlap(lab: Lab) -> bool:
    """Whether the cancel came while the order was being made."""
    asked = [row.time for row in lab.trace.where("publish") if row.event and row.event.type == "cancel.asked"]
    made = [row.time for row in lab.trace.where("saga", place="create") if not row.note.startswith("begun")]
    return bool(asked) and (not made or asked[0] < made[0])


def price(lab: Lab) -> dict[str, float]:
    """One schedule in figures: wrong, each kind of wrong, and what the cancelling customer feels."""
    wrong = order_is_consistent(lab)
    times = {row.event.type: row.time for row in lab.trace.where("publish") if row.event}
    told = times.get("cancel.done")
    end = times.get("cancel.refused", told)
    return {
        "wrong": bool(wrong),
        **{name: name in wrong for name in (LOST, NO_TEA, NO_MONEY, HELD, PAID, "stuck")},
        "overlap": overlap(lab),
        "waits": sum(row.event is not None and row.event.type == "begin" for row in lab.trace.where("call")) > 1,
        "refused": "cancel.refused" in times,
        "loose ends": told is not None and any(row.time > told for row in lab.trace.where("step", place="create")),
        "cancel s": round(end - times["cancel.asked"], 6) if end else -1,
    }
