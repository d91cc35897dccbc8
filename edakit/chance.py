"""Distributions as data: a delay, a pause between orders or a crash time may be a number or one of these.

    lab.workload(shop, "order.placed", every=Exponential(0.1), count=1000)
    Crash("payment", at=Uniform(0, 0.4))

They hold no generator. Who draws brings one: `draw(value, random)`.
"""

import random as _random
from dataclasses import dataclass
from typing import Protocol

from edakit.errors import DurationError
from edakit.units import nanoseconds

Random = _random.Random  # the only generator of the kit; every component of a lab has one of its own, seeded by its name


class Distribution(Protocol):
    """Anything that turns random numbers into seconds."""

    def draw(self, random: Random) -> float:
        """One sample, in seconds."""


@dataclass(frozen=True)
class Exponential:
    """Memoryless times with this mean, in seconds: what independent arrivals look like."""

    mean: float

    def __post_init__(self) -> None:
        nanoseconds(self.mean, "Exponential(mean)")
        if not self.mean > 0:
            raise DurationError(f"Exponential(mean={self.mean!r}): the mean must be more than 0 seconds")

    def draw(self, random: Random) -> float:
        """One sample, in seconds."""
        return random.expovariate(1 / self.mean)


@dataclass(frozen=True)
class Uniform:
    """Any time between `low` and `high` seconds, all equally likely."""

    low: float
    high: float

    def __post_init__(self) -> None:
        nanoseconds(self.low, "Uniform(low)")
        nanoseconds(self.high, "Uniform(high)")
        if not 0 <= self.low <= self.high:
            raise DurationError(f"Uniform({self.low!r}, {self.high!r}): needs 0 <= low <= high, in seconds")

    def draw(self, random: Random) -> float:
        """One sample, in seconds."""
        return random.uniform(self.low, self.high)


@dataclass(frozen=True)
class LogNormal:
    """Times with this median, in seconds, and a long right tail: `sigma` 0.5 is mild, 1.5 is wild. Typical of services under load."""

    median: float
    sigma: float = 0.5

    def __post_init__(self) -> None:
        nanoseconds(self.median, "LogNormal(median)")
        if not (self.median > 0 and isinstance(self.sigma, (int, float)) and 0 <= self.sigma <= 10):
            raise DurationError(f"LogNormal({self.median!r}, {self.sigma!r}): needs median > 0 seconds and sigma from 0 to 10")

    def draw(self, random: Random) -> float:
        """One sample, in seconds."""
        return float(self.median * 2.718281828459045 ** (self.sigma * random.gauss(0, 1)))


Duration = float | Distribution


def draw(value: Duration, random: Random) -> float:
    """A number stays what it is; a distribution gives a sample. Seconds."""
    return value if isinstance(value, (int, float)) else value.draw(random)
