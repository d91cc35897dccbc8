"""CloudEvents 1.0 on the wire: JSON, HTTP, Kafka; and the W3C trace header. What comes from outside is checked here.

An event that was read goes out as it came: `extensions` keeps what its envelope said beyond what a lab needs (subject, content type,
its own way to write the time), and None for what a lab would add and the envelope left out.
Source: github.com/cloudevents/spec, spec.md, formats/json-format.md, bindings/http-protocol-binding.md, bindings/kafka-protocol-binding.md,
extensions/partitioning.md; www.w3.org/TR/trace-context (traceparent). `Event` in edakit.event has these functions as methods.
"""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from edakit.errors import EnvelopeError
from edakit.event import Event, Frozen, freeze
from edakit.units import SECOND

REQUIRED = ("specversion", "id", "source", "type")
KNOWN = {"partitionkey": "key", "causationid": "causation", "correlationid": "correlation"}
ADDED = ("time", "correlationid", "data")  # what to_dict writes whether or not the event was read with it

STRUCTURED = "application/cloudevents+json"
NAME = re.compile(r"[a-z0-9]+")
URI_REFERENCE = re.compile(r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+")
URI = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:.*", re.DOTALL)
MEDIA_TYPE = re.compile(r"[^\s/;,]+/[^\s/;,]+\s*(?:;.*)?", re.DOTALL)
TIMESTAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt]([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60)(?:\.(\d+))?(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))", re.ASCII
)
NO_CHARACTERS = "".join(chr(0x10000 * plane + end) for plane in range(17) for end in (0xFFFE, 0xFFFF))
FORBIDDEN = re.compile(f"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef{NO_CHARACTERS}]")
TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
BEGIN = datetime(2000, 1, 1, tzinfo=UTC)  # where virtual time begins


class HttpMessage(NamedTuple):
    """An event as an HTTP request or response: header names are in lower case."""

    headers: dict[str, str]
    body: bytes


class KafkaMessage(NamedTuple):
    """An event as a Kafka record, as client libraries take it; value None is a tombstone."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


class TraceParent(NamedTuple):
    """Where a piece of work stands in a trace: four strings of lower-case hexadecimal digits."""

    version: str
    trace_id: str
    parent_id: str
    flags: str

    @property
    def sampled(self) -> bool:
        """Whether the caller may have recorded it."""
        return bool(int(self.flags, 16) & 1)


def from_dict(envelope: Mapping[str, Any]) -> Event:
    """The event of a JSON envelope; see `Event.from_dict`."""
    if not isinstance(envelope, Mapping):
        raise EnvelopeError(f"an event is a JSON object, not {envelope!r}")
    said = {name: value for name, value in envelope.items() if value is not None or name == "data"}  # null is as good as left out
    for name, value in said.items():
        if name not in ("data", "data_base64"):
            _check(name, value)
    for name in REQUIRED:
        if name not in said:
            raise EnvelopeError(f"{name} is missing: an event has {', '.join(REQUIRED)}")
    fields = {field: said.pop(name) for name, field in KNOWN.items() if isinstance(said.get(name), str)}
    data = _data(said)
    extensions = {name: value for name, value in said.items() if name not in (*REQUIRED, "data", "data_base64")}
    for name in ADDED:
        if name not in envelope and not (name == "data" and "data_base64" in said):
            extensions[name] = None
    if "correlation" in fields:
        extensions.pop("correlationid", None)
    return Event(
        id=said["id"],
        type=said["type"],
        source=said["source"],
        data=data,
        key=fields.get("key"),
        ns=nanoseconds_of(said["time"]) if "time" in said else 0,
        causation=fields.get("causation"),
        correlation=fields.get("correlation", said["id"]),
        extensions=Frozen(extensions),
    )


def _check(name: Any, value: Any) -> None:
    """Raise EnvelopeError if this is no attribute of an event, or not a value that it may have."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise EnvelopeError(f"attribute name {name!r}: lower-case letters a-z and digits only")
    if isinstance(value, int) and name not in STANDARD:  # True and False are, too
        if not -(2**31) <= value < 2**31:
            raise EnvelopeError(f"{name}={value}: a whole number of 32 bits")
        return
    if not isinstance(value, str):
        kinds = "a string" if name in STANDARD else "a string, a whole number, true or false"
        raise EnvelopeError(f"{name}={value!r}: {kinds}")
    if found := FORBIDDEN.search(value):
        raise EnvelopeError(f"{name}={value!r}: has the character {found[0]!r}, which no attribute may have")
    if name in STANDARD:
        pattern, what = STANDARD[name]
        if not value or (pattern and not pattern.fullmatch(value)):
            raise EnvelopeError(f"{name}={value!r}: {what}")
    if name == "time":
        nanoseconds_of(value)


