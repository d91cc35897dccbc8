"""An event store: the changes of each entity, in order, and an append that is refused if somebody else came first.

That refusal (`expected_version`, optimistic concurrency) is what makes it a store and not a log: a log puts facts in order, a store
defends a rule. A stream holds the events of one entity, versions 1, 2, ...; all streams together have one order, by position. Nothing
is ever changed or deleted; what must be forgotten is encrypted, and its key thrown away.

    store = EventStore("orders.db")                                      # or EventStore(): in memory, the same in all else
    store.append("order-42", [("order.placed", {"total": 9.90})], expected_version=0)
    store.load("order-42")                                               # the events, and the version to append after

An append is on disk when the call returns, whole or not at all (SQLite, write-ahead log, synchronous=FULL). Several processes may use
one file. Sources: Young, CQRS Documents; Vernon, Implementing Domain-Driven Design, appendix A; sqlite.org/wal.html.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self

from edakit.durable import open_durable, writing
from edakit.errors import ArgumentError, ConflictError, EdakitError, PayloadError
from edakit.event import freeze, thaw

ERASED = "<erased>"
PAGE = 1000  # events that are read from the file at once
COLUMNS = "position, version, stream, type, schema, data, subject, time"
encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode  # made once: json.dumps makes one each time
TABLES = """
create table if not exists events (
    position integer primary key, stream text not null, version integer not null, type text not null,
    schema integer not null, data text not null, subject text, time real, unique (stream, version));
