"""What to do when a call or a handler fails: try again, after how long, how often; or leave off calling for a while.

A policy is data; whoever runs the handler asks `delay(attempt, random)` and waits. Retries cost: three layers with three tries
each are 27 calls. Sources: AWS Architecture Blog, "Exponential Backoff And Jitter" (full and equal jitter); Nygard, Release It!,
and martinfowler.com/bliki/CircuitBreaker.html (closed, open, half-open).
"""

import math
import sys
from dataclasses import dataclass, field
from typing import Literal

from edakit.chance import Random
from edakit.errors import ArgumentError
from edakit.units import nanoseconds

JITTERS = ("none", "full", "equal", "decorrelated")


@dataclass(frozen=True)
class Retry:
    """Up to `times` further tries. The n-th waits backoff * factor**(n-1) seconds, at most `longest`; jitter spreads the waits.

    jitter: "none"; "full" (anything from 0 to that wait: the fewest calls); "equal" (half fixed, half random); "decorrelated" (from
    backoff to three times the last wait, which whoever waits passes on). factor 1: a fixed wait.
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
        if self.jitter not in JITTERS:
            raise ArgumentError(f"jitter={self.jitter!r}: one of {', '.join(JITTERS)}")

    def delay(self, attempt: int, random: Random, last: float | None = None) -> float | None:
        """Seconds to wait after the `attempt`-th failure (1, 2, ...), or None: give up. last: what was waited before."""
        if attempt > self.times:
            return None
        if self.jitter == "decorrelated":
            return min(self.longest, random.uniform(self.backoff, 3 * (last or self.backoff)))
        try:
            growth = float(self.factor) ** (attempt - 1)
        except OverflowError:
            growth = sys.float_info.max
        wait = min(self.longest, self.backoff * growth)
        if self.jitter == "full":
            return wait * random.random()
        return wait if self.jitter == "none" else wait / 2 + wait / 2 * random.random()


@dataclass
class RetryBudget:
    """Retries as a share of calls: each call earns `share` of a retry, each retry spends one, at most `most` are saved up.

    In an outage, when all calls fail, retries then add a tenth to the load and not a multiple of it. One budget is shared by all who
    call the same service. Source: Google, Site Reliability Engineering, chapter 21 (retry budget); twitter/finagle, RetryBudget.
    """

    share: float = 0.1
    most: float = 10
    left: float = field(default=0, init=False)

    def __post_init__(self) -> None:
        if not (isinstance(self.share, (int, float)) and 0 <= self.share <= 1 and self.most >= 1):
            raise ArgumentError(f"RetryBudget(share={self.share!r}, most={self.most!r}): a share from 0 to 1, at most 1 or more")
        self.left = self.most

    def called(self) -> None:
        """A call has been made for the first time."""
        self.left = min(self.most, self.left + self.share)

    def spend(self) -> bool:
        """Take one retry, if there is one: says whether it may be made."""
        if self.left < 1:
            return False
        self.left -= 1
        return True


@dataclass
class Breaker:
    """A circuit breaker: after `failures` in a row it is open for `pause` seconds, and then half-open: it lets one call try.

        breaker = Breaker(failures=3, pause=10)         # one for each service that is called, shared by all who call it
        if not breaker.allows(ctx.now):
            return {"sorry": "later"}
        try:
            answer = await ctx.call("bank", order.data, timeout=1)
        except CallTimeout:
            breaker.failed(ctx.now)
        else:
            breaker.succeeded()

    The trial of a half-open breaker closes it or opens it anew; if nothing is heard of it, another may try a pause later. What is
    heard while it is open, of calls that began before, changes nothing.
    """

    failures: int = 5
    pause: float = 30
    state: Literal["closed", "open", "half-open"] = field(default="closed", init=False)
    _failed: int = field(default=0, init=False, repr=False)  # in a row
    _until: float = field(default=0, init=False, repr=False)  # nothing is let through before

    def __post_init__(self) -> None:
        if not isinstance(self.failures, int) or self.failures < 1:
            raise ArgumentError(f"Breaker(failures={self.failures!r}): a whole number, 1 or more")
        nanoseconds(self.pause, "pause")

    def allows(self, now: float) -> bool:
        """Whether a call may be made; now in seconds."""
        if self.state == "closed":
            return True
        if now < self._until:
            return False
        self.state, self._until = "half-open", now + self.pause
        return True

    def succeeded(self) -> None:
        """A call has been answered."""
        if self.state != "open":
            self.state, self._failed = "closed", 0

    def failed(self, now: float) -> None:
        """A call has not been answered, or with an error."""
        if self.state == "open":
            return
        self._failed += 1
        if self.state == "half-open" or self._failed >= self.failures:
            self.state, self._until = "open", now + self.pause
