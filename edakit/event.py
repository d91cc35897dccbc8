"""An event: the record of something that has already happened. It cannot be changed.

The envelope is CloudEvents 1.0 (id, source, type, time, data; https://github.com/cloudevents/spec) plus what an event-driven
system needs to follow a story: the ordering key, the event it was caused by, and the event the whole story began with.
"""

from binascii import b2a_base64
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from edakit.errors import PayloadError
from edakit.units import SECOND

if TYPE_CHECKING:
    from edakit.cloudevents import HttpMessage, KafkaMessage, TraceParent


class Frozen(dict[str, Any]):
    """A JSON object that cannot be changed: one handler cannot alter what another is about to read."""

    __slots__ = ()

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise PayloadError('an event is a fact and cannot be changed: build a new dict, {**event.data, "name": value}')

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type, tuple[dict[str, Any]]]:
        return Frozen, (dict(self),)


NOTHING = Frozen()
SIMPLE = frozenset({str, int, float, bool, type(None)})
EPOCH = datetime(2000, 1, 1)  # noqa: DTZ001  (virtual time has no zone; only its arithmetic is used)


def freeze(data: Any, where: str = "data") -> Any:
    """A copy of JSON data that cannot be changed; lists become tuples. Raises PayloadError with the place of what is not JSON."""
    kind = data.__class__
    if kind is Frozen or kind is str or kind is int or data is None or kind is bool:
        return data
    if kind is dict and _plain(data):
        return Frozen(data)
    if kind is float:
        if data - data != 0:
            raise PayloadError(f"{where} is {data!r}: JSON has no infinity and no NaN")
        return data
    try:
        if isinstance(data, Mapping):
            for name in data:
                if name.__class__ is not str:
                    raise PayloadError(f"{where} has the name {name!r}: names in JSON are strings")
            return Frozen({name: freeze(value, f"{where}[{name!r}]") for name, value in data.items()})
        if isinstance(data, (list, tuple)):
            return tuple(freeze(value, f"{where}[{n}]") for n, value in enumerate(data))
    except RecursionError:
        raise PayloadError(f"{where.partition('[')[0]} contains itself, or is nested too deeply for JSON") from None
    raise PayloadError(f"{where} is {data!r} ({kind.__name__}), which is not JSON: use str, int, float, bool, None, dict or list")


def _plain(data: dict[Any, Any]) -> bool:
    """Whether this is the usual event, names and plain values: found out without looking at each by itself."""
    kinds = {*map(type, data.values())}
    try:
        "".join(data)  # names that are not strings have no join
    except TypeError:
        return False
    return kinds <= SIMPLE and (
        float not in kinds or all(value - value == 0 for value in data.values() if value.__class__ is float)
    )


def thaw(data: Any) -> Any:
    """A plain copy of frozen data, dicts and lists, to be changed or written as JSON."""
    if isinstance(data, Frozen):
        return {name: thaw(value) for name, value in data.items()}
    return [thaw(value) for value in data] if isinstance(data, tuple) else data


