"""What the buses of a lab have in common, and Redis Pub/Sub in virtual time. Queued buses are in `edakit.sim.queued`.

A bus looks like a broker to those who publish: it takes an event, and one row says where that event went.
"""

import json
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from edakit.bus.pubsub import HARD, SOFT, SOFT_TIME, Connection, PubSub
from edakit.errors import WiringError
from edakit.event import Event
from edakit.sim.hub import Hub
from edakit.sim.runtime import Instance
from edakit.sim.server import Handed
from edakit.sim.world import Home, Waiter
from edakit.trace import AT_MOST_ONCE
from edakit.units import nanoseconds

if TYPE_CHECKING:
    from edakit.sim.deployment import Deployment
    from edakit.sim.world import World


class Bus(Hub, Home):
    """A hub that has something of its own between those who publish and those who listen."""

    word = "bus"
    forgets = False  # whether it never brings an event again whose handler has died

    def accept(self, event: Event, since: int, confirm: Waiter | None = None) -> None:
        """Take an event that has arrived, and confirm it if its sender waits."""
        self.take(event, since)
        if confirm:
            self.lab.confirm(self.name, event, since, *confirm)

    def take(self, event: Event, since: int) -> None:
        """Write down where an event goes, and see that it gets there."""
        raise NotImplementedError

    def ask(self, service: str, request: Event, since: int) -> None:
        """Refuse: a bus carries what happened, it does not answer."""
        raise WiringError(
            f"{service} is deployed on bus {self.name}, which carries no requests: deploy it on a broker or a server"
        )

    def check(self, deployment: "Deployment", *known: str) -> None:
        """Refuse the choices of a deployment that mean nothing on this bus."""
        usual = {"delivery_limit": None, "on_error": "requeue", "commit": "after", "ack_every": 1, "filter": None}
        for name, value in usual.items():
            if name not in known and getattr(deployment, name) != value:
                raise WiringError(f"{name}={getattr(deployment, name)!r}: bus {self.name} has no such thing")
        if isinstance(deployment.dead_letter, str):
            raise WiringError(
                f"dead_letter={deployment.dead_letter!r}: bus {self.name} keeps dead letters itself: give True or False"
            )


class PubSubBus(Bus):
    """Redis Pub/Sub. Every instance is a subscriber of its own; who is not connected misses what is published meanwhile.

    `on` patterns become channels and globs (`#` is `*`; a star also crosses dots); `filter=` names globs to subscribe to instead.
    A subscriber reads `prefetch` messages ahead of its handler; the rest waits in its output buffer on the server. One that is too slow
    is cut off, with all that waits, and connects anew when it has read what it was sent before.
    """

    forgets = True

    def __init__(
        self, lab: "World", name: str, *, hard_limit: int = HARD, soft_limit: int = SOFT, soft_seconds: float = SOFT_TIME
    ) -> None:
        super().__init__(lab, name)
        self.limits: dict[str, Any] = {
            "hard": hard_limit,
            "soft": soft_limit,
            "soft_time": nanoseconds(soft_seconds, "soft_seconds"),
        }
        self.server = PubSub()
        self._tags = 0

    def take(self, event: Event, since: int) -> None:
        """Write it for everybody who listens now."""
        receivers, size, ns = self.server.receivers(event.type), _size(event), self.kernel.ns
        overrun = {each.name: why for each in receivers if (why := each.write(event, size, ns))}
        self.add(ns, "publish", self.name, event.source, event, 0, since, " ".join(each.name for each in receivers))
        for connection in dict.fromkeys(receivers):
            if connection.name in overrun:
                self._end(connection.name, f"cut off: {overrun[connection.name]}")
            else:
                self._push(connection)

    def _push(self, connection: Connection) -> None:
        """Send what the subscriber has room for."""
        instance: Instance = self.lab.instances[connection.name]
        place = f"{self.name}/{connection.name}"
        while (event := connection.read()) is not None:
            self._tags = tag = self._tags + 1
            self.add(self.kernel.ns, "deliver", place, connection.name, event, tag, 0, AT_MOST_ONCE)
            handed = Handed(place, event, tag)
            if not self.network.send("deliver", self.name, connection.name, event, instance.receive, handed):
                connection.room += 1

    def settle(self, instance: Instance, delivery: Handed, error: Exception | None, result: Any) -> None:
        """A handler has ended, well or not: there is room for one more."""
        connection = self.server.connections.get(instance.name)
        if connection is instance.consumer and connection is not None:
            self.kernel.later(self.network.hop, self._room, connection)
        elif instance.up and not instance.inbox:
            self.kernel.later(self.network.hop, self._connect, instance)

    def _room(self, connection: Connection) -> None:
        connection.room += 1
        if self.server.connections.get(connection.name) is connection:
            self._push(connection)

    def start(self, deployment: "Deployment", name: str) -> Instance:
        """A new instance connects and subscribes."""
        self.check(deployment, "filter")
        if isinstance(deployment.filter, Mapping):
            raise WiringError(
                f"filter={deployment.filter!r}: bus {self.name} looks at channels alone; give a glob, or a list of them"
            )
        instance = Instance(deployment, name, self)
        self._connect(instance)
        return instance

    def _connect(self, instance: Instance) -> None:
        if not instance.up:
            return
        if there := self.server.connections.get(instance.name):
            if there is instance.consumer:
                return
            self._end(instance.name, "its subscriber is gone")
        deployment, wanted = instance.deployment, instance.deployment.filter
        if wanted is None:
            globs = [pattern.replace("#", "*") for pattern in deployment.service.handlers]
        else:
            globs = [wanted] if isinstance(wanted, str) else list(wanted)
        instance.consumer = self.server.connect(instance.name, room=deployment.prefetch, **self.limits).subscribe(*globs)

    def crashed(self, instance: Instance) -> None:
        """The connection of a dead subscriber ends: the server hears of it after all that was sent on it."""
        gone = instance.consumer
        self.network.hang_up(instance.name, self.name, partial(self._hung_up, gone))

    def _hung_up(self, gone: Connection) -> None:
        if self.server.connections.get(gone.name) is gone:
            self._end(gone.name, "its subscriber is gone")

    def _end(self, name: str, why: str) -> None:
        """A connection is over, and so is what waited for it."""
        lost = self.server.connections[name].buffer
        while lost:
            event, _ = lost.popleft()
            self.add(self.kernel.ns, "discard", f"{self.name}/{name}", name, event, 0, 0, why)
        self.server.disconnect(name)

    def __repr__(self) -> str:
        held = ", ".join(f"{name} ({len(each.buffer)})" for name, each in self.server.connections.items())
        return f"<bus {self.name}: {held or 'no subscribers'}>"


def _size(event: Event) -> int:
    """The bytes of a message on the wire, about: its channel and its data."""
    return len(event.type) + len(json.dumps(event.data))
