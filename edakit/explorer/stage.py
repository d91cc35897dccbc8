"""A lab whose faults and events from outside can be left out, one by one: what shrinking needs."""

import functools
import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from edakit.chance import Random
from edakit.sim.brokers import Broker
from edakit.sim.buses import PubSubBus
from edakit.sim.faults import Fault, Faults
from edakit.sim.lab import Lab
from edakit.sim.streams import Stream
from edakit.trace import service_of

NONE = 0.9999999999999999  # a draw below no rate
LATE = 2  # the last of the three draws about a message
Strike = tuple[str, str, int]  # a generator, an event, and the n-th draw of the one about the other


class Dice(Random):
    """The generator of a fault. It notes which of its draws are low enough to strike, and can be told which of them may.

    A draw is known by what it is about, its event and the how-manieth it is for that, and not by its place in the sequence: so it is
    found again when other events are left out, or when another instance has the event.
    """

    def __init__(self, name: str, seed: str, stage: "Stage") -> None:
        super().__init__(seed)
        self.seeded, self.name, self.stage = seed, name, stage
        self.kind = re.sub(r"\.\d+\b", "", name)

    def random(self) -> float:
        """One draw."""
        value, stage = super().random(), self.stage
        strike = self._about(self.kind)
        if stage.may is not None:
            value = stage.may.get(strike, NONE)
        if value >= stage.rate(self.name, strike[2]):
            return NONE
        stage.strikes[strike] = value
        return value

    def expovariate(self, lambd: float = 1.0) -> float:
        """A time, which is no strike."""
        return self._times().expovariate(lambd)

    def gauss(self, mu: float = 0.0, sigma: float = 1.0) -> float:
        """A time, which is no strike."""
        return self._times().gauss(mu, sigma)

    def uniform(self, a: float, b: float) -> float:
        """A time, which is no strike."""
        return self._times().uniform(a, b)

    def _about(self, kind: str) -> Strike:
        event, draws = self.stage.network.about, self.stage.draws
        about = (kind, event.id if event else "")
        draws[about] = count = draws.get(about, 0) + 1
        return (*about, count)

    def _times(self) -> Random:
        """A generator for one time, of what it is about alone."""
        return Random(f"{self.seeded}/{self._about(f'times of {self.kind}')}")


class Stage(Lab):
    """A lab in which what comes from outside and what strikes is counted, and can be left out.

    sent: the events from outside, by number; only: those that are sent (None: all). may: the strikes that are let happen (None: all).
    """

    def __init__(self, seed: int, only: Collection[int] | None, may: Mapping[Strike, float] | None) -> None:
        self.only, self.may = only, may
        self.fair: set[int] = set()  # network faults that happen only where they may: see `_bears`
        self.strikes: dict[Strike, float] = {}
        self.draws: dict[tuple[str, str], int] = {}
        self.sent: list[int] = []
        self.asked = 0
        self.healing = False
        self._dice: dict[str, Dice] = {}
        super().__init__(seed)

    def random(self, name: str) -> Random:
        """The generators of faults are dice; all others are what they are."""
        if not name.startswith("faults/"):
            return super().random(name)
        if name not in self._dice:
            self._dice[name] = Dice(name, f"{self.seed}/{name}", self)
        return self._dice[name]

    def add_fault(self, fault: Fault, *, fair: bool, off: bool) -> None:
        """Let a fault happen. off: it strikes never, and yet has its place, so that the dice of the others stay theirs."""
        if fair:
            self.fair.add(len(self.network.faults))
        if not off:
            self.faults(fault)
        elif isinstance(fault, Faults):
            self.faults(replace(fault, times=0, slow=1))

    def rate(self, name: str, count: int) -> float:
        """The chance of a fault at this draw. Of a message the network asks thrice: is it lost, carried twice, overtaken."""
        _, what, *link = name.split("/", 2)
        if what == "crash":
            return max((fault.crash for fault in self.crashes), default=0)
        fault, n = self.network.faults[int(what)], (count - 1) % 3
        if int(what) in self.fair and not self._bears(fault, n, *link[0].split(">")):
            return 0
        return fault.drop if fault.leg == "dead-letter" else (fault.drop, fault.duplicate, fault.reorder)[n]

    def _bears(self, fault: Faults, n: int, source: str, target: str) -> bool:
        """Whether a link is one where this may happen at all.

        A message that is published is lost only on its way to a stream whose producer sends it again. None is overtaken that is handed
        out in order: in a channel, a partition, a FIFO group; in a standard queue or a share group it is.
        """
        if n == LATE:
            home: Any = self.homes.get(source)
            ordered = isinstance(home, (Broker, PubSubBus)) or (isinstance(home, Stream) and not home.shares)
            return not ordered and not getattr(home, "fifo", False)
        into = self.homes.get(service_of(target))
        return fault.leg != "publish" or (isinstance(into, Stream) and service_of(source) in into.producers)

    def _build(self, *args: Any) -> Any:
        home = super()._build(*args)
        if hasattr(home, "publish"):
            home.publish = functools.partial(self._publish, home.publish)
        return home

    def patience(self, until: float | None) -> tuple[int, float]:
        """A run that goes round in circles shows in fewer rows than any lab might write: one of a thousand must not take a minute."""
        return 4_000, 4_000 + 100 * len(self.sent) if until is None or self.healing else math.inf

    def admits(self) -> bool:
        """Whether the next event or request from outside is let in."""
        self.asked += 1
        if self.only is not None and self.asked not in self.only:
            return False
        self.sent.append(self.asked)
        return True

    def _publish(self, publish: Callable[..., Any], type: str, data: Any = None, key: Any = None, **more: Any) -> Any:
        """Publish from outside, unless this event is left out: then it is made, so that the others keep their names, and not sent."""
        if not self.admits():
            return self.event(type, data, key, more.get("source", "client"), None)
        return publish(type, data, key, **more)

    def heal(self) -> None:
        """No more faults: links work, what is down is started again."""
        self.healing = True
        self.crashes.clear()
        self.slow.clear()
        self.network.calm()
        for name, instance in list(self.instances.items()):
            if not instance.up:
                self.revive(name)
        for home in self.homes.values():
            recover = getattr(home, "recover", None)
            if recover:
                recover()
