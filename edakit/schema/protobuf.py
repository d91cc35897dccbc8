"""Whether what one .proto file wrote can be read with another: the rules of the Confluent registry.

On the wire a field is a number and one of a few encodings, and unknown numbers are kept: so fields and enum constants may come, go and
be renamed; what may not change is the encoding under a number, and what only one member of a oneof promised. Source:
confluentinc/schema-registry, protobuf/diff/*.java; protobuf.dev, Updating a Message Type.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

from antlr4.error.ErrorListener import ErrorListener
from proto_schema_parser.ast import Enum, Field, FieldCardinality, File, MapField, Message, OneOf, Package
from proto_schema_parser.parser import Parser

from edakit.errors import ArgumentError
from edakit.schema.difference import Difference

ENCODINGS = {
    "a plain number": ("int32", "int64", "uint32", "uint64", "bool"),
    "a zigzag number": ("sint32", "sint64"),
    "text or bytes": ("string", "bytes"),
    "four bytes": ("fixed32", "sfixed32"),
    "eight bytes": ("fixed64", "sfixed64"),
    "a float": ("float",),
    "a double": ("double",),
}
Labels = tuple[FieldCardinality | None, FieldCardinality | None]
ENCODING = {type: encoding for encoding, types in ENCODINGS.items() for type in types}


class Schema:
    """A .proto file with the full names of its types. Raises ArgumentError for text that is none."""

    def __init__(self, text: str) -> None:
        self.file: File = Parser(setup_lexer=_strict, setup_parser=_strict).parse(text)
        self.package = next((each.name for each in self.file.file_elements if isinstance(each, Package)), "")
        self.types: dict[str, Message | Enum] = {}
        self._collect(self.file.file_elements, self.package)

    def _collect(self, elements: Iterable[Any], scope: str) -> None:
        for name, element in _types(elements).items():
            full = f"{scope}.{name}" if scope else name
            self.types[full] = element
            if isinstance(element, Message):
                self._collect(element.elements, full)

    def resolve(self, name: str, scope: tuple[str, ...]) -> str | None:
        """The full name of a type as it is named inside some messages: the innermost that there is, or None if it is imported."""
        if name.startswith("."):
            return name[1:] if name[1:] in self.types else None
        around = [*filter(None, self.package.split(".")), *scope]
        names = (".".join([*around[:size], name]) for size in range(len(around), -1, -1))
        return next((full for full in names if full in self.types), None)


class Strict(ErrorListener):
    """Makes the parser stop at the first mistake; by itself it would print it, and guess."""

    def syntaxError(self, recognizer: Any, symbol: Any, line: int, column: int, message: str, error: Any) -> NoReturn:  # noqa: N802
        """A mistake in a line. The name is ANTLR's."""
        raise ArgumentError(f"not a .proto file: line {line}, column {column}: {message[:200]}")


def _strict(part: Any) -> None:
    part.removeErrorListeners()
    part.addErrorListener(Strict())


def _types(elements: Iterable[Any]) -> dict[str, Message | Enum]:
    return {each.name: each for each in elements if isinstance(each, (Message, Enum))}


def compare(old: str, new: str) -> list[Difference]:
    """What a reader of `new` cannot make of data written with `old`; empty when nothing. Both are texts of .proto files."""
    return list(Comparison(Schema(old), Schema(new)).run())


