"""How two things are compared: back to back, round after round, each in processor time.

Absolute figures drift with the machine and with whoever shares it; the ratio inside one round hardly does. So a comparison is the
median of the ratios of its rounds, and its spread reaches from the second lowest to the second highest.
"""

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

ROUNDS = 9
LEAST = 0.06  # seconds that a side is repeated for in each round: a shorter look measures the scheduler

Side = Callable[[], tuple[int, float]]  # does its job once: how many operations, in how many seconds


@dataclass(frozen=True)
class Case:
    """Two sides of one job. `goal`: the ratio to reach, None where there is none."""

    name: str
    unit: str
    ours: Side
    peer_name: str
    peer: Side
    goal: float | None = None


@dataclass(frozen=True)
class Result:
    """What a comparison found. `ratio` above 1: ours is faster (or smaller)."""

    name: str
    unit: str
    ours: float
    peer_name: str
    peer: float
    ratio: float
    goal: float | None
    low: float
    high: float

    @property
    def reached(self) -> bool:
        return self.goal is None or self.ratio >= self.goal


def timed(work: Callable[[], int]) -> tuple[int, float]:
    """Call `work`, which returns how many operations it did."""
    start = time.process_time()
    done = work()
    return done, time.process_time() - start


def rate(side: Side, least: float = LEAST) -> float:
    """Operations per second of a side, repeated until it has worked for `least` seconds."""
    done, spent = 0, 0.0
    while True:
        gc.collect()  # nobody pays for what another left behind
        operations, seconds = side()
        done, spent = done + operations, spent + seconds
        if spent > 0 and spent >= least:
            return done / spent


def compare(case: Case, rounds: int = ROUNDS, least: float = LEAST) -> Result:
    """Run both sides once to warm up, then in rounds; they take turns in going first."""
    case.ours(), case.peer()
    ours: list[float] = []
    peer: list[float] = []
    for n in range(rounds):
        for side, rates in [(case.ours, ours), (case.peer, peer)][:: -1 if n % 2 else 1]:
            rates.append(rate(side, least))
    ratios = sorted(own / other for own, other in zip(ours, peer, strict=True))
    return Result(
        name=case.name,
        unit=case.unit,
        ours=statistics.median(ours),
        peer_name=case.peer_name,
        peer=statistics.median(peer),
        ratio=statistics.median(ratios),
        goal=case.goal,
        low=ratios[min(1, rounds - 1)],
        high=ratios[max(-2, -rounds)],
    )