STANDARD: dict[str, tuple[re.Pattern[str] | None, str]] = {
    "specversion": (re.compile(r"1\.0"), "1.0 is the version that is read here"),
    "id": (None, "a string that is not empty"),
    "source": (URI_REFERENCE, "a URI or a relative reference"),
    "type": (None, "a string that is not empty"),
    "subject": (None, "a string that is not empty"),
    "datacontenttype": (MEDIA_TYPE, "a media type such as application/json"),
    "dataschema": (URI, "a URI with its scheme"),
    "time": (TIMESTAMP, "an instant with its offset, as RFC 3339 has it: 2026-03-12T10:00:00Z"),
}


def _data(said: Mapping[str, Any]) -> Any:
    if "data_base64" not in said:
        return freeze(said.get("data"))
    if "data" in said:
        raise EnvelopeError("data and data_base64: an event has one of them")
    try:
        return base64.b64decode(said["data_base64"], validate=True)
    except (TypeError, ValueError):
        raise EnvelopeError(f"data_base64={said['data_base64']!r}: bytes as Base64") from None


def nanoseconds_of(instant: str) -> int:
    """An RFC 3339 instant in nanoseconds since the year 2000, where virtual time begins; finer digits are cut off."""
    found = TIMESTAMP.fullmatch(instant)
    try:
        assert found
        date, hour, minute, second, fraction, sign, hours, minutes = found.groups()
        moment = datetime.fromisoformat(f"{date}T{hour}:{minute}:00+00:00") + timedelta(seconds=int(second))
    except (AssertionError, ValueError, OverflowError):
        raise EnvelopeError(f"time={instant!r}: {STANDARD['time'][1]}") from None
    ahead = (1 if sign == "+" else -1) * (int(hours) * 3600 + int(minutes) * 60) if sign else 0
    since = moment - BEGIN
    return (since.days * 86400 + since.seconds - ahead) * SECOND + int((fraction or "0")[:9].ljust(9, "0"))


def _is_json(media_type: str | None) -> bool:
    """Whether data of this content type is a JSON value; so it is when nobody says."""
    if media_type is None:
        return True
    subtype = media_type.partition(";")[0].strip().lower().partition("/")[2]
    return subtype == "json" or subtype.endswith("+json")


def _write(event: Event, structured: bool) -> tuple[dict[str, str], str | None, bytes | None]:
    """What both bindings write: attributes for the headers, content type, body. Structured: all of it is in the body."""
    said = event.to_dict()
    if structured:
        return {}, STRUCTURED, json.dumps(said, ensure_ascii=False).encode()
    media_type, body = said.pop("datacontenttype", None), event.data
    if isinstance(body, str) and not _is_json(media_type):
        body = body.encode()
    elif body is not None and not isinstance(body, bytes):
        body = json.dumps(body, ensure_ascii=False).encode()
        media_type = media_type or "application/json"
    attributes = {name: value for name, value in said.items() if name not in ("data", "data_base64")}
    texts = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in attributes.items()}
    return texts, media_type, body


def _read(pairs: Mapping[str, str], prefix: str, body: bytes) -> Event:
    """The event of a message with these headers: attributes under their prefix and data in the body, or all of it in the body."""
    media_type = pairs.get("content-type")
    kind = (media_type or "").partition(";")[0].strip().lower()
    if kind == STRUCTURED:
        return from_dict(_json(body))
    if kind.startswith("application/cloudevents"):
        raise EnvelopeError(f"content type {media_type!r}: one event as {STRUCTURED} is read here")
    attributes: dict[str, Any] = {name.removeprefix(prefix): text for name, text in pairs.items() if name.startswith(prefix)}
    if "datacontenttype" in attributes:
        raise EnvelopeError("datacontenttype stands in the content-type header and nowhere else")
    if "data" in attributes:
        raise EnvelopeError("data is reserved: no attribute may have that name")
    if media_type is not None:
        attributes["datacontenttype"] = media_type
    if body and media_type is not None and _is_json(media_type):
        attributes["data"] = _json(body)
    elif body:
        try:
            attributes["data"] = body.decode()
        except UnicodeDecodeError:
            attributes["data_base64"] = base64.b64encode(body).decode()
    return from_dict(attributes)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError as error:
        raise EnvelopeError(f"the body is not the JSON it says it is: {error}") from None


