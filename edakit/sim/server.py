"""Request-response in virtual time: a server that answers while the caller waits.

Services deployed here have `threads` workers an instance; a request that finds all of them busy waits in line. An instance that is
down takes no request: with none up, the connection is refused, and the caller knows that nothing happened. A request that was
under way when its instance died is never answered: the caller learns nothing. (RFC 9110, section 9.2.2.)
"""

from typing import TYPE_CHECKING, Any

from edakit.errors import WiringError
from edakit.event import Event
from edakit.service import checked_name
from edakit.sim.runtime import Instance
from edakit.sim.world import NobodyUp

if TYPE_CHECKING:
    from edakit.sim.deployment import Deployment
    from edakit.sim.world import World


class Handed:
    """What is handed to an instance once and for all: a request, or a message that nobody acknowledges."""

    __slots__ = ("event", "place", "tag")
    count, redelivered = 1, False

    def __init__(self, place: str, event: Event, tag: int = 0) -> None:
        self.place, self.event, self.tag = place, event, tag


class Server:
    """Instances behind one address, dealt requests in turn."""

    kind = "server"

    def __init__(self, lab: "World", name: str, *, threads: int = 8) -> None:
        if not isinstance(threads, int) or threads < 1:
            raise WiringError(f"threads={threads!r}: a server has 1 or more")
        self.lab, self.name, self.threads = lab, checked_name("server", name), threads
        self.kernel, self.network = lab.kernel, lab.network
        self._instances: dict[str, list[Instance]] = {}  # by service
        self._turn: dict[str, int] = {}

    def ask(self, service: str, request: Event, since: int) -> None:
        """A request has arrived: give it to the next instance that is up, or refuse it."""
        up = [instance for instance in self._instances[service] if instance.up]
        if not up:
            self.lab.answer(self.name, request, None, NobodyUp(f"connection refused: no instance of {service} is up"))
            return
        self._turn[service] = turn = self._turn.get(service, -1) + 1
        up[turn % len(up)].receive(Handed(f"{self.name}/{service}", request))

    def settle(self, instance: Instance, request: Handed, error: Exception | None, result: Any) -> None:
        """The handler has ended: send the answer. A handler that raised gives one too: it failed, and nobody knows how far it got."""
        self.lab.answer(instance.name, request.event, result, error)

    def start(self, deployment: "Deployment", name: str) -> Instance:
        """A new instance takes its place, that of the dead one if there is one."""
        instance, row = Instance(deployment, name, self), self._instances.setdefault(deployment.service.name, [])
        place = next((n for n, old in enumerate(row) if old.name == name), None)
        if place is None:
            row.append(instance)
        else:
            row[place] = instance
        return instance

    def crashed(self, instance: Instance) -> None:
        """Nobody is told."""

    def __repr__(self) -> str:
        return f"<server {self.name}: {', '.join(self._instances) or 'nothing deployed'}>"
