"""A sentence for each row, in the words of a person who watches: what screen readers say, tables list and diagrams note.

The sentences are templates, so that the browser can say a long trace without being sent every sentence of it.
"""

from edakit.table import clean
from edakit.trace import Row

SAY = {
    # kind, or kind and case: {place} {who} {event} {tag} {note} stand for the fields of the row
    "publish": "{place} has taken {event} from {who} into {note}",
    "publish nowhere": "{place} has taken {event} from {who}; no queue wants it, and it is gone",
    "deliver": "queue {place} sends {event} to {who}",
    "deliver again": "queue {place} sends {event} to {who} again",
    "handle": "{who} has handled {event}",
    "handle refused": "{who} has answered no to {event}: {note}",
    "fail": "{who} has failed on {event}: {note}",
    "ack": "{who} has acked {event}: queue {place} forgets it",
    "requeue": "{event} is back at the front of queue {place}: {note}",
    "dead": "{event} is a dead letter of queue {place}: {note}",
    "discard": "queue {place} has thrown {event} away: {note}",
    "declare": "queue {place} is declared: {note}",
    "lapse": "{event} is too old, and leaves queue {place}",
    "evict": "queue {place} is too long: {event}, at its head, leaves it",
    "hop": "queue {place} takes {event}, a dead letter of queue {who}: {note}",
    "refuse": "queue {place} is full, and does not take {event} of {who}",
    "return": "{place} gives {event} back to {who}: {note}",
    "redrive": "{who} sends the dead letter {event} back to queue {place}",
    "stale": "{who} has settled {event} too late: nothing changes",
    "append": "partition {place} has written {event} of {who} at offset {tag}",
    "resend": "{who} sends {event} to partition {place} again",
    "decline": "partition {place} does not take {event} of {who}: {note}",
    "confirm": "partition {place} confirms {event} to {who}: {tag} copies have it",
    "marker": "partition {place} ends the transaction of {who} at offset {tag}: {note}",
    "insync": "{who} leads partition {place}, in sync are {note}; its log ends at offset {tag}",
    "insync nobody": "nobody leads partition {place}; its log ends at offset {tag}",
    "assign": "group {note}: {who} reads partition {place} from offset {tag} on",
    "assign nobody": "group {note}: nobody reads partition {place}",
    "assign all": "group {note}: all members read partition {place} from offset {tag} on, record by record",
    "acquire": "partition {place} hands offset {tag}, {event}, to {who}, and locks it",
    "acquire again": "partition {place} hands offset {tag}, {event}, to {who} again",
    "accept": "{who} has accepted offset {tag} of partition {place}, {event}",
    "unlock": "{who} has released offset {tag} of partition {place}: others may have {event}",
    "unlock late": "nobody has settled offset {tag} of partition {place} in time: others may have {event}",
    "fetch": "partition {place} hands offset {tag}, {event}, to {who}",
    "commit": "group {note} has committed partition {place} up to offset {tag}",
    "seek": "{who} has set group {note} to offset {tag} of partition {place}",
    "skip": "group {note} gives up offset {tag} of partition {place}, {event}",
    "revoke": "group {note} takes partition {place} from {who}",
    "expel": "group {note} puts {who} out: it took too long",
    "grow": "topic {place} has {tag} partitions now",
    "reset": "partition {place} no longer has what group {note} would read next: it goes on from offset {tag}",
    "expire": "partition {place} has given up all before offset {tag}",
    "compact": "partition {place} keeps of some keys the last record only: {tag} are gone",
    "call": "{who} asks {place}: {event}",
    "call again": "{who} asks {place} again: {event}",
    "reply": "the answer of {place} is back at {who}",
    "reply no": "the answer of {place} is back at {who}: {note}",
    "timeout": "{who} no longer waits for {place}; what happened there is unknown to it",
    "read": "{who} has read {note} of {place}",
    "write": "{who} has changed {place}: {note}",
    "rollback": "{who} has taken back a transaction on {place}: {note}",
    "saga": "saga {place}: {note}",
    "step": "saga {place}: {note}",
    "drop": "{event} of {who} is lost on the way {place}",
    "duplicate": "{event} of {who} will arrive twice on the way {place}",
    "hold": "the link {place} keeps what it is given",
    "release": "the link {place} lets go of what it held",
    "cut": "the link {place} is cut",
    "mend": "the link {place} works again",
    "crash": "{who} has crashed; its memory is gone",
    "restart": "{who} is back, knowing nothing",
    "log": "{who} says: {note}",
}

MOMENTS = {  # what one may want to jump to, by kind or case
    "crash": "crash",
    "restart": "restart",
    "deliver again": "redelivery",
    "acquire again": "redelivery",
    "call again": "asked again",
    "fail": "failure",
    "dead": "dead letter",
    "discard": "thrown away",
    "lapse": "too old",
    "evict": "pushed out",
    "hop": "dead letter moved on",
    "refuse": "refused",
    "return": "returned",
    "skip": "given up",
    "unlock": "released",
    "unlock late": "lock ran out",
    "resend": "sent again",
    "decline": "not taken",
    "marker": "end of a transaction",
    "insync": "leader or copies changed",
    "insync nobody": "no leader",
    "expel": "put out",
    "grow": "more partitions",
    "reset": "fell off the log",
    "expire": "forgotten",
    "compact": "compacted",
    "timeout": "timeout",
    "stale": "too late",
    "drop": "lost",
    "duplicate": "duplicate",
    "hold": "link held",
    "release": "link released",
    "cut": "link cut",
    "mend": "link mended",
}


def case(row: Row, *, again: bool = False) -> str:
    """Which sentence of SAY a row gets; `again`: it delivers what was delivered before."""
    if row.kind == "publish" and not row.note:
        return "publish nowhere"
    if row.kind == "handle" and row.note:
        return "handle refused"
    if row.kind == "reply" and row.note:
        return "reply no"
    if row.kind in ("assign", "insync") and not row.who:
        return f"{row.kind} nobody"
    if row.kind == "assign" and row.who == "*":
        return "assign all"
    if row.kind == "unlock" and not row.who:
        return "unlock late"
    if (row.kind in ("deliver", "acquire") and again) or (row.kind == "call" and row.tag > 1):
        return f"{row.kind} again"
    return row.kind


def sentence(row: Row, *, again: bool = False) -> str:
    """One row in words: one line, nothing in it that moves a cursor or turns the reading direction."""
    return SAY[case(row, again=again)].format(
        place=clean(row.place),
        who=clean(row.who),
        event=clean(row.event.id) if row.event else "a message",
        tag=row.tag,
        note=clean(row.note.replace(" ", ", ") if row.kind == "publish" else row.note, 120),
    )
