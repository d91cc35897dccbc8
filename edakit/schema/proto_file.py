"""A .proto file as Protobuf describes one to itself: a FileDescriptorProto, and those of the files it imports.

Messages, enums, oneofs, maps and defaults of proto2 and proto3 are taken over. Services, reserved numbers and options that change no
byte are left out, and so are the groups and extensions of proto2: their numbers are unknown here. Source: protobuf.dev, language
specifications; google/protobuf/descriptor.proto.
"""

from collections.abc import Iterable
from functools import lru_cache
from importlib import import_module
from typing import Any, NoReturn

from antlr4.error.ErrorListener import ErrorListener
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.text_encoding import CUnescape
from proto_schema_parser.ast import Enum, EnumValue, Field, Identifier, Import, MapField, Message, OneOf, Package
from proto_schema_parser.parser import Parser

from edakit.errors import ArgumentError
from edakit.schema.difference import Names

MAIN = "the schema"  # its own name, where imported files have theirs
GOOGLE = "any api descriptor duration empty field_mask source_context struct timestamp type wrappers"
WELL_KNOWN = [f"google/protobuf/{each}.proto" for each in GOOGLE.split()]  # every Protobuf library brings them along
SCALARS: dict[str, Any] = {name[5:].lower(): number for name, number in FieldDescriptorProto.Type.items()}  # TYPE_INT32: int32


class Strict(ErrorListener):
    """Makes the parser stop at the first mistake; by itself it would print it, and guess."""

    def syntaxError(self, recognizer: Any, symbol: Any, line: int, column: int, message: str, error: Any) -> NoReturn:  # noqa: N802
        """A mistake in a line. The name is ANTLR's."""
        raise ArgumentError(f"not a .proto file: line {line}, column {column}: {message[:200]}")


def _strict(part: Any) -> None:
    part.removeErrorListeners()
    part.addErrorListener(Strict())


def files(text: str, references: Names) -> dict[str, FileDescriptorProto]:
    """The file under MAIN and all that it imports, by name, each after what it imports itself.

    references: the texts of other files, by the name they are imported by. The files of google/protobuf are there by themselves. What
    is imported and is in neither is left out. Raises ArgumentError for text that is no .proto file.
    """
    found, entered = dict[str, FileDescriptorProto](), {MAIN}

    def enter(file: FileDescriptorProto) -> None:
        for each in file.dependency:
            there = described(references[each], each) if each in references else _well_known(each)
            if there and each not in entered:
                entered.add(each)
                enter(there)
        found[file.name] = file

    enter(described(text, MAIN))
    return found


def _well_known(name: str) -> FileDescriptorProto | None:
    if name not in WELL_KNOWN:
        return None
    module = import_module(name.removesuffix(".proto").replace("/", ".") + "_pb2")
    return FileDescriptorProto.FromString(module.DESCRIPTOR.serialized_pb)


@lru_cache(maxsize=256)
def described(text: str, name: str) -> FileDescriptorProto:
    """One file; nobody changes what this returns. A field written without a label has none, a type that is no scalar is a name only."""
    if not isinstance(text, str):
        raise ArgumentError(f"schema {text!r}: give the text of a .proto file")
    try:
        parsed = Parser(setup_lexer=_strict, setup_parser=_strict).parse(text)
    except ValueError as error:
        raise ArgumentError(f"{name}: {error}") from None
    if parsed.edition or parsed.syntax not in (None, "proto2", "proto3"):
        raise ArgumentError(f"a .proto file of {parsed.edition or parsed.syntax!r}: syntax must be proto2 or proto3")
    file = FileDescriptorProto(name=name, syntax=parsed.syntax or "proto2")
    for each in parsed.file_elements:
        if isinstance(each, Package):
            file.package = each.name
        elif isinstance(each, Import):
            file.public_dependency.extend([len(file.dependency)] if each.public else [])
            file.dependency.append(each.name)
    _types(parsed.file_elements, file.message_type, file.enum_type, file.syntax == "proto3")
    return file


def _types(elements: Iterable[Any], messages: Any, enums: Any, proto3: bool) -> None:
    for each in elements:
        if isinstance(each, Message):
            _message(each, messages.add(name=each.name), proto3)
        elif isinstance(each, Enum):
            enum = enums.add(name=each.name)
            for constant in [one for one in each.elements if isinstance(one, EnumValue)]:
                enum.value.add(name=constant.name, number=constant.number)


def _message(found: Message, message: DescriptorProto, proto3: bool) -> None:
    _types(found.elements, message.nested_type, message.enum_type, proto3)
    for each in found.elements:
        if isinstance(each, OneOf):
            for inside in [one for one in each.elements if isinstance(one, Field)]:
                _field(inside, message).oneof_index = len(message.oneof_decl)
            message.oneof_decl.add(name=each.name)
        elif isinstance(each, (Field, MapField)):
            _field(each, message)
    for field in message.field if proto3 else ():  # after the oneofs that are written: `optional` makes one of its own
        if field.HasField("label") and field.label == field.LABEL_OPTIONAL:
            field.proto3_optional, field.oneof_index = True, len(message.oneof_decl)
            message.oneof_decl.add(name=f"_{field.name}")


def _field(found: Field | MapField, message: DescriptorProto) -> FieldDescriptorProto:
    field = message.field.add(name=found.name, number=found.number)
    if isinstance(found, MapField):  # a repeated message of key and value, on the wire too
        name = "".join(part[:1].upper() + part[1:] for part in found.name.split("_")) + "Entry"
        entry = message.nested_type.add(name=name)
        entry.options.map_entry = True
        entry.field.add(name="key", number=1, **_type(found.key_type))
        entry.field.add(name="value", number=2, **_type(found.value_type))
        field.label, field.type, field.type_name = field.LABEL_REPEATED, field.TYPE_MESSAGE, name
        return field
    if found.cardinality is not None:
        field.label = FieldDescriptorProto.Label.Value(f"LABEL_{found.cardinality.value}")
    field.MergeFrom(FieldDescriptorProto(**_type(found.type)))
    for option in found.options:
        if option.name == "packed":
            field.options.packed = bool(option.value)
        elif option.name == "default":
            field.default_value = _default(option.value, found.type)
    return field


def _type(type: str) -> dict[str, Any]:
    return {"type": SCALARS[type]} if type in SCALARS else {"type_name": type}  # a message or an enum: the library will see


def _default(value: Any, type: str) -> str:
    if isinstance(value, str):
        return CUnescape(value).decode() if type == "string" else value
    return value.name if isinstance(value, Identifier) else str(value).lower()
