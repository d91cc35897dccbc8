"""What to do when a handler fails: try again, after how long, how often.

A policy is data; whoever runs the handler asks `delay(attempt, random)` and waits. Retries cost: three layers with three tries
each are 27 calls. Source: AWS Architecture Blog, "Exponential Backoff And Jitter" (full and equal jitter).
"""

from dataclasses import dataclass

from edakit.chance import Random
from edakit.errors import DurationError


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
        if self.times < 0 or self.times != int(self.times):
            raise ValueError(f"Retry(times={self.times!r}): a whole number of further tries, 0 or more")
        if self.backoff < 0 or self.factor < 1 or self.longest < 0:
            raise DurationError(f"{self}: needs backoff >= 0 s, factor >= 1, longest >= 0 s")
        if self.jitter not in ("none", "full", "equal"):
            raise ValueError(f"jitter={self.jitter!r}: one of none, full, equal")

    def delay(self, attempt: int, random: Random) -> float | None:
        """Seconds to wait after the `attempt`-th failure (1, 2, ...), or None: give up."""
        if attempt > self.times:
            return None
        wait = min(self.longest, self.backoff * self.factor ** (attempt - 1))
        if self.jitter == "full":
            return wait * random.random()
        return wait if self.jitter == "none" else wait / 2 + wait / 2 * random.random()
