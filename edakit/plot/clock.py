"""Where an instant lies on a time axis: true to scale, or with the gaps widened that would be too short to see."""

from collections.abc import Callable
from itertools import accumulate, pairwise
from typing import Literal

Scale = Literal["readable", "time", "events"]

GAP = 15  # pixels between two instants on a readable axis, as long as they fit


def axis(times: list[int], scale: Scale, width: float) -> Callable[[int], float]:
    """Where an instant (ns) lies, in pixels from the left end of the lanes."""
    last = times[-1] or 1
    if scale == "time" or len(times) < 2:
        return lambda ns: ns / last * width
    gaps = [later - earlier for earlier, later in pairwise(times)]
    if scale == "events":
        sizes = [width / len(gaps)] * len(gaps)
    else:
        least = min(GAP, 0.6 * width / len(gaps))
        true = [gap / last * width for gap in gaps]
        long = sum(size for size in true if size > least)
        room = width - least * sum(size <= least for size in true)
        sizes = [least if size <= least else max(least, size / long * room) for size in true]
        total = sum(sizes)
        sizes = [size * width / total for size in sizes]
    return dict(zip(times, accumulate(sizes, initial=0.0), strict=True)).__getitem__


def round_step(rough: float) -> float:
    """The nearest larger of 1, 2, 5 times a power of ten."""
    power = 1.0
    while power > rough:
        power /= 10
    while power * 10 <= rough:
        power *= 10
    return next((power * factor for factor in (1, 2, 5, 10) if power * factor >= rough), power) if rough > 0 else 1.0
