"""A message broker in virtual time: it drives the rules of `edakit.broker` and writes one row after each change of a queue.

A service deployed here gets one queue, bound by its `on` patterns; its instances compete for it. What a lost delivery or a lost ack
leaves unsettled is given back after `ack_timeout`; a crashed consumer's at once, when its connection ends.
"""

from functools import partial
from typing import TYPE_CHECKING, Any

from edakit.broker.declared import Declared, message_properties
from edakit.broker.exchange import Exchange
from edakit.broker.queue import Consumer, Delivery, Queue
from edakit.errors import Livelock, Refused, WiringError
from edakit.event import Event
from edakit.service import Service, checked_name
from edakit.sim.declared import DeclaredQueues, Route, name_of
from edakit.sim.kernel import Task
from edakit.sim.runtime import Instance
from edakit.sim.world import PATIENCE
from edakit.units import nanoseconds

if TYPE_CHECKING:
    from edakit.sim.deployment import Deployment
    from edakit.sim.world import World

ENDLESS = 1000  # so often a queue without a limit may give one message back before the run is called endless


class Broker(DeclaredQueues):
    """An exchange, its queues and their consumers."""

    kind = "broker"

    def __init__(
        self,
        lab: "World",
        name: str,
        *,
        exchange: str = "topic",
        inline: bool = False,
        ack_timeout: float = 30,
        delivery_limit: int | None = None,
        default_queue_type: str = "classic",
        alternate: str | None = None,
    ) -> None:
        if delivery_limit is not None and not (isinstance(delivery_limit, int) and delivery_limit >= 1):
            raise WiringError(f"delivery_limit={delivery_limit!r}: 1 or more, or None for no limit")
        self.lab, self.name, self.inline, self.delivery_limit = lab, checked_name("broker", name), inline, delivery_limit
        self.kernel, self.network, self.add, self.write = lab.kernel, lab.network, lab.trace.add, lab.trace.write
        self.exchange = Exchange(name, exchange)
        self.queues: dict[str, Queue] = {}
        self._pending = lab.pending
        self.ack_timeout = nanoseconds(ack_timeout, "ack_timeout")
        self._routes: dict[
            tuple[str, ...], tuple[list[Queue], str, bool]
        ] = {}  # names: queues, how a row names them, nothing special
        self.default_queue_type, self.alternate, self.up = default_queue_type, alternate, True
        self._unbound: set[str] = set()  # declared without a binding of their own, and not deployed on yet
        self._promised = {alternate} if alternate is not None else set()  # named by others, to be declared when they are needed

    def publish(
        self, type: str, data: Any = None, key: str | int | None = None, *, source: str = "client", **properties: Any
    ) -> Event:
        """Publish from outside, as a client does: the event is on its way when the lab runs. Nobody waits for a confirm.

        properties: headers, priority, ttl, persistent, mandatory; see `edakit.broker.declared.message_properties`.
        Raises PayloadError if the data is not JSON, ClosedError if the lab is closed.
        """
        if source not in self.lab.clients:
            self.lab.client(source)
        event = self.lab.event(type, data, key, source, None)
        if properties:
            event = event._replace(extensions=message_properties(**properties))
        if quick := self.network.quick:
            quick(self.accept, (event, event.ns))
        else:
            self.network.send("publish", source, self.name, event, self.accept, event, event.ns)
        return event

    def accept(self, event: Event, since: int, confirm: tuple[str, Task, int] | None = None) -> None:
        """Take an event: route it, then see who can have it."""
        names = self.exchange.routes.get(event.type) or self.exchange.route(event.type, event.extensions)
        queues, note, plain = self._routes.get(names) or self._find(names)
        if not plain:
            self._take(event, since, confirm, queues)
            return
        for queue in queues:
            queue.put(event)
        self.write((self.kernel.ns, "publish", self.name, event.source, event, 0, since, note))
        if confirm:
            self.lab.confirm(self.name, event, since, *confirm)
        for queue in queues:
            self.push(queue)

    def _find(self, names: tuple[str, ...]) -> Route:
        """The queues of these names; whether all is as usual: there is one, and none has arguments."""
        queues = [self.queues[name] for name in names]
        found = self._routes[names] = queues, " ".join(names), bool(names) and not any(isinstance(q, Declared) for q in queues)
        return found

    def _take(self, event: Event, since: int, confirm: tuple[str, Task, int] | None, queues: list[Queue]) -> None:
        """Take an event where not all is as usual: queues with arguments, no queue at all, or a broker that is down."""
        ns, refused = self.kernel.ns, ""
        if not self.up:
            self.add(ns, "drop", f"{event.source}>{self.name}", event.source, event, 0, since, "publish")
            if confirm:  # nobody will: its sender waits in vain
                self.kernel.timer(max(0, since + PATIENCE - ns), *confirm[1:])
            return
        if not queues and self.alternate is not None:
            queues = [self._queue(self.alternate)]
        full = [queue for queue in queues if isinstance(queue, Declared) and queue.rejects]
        taking = [queue for queue in queues if queue not in full]
        for queue in taking:
            queue.put(event, ns)
        self.add(ns, "publish", self.name, event.source, event, 0, since, " ".join(map(name_of, taking)))
        for queue in full:
            refused = f"queue {queue.place} is full"
            self.add(ns, "refuse", queue.place, event.source, event, 0, since, f"max_length={queue.arguments.max_length}")
            if queue.arguments.overflow == "reject-publish-dlx":
                self._dead_letter(queue, event, (), "maxlen")
        if not queues and event.extensions.get("mandatory"):
            refused = f"no queue of {self.name} gets {event.type}"
            self.add(ns, "return", self.name, event.source, event, 0, since, refused)
        if confirm:
            self.lab.confirm(self.name, event, since, *confirm, refused)
        for queue in taking:
            self.push(queue)

    def ask(self, service: str, request: Event, since: int) -> None:
        """A request for a service deployed here waits in its queue, by the default exchange: the routing key is the queue."""
        queue = self.queues[service]
        if not self.up:
            self.add(self.kernel.ns, "drop", f"{request.source}>{self.name}", request.source, request, 0, since, "request")
            return
        queue.put(request, self.kernel.ns)
        self.add(self.kernel.ns, "publish", self.name, request.source, request, 0, since, service)
        self.push(queue)

    def push(self, queue: Queue) -> None:
        """Send out what may go out."""
        if queue.__class__ is Declared:
            self._tend(queue)
            return
        while queue.ready and (delivery := queue.next()):
            consumer, event = delivery.consumer, delivery.event
            self.write((self.kernel.ns, "deliver", queue.place, consumer.name, event, delivery.tag, 0, ""))
            if quick := self.network.quick:
                quick(consumer.owner.arrive, (delivery,))
            elif not self.network.send("deliver", self.name, consumer.name, event, consumer.owner.arrive, delivery):
                self.kernel.later(self.ack_timeout, self._overdue, delivery)

    def settle(self, instance: Instance, delivery: Delivery, error: Exception | None, result: Any) -> None:
        """The handler has ended: send the ack or the nack, and the answer if somebody asked."""
        event, ns, done = delivery.event, self.kernel.ns, error is None or isinstance(error, Refused)
        if done and self._pending and event.id in self._pending:
            self.lab.answer(instance.name, event, result, error)
        if instance.deployment.commit == "before":
            return  # acked when it came: too late for a nack, too
        if done and (quick := self.network.quick):
            quick(self.ack, (delivery, ns))
            return
        if done:
            sent = self.network.send("ack", instance.name, self.name, event, self.ack, delivery, ns)
        else:
            requeue = instance.deployment.on_error == "requeue"
            sent = self.network.send("ack", instance.name, self.name, event, self.nack, delivery, ns, requeue, str(error))
        if not sent:
            self.kernel.later(self.ack_timeout, self._overdue, delivery)

    def _settle_many(
        self, handled: list[Delivery], instance: Instance, delivery: Delivery, error: Exception | None, result: Any
    ) -> None:
        """ack_every=n: one ack (AMQP's multiple) when n deliveries are handled; until then a crash brings all of them back."""
        if error is not None or delivery.event.id in self._pending:
            self.settle(instance, delivery, error, result)
            return
        handled.append(delivery)
        if len(handled) == instance.deployment.ack_every:
            batch = handled[:]
            handled.clear()
            if not self.network.send("ack", instance.name, self.name, delivery.event, self._ack_all, batch, self.kernel.ns):
                for each in batch:
                    self.kernel.later(self.ack_timeout, self._overdue, each)

    def _ack_all(self, batch: list[Delivery], since: int) -> None:
        for delivery in batch:
            self.ack(delivery, since)

    def _ack_first(self, instance: Instance, delivery: Delivery) -> None:
        """commit="before": the ack leaves when the delivery comes, so that a crash loses the message where it would repeat it."""
        if instance.up and not self.network.send(
            "ack", instance.name, self.name, delivery.event, self.ack, delivery, self.kernel.ns
        ):
            self.kernel.later(self.ack_timeout, self._overdue, delivery)
        instance.receive(delivery)

    def ack(self, delivery: Delivery, since: int) -> None:
        """A consumer is done with a delivery."""
        queue = delivery.queue
        settled = queue.ack(delivery)
        self.write((self.kernel.ns, settled, queue.place, delivery.consumer.name, delivery.event, delivery.tag, since, ""))
        if queue.ready:
            self.push(queue)

    def nack(self, delivery: Delivery, since: int, requeue: bool, why: str) -> None:
        """A consumer could not handle a delivery."""
        self._give_back(delivery, since, requeue, why)
        self.push(delivery.queue)

    def _give_back(self, delivery: Delivery, since: int, requeue: bool, why: str) -> None:
        queue = delivery.queue
        settled = queue.nack(delivery, requeue)
        note = f"delivered {delivery.count} times, the limit: {why}" if settled == "dead" and requeue else why
        self.add(self.kernel.ns, settled, queue.place, delivery.consumer.name, delivery.event, delivery.tag, since, note)
        if isinstance(queue, Declared):
            if settled == "discard":
                self._dead_letter(queue, delivery.event, delivery.deaths, "delivery_limit" if requeue else "rejected")
            elif settled == "requeue":
                self._evict(queue)
        if settled == "requeue" and delivery.count >= ENDLESS and not self.lab.bounded:
            raise Livelock(
                f"{queue.place} has given {delivery.event.id} back {ENDLESS:,} times ({why}) and would for ever, as a classic queue does: "
                "mend the handler, or deploy with delivery_limit=5 or on_error='reject'"
            )

    def _overdue(self, delivery: Delivery) -> None:
        """What was not settled in time is given back."""
        if delivery.tag in delivery.queue.unacked:
            self._give_back(delivery, self.kernel.ns, True, "no ack in time")
            self.push(delivery.queue)

    def start(self, deployment: "Deployment", name: str) -> Instance:
        """A new instance subscribes to the queue of its service, which is made for the first."""
        service, limit, dead_letter = deployment.service, deployment.delivery_limit, deployment.dead_letter
        queue = self._queue(service.name) if service.name in self._promised else self.queues.get(service.name)
        if queue is None:
            if isinstance(dead_letter, str) or self.default_queue_type == "quorum":
                queue = self._declare(service.name, limit, dead_letter)
            else:
                queue = self.queues[service.name] = Queue(f"{self.name}/{service.name}", limit, dead_letter=dead_letter)
            self._bind(service)
        elif service.name in self._unbound:  # declared for this service
            self._unbound.remove(service.name)
            self.exchange.unbind(service.name, self._everything)
            self._bind(service)
        instance = Instance(deployment, name, self)
        if deployment.commit == "before":
            instance.arrive = partial(self._ack_first, instance)
        elif deployment.ack_every > 1:
            instance.settle = partial(self._settle_many, [])
        if self.up:
            self._connect(instance)
        return instance

    def _bind(self, service: Service) -> None:
        for pattern in service.handlers if self.exchange.kind != "headers" else [self._everything]:
            self.exchange.bind(service.name, pattern)

    def _connect(self, instance: Instance) -> None:
        """An instance subscribes to the queue of its service."""
        if self.up and instance.up:
            queue = self.queues[instance.service.name]
            instance.consumer = Consumer(instance.name, instance.deployment.prefetch, instance)
            queue.join(instance.consumer)
            self.push(queue)

    def crashed(self, instance: Instance) -> None:
        """The connection of a dead consumer ends: the broker hears of it after all that was sent on it."""
        self.network.hang_up(instance.name, self.name, self._disconnected, instance)

    def _disconnected(self, instance: Instance) -> None:
        queue = self.queues[instance.service.name]
        if instance.consumer is None:  # begun and ended while the broker was down
            return
        for delivery in queue.leave(instance.consumer):
            self._give_back(delivery, self.kernel.ns, True, "its consumer is gone")
        self.push(queue)

    async def run_inline(self, event: Event) -> None:
        """like="in-process": handlers run inside the publisher's own call, one after the other; what one raises comes out of it,
        and those behind it do not hear of the event.
        """
        self.accept_inline(event)
        deliveries = []
        for name in self.exchange.route(event.type):  # all at once, before another publisher's event can come between
            delivery = self.queues[name].next()
            if delivery is not None:  # else nobody is up: it waits in the queue
                self.add(self.kernel.ns, "deliver", delivery.place, delivery.consumer.name, delivery.event, delivery.tag)
                deliveries.append(delivery)
        while deliveries:
            delivery = deliveries.pop(0)
            error, _ = await delivery.consumer.owner.handle(delivery)
            if error is not None:
                self._give_back(delivery, self.kernel.ns, False, str(error))
                for unheard in deliveries:
                    self._give_back(unheard, self.kernel.ns, False, f"{delivery.consumer.name} raised: {error}")
                raise error
            self.ack(delivery, self.kernel.ns)

    def accept_inline(self, event: Event) -> None:
        """Take an event without sending it out."""
        names = self.exchange.route(event.type)
        for name in names:
            self.queues[name].put(event)
        self.add(self.kernel.ns, "publish", self.name, event.source, event, 0, self.kernel.ns, " ".join(names))

    def dead_letters(self, queue: str) -> list[Event]:
        """The dead letters of a queue, oldest first."""
        return list(self._queue(queue).dead)

    def redrive(self, queue: str, *, rate: float = 1000) -> int:
        """Send the dead letters of a queue back to its end, so many a second from now on; return how many there are."""
        self.lab.check_open(f"redrive {queue!r}")
        found = self._queue(queue)
        return self.lab.paced(len(found.dead), rate, self._redrive_one, found)

    def _redrive_one(self, queue: Queue) -> None:
        event = queue.redrive(self.kernel.ns)
        if event is not None:
            self.add(self.kernel.ns, "redrive", queue.place, "operator", event)
            self.push(queue)

    def depth(self, queue: str) -> int:
        """How many messages a queue holds now, unacked ones included."""
        return len(self._queue(queue))

    def __repr__(self) -> str:
        held = ", ".join(f"{name} ({len(queue)})" for name, queue in self.queues.items())
        return f"<broker {self.name}: {held or 'no queues'}>"
