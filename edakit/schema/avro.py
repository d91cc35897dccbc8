"""Whether a reader with one Avro schema can read what was written with another.

Avro data carries no names and no types: the reader has both schemas and matches them, records field by field by name. A field the
writer does not have needs a default; a field the reader does not have is skipped. Source: Avro specification, Schema Resolution;
apache/avro, SchemaCompatibility.java, which registries call.
"""

import io
from collections.abc import Iterator
from typing import Any

from fastavro import schemaless_reader, schemaless_writer
from fastavro.schema import SchemaParseException, UnknownType, parse_schema

from edakit.errors import ArgumentError
from edakit.schema.difference import Difference, Names

# what a reader may be told to read as something wider
PROMOTED = {"long": "int", "float": "int long", "double": "int long float", "bytes": "string", "string": "bytes"}


class Schema:
    """A parsed schema and its named types. Raises ArgumentError for one that is not valid Avro.

    references: schemas of types that it names and does not define, in the order in which they need each other.
    """

    def __init__(self, schema: Any, references: Names) -> None:
        self.named: dict[str, Any] = {}
        try:
            for each in (*references.values(), schema):
                self.root: Any = parse_schema(each, named_schemas=self.named)
        except (SchemaParseException, UnknownType, ValueError, KeyError, TypeError) as error:
            there = f" (known by name: {', '.join(self.named) or 'none'})" if isinstance(error, UnknownType) else ""
            raise ArgumentError(f"not an Avro schema: {type(error).__name__}: {error}{there}") from None

    def definition(self, schema: Any) -> Any:
        """A schema, with a name that stands for it replaced by what it names."""
        if isinstance(schema, dict) and isinstance(schema["type"], (dict, list)):
            return self.definition(schema["type"])
        return self.named.get(schema, schema) if isinstance(schema, str) else schema


def write(schema: Any, data: Any, references: Names) -> bytes:
    """Data in binary Avro. Raises ArgumentError for data that the schema does not allow."""
    stream = io.BytesIO()
    try:
        schema = Schema(_held(schema) if references else schema, references).root
        schemaless_writer(stream, schema, {"data": data} if references else data)
    except (ValueError, TypeError, KeyError) as error:
        told = str(error).removesuffix(" on field data")
        raise ArgumentError(f"{data!r} is not of this schema: {type(error).__name__}: {told}") from None
    return stream.getvalue()


def read(wrote: Any, reads: Any, body: bytes, references: Names, reads_references: Names) -> Any:
    """Data from binary Avro, as a reader with the schema `reads` sees it. Raises ArgumentError for bytes that are none of `wrote`."""
    held = references or reads_references
    writer, reader = (_held(wrote), _held(reads)) if held else (wrote, reads)
    writer, reader = Schema(writer, references).root, Schema(reader, reads_references).root
    try:
        found: Any = schemaless_reader(io.BytesIO(body), writer, reader)
    except (EOFError, ValueError, IndexError, TypeError, OverflowError) as error:
        raise ArgumentError(f"{body[:16]!r} is not data of this schema: {type(error).__name__}: {error}") from None
    return found["data"] if held else found


def _held(schema: Any) -> Any:
    """A record with one field has the bytes of that field; the library takes the types of references along with a record only."""
    return {"type": "record", "name": "edakit_data", "fields": [{"name": "data", "type": schema}]}


def compare(old: Any, new: Any, old_references: Names, references: Names) -> list[Difference]:
    """Why a reader with `new` cannot read all that is written with `old`; empty if it can. All are parsed JSON."""
    reader, writer = Schema(new, references), Schema(old, old_references)
    return list(Comparison(reader, writer).run(reader.root, writer.root, "#"))


