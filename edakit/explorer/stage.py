"""A lab whose faults and events from outside can be left out, one by one: what shrinking needs."""

import functools
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from edakit.chance import Random
from edakit.sim.lab import Lab

NONE = 0.9999999999999999  # a draw below no rate
Strike = tuple[str, str, int]  # a generator, an event, and the n-th draw of the one about the other


class Dice(Random):
    """The generator of a fault. It notes which of its draws are low enough to strike, and can be told which of them may.

    A draw is known by what it is about, its event and the how-manieth it is for that, and not by its place in the sequence: so it is
    found again when other events are left out, or when another instance has the event.
    """

    def __init__(self, name: str, seed: str, stage: "Stage") -> None:
        super().__init__(seed)
        self.name, self.stage, self.plain = re.sub(r"\.\d+\b", "", name), stage, False

    def random(self) -> float:
        """One draw."""
        value, stage = super().random(), self.stage
        if self.plain:
            return value
        event = stage.network.about
        about = (self.name, event.id if event else "")
        stage.draws[about] = count = stage.draws.get(about, 0) + 1
        strike = (*about, count)
        if stage.may is not None:
            value = stage.may.get(strike, NONE)
        if value < stage.rate:
            stage.strikes[strike] = value
        return value

    def expovariate(self, lambd: float = 1.0) -> float:
        """A time, which is no strike."""
        return self._time(super().expovariate, lambd)

    def gauss(self, mu: float = 0.0, sigma: float = 1.0) -> float:
        """A time, which is no strike."""
        return self._time(super().gauss, mu, sigma)

    def uniform(self, a: float, b: float) -> float:
        """A time, which is no strike."""
        return self._time(super().uniform, a, b)

    def _time(self, distribution: Callable[..., float], *args: float) -> float:
        self.plain = True
        try:
            return distribution(*args)
        finally:
            self.plain = False


class Stage(Lab):
    """A lab in which what comes from outside and what strikes is counted, and can be left out.

    sent: the events from outside, by number; only: those that are sent (None: all). may: the strikes that are let happen (None: all).
    """

    def __init__(self, seed: int, rate: float, only: Collection[int] | None, may: Mapping[Strike, float] | None) -> None:
        self.rate, self.only, self.may = rate, only, may
        self.strikes: dict[Strike, float] = {}
        self.draws: dict[tuple[str, str], int] = {}
        self.sent: list[int] = []
        self.asked = 0
        self._dice: dict[str, Dice] = {}
        super().__init__(seed)

    def random(self, name: str) -> Random:
        """The generators of faults are dice; all others are what they are."""
        if not name.startswith("faults/"):
            return super().random(name)
        if name not in self._dice:
            self._dice[name] = Dice(name, f"{self.seed}/{name}", self)
        return self._dice[name]

    def _build(self, *args: Any) -> Any:
        home = super()._build(*args)
        if hasattr(home, "publish"):
            home.publish = functools.partial(self._publish, home.publish)
        return home

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
