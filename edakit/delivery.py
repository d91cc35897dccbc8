"""What to do when a handler fails: try again, after how long, how often.

A policy is data; whoever runs the handler asks `delay(attempt, random)` and waits. Retries cost: three layers with three tries
each are 27 calls. Source: AWS Architecture Blog, "Exponential Backoff And Jitter" (full and equal jitter).
"""

import math
import sys
from dataclasses import dataclass

from edakit.chance import Random
from edakit.errors import ArgumentError
from edakit.units import nanoseconds


@dataclass(frozen=True)
class Retry:
    """Up to `times` further tries. The n-th waits backoff * factor**(n-1) seconds, at most `longest`; jitter spreads the waits.

    jitter: "none"; "full" (anything from 0 to that wait: the fewest calls); "equal" (half fixed, half random).
    """

    times: int
    backoff: float = 0.1
    factor: float = 2.0
    longest: float = 60.0
    jitter: str = "none"

    def __post_init__(self) -> None:
        if not isinstance(self.times, int) or self.times < 0:
            raise ArgumentError(f"Retry(times={self.times!r}): a whole number of further tries, 0 or more")
        nanoseconds(self.backoff, "backoff")
        nanoseconds(self.longest, "longest")
        if not (isinstance(self.factor, (int, float)) and 1 <= self.factor < math.inf):
            raise ArgumentError(f"Retry(factor={self.factor!r}): a number, 1 or more")
        if self.jitter not in ("none", "full", "equal"):
            raise ArgumentError(f"jitter={self.jitter!r}: one of none, full, equal")

    def delay(self, attempt: int, random: Random) -> float | None:
        """Seconds to wait after the `attempt`-th failure (1, 2, ...), or None: give up."""
        if attempt > self.times:
            return None
        try:
            growth = float(self.factor) ** (attempt - 1)
        except OverflowError:
            growth = sys.float_info.max
        wait = min(self.longest, self.backoff * growth)
        if self.jitter == "full":
            return wait * random.random()
        return wait if self.jitter == "none" else wait / 2 + wait / 2 * random.random()
