"""The schema of order.placed, nine changes to it in three formats, and who can read whom afterwards."""

from typing import Any

from edakit import Lab, table
from edakit.schema import check
from edakit.table import Table

Schema = dict[str, Any]
EXAMPLES = {"order": 42, "total": 9.90, "status": "NEW", "coupon": "SPRING", "note": "ring twice", "amount": 9.90}


def field(name: str, type: Any, **more: Any) -> Schema:
    """A field of an Avro record; default=... says what a reader takes where the writer has not written it."""
    return {"name": name, "type": type, **more}


def record(*fields: Schema) -> Schema:
    """An order with these fields."""
    return {"type": "record", "name": "Order", "fields": list(fields)}


def states(*symbols: str) -> Schema:
    """The states of an order."""
    return {"type": "enum", "name": "Status", "symbols": list(symbols)}


ORDER, TOTAL, COUPON = field("order", "int"), field("total", "double"), field("coupon", "string", default="")
STATUS = field("status", states("NEW", "PAID"))
V1 = record(ORDER, TOTAL, STATUS, COUPON)
AVRO = {
    "add a field with a default": record(ORDER, TOTAL, STATUS, COUPON, field("note", "string", default="")),
    "add a field, no default": record(ORDER, TOTAL, STATUS, COUPON, field("note", "string")),
    "remove one that has a default": record(ORDER, TOTAL, STATUS),
    "remove one that has none": record(ORDER, STATUS, COUPON),
    "rename a field": record(ORDER, field("amount", "double"), STATUS, COUPON),
    "int becomes long": record(field("order", "long"), TOTAL, STATUS, COUPON),
    "double becomes int": record(ORDER, field("total", "int"), STATUS, COUPON),
    "int becomes string": record(field("order", "string"), TOTAL, STATUS, COUPON),
    "add an enum symbol": record(ORDER, TOTAL, field("status", states("NEW", "PAID", "REFUNDED")), COUPON),
}


def proto(
    order: str = "int32 order = 1;", total: str = "double total = 2;", coupon: str = "string coupon = 4;", more: str = ""
) -> str:
    """The same order as a .proto file; `more`: another field, or another state."""
    states, note = ("NEW = 0; PAID = 1; REFUNDED = 2;", "") if more == "REFUNDED" else ("NEW = 0; PAID = 1;", more)
    return f'syntax = "proto3"; message Order {{ enum Status {{ {states} }} {order} {total} Status status = 3; {coupon} {note} }}'


PROTOBUF = {  # in proto3 every field has a default, its zero
    "add a field with a default": proto(more="string note = 5;"),
    "add a field, no default": proto(more="string note = 5;"),
    "remove one that has a default": proto(coupon=""),
    "remove one that has none": proto(total=""),
    "rename a field": proto(total="double amount = 2;"),
    "int becomes long": proto(order="int64 order = 1;"),
    "double becomes int": proto(total="int32 total = 2;"),
    "int becomes string": proto(order="string order = 1;"),
    "add an enum symbol": proto(more="REFUNDED"),
}
KINDS = {"order": "integer", "total": "number", "status": "string", "coupon": "string"}


def thing(
    closed: bool, need: tuple[str, ...] = ("order", "total", "status"), drop: str = "", symbol: str = "", **more: Any
) -> Schema:
    """The same order as a JSON Schema. closed: no property but these; need: those that must be there; drop: the one that goes; symbol:
    a state more.
    """
    properties: Schema = {name: {"type": kind} for name, kind in {**KINDS, **more}.items() if name != drop}
    properties["status"]["enum"] = ["NEW", "PAID", symbol] if symbol else ["NEW", "PAID"]
    required = [name for name in need if name in properties]
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        **({"additionalProperties": False} if closed else {}),
    }


def json_changes(closed: bool) -> dict[str, Schema]:
    """The nine changes of a JSON Schema. A property that need not be there is as good as one with a default."""
    return {
        "add a field with a default": thing(closed, note="string"),
        "add a field, no default": thing(closed, ("order", "total", "status", "note"), note="string"),
        "remove one that has a default": thing(closed, drop="coupon"),
        "remove one that has none": thing(closed, drop="total"),
        "rename a field": thing(closed, ("order", "amount", "status"), drop="total", amount="number"),
        "int becomes long": thing(closed),  # JSON has one kind of whole number
        "double becomes int": thing(closed, total="integer"),
        "int becomes string": thing(closed, order="string"),
        "add an enum symbol": thing(closed, symbol="REFUNDED"),
    }


FORMATS: dict[str, tuple[str, Any, dict[str, Any]]] = {  # name: the checker's word, the first version, its changes
    "Avro": ("avro", V1, AVRO),
    "Protobuf": ("protobuf", proto(), PROTOBUF),
    "JSON, open": ("json", thing(closed=False), json_changes(closed=False)),
    "JSON, closed": ("json", thing(closed=True), json_changes(closed=True)),
}
NEW_READS_OLD, OLD_READS_NEW = "new reads old", "old reads new"


def can_read(new: Any, old: Any, format: str = "avro") -> bool:
    """Whether a reader with the new schema reads what was written with the old."""
    return not check(new, old, "BACKWARD", format)


def promises(format: str = "Avro") -> dict[tuple[str, str], bool]:
    """(change, promise) -> whether the change keeps it, for the nine changes in a format."""
    word, old, changes = FORMATS[format]
    kept = {}
    for name, new in changes.items():
        kept[name, NEW_READS_OLD] = can_read(new, old, word)
        kept[name, OLD_READS_NEW] = can_read(old, new, word)
    return kept


def nine(lab: Lab, format: str = "Avro") -> None:
    """The nine changes as a scenario: the table `promises` of the lab has what each keeps, the table `format` which rules said so."""
    kept = promises(format)
    lab.database("promises", {f"{change}/{promise}": said for (change, promise), said in kept.items()})
    lab.database("format", {"name": format})


def both(format: str = "Avro") -> list[str]:
    """The changes that keep both promises."""
    kept = promises(format)
    return [
        change for change, promise in kept if promise == NEW_READS_OLD and kept[change, promise] and kept[change, OLD_READS_NEW]
    ]


def required_is(format: str = "Avro") -> str:
    """Which promise an added field without a default keeps, in the words of a registry."""
    kept = promises(format)
    back, forth = (kept["add a field, no default", each] for each in (NEW_READS_OLD, OLD_READS_NEW))
    return {(True, False): "BACKWARD", (False, True): "FORWARD", (True, True): "FULL"}.get((back, forth), "neither")


def refusals(new: Any, old: Any) -> Table:
    """Why a reader with the new schema cannot read the old, a line for each reason."""
    return table([{"place": each.where, "reason": each.message} for each in check(new, old)])


def breaking(lab: Lab) -> str:
    """Which of the two deploys of scene 1 has broken billing: the records at offset 1 and 2 are the first that each wrote."""
    failed = {row.tag for row in lab.trace.where("fail")}
    return {(): "none", (1,): "the first", (2,): "the second", (1, 2): "both"}[tuple(sorted(failed))]


WHY = {
    "deploy": {
        "the first": "a reader that looks for `total` does not mind a field more",
        "both": "a reader that looks for `total` does not mind a field more",
        "none": "somebody would have to translate",
    },
    "required": {
        "BACKWARD": "you think of old readers; the word is about old data, which lacks the field",
        "neither": "old readers skip what they do not know",
    },
}
