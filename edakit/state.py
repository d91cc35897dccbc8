"""The state of a whole system, folded from its trace: edakit is event-sourced itself.

`trace.state_at(t)` is the only model of what a lab looked like; pictures and the player use it, and tests hold it equal to the
live objects after every row.
"""

import json
from bisect import bisect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

from edakit.event import Event, freeze
from edakit.trace import AT_MOST_ONCE, Row

RETURNED = 256  # above every priority: where a quorum queue puts what was returned


@dataclass
class QueueState:
    """A queue: what waits, what is out, what was given up. Counts are deliveries so far."""

    ready: list[tuple[Event, int]] = field(default_factory=list)
    unacked: dict[int, tuple[Event, int, str]] = field(default_factory=dict)  # tag -> event, count, consumer
    dead: list[Event] = field(default_factory=list)
    arguments: dict[str, Any] = field(default_factory=dict, compare=False)  # of a declared queue
    orders: list[tuple[int, int]] = field(default_factory=list, compare=False, repr=False)  # of what is back, or all if declared
    out: dict[int, tuple[int, int]] = field(default_factory=dict, compare=False, repr=False)  # beside unacked
    taken: int = field(default=0, compare=False, repr=False)

    def put(self, event: Event, count: int = 0, order: tuple[int, int] | None = None) -> None:
        """Take a message at the end; in a declared queue behind those of its priority, or at the place it had."""
        if not self.arguments:
            self.ready.append((event, count))
            return
        if order is None:
            self.taken += 1
            order = (-min(event.extensions.get("priority", 0), self.arguments["max_priority"]), self.taken)
            if self.arguments["overflow"] == "conflate" and event.key is not None:
                before = zip(self.orders, self.ready, strict=True)
                order = next((place for place, (waiting, _) in before if waiting.key == event.key), order)
        n = bisect(self.orders, order)
        self.orders.insert(n, order)
        self.ready.insert(n, (event, count))

    def give_back(self, tag: int) -> None:
        """What was out is ready again where it was; in a quorum queue behind what is back already."""
        event, count, _ = self.unacked.pop(tag)
        order = self.out.pop(tag, (0, tag))
        if not self.arguments:
            n = bisect(self.orders, order)
            self.orders.insert(n, order)
            self.ready.insert(n, (event, count))
            return
        if self.arguments["type"] == "quorum":
            self.taken += 1
            order = (-RETURNED, self.taken)
        self.put(event, count, order)

    def take_head(self) -> Event:
        """The message at the head leaves."""
        if self.arguments:
            self.orders.pop(0)
        return self.ready.pop(0)[0]

    def restart(self) -> None:
        """The broker has crashed: what was out is back, what is not durable is gone."""
        for tag in list(self.unacked):
            self.give_back(tag)
        durable, quorum = self.arguments.get("durable", True), self.arguments.get("type") == "quorum"
        keep = [durable and (quorum or event.extensions.get("deliverymode") != 1) for event, _ in self.ready]
        self.ready = list(compress(self.ready, keep))
        self.orders = list(compress(self.orders, keep))
        self.dead = [event for event in self.dead if durable and (quorum or event.extensions.get("deliverymode") != 1)]


@dataclass
class GroupState:
    """A group on one partition: whose it is, where it reads next, what is committed; of a share group (all before that is done) also
    the records under way: {offset: (who has it, or "", how often it was handed out)}.
    """

    owner: str = ""
    position: int = 0
    committed: int = 0
    held: dict[int, tuple[str, int]] = field(default_factory=dict)

    def advance(self) -> None:
        """A share group has got so far as there is nothing before that is not done."""
        if self.owner == "*":
            self.committed = min(self.held, default=self.position)


@dataclass
class SagaState:
    """One run of a saga: running, completed, compensated or parked; the steps done and not undone, in order."""

    status: str = "running"
    done: list[str] = field(default_factory=list)


