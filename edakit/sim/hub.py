"""What brokers and buses have in common: they are published to, and most of them keep queues by name."""

from typing import TYPE_CHECKING, Any

from edakit.broker.declared import message_properties
from edakit.errors import WiringError, known
from edakit.event import Event
from edakit.service import checked_name
from edakit.sim.runtime import Instance
from edakit.sim.world import Outlet

if TYPE_CHECKING:
    from edakit.sim.deployment import Deployment
    from edakit.sim.world import World


class Hub(Outlet):
    """A home that is published to. What becomes of an event is up to its kind."""

    kind = "broker"
    word = "broker"  # what it is called
    inline = False

    def __init__(self, lab: "World", name: str) -> None:
        self.lab, self.name = lab, checked_name(self.word, name)
        self.kernel, self.network, self.add = lab.kernel, lab.network, lab.trace.add

    def publish(
        self, type: str, data: Any = None, key: str | int | None = None, *, source: str = "client", **properties: Any
    ) -> Event:
        """Publish from outside, as a client does: the event is on its way when the lab runs. Nobody waits for a confirm.

        properties: headers, priority, ttl, persistent, mandatory, dedup; see `edakit.broker.message_properties`.
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

    async def run_inline(self, event: Event) -> None:
        """Asked for only where `inline` is said."""


class QueueHub(Hub):
    """A hub with queues by name: they keep dead letters, which can be looked at and sent back."""

    delivery_limit: int | None  # of a hub that gives up by itself

    def __init__(self, lab: "World", name: str) -> None:
        super().__init__(lab, name)
        self.queues: dict[str, Any] = {}

    def push(self, queue: Any) -> None:
        """Send out what may go out."""
        raise NotImplementedError

    def dead_letters(self, queue: str) -> list[Event]:
        """The dead letters of a queue that are there still, oldest first."""
        letters: list[Event] = self._queue(queue).letters(self.kernel.ns)
        return letters

    def redrive(self, queue: str, *, rate: float = 1000) -> int:
        """Send the dead letters of a queue back to its end, so many a second from now on; return how many there are.

        What was sent on to another queue (dead_letter="parked") stays there, for a service of that name to read and publish again.
        """
        self.lab.check_open(f"redrive {queue!r}")
        found = self._queue(queue)
        return self.lab.paced(len(found.dead), rate, self._redrive_one, found)

    def _redrive_one(self, queue: Any) -> None:
        if moved := queue.redrive(self.kernel.ns):
            kind, event = moved
            self.add(self.kernel.ns, kind, queue.place, "operator", event, 0 if kind == "redrive" else -1)
            self.push(queue)

    def depth(self, queue: str) -> int:
        """How many messages a queue holds now, those included that are out, or not visible yet."""
        return len(self._queue(queue))

    def _queue(self, name: str) -> Any:
        if name not in self.queues:
            raise WiringError(known(f"queue on {self.word} {self.name}", name, list(self.queues)))
        return self.queues[name]

    def agree(self, deployment: "Deployment", queue: Any) -> None:
        """Refuse a limit or a place for dead letters that comes too late: the queue is there with others."""
        there = queue.target or queue.dead_letter
        if deployment.delivery_limit not in (self.delivery_limit, queue.limit) or deployment.dead_letter not in (True, there):
            raise WiringError(
                f"queue {queue.place} is there already, with a limit of {queue.limit} deliveries and dead_letter={there!r}: "
                "say these where it is declared, not in deploy"
            )

    def _acks_first(self, instance: Instance, delivery: Any) -> None:
        """commit="before": the ack leaves when the delivery comes, so that a crash loses the message where it would repeat it."""
        if instance.up:
            self.send_ack(instance, delivery)
        instance.receive(delivery)

    def send_ack(self, instance: Instance, delivery: Any) -> None:
        """Say that a delivery is done."""
        raise NotImplementedError

    def __repr__(self) -> str:
        held = ", ".join(f"{name} ({len(queue)})" for name, queue in self.queues.items())
        return f"<{self.word} {self.name}: {held or 'no queues'}>"