create table if not exists snapshots (stream text primary key, version integer not null, fold text not null, state text not null);
create table if not exists views (name text primary key, position integer not null, state text not null);
create table if not exists keys (subject text primary key, key blob not null);
"""


class Fact(Protocol):
    """What can be appended besides a pair of type and data: anything that has both, as an `Event` does."""

    @property
    def type(self) -> str:
        """Its type: order.placed."""

    @property
    def data(self) -> Any:
        """JSON."""


class Recorded(NamedTuple):
    """An event as the store has it."""

    position: int  # among all events of the store, 1, 2, ..., in the order of their commits
    stream: str
    version: int  # among those of its stream, 1, 2, ...
    type: str
    data: Any  # JSON, frozen
    time: float | None  # what the append said


class EventStore:
    """Streams of events in one SQLite file, or in memory. Close it, or use it with `with`."""

    def __init__(self, path: str | Path = ":memory:") -> None:
        """Open the file, or make it. Raises ArgumentError if it is there and is something else."""
        self.path = str(path)
        self._db = open_durable(path, "event store", f"pragma secure_delete=on; {TABLES}")
        self._upcasters: dict[str, list[Callable[[dict[str, Any]], Any]]] = {}
        self.applied = 0  # events that `fold` has applied: what a snapshot saves

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. What was appended is there."""
        self._db.close()

    def append(
        self,
        stream: str,
        events: Iterable[Fact | tuple[str, Any]],
        *,
        expected_version: int | None = None,
        time: float | None = None,
        subject: str | None = None,
        personal: tuple[str, ...] = (),
    ) -> int:
        """Add events to a stream, all or none; return its new version.

        events: pairs (type, data), or things that have both. expected_version: the version you decided on, 0 for a new stream; None: at
        the end, whatever is there, as a log would. personal: names in the data that are about a person, `subject`: they are kept
        encrypted, and `shred(subject)` makes them unreadable. time: seconds. Raises ConflictError, which names both versions, and
        PayloadError; a disk that is full, or a file held by another for 30 s, is sqlite3's OperationalError. Then nothing is written.
        """
        _check(stream, expected_version, time, subject, personal)
        facts = [each if isinstance(each, tuple) and len(each) == 2 else _pair(each) for each in events]
        facts = [(type, freeze(data)) for type, data in facts]
        if wrong := [type for type, _ in facts if not isinstance(type, str) or not type]:
            raise PayloadError(f"event type {wrong[0]!r}: give a name like 'order.placed'")
        try:
            with writing(self._db):
                found = self.version(stream)
                if expected_version is not None and expected_version != found:
                    raise ConflictError(stream, expected_version, found)
                write = partial(self._sealed, subject, personal) if personal and subject else encode
                rows = [
                    (stream, n, type, len(self._upcasters.get(type, ())), write(data), subject if personal else None, time)
                    for n, (type, data) in enumerate(facts, found + 1)
                ]
                into = "insert into events (stream, version, type, schema, data, subject, time) values (?, ?, ?, ?, ?, ?, ?)"
                self._db.executemany(into, rows)
        except UnicodeEncodeError as error:
            raise PayloadError(f"{error.object[:60]!r} has half a surrogate pair, which is no text: repair it first") from None
        return found + len(rows)

    def version(self, stream: str) -> int:
        """The version of a stream's last event; 0 if there is none."""
        return int(self._db.execute("select coalesce(max(version), 0) from events where stream = ?", [stream]).fetchone()[0])

    @property
    def position(self) -> int:
        """The position of the last event of all."""
        return int(self._db.execute("select coalesce(max(position), 0) from events").fetchone()[0])

    def read(
        self, stream: str, *, after: int = 0, upto: int | None = None, backward: bool = False, limit: int | None = None
    ) -> Iterator[Recorded]:
        """The events of a stream with versions above `after` and up to `upto`, oldest first, or newest first."""
        return self._rows("version", after, _top(upto), _top(limit), backward, stream)

    def read_all(self, *, after: int = 0, backward: bool = False, limit: int | None = None) -> Iterator[Recorded]:
        """The events of all streams with positions above `after`: to follow the store, ask again after the last one you have.

        Positions have no gaps, and none appears after a higher one. What is appended while this is read is not part of it.
        """
        return self._rows("position", after, _top(None), _top(limit), backward)

    def load(self, stream: str) -> tuple[list[Recorded], int]:
        """The events of a stream, and its version: what a decision stands on."""
        events = list(self.read(stream))
        return events, events[-1].version if events else 0

    def streams(self) -> list[str]:
        """The names of all streams, in the order in which they began."""
        return [name for (name,) in self._db.execute("select stream from events where version = 1 order by position")]

    def _rows(self, column: str, low: int, high: int, left: int, backward: bool, *stream: str) -> Iterator[Recorded]:
        """Events between two numbers, page by page: no cursor is open while somebody writes, or shreds."""
        where, way = f"{'stream = ? and ' if stream else ''}{column} > ? and {column} <= ?", "desc" if backward else "asc"
        ask = f"select {COLUMNS} from events where {where} order by {column} {way} limit ?"  # noqa: S608  (no text of a caller)
        page: list[Any] = []
        first = True
        while left > 0 and (first or len(page) == PAGE):
            page = self._db.execute(ask, [*stream, low, high, min(left, PAGE)]).fetchall()
            if first and len(page) == PAGE:
                high = min(high, self.version(*stream) if stream else self.position)
            for row in page:
                yield self._read(*row)
            first, left = False, left - len(page)
            if page:
                last = page[-1][1 if stream else 0]
                low, high = (low, last - 1) if backward else (last, high)

    def _read(
        self, position: int, version: int, stream: str, type: str, schema: int, text: str, subject: str | None, time: float | None
    ) -> Recorded:
        data = json.loads(text)
        if subject is not None and isinstance(data, dict):
            data = self._decrypted(data, subject)
        for upcast in self._upcasters.get(type, ())[schema:]:
            data = upcast(data)
        return Recorded(position, stream, version, type, freeze(data), time)

    def upcast(self, type: str) -> Callable[[Callable[[dict[str, Any]], Any]], Callable[[dict[str, Any]], Any]]:
        """Register how data of a type gets from one schema to the next; the first made first. Events are stored as they were appended,
        and read as they would be appended now.

            @store.upcast("order.placed")
            def with_currency(data): return {**data, "currency": "EUR"}
        """

        def register(function: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
            self._upcasters.setdefault(type, []).append(function)
            return function

        return register

    def fold(
        self, stream: str, apply: Callable[[Any, Recorded], Any], state: Any = None, *, snapshot: str | None = None
    ) -> tuple[Any, int]:
        """The state of an entity: `apply(state, event)` for each event from the first; with its version.

        snapshot: a name for this version of `apply`; then it begins at the last snapshot of that name. A snapshot is a cache: one
        made by another fold is not used.
        """
        version = 0
        if snapshot is not None:
            asked = "select version, state from snapshots where stream = ? and fold = ?"
            if row := self._db.execute(asked, [stream, snapshot]).fetchone():
                version, state = row[0], json.loads(row[1])
        for event in self.read(stream, after=version):
            state, version = apply(state, event), event.version
            self.applied += 1
        return state, version

    def snapshot(self, stream: str, state: Any, version: int, *, fold: str) -> None:
        """Keep the state (JSON) of a stream at a version, for the fold of this name; it replaces the last one.

        Raises ArgumentError for a version that the stream has not got: what comes up to there would never be applied.
        """
        there = self.version(stream)
        if not 0 <= version <= there:
            raise ArgumentError(f"snapshot of {stream} at version {version}: the stream has come to {there}")
        row = (stream, version, fold, json.dumps(thaw(freeze(state, "state"))))
        self._db.execute("insert or replace into snapshots values (?, ?, ?, ?)", row)

    def drop_snapshots(self, stream: str | None = None) -> None:
        """Throw snapshots away, of one stream or all: nothing is lost but time."""
        self._db.execute("delete from snapshots where ? in (stream, '')", [stream or ""])

    def shred(self, subject: str) -> bool:
        """Forget a person: throw away the key of what is personal. Events and versions stay; the fields read as "<erased>".

        What is appended about them later has another key. Copies elsewhere (views, snapshots, names of streams) are yours to clear.
        False if nothing is known of them. Raises EdakitError if another process, by reading, keeps the old bytes in the file.
        """
        with writing(self._db):
            gone = self._db.execute("delete from keys where subject = ?", [subject]).rowcount > 0
        if self._db.execute("pragma wal_checkpoint(truncate)").fetchone()[0]:
            where = f"{self.path}-wal"
            raise EdakitError(f"{subject} is shredded, but somebody reads the file and the key is still in {where}: shred again")
        return gone

    def _sealed(self, subject: str, personal: tuple[str, ...], data: Any) -> str:
        """The data as text, with what is personal encrypted by the key of the subject, which is made for the first."""
        from cryptography.fernet import Fernet  # only who keeps personal data waits for it

        if not isinstance(data, dict):
            raise PayloadError(f"data is {data!r}: only what has a name can be personal; give an object")
        if not self._key(subject):
            self._db.execute("insert into keys values (?, ?)", [subject, Fernet.generate_key()])
        lock = Fernet(self._key(subject))
        hidden = {name: {ERASED: lock.encrypt(encode(data[name]).encode()).decode()} for name in personal if name in data}
        return encode({**data, **hidden})

    def _decrypted(self, data: Any, subject: str) -> Any:
        from cryptography.fernet import Fernet, InvalidToken

        key = self._key(subject)

        def opened(text: str) -> Any:
            try:
                return json.loads(Fernet(key).decrypt(text)) if key else ERASED
            except InvalidToken:  # locked by a key that is gone; this one was made later
                return ERASED

        locked = {name: value[ERASED] for name, value in data.items() if isinstance(value, dict) and ERASED in value}
        return {**data, **{name: opened(text) for name, text in locked.items()}}

    def _key(self, subject: str) -> bytes:
        row = self._db.execute("select key from keys where subject = ?", [subject]).fetchone()
        return bytes(row[0]) if row else b""

    def projection(self, name: str, apply: Callable[[Any, Recorded], Any], state: Any) -> "Projection":
        """A view of all events that is kept in this store under a name: see `Projection`."""
        return Projection(self, name, apply, state)


class Projection:
    """A view: `apply(state, event)` over all events of a store, from `state` (JSON) on. It lags until `catch_up` has run.

    State and position are kept in one transaction: after a crash no event is missed and none counted twice.
    """

    def __init__(self, store: EventStore, name: str, apply: Callable[[Any, Recorded], Any], state: Any) -> None:
        self.store, self.name, self._apply, self._begin = store, name, apply, json.dumps(thaw(freeze(state, "state")))

    def _row(self) -> tuple[int, str]:
        row = self.store._db.execute("select position, state from views where name = ?", [self.name]).fetchone()
        return row or (0, self._begin)

    @property
    def position(self) -> int:
        """Up to which event of the store it has come."""
        return self._row()[0]

    @property
    def state(self) -> Any:
        """The view as it is."""
        return json.loads(self._row()[1])

    @property
    def lag(self) -> int:
        """How many events it is behind."""
        return int(self.store._db.execute("select count(*) from events where position > ?", [self.position]).fetchone()[0])

    def catch_up(self, limit: int | None = None) -> int:
        """Apply what is new, at most `limit` events; return how many."""
        with writing(self.store._db):
            return self._advance(*self._row(), limit)

    def rebuild(self) -> int:
        """Begin again at the first event; return how many there were. Readers see the old view until the new one is whole."""
        with writing(self.store._db):
            return self._advance(0, self._begin, None)

    def _advance(self, position: int, text: str, limit: int | None) -> int:
        state, count = json.loads(text), 0
        for event in self.store.read_all(after=position, limit=limit):
            state, position, count = self._apply(state, event), event.position, count + 1
        kept = (self.name, position, json.dumps(thaw(freeze(state, "state"))))
        self.store._db.execute("insert or replace into views values (?, ?, ?)", kept)
        return count


def _check(stream: str, expected: int | None, time: float | None, subject: str | None, personal: tuple[str, ...]) -> None:
    """Raise ArgumentError for what an append cannot mean."""
    if not isinstance(stream, str) or not stream:
        raise ArgumentError(f"stream {stream!r}: give a name like 'order-42'")
    if expected is not None and expected.__class__ is not int:
        raise ArgumentError(f"expected_version={expected!r}: the version you have seen, a whole number; 0 for a new stream")
    if time is not None and not (isinstance(time, (int, float)) and math.isfinite(time)):
        raise ArgumentError(f"time={time!r}: seconds")
    if isinstance(personal, str):
        raise ArgumentError(f"personal={personal!r}: give a tuple of names, personal=({personal!r},)")
    if (personal or subject is not None) and not (isinstance(subject, str) and subject):
        raise ArgumentError(f"subject={subject!r}, personal={personal!r}: say whose it is, subject='customer-ada'")


def _pair(fact: Any) -> tuple[str, Any]:
    """The type and data of what has both."""
    try:
        return fact.type, fact.data
    except AttributeError:
        cure = "give a list of pairs, [('order.placed', {...})], or of things with type and data"
        raise PayloadError(f"{fact!r} is no event: {cure}") from None


def _top(limit: int | None) -> int:
    return (1 << 62) if limit is None else limit