@dataclass
class State:
    """Everything that rows can change, by place."""

    queues: dict[str, QueueState] = field(default_factory=dict)
    logs: dict[str, list[Event]] = field(default_factory=dict)  # partition -> events, also those gone; index = offset
    starts: dict[str, int] = field(default_factory=dict)  # partition -> first offset that is still there, where that is not 0
    gone: dict[str, set[int]] = field(default_factory=dict)  # partition -> offsets that compaction took
    insync: dict[str, tuple[str, str]] = field(default_factory=dict)  # partition -> leader, replicas in sync, after a change
    groups: dict[tuple[str, str], GroupState] = field(default_factory=dict)  # (group, partition)
    databases: dict[str, dict[str, Any]] = field(default_factory=dict)
    sagas: dict[tuple[str, str], SagaState] = field(default_factory=dict)  # (saga, run)
    down: set[str] = field(default_factory=set)  # crashed instances
    held: set[str] = field(default_factory=set)  # links
    cut: set[str] = field(default_factory=set)  # links

    def queue(self, place: str) -> QueueState:
        """The queue of that name, empty if no row has named it yet."""
        return self.queues.setdefault(place, QueueState())

    def group(self, name: str, partition: str) -> GroupState:
        """The group's place in a partition."""
        return self.groups.setdefault((name, partition), GroupState())


def fold_until(rows: Iterable[Row], ns: int) -> State:
    """The state after the last row at or before `ns` (virtual nanoseconds)."""
    state = State()
    for row in rows:
        if row.ns > ns:
            break
        fold(state, row)
    return state


def fold(state: State, row: Row) -> None:
    """Apply one row. Kinds that change nothing (handle, fail, stale, call, reply, log, ...) pass by."""
    change = CHANGES.get(row.kind)
    if change is not None:
        change(state, row)


def _publish(state: State, row: Row) -> None:
    for name in row.note.split():
        state.queue(f"{row.place}/{name}").put(_some(row))


def _deliver(state: State, row: Row) -> None:
    queue = state.queue(row.place)
    event, count = _taken(queue, row)
    if row.note != AT_MOST_ONCE:
        queue.unacked[row.tag] = (event, count + 1, row.who)


def _taken(queue: QueueState, row: Row) -> tuple[Event, int]:
    """The message of a row, out of those that wait: nearly always the first, but one that is delayed or blocked lets others pass."""
    ready, event = queue.ready, row.event
    first = next((n for n, (waiting, _) in enumerate(ready) if waiting is event or waiting == event), 0)
    if first < len(queue.orders):
        queue.out[row.tag] = queue.orders.pop(first)
    return ready.pop(first)


def _ack(state: State, row: Row) -> None:
    queue = state.queue(row.place)
    if row.tag > 0:
        del queue.unacked[row.tag]
    else:
        n = queue.ready.index((_some(row), -row.tag))
        del queue.ready[n], queue.orders[n : n + 1]


def _requeue(state: State, row: Row) -> None:
    state.queue(row.place).give_back(row.tag)


def _declare(state: State, row: Row) -> None:
    state.queue(row.place).arguments = json.loads(row.note)


def _head(state: State, row: Row) -> None:
    queue = state.queue(row.place)
    event = queue.take_head()
    if row.tag:
        queue.dead.append(event)


def _crash(state: State, row: Row) -> None:
    state.down.add(row.who)
    if row.place == row.who:  # a broker
        for place, queue in state.queues.items():
            if place.startswith(f"{row.place}/"):
                queue.restart()


def _dead(state: State, row: Row) -> None:
    queue = state.queue(row.place)
    queue.dead.append((queue.unacked.pop(row.tag) if row.tag else _taken(queue, row))[0])


def _discard(state: State, row: Row) -> None:
    queue = state.queue(row.place)
    if row.tag > 0:
        del queue.unacked[row.tag]
    elif row.tag < 0:
        queue.dead.pop(0)
    else:
        _taken(queue, row)


def _redrive(state: State, row: Row) -> None:
    queue = state.queue(row.place)
    queue.put(queue.dead.pop(0))


