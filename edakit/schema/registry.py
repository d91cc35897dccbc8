r"""A schema registry: subjects with versions, an id for every schema, a mode that says what may come next.

    registry = Registry(mode="BACKWARD")
    registry.register("orders-value", {"type": "record", "name": "Order", "fields": [{"name": "id", "type": "string"}]})    # 1, its id
    message = registry.encode("orders-value", {"id": "42"})         # b"\x00", the id in four bytes, then the data
    registry.decode(message)                                        # {"id": "42"}

A schema is looked at when it is registered, and never again: the registry sees no message, and a broker takes any bytes. A message in
the wire format says by which schema it was written; what has no magic byte is refused by the reader, not by the broker. Source:
docs.confluent.io, Schema Registry: Wire Format, Schema Evolution and Compatibility; confluentinc/schema-registry, KafkaSchemaRegistry.java.
"""

import io
import json
import struct
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

from edakit.errors import ArgumentError, EdakitError, WiringError, known
from edakit.schema.compatibility import FORMATS, MODES, check
from edakit.schema.difference import Difference

MAGIC = 0
HEADER = struct.Struct(">bI")


class IncompatibleSchema(EdakitError):
    """A schema that the mode of its subject does not allow: `differences` say why."""

    def __init__(self, subject: str, mode: str, differences: list[Difference]) -> None:
        told = "; ".join(map(str, differences[:3])) + ("; ..." if len(differences) > 3 else "")
        super().__init__(f"{subject} is {mode}: {told}")
        self.differences = differences


class NotFramed(EdakitError, ValueError):
    """Bytes that are not in the wire format: somebody wrote them without the serializer."""


class Version(NamedTuple):
    """One version of a subject."""

    subject: str
    version: int  # 1, 2, ...
    id: int  # of the schema, the same wherever the same schema is registered
    schema: Any  # parsed JSON, or the text of a .proto file
    format: str


