"""Order 42 as its history: what happened, the state that adds up to, and how a state is kept so that nobody adds it up again.

An event store keeps the first; an ordinary table would keep only the last line of the second.
"""

from collections.abc import Callable
from functools import partial, reduce
from typing import Any

from edakit import EventStore, Lab, Service
from edakit.chance import Random
from edakit.errors import ConflictError
from edakit.event import Event
from edakit.service import Context
from edakit.store import Recorded

Fold = Callable[[Any, Recorded], Any]

ORDER_42 = [
    ("order.placed", {"sku": "tea-42", "total": 9.90}),
    ("stock.reserved", {"bags": 1}),
    ("payment.processed", {"amount": 9.90}),
    ("order.confirmed", {}),
]
STATUS = {
    "order.placed": "placed",
    "stock.reserved": "reserved",
    "payment.processed": "paid",
    "order.confirmed": "confirmed",
    "order.cancelled": "cancelled",
}


def order(state: Any, event: Recorded) -> Any:
    """What an order is after one more event."""
    state = {"total": 0.0} if state is None else state
    return {"status": STATUS[event.type], "total": state["total"] + event.data.get("total", 0)}


def order_with_fee(state: Any, event: Recorded) -> Any:
    """The next release: whoever pays also pays a fee of 0.50, and always did."""
    state = order(state, event)
    return {**state, "total": round(state["total"] + 0.50 * (event.type == "payment.processed"), 2)}


def at(store: EventStore, stream: str, version: int) -> Any:
    """The state of an order as it was at one of its versions."""
    return reduce(order, store.read(stream, upto=version), None)


def row_of_42() -> dict[str, Any]:
    """The same four steps in a table of orders: each update writes over the last."""
    row: dict[str, Any] = {}
    for type, data in ORDER_42:
        row.update(status=STATUS[type], **{name: value for name, value in data.items() if name == "total"})
    return row


def bags(state: Any, event: Recorded) -> Any:
    """What is left of a tea."""
    return (state or 0) + event.data["bags"]


def long_stream(length: int) -> EventStore:
    """The stream of a busy tea: so many events, one bag each, and a snapshot at every hundredth."""
    store = EventStore()
    store.append("stock-tea-42", [("stock.changed", {"bags": 1})] * length)
    full = length - length % 100
    if full:
        store.snapshot("stock-tea-42", full, full, fold="bags-1")
    return store


def applied(store: EventStore, snapshot: str | None = None) -> int:
    """How many events must be applied to know what is left."""
    before = store.applied
    store.fold("stock-tea-42", bags, snapshot=snapshot)
    return store.applied - before


def busy_desk(lab: Lab, snapshot_every: int = 100, commands: int = 200) -> None:
    """Commands on one stream, one after the other; each folds it, then appends one event. snapshot_every: 0 for never."""
    web, desk, store = lab.server("web"), Service("desk"), EventStore()

    @desk.on("restock")
    async def restock(command: Event, ctx: Context) -> None:
        before = store.applied
        left, version = store.fold("stock-tea-42", bags, snapshot="bags-1")
        store.append("stock-tea-42", [("stock.changed", {"bags": 1})], expected_version=version)
        if snapshot_every and (version + 1) % snapshot_every == 0:
            store.snapshot("stock-tea-42", (left or 0) + 1, version + 1, fold="bags-1")
            ctx.log("snapshot")
        ctx.log(f"applied {store.applied - before}")

    lab.deploy(desk, on=web)
    for n in range(commands):
        lab.at(n, partial(lab.call, "desk", {}, source="warehouse"))


def work(lab: Lab) -> dict[str, int]:
    """What the commands of `busy_desk` cost: events applied, snapshots written, the longest fold."""
    notes = [row.note.split() for row in lab.trace.where("log")]
    counts = [int(note[1]) for note in notes if note[0] == "applied"]
    return {"applied": sum(counts), "snapshots written": len(notes) - len(counts), "longest fold": max(counts)}


WHY = {
    "none": "the newest snapshot is 42 events old",
    "100": "that is the most it could be, and one more",
    "10,042": "that is without one",
}


def archive(seed: int = 42, orders: int = 1000) -> EventStore:
    """Many orders; two in five of them have a snapshot, which the first release has made of their first three events."""
    store, dice = EventStore(), Random(f"snapshots/{seed}")
    for n in range(1, orders + 1):
        stream = f"order-{n}"
        store.append(stream, ORDER_42, expected_version=0)
        if dice.random() < 0.4:
            store.snapshot(stream, at(store, stream, 3), 3, fold="order-1")
    return store


def released(store: EventStore, fold: Fold, snapshot: str) -> dict[str, Any]:
    """Load every order by way of its snapshot, if it has one of this name: events applied, and the totals that its events deny."""
    before = store.applied
    states = {each: store.fold(each, fold, snapshot=snapshot) for each in store.streams()}
    applied = store.applied - before
    wrong = [each for each, state in states.items() if state != store.fold(each, fold)]
    return {"snapshot": snapshot, "events applied": applied, "wrong totals": len(wrong), "the first": ", ".join(wrong[:4]) or "-"}


def two_buyers(expected_version: int | None) -> dict[str, Any]:
    """Berlin and Paris have both read version 1, a hundred bags, and append eighty each."""
    store, said = EventStore(), ""
    store.append("stock-tea-42", [("tea.stocked", {"bags": 100})])
    for _ in ("Berlin", "Paris"):
        try:
            store.append("stock-tea-42", [("stock.reserved", {"bags": -80})], expected_version=expected_version)
        except ConflictError as conflict:
            said = str(conflict)
    left, version = store.fold("stock-tea-42", bags)
    return {"expected version": expected_version, "bags left": left, "version": version, "said": said or "-"}