class Comparison:
    """A walk through two files at once."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self.old, self.new = old, new

    def run(self) -> Iterator[Difference]:
        """All differences that break data."""
        if self.old.package != self.new.package:
            yield Difference("package_changed", "#", f"package was {self.old.package!r}, is {self.new.package!r}")
        yield from self._elements(self.old.file.file_elements, self.new.file.file_elements, ())

    def _elements(self, old: Iterable[Any], new: Iterable[Any], scope: tuple[str, ...]) -> Iterator[Difference]:
        before, after = _types(old), _types(new)
        for name, element in before.items():
            if isinstance(element, Message):
                found, inside = after.get(name), (*scope, name)
                if isinstance(found, Message):
                    yield from self._message(element, found, inside)
                else:
                    yield Difference("message_removed", _path(inside), f"message {name} is gone")

    def _message(self, old: Message, new: Message, scope: tuple[str, ...]) -> Iterator[Difference]:
        before, member_before = _fields(old)
        after, member_after = _fields(new)
        yield from self._exclusive(before, member_before, member_after, scope)
        for number in sorted({*before, *after}):
            place = _path((*scope, *filter(None, [member_after.get(number) or member_before.get(number)]), str(number)))
            was, found = before.get(number), after.get(number)
            if found is None and was is not None:
                group = member_before.get(number)
                left = group in member_after.values() or any(member_before.get(each) == group for each in after)
                if group and left:  # a oneof that has gone as a whole may go
                    yield Difference("oneof_field_removed", place, f"{was.name} was one of {group}: what was set is not read")
                elif _required(was):
                    yield Difference("required_field_removed", place, f"{was.name} was required: old readers miss it")
            elif was is None and found is not None:
                if _required(found) and number not in member_after:
                    yield Difference("required_field_added", place, f"{found.name} is required, and missing in old data")
            elif was is not None and found is not None:
                yield from self._field(was, found, scope, place)
        yield from self._elements(old.elements, new.elements, scope)

    def _exclusive(
        self, before: dict[int, Any], was: dict[int, str], member: dict[int, str], scope: tuple[str, ...]
    ) -> Iterator[Difference]:
        """Fields that could be set together, and now shut each other out."""
        for name in dict.fromkeys(member.values()):
            known = [number for number, group in member.items() if group == name and number in before]
            alone = [number for number in known if number not in was]
            if len({was[number] for number in known if number in was}) + len(alone) > 1:
                kind = "multiple_fields_moved_to_oneof" if len(alone) > 1 else "field_moved_to_existing_oneof"
                names = ", ".join(before[number].name for number in known)
                yield Difference(kind, _path((*scope, name)), f"of {names} only one can be set now, old data may have more")

    def _field(self, old: Any, new: Any, scope: tuple[str, ...], place: str) -> Iterator[Difference]:
        if isinstance(old, MapField) and isinstance(new, MapField):
            yield from self._type(old.key_type, new.key_type, scope, place)
            yield from self._type(old.value_type, new.value_type, scope, place)
        elif isinstance(old, MapField) or isinstance(new, MapField):
            yield Difference("field_kind_changed", place, f"{old.name} was {_said(old)}, is {_said(new)}")
        else:
            yield from self._type(old.type, new.type, scope, place, (old.cardinality, new.cardinality))

    def _type(
        self, old: str, new: str, scope: tuple[str, ...], place: str, labels: Labels = (None, None)
    ) -> Iterator[Difference]:
        before, after = self._encoding(self.old, old, scope), self._encoding(self.new, new, scope)
        if (before is None) != (after is None):
            yield Difference("field_kind_changed", place, f"was {old}, is {new}: one is a message")
        elif before is None:
            names = [(schema.resolve(type, scope), schema, type) for schema, type in ((self.old, old), (self.new, new))]
            if None in (names[0][0], names[1][0]):
                local = [type.removeprefix(".") for _, _, type in names]
            else:
                local = [(name or "").removeprefix(f"{schema.package}.") for name, schema, _ in names]
            if local[0] != local[1]:
                yield Difference("field_named_type_changed", place, f"was message {local[0]}, is message {local[1]}")
        elif before != after:
            yield Difference("field_scalar_kind_changed", place, f"was {old} ({before}), is {new} ({after})")
        elif labels[0] and labels[1] and labels[0] != labels[1] and before != "text or bytes":
            message = f"was {labels[0].value.lower()}, is {labels[1].value.lower()}: repeated numbers are packed"
            yield Difference("field_numeric_label_changed", place, message)

    def _encoding(self, schema: Schema, type: str, scope: tuple[str, ...]) -> str | None:
        """How values of a type stand on the wire; None for a message."""
        full = None if type in ENCODING else schema.resolve(type, scope)
        return "a plain number" if full and isinstance(schema.types[full], Enum) else ENCODING.get(type)


def _fields(message: Message) -> tuple[dict[int, Any], dict[int, str]]:
    """The fields of a message by number, and the oneof of those that are in one."""
    fields = {each.number: each for each in message.elements if isinstance(each, (Field, MapField))}
    member = {}
    for group in [each for each in message.elements if isinstance(each, OneOf)]:
        for field in [each for each in group.elements if isinstance(each, Field)]:
            fields[field.number], member[field.number] = field, group.name
    return fields, member


def _required(field: Any) -> bool:
    return isinstance(field, Field) and field.cardinality is FieldCardinality.REQUIRED


def _said(field: Any) -> str:
    return f"map<{field.key_type}, {field.value_type}>" if isinstance(field, MapField) else str(field.type)


def _path(names: tuple[str, ...]) -> str:
    return "#/" + "/".join(names)
