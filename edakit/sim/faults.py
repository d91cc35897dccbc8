"""What may go wrong, as data. Nothing here happens by itself: a plan is given to a lab, a run or a sweep, and its default is harmless.

    Faults(drop=.01, duplicate=.01, where=("payment", "shop"), leg="ack")
    Crash("payment", at=Uniform(0, 0.4), restart_after=1) + Hold("shop", "payment", at=4, until=9)

Probabilities are per message; times are virtual seconds. Faults draw from generators of their own, one per fault and link, so that
a system and its repaired twin meet the same ones.
"""

import math
from dataclasses import dataclass, fields
from typing import Literal

from edakit.chance import Duration
from edakit.errors import ArgumentError, DurationError, WiringError, known
from edakit.event import Event
from edakit.topics import topic_matches
from edakit.trace import service_of
from edakit.units import nanoseconds

Leg = Literal["publish", "confirm", "deliver", "ack", "request", "reply", "dead-letter"]
LEGS = ("publish", "confirm", "deliver", "ack", "request", "reply", "dead-letter")


class Fault:
    """Anything that can go wrong; faults add up with `+`."""

    def __add__(self, other: "Fault") -> "Plan":
        return Plan((*parts(self), *parts(other)))


@dataclass(frozen=True)
class Plan(Fault):
    """Several faults at once."""

    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class Faults(Fault):
    """Things that happen at random to messages and handlers.

    drop, duplicate, reorder: chance per message that it is lost, carried twice, or overtaken (it is late by up to 20 hops).
    delay: seconds on top of each hop, a number or a distribution; a link keeps its order all the same, as a connection does.
    crash: chance at each await of a handler that its instance dies there; it is back after `restart_after` seconds.
    slow: each `ctx.sleep` of a handler takes so many times as long, from now on.
    leg, where, type narrow a fault: one direction, one link (a pair of names) or node (a name), an event type pattern. The leg
    "dead-letter", from a queue of a broker to the queue it names for its dead letters, is struck by `drop` and only if it is named.
    between: two verbs or database statements, as ("put", "publish"): crashes happen only after the first and before the second.
    times: at most so many faults in all.
    """

    drop: float = 0
    duplicate: float = 0
    reorder: float = 0
    delay: Duration = 0
    crash: float = 0
    slow: float = 1
    restart_after: float = 1
    leg: Leg | None = None
    where: str | tuple[str, str] | None = None
    type: str | None = None
    between: tuple[str, str] | None = None
    times: int | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            chance = field.name in ("drop", "duplicate", "reorder", "crash")
            if chance and not (isinstance(value, (int, float)) and 0 <= value <= 1):
                raise ArgumentError(f"Faults({field.name}={value!r}): a probability, from 0 to 1")
        if isinstance(self.delay, (int, float)):
            nanoseconds(self.delay, "delay")
        nanoseconds(self.restart_after, "restart_after")
        if not (isinstance(self.slow, (int, float)) and 0 < self.slow < math.inf):
            raise ArgumentError(f"Faults(slow={self.slow!r}): how many times as long, more than 0")
        if self.leg is not None and self.leg not in LEGS:
            raise WiringError(known("leg", self.leg, list(LEGS)))
        if self.times is not None and not (isinstance(self.times, int) and self.times >= 0):
            raise ArgumentError(f"Faults(times={self.times!r}): a whole number, 0 or more, or None for any number")
        if self.between is not None and not _pair(self.between):
            raise ArgumentError(f"Faults(between={self.between!r}): two verbs, as in between=('sleep', 'publish')")
        if self.where is not None and not isinstance(self.where, str) and not _pair(self.where):
            raise ArgumentError(
                f"Faults(where={self.where!r}): a node, or two for the link between them, as in ('shop', 'payment')"
            )

    def concerns(self, leg: str, source: str, target: str, type: str) -> bool:
        """Whether this message is one that the fault may touch."""
        return (
            (self.leg is None or self.leg == leg)
            and (self.type is None or topic_matches(self.type, type))
            and touches(self.where, source, target)
        )

    def strikes(self, instance: str, event: Event | None) -> bool:
        """Whether this is an instance, at work on an event, that the fault may crash or slow down."""
        type = event.type if event else ""
        return (self.type is None or topic_matches(self.type, type)) and touches(self.where, instance, instance)


@dataclass(frozen=True)
class Crash(Fault):
    """What runs under a name dies `at` a time (a number or a distribution) and may come back some seconds later: see `Lab.crash`."""

    name: str
    at: Duration
    restart_after: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.at, (int, float)):
            nanoseconds(self.at, "at")
        if self.restart_after is not None:
            nanoseconds(self.restart_after, "restart_after")


@dataclass(frozen=True)
class PowerCut(Crash):
    """All machines of a stream with `replicas=` or `flush=` lose power at once, and with it what is not on any disk."""


@dataclass(frozen=True)
class Outage(Fault):
    """Something between two nodes, from `at` on and until a time (None: until somebody ends it)."""

    a: str
    b: str
    at: float = 0
    until: float | None = None

    def __post_init__(self) -> None:
        nanoseconds(self.at, "at")
        if self.until is not None and nanoseconds(self.until, "until") < nanoseconds(self.at, "at"):
            raise DurationError(f"until={self.until!r} is before at={self.at!r}")


@dataclass(frozen=True)
class Hold(Outage):
    """What is sent between two nodes waits, in both directions, from `at` until `until` (None: until released)."""


@dataclass(frozen=True)
class Partition(Outage):
    """What is sent between two nodes is lost from `at` until `until` (None: until repaired); `oneway`: only from a to b."""

    oneway: bool = False


def _pair(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(isinstance(each, str) for each in value)


def parts(fault: Fault | None) -> tuple[Fault, ...]:
    """The single faults of a plan. Raises ArgumentError for anything that is not a fault."""
    if fault is None:
        return ()
    if not isinstance(fault, Fault):
        raise ArgumentError(f"faults={fault!r}: give Faults(...), Crash(...), Hold(...) or Partition(...), added up with +")
    return fault.faults if isinstance(fault, Plan) else (fault,)


def touches(where: str | tuple[str, str] | None, source: str, target: str) -> bool:
    """Whether a link between two nodes is the one named, or has the named node at an end. Instances count as their service."""
    if where is None:
        return True
    ends = ({source, service_of(source)}, {target, service_of(target)})
    if isinstance(where, str):
        return where in ends[0] or where in ends[1]
    a, b = where
    return (a in ends[0] and b in ends[1]) or (b in ends[0] and a in ends[1])
