"""The trace: everything that happened, one row each, in order. Pictures, tables, checks and digests are functions of it.

A row is written at the instant something changes, after the change, and never altered. The kinds form a closed list:

{kinds}

`place` says where: a queue is `broker/queue`, a partition `topic/number`, a link `from>to`. `who` acted: a service instance
(`payment`, or `payment.2` where there are several), a client or a member. `tag` is a number whose meaning the kind gives.
`since` is when the thing began that ends with this row (a message left, a handler started). `note` is text; JSON where said.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from difflib import get_close_matches
from hashlib import blake2b
from importlib import import_module
from itertools import islice
from typing import Any, NamedTuple

from edakit.errors import ArgumentError
from edakit.event import Event, freeze
from edakit.units import SECOND

KINDS = {
    # kind: what it says
    "publish": "broker `place` has taken the event from `who` (`tag` 1: from its archive); `note` names the queues it went to (none: gone)",
    "deliver": "queue `place` sends it to `who` as delivery `tag`; it is unacked now (`note` at most once: forgotten)",
    "handle": "the handler of `who` returned; it ran from `since`",
    "fail": "the handler of `who` raised; `note` is the error",
    "ack": "queue `place` forgets delivery `tag` (-n: the message was out no more, and waited again after n receives)",
    "requeue": "delivery `tag` goes back to its place in queue `place`, ahead of what was never out; `note` says why",
    "dead": "delivery `tag` is given up and kept among the dead letters of queue `place` (0: it was waiting); `note` says why",
    "discard": "delivery `tag` is thrown away (0: it was waiting, -1: the oldest dead letter); `note` says why",
    "declare": "queue `place` is declared; `note` is the JSON of its arguments",
    "lapse": "queue `place` loses the message at its head, which is older than its TTL; `tag` 1: kept among the dead letters",
    "evict": "queue `place` is too long and loses the message at its head; `tag` 1: kept among the dead letters",
    "hop": "queue `place` takes a dead letter of queue `who`; `note` is the reason (rejected, expired, maxlen, delivery_limit)",
    "refuse": "queue `place` is full and does not take the event of `who`",
    "return": "broker `place` gives the event back to `who`: it was mandatory, and no queue gets it",
    "redrive": "the oldest dead letter of queue `place` goes back to the end of the queue, its count at zero",
    "stale": "`who` settled delivery `tag` too late: it was closed already, and nothing changes",
    "append": "partition `place` has written the event of `who` at offset `tag`",
    "resend": "`who` has no answer, or a no, and sends a batch to partition `place` again: the one that begins with this event; try `tag`",
    "decline": "partition `place` does not take the event of `who`; `note` says why (duplicate, out of order, not enough replicas)",
    "confirm": "partition `place` tells `who` that it has the event, which came at `since`: `tag` copies have it",
    "marker": "partition `place` has at offset `tag` the end of the transaction of `who`; `note`: commit or abort",
    "insync": "`who` leads partition `place` (empty: nobody), and `note` are in sync; its log ends at `tag`: what was behind that is gone",
    "assign": "group `note` gives partition `place` to `who` (empty: nobody, *: all members), who goes on from `tag`, the committed offset",
    "acquire": "share group `note` locks the record at offset `tag` of partition `place` for `who`, and hands it out",
    "accept": "`who` has done the record at offset `tag` of partition `place`: share group `note` is through with it",
    "unlock": "share group `note` may hand offset `tag` of partition `place` out again: `who` has released it (empty: its time is up)",
    "fetch": "partition `place` hands the record at offset `tag` to `who`; `note` is the group",
    "commit": "group `note` has `tag` as its next offset to read in partition `place`",
    "seek": "group `note` will read partition `place` from offset `tag`; `who` asked for it",
    "skip": "group `note` gives up the record at offset `tag` of partition `place` and goes on",
    "reset": "partition `place` has not got the next record of group `note` (any more): `who` goes on from offset `tag`",
    "revoke": "group `note` takes partition `place` from `who`; nobody reads it until it is assigned again",
    "expel": "group `note` of stream `place` puts `who` out: it has not asked for records in time",
    "grow": "topic `place` has `tag` partitions now",
    "expire": "partition `place` has given up all before offset `tag`: too old, or too much",
    "compact": "of some keys, partition `place` has given up all but the last record; `note` is the JSON of the `tag` offsets",
    "call": "`who` sends a request to `place`; `tag` counts the tries of this request",
    "reply": "the answer of `place` is back at `who`, who asked at `since`; `note` is empty or says no",
    "timeout": "`who` no longer waits for `place`, whom it asked at `since`: what happened there is unknown to it",
    "read": "`who` has read key `note` of database `place`",
    "write": "database `place` has changed, all at once; `note` is the JSON of the keys and their new values (null: gone)",
    "rollback": "a transaction of `who` on database `place` ended without a trace; `note` says why",
    "saga": "saga run `note` of `place` has begun, is completed, is compensated, or is parked for a person (first word of `note`)",
    "step": "a step of a saga run: `note` is done, failed, undone or stuck, then the step; `tag` is its place in the list",
    "drop": "link `place` lost a message of `who`; `note` is the leg (publish, confirm, deliver, ack, request, reply, dead-letter)",
    "duplicate": "link `place` will carry a message of `who` twice; `note` is the leg",
    "hold": "link `place` keeps what it is given until it is released",
    "release": "link `place` lets go of what it held",
    "cut": "link `place` is broken: what it is given is lost",
    "mend": "link `place` works again",
    "crash": "`who` is gone, with its memory; a broker with its connections and all that is not durable; a machine of a stream",
    "restart": "`who` is back, knowing nothing; a broker with what is durable",
    "log": "`who` says `note`",
}
__doc__ = __doc__.replace("{kinds}", "\n".join(f"    {kind:10} {text}" for kind, text in KINDS.items()))

# kinds whose tag may be 0
OFFSETS = ("append", "marker", "insync", "assign", "acquire", "accept", "unlock", "fetch", "commit", "seek", "skip", "reset")
AT_MOST_ONCE = "at most once"  # the note of a delivery that nobody is expected to acknowledge
WIDTH = 8  # fields of a row
SHOWN = 40  # rows that a printed trace shows


class Row(NamedTuple):
    """One thing that happened."""

    ns: int  # virtual nanoseconds
    kind: str  # one of KINDS
    place: str
    who: str
    event: Event | None
    tag: int
    since: int
    note: str

    @property
    def time(self) -> float:
        """Virtual seconds."""
        return self.ns / SECOND

    @property
    def began(self) -> float:
        """Virtual seconds at which the thing began that ends with this row."""
        return self.since / SECOND

    @property
    def service(self) -> str:
        """`who` without the number of the instance."""
        return service_of(self.who)

    def __str__(self) -> str:
        return "  ".join(_cells(self)).rstrip()


Fields = tuple[int, str, str, str, Event | None, int, int, str]
Write = Callable[[Fields], None]


class Trace(Sequence[Row]):
    """Rows in the order in which they were written. Slices and queries give a Trace again.

    Kept as one flat list: no object per row, so that a long trace neither fills memory nor slows the garbage collector.

    only: the kinds of rows to keep; None: all. A thinned trace answers what it can (`where` with kinds that it keeps, `counts`) and
    says of the rest that it cannot: half a story is told as a whole one nowhere. `left_out` counts the rows that were not kept.
    """

    def __init__(self, rows: "Sequence[Row] | Iterator[Row]" = (), only: Collection[str] | None = None) -> None:
        self._flat: list[Any] = [field for row in rows for field in row]
        self.write: Write = self._flat.extend  # takes one row, whole: the hottest call of the kit
        self.only, self.left_out = None if only is None else _checked_kinds(only), 0
        if only is not None:
            self.write = self._write_thinned

    def _write_thinned(self, fields: Fields) -> None:
        if fields[1] in (self.only or ()):
            self._flat.extend(fields)
        else:
            self.left_out += 1

    def _check_kept(self, kinds: Collection[str], what: str) -> None:
        """Raise ArgumentError if rows of these kinds are not kept."""
        missing = [] if self.only is None else [kind for kind in kinds if kind not in self.only]
        if missing:
            kept, more = ", ".join(self.only or ()) or "nothing", ", ".join(missing) if len(missing) < 5 else "all"
            raise ArgumentError(
                f"{what} needs {more} rows, and this trace keeps {kept}: build the lab with them, Lab(trace=None) for all"
            )

    def add(
        self, ns: int, kind: str, place: str, who: str, event: Event | None, tag: int = 0, since: int = 0, note: str = ""
    ) -> None:
        """Write a row."""
        self.write((ns, kind, place, who, event, tag, since, note))

    def __len__(self) -> int:
        return len(self._flat) // WIDTH

    def __iter__(self) -> Iterator[Row]:
        self._check_kept(KINDS, "going through a trace, as pictures and measures do,")
        fields = iter(self._flat)
        return map(Row._make, zip(*[fields] * WIDTH, strict=True))

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return Trace([self[n] for n in range(*index.indices(len(self)))])
        n = range(len(self))[index] * WIDTH
        return Row._make(self._flat[n : n + WIDTH])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Trace) and self._flat == other._flat

    __hash__ = None  # type: ignore[assignment]

    def where(
        self,
        kind: str | Sequence[str] | None = None,
        *,
        place: str | None = None,
        who: str | None = None,
        type: str | None = None,
        key: str | None = None,
        note: str | None = None,
    ) -> "Trace":
        """The rows that fit everything asked for. `who` may be a service or one instance; `kind` may be several.

        Raises ArgumentError for a kind that does not exist, or that this trace does not keep.
        """
        all_kept = KINDS if self.only is None else self.only
        chosen = dict.fromkeys(_checked_kinds(all_kept if kind is None else (kind,) if isinstance(kind, str) else kind))
        self._check_kept(chosen, "where")
        found = [self[n] for n, name in enumerate(self._flat[1::WIDTH]) if name in chosen]
        return Trace(
            [
                row
                for row in found
                if (place is None or row.place == place)
                and (who is None or who in (row.who, row.service))
                and (type is None or (row.event is not None and row.event.type == type))
                and (key is None or (row.event is not None and row.event.key == key))
                and (note is None or row.note == note)
            ]
        )

    def counts(self, by: str = "kind") -> dict[str, int]:
        """How many rows there are of each kind (or by another field: `place`, `who`, `service`, `type`), in order of first sight."""
        if by not in ("kind", "place", "who", "service", "type", "note"):
            raise ArgumentError(f"by={by!r}: one of kind, place, who, service, type, note")
        counts: dict[str, int] = {}
        if by == "kind":
            for kind in self._flat[1::WIDTH]:
                counts[kind] = counts.get(kind, 0) + 1
            return counts
        for row in self:
            name = (row.event.type if row.event else "") if by == "type" else getattr(row, by)
            counts[name] = counts.get(name, 0) + 1
        return counts

    def keys(self, type: str) -> "Keys":
        """The keys of the events of this type that a broker or stream has taken, in order, each once. Supports -, & and |."""
        self._check_kept(("publish", "append"), "keys")
        flat = self._flat
        return Keys(
            event.key
            for n, kind in enumerate(flat[1::WIDTH])
            if kind in ("publish", "append") and (event := flat[n * WIDTH + 4]).type == type
        )

    def events(self, type: str | None = None) -> list[Event]:
        """The events of the trace, each once, in order of appearance."""
        seen = {event.id: event for event in self._flat[4::WIDTH] if event is not None}
        return [event for event in seen.values() if type in (None, event.type)]

    def of(self, event: "Event | str | Row") -> "Trace":
        """The causal story of one event: its own rows and those of all it led to, with the crashes and faults that touched it.

        Takes an event, a row or an id. Raises ArgumentError for what is not in the trace.
        """
        if isinstance(event, Row):
            if event.event is None:
                raise ArgumentError(f"a {event.kind} row has no event and so no story: give a row with one, an event or an id")
            event = event.event
        id = event.id if isinstance(event, Event) else event
        events = {each.id: each for each in self.events()}
        if id not in events:
            raise ArgumentError(f"no event {id!r} in this trace; it has {', '.join(islice(events, 5)) or 'no events'}...")
        story = {id}
        for each in events.values():  # a cause comes before its effects
            if each.causation in story:
                story.add(each.id)
        mine = [(n, self[n]) for n, each in enumerate(self._flat[4::WIDTH]) if each is not None and each.id in story]
        first, last, crew = mine[0][0], mine[-1][0], {row.who for _, row in mine}
        around = {n: self[n] for n in range(first, last + 1) if self._flat[n * WIDTH + 4] is None}
        mine += [(n, row) for n, row in around.items() if row.kind in ("crash", "restart") and row.who in crew]
        return Trace([row for _, row in sorted(mine, key=lambda pair: pair[0])])

    def state_at(self, time: float) -> "Any":
        """What the system looked like after the last row at or before `time` (virtual seconds): see `edakit.state.State`."""
        from edakit.state import fold_until

        return fold_until(self, round(time * SECOND))

    def play(self, **options: Any) -> Any:
        """These rows as a film: see `edakit.play`."""
        return import_module("edakit.player").play(self, **options)  # by name: what is looked at stands above the ground

    def digest(self) -> str:
        """A short name of the whole trace: equal exactly when every row is equal, on every machine and Python."""
        digest, text, events = blake2b(digest_size=16), [], self.events()
        number: dict[str | None, int] = {None: -1, **{event.id: n for n, event in enumerate(events)}}
        fields = iter(self._flat)
        for ns, kind, place, who, event, tag, since, note in zip(*[fields] * WIDTH, strict=True):
            n = number[event and event.id]
            text.append(f"{ns} {kind} {place} {who} {n} {tag} {since} {len(note)} {note}\n")  # no note can pass for a row
            if len(text) == 1000:
                digest.update("".join(text).encode("utf-8", "surrogatepass"))
                text.clear()
        digest.update("".join(text).encode("utf-8", "surrogatepass"))
        digest.update(json.dumps(events).encode())
        return digest.hexdigest()

    def to_json(self) -> str:
        """The whole trace as JSON text: the events once each, and the rows."""
        events = {event.id: n for n, event in enumerate(self.events())}
        rows = [[*row[:4], None if row.event is None else events[row.event.id], *row[5:]] for row in self]
        return json.dumps({"edakit": 1, "events": [list(event) for event in self.events()], "rows": rows})

    @classmethod
    def from_json(cls, text: str) -> "Trace":
        """The trace that `to_json` wrote. Raises ArgumentError for text that is something else."""
        try:
            stored = json.loads(text)
            events = [Event(*[freeze(field) for field in event]) for event in stored["events"]]
            rows = [(*row[:4], None if row[4] is None else events[row[4]], *row[5:]) for row in stored["rows"]]
            return cls([Row._make(row) for row in rows])
        except (TypeError, ValueError, KeyError, IndexError) as error:
            raise ArgumentError(f"this is not a trace: {error!r}; give what trace.to_json() returned") from error

    def __repr__(self) -> str:
        return self.text()

    def text(self, rows: int = SHOWN) -> str:
        """The trace as an aligned table of at most so many rows; the middle is left out."""
        if self.left_out and not len(self):
            return f"no rows: {self.left_out:,} were written and not kept (Lab(trace=...))"
        if not len(self):
            return "no rows: nothing fits, or nothing has happened yet (lab.run())"
        count = len(self)
        head = count if count <= rows else rows // 2
        tail = count - (0 if count <= rows else rows - rows // 2)
        cells = [_cells(self[n]) for n in range(head)] + [_cells(self[n]) for n in range(max(tail, head), count)]
        cells.insert(0, ["time", "what", "where", "who", "event", "tag", "note"])
        used = [n for n in range(7) if any(row[n] for row in cells[1:])]
        wide = [max(len(row[n]) for row in cells) for n in range(7)]
        lines = [
            "  ".join(row[n].rjust(wide[n]) if n in (0, 5) else row[n].ljust(wide[n]) for n in used).rstrip() for row in cells
        ]
        if tail > head:
            lines.insert(head + 1, f"... {tail - head:,} rows more: ask for .where(kind=...), .of(event) or a slice")
        return "\n".join(lines)


class Keys(AbstractSet[Any]):
    """An ordered set of keys: `-`, `&` and `|` keep the order of the left side."""

    def __init__(self, keys: "Iterator[Any] | Sequence[Any] | AbstractSet[Any]" = ()) -> None:
        self._keys = dict.fromkeys(keys)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def __iter__(self) -> Iterator[Any]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def __and__(self, other: Iterable[Any]) -> "Keys":
        there = set(other)
        return Keys(key for key in self if key in there)

    def __repr__(self) -> str:
        shown = ", ".join(map(str, islice(self._keys, 10)))
        return f"{len(self)} keys: {shown}{', ...' if len(self) > 10 else ''}" if self._keys else "0 keys"


def _checked_kinds(kinds: Collection[str]) -> tuple[str, ...]:
    """Kinds of rows. Raises ArgumentError for one that does not exist."""
    for name in kinds:
        if name not in KINDS:
            near = ", ".join(get_close_matches(str(name), KINDS)) or "none is near"
            some = ", ".join(islice(KINDS, 8))
            raise ArgumentError(f"no row kind {name!r}; the kinds are: {some}, ... (near: {near}; all: edakit.trace.KINDS)")
    return tuple(kinds)


def service_of(who: str) -> str:
    """The service that an instance belongs to: payment.2 -> payment."""
    name, dot, number = who.rpartition(".")
    return name if dot and number.isdigit() else who


def _cells(row: Row) -> list[str]:
    """The fields of a row as a person reads them."""
    id = row.event.id if row.event else ""
    return [
        f"{row.time:.3f}",
        row.kind,
        _shorten(row.place),
        _shorten(row.who),
        _shorten(id),
        str(row.tag) if row.tag or row.kind in OFFSETS else "",
        _shorten(row.note),
    ]


def _shorten(text: str, most: int = 60) -> str:
    """Text for one cell of a table: one line, nothing that moves the cursor, not too long."""
    text = "".join(char if char.isprintable() else "?" for char in text)
    return text if len(text) <= most else text[: most - 3] + "..."
