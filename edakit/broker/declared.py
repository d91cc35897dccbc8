"""A queue declared with arguments: how long a message may wait, how many may, in which order, who may read, what survives a restart.

The rules of `edakit.broker.queue` hold; these are added. Time comes in as a number (nanoseconds), and whoever drives it asks in
this order after any change:

    queue.put(event, now)
    while found := queue.superseded(): ...      # what a newer message of its key has made old
    while found := queue.expired(now): ...      # the head, if it is too old
    while delivery := queue.next(): ...         # what may go out
    while found := queue.evicted(): ...         # what no longer fits
    queue.next_expiry()                         # come back then

Sources: rabbitmq-server, rabbit_amqqueue_process.erl (attempt_delivery before maybe_drop_head, drop_expired_msgs),
rabbit_priority_queue.erl (find2: the highest priority that has a message), mc.erl (record_death, is_death_cycle);
https://www.rabbitmq.com/docs/ttl, /docs/maxlength, /docs/priority, /docs/dlx, /docs/consumers#single-active-consumer. RabbitMQ has
neither overflow="block" nor "conflate": these are ActiveMQ Artemis' address-full-policy BLOCK and its last-value queues.
"""

import re
from bisect import bisect
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from edakit.broker.queue import Consumer, Delivery, Queue, survives
from edakit.errors import PayloadError, WiringError, known
from edakit.event import Event, Frozen
from edakit.units import SECOND, nanoseconds

Reason = Literal["rejected", "expired", "maxlen", "delivery_limit"]
NAME = re.compile("[a-z0-9]+")
OWN = frozenset(
    {"priority", "expiration", "deliverymode", "mandatory", "dedup", "data", "id", "source", "type", "time", "specversion"}
)
PROPERTIES = ("headers", "priority", "ttl", "persistent", "mandatory", "dedup")
MILLI = SECOND // 1000
OVERFLOWS = ("drop-head", "reject-publish", "reject-publish-dlx", "block", "conflate")
TYPES = ("classic", "quorum")
STRATEGIES = ("at-most-once", "at-least-once")
MOST = 255  # the highest priority there can be: it is one byte in AMQP


@dataclass(frozen=True)
class Arguments:
    """The arguments of `queue.declare`, named as RabbitMQ names them without the x-; times in seconds.

    type: "classic", or "quorum" (always durable, and every message in it too). message_ttl: seconds a message may wait.
    max_length: ready messages it holds; overflow says what happens to one more: the oldest goes ("drop-head"), the new one is refused
    ("reject-publish"), or its publisher waits ("block"). "conflate" needs no length: of each key the newest message waits, at the
    place of the one before it. max_priority: priorities from 0 to this. durable=False: empty after a restart of the broker (RabbitMQ
    4.3 declares such a queue only for one connection alone, unless it is told otherwise).
    """

    type: str = "classic"
    durable: bool = True
    message_ttl: float | None = None
    max_length: int | None = None
    overflow: str = "drop-head"
    max_priority: int = 0
    single_active_consumer: bool = False
    dead_letter_strategy: str = "at-most-once"

    def __post_init__(self) -> None:
        if self.type not in TYPES:
            raise WiringError(known("queue type", self.type, TYPES))
        if self.overflow not in OVERFLOWS:
            raise WiringError(known("overflow", self.overflow, OVERFLOWS))
        if self.dead_letter_strategy not in STRATEGIES:
            raise WiringError(known("dead_letter_strategy", self.dead_letter_strategy, STRATEGIES))
        if self.dead_letter_strategy != "at-most-once" and (self.type, self.overflow) != ("quorum", "reject-publish"):
            raise WiringError("dead_letter_strategy='at-least-once' needs type='quorum' and overflow='reject-publish'")
        if self.message_ttl is not None:
            nanoseconds(self.message_ttl, "message_ttl")
        if self.max_length is not None and not (isinstance(self.max_length, int) and self.max_length >= 0):
            raise WiringError(f"max_length={self.max_length!r}: 0 or more, or None for no limit")
        if self.overflow == "block" and not self.max_length:
            raise WiringError(
                f"overflow='block', max_length={self.max_length!r}: say at how many messages, 1 or more, publishers wait"
            )
        if self.overflow == "conflate" and (self.max_length is not None or self.max_priority):
            raise WiringError("overflow='conflate' keeps one message of each key: it goes with no max_length and no max_priority")
        if not (isinstance(self.max_priority, int) and 0 <= self.max_priority <= MOST):
            raise WiringError(f"max_priority={self.max_priority!r}: from 0 (no priorities) to {MOST}")
        if self.type == "quorum" and (not self.durable or self.overflow == "reject-publish-dlx" or self.max_priority):
            raise WiringError("a quorum queue is durable, has no overflow='reject-publish-dlx' and, in this kit, no priorities")


