"""The modes of a schema registry: who must be able to read what, and how far back.

BACKWARD (the default): a reader with the new schema reads what was written with the last. FORWARD: readers with the last schema read
what is written with the new. FULL: both. Each _TRANSITIVE: with all versions, not only the last. NONE: nothing is looked at. Source:
confluentinc/schema-registry, CompatibilityChecker.java; docs.confluent.io, Schema Evolution and Compatibility.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import Any

from edakit.errors import ArgumentError, known
from edakit.schema.difference import Difference, Names

MODES = ("NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE")
FORMATS = {"avro": "avro", "json": "json_schema", "protobuf": "protobuf"}  # and the module that knows each


def check(
    new: Any,
    old: Any,
    mode: str = "BACKWARD",
    format: str = "avro",
    *,
    references: Names | None = None,
    old_references: Names | Sequence[Names] | None = None,
) -> list[Difference]:
    """Say what makes a new schema incompatible with those before it; empty when it is compatible.

    new: a schema: JSON text or its parsed form for "avro" and "json", the text of a .proto file for "protobuf".
    old: the version before, or a list of versions, oldest first (empty: nothing to break). Only the transitive modes look further back
    than the last. mode: one of MODES; format: one of FORMATS. A parsed Avro union is a list as well: put it in a list, or give text.

    references: the schemas that the schemas name, `{name: schema}`: the name in `import "money.proto"`, what stands in a `$ref` before
    its `#`, or the full name of an Avro type. old_references: what the old ones name, if that is something else, in one mapping for
    all or in a list with one for each. What a .proto file imports from elsewhere is compared by its name alone.

    Each difference has a kind, a place (in the schema of the reader), and a message that names what broke. Raises ArgumentError (a
    ValueError) for an unknown mode or format and for a schema that is not valid.
    """
    if mode not in MODES:
        raise ArgumentError(known("mode", mode, list(MODES)))
    rules, olds = rules_of(format), list(old) if isinstance(old, Sequence) and not isinstance(old, str) else [old]
    given = references if old_references is None else old_references
    named = [references, *([given] * len(olds) if isinstance(given, Mapping | None) else given)]
    if len(named) != len(olds) + 1:
        raise ArgumentError(f"{len(named) - 1} old_references for {len(olds)} old schemas: give one mapping for each")
    (now, refers), *versions = [
        (parsed(schema, format), {name: parsed(one, format) for name, one in (each or {}).items()})
        for schema, each in zip([new, *olds], named, strict=True)
    ]
    direction, _, transitive = mode.partition("_")
    found: list[Difference] = rules.compare(now, now, refers, refers)  # nothing, or the error that it is no schema
    for before, referred in reversed(versions if transitive else versions[-1:]):
        if direction in ("BACKWARD", "FULL"):
            found += rules.compare(before, now, referred, refers)
        if direction in ("FORWARD", "FULL"):
            found += rules.compare(now, before, refers, referred)
    return found


@cache
def rules_of(format: str) -> Any:
    """The module that knows a format: its `compare`, `write` and `read`. Raises ArgumentError for an unknown one."""
    if format not in FORMATS:
        raise ArgumentError(known("format", format, list(FORMATS)))
    return import_module(f"edakit.schema.{FORMATS[format]}")


def parsed(schema: Any, format: str) -> Any:
    """A schema that is given as JSON text, parsed; the text of a .proto file, or the name of an Avro type, as it is."""
    if format == "protobuf" or not isinstance(schema, str):
        return schema
    try:
        return json.loads(schema)
    except json.JSONDecodeError as error:
        if format == "avro" and schema.replace(".", "").isidentifier():
            return schema
        raise ArgumentError(f"schema {schema[:60]!r} is not JSON: {error}") from None
