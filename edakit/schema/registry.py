r"""A schema registry: subjects with versions, an id for every schema, a mode that says what may come next.

    registry = Registry(mode="BACKWARD")
    registry.register("orders-value", {"type": "record", "name": "Order", "fields": [{"name": "id", "type": "string"}]})    # 1, its id
    message = registry.encode("orders-value", {"id": "42"})         # b"\x00", the id in four bytes, then the data
    registry.decode(message)                                        # {"id": "42"}

A schema is looked at when it is registered, and never again: the registry sees no message, and a broker takes any bytes. A message in
the wire format says by which schema it was written; what has no magic byte is refused by the reader, not by the broker. Source:
docs.confluent.io, Schema Registry: Wire Format, Schema Evolution and Compatibility; confluentinc/schema-registry, KafkaSchemaRegistry.java.
"""

import json
import struct
from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from edakit.errors import ArgumentError, EdakitError, WiringError, known
from edakit.schema.compatibility import MODES, check, parsed, rules_of
from edakit.schema.difference import Difference

MAGIC = 0
HEADER = struct.Struct(">bI")
References = Mapping[str, tuple[str, int]]
NONE: References = MappingProxyType({})


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
    references: References = NONE  # subject and version of what the schema names


class Registry:
    """Subjects, in memory. mode: of subjects that have none of their own."""

    def __init__(self, mode: str = "BACKWARD") -> None:
        self._modes: dict[str, str] = {}
        self.set_mode("", mode)  # of those without one
        self._versions: dict[str, list[Version]] = {}
        self._ids: dict[str, int] = {}  # schema as text -> id
        self._first: dict[int, Version] = {}  # id -> the first version with it
        self._upcasters: dict[tuple[str, int], Callable[[Any], Any]] = {}
        self._deprecated: dict[tuple[str, int], str] = {}
        self.rejections = 0  # schemas refused so far
        self.reads: Counter[tuple[str, int]] = Counter()  # (subject, version) -> messages decoded

    def mode(self, subject: str) -> str:
        """The mode of a subject."""
        return self._modes.get(subject, self._modes[""])

    def set_mode(self, subject: str, mode: str) -> None:
        """Give a subject a mode of its own; what is registered stays."""
        if mode not in MODES:
            raise ArgumentError(known("mode", mode, list(MODES)))
        self._modes[subject] = mode

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
        if id not in self._first:
            raise WiringError(f"no schema with id {id}; ids go up to {len(self._ids)}")
        return self._first[id]

    def test(self, subject: str, schema: Any, format: str = "avro", references: References = NONE) -> list[Difference]:
        """Why a schema could not be the next version; empty if it could."""
        old = self._versions.get(subject, []) if self.mode(subject) != "NONE" else []
        if other := next((each for each in reversed(old) if each.format != format), None):
            return [Difference("format_changed", "#", f"version {other.version} is {other.format}, and this is {format}")]
        named, before = self._named(references), [self._named(each.references) for each in old]
        schemas, mode = [each.schema for each in old], self.mode(subject)
        return check(schema, schemas, mode, format, references=named, old_references=before)

    def _named(self, references: References) -> dict[str, Any]:
        """The schemas that references stand for, and those that these refer to, by name."""
        there = {name: self._version(*where) for name, where in references.items()}
        found = {name: schema for each in there.values() for name, schema in self._named(each.references).items()}
        return found | {name: each.schema for name, each in there.items()}

    def register(self, subject: str, schema: Any, format: str = "avro", references: References = NONE) -> int:
        """Make a schema the next version of a subject; return its id. One that is a version already is not added again.

        references: what the schema names and does not hold itself, as `{name: (subject, version)}`: the name of an import, of a `$ref`
        before its `#`, or of an Avro type. A version refers to that version for ever: a newer one is used when somebody registers a
        schema that says so.

        Raises IncompatibleSchema, which names what would break, ArgumentError for a schema that is not valid, and WiringError for a
        reference to a version that is not there.
        """
        schema = parsed(schema, format)
        text = json.dumps([format, schema, sorted(references.items())], sort_keys=True)
        there = self._versions.get(subject, [])
        if any(each.id == self._ids.get(text) for each in there):
            return self._ids[text]
        if format == "protobuf":  # whose comparison does without what is imported from elsewhere
            rules_of(format).message_types(schema, tuple(self._named(references).items()))
        if differences := self.test(subject, schema, format, references):
            self.rejections += 1
            raise IncompatibleSchema(subject, self.mode(subject), differences)
        id = self._ids.setdefault(text, len(self._ids) + 1)
        self._versions[subject] = [*there, Version(subject, len(there) + 1, id, schema, format, dict(references))]
        self._first.setdefault(id, self._versions[subject][-1])
        return id

    def encode(self, subject: str, data: Any, *, version: int | None = None, message: str | None = None) -> bytes:
        """A message in the wire format: magic byte, id, data. By the latest version unless told.

        Protobuf data is a dict (`edakit.schema.proto_data` says how), or bytes that are serialized already; it goes out behind the index
        of its message type: the first of the file, unless `message` names another ("Order.Line"). Raises ArgumentError for data that the
        schema does not allow.
        """
        wrote = self._version(subject, version)
        if message and wrote.format != "protobuf":
            raise ArgumentError(f"message={message!r} is for .proto files, and {subject} is {wrote.format}")
        body = rules_of(wrote.format).write(wrote.schema, data, self._named(wrote.references), *filter(None, [message]))
        return HEADER.pack(MAGIC, wrote.id) + bytes(body)

    def decode(self, message: bytes, *, version: int | None = None, subject: str | None = None) -> Any:
        """The data of a message, read by the schema it was written with, or with that of another version of its subject.

        Reading Avro by another version resolves the two schemas: defaults are filled in, promotions made. Protobuf skips the numbers that
        version does not have, and gives defaults for those that were not written. Then the upcasters run, from the version it was read by
        on. A message says its schema, not its subject: where several subjects have that schema, it is taken to be of the first, unless
        `subject` says (a consumer knows it by the topic).

        Raises NotFramed for bytes without magic byte, WiringError for an id nobody has registered, or not under that subject, and
        ArgumentError for data that is not of its schema.
        """
        if not isinstance(message, (bytes, bytearray, memoryview)):
            raise NotFramed(f"{message!r}: a message is bytes")
        if len(message) < HEADER.size or message[0] != MAGIC:
            raise NotFramed(f"{bytes(message[:8])!r}: no magic byte 0 and id before it; it was written without a serializer")
        wrote = self.by_id(HEADER.unpack_from(message)[1])
        if subject is not None:
            known_there = {each.id: each for each in self.versions(subject)}
            if wrote.id not in known_there:
                raise WiringError(f"{subject} has no schema with id {wrote.id}; its ids: {', '.join(map(str, known_there))}")
            wrote = known_there[wrote.id]
        read = self._version(wrote.subject, version) if version is not None else wrote
        self.reads[wrote.subject, wrote.version] += 1
        named = self._named(wrote.references), self._named(read.references)
        data = rules_of(wrote.format).read(wrote.schema, read.schema, bytes(message[HEADER.size :]), *named)
        for number in range(read.version, len(self._versions[wrote.subject])):
            data = self._upcasters.get((wrote.subject, number), lambda same: same)(data)
        return data

    def _version(self, subject: str, version: int | None) -> Version:
        versions = self.versions(subject)
        version = len(versions) if version is None else version
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
        keys = [(each.id, (subject, each.version)) for each in self.versions(subject)]
        why = self._deprecated
        return [{"version": key[1], "id": id, "read": self.reads[key], "deprecated": why.get(key, "")} for id, key in keys]
