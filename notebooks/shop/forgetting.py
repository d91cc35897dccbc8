"""Ada asks to be forgotten. Her name is encrypted in the events; where else is it?"""

import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from edakit import EventStore
from edakit.store import Projection, Recorded

NAME, MAIL, NUMBER, PERSON = "Ada Lovelace", "ada@example.org", "customer-7", "ada"
TABLES = {
    "events": "select data from events",
    "names of streams": "select stream from events",
    "snapshots": "select stream || state from snapshots",
    "views": "select state from views",
}


def customer(state: Any, event: Recorded) -> Any:
    """Who a customer is after one more event."""
    return {**(state or {}), **event.data}


def last_names(view: Any, event: Recorded) -> Any:
    """The view: who has registered, for the desk."""
    return [*view, event.data["name"]] if event.type == "customer.registered" else view


def opened(path: Path, stream: str) -> tuple[EventStore, Projection]:
    """A shop that Ada has been to: her events, a snapshot of her, a view with her name."""
    store = EventStore(path)
    for type, data in (
        ("customer.registered", {"name": NAME, "mail": MAIL}),
        ("customer.moved", {"street": "12 St James's Square"}),
        ("order.placed", {"total": 9.90}),
        ("order.placed", {"total": 4.20}),
    ):
        store.append(stream, [(type, data)], subject=PERSON, personal=tuple({"name", "mail", "street"} & data.keys()))
    store.snapshot(stream, *store.fold(stream, customer), fold="customer-1")
    view = store.projection("desk", last_names, [])
    view.catch_up()
    return store, view


def hits(path: Path) -> dict[str, int]:
    """Where the file still holds Ada's name or mail, table by table; and in its bytes, whatever they belong to."""
    db = sqlite3.connect(path)
    found = {
        place: sum(NAME in text or MAIL in text for (text,) in db.execute(question).fetchall())
        for place, question in TABLES.items()
    }
    db.close()
    raw = path.read_bytes()
    return {**found, "bytes of the file": raw.count(NAME.encode()) + raw.count(MAIL.encode())}


def forgotten(stream: str = MAIL, copies: bool = False) -> dict[str, Any]:
    """Shred Ada, after clearing the copies if so told; what is left of her, and of her events.

    stream: what her stream is called.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "shop.db"
        store, view = opened(path, f"customer-{stream}" if stream == MAIL else stream)
        name = store.streams()[0]
        store.shred(PERSON)
        if copies:
            store.drop_snapshots()
            view.rebuild()
        state, version = store.fold(name, customer)
        store.close()
        return {**hits(path), "version": version, "name reads": state["name"]}
