"""Keeping order, or finding out that there is none: pure parts, each with the price it asks.

    Sequencer       numbers events, per key; one counter means one place that all must pass
    Resequencer     puts numbered events back in order: waits for a missing one, skips it, or asks for it again
    VersionGate     lets only a newer version pass: right for states, wrong for steps (a late step is lost)
    Lanes           several workers, and each key always the same one: as fast as keys are evenly spread
    LamportClock    a number that grows along every chain of causes; of two numbers it cannot say whether one caused the other
    VectorClock     says it: before, after, equal or concurrent, at the price of one number for each node

None knows a clock or a network: `now` comes in as a number of seconds, and whoever drives them carries events and asks again later.
Sources: Hohpe and Woolf, Enterprise Integration Patterns (Resequencer, Message Sequence); Lamport, "Time, Clocks, and the Ordering of
Events in a Distributed System" (1978); Fidge (1988) and Mattern (1989) on vector time.
"""

from collections import deque
from collections.abc import Hashable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from edakit.errors import ArgumentError, known
from edakit.stream.partition import partition_for

POLICIES = ("wait", "skip", "refetch")


class Sequencer:
    """Numbers events: 1, 2, 3, ... for each key, without a gap. `issued` is the last number of each key.

    To go on after a failover, begin with what was `issued`: a number that was not written down is given out a second time.
    """

    def __init__(self, issued: Mapping[Hashable, int] | None = None) -> None:
        self.issued: dict[Hashable, int] = dict(issued or {})

    def number(self, key: Hashable = None) -> int:
        """The next number of a key; without a key, of one sequence for everything."""
        self.issued[key] = number = self.issued.get(key, 0) + 1
        return number


class Due(NamedTuple):
    """What a Resequencer has to say after its patience ends."""

    ready: list[tuple[Hashable, Any]]  # key, item: to be handled now, in this order
    refetch: list[tuple[Hashable, int]]  # key, number: to be asked for again, then given to `accept`


class Resequencer:
    """Puts the numbered items of each key back in order, each number once.

        >>> orders = Resequencer("skip", timeout=2)
        >>> orders.accept("42", 1, "placed"), orders.accept("42", 3, "shipped", now=5.0)
        (['placed'], [])
        >>> orders.deadline(), orders.due(now=7.0).ready
        (7.0, [('42', 'shipped')])

    policy, for a number that is missing while a later one is there:
    "wait": nothing of that key goes on until it comes; if it is lost, never.
    "skip": `timeout` seconds after the first item was held, `due` goes on behind the gap; if the missing one still comes, it is dropped.
    "refetch": then, and every `timeout` seconds again, `due` names the missing numbers; ask their writer for them.
    No policy notices that the last items of a key are missing: nothing comes after them.
    Numbers begin at `first` and have no gaps of their own. `dropped` counts repeats and what came too late.
    """

    def __init__(self, policy: str = "wait", *, timeout: float | None = None, first: int = 1) -> None:
        if policy not in POLICIES:
            raise ArgumentError(known("gap policy", policy, POLICIES))
        if (timeout is None) != (policy == "wait") or (timeout is not None and not timeout > 0):
            raise ArgumentError(f"timeout={timeout!r}: seconds, more than 0, for policy 'skip' or 'refetch'; 'wait' has none")
        self.policy, self.timeout, self.first, self.dropped = policy, timeout, first, 0
        self._next: dict[Hashable, int] = {}  # key -> the number that must come
        self._held: dict[Hashable, dict[int, Any]] = {}  # key -> number -> item; no key without an item
        self._since: dict[Hashable, float] = {}  # key -> when it began to wait, or asked last

    def accept(self, key: Hashable, number: int, item: Any, now: float = 0.0) -> list[Any]:
        """Take an item; return those of its key that can be handled now, in order: none, this one, or this one and held ones."""
        due = self._next.get(key, self.first)
        held = self._held.get(key, {})
        if number < due or number in held:
            self.dropped += 1
            return []
        self._held.setdefault(key, {})[number] = item
        self._since.setdefault(key, now)
        return self._release(key, due, now) if number == due else []

    def _release(self, key: Hashable, number: int, now: float) -> list[Any]:
        """Give out what follows without a gap from a number on; if something is still held, it waits from now on."""
        held, ready = self._held[key], []
        while number in held:
            ready.append(held.pop(number))
            number += 1
        self._next[key] = number
        if held:
            self._since[key] = now
        else:
            del self._held[key], self._since[key]
        return ready

    def deadline(self) -> float | None:
        """When to call `due` next; None as long as nothing can become due."""
        return None if self.timeout is None or not self._since else min(self._since.values()) + self.timeout

    def due(self, now: float) -> Due:
        """Apply the policy to every key that has waited for `timeout` seconds."""
        result = Due([], [])
        for key in [key for key, since in self._since.items() if self.timeout is not None and since + self.timeout <= now]:
            if self.policy == "skip":
                result.ready.extend((key, item) for item in self._release(key, min(self._held[key]), now))
            else:
                self._since[key] = now
                result.refetch.extend((key, number) for number in self.missing(key))
        return result

    def missing(self, key: Hashable) -> list[int]:
        """The numbers of a key that have not come while later ones have."""
        held = self._held.get(key, {})
        return [n for n in range(self._next.get(key, self.first), max(held, default=0)) if n not in held]

    def held(self) -> dict[Hashable, list[int]]:
        """The numbers that wait, by key."""
        return {key: sorted(items) for key, items in self._held.items()}


