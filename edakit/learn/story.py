"""A short trace told in sentences, one for each row that moves the story."""

import json
from collections.abc import Collection, Iterator
from typing import NamedTuple

from edakit.table import clean
from edakit.trace import Row, Trace

MOST = 12  # lines of a story


def story(trace: Trace, keys: Collection[str] = ()) -> list[str]:
    """What happened, in order, at most `MOST` lines. What does not fit is left out: first what goes without saying, then what is
    not about events of these keys, then the middle.
    """
    told = list(sentences(trace))
    if len(told) > MOST:
        told = [each for each in told if not each.plain]
    mine = {event.correlation for event in trace.events() if event.key in keys}
    if len(told) > MOST and mine:
        told = [each for each in told if each.row.event is None or each.row.event.correlation in mine]
    lines = [f"{each.row.time:7.3f}  {clean(each.text, 110)}" for each in told]
    if len(lines) <= MOST:
        return lines
    tail = MOST // 2
    return [*lines[: MOST - tail - 1], f"    ...  {len(lines) - MOST + 1} more", *lines[-tail:]]


class Told(NamedTuple):
    """A row and its sentence. plain: it goes without saying."""

    row: Row
    text: str
    plain: bool = False


def sentences(trace: Trace) -> Iterator[Told]:
    """The rows that move a story, each with its sentence."""
    handed: set[tuple[str, str]] = set()
    for row in trace:
        id = row.event.id if row.event else ""
        if row.kind == "deliver":
            again = (row.place, id) in handed
            handed.add((row.place, id))
            yield Told(row, f"{row.place} hands {id} to {row.who}{' again' if again else ''}", not again)
        elif row.who != "lab" and (text := TOLD.get(row.kind)) and (row.kind, row.note) != ("write", "{}"):
            note = row.note or (json.dumps(row.event.data) if row.kind == "reply" and row.event else "")
            yield Told(row, text.format(place=row.place, who=row.who, id=id, note=note, to=note or "nobody"))


TOLD = {
    "publish": "{place} has {id} of {who}, for {to}",
    "append": "{place} has {id} of {who}",
    "fail": "{who} fails at {id}: {note}",
    "requeue": "{place} takes {id} back: {note}",
    "dead": "{place} gives {id} up: {note}",
    "lapse": "{place} loses {id}: it is too old",
    "evict": "{place} is too long and loses {id}",
    "hop": "{place} has {id}, a dead letter of {who}: {note}",
    "refuse": "{place} is full and does not take {id} of {who}",
    "return": "{place} gives {id} back to {who}: {note}",
    "discard": "{place} throws {id} away: {note}",
    "call": "{who} asks {place}: {id}",
    "reply": "{who} has the answer of {place}: {note}",
    "timeout": "{who} waits no longer for {place}",
    "write": "{place} keeps {note}, by {who}",
    "rollback": "{place} keeps nothing of {who}: {note}",
    "saga": "{place}: {note}",
    "step": "{place}: {note}",
    "drop": "{place} loses a message ({note}): {id}",
    "duplicate": "{place} carries a message twice ({note}): {id}",
    "hold": "{place} holds back what is sent",
    "release": "{place} lets go of it",
    "cut": "{place} is cut",
    "mend": "{place} works again",
    "crash": "{who} crashes",
    "restart": "{who} is back, knowing nothing",
    "log": "{who} notes: {note}",
}
