"""An order on the wire: bytes without names, read by the wrong ruler and by the right one; and a number that is used twice."""

import io
import re
import struct
from typing import Any, NamedTuple

import fastavro
from proto_schema_parser.ast import Field, Message, Reserved
from proto_schema_parser.parser import Parser

from edakit import table
from edakit.errors import ArgumentError
from edakit.schema import Registry
from edakit.table import Table
from shop.schemas import Schema, field, record

TOTAL, TAX = field("total", "double"), field("tax", "double")
VERSION = field("schema_version", "int")
BARE = record(field("order", "int"), TOTAL, VERSION)  # version 1
WITH_TAX = record(field("order", "int"), TOTAL, TAX, VERSION)  # version 2
SWAPPED = record(field("order", "int"), TAX, TOTAL, VERSION)  # version 3: somebody sorted the fields
VALUE = {"order": 42, "total": 9.90, "tax": 1.58, "schema_version": 2}


def write(value: dict[str, Any], schema: Schema) -> bytes:
    """A value in binary Avro: the values in the order of the fields, and nothing else."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return out.getvalue()


def read(data: bytes, schema: Schema) -> dict[str, Any]:
    """The value that the bytes have if they were written with this schema."""
    found = fastavro.schemaless_reader(io.BytesIO(data), fastavro.parse_schema(schema), None)
    return dict(found) if isinstance(found, dict) else {}


class Piece(NamedTuple):
    """The bytes of one field under a ruler: from, to, and what they say."""

    name: str
    start: int
    end: int
    value: Any


def ruler(data: bytes, schema: Schema) -> list[Piece]:
    """Lay a schema over bytes: which of them are which field."""
    pieces, start, found = list[Piece](), 0, read(data, schema)
    for n, each in enumerate(schema["fields"], 1):
        names = [one["name"] for one in schema["fields"][:n]]
        end = len(write({name: found[name] for name in names}, record(*schema["fields"][:n])))
        pieces.append(Piece(each["name"], start, end, round(found[each["name"]], 2)))
        start = end
    return pieces


def registered() -> Registry:
    """A registry with all three schemas under "orders"; FORWARD, for the tax has no default."""
    registry = Registry("FORWARD")
    for schema in (BARE, WITH_TAX, SWAPPED):
        registry.register("orders", schema)
    return registry


def unknown(registry: Registry) -> str:
    """What a reader says to a message with an id that nobody has registered."""
    try:
        registry.decode(struct.pack(">bI", 0, 99) + write(VALUE, WITH_TAX))
    except Exception as error:  # noqa: BLE001  (shown as it is)
        return f"{type(error).__name__}: {error}"
    return "read"


OLD_PROTO = 'syntax = "proto3"; message Order { string order = 1; double total = 2; string coupon = 4; }'
NEW_PROTO = 'syntax = "proto3"; message Order { string order = 1; double total = 2; string gift_note = 4; }'
FORMS = {0: "a number", 1: "eight bytes", 2: "its length, then that", 5: "four bytes"}  # what the last three bits of a tag say


def protos() -> Registry:
    """A registry with both under "orders", in the strictest mode there is."""
    registry = Registry("FULL_TRANSITIVE")
    for proto in (OLD_PROTO, NEW_PROTO):
        registry.register("orders", proto, "protobuf")
    return registry


def fields(message: bytes) -> list[tuple[bytes, int, int]]:
    """The fields of a Protobuf message in the wire format: their bytes, their number and their form; no schema is needed for that.

    For messages whose tags and lengths are one byte each, and whose first type it is.
    """
    found, data, at = [], message[6:], 0  # after the magic byte, the id, and the index of the type
    while at < len(data):
        form = data[at] & 7
        if form not in (1, 2):
            raise ArgumentError(f"{FORMS.get(form, 'form')} at byte {at}: only text and doubles are told apart here")
        end = at + 9 if form == 1 else at + 2 + data[at + 1]
        found.append((data[at:end], data[at] >> 3, form))
        at = end
    return found


def numbers(message: bytes, old: str = OLD_PROTO, new: str = NEW_PROTO) -> Table:
    """The bytes of a message, field by field, and what each number is called in two schemas."""
    names = [{int(number): name for name, number in re.findall(r"(\w+) = (\d+);", proto)} for proto in (old, new)]
    rows = []
    for data, number, form in fields(message):
        called = {when: there.get(number, "-") for when, there in zip(("in version 1", "in version 2"), names, strict=True)}
        rows.append({"bytes": data.hex(" "), "number": number, "form": FORMS[form], **called})
    return table(rows)


RESERVED = NEW_PROTO.replace("{ ", "{ reserved 4; ", 1)


def compiled(proto: str) -> str:
    """What the Protobuf compiler says to a message: a field whose number is reserved is an error (the rule, in a few lines of ours)."""
    (message,) = [each for each in Parser().parse(proto).file_elements if isinstance(each, Message)]
    reserved = {int(number) for each in message.elements if isinstance(each, Reserved) for number in each.ranges}
    clash = [each for each in message.elements if isinstance(each, Field) and each.number in reserved]
    return f"error: field {clash[0].name!r} uses the reserved number {clash[0].number}" if clash else "ok"


WHY = {
    "nothing": "the bytes would have to carry names, as JSON does",
    "its offset": "an offset says where it lies, not how to read it",
}
