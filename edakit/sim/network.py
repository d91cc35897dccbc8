"""The network: every message takes time, and has a life of its own. A crash of its sender does not recall it.

A link is a connection from one node to another and keeps its order, unless a fault says otherwise. Nodes are brokers, streams,
servers, databases, clients and instances of services.
"""

from collections.abc import Callable, Iterator
from heapq import heappush
from typing import Any

from edakit.chance import Random, draw
from edakit.event import Event
from edakit.sim.faults import Faults, touches
from edakit.sim.kernel import Kernel
from edakit.trace import Trace, service_of
from edakit.units import SECOND, nanoseconds

Quick = Callable[[Callable[..., object], tuple[Any, ...]], None]

HOP = SECOND // 1000  # one way between two nodes; without any delay every system looks first in, first out


class Network:
    """Carries messages. Undisturbed, each takes `hop` nanoseconds; faults, holds and cuts are looked up only while there are any."""

    def __init__(self, kernel: Kernel, trace: Trace, random: Callable[[str], Random], hop: int = HOP) -> None:
        self.kernel, self.trace, self.random, self.hop = kernel, trace, random, hop
        self.faults: list[Faults] = []
        self.about: Event | None = None  # what the draws of faults are about at the moment
        self.disturbed = False
        self.quick: Quick | None = self._undisturbed()
        self._holds: dict[tuple[str, str], list[tuple[str, str, tuple[Any, ...]]]] = {}  # link named -> source, target, message
        self._cuts: list[tuple[str, str]] = []
        self._last: dict[tuple[str, str], int] = {}  # link -> latest arrival so far
        self._spent: dict[int, int] = {}  # fault -> how often it has struck

    def _undisturbed(self) -> Quick:
        """A message as long as nothing can go wrong: kernel.later, written out, since nothing in a run is called more often."""
        kernel, heap, hop = self.kernel, self.kernel.heap, self.hop

        def quick(arrive: "Callable[..., object]", args: "tuple[Any, ...]") -> None:  # in quotes: not made for each lab
            kernel.seq = number = kernel.seq + 1
            heappush(heap, (kernel.ns + hop, number, arrive, args))

        return quick

    def send(self, leg: str, source: str, target: str, event: Event, arrive: Callable[..., object], *args: Any) -> bool:
        """Carry a message: `arrive(*args)` is called when it is there. False: it was lost on the way."""
        if self.quick is None:
            return self._disturbed(leg, source, target, event, arrive, *args)
        self.quick(arrive, args)
        return True

    def _disturbed(self, leg: str, source: str, target: str, event: Event, *message: Any) -> bool:
        """A message where faults, holds and cuts are looked up."""
        link, add, ns = f"{source}>{target}", self.trace.add, self.kernel.ns
        if any(_covers(cut, source, target) for cut in self._cuts):
            add(ns, "drop", link, source, event, 0, ns, leg)
            return False
        for held, messages in self._holds.items():
            if touches(held, source, target):
                messages.append((source, target, message))
                return True
        wait, copies, free, self.about = self.hop, 1, False, event
        for n, fault in enumerate(self.faults):
            if not self._touches(n, fault, leg, source, target, event):
                continue
            chance = self.random(f"faults/{n}/{link}")
            lost, twice, late = chance.random() < fault.drop, chance.random() < fault.duplicate, chance.random() < fault.reorder
            wait += nanoseconds(draw(fault.delay, chance), "delay")
            if lost or twice or late:
                self._spent[n] = self._spent.get(n, 0) + 1
            if lost:
                add(ns, "drop", link, source, event, 0, ns, leg)
                return False
            if twice:
                add(ns, "duplicate", link, source, event, 0, ns, leg)
                copies = 2
            if late:
                free, wait = True, wait + round(self.hop * 20 * chance.uniform(0, 1))
        for copy in range(copies):
            self._schedule(source, target, wait + copy * self.hop, message, free)
        return True

    def loses(self, leg: str, source: str, target: str, event: Event) -> bool:
        """Whether a step that is no message, from one queue of a broker to another, is lost to a fault that names its leg."""
        for n, fault in enumerate(self.faults):
            if fault.leg != leg or not self._touches(n, fault, leg, source, target, event):
                continue
            self.about = event
            if self.random(f"faults/{n}/{source}>{target}").random() < fault.drop:
                self._spent[n] = self._spent.get(n, 0) + 1
                self.trace.add(self.kernel.ns, "drop", f"{source}>{target}", source, event, 0, self.kernel.ns, leg)
                return True
        return False

    def _touches(self, n: int, fault: Faults, leg: str, source: str, target: str, event: Event) -> bool:
        left = fault.times is None or self._spent.get(n, 0) < fault.times
        return left and fault.concerns(leg, source, target, event.type)

    def _schedule(self, source: str, target: str, wait: int, message: tuple[Any, ...], free: bool) -> None:
        """Put a message on its way; not before what went ahead of it, unless it is free to overtake and be overtaken."""
        arrival = self.kernel.ns + wait
        if not free:
            arrival = max(arrival, self._last.get((source, target), 0))
            self._last[source, target] = arrival
        self.kernel.later(arrival - self.kernel.ns, *message)

    def hang_up(self, source: str, target: str, arrive: Callable[..., object], *args: Any) -> None:
        """Tell the other end that a connection has ended: after all that was sent on it, and it cannot be lost."""
        if self.disturbed:
            self._schedule(source, target, self.hop, (arrive, *args), free=False)
        else:
            self.kernel.later(self.hop, arrive, *args)

    def disturb(self, fault: Faults) -> None:
        """Let a fault strike from now on."""
        self.faults.append(fault)
        self._stir()

    def _stir(self) -> None:
        self.disturbed, self.quick = True, None

    def hold(self, a: str, b: str) -> None:
        """Keep what is sent between two nodes; it stays visible in `in_flight`."""
        if (a, b) not in self._holds and (b, a) not in self._holds:
            self._holds[a, b] = []
            self._stir()
            self.trace.add(self.kernel.ns, "hold", f"{a}>{b}", "", None)

    def release(self, a: str, b: str) -> None:
        """Let go of what was held, in its order."""
        link = (a, b) if (a, b) in self._holds else (b, a)
        if link not in self._holds:
            return
        messages = self._holds.pop(link)
        self.trace.add(self.kernel.ns, "release", ">".join(link), "", None)
        for source, target, message in messages:
            self._schedule(source, target, self.hop, message, free=False)

    def cut(self, a: str, b: str, oneway: bool = False) -> None:
        """Lose what is sent between two nodes."""
        for link in [(a, b)] if oneway else [(a, b), (b, a)]:
            if link not in self._cuts:
                self._cuts.append(link)
                self.trace.add(self.kernel.ns, "cut", f"{link[0]}>{link[1]}", "", None)
        self._stir()

    def mend(self, a: str, b: str) -> None:
        """Carry messages between two nodes again; what was lost stays lost."""
        for link in [(a, b), (b, a)]:
            if link in self._cuts:
                self._cuts.remove(link)
                self.trace.add(self.kernel.ns, "mend", f"{link[0]}>{link[1]}", "", None)

    def calm(self) -> None:
        """No more faults: holds are released, cuts mended."""
        self.faults.clear()
        for link in list(self._holds):
            self.release(*link)
        for link in list(self._cuts):
            self.mend(*link)

    def in_flight(self) -> Iterator[Event]:
        """The events of the messages that are on their way now, held ones included."""
        moving = [args for _, _, _, args in sorted(self.kernel.heap, key=lambda entry: entry[:2]) if isinstance(args, tuple)]
        held = [message[1:] for messages in self._holds.values() for _, _, message in messages]
        for args in moving + held:
            yield from (event for arg in args if isinstance(event := getattr(arg, "event", arg), Event))


def _covers(cut: tuple[str, str], source: str, target: str) -> bool:
    """Whether a one-way cut lies on a link; instances count as their service."""
    return cut[0] in (source, service_of(source)) and cut[1] in (target, service_of(target))