def message_properties(
    *,
    headers: Mapping[str, str | int | bool] | None = None,
    priority: int = 0,
    ttl: float | None = None,
    persistent: bool = True,
    mandatory: bool = False,
    dedup: str | None = None,
    **other: Any,
) -> Frozen:
    """What a publisher says of a message besides its content, as attributes of the event (`event.extensions`).

    headers are attributes by their own names: a headers exchange routes by them. priority: higher ones first, in a queue that has
    priorities. ttl: seconds it may wait in a queue. persistent=False: lost when the broker restarts (AMQP's delivery mode 1).
    mandatory: given back to the publisher if no queue gets it. dedup: on a FIFO bus, what it is known by (MessageDeduplicationId; its
    id, unless told). Raises PayloadError for what an attribute of an event cannot be.
    """
    if other:
        raise PayloadError(known("property of a message", next(iter(other)), PROPERTIES))
    for name, value in (headers or {}).items():
        if not (isinstance(name, str) and NAME.fullmatch(name)) or name in OWN or not isinstance(value, (str, int)):
            raise PayloadError(
                f"header {name!r}={value!r}: a name of a-z and 0-9 that is not taken; text, a whole number, True or False"
            )
    if not (isinstance(priority, int) and 0 <= priority <= MOST):
        raise PayloadError(f"priority={priority!r}: a whole number from 0 to {MOST}")
    said: dict[str, str | int | bool | None] = {
        **(headers or {}),
        "priority": priority or None,
        "expiration": None if ttl is None else str(nanoseconds(ttl, "ttl") // MILLI),  # AMQP: milliseconds, as text
        "deliverymode": None if persistent else 1,
        "mandatory": mandatory or None,
        "dedup": dedup,
    }
    return Frozen({name: value for name, value in said.items() if value is not None})


class Death(NamedTuple):
    """An entry of x-death: from which queue a message was dead-lettered, why, how often; `first_time` in virtual nanoseconds."""

    queue: str
    reason: Reason
    count: int  # type: ignore[assignment]  # RabbitMQ's name for it; nobody counts in this tuple
    first_time: int


Deaths = tuple[Death, ...]  # the latest first


def record_death(deaths: Deaths, queue: str, reason: Reason, now: int) -> Deaths:
    """The history of a message with one death more: a pair of queue and reason stands in it once, and is counted.

    >>> record_death((Death("a", "expired", 1, 0), Death("b", "rejected", 1, 0)), "b", "rejected", 5)
    (Death(queue='b', reason='rejected', count=2, first_time=0), Death(queue='a', reason='expired', count=1, first_time=0))
    """
    before = next((each for each in deaths if (each.queue, each.reason) == (queue, reason)), None)
    latest = before._replace(count=before.count + 1) if before else Death(queue, reason, 1, now)
    return (latest, *(each for each in deaths if each is not before))


def is_death_cycle(queue: str, deaths: Deaths) -> bool:
    """Whether a message came from this queue before and has come round since without a consumer's rejection: it would for ever."""
    back = next((n for n, each in enumerate(deaths) if each.queue == queue), None)
    return back is not None and all(each.reason != "rejected" for each in deaths[: back + 1])


class Mark(NamedTuple):
    """What a declared queue knows of a message besides the message."""

    order: tuple[int, int]  # lowest first: minus its priority, when it came (conflated: when the first came whose place it has)
    came: int
    expires: int  # the instant from which on it is too old; 0: never
    deaths: Deaths  # x-death


class Declared(Queue):
    """A queue with arguments. `ready` is in the order of delivery: higher priorities first; a returned message takes its old place.

    dead_letter: True keeps dead letters here, False throws them away, a name sends them to that queue. A returned message of a
    quorum queue goes behind those returned before it and ahead of all others.
    """

    def __init__(
        self, place: str, limit: int | None = None, *, dead_letter: bool | str = True, arguments: Arguments | None = None
    ) -> None:
        super().__init__(place, limit, dead_letter=dead_letter is True)
        self.arguments = arguments or Arguments()
        self.target = dead_letter if isinstance(dead_letter, str) else ""
        self._ttl = None if self.arguments.message_ttl is None else nanoseconds(self.arguments.message_ttl)
        self._marks: deque[Mark] = deque()  # beside `ready`, entry by entry
        self._standby: list[Consumer] = []  # single active consumer: those who wait for their turn, first come first
        self._active: Consumer | None = None
        self._taken = 0
        self.alarm = 0  # for whoever drives it: the instant at which it will look at the head again
        self.unconfirmed = 0  # and how many of its dead letters wait for a confirm: they still count as messages of this queue

    @property
    def rejects(self) -> bool:
        """Whether one more message would be refused, or would have to wait (any overflow but "drop-head" and "conflate")."""
        most = self.arguments.max_length
        return most is not None and self.arguments.overflow != "drop-head" and len(self.ready) + self.unconfirmed >= most

    def put(self, event: Event, now: int = 0, deaths: Deaths = ()) -> None:
        """Take a message, behind those of its priority. A dead letter has lost its own TTL, so that it does not expire again."""
        self._taken += 1
        own = None if deaths else event.extensions.get("expiration")
        ages = [age for age in (self._ttl, None if own is None else int(own) * MILLI) if age is not None]
        expires = now + max(1, min(ages)) if ages else 0  # a TTL of 0: only to a consumer who has room at this very instant
        order = (-min(event.extensions.get("priority", 0), self.arguments.max_priority), self._taken)
        if self.arguments.overflow == "conflate" and event.key is not None:
            before = (mark.order for (waiting, _), mark in zip(self.ready, self._marks, strict=True) if waiting.key == event.key)
            order = next(before, order)
        self._insert(event, 0, Mark(order, self._taken, expires, deaths))

    def _insert(self, event: Event, count: int, mark: Mark) -> None:
        if not self._marks or self._marks[-1] < mark:
            self.ready.append((event, count))
            self._marks.append(mark)
            return
        n = bisect(self._marks, mark)
        self.ready.insert(n, (event, count))
        self._marks.insert(n, mark)

    def next(self) -> Delivery | None:
        """As in every queue. Ask `expired` first: what is too old must not be delivered."""
        delivery = super().next()
        if delivery is not None:
            delivery.mark = self._marks.popleft()
        return delivery

    def superseded(self) -> tuple[Event, Event] | None:
        """Of two messages of a key that wait, take the older one out (overflow="conflate"): it, and the newer one."""
        first: dict[str, int] = {}
        for n, (event, _) in enumerate(self.ready if self.arguments.overflow == "conflate" else ()):
            m = n if event.key is None else first.setdefault(event.key, n)
            if m != n:
                other = self.ready[m][0]
                drop = n if self._marks[m].came > self._marks[n].came and other != event else m
                del self.ready[drop], self._marks[drop]
                return (event, other) if drop == n else (other, event)
        return None

    def expired(self, now: int) -> tuple[Event, Deaths] | None:
        """Take the message at the head out if it is too old. One behind a younger head stays until it is the head."""
        return self._take("expired") if self._marks and 0 < self._marks[0].expires <= now else None

    def evicted(self) -> tuple[Event, Deaths] | None:
        """Take the message at the head out if there are too many (overflow="drop-head"): the oldest of the highest priority."""
        most = self.arguments.max_length
        over = most is not None and self.arguments.overflow == "drop-head" and len(self.ready) > most
        return self._take("maxlen") if over else None

    def _take(self, reason: Reason) -> tuple[Event, Deaths]:
        event, _ = self.ready.popleft()
        if self.dead_letter:
            self.dead.append(event)
        return event, self._marks.popleft().deaths

    def died_in(self, queue: str) -> list[Event]:
        """The messages that wait here and came as dead letters of another queue, oldest first."""
        return [
            event
            for (event, _), mark in zip(self.ready, self._marks, strict=True)
            if mark.deaths and mark.deaths[0].queue == queue
        ]

    def next_expiry(self) -> int:
        """When the head will be too old; 0: never."""
        return self._marks[0].expires if self._marks else 0

    def _return(self, delivery: Delivery) -> None:
        """A message is ready again, with the TTL it had."""
        self._insert(delivery.event, delivery.count, self._place_of(delivery.mark))

    def _place_of(self, mark: Mark) -> Mark:
        if self.arguments.type == "classic":
            return mark
        self._taken += 1
        return mark._replace(order=(-MOST - 1, self._taken))

    def restart(self) -> None:
        """The broker starts again: a transient queue is empty, a durable one has its persistent messages; a quorum queue has all."""
        for held in self.unacked.values():
            self._return(held)
        self.unacked.clear()
        self._turn.clear()
        self._standby.clear()
        self._active = None
        quorum = self.arguments.type == "quorum"
        kept = [pair for pair in zip(self.ready, self._marks, strict=True) if quorum or survives(pair[0][0])]
        kept = kept if self.arguments.durable else []
        self.ready, self._marks = deque(entry for entry, _ in kept), deque(mark for _, mark in kept)
        self.dead = [event for event in self.dead if self.arguments.durable and (quorum or survives(event))]

    def join(self, consumer: Consumer) -> None:
        """A consumer subscribes. With a single active consumer it gets nothing while another is active."""
        if self.arguments.single_active_consumer and self._active is not None:
            self._standby.append(consumer)
            return
        self._active = consumer
        super().join(consumer)

    def leave(self, consumer: Consumer) -> list[Delivery]:
        """A consumer is gone; the next one becomes active. Return what it held, so that in this order the old one is back.

        A quorum queue puts each behind those returned before it: oldest first (rabbit_fifo.erl, return_all: lists:sort).
        """
        held = super().leave(consumer)
        if self.arguments.type == "quorum":
            held.reverse()
        if consumer in self._standby:
            self._standby.remove(consumer)
        elif self._active is consumer:
            self._active = None
            if self._standby:
                self.join(self._standby.pop(0))
        return held
