"""The same shop twice: a table of orders, and a store of their events with a view. Then management has a question about the past."""

import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any

from edakit import EventStore
from edakit.chance import Random
from edakit.store import Recorded
from edakit.table import Table, table

HOUR = 3600.0


class Crud:
    """A table: one row an order, which every command writes over."""

    def __init__(self) -> None:
        self.rows: dict[int, dict[str, Any]] = {}

    def do(self, n: int, status: str, time: float) -> None:
        """A command: the row is now this."""
        self.rows[n] = {"order": n, "status": status, "changed": time}

    def mine(self, n: int) -> str:
        """What Ada sees."""
        return str(self.rows[n]["status"])


class Sourced:
    """A store of events, and a view of the status."""

    def __init__(self) -> None:
        self.store = EventStore()
        self.view = self.store.projection("my_orders", self.show, {})

    def do(self, n: int, status: str, time: float) -> None:
        """A command: one more thing has happened. Appends at the version it has read."""
        stream = f"order-{n}"
        _, version = self.store.load(stream)
        self.store.append(stream, [(f"order.{status}", {"order": n})], expected_version=version, time=time)

    def show(self, view: Any, event: Recorded) -> Any:
        """The view after one more event."""
        view[str(event.data["order"])] = event.type.removeprefix("order.")
        return view

    def mine(self, n: int) -> str:
        """What Ada sees."""
        self.view.catch_up()
        return str(self.view.state[str(n)])


def paid_to_cancelled(waits: Any, event: Recorded) -> Any:
    """The view that answers: how long an order stayed paid before it was cancelled, in hours. Written on Friday."""
    if event.type == "order.paid":
        waits["paid"][event.stream] = event.time
    elif event.type == "order.cancelled" and event.stream in waits["paid"]:
        waits["hours"].append((event.time - waits["paid"][event.stream]) / HOUR)
    return waits


def last_month(seed: int = 42, orders: int = 1000) -> tuple[Crud, Sourced]:
    """A month of orders in both shops, same commands at the same times; one in twenty is cancelled after it was paid."""
    crud, sourced, dice, time = Crud(), Sourced(), Random(f"month/{seed}"), 0.0
    for n in range(1, orders + 1):
        end = "cancelled" if dice.random() < 0.05 else "confirmed"
        for status, hours in (("placed", 0.5), ("paid", 0.1), (end, 20.0)):
            time += HOUR * dice.expovariate(1 / hours)
            crud.do(n, status, time)
            sourced.do(n, status, time)
    return crud, sourced


def answers(crud: Crud, sourced: Sourced) -> tuple[int, list[float], int]:
    """Hours from paid to cancelled: how many the table can tell, those the store can tell, and how many are asked for."""
    told = [row for row in crud.rows.values() if row["status"] == "cancelled" and "paid at" in row]
    view = sourced.store.projection("paid_to_cancelled", paid_to_cancelled, {"paid": {}, "hours": []})
    view.rebuild()
    return len(told), view.state["hours"], sum(row["status"] == "cancelled" for row in crud.rows.values())


def lines(*parts: Callable[..., Any] | type) -> int:
    """Lines of code, without blank ones and docstrings."""
    texts = [line.strip() for part in parts for line in inspect.getsource(part).splitlines()]
    return sum(bool(text) and not text.startswith('"""') for text in texts)


def page(crud: Crud, sourced: Sourced, stale: Mapping[str, float]) -> Table:
    """Both on one page. stale: per cent of the own reads that are stale, by shop."""
    told, hours, asked = answers(crud, sourced)
    events = list(sourced.store.read_all())
    wide = [
        sum(len(json.dumps(row)) for row in crud.rows.values()),
        sum(len(json.dumps([event.type, dict(event.data), event.time])) for event in events),
    ]
    return table(
        [
            ("commands handled", len(events), len(events)),
            ("orders that read the same in both", *[sum(crud.mine(n) == sourced.mine(n) for n in crud.rows)] * 2),
            ("lines of code", lines(Crud), lines(Sourced)),
            ("lines for the new view", "a column, a migration", lines(paid_to_cancelled)),
            (f"answers about last month, of {asked}", told, len(hours)),
            ("stale own reads, %, 40 a second", *(round(stale[each], 1) for each in ("CRUD", "CQRS + ES"))),
            ("bytes of JSON", *wide),
            ("to forget a customer", "delete a row", "shred, drop, rebuild"),
        ],
        ("", "CRUD", "CQRS + ES"),
    )


WHY = {
    "half": "a row has one status and one time: that of its last change",
    "all": "it knows that they were cancelled; when they were paid has been written over",
}


def guessed(told: int, asked: int) -> str:
    """Which of the guesses fits."""
    return "none" if not told else "all" if told == asked else "half"
