"""What the player shows of the state of a system, as step functions over the rows of a trace.

A *fact* is a name and a small value: how many messages a queue holds, how far a group has read. Every value is read off the
state that `edakit.state.fold` has made of the rows; the browser only looks up which value holds after a row.
"""

import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from edakit.errors import ArgumentError
from edakit.state import State, fold
from edakit.table import clean
from edakit.trace import AT_MOST_ONCE, Row

Fact = tuple[str, ...]  # a word of READ, then the names of what it is about

KEYS = 3  # keys of a database that are shown


def _queue(state: State, place: str) -> list[Any]:
    """Ready, unacked, dead; the dead letter that came last."""
    queue = state.queues[place]
    return [len(queue.ready), len(queue.unacked), len(queue.dead), clean(queue.dead[-1].id) if queue.dead else ""]


def _group(state: State, group: str, place: str) -> list[Any]:
    """Owner, next offset to read, next offset to commit."""
    found = state.groups[group, place]
    return [clean(found.owner), found.position, found.committed]


def _saga(state: State, saga: str, run: str) -> list[Any]:
    """Status, and the steps done and not undone."""
    found = state.sagas[saga, run]
    return [clean(found.status), [clean(step) for step in found.done]]


def _database(state: State, name: str) -> list[Any]:
    """How many keys there are; the first few with their values."""
    data = state.databases[name]
    return [len(data), [[clean(key, 24), clean(json.dumps(value), 16)] for key, value in islice(data.items(), KEYS)]]


READ: dict[str, Callable[..., Any]] = {
    "queue": _queue,
    "log": lambda state, place: len(state.logs[place]),
    "group": _group,
    "saga": _saga,
    "database": _database,
    "down": lambda state, who: who in state.down,
    "held": lambda state, link: link in state.held,
    "cut": lambda state, link: link in state.cut,
}


def facts(state: State) -> dict[Fact, Any]:
    """Everything of a state that the player shows."""
    names: list[Fact] = [
        *(("queue", place) for place in state.queues),
        *(("log", place) for place in state.logs),
        *(("group", *names) for names in state.groups),
        *(("saga", *names) for names in state.sagas),
        *(("database", name) for name in state.databases),
        *(("down", who) for who in state.down),
        *(("held", link) for link in state.held),
        *(("cut", link) for link in state.cut),
    ]
    return {name: READ[name[0]](state, *name[1:]) for name in names}


def _named(row: Row) -> Iterator[Fact]:
    """The facts that a row may have changed: those about what it names."""
    if row.kind == "publish":
        yield from (("queue", f"{row.place}/{name}") for name in row.note.split())
    elif row.kind in ("deliver", "ack", "requeue", "dead", "discard", "redrive", "declare", "lapse", "evict", "hop"):
        yield ("queue", row.place)
    elif row.kind in ("append", "marker", "insync"):
        yield ("log", row.place)
    elif row.kind in ("assign", "fetch", "commit", "seek", "acquire", "accept", "skip", "reset"):
        yield ("group", row.note, row.place)
    elif row.kind == "write":
        yield ("database", row.place)
    elif row.kind in ("saga", "step"):
        yield ("saga", row.place, row.note.split(" ", 1 if row.kind == "saga" else 2)[-1])
    elif row.kind in ("crash", "restart"):
        yield ("down", row.who)
    elif row.kind in ("hold", "release"):
        yield ("held", row.place)
    elif row.kind in ("cut", "mend"):
        yield ("cut", row.place)


class Ledger:
    """For each fact the rows after which its value changed, and the values: what held after `n` rows is one search away.

    Raises ArgumentError for rows that are only a part of a trace.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        self.steps: dict[Fact, tuple[list[int], list[Any]]] = {}
        self.again: set[int] = set()  # rows that deliver what was delivered before
        self.state = State()
        for n, row in enumerate(rows):
            try:
                fold(self.state, row)
            except (LookupError, ValueError):
                raise ArgumentError(
                    f"row {n + 1} ({row}) does not follow from those before it: a film needs the whole trace; "
                    "play that, and follow one event in it with f"
                ) from None
            if row.kind == "deliver" and row.note != AT_MOST_ONCE and self.state.queues[row.place].unacked[row.tag][1] > 1:
                self.again.add(n)
            if row.kind == "acquire" and self.state.group(row.note, row.place).held[row.tag][1] > 1:
                self.again.add(n)
            for fact in _named(row):
                self._note(n, fact)
            if row.kind == "crash" and row.place == row.who:  # a broker, and with it all its queues
                for place in self.state.queues:
                    self._note(n, ("queue", place))

    def _note(self, n: int, fact: Fact) -> None:
        value = READ[fact[0]](self.state, *fact[1:])
        rows, values = self.steps.setdefault(fact, ([], []))
        if not values or values[-1] != value:
            rows.append(n)
            values.append(value)

    def after(self, count: int) -> dict[Fact, Any]:
        """The facts after so many rows; what is no longer down, held or cut is not named."""
        found = {}
        for fact, (rows, values) in self.steps.items():
            n = bisect_right(rows, count - 1) - 1
            if n >= 0 and values[n] is not False:
                found[fact] = values[n]
        return found