class Comparison:
    """A walk through the schemas of a reader and of a writer at once."""

    def __init__(self, reader: Schema, writer: Schema) -> None:
        self.reader, self.writer = reader, writer
        self.entered: set[tuple[str, str]] = set()  # pairs of records: a circle of types is sound if the rest is

    def run(self, reader: Any, writer: Any, where: str) -> Iterator[Difference]:
        """All that the reader cannot read."""
        reader, writer = self.reader.definition(reader), self.writer.definition(writer)
        read, written, gap = _type(reader), _type(writer), "missing_union_branch"
        if written == "union":
            for n, branch in enumerate(writer):
                if read != "union":
                    yield from self.run(reader, branch, where)
                elif any(self.run(reader, branch, where)):
                    name = _said(self.writer.definition(branch))
                    yield Difference(gap, f"{where}/{n}", f"the writer may write {name}, which the reader's union lacks: add it")
        elif read == "union":
            if all(any(self.run(branch, writer, where)) for branch in reader):
                yield Difference(gap, where, f"the writer writes {_said(writer)}, which the reader's union lacks: add it")
        elif read == written:
            rules = getattr(self, f"_{read}", None)
            if rules:
                yield from rules(reader, writer, where)
        elif written not in PROMOTED.get(read, "").split():
            yield Difference("type_mismatch", where, f"the writer writes {_said(writer)}, the reader expects {_said(reader)}")

    def _array(self, reader: Any, writer: Any, where: str) -> Iterator[Difference]:
        yield from self.run(reader["items"], writer["items"], f"{where}/items")

    def _map(self, reader: Any, writer: Any, where: str) -> Iterator[Difference]:
        yield from self.run(reader["values"], writer["values"], f"{where}/values")

    def _fixed(self, reader: Any, writer: Any, where: str) -> Iterator[Difference]:
        yield from _names(reader, writer, where)
        if reader["size"] != writer["size"]:
            message = f"the writer writes {writer['size']} bytes, the reader expects {reader['size']}: make a new type of it"
            yield Difference("fixed_size_mismatch", f"{where}/size", message)

    def _enum(self, reader: Any, writer: Any, where: str) -> Iterator[Difference]:
        yield from _names(reader, writer, where)
        unknown = [symbol for symbol in writer["symbols"] if symbol not in reader["symbols"]]
        if unknown and reader.get("default") not in reader["symbols"]:
            message = f"the reader does not know {', '.join(unknown)}, and its enum has no default: add them, or a default"
            yield Difference("missing_enum_symbols", f"{where}/symbols", message)

    def _record(self, reader: Any, writer: Any, where: str) -> Iterator[Difference]:
        yield from _names(reader, writer, where)
        pair = (reader["name"], writer["name"])
        if pair in self.entered:
            return
        self.entered.add(pair)
        fields = {field["name"]: field for field in writer["fields"]}
        for field in reader["fields"]:
            place = f"{where}/fields/{field['name']}"
            name = next((each for each in (field["name"], *field.get("aliases", ())) if each in fields), None)
            if name is not None:
                yield from self.run(field["type"], fields[name]["type"], place)
            elif "default" not in field:
                message = f"the writer does not write {field['name']!r}, and the reader has no default for it"
                yield Difference("reader_field_missing_default_value", place, message)
        self.entered.remove(pair)


def _type(schema: Any) -> str:
    if isinstance(schema, list):
        return "union"
    found = schema if isinstance(schema, str) else schema["type"]
    return "record" if found == "error" else str(found)


def _said(schema: Any) -> str:
    return f"{_type(schema)} {schema['name']}" if isinstance(schema, dict) and "name" in schema else _type(schema)


def _names(reader: Any, writer: Any, where: str) -> Iterator[Difference]:
    """The short names must be the same, or the reader's aliases know the writer's."""
    short, full = writer["name"].rpartition(".")[2], writer["name"]
    space = reader["name"].rpartition(".")[0]
    aliases = [alias if "." in alias or not space else f"{space}.{alias}" for alias in reader.get("aliases", ())]
    if reader["name"].rpartition(".")[2] != short and full not in aliases:
        message = f"the writer's type is {full}, the reader's {reader['name']}: give that the alias {full!r}"
        yield Difference("name_mismatch", f"{where}/name", message)
