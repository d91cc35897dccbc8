"""Messages as Protobuf bytes, and back: Google's library, on message classes made from the text of a .proto file.

In Python a message is a dict: numbers are int and float, bytes are bytes, an enum constant is its name, a repeated field is a list, a map
a dict, a message inside a dict again, also those of google/protobuf. Reading gives every field that the reader's schema has:

- what was not written has its default: 0, "", b"", False, the first constant, [], {}, or what `default` says in proto2;
- but fields that know whether they were written (`optional`, members of a oneof, messages) are left out when they were not, unless the
  schema names a default for them. Writing them as None leaves them out too;
- a number that the reader's schema has not is skipped, and so lost if the dict is written again. (The library's own message objects
  keep such fields.) A field whose bytes have another form than the reader expects counts as not written. Nothing of this is an error;
- a constant that the reader's enum has not is its number; in proto2 it counts as not written.

Source: protobuf.dev, Encoding, Field Presence, Enum Behavior; Confluent, Wire Format (message indexes).
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from edakit.errors import ArgumentError, known
from edakit.schema.difference import Names
from edakit.schema.proto_file import MAIN, SCALARS, files

WORD = {number: type for type, number in SCALARS.items()}
PYTHON: dict[str, Any] = {"string": str, "bytes": bytes, "bool": bool, "float": (int, float), "double": (int, float)}


@lru_cache(maxsize=256)
def message_types(text: str, references: tuple[tuple[str, str], ...]) -> dict[str, tuple[list[int], Any]]:
    """The message types of a file by full name: their indexes, and their descriptor.

    Raises ArgumentError for a file whose types the library cannot make: a number twice, a type or an import that is nowhere.
    """
    found, pool = files(text, dict(references)), DescriptorPool()
    for file in found.values():
        if missing := [each for each in file.dependency if each not in found]:
            raise ArgumentError(f"import {missing[0]!r}: {known('reference', missing[0], [name for name, _ in references])}")
        try:
            pool.AddSerializedFile(file.SerializeToString())
        except (TypeError, KeyError) as error:
            raise ArgumentError(f"{file.name}: not a .proto file: {str(error).rpartition('pool: ')[2]}") from None
    top = pool.FindFileByName(MAIN).message_types_by_name.values()
    return {each.full_name: (indexes, each) for indexes, each in _walk(top, [])}


def _walk(types: Iterable[Any], around: list[int]) -> Iterator[tuple[list[int], Any]]:
    """Message types with their indexes: among those at the top, then among those inside that one, and so on."""
    for n, each in enumerate(types):
        if not each.GetOptions().map_entry:  # these come last
            yield [*around, n], each
            yield from _walk(each.nested_types, [*around, n])


def write(schema: str, data: Any, references: Names, message: str | None = None) -> bytes:
    """The index of a message type in its file, and a message of it; `message` names one that is not the first ("Order.Line").

    data: a dict, or the bytes of a message that somebody else has serialized; those go out as they are. Raises ArgumentError for a
    field that is not there, a value that does not fit, or a required field that is missing: with its path and the value.
    """
    types = message_types(schema, tuple(references.items()))
    name = next((each for each in types if not message or f".{each}".endswith(f".{message}")), message)
    if name not in types:
        raise ArgumentError(known("message", name, list(types)))
    indexes, type = types[name]
    if not isinstance(data, bytes):
        filled = _filled(type, data, type.name)
        if missing := filled.FindInitializationErrors():
            raise ArgumentError(f"{type.name}: required and missing: {', '.join(missing)}")
        data = filled.SerializeToString(deterministic=True)
    return (b"\x00" if indexes == [0] else b"".join(_varint(n << 1) for n in (len(indexes), *indexes))) + bytes(data)


def read(wrote: str, reads: str, body: bytes, references: Names, reads_references: Names) -> dict[str, Any]:
    """What a reader with the schema `reads` makes of a message, index first; it knows the type by its full name.

    Raises ArgumentError for bytes that are no message, or one of a type that the reader's schema does not have.
    """
    types, rest = message_types(wrote, tuple(references.items())), iter(body)
    try:
        indexes = [_number(rest) >> 1 for _ in range(min(_number(rest) >> 1, len(body)))] or [0]
    except StopIteration:
        raise ArgumentError(f"{body[:16]!r} ends before it has said of which message type it is") from None
    name = next((each for each, (place, _) in types.items() if place == indexes), f"number {indexes}")
    there = message_types(reads, tuple(reads_references.items()))
    if name not in there:
        raise ArgumentError(known("message", name, list(there)))
    message = GetMessageClass(there[name][1])()
    try:
        message.ParseFromString(bytes(rest))
    except DecodeError as error:
        raise ArgumentError(f"{body[:16]!r} is no {name}: {error}") from None
    return _plain(message)


def _varint(number: int) -> bytes:
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + _varint(number >> 7)


def _number(rest: Iterator[int]) -> int:
    """A varint; raises StopIteration where the bytes end before it does."""
    found = shift = 0
    while (byte := next(rest)) >= 128:
        found, shift = found | (byte & 127) << shift, shift + 7
    return found | byte << shift


def _is_map(field: Any) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _filled(type: Any, data: Any, place: str) -> Any:
    """A message object with the fields of a dict."""
    message, fields = GetMessageClass(type)(), type.fields_by_name
    given = {name: value for name, value in _of(Mapping, data, place, "dict of fields").items() if value is not None}
    for name, value in given.items():
        field, where = fields.get(name), f"{place}.{name}"
        if field is None:
            raise ArgumentError(f"{where}: {known('field', name, list(fields))}")
        group = field.containing_oneof
        if group and (other := message.WhichOneof(group.name)):
            raise ArgumentError(f"{where}: {other} is given too, and only one of {group.name} can be")
        try:
            message.MergeFrom(GetMessageClass(type)(**{name: _values(field, value, where)}))
        except (TypeError, ValueError) as error:
            told = error if isinstance(error, ArgumentError) else ArgumentError(f"{where}: {value!r} does not fit: {error}")
            raise told from None
    return message


def _values(field: Any, value: Any, place: str) -> Any:
    if _is_map(field):
        key, item = field.message_type.fields
        pairs = _of(Mapping, value, place, "dict").items()
        return {_value(key, each, place): _value(item, inside, f"{place}[{each!r}]") for each, inside in pairs}
    if field.is_repeated:
        return [_value(field, each, f"{place}[{n}]") for n, each in enumerate(_of((list, tuple), value, place, "list"))]
    return _value(field, value, place)


def _of(wanted: Any, value: Any, place: str, what: str) -> Any:
    if not isinstance(value, wanted) or isinstance(value, bool) is not (wanted is bool):
        raise ArgumentError(f"{place}: {value!r} is no {what}")
    return value


def _value(field: Any, value: Any, place: str) -> Any:
    """One value as the library takes it."""
    if field.message_type:
        return _filled(field.message_type, value, place)
    if field.enum_type and isinstance(value, str):
        if value not in (constants := field.enum_type.values_by_name):
            raise ArgumentError(f"{place}: {known(f'constant of {field.enum_type.name}', value, list(constants))}")
        return constants[value].number
    word = f"constant of {field.enum_type.name}" if field.enum_type else WORD[field.type]
    return _of(PYTHON.get(word, int), value, place, word)


def _plain(message: Any) -> dict[str, Any]:
    """A message as a dict, its fields in the order of the schema, its maps in the order of their keys."""
    found: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if _is_map(field):
            found[field.name] = {key: _shown(field.message_type.fields_by_name["value"], value[key]) for key in sorted(value)}
        elif field.is_repeated:
            found[field.name] = [_shown(field, each) for each in value]
        elif not field.has_presence or message.HasField(field.name) or field.has_default_value:
            found[field.name] = _shown(field, value)
    return found


def _shown(field: Any, value: Any) -> Any:
    if field.message_type:
        return _plain(value)
    constant = field.enum_type.values_by_number.get(value) if field.enum_type else None
    return constant.name if constant else value
