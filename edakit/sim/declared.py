"""What a broker does with the queues that were declared with arguments, and with all of them when it crashes: a part of `Broker`."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from edakit.broker.declared import Arguments, Deaths, Declared, Reason, is_death_cycle, record_death
from edakit.broker.exchange import Exchange
from edakit.broker.queue import Delivery, Queue
from edakit.errors import WiringError, known
from edakit.event import Event
from edakit.service import checked_name
from edakit.sim.runtime import Instance
from edakit.units import SECOND

if TYPE_CHECKING:
    from edakit.sim.kernel import Kernel
    from edakit.sim.network import Network
    from edakit.sim.world import World


UNCONFIRMED = 180 * SECOND  # until a dead letter that nobody has confirmed is sent again (rabbit_fifo_dlx_worker.erl)


def name_of(queue: Queue) -> str:
    """The name of a queue on its broker."""
    return queue.place.rpartition("/")[2]


Route = tuple[list[Queue], str, bool]  # the queues, how a row names them, whether all is as usual


class Down(dict[tuple[str, ...], Route]):
    """The routes of a broker that is down: none, and nothing is as usual."""

    def get(self, names: object, default: object = None) -> Any:
        """No queue, whatever is asked for."""
        return [], "", False


class DeclaredQueues:
    """Declares queues, drives their rules, and lets the broker fail and recover."""

    lab: "World"
    kernel: "Kernel"
    network: "Network"
    name: str
    inline: bool
    up: bool
    ack_timeout: int
    delivery_limit: int | None
    default_queue_type: str
    exchange: Exchange
    queues: dict[str, Queue]
    add: Any
    _routes: dict[tuple[str, ...], Route]
    _unbound: set[str]
    _promised: set[str]

    def queue(
        self,
        name: str,
        *,
        bind: str | Mapping[str, Any] | None = None,
        limit: int | None = None,
        dead_letter: bool | str = True,
        **arguments: Any,
    ) -> Declared:
        """Declare a queue with arguments, for a service to be deployed under the same name or to be looked at.

        arguments: type ("classic" or "quorum"), durable, message_ttl (seconds), max_length, overflow ("drop-head", "reject-publish",
        "reject-publish-dlx"), max_priority, single_active_consumer. limit: deliveries of one message at most. dead_letter: keep dead
        letters (True), throw them away (False), or send them to the queue of that name, which is declared when it is needed: at most
        once, unless dead_letter_strategy="at-least-once" (a quorum queue with overflow="reject-publish") tries until it is there.
        bind: a pattern; on a headers exchange arguments, as {"x-match": "any", "format": "pdf"}. Without it the service's own
        patterns once one is deployed here, and everything until then. Raises WiringError for a queue that is there already.
        """
        queue = self._declare(name, limit, dead_letter, **arguments)
        if bind is None:
            self._unbound.add(name)
        self.exchange.bind(name, self._everything if bind is None else bind)
        return queue

    @property
    def _everything(self) -> str | Mapping[str, Any]:
        return {} if self.exchange.kind == "headers" else "#"

    def _declare(self, name: str, limit: int | None = None, dead_letter: bool | str = True, **arguments: Any) -> Declared:
        if checked_name("queue", name) in self.queues:
            raise WiringError(f"broker {self.name} has a queue {name!r} already; known: {', '.join(self.queues)}")
        if self.inline:
            raise WiringError(f"{self.name} runs handlers inside the publisher's call: it has no queues to declare")
        try:
            chosen = Arguments(**{"type": self.default_queue_type, **arguments})
        except TypeError as error:
            raise WiringError(f"queue {name}: {error}; arguments are: {', '.join(Arguments.__annotations__)}") from None
        limit = self.delivery_limit if limit is None else limit
        if limit is not None and not (isinstance(limit, int) and limit >= 1):
            raise WiringError(f"limit={limit!r}: 1 or more deliveries, or None for no limit")
        target = dead_letter if isinstance(dead_letter, str) else ""
        if target in self.queues and not isinstance(self.queues[target], Declared):
            raise WiringError(f"dead_letter={target!r}: declare that queue, {self.name}.queue({target!r}), before it is used")
        self._promised.discard(name)
        self.queues[name] = queue = Declared(f"{self.name}/{name}", limit, dead_letter=dead_letter, arguments=chosen)
        if target and target not in self.queues:
            self._promised.add(checked_name("queue", target))
        note = {**asdict(chosen), "limit": limit, "dead_letter": dead_letter}
        if chosen.dead_letter_strategy == "at-most-once":
            del note["dead_letter_strategy"]
        self.add(self.kernel.ns, "declare", queue.place, "", None, 0, 0, json.dumps(note))
        return queue

    def _tend(self, queue: Declared) -> None:
        """Of a queue with arguments, throw out what is too old, send out what may go, throw out what does not fit; come back in time."""
        self._expire(queue)
        while delivery := queue.next():
            consumer, event = delivery.consumer, delivery.event
            self.add(self.kernel.ns, "deliver", queue.place, consumer.name, event, delivery.tag)
            if not self.network.send("deliver", self.name, consumer.name, event, consumer.owner.arrive, delivery):
                self.kernel.later(self.ack_timeout, self._overdue, delivery)
            self._expire(queue)
        self._evict(queue)
        due = queue.next_expiry()
        if due and due != queue.alarm:
            queue.alarm = due
            self.kernel.later(max(0, due - self.kernel.ns), self._wake, queue, due)

    def _wake(self, queue: Declared, due: int) -> None:
        if queue.alarm == due:
            queue.alarm = 0
            if self.up:
                self._tend(queue)

    def _expire(self, queue: Declared) -> None:
        while found := queue.expired(self.kernel.ns):
            self._lost(queue, "lapse", "expired", *found)

    def _evict(self, queue: Declared) -> None:
        while found := queue.evicted():
            self._lost(queue, "evict", "maxlen", *found)

    def _lost(self, queue: Declared, kind: str, reason: Reason, event: Event, deaths: Deaths) -> None:
        self.add(self.kernel.ns, kind, queue.place, "", event, int(queue.dead_letter))
        self._dead_letter(queue, event, deaths, reason)

    def _dead_letter(self, queue: Declared, event: Event, deaths: Deaths, reason: Reason) -> None:
        """Hand a message on to the queue for dead letters, if there is one."""
        if not queue.target:
            return
        deaths = record_death(deaths, name_of(queue), reason, self.kernel.ns)
        if reason != "rejected" and is_death_cycle(queue.target, deaths):
            why = f"dropped: it has been in {queue.target} and nobody rejected it since"
            self.add(self.kernel.ns, "log", queue.place, self.name, event, 0, 0, why)
        else:
            self._hop(queue, event, deaths, reason)

    def _hop(self, queue: Declared, event: Event, deaths: Deaths, reason: Reason) -> None:
        """From queue to queue: nobody waits for a confirm, unless the queue asks for one."""
        target, ns = self._queue(queue.target), self.kernel.ns
        assert isinstance(target, Declared), target.place  # looked at when it was named
        if target.rejects:
            self.add(ns, "refuse", target.place, queue.place, event, 0, ns, f"max_length={target.arguments.max_length}")
        elif self.up and not self.network.loses("dead-letter", queue.place, target.place, event):
            target.put(event, ns, deaths)
            self.add(ns, "hop", target.place, queue.place, event, 0, 0, reason)
            self.kernel.later(0, self.push, target)
            return
        if queue.arguments.dead_letter_strategy == "at-least-once":
            self.kernel.later(UNCONFIRMED, self._hop, queue, event, deaths, reason)

    def fail(self) -> None:
        """The broker crashes: connections end, and only what is durable is left. What it sent before is still on its way."""
        if not self.up:
            return
        self.up, self._routes = False, Down()
        for queue in self.queues.values():
            queue.restart()
        self.add(self.kernel.ns, "crash", self.name, self.name, None)
        for instance in self._instances():
            instance.inbox.clear()

    def recover(self) -> None:
        """The broker is back; its consumers connect again, one hop later."""
        if self.up:
            return
        self.up, self._routes = True, {}
        self.add(self.kernel.ns, "restart", self.name, self.name, None)
        for instance in self._instances():
            self.kernel.later(self.network.hop, self._connect, instance)
        for queue in list(self.queues.values()):  # what expires now may declare one more
            self.push(queue)

    def _instances(self) -> list[Instance]:
        return [instance for instance in self.lab.instances.values() if instance.home.name == self.name and instance.up]

    def _queue(self, name: str) -> Queue:
        """The queue of that name; one that others name as theirs for dead letters is declared when it is needed, with no bindings."""
        if name in self._promised:
            self._declare(name)
        if name not in self.queues:
            raise WiringError(known(f"queue on broker {self.name}", name, list(self.queues)))
        return self.queues[name]

    def push(self, queue: Queue) -> None:
        """Send out what may go out."""
        raise NotImplementedError

    def _overdue(self, delivery: Delivery) -> None:
        raise NotImplementedError

    def _connect(self, instance: Instance) -> None:
        raise NotImplementedError
