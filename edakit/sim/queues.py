"""What a broker does with its queues, with those that were declared with arguments as well: the rules are in `edakit.broker`.

One change of a queue, then one row. What a lost delivery or a lost ack leaves unsettled is given back after `ack_timeout`.
"""

import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from edakit.broker.declared import Arguments, Deaths, Declared, Reason, is_death_cycle, record_death
from edakit.broker.exchange import Exchange
from edakit.broker.queue import Delivery, Queue
from edakit.errors import Livelock, WiringError
from edakit.event import Event
from edakit.service import checked_name
from edakit.sim.hub import QueueHub
from edakit.units import SECOND, nanoseconds

if TYPE_CHECKING:
    from edakit.sim.world import World

ENDLESS = 1000  # so often a queue without a limit may give one message back before the run is called endless
UNCONFIRMED = 180 * SECOND  # until a dead letter that nobody has confirmed is sent again (rabbit_fifo_dlx_worker.erl)


class BrokerQueues(QueueHub):
    """Declares queues, sends out their messages, and hands on their dead letters."""

    queues: dict[str, Queue]
    up = True
    blocked: dict[str, deque[Any]]  # by publisher, who goes on next first: what waits on its link for a full queue
    admit: Callable[[], None]  # takes of each of them the next message, if there is room

    def __init__(self, lab: "World", name: str, exchange: str, ack_timeout: float, limit: int | None, type: str) -> None:
        super().__init__(lab, name)
        self.write, self.exchange = lab.trace.write, Exchange(name, exchange)
        self.ack_timeout = nanoseconds(ack_timeout, "ack_timeout")
        self.delivery_limit, self.default_queue_type = _checked(limit, "delivery_limit"), type
        self._unbound: set[str] = set()  # declared without a binding of their own, and not deployed on yet
        self._promised: set[str] = set()  # named by others, to be declared when they are needed

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
        "reject-publish-dlx", "block", "conflate"), max_priority, single_active_consumer. limit: deliveries of one message at most.
        dead_letter: keep dead letters (True), throw them away (False), or send them to the queue of that name, which is declared when
        it is needed: at most once, unless dead_letter_strategy="at-least-once" (a quorum queue with overflow="reject-publish") tries
        until it is there. bind: a pattern; on a headers exchange arguments, as {"x-match": "any", "format": "pdf"}. Without it the
        service's own patterns once one is deployed here, and everything until then. Raises WiringError for a queue that is there already.

        What a publisher sees of a full queue: with drop-head nothing (the oldest message is an `evict` row); with reject-publish a
        CallRefused out of `ctx.publish`; with block a confirm that comes when there is room: its link to the broker is a `hold` row until
        then, and all that it publishes meanwhile waits in line, for other queues too. (A client outside does not wait for confirms, and
        goes on filling its link.) A dead letter cannot wait, and is refused. With conflate nothing: what is replaced is a `discard` row.
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
        limit = self.delivery_limit if limit is None else _checked(limit, "limit")
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

    def _queue(self, name: str) -> Queue:
        """The queue of that name; one that others name as theirs for dead letters is declared when it is needed, with no bindings."""
        if name in self._promised:
            self._declare(name)
        queue: Queue = super()._queue(name)
        return queue

    def dead_letters(self, queue: str) -> list[Event]:
        """The dead letters of a queue, oldest first: those it keeps, or those that wait in the queue it sends them to."""
        found = self._queue(queue)
        there = self.queues.get(found.target) if isinstance(found, Declared) else None
        return there.died_in(queue) if isinstance(there, Declared) else super().dead_letters(queue)

    def push(self, queue: Queue) -> None:
        """Send out what may go out."""
        if queue.__class__ is Declared:
            self._tend(queue)
            return
        while queue.ready and (delivery := queue.next()):
            self._send(delivery)

    def _send(self, delivery: Delivery) -> None:
        consumer, event = delivery.consumer, delivery.event
        self.write((self.kernel.ns, "deliver", delivery.place, consumer.name, event, delivery.tag, 0, ""))
        if quick := self.network.quick:
            quick(consumer.owner.arrive, (delivery,))
        elif not self.network.send("deliver", self.name, consumer.name, event, consumer.owner.arrive, delivery):
            self.kernel.later(self.ack_timeout, self._overdue, delivery)

    def _tend(self, queue: Declared) -> None:
        """Of a queue with arguments, throw out what is too old, send out what may go, throw out what does not fit; come back in time."""
        while superseded := queue.superseded():
            self.add(self.kernel.ns, "discard", queue.place, "", superseded[0], 0, 0, f"{superseded[1].id} is newer")
        self._expire(queue)
        while delivery := queue.next():
            self._send(delivery)
            self._expire(queue)
        self._evict(queue)
        if self.blocked and not queue.rejects:
            self.kernel.later(0, self.admit)
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
        deaths = record_death(deaths, queue.name, reason, self.kernel.ns)
        if reason != "rejected" and is_death_cycle(queue.target, deaths):
            why = f"dropped: it has been in {queue.target} and nobody rejected it since"
            self.add(self.kernel.ns, "log", queue.place, self.name, event, 0, 0, why)
        else:
            self._hop(queue, event, deaths, reason)

    def _hop(self, queue: Declared, event: Event, deaths: Deaths, reason: Reason, again: bool = False) -> None:
        """From queue to queue: nobody waits for a confirm, unless the queue asks for one."""
        target, ns = self._queue(queue.target), self.kernel.ns
        queue.unconfirmed -= again
        assert isinstance(target, Declared), target.place  # looked at when it was named
        if target.rejects:
            self.add(ns, "refuse", target.place, queue.place, event, 0, ns, f"max_length={target.arguments.max_length}")
        elif self.up and not self.network.loses("dead-letter", queue.place, target.place, event):
            target.put(event, ns, deaths)
            self.add(ns, "hop", target.place, queue.place, event, 0, 0, reason)
            self.kernel.later(0, self.push, target)
            return
        if queue.arguments.dead_letter_strategy == "at-least-once":
            queue.unconfirmed += 1
            self.kernel.later(UNCONFIRMED, self._hop, queue, event, deaths, reason, True)

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
            self.nack(delivery, self.kernel.ns, True, "no ack in time")


def _checked(limit: int | None, what: str) -> int | None:
    """A limit of deliveries, or None for no limit."""
    if limit is not None and not (isinstance(limit, int) and limit >= 1):
        raise WiringError(f"{what}={limit!r}: 1 or more deliveries, or None for no limit")
    return limit