def _append(state: State, row: Row) -> None:
    state.logs.setdefault(row.place, []).append(_some(row))


def _insync(state: State, row: Row) -> None:
    state.insync[row.place] = (row.who, row.note)
    del state.logs.setdefault(row.place, [])[row.tag :]
    state.gone[row.place] = {offset for offset in state.gone.get(row.place, ()) if offset < row.tag}


def _assign(state: State, row: Row) -> None:
    group = state.group(row.note, row.place)
    group.owner, group.position, group.committed = row.who, row.tag, row.tag


def _fetch(state: State, row: Row) -> None:
    state.group(row.note, row.place).position = row.tag + 1


def _commit(state: State, row: Row) -> None:
    state.group(row.note, row.place).committed = row.tag


def _seek(state: State, row: Row) -> None:
    group = state.group(row.note, row.place)
    group.position = group.committed = row.tag
    group.held.clear()


def _acquire(state: State, row: Row) -> None:
    group = state.group(row.note, row.place)
    group.held[row.tag] = (row.who, group.held.get(row.tag, ("", 0))[1] + 1)
    group.position = max(group.position, row.tag + 1)
    group.advance()


def _unlock(state: State, row: Row) -> None:
    held = state.group(row.note, row.place).held
    held[row.tag] = ("", held[row.tag][1])


def _done(state: State, row: Row) -> None:
    group = state.group(row.note, row.place)
    if group.owner == "*":
        del group.held[row.tag]
        group.advance()


def _expire(state: State, row: Row) -> None:
    state.starts[row.place] = row.tag


def _compact(state: State, row: Row) -> None:
    state.gone.setdefault(row.place, set()).update(json.loads(row.note))


def _revoke(state: State, row: Row) -> None:
    state.group(row.note, row.place).owner = ""


def _reset(state: State, row: Row) -> None:
    group = state.group(row.note, row.place)
    group.position = row.tag
    group.held = {offset: held for offset, held in group.held.items() if offset < row.tag}
    group.advance()


def _write(state: State, row: Row) -> None:
    database = state.databases.setdefault(row.place, {})
    for key, value in freeze(json.loads(row.note)).items():
        if value is None:
            database.pop(key, None)
        else:
            database[key] = value


def _saga(state: State, row: Row) -> None:
    status, _, run = row.note.partition(" ")
    saga = state.sagas.setdefault((row.place, run), SagaState())
    saga.status = "running" if status == "begun" else status


def _step(state: State, row: Row) -> None:
    outcome, step, run = row.note.split(" ", 2)
    done = state.sagas.setdefault((row.place, run), SagaState()).done
    if outcome == "done":
        done.append(step)
    elif outcome == "undone" and step in done:  # a step of unknown outcome is undone without having been done
        done.remove(step)


def _some(row: Row) -> Event:
    assert row.event is not None, row
    return row.event


CHANGES: dict[str, Callable[[State, Row], None]] = {
    "publish": _publish,
    "deliver": _deliver,
    "ack": _ack,
    "requeue": _requeue,
    "dead": _dead,
    "discard": _discard,
    "declare": _declare,
    "lapse": _head,
    "evict": _head,
    "hop": lambda state, row: state.queue(row.place).put(_some(row)),
    "redrive": _redrive,
    "append": _append,
    "marker": _append,
    "insync": _insync,
    "assign": _assign,
    "fetch": _fetch,
    "acquire": _acquire,
    "accept": _done,
    "unlock": _unlock,
    "skip": _done,
    "commit": _commit,
    "seek": _seek,
    "reset": _reset,
    "revoke": _revoke,
    "expire": _expire,
    "compact": _compact,
    "write": _write,
    "saga": _saga,
    "step": _step,
    "crash": _crash,
    "restart": lambda state, row: state.down.discard(row.who),
    "hold": lambda state, row: state.held.add(row.place),
    "release": lambda state, row: state.held.discard(row.place),
    "cut": lambda state, row: state.cut.add(row.place),
    "mend": lambda state, row: state.cut.discard(row.place),
}