class Registry:
    """Subjects, in memory. mode: of subjects that have none of their own."""

    def __init__(self, mode: str = "BACKWARD") -> None:
        self._mode = self._checked(mode)
        self._modes: dict[str, str] = {}
        self._versions: dict[str, list[Version]] = {}
        self._ids: dict[str, int] = {}  # schema as text -> id
        self._upcasters: dict[tuple[str, int], Callable[[Any], Any]] = {}
        self._deprecated: dict[tuple[str, int], str] = {}
        self.rejections = 0  # schemas refused so far
        self.reads: Counter[tuple[str, int]] = Counter()  # (subject, version) -> messages decoded

    @staticmethod
    def _checked(mode: str) -> str:
        if mode not in MODES:
            raise ArgumentError(known("mode", mode, list(MODES)))
        return mode

    def mode(self, subject: str) -> str:
        """The mode of a subject."""
        return self._modes.get(subject, self._mode)

    def set_mode(self, subject: str, mode: str) -> None:
        """Give a subject a mode of its own; what is registered stays."""
        self._modes[subject] = self._checked(mode)

    def subjects(self) -> list[str]:
        """The names of all subjects."""
        return list(self._versions)

    def versions(self, subject: str) -> list[Version]:
        """The versions of a subject, oldest first. Raises WiringError for one that is not there."""
        if subject not in self._versions:
            raise WiringError(known("subject", subject, list(self._versions)))
        return self._versions[subject]

    def latest(self, subject: str) -> Version:
        """The last version of a subject."""
        return self.versions(subject)[-1]

    def by_id(self, id: int) -> Version:
        """The first version that has this id. Raises WiringError for an unknown one."""
        for versions in self._versions.values():
            for version in versions:
                if version.id == id:
                    return version
        raise WiringError(f"no schema with id {id}; ids go up to {len(self._ids)}")

    def test(self, subject: str, schema: Any, format: str = "avro") -> list[Difference]:
        """Why a schema could not be the next version; empty if it could."""
        old = [each.schema for each in self._versions.get(subject, [])]
        return check(schema, old, self.mode(subject), format)

    def register(self, subject: str, schema: Any, format: str = "avro") -> int:
        """Make a schema the next version of a subject; return its id. One that is a version already is not added again.

        Raises IncompatibleSchema, which names what would break, and ArgumentError for a schema that is not valid.
        """
        if format not in FORMATS:
            raise ArgumentError(known("format", format, list(FORMATS)))
        parsed = json.loads(schema) if format != "protobuf" and isinstance(schema, str) and schema[:1] in '{["' else schema
        text = f"{format} {parsed if isinstance(parsed, str) else json.dumps(parsed, sort_keys=True)}"
        there = self._versions.setdefault(subject, [])
        for each in there:
            if each.id == self._ids.get(text):
                return each.id
        if differences := check(parsed, [each.schema for each in there] or [parsed], self.mode(subject), format):
            self.rejections += 1
            raise IncompatibleSchema(subject, self.mode(subject), differences)
        id = self._ids.setdefault(text, len(self._ids) + 1)
        there.append(Version(subject, len(there) + 1, id, parsed, format))
        return id

    def encode(self, subject: str, data: Any, *, version: int | None = None) -> bytes:
        """A message in the wire format: magic byte, id, data. By the latest version unless told.

        Protobuf data is bytes already; it goes out behind the index of the first message type of its file. Raises ArgumentError for data
        that the schema does not allow.
        """
        wrote = self._version(subject, version)
        return HEADER.pack(MAGIC, wrote.id) + CODECS[wrote.format][0](wrote.schema, data)

    def decode(self, message: bytes, *, version: int | None = None) -> Any:
        """The data of a message, read by the schema it was written with, or with that of another version of its subject.

        Reading Avro by another version resolves the two schemas: defaults are filled in, promotions made. Then the upcasters run, from
        the version of the message on. Raises NotFramed for bytes without magic byte, WiringError for an id nobody has registered.
        """
        if len(message) < HEADER.size or message[0] != MAGIC:
            raise NotFramed(f"{bytes(message[:8])!r}: no magic byte 0 and id before it; it was written without a serializer")
        wrote = self.by_id(HEADER.unpack_from(message)[1])
        read = self._version(wrote.subject, version) if version is not None else wrote
        self.reads[wrote.subject, wrote.version] += 1
        data = CODECS[wrote.format][1](wrote.schema, read.schema, bytes(message[HEADER.size :]))
        for number in range(read.version, len(self._versions[wrote.subject])):
            upcast = self._upcasters.get((wrote.subject, number))
            data = upcast(data) if upcast else data
        return data

    def _version(self, subject: str, version: int | None) -> Version:
        versions = self.versions(subject)
        if version is None:
            return versions[-1]
        if not 1 <= version <= len(versions):
            raise WiringError(f"{subject} has versions 1 to {len(versions)}, not {version}")
        return versions[version - 1]

    def upcaster(self, subject: str, version: int) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
        """Register how data of a version becomes data of the next: for what the rules of a format cannot bear."""

        def register(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
            self._upcasters[subject, version] = function
            return function

        return register

    def deprecate(self, subject: str, version: int, why: str) -> None:
        """Say that a version should no longer be written."""
        self._deprecated[subject, self._version(subject, version).version] = why

    def usage(self, subject: str) -> list[dict[str, Any]]:
        """How often each version has been read, as rows for `table`: a deprecated one may go when nobody reads it any more."""
        return [
            {
                "version": each.version,
                "id": each.id,
                "read": self.reads[subject, each.version],
                "deprecated": self._deprecated.get((subject, each.version), ""),
            }
            for each in self.versions(subject)
        ]


def _write_avro(schema: Any, data: Any) -> bytes:
    import fastavro

    stream = io.BytesIO()
    try:
        fastavro.schemaless_writer(stream, fastavro.parse_schema(schema), data)
    except (ValueError, TypeError, KeyError) as error:
        raise ArgumentError(f"{data!r} is not of this schema: {type(error).__name__}: {error}") from None
    return stream.getvalue()


def _read_avro(wrote: Any, reads: Any, body: bytes) -> Any:
    import fastavro

    return fastavro.schemaless_reader(io.BytesIO(body), fastavro.parse_schema(wrote), fastavro.parse_schema(reads))


def _write_json(schema: Any, data: Any) -> bytes:
    from jsonschema import Draft7Validator
    from jsonschema.exceptions import best_match
    from jsonschema.validators import validator_for

    if error := best_match(validator_for(schema, default=Draft7Validator)(schema).iter_errors(data)):
        raise ArgumentError(f"{error.json_path}: {error.message}")
    return json.dumps(data, separators=(",", ":")).encode()


def _read_json(wrote: Any, reads: Any, body: bytes) -> Any:
    return json.loads(body)


def _write_protobuf(schema: Any, data: Any) -> bytes:
    if not isinstance(data, bytes):
        raise ArgumentError(f"{data!r}: give the bytes of a serialized Protobuf message")
    return b"\x00" + data  # the list of indexes [0] is written as one zero


def _read_protobuf(wrote: Any, reads: Any, body: bytes) -> bytes:
    return body[1:]


CODECS: dict[str, tuple[Callable[[Any, Any], bytes], Callable[[Any, Any, bytes], Any]]] = {
    "avro": (_write_avro, _read_avro),
    "json": (_write_json, _read_json),
    "protobuf": (_write_protobuf, _read_protobuf),
}
