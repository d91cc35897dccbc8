"""Buses that keep a queue for each target, in virtual time: SNS with SQS queues, and SQS alone.

A consumer of SQS polls: its instances ask for as many messages as they have room for (`prefetch`), and a long poll waits at the queue.
The queue hears nothing of a crash or a handler that raised: whatever is not deleted comes back when its visibility timeout ends.

A standard queue here hands out what has waited longest, once. The real one promises neither (best-effort order, at least once): where that
matters, let `Faults(reorder=, duplicate=)` do it. Source: Amazon SQS Developer Guide, standard queues, at-least-once delivery.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from edakit.bus.topic import Topic
from edakit.bus.visibility import RETENTION, Delivery, Queue
from edakit.errors import Refused
from edakit.event import Event
from edakit.sim.buses import Bus
from edakit.sim.coordinator import alarm
from edakit.sim.hub import QueueHub
from edakit.sim.runtime import Instance
from edakit.units import SECOND, nanoseconds

if TYPE_CHECKING:
    from edakit.sim.deployment import Deployment
    from edakit.sim.kernel import Task
    from edakit.sim.world import World


class Poller:
    """An instance as its queue sees it: how many messages it has asked for, and which it holds."""

    def __init__(self, instance: Instance, room: int) -> None:
        self.instance, self.name, self.room = instance, instance.name, room
        self.held: set[int] = set()  # tags


class QueuedBus(QueueHub, Bus):
    """What SNS with SQS and an event bus share: queues whose deliveries have a deadline."""

    queues: dict[str, Queue]

    def __init__(self, lab: "World", name: str) -> None:
        super().__init__(lab, name)
        self._alarms: dict[Delivery, Task] = {}  # what waits for the deadline of a delivery

    def hand(self, delivery: Delivery, instance: Instance, arrive: Callable[[Delivery], None]) -> bool:
        """Send a delivery to an instance, and let it lapse at its deadline. False: it was lost on the way."""
        self.add(self.kernel.ns, "deliver", delivery.place, instance.name, delivery.event, delivery.tag)
        name, wait = f"{delivery.place}: deadline", max(0, round(delivery.deadline) - self.kernel.ns)
        self._alarms[delivery] = self.kernel.spawn(name, alarm, self.kernel, wait, self._too_late, delivery)
        return self.network.send("deliver", self.name, instance.name, delivery.event, arrive, delivery)

    def _too_late(self, delivery: Delivery) -> None:
        del self._alarms[delivery]
        self.lapsed(delivery)

    def unwatch(self, delivery: Delivery) -> None:
        """A delivery is closed: its deadline means nothing any more."""
        if delivery in self._alarms:
            self.kernel.cancel(self._alarms.pop(delivery))

    def lapsed(self, delivery: Delivery) -> None:
        """The deadline of a delivery has come."""
        raise NotImplementedError

    def delete(self, delivery: Delivery, since: int) -> None:
        """A delivery is done: its message leaves the queue, and its group may go on."""
        outcome = delivery.queue.delete(delivery)
        kind, tag = ("ack", -delivery.count) if outcome == "late" else (outcome, delivery.tag)
        self.add(self.kernel.ns, kind, delivery.place, delivery.consumer.name, delivery.event, tag, since)
        self.unwatch(delivery)
        self.push(delivery.queue)


class TopicBus(QueuedBus):
    """An SNS topic with an SQS queue for each service; or, with `topic=False`, one SQS queue that all services take from.

    A service has one subscription: an event passes if an `on` pattern covers its type and the policy of `filter=` lets it pass. A FIFO
    bus has FIFO queues, grouped by key; it takes an event that it has had in the last five minutes, and delivers it no more.
    """

    def __init__(
        self,
        lab: "World",
        name: str,
        *,
        topic: bool = True,
        filter_scope: str = "MessageAttributes",
        visibility: float = 30,
        delay: float = 0,
        retention: float = RETENTION,
        delivery_limit: int | None = None,
        fifo: bool = False,
    ) -> None:
        super().__init__(lab, name)
        self.topic = Topic(filter_scope) if topic else None
        self.delivery_limit, self.fifo = delivery_limit, fifo
        times = {"visibility": visibility, "delay": delay, "retention": retention}
        self.times: dict[str, Any] = {what: nanoseconds(value, what) for what, value in times.items()}
        self.pollers: dict[str, list[Poller]] = {}  # by queue, who asks next first

    def take(self, event: Event, since: int) -> None:
        """Put a copy into every queue whose subscription wants it."""
        ns, fitting = self.kernel.ns, self.topic.targets(event) if self.topic else list(self.queues)
        sent = [name for name in fitting if self.queues[name].send(event, ns, dedup=event.extensions.get("dedup"))]
        self.add(ns, "publish", self.name, event.source, event, 0, since, " ".join(sent))
        for name in fitting:
            if name not in sent:
                self.add(ns, "log", f"{self.name}/{name}", self.name, event, 0, 0, f"{event.id} again: taken, and not delivered")
            elif self.times["delay"]:
                self.kernel.later(round(self.times["delay"]), self.push, self.queues[name])
            else:
                self.push(self.queues[name])

    def push(self, queue: Queue) -> None:
        """Answer the polls that wait with what is visible."""
        crew = self.pollers[queue.place]
        while asking := next((poller for poller in crew if poller.room), None):
            delivery = queue.receive(self.kernel.ns, asking)
            if delivery is None:
                return
            if delivery.fate != "deliver":
                why = f"received {delivery.count} times" if delivery.count == queue.limit else "older than its retention"
                self.add(self.kernel.ns, delivery.fate, queue.place, asking.name, delivery.event, 0, 0, why)
                continue
            crew.remove(asking)
            crew.append(asking)
            asking.room -= 1
            asking.held.add(delivery.tag)
            if not self.hand(delivery, asking.instance, asking.instance.arrive):
                self._asks_again(asking, delivery)

    def settle(self, instance: Instance, delivery: Delivery, error: Exception | None, result: Any) -> None:
        """A handler has ended. If it is done, the message is deleted; else nothing is said, and the visibility timeout ends."""
        if (error is None or isinstance(error, Refused)) and instance.deployment.commit == "after":
            self.send_ack(instance, delivery)
        self.kernel.later(self.network.hop, self._asks_again, instance.consumer, delivery)

    def send_ack(self, instance: Instance, delivery: Delivery) -> None:
        """Ask for a message to be deleted."""
        self.network.send("ack", instance.name, self.name, delivery.event, self.delete, delivery, self.kernel.ns)

    def _asks_again(self, poller: Poller, delivery: Delivery) -> None:
        """A consumer polls for one more, now that it is done with a delivery, or has not got it."""
        if delivery.tag in poller.held:
            poller.held.remove(delivery.tag)
            poller.room += 1
            self.push(delivery.queue)

    def lapsed(self, delivery: Delivery) -> None:
        """Not deleted in time: visible again."""
        queue, ns = delivery.queue, self.kernel.ns
        if queue.lapse(delivery, ns) == "requeue":
            why = f"not deleted within {queue.visibility / SECOND:g} s"
            self.add(ns, "requeue", queue.place, delivery.consumer.name, delivery.event, delivery.tag, ns, why)
            self.push(queue)

    def start(self, deployment: "Deployment", name: str) -> Instance:
        """A new instance polls the queue of its service, which is made for the first."""
        self.check(deployment, "delivery_limit", "commit", *(["filter"] if self.topic else []))  # a queue alone has no policies
        where = deployment.service.name if self.topic else self.name
        if where not in self.queues:
            if self.topic:
                self.topic.subscribe(where, deployment.filter, deployment.service.handlers)
            place = f"{self.name}/{where}"
            self.queues[where] = Queue(
                place, limit=deployment.delivery_limit, fifo=self.fifo, dead_letter=bool(deployment.dead_letter),
                window=nanoseconds(300), **self.times,
            )  # fmt: skip
            self.pollers[place] = []
        self.agree(deployment, self.queues[where])
        instance = Instance(deployment, name, self)
        if deployment.commit == "before":
            instance.arrive = partial(self._acks_first, instance)
        instance.consumer = Poller(instance, deployment.prefetch)
        self.pollers[f"{self.name}/{where}"].append(instance.consumer)
        self.push(self.queues[where])
        return instance

    def crashed(self, instance: Instance) -> None:
        """The polls of a dead consumer end with its connection. What it holds stays out."""
        self.network.hang_up(instance.name, self.name, self._gone, instance.consumer)

    def _gone(self, poller: Poller) -> None:
        poller.room, poller.held = 0, set()
        for crew in self.pollers.values():
            if poller in crew:
                crew.remove(poller)
