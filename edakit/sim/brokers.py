"""A message broker in virtual time: it drives the rules of `edakit.broker` and writes one row after each change of a queue.

A service deployed here gets one queue, bound by its `on` patterns; its instances compete for it. What a crashed consumer holds is
given back at once, when its connection ends. `edakit.sim.queues` has what happens in the queues.
"""

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

from edakit.broker.declared import Declared
from edakit.broker.queue import Consumer, Delivery, Queue
from edakit.errors import Refused
from edakit.event import Event
from edakit.service import Service
from edakit.sim.queues import BrokerQueues
from edakit.sim.runtime import Instance
from edakit.sim.world import Waiter

if TYPE_CHECKING:
    from edakit.sim.deployment import Deployment
    from edakit.sim.world import World

Route = tuple[list[Queue], str, bool]  # the queues, how a row names them, whether all is as usual


class Down(dict[str, Route]):
    """The routes of a broker that is down: none, and nothing is as usual."""

    def get(self, type: object, default: object = None) -> Any:
        """No queue, whatever is asked for."""
        return [], "", False


def _blocking(queues: list[Queue]) -> str:
    """The place of a queue for which a publisher has to wait; "" if there is none."""
    return next((q.place for q in queues if isinstance(q, Declared) and q.arguments.overflow == "block" and q.rejects), "")


