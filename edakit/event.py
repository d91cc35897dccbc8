"""An event: the record of something that has already happened. It cannot be changed.

The envelope is CloudEvents 1.0 (id, source, type, time, data; https://github.com/cloudevents/spec) plus what an event-driven
system needs to follow a story: the ordering key, the event it was caused by, and the event the whole story began with.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple, NoReturn

from edakit.errors import PayloadError
from edakit.units import SECOND


class Frozen(dict[str, Any]):
    """A JSON object that cannot be changed: one handler cannot alter what another is about to read."""

    __slots__ = ()

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise PayloadError('an event is a fact and cannot be changed: build a new dict, {**event.data, "name": value}')

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type, tuple[dict[str, Any]]]:
        return Frozen, (dict(self),)


NOTHING = Frozen()
SIMPLE = frozenset({str, int, bool, type(None)})
EPOCH = datetime(2000, 1, 1)  # noqa: DTZ001  (virtual time has no zone; only its arithmetic is used)


def freeze(data: Any, where: str = "data") -> Any:
    """A copy of JSON data that cannot be changed; lists become tuples. Raises PayloadError with the place of what is not JSON."""
    kind = data.__class__
    if kind is dict and SIMPLE.issuperset(map(type, data.values())):  # the usual event, checked without a loop of ours
        try:
            "".join(data)  # names that are not strings have no join
        except TypeError:
            pass
        else:
            return Frozen(data)
    if kind is Frozen or kind is str or kind is int or data is None or kind is bool:
        return data
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
    extensions: Mapping[str, str] = NOTHING

    @property
    def time(self) -> float:
        """When it happened, in virtual seconds (event time; `ctx.now` is processing time)."""
        return self.ns / SECOND

    def __repr__(self) -> str:
        return f"<event {self.id}>"

    def to_dict(self) -> dict[str, Any]:
        """The event as a flat CloudEvents 1.0 object; `time` is an RFC 3339 instant in the year 2000, where virtual time begins."""
        optional = {"partitionkey": self.key, "causationid": self.causation}
        return {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "time": _instant(self.ns),
            "correlationid": self.correlation,
            **{name: value for name, value in optional.items() if value is not None},
            **self.extensions,
            "data": self.data,
        }


new_event: Callable[[tuple[Any, ...]], Event] = partial(tuple.__new__, Event)
"""An event from all its fields in order: three times as fast as `Event(...)`."""


def _instant(ns: int) -> str:
    """Virtual nanoseconds as RFC 3339; virtual time begins at the start of the year 2000."""
    seconds, fraction = divmod(ns, SECOND)
    return f"{(EPOCH + timedelta(seconds=seconds)).isoformat()}.{fraction:09}Z"
