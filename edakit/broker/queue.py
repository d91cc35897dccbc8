"""One queue: who gets a message, what an acknowledgement does, whether a message comes back.

Pure rules: no clock, no network, no chance. Whoever drives it makes one call, writes one row, and asks for the next delivery:

    queue.put(event)
    while delivery := queue.next():         # what may go out now
        ...                                 # carry it to delivery.consumer
    queue.ack(delivery)                     # then ask `next` again: somebody has room

A message is in one place at a time: `ready` -> `unacked` -> gone (ack), back where it was (requeue), or `dead`.
Sources: AMQP 0-9-1 basic.qos, basic.ack, basic.nack; https://www.rabbitmq.com/docs/confirms, /docs/consumers, /docs/quorum-queues.
"""

from bisect import bisect
from collections import deque
from itertools import compress
from typing import TYPE_CHECKING, Any, Literal

from edakit.event import Event

if TYPE_CHECKING:
    from edakit.broker.declared import Death, Mark

Settled = Literal["ack", "requeue", "dead", "discard", "stale"]


class Consumer:
    """A subscriber of one queue. `prefetch` bounds how many deliveries it holds unsettled; `held` counts them.

    `owner` is for whoever carries the deliveries: it finds there to whom.
    """

    __slots__ = ("held", "name", "owner", "prefetch")

    def __init__(self, name: str, prefetch: int = 1, owner: Any = None) -> None:
        assert prefetch >= 1, f"{name}: prefetch={prefetch}"
        self.name, self.prefetch, self.owner, self.held = name, prefetch, owner, 0


class Delivery:
    """One message handed to one consumer. `count`: how many times it has been delivered, this time included.

    (In RabbitMQ only quorum queues count, in x-delivery-count; a classic queue says `redelivered`.)
    """

    __slots__ = ("consumer", "count", "event", "first", "mark", "place", "queue", "tag")
    first: int  # the tag of the first delivery of the message; only of a later one
    mark: "Mark"  # only of a declared queue

    def __init__(self, queue: "Queue", tag: int, event: Event, count: int, consumer: Consumer) -> None:
        self.queue, self.place, self.tag, self.event, self.count, self.consumer = queue, queue.place, tag, event, count, consumer

    @property
    def redelivered(self) -> bool:
        """Whether some consumer may have seen it before."""
        return self.count > 1

    @property
    def deaths(self) -> "tuple[Death, ...]":
        """Where the message was dead-lettered before, the latest first (RabbitMQ's x-death header)."""
        return self.mark.deaths if hasattr(self, "mark") else ()


class Queue:
    """First in, first out; consumers with room take turns; what is refused comes back to its old place, ahead of what was never out.

    `limit` is how many times a message may be delivered: refused once more, it is dead. None: redelivered for ever, as a RabbitMQ
    classic queue does; there a limit stands for a consumer that counts. (x-delivery-limit, of quorum queues, counts failures, so n allows
    n + 1 deliveries: basic.reject and lost connections, and until RabbitMQ 4.3 basic.nack too. A handler that raises here is a failure.)
    """

    def __init__(self, place: str, limit: int | None = None, *, dead_letter: bool = True) -> None:
        self.place, self.limit, self.dead_letter = place, limit, dead_letter
        self.name, self.target = place.rpartition("/")[2], ""  # the queue that its dead letters go to, if any
        self.ready: deque[tuple[Event, int]] = deque()  # message, times delivered
        self.unacked: dict[int, Delivery] = {}  # by tag
        self.dead: list[Event] = []  # oldest first
        self._turn: list[Consumer] = []  # consumers with room, the next one first
        self._returned: list[int] = []  # beside the head of `ready`, which is what came back: the tags it had at first
        self._tag = 0

    def __len__(self) -> int:
        return len(self.ready) + len(self.unacked)

    def put(self, event: Event, now: int = 0) -> None:
        """Take a message at the end. What `now` is matters only to a queue declared with arguments."""
        self.ready.append((event, 0))

    def next(self) -> Delivery | None:
        """Make the next delivery, or None: no message, or nobody with room. After any other change ask until None."""
        if not self.ready or not self._turn:
            return None
        (event, count), consumer = self.ready.popleft(), self._turn.pop(0)
        self._tag = tag = self._tag + 1
        self.unacked[tag] = delivery = Delivery(self, tag, event, count + 1, consumer)
        if self._returned:
            delivery.first = self._returned.pop(0)
        consumer.held += 1
        if consumer.held < consumer.prefetch:
            self._turn.append(consumer)
        return delivery

    def ack(self, delivery: Delivery) -> Settled:
        """The message is done: "ack", or "stale" if this delivery is closed already (it was given back meanwhile)."""
        assert delivery.queue is self, (
            f"{delivery.place} delivery {delivery.tag} is none of {self.place}"
        )  # tags are a queue's own
        if self.unacked.pop(delivery.tag, None) is None:
            return "stale"
        consumer = delivery.consumer
        if consumer.held == consumer.prefetch:
            self._turn.append(consumer)
        consumer.held -= 1
        return "ack"

    def nack(self, delivery: Delivery, requeue: bool = True) -> Settled:
        """The message is not done: "requeue" puts it where it was; "dead" if told not to, or at the limit; or "stale".

        A queue without dead letters says "discard" for "dead", and the message is gone (RabbitMQ without a dead-letter exchange).
        """
        if self.ack(delivery) == "stale":
            return "stale"
        if not requeue or (self.limit is not None and delivery.count >= self.limit):
            if not self.dead_letter:
                return "discard"
            self.dead.append(delivery.event)
            return "dead"
        self._return(delivery)
        return "requeue"

    def _return(self, delivery: Delivery) -> None:
        """A message is ready again, in the order in which messages went out for the first time (rabbit_variable_queue.erl, requeue)."""
        first: int = getattr(delivery, "first", delivery.tag)
        n = bisect(self._returned, first)
        self._returned.insert(n, first)
        self.ready.insert(n, (delivery.event, delivery.count))

    def letters(self, now: int = 0) -> list[Event]:
        """The dead letters, oldest first."""
        return list(self.dead)

    def redrive(self, now: int = 0) -> tuple[Literal["redrive"], Event] | None:
        """Put the oldest dead letter back at the end of the queue, its count at zero; None if there is none."""
        if not self.dead:
            return None
        event = self.dead.pop(0)
        self.put(event, now)
        return "redrive", event

    def restart(self) -> None:
        """The broker starts again: nobody is subscribed, what was out is ready, and only persistent messages are left."""
        for held in self.unacked.values():
            self._return(held)
        self.unacked.clear()
        self._turn.clear()
        kept = [survives(event) for event, _ in self.ready]
        self.ready, self._returned = deque(compress(self.ready, kept)), list(compress(self._returned, kept))
        self.dead = [event for event in self.dead if survives(event)]

    def join(self, consumer: Consumer) -> None:
        """A consumer subscribes, once."""
        assert consumer not in self._turn, f"{consumer.name} is subscribed"
        assert consumer.prefetch > consumer.held == 0, f"{consumer.name} is or was subscribed"
        self._turn.append(consumer)

    def leave(self, consumer: Consumer) -> list[Delivery]:
        """A consumer is gone. Return what it held, newest first: `nack` these one by one and the old order is back."""
        consumer.prefetch = 0  # never has room again
        if consumer in self._turn:
            self._turn.remove(consumer)
        return [held for held in reversed(self.unacked.values()) if held.consumer is consumer]


def survives(event: Event) -> bool:
    """Whether a message is persistent, as all are that do not say otherwise (AMQP's delivery mode 1 is transient)."""
    return event.extensions.get("deliverymode") != 1