class Broker(BrokerQueues):
    """An exchange, its queues and their consumers."""

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
        super().__init__(lab, name, exchange, ack_timeout, delivery_limit, default_queue_type)
        self.inline, self.alternate = inline, alternate
        self._pending = lab.pending
        self._routes: dict[str, Route] = self.exchange.routes  # by event type
        self.blocked = {}
        if alternate is not None:
            self._promised.add(alternate)

    def accept(self, event: Event, since: int, confirm: Waiter | None = None) -> None:
        """Take an event: route it, then see who can have it."""
        queues, note, plain = self._routes.get(event.type) or self._find(event)
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

    def _find(self, event: Event) -> Route:
        """The queues that an event goes to; whether all is as usual: there is one, none has arguments, and nobody waits to publish."""
        names = self.exchange.route(event.type, event.extensions)
        queues = [self.queues[name] for name in names]
        found = queues, " ".join(names), bool(names) and not self.blocked and Declared not in map(type, queues)
        if self.exchange.kind != "headers":
            self._routes[event.type] = found
        return found

    def _take(self, event: Event, since: int, confirm: Waiter | None, queues: list[Queue], leg: str = "publish") -> None:
        """Take an event where not all is as usual: queues with arguments, no queue at all, or a broker that is down."""
        ns = self.kernel.ns
        if not self.up:
            self.add(ns, "drop", f"{event.source}>{self.name}", event.source, event, 0, since, leg)
            if confirm:
                self.lab.unconfirmed(event, since, *confirm)
            return
        if not queues and self.alternate is not None:
            queues = [self._queue(self.alternate)]
        message, full = (event, since, confirm, queues, leg), _blocking(queues)
        if event.source in self.blocked:
            self.blocked[event.source].append(message)
        elif full:
            self.blocked[event.source] = deque([message])
            self.exchange.routes.clear()
            self.add(ns, "hold", f"{event.source}>{self.name}", "", event, 0, since, f"{full} is full")
        else:
            self._enter(*message)

    def admit(self) -> None:
        """Take of each publisher that waits its next message, if there is room; who has been served waits behind the others."""
        for source, line in list(self.blocked.items()):
            if source in self.blocked and not _blocking(line[0][3]):
                del self.blocked[source]
                message = line.popleft()
                if line:
                    self.blocked[source] = line
                else:
                    self._let_go(source)
                self._enter(*message)

    def _let_go(self, source: str) -> None:
        """A publisher has nothing left that waits."""
        self.add(self.kernel.ns, "release", f"{source}>{self.name}", "", None)
        if not self.blocked:
            self.exchange.routes.clear()

    def _enter(self, event: Event, since: int, confirm: Waiter | None, queues: list[Queue], leg: str = "publish") -> None:
        """Put an event into its queues, but for those that refuse it."""
        ns, refused = self.kernel.ns, ""
        full = [queue for queue in queues if isinstance(queue, Declared) and queue.rejects]
        taking = [queue for queue in queues if queue not in full]
        for queue in taking:
            queue.put(event, ns)
        self.add(ns, "publish", self.name, event.source, event, 0, since, " ".join(queue.name for queue in taking))
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
        self._take(request, since, None, [self.queues[service]], "request")

    def settle(self, instance: Instance, delivery: Delivery, error: Exception | None, result: Any) -> None:
        """The handler has ended: send the ack or the nack, and the answer if somebody asked."""
        event, done = delivery.event, error is None or isinstance(error, Refused)
        if done and self._pending and event.id in self._pending:
            self.lab.answer(instance.name, event, result, error)
        if instance.deployment.commit == "before":
            return  # acked when it came: too late for a nack, too
        if done and (quick := self.network.quick):
            quick(self.ack, (delivery, self.kernel.ns))
        elif done:
            self.send_ack(instance, delivery)
        else:
            requeue = instance.deployment.on_error == "requeue"
            args = self.nack, delivery, self.kernel.ns, requeue, str(error)
            if not self.network.send("ack", instance.name, self.name, event, *args):
                self.kernel.later(self.ack_timeout, self._overdue, delivery)

    def send_ack(self, instance: Instance, *deliveries: Delivery) -> None:
        """Say that deliveries are done, several at once as AMQP's multiple does."""
        event = deliveries[-1].event
        if not self.network.send("ack", instance.name, self.name, event, self._acked, self.kernel.ns, *deliveries):
            for each in deliveries:
                self.kernel.later(self.ack_timeout, self._overdue, each)

    def _acked(self, since: int, *deliveries: Delivery) -> None:
        for delivery in deliveries:
            self.ack(delivery, since)

    def _settle_many(
        self, handled: list[Delivery], instance: Instance, delivery: Delivery, error: Exception | None, result: Any
    ) -> None:
        """ack_every=n: one ack when n deliveries are handled; until then a crash brings all of them back."""
        if error is not None or delivery.event.id in self._pending:
            self.settle(instance, delivery, error, result)
            return
        handled.append(delivery)
        if len(handled) == instance.deployment.ack_every:
            self.send_ack(instance, *handled)
            handled.clear()

    def start(self, deployment: "Deployment", name: str) -> Instance:
        """A new instance subscribes to the queue of its service, which is made for the first."""
        service, limit, dead_letter = deployment.service, deployment.delivery_limit, deployment.dead_letter
        if service.name in self._promised:  # others send their dead letters there: it is bound to nothing
            self._declare(service.name, limit, dead_letter)
        elif service.name not in self.queues:
            if isinstance(dead_letter, str) or self.default_queue_type == "quorum":
                self._declare(service.name, limit, dead_letter)
            else:
                self.queues[service.name] = Queue(f"{self.name}/{service.name}", limit, dead_letter=dead_letter)
            self._bind(service)
        elif service.name in self._unbound:  # declared for this service
            self._unbound.remove(service.name)
            self.exchange.unbind(service.name, self._everything)
            self._bind(service)
        self.agree(deployment, self.queues[service.name])
        instance = Instance(deployment, name, self)
        if deployment.commit == "before":
            instance.arrive = partial(self._acks_first, instance)
        elif deployment.ack_every > 1:
            instance.settle = partial(self._settle_many, [])
        self._connect(instance)
        return instance

    def _bind(self, service: Service) -> None:
        for pattern in service.handlers if self.exchange.kind != "headers" else [self._everything]:
            self.exchange.bind(service.name, pattern)

    def _connect(self, instance: Instance) -> None:
        """An instance subscribes to the queue of its service, if it and the broker are up."""
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

    def fail(self) -> None:
        """The broker crashes: connections end, and only what is durable is left. What it sent before is still on its way."""
        if not self.up:
            return
        self.up, self._routes = False, Down()
        for queue in self.queues.values():
            queue.restart()
        self.add(self.kernel.ns, "crash", self.name, self.name, None)
        while self.blocked:  # what was on its way to a full queue goes down with the connection
            source, line = self.blocked.popitem()
            self._let_go(source)
            for message in line:
                self._take(*message)
        for instance in self._instances():
            instance.inbox.clear()

    def recover(self) -> None:
        """The broker is back; its consumers connect again, one hop later."""
        if self.up:
            return
        self.up, self._routes = True, self.exchange.routes
        self.add(self.kernel.ns, "restart", self.name, self.name, None)
        for instance in self._instances():
            self.kernel.later(self.network.hop, self._connect, instance)
        for queue in list(self.queues.values()):  # what expires now may declare one more
            self.push(queue)

    def _instances(self) -> list[Instance]:
        return [instance for instance in self.lab.instances.values() if instance.home.name == self.name and instance.up]

    async def run_inline(self, event: Event) -> None:
        """like="in-process": handlers run inside the publisher's own call, one after the other; what one raises comes out of it,
        and those behind it do not hear of the event.
        """
        queues, note, _ = self.exchange.routes.get(event.type) or self._find(event)
        for queue in queues:
            queue.put(event)
        self.add(self.kernel.ns, "publish", self.name, event.source, event, 0, self.kernel.ns, note)
        deliveries = []
        for queue in queues:  # all at once, before another publisher's event can come between
            if delivery := queue.next():  # else nobody is up: it waits in the queue
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
