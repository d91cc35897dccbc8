"""A queue of Amazon SQS: who receives a message has a time to delete it; then it is visible again.

    queue = Queue("jobs", visibility=30, limit=3)
    queue.send(event, now=0)
    delivery = queue.receive(now=0)         # out of sight until 30
    queue.delete(delivery)                  # done; else, at its deadline:
    queue.lapse(delivery, now=30)           # back where it was

Nothing here notices that a consumer died: the deadline is all there is. A FIFO queue holds back what stands behind a message of the same
group that is out, or not visible yet. Pure rules; times are numbers of one unit (the defaults are seconds). The targets of an event bus
use the same queue: a try that failed is not visible until the next one is due.

    - The count is of receives. What was received `limit` times (maxReceiveCount) and not deleted is a dead letter at the next receive.
    - A dead letter keeps the time at which it was first sent, so retention goes on where it was; in a FIFO queue it starts anew.
    - Redrive sends a letter as a new message: count 0, a new time.
    - The receipt of the latest receive deletes a message of a standard queue also when its time is over (`late`).
    - What has the deduplication id of a message sent less than five minutes ago is accepted and not delivered, deleted or not.

Left out: batches (a receive gives one message, so a FIFO group has one out at most).
Sources: Amazon SQS Developer Guide: visibility timeout, dead-letter queues, delay queues, FIFO queue delivery logic, FIFO key terms;
API reference: DeleteMessage (receipts), StartMessageMoveTask (redrive).
"""

from heapq import heappop, heappush
from typing import Any, Literal

from edakit.event import Event

DEDUPLICATION = 300  # seconds
RETENTION = 4 * 86_400  # seconds

Fate = Literal["deliver", "dead", "discard"]


class Message:
    """What a queue keeps of an event. `count`: receives so far; `mark`: for whoever sent it."""

    __slots__ = ("count", "event", "first", "group", "mark", "sent", "visible")

    def __init__(self, event: Event, sent: float, visible: float, group: str | None, mark: Any) -> None:
        self.event, self.sent, self.visible, self.group, self.mark, self.count = event, sent, visible, group, mark, 0
        self.first = 0  # the tag of its first receive


class Delivery:
    """A message that is out, or (fate dead or discard; tag 0) one that has left the queue instead of being received."""

    __slots__ = ("consumer", "count", "deadline", "event", "fate", "message", "place", "queue", "tag")

    def __init__(self, queue: "Queue", message: Message, fate: Fate, tag: int, deadline: float, consumer: Any) -> None:
        self.queue, self.message, self.fate, self.tag = queue, message, fate, tag
        self.deadline, self.consumer = deadline, consumer
        self.place, self.event, self.count = queue.place, message.event, message.count

    @property
    def redelivered(self) -> bool:
        """Whether somebody may have seen it before."""
        return self.count > 1

    @property
    def replay(self) -> str:
        """The name of the replay that brought it; empty: it is new."""
        return self.message.mark or ""


