"""A short trace told in sentences, one for each row that moves the story."""

from collections.abc import Collection, Iterator

from edakit.table import clean
from edakit.trace import Row, Trace

MOST = 12  # lines of a story


def story(trace: Trace, keys: Collection[str] = ()) -> list[str]:
    """What happened, in order, at most `MOST` lines: to the events of these keys, and what went wrong around them."""
    told = {event.correlation for event in trace.events() if event.key in keys}
    rows = [row for row in trace if not told or row.event is None or row.event.correlation in told]
    lines = [f"{row.time:7.3f}  {clean(text, 110)}" for row, text in sentences(rows)]
    if len(lines) <= MOST:
        return lines
    tail = MOST // 2
    return [*lines[: MOST - tail - 1], f"    ...  {len(lines) - MOST + 1} more", *lines[-tail:]]


def sentences(rows: list[Row]) -> Iterator[tuple[Row, str]]:
    """Rows that move a story, each with its sentence."""
    handed: dict[tuple[str, str], int] = {}
    for row in rows:
        id = row.event.id if row.event else ""
        if row.kind == "deliver":
            times = handed[row.place, id] = handed.get((row.place, id), 0) + 1
            again = " again" if times > 1 else ""
            yield row, f"{row.place} hands {id} to {row.who}{again}"
        elif row.who != "lab" and (text := TOLD.get(row.kind)):
            yield row, text.format(place=row.place, who=row.who, id=id, note=row.note or "done", to=row.note or "nobody")


TOLD = {
    "publish": "{place} has {id} of {who}, for {to}",
    "append": "{place} has {id} of {who}",
    "fail": "{who} fails at {id}: {note}",
    "requeue": "{place} takes {id} back: {note}",
    "dead": "{place} gives {id} up: {note}",
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
