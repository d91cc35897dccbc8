"""Delta debugging: what is left of a list when all is left out that is not needed.

Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing Input (2002).
"""

from collections.abc import Callable
from typing import TypeVar

Item = TypeVar("Item")


def fewest(items: tuple[Item, ...], keeps: Callable[[tuple[Item, ...]], bool]) -> tuple[Item, ...]:
    """Leave out runs of items, half of them, a quarter, ... one, wherever that keeps what is sought."""
    size = (len(items) + 1) // 2
    while size:
        at = 0
        while at < len(items):
            shorter = items[:at] + items[at + size :]
            if keeps(shorter):
                items = shorter
            else:
                at += size
        size //= 2
    return items