class Queue:
    """Visible messages, oldest first; those that are out; dead letters. `limit` None: received again and again until retention ends."""

    target = ""  # dead letters are kept here

    def __init__(
        self,
        place: str,
        *,
        visibility: float = 30,
        delay: float = 0,
        limit: int | None = None,
        retention: float | None = RETENTION,
        fifo: bool = False,
        window: float = DEDUPLICATION,
        late: bool = True,
        dead_letter: bool = True,
    ) -> None:
        assert limit is None or limit >= 1, f"{place}: limit={limit}"
        self.place, self.visibility, self.delay, self.limit, self.retention = place, visibility, delay, limit, retention
        self.fifo, self.window, self.late, self.dead_letter = fifo, window, late and not fifo, dead_letter
        self.ready: list[Message] = []
        self.out: dict[int, Delivery] = {}  # by tag
        self.dead: list[Message] = []  # oldest first
        self._hidden: list[float] = []  # a heap: when those of `ready` that are not visible yet will be
        self._seen: dict[str, float] = {}  # deduplication id -> when it was accepted
        self._tag = 0

    def __len__(self) -> int:
        return len(self.ready) + len(self.out)

    def send(
        self,
        event: Event,
        now: float,
        *,
        group: str | None = None,
        dedup: str | None = None,
        delay: float | None = None,
        mark: Any = None,
    ) -> bool:
        """Take a message; False: a duplicate, which is not delivered. Unless told, a FIFO queue groups by the event's key, and knows
        it by its id; a standard queue has no groups.
        """
        if self.fifo:
            name = dedup if dedup is not None else event.id
            if name in self._seen and now - self._seen[name] < self.window:
                return False
            self._seen[name] = now
        visible = now + (self.delay if delay is None else delay)
        self.ready.append(Message(event, now, visible, self._group(event, group), mark))
        heappush(self._hidden, visible)
        return True

    def _group(self, event: Event, group: str | None = None) -> str | None:
        return group if group is not None or not self.fifo else event.key or ""

    def receive(self, now: float, consumer: Any = None) -> Delivery | None:
        """The next message for a consumer, or None: nothing is visible. See `fate`: a dead letter or what is too old comes out, too."""
        while self._hidden and self._hidden[0] <= now:
            heappop(self._hidden)
        if len(self._hidden) == len(self.ready):
            return None
        closed = {delivery.message.group for delivery in self.out.values()} - {None}
        for n, message in enumerate(self.ready):
            if message.visible <= now and message.group not in closed:
                return self._receive(self.ready.pop(n), now, consumer)
            if message.group is not None:
                closed.add(message.group)
        return None

    def _receive(self, message: Message, now: float, consumer: Any) -> Delivery:
        if self.retention is not None and now - message.sent >= self.retention:
            return Delivery(self, message, "discard", 0, now, consumer)
        if self.limit is not None and message.count >= self.limit:
            return Delivery(self, message, self._bury(message, now), 0, now, consumer)
        message.count += 1
        self._tag = tag = self._tag + 1
        message.first = message.first or tag
        self.out[tag] = delivery = Delivery(self, message, "deliver", tag, now + self.visibility, consumer)
        return delivery

    def _bury(self, message: Message, now: float) -> Fate:
        if not self.dead_letter:
            return "discard"
        if self.fifo:
            message.sent = now
        self.dead.append(message)
        return "dead"

    def delete(self, delivery: Delivery) -> Literal["ack", "late", "stale"]:
        """The message is done: "ack"; "late", if it is visible again and nobody has received it since; or "stale": nothing changes."""
        if self.out.pop(delivery.tag, None) is not None:
            return "ack"
        waiting = (each for each in self.ready if each.event == delivery.event and each.count == delivery.count)
        if not self.late or next(waiting, None) is not delivery.message:
            return "stale"
        self.ready.remove(delivery.message)
        return "late"

    def lapse(self, delivery: Delivery, now: float, wait: float = 0) -> Literal["requeue", "stale"]:
        """A delivery has come to nothing: the message is back at its place, ahead of what was never received, and visible after `wait`
        (ChangeMessageVisibility).
        """
        if self.out.pop(delivery.tag, None) is None:
            return "stale"
        delivery.message.visible = now + wait
        heappush(self._hidden, now + wait)
        first = delivery.message.first
        n = next((n for n, each in enumerate(self.ready) if not 0 < each.first < first), len(self.ready))
        self.ready.insert(n, delivery.message)
        return "requeue"

    def give_up(self, delivery: Delivery, now: float) -> Literal["dead", "discard", "stale"]:
        """A delivery has come to nothing for the last time: a dead letter, or without a dead-letter queue gone."""
        if self.out.pop(delivery.tag, None) is None:
            return "stale"
        return "dead" if self._bury(delivery.message, now) == "dead" else "discard"

    def letters(self, now: float) -> list[Event]:
        """The dead letters that retention has left, oldest first."""
        return [letter.event for letter in self.dead if self.retention is None or now - letter.sent < self.retention]

    def redrive(self, now: float) -> tuple[Literal["redrive", "discard"], Event] | None:
        """Send the oldest dead letter back as a new message, or throw it away if it is too old; None if there is none."""
        if not self.dead:
            return None
        letter = self.dead.pop(0)
        if self.retention is not None and now - letter.sent >= self.retention:
            return "discard", letter.event
        self.ready.append(Message(letter.event, now, now, self._group(letter.event, letter.group), None))
        return "redrive", letter.event
