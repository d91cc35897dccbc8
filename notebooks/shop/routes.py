"""One broker, four kinds of exchange, ten routing keys: who receives what. Notebook 02, scene 9."""

from collections.abc import Mapping
from typing import Any

from edakit import Lab
from edakit.table import Table, table

TEN_KEYS = (
    "order.placed",
    "order.confirmed",
    "order.cancelled",
    "order.placed.eu",
    "payment.processed",
    "payment.declined",
    "stock.reserved",
    "stock.level",
    "mail.sent",
    "price.changed",
)
EXCHANGES = ("direct", "topic", "fanout", "headers")
BINDINGS = {  # queue: what it is bound by on a direct exchange, by a pattern, and on a headers exchange
    "payment": ("order.placed", "order.placed", {"x-match": "all", "about": "order", "what": "placed"}),
    "notification": ("order.confirmed", "order.*", {"x-match": "any", "about": "order", "region": "eu"}),
    "analytics": ("#", "#", {}),
}


def shop_with(lab: Lab, exchange: str = "topic", **properties: Any) -> None:
    """Three queues, and one message with each of the ten keys, sent with these properties."""
    shop = lab.broker("shop", like="rabbitmq", exchange=exchange)
    for name, bindings in BINDINGS.items():
        shop.queue(name, bind=bindings[{"direct": 0, "headers": 2}.get(exchange, 1)])
    for key in TEN_KEYS:
        about, what, *region = key.split(".")
        headers = {"about": about, "what": what, **({"region": region[0]} if region else {})}
        shop.publish(key, {}, headers=headers, **properties)


def reached(lab: Lab) -> dict[str, list[str]]:
    """For each routing key, the queues that got it."""
    return {row.event.type: row.note.split() for row in lab.trace.where("publish")}


def received(labs: Mapping[str, Lab]) -> Table:
    """Who received what, by the first letter of the queue: p, n, a; a row for each key, a column for each kind of exchange."""
    found = {kind: reached(lab) for kind, lab in labs.items()}
    return table(
        [
            {"key": key, **{kind: " ".join(queue[0] for queue in got[key]) or "-" for kind, got in found.items()}}
            for key in TEN_KEYS
        ]
    )


def nobody(lab: Lab) -> list[str]:
    """The keys that no queue got."""
    return [key for key, queues in reached(lab).items() if not queues]
