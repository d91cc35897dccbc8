"""Whether what one .proto file wrote can be read with another: the rules of the Confluent registry.

On the wire a field is a number and one of a few encodings, and unknown numbers are skipped: so fields and enum constants may come, go
and be renamed; what may not change is the encoding under a number, and what only one member of a oneof promised. What is called
compatible is read without an error, but numbers are cut to the size of their new type, bytes must be UTF-8 to be read as a string, and
of several values a field that is no longer repeated has the last.

Two rules are stricter, since the library refuses or loses the data: a field that becomes `required`, and numbers that are no longer
repeated, whether or not the label is written. Source: confluentinc/schema-registry, protobuf/diff/*.java; protobuf.dev, Updating a
Message Type.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto

from edakit.schema.difference import Difference, Names
from edakit.schema.proto_data import WORD, message_types, read, write
from edakit.schema.proto_file import MAIN, SCALARS, files

__all__ = ["compare", "message_types", "read", "write"]

ENCODINGS = {
    "a plain number": "int32 int64 uint32 uint64 bool", "a zigzag number": "sint32 sint64", "text or bytes": "string bytes",
    "four bytes": "fixed32 sfixed32", "eight bytes": "fixed64 sfixed64", "a float": "float", "a double": "double",
}  # fmt: skip
ENCODING = {SCALARS[type]: encoding for encoding, types in ENCODINGS.items() for type in types.split()}
LABEL = {number: name[6:].lower() for name, number in FieldDescriptorProto.Label.items()}  # LABEL_REPEATED: repeated
REPEATED, REQUIRED = FieldDescriptorProto.LABEL_REPEATED, FieldDescriptorProto.LABEL_REQUIRED
Pair = tuple[str, str]  # the full names of a message in the old schema and in the new
Groups = dict[int, str]  # number of a field -> the oneof it is in


def compare(old: str, new: str, old_references: Names, references: Names) -> list[Difference]:
    """What a reader of `new` cannot make of data written with `old`; empty when nothing. All are texts of .proto files."""
    before, after = files(old, old_references), files(new, references)
    was, now = before[MAIN], after[MAIN]
    comparison = Comparison(Types(before.values()), Types(after.values()))
    message = f"the package was {was.package!r}, is {now.package!r}, and all types have other names: keep it"
    found = [Difference("package_changed", "#", message)] if was.package != now.package else []
    return [*found, *comparison.messages(was.message_type, now.message_type, (was.package, now.package))]


class Types(dict[str, Any]):
    """The messages and enums of a file and of those it imports, by full name."""

    def __init__(self, files: Iterable[FileDescriptorProto]) -> None:
        self.file: dict[str, FileDescriptorProto] = {}  # the one that each type is in
        for file in files:
            self._collect(file.package, [*file.message_type, *file.enum_type], file)

    def _collect(self, scope: str, elements: Iterable[Any], file: FileDescriptorProto) -> None:
        for each in elements:
            full = _join(scope, each.name)
            self[full], self.file[full] = each, file
            if isinstance(each, DescriptorProto):
                self._collect(full, [*each.nested_type, *each.enum_type], file)

    def resolve(self, name: str, scope: str) -> str:
        """The full name of a type as it is named inside a message: the innermost that there is, or the name as it is if there is none."""
        if name.startswith("."):
            return name[1:]
        while scope and f"{scope}.{name}" not in self:
            scope = scope.rpartition(".")[0]
        return _join(scope, name)

    def local(self, full: str) -> str:
        """The name of a type within its package."""
        return full.removeprefix(f"{self.file[full].package}.") if full in self else full

    def encoding(self, field: FieldDescriptorProto, scope: str) -> str:
        """How values of a field stand on the wire."""
        if not field.type_name:
            return ENCODING[field.type]
        found = self.get(self.resolve(field.type_name, scope))
        if isinstance(found, EnumDescriptorProto):
            return "a plain number"
        return "a map" if found and found.options.map_entry else "a message"


class Comparison:
    """A walk through two schemas at once."""

    def __init__(self, old: Types, new: Types) -> None:
        self.old, self.new = old, new
        self.imported: dict[Pair, list[Difference]] = {}  # what breaks imported messages that have been looked at

    def messages(self, old: Iterable[DescriptorProto], new: Iterable[DescriptorProto], scope: Pair) -> Iterator[Difference]:
        """What breaks data of any of the messages; they are those of the same name. Maps are looked at where their field is."""
        there = {each.name for each in new}
        for name in [each.name for each in old if not each.options.map_entry]:
            inside = _join(scope[0], name), _join(scope[1], name)
            if name in there:
                yield from self.message(inside)
            else:
                yield Difference("message_removed", self._path(inside), f"message {name} is gone, its old data unread: keep it")

    def message(self, scope: Pair) -> Iterator[Difference]:
        """What breaks data of a message."""
        old, new = self.old[scope[0]], self.new[scope[1]]
        before, after = ({field.number: field for field in each.field} for each in (old, new))
        member_before, member_after = _members(old), _members(new)
        yield from self._exclusive(before, member_before, member_after, scope)
        for number in sorted({*before, *after}):
            place = self._path(scope, member_after.get(number) or member_before.get(number) or "", str(number))
            was, found = before.get(number), after.get(number)
            if found is None and was is not None:
                group = member_before.get(number)
                left = group in member_after.values() or any(member_before.get(each) == group for each in after)
                if group and left:  # a oneof that has gone as a whole may go
                    message = f"{was.name} was one of {group}, and is not read where it was set: keep it"
                    yield Difference("oneof_field_removed", place, message)
                elif was.label == REQUIRED:
                    message = f"{was.name} was required, and old readers refuse data without it: keep it"
                    yield Difference("required_field_removed", place, message)
            elif was is not None and found is not None:
                yield from self._field(was, found, scope, place)
            elif found is not None and found.label == REQUIRED:
                message = f"{found.name} is required, and missing in old data: make it optional"
                yield Difference("required_field_added", place, message)
        yield from self.messages(old.nested_type, new.nested_type, scope)

    def _exclusive(self, before: Iterable[int], was: Groups, member: Groups, scope: Pair) -> Iterator[Difference]:
        """Fields that could be set together, and now shut each other out."""
        for name in dict.fromkeys(member.values()):
            known = [number for number, group in member.items() if group == name and number in before]
            alone = [number for number in known if number not in was]
            if len({was[number] for number in known if number in was}) + len(alone) > 1:
                kind = "multiple_fields_moved_to_oneof" if len(alone) > 1 else "field_moved_to_existing_oneof"
                numbers = ", ".join(map(str, known))
                message = f"of the fields {numbers} only one can be set now, old data may have more: leave them where they were"
                yield Difference(kind, self._path(scope, name), message)

    def _field(self, old: Any, new: Any, scope: Pair, place: str) -> Iterator[Difference]:
        before, after = self.old.encoding(old, scope[0]), self.new.encoding(new, scope[1])
        cure = f"give it a number of its own, and reserve {old.number}"
        if before != after:
            kind = "field_kind_changed" if {before, after} & {"a message", "a map"} else "field_scalar_kind_changed"
            was, now = (each.type_name or WORD[each.type] for each in (old, new))
            yield Difference(kind, place, f"{new.name} was {was} ({before}), is {now} ({after}): {cure}")
            return
        names = self.old.resolve(old.type_name, scope[0]), self.new.resolve(new.type_name, scope[1])
        if before == "a map":
            for was, found in zip(self.old[names[0]].field, self.new[names[1]].field, strict=True):
                yield from self._field(was, found, names, place)
        elif before == "a message":
            yield from self._named(names, new.name, place, cure)
        elif before != "text or bytes" and old.label != new.label:
            if old.label == REPEATED or new.label == REQUIRED or (old.HasField("label") and new.HasField("label")):
                message = f"{new.name} was {LABEL[old.label]}, is {LABEL[new.label]}, and repeated numbers are packed: {cure}"
                yield Difference("field_numeric_label_changed", place, message)
            return
        if new.label == REQUIRED != old.label:
            message = f"{new.name} is required now, and may be missing in old data: make it optional"
            yield Difference("required_field_added", place, message)

    def _named(self, names: Pair, field: str, place: str, cure: str) -> Iterator[Difference]:
        """What changes in the message under a field. Those of the two files themselves are compared for themselves, by name."""
        was, now = self.old.local(names[0]), self.new.local(names[1])
        if was != now:
            yield Difference("field_named_type_changed", place, f"{field} was message {was}, is message {now}: {cure}")
        elif names[0] in self.old and names[1] in self.new:
            if {self.old.file[names[0]].name, self.new.file[names[1]].name} != {MAIN} and names not in self.imported:
                self.imported[names] = []  # a circle of messages is sound if the rest is
                self.imported[names] = list(self.message(names))
            if inside := self.imported.get(names):
                yield from inside
                message = f"{field} is a message {now}, which has changed: see {inside[0].where}"
                yield Difference("field_named_type_changed", place, message)

    def _path(self, scope: Pair, *more: str) -> str:
        return "/".join(["#", *self.old.local(scope[0]).split("."), *filter(None, more)])


def _members(message: DescriptorProto) -> Groups:
    """The oneof of each field that is in one."""
    fields = [each for each in message.field if each.HasField("oneof_index") and not each.proto3_optional]
    return {each.number: message.oneof_decl[each.oneof_index].name for each in fields}


def _join(scope: str, name: str) -> str:
    return f"{scope}.{name}" if scope else name