class VersionGate:
    """Lets an event pass if its version is higher than any that has passed for its key. `seen` is the highest of each key.

    One number per key in place of a set of ids, and it refuses repeats and late ones alike; so what passes must be whole states.
    """

    def __init__(self, seen: Mapping[Hashable, Any] | None = None) -> None:
        self.seen: dict[Hashable, Any] = dict(seen or {})

    def admit(self, key: Hashable, version: Any) -> bool:
        """Whether to apply an event; if so, its version is remembered. Versions are whatever can be compared: numbers, (number, node)."""
        if key in self.seen and not version > self.seen[key]:
            return False
        self.seen[key] = version
        return True


class Lanes:
    """Several workers behind one reader: items of one key go to the same worker, in the order in which they came.

    `put` says which lane; the worker of a lane asks `take`, works, and says `done` before it takes again.
    """

    def __init__(self, workers: int) -> None:
        if not isinstance(workers, int) or workers < 1:
            raise ArgumentError(f"workers={workers!r}: a whole number, 1 or more")
        self.waiting: list[deque[Any]] = [deque() for _ in range(workers)]
        self.busy = [False] * workers

    def lane_of(self, key: str | bytes) -> int:
        """The lane of a key: its hash, as a Kafka client has it, modulo the lanes."""
        return partition_for(key, len(self.waiting))

    def put(self, key: str | bytes, item: Any) -> int:
        """Add an item behind the others of its lane; return the lane."""
        lane = self.lane_of(key)
        self.waiting[lane].append(item)
        return lane

    def take(self, lane: int) -> Any:
        """The next item of a lane, or None: nothing there, or the worker has not said `done`."""
        if self.busy[lane] or not self.waiting[lane]:
            return None
        self.busy[lane] = True
        return self.waiting[lane].popleft()

    def done(self, lane: int) -> None:
        """The worker of a lane has ended what it took."""
        self.busy[lane] = False


class LamportClock:
    """A counter of one node. If one event led to another, its number is lower; the reverse does not follow.

    Sort by (number, node) for an order that all agree on.
    """

    def __init__(self, time: int = 0) -> None:
        self.time = time

    def tick(self) -> int:
        """The number of an event here, or of a message about to be sent."""
        self.time += 1
        return self.time

    def receive(self, time: int) -> int:
        """The number of the receipt of a message that was sent with this number."""
        self.time = max(self.time, time) + 1
        return self.time


class VectorClock:
    """How many events of each node lie behind a moment; a node that is not named has none. It cannot be changed.

        >>> here = VectorClock({"a": 2, "b": 1})
        >>> here.compare(here.increment("a")), here.compare(VectorClock({"b": 2}))
        ('before', 'concurrent')

    A node increments its own entry for each event, and merges what comes with a message before that.
    """

    __slots__ = ("_counts",)

    def __init__(self, counts: Mapping[str, int] | None = None) -> None:
        for node, count in (counts or {}).items():
            if not isinstance(count, int) or isinstance(count, bool) or count < 0:
                raise ArgumentError(f"VectorClock({{{node!r}: {count!r}}}): a number of events, 0 or more")
        self._counts = {node: count for node, count in (counts or {}).items() if count}

    def __getitem__(self, node: str) -> int:
        return self._counts.get(node, 0)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._counts))

    def __eq__(self, other: object) -> bool:
        return self._counts == other._counts if isinstance(other, VectorClock) else NotImplemented

    def __hash__(self) -> int:
        return hash(frozenset(self._counts.items()))

    def __repr__(self) -> str:
        return f"VectorClock({self.to_dict()})"

    def to_dict(self) -> dict[str, int]:
        """The nodes with at least one event, by name."""
        return {node: self._counts[node] for node in self}

    def increment(self, node: str) -> "VectorClock":
        """The clock after one more event of a node."""
        return VectorClock({**self._counts, node: self[node] + 1})

    def merge(self, other: "VectorClock") -> "VectorClock":
        """The clock that has behind it what either has."""
        return VectorClock({node: max(self[node], other[node]) for node in {*self, *other}})

    def compare(self, other: "VectorClock") -> Literal["before", "after", "equal", "concurrent"]:
        """Where this moment stands to another: before it (it may have caused it), after it, equal, or concurrent (neither knew)."""
        ahead = any(self[node] > other[node] for node in self)
        behind = any(other[node] > self[node] for node in other)
        if ahead:
            return "concurrent" if behind else "after"
        return "before" if behind else "equal"