def to_http(event: Event, *, structured: bool = False) -> HttpMessage:
    """The event as an HTTP message; see `Event.to_http`."""
    attributes, media_type, body = _write(event, structured)
    headers = {f"ce-{name}": _percent(value) for name, value in attributes.items()}
    return HttpMessage(headers | ({} if media_type is None else {"content-type": media_type}), body or b"")


def from_http(headers: Mapping[str, str] | Iterable[tuple[str, str]], body: bytes | str = b"") -> Event:
    """The event of an HTTP message; see `Event.from_http`."""
    pairs = {name.lower(): value for name, value in (headers.items() if isinstance(headers, Mapping) else headers)}
    pairs = {name: _plain(value) if name.startswith("ce-") else value for name, value in pairs.items()}
    return _read(pairs, "ce-", body.encode() if isinstance(body, str) else body)


def to_kafka(event: Event, *, structured: bool = False) -> KafkaMessage:
    """The event as a Kafka record; see `Event.to_kafka`."""
    attributes, media_type, body = _write(event, structured)
    headers = [(f"ce_{name}", value.encode()) for name, value in attributes.items()]
    if media_type is not None:
        headers.append(("content-type", media_type.encode()))
    return KafkaMessage(None if event.key is None else event.key.encode(), body, headers)


def from_kafka(
    headers: Mapping[str, bytes | str] | Iterable[tuple[str, bytes | str]],
    value: bytes | str | None = None,
    key: bytes | str | None = None,
) -> Event:
    """The event of a Kafka record; see `Event.from_kafka`."""
    try:
        pairs = {
            name.lower(): text.decode() if isinstance(text, bytes) else text
            for name, text in (headers.items() if isinstance(headers, Mapping) else headers)
        }
        key = key.decode() if isinstance(key, bytes) else key
    except UnicodeDecodeError as error:
        raise EnvelopeError(f"headers and key of a record are UTF-8: {error}") from None
    event = _read(pairs, "ce_", value.encode() if isinstance(value, str) else value or b"")
    return event if key is None or event.key is not None else event._replace(key=key)


def _percent(value: str) -> str:
    """A header value: what is not printable ASCII, the space, the quote and the percent sign are written as %XX."""
    return "".join(c if "!" <= c <= "~" and c not in '"%' else "".join(f"%{byte:02X}" for byte in c.encode()) for c in value)


def _plain(value: str) -> str:
    """A header value read: quotes taken off, then %XX, once."""
    value = value.strip(" \t")
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = re.sub(r"\\(.)", r"\1", value[1:-1], flags=re.DOTALL)
    try:
        return re.sub(rb"%([0-9A-Fa-f]{2})", lambda found: bytes([int(found[1], 16)]), value.encode()).decode()
    except UnicodeError:
        raise EnvelopeError(f"header value {value!r}: its %XX are no UTF-8") from None


def parse_traceparent(header: str) -> TraceParent:
    """The parts of a traceparent header; see `edakit.event.parse_traceparent`."""
    found = TRACEPARENT.fullmatch(header.strip(" \t")) if isinstance(header, str) else None
    if found is None:
        raise EnvelopeError(
            f"traceparent {header!r}: version-trace-parent-flags as 2, 32, 16 and 2 lower-case hexadecimal digits"
        )
    version, trace_id, parent_id, flags, more = found.groups()
    if version == "ff":
        raise EnvelopeError(f"traceparent {header!r}: there is no version ff")
    if version == "00" and more is not None:
        raise EnvelopeError(f"traceparent {header!r}: version 00 ends with the flags")
    if not trace_id.strip("0") or not parent_id.strip("0"):
        raise EnvelopeError(f"traceparent {header!r}: a trace and a parent are not all zeros")
    return TraceParent(version, trace_id, parent_id, flags)
