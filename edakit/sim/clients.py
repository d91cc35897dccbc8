"""Those outside: they publish and ask, and live nowhere in the system."""

from collections.abc import Callable
from functools import partial
from typing import Any

from edakit.chance import Duration, draw
from edakit.errors import CallError, PayloadError, WiringError
from edakit.service import Service
from edakit.sim.brokers import Broker
from edakit.sim.buses import Bus
from edakit.sim.deployment import Deployment
from edakit.sim.runtime import Instance, SimContext
from edakit.sim.server import Server
from edakit.sim.streams import Stream
from edakit.sim.world import World
from edakit.units import nanoseconds


class Outside:
    """The home and the delivery of somebody outside: there is none."""

    kind = "client"
    event, settle, tag, place, count, redelivered = None, None, 0, "", 1, False

    def __init__(self, name: str) -> None:
        self.name = name


def outside(lab: World, name: str) -> SimContext:
    """A context for a client."""
    nowhere: Any = Outside(lab.client(name))
    return SimContext(Instance(Deployment(lab, Service(name), nowhere, None), name, nowhere), nowhere, None)


def ask(lab: World, service: str, data: Any, timeout: float, key: str | int | None, source: str) -> None:
    """Ask a service from outside; the answer, a refusal or the timeout is in the trace."""
    lab.endpoint(service)
    nanoseconds(timeout, "timeout")
    if not lab.admits():
        return

    async def asking() -> None:
        try:
            await outside(lab, source).call(service, data, timeout=timeout, key=None if key is None else str(key))
        except CallError:
            return  # the trace has it

    lab.kernel.spawn(f"{source} calls {service}", asking)


def produce(
    lab: World,
    target: Broker | Stream | Server | Bus,
    type: str,
    *,
    every: Duration,
    count: int,
    data: Any,
    key: str | None,
    source: str,
    start: float,
    timeout: float,
) -> None:
    """Publish or ask `count` times, one `every` so many seconds. See `Lab.workload`."""
    if not isinstance(count, int) or count < 0:
        raise WiringError(f"count={count!r}: a whole number, 0 or more")
    random, word = lab.random(f"workload/{source}/{type}"), type.rpartition("/")[2].partition(".")[0]
    fixed = nanoseconds(every, "every") if isinstance(every, (int, float)) else None
    send = _sender(lab, target, type, timeout, lab.client(source))

    def wait() -> int:
        return nanoseconds(draw(every, random), "every") if fixed is None else fixed

    ready, later = not callable(data), lab.kernel.later

    def one(n: int) -> None:
        made = {word: n} if data is None else data if ready else data(n, random)
        if key is not None and key not in made:
            raise PayloadError(f"key={key!r}, but {made!r} has no such field")
        send(made, None if key is None else str(made[key]))
        if n < count:
            later(wait() if fixed is None else fixed, one, n + 1)

    if count:
        later(nanoseconds(start, "start") + wait(), one, 1)


def _sender(
    lab: World, target: Broker | Stream | Server | Bus, type: str, timeout: float, source: str
) -> Callable[[Any, str | None], object]:
    """What a workload does with data and a key."""
    if lab.homes.get(getattr(target, "name", "")) is not target:
        raise WiringError(
            f"{target!r} is no target for a workload: give a broker, stream or server of this lab, as lab.broker('shop')"
        )
    if isinstance(target, Server):
        return lambda data, key: ask(lab, type, data, timeout, key, source)
    return partial(target.publish, type, source=source)