class Event(NamedTuple):
    """One fact. Handlers read it; `ctx.publish` makes the next one and fills in where it came from."""

    id: str  # readable and stable: order-42.placed.1 is the first order.placed with key 42
    type: str  # order.placed: dotted, past tense
    source: str  # who published it
    data: Any  # JSON, frozen
    key: str | None  # what must stay in order together, e.g. the order number
    ns: int  # when it happened, virtual nanoseconds
    causation: str | None  # id of the event that led to it
    correlation: str  # id of the event that the whole story began with
    extensions: Mapping[str, Any] = NOTHING  # other attributes of its envelope; None: what that left out

    @property
    def time(self) -> float:
        """When it happened, in virtual seconds (event time; `ctx.now` is processing time)."""
        return self.ns / SECOND

    def __repr__(self) -> str:
        return f"<event {self.id}>"

    def to_dict(self) -> dict[str, Any]:
        """The event as a CloudEvents 1.0 object, as the JSON event format has it.

        `time` is an RFC 3339 instant; virtual time begins with the year 2000. Bytes go out as `data_base64`. An event that
        `from_dict` has read goes out as it came.
        """
        binary = isinstance(self.data, bytes)
        data = {"data_base64": b2a_base64(self.data, newline=False).decode()} if binary else {"data": thaw(self.data)}
        envelope = {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "time": _instant(self.ns),
            "correlationid": self.correlation,
            "partitionkey": self.key,
            "causationid": self.causation,
            **self.extensions,
        }
        said = {name: value for name, value in envelope.items() if value is not None}
        return said if self.data is None and "data" in self.extensions else {**said, **data}

    @staticmethod
    def from_dict(envelope: Mapping[str, Any]) -> "Event":
        """The event of a CloudEvents 1.0 object in the JSON event format, already read from its JSON.

            >>> Event.from_dict({"specversion": "1.0", "id": "1", "source": "/shop", "type": "order.placed", "data": {"order": 42}})
            <event 1>

        `partitionkey` becomes the key, `causationid` and `correlationid` what they say (an event without is the first of its story),
        `time` nanoseconds since 2000, `data_base64` bytes; every other attribute is in `extensions`. Null is as good as left out.
        Raises EnvelopeError (a ValueError) with the attribute and what it must be: a required one is missing or empty, a name has
        other characters than a-z and 0-9, a value has the wrong type, time is not RFC 3339, there are both data and data_base64.
        """
        from edakit import cloudevents

        return cloudevents.from_dict(envelope)

    def to_http(self, *, structured: bool = False) -> "HttpMessage":
        """As an HTTP message, (headers, body): in binary mode attributes are headers ce-id, ..., and the body is the data;
        structured, the body is `to_dict` as JSON.
        """
        from edakit import cloudevents

        return cloudevents.to_http(self, structured=structured)

    @staticmethod
    def from_http(headers: Mapping[str, str] | Iterable[tuple[str, str]], body: bytes | str = b"") -> "Event":
        """The event of an HTTP message in either mode, told apart by its content type. Raises EnvelopeError if it is not valid.

        Data of a JSON content type is read; other data is a string if it is UTF-8, and bytes if not.
        """
        from edakit import cloudevents

        return cloudevents.from_http(headers, body)

    def to_kafka(self, *, structured: bool = False) -> "KafkaMessage":
        """As a Kafka record, (key, value, headers): modes as in `to_http`, headers ce_id, ...; the key is the event's key.

        In binary mode an event without data has no value: in a compacted topic, a tombstone.
        """
        from edakit import cloudevents

        return cloudevents.to_kafka(self, structured=structured)

    @staticmethod
    def from_kafka(
        headers: Mapping[str, bytes | str] | Iterable[tuple[str, bytes | str]],
        value: bytes | str | None = None,
        key: bytes | str | None = None,
    ) -> "Event":
        """The event of a Kafka record in either mode; the record's key is its key unless it has one. Raises EnvelopeError as
        `from_http` does.
        """
        from edakit import cloudevents

        return cloudevents.from_kafka(headers, value, key)


def parse_traceparent(header: str) -> "TraceParent":
    """The parts of a W3C `traceparent` header: version, trace_id, parent_id, flags (strings), and `sampled`.

        >>> parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").sampled
        True

    White space around it is no part of it. A version after 00 is read as far as it is known: more may follow after a dash.
    Raises EnvelopeError (a ValueError) if it is invalid: then the receiver begins a new trace.
    Source: https://www.w3.org/TR/trace-context/#traceparent-header
    """
    from edakit import cloudevents

    return cloudevents.parse_traceparent(header)


new_event: Callable[[tuple[Any, ...]], Event] = partial(tuple.__new__, Event)
"""An event from all its fields in order: three times as fast as `Event(...)`."""


def _instant(ns: int) -> str:
    """Virtual nanoseconds as RFC 3339; virtual time begins at the start of the year 2000."""
    seconds, fraction = divmod(ns, SECOND)
    return f"{(EPOCH + timedelta(seconds=seconds)).isoformat()}.{fraction:09}Z"
