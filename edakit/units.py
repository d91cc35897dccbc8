"""Virtual seconds outside, integer nanoseconds inside.

Inside, time is an integer so that three sleeps of 0.1 s end at the same instant as one of 0.3 s.
"""

import math

from edakit.errors import DurationError

SECOND = 1_000_000_000


def ms(milliseconds: float) -> float:
    """Milliseconds as seconds."""
    return milliseconds / 1000


def minutes(number: float) -> float:
    """Minutes as seconds."""
    return number * 60


def hours(number: float) -> float:
    """Hours as seconds."""
    return number * 3600


def days(number: float) -> float:
    """Days as seconds."""
    return number * 86400


def nanoseconds(seconds: float, what: str = "time") -> int:
    """Seconds as integer nanoseconds. Raises DurationError for what is negative, infinite or no number."""
    try:
        ns = round(seconds * SECOND)
    except (TypeError, ValueError, OverflowError):
        ns = -1
    if ns < 0 or isinstance(seconds, (str, bool)) or not math.isfinite(seconds):
        raise DurationError(f"{what} is {seconds!r}: give a number of seconds, 0 or more")
    return ns
