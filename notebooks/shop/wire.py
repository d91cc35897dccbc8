"""An order on the wire: bytes without names, read by the wrong ruler and by the right one; and a tag that is used twice."""

import io
import struct
from typing import Any, NamedTuple

import fastavro
from proto_schema_parser.ast import Field, Message, Reserved
from proto_schema_parser.parser import Parser

from edakit.errors import ArgumentError
from edakit.schema import Registry
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
TEXT, DOUBLE = 2, 1  # wire types: with a length before it, eight bytes


def proto_bytes(order: str, total: float, coupon: str) -> bytes:
    """An order as a serializer with OLD_PROTO writes it: for each field its tag and wire type in one byte, then the value."""
    texts = {1: order.encode(), 4: coupon.encode()}
    parts = {tag: bytes([tag << 3 | TEXT, len(text)]) + text for tag, text in texts.items()}
    return parts[1] + bytes([2 << 3 | DOUBLE]) + struct.pack("<d", total) + parts[4]


def proto_read(data: bytes, names: dict[int, str]) -> dict[str, Any]:
    """Read such bytes; `names` says what each tag is called today. A tag without a name is skipped."""
    found: dict[str, Any] = {}
    at = 0
    while at < len(data):
        tag, kind = data[at] >> 3, data[at] & 7
        if kind == DOUBLE:
            value, at = struct.unpack_from("<d", data, at + 1)[0], at + 9
        elif kind == TEXT:
            length = data[at + 1]
            value, at = data[at + 2 : at + 2 + length].decode(), at + 2 + length
        else:
            raise ArgumentError(f"wire type {kind} at byte {at}: only text and doubles are read here")
        if tag in names:
            found[names[tag]] = value
    return found


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
