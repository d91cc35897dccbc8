"""The modes of a schema registry: who must be able to read what, and how far back.

BACKWARD (the default): a reader with the new schema reads what was written with the last. FORWARD: readers with the last schema read
what is written with the new. FULL: both. Each _TRANSITIVE: with all versions, not only the last. NONE: nothing is looked at. Source:
confluentinc/schema-registry, CompatibilityChecker.java; docs.confluent.io, Schema Evolution and Compatibility.
"""

import json
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from edakit.errors import ArgumentError, known
from edakit.schema.difference import Difference

MODES = ("NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE")
FORMATS = {"avro": "avro", "json": "json_schema", "protobuf": "protobuf"}  # and the module that knows each


def check(new: Any, old: Any, mode: str = "BACKWARD", format: str = "avro") -> list[Difference]:
    """Say what makes a new schema incompatible with those before it; empty when it is compatible.

    new: a schema: JSON text or its parsed form for "avro" and "json", the text of a .proto file without imports for "protobuf".
    old: the version before, or a list of versions, oldest first (empty: nothing to break). Only the transitive modes look further back
    than the last. mode: one of MODES; format: one of FORMATS. A parsed Avro union is a list as well: put it in a list, or give text.

    Each difference has a kind, a place (in the schema of the reader), and a message that names what broke. Raises ArgumentError (a
    ValueError) for an unknown mode or format and for a schema that is not valid.
    """
    if mode not in MODES:
        raise ArgumentError(known("mode", mode, list(MODES)))
    if format not in FORMATS:
        raise ArgumentError(known("format", format, list(FORMATS)))
    read: Callable[[Any], Any] = _text if format == "protobuf" else _json
    compare: Callable[[Any, Any], list[Difference]] = import_module(f"edakit.schema.{FORMATS[format]}").compare
    versions = [read(each) for each in (old if isinstance(old, Sequence) and not isinstance(old, str) else [old])]
    now, (direction, _, transitive) = read(new), mode.partition("_")
    found = compare(now, now)  # nothing, or the error that it is no schema
    for before in reversed(versions if transitive else versions[-1:]):
        if direction in ("BACKWARD", "FULL"):
            found += compare(before, now)
        if direction in ("FORWARD", "FULL"):
            found += compare(now, before)
    return found


def _text(schema: Any) -> str:
    if not isinstance(schema, str):
        raise ArgumentError(f"schema {schema!r}: give the text of a .proto file")
    return schema


def _json(schema: Any) -> Any:
    """A schema that is given as JSON text, or parsed."""
    if not isinstance(schema, str):
        return schema
    try:
        return json.loads(schema)
    except json.JSONDecodeError as error:
        raise ArgumentError(f"schema {schema[:60]!r} is not JSON: {error}") from None
