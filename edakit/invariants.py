"""What must hold, ready to be given to `explore`: each a function of the finished lab, made for the types of your system.

    explore(shop_system, invariant=both(nothing_lost("order.placed", "order.confirmed"), at_most_once("payment.processed")))

An invariant returns the keys it does not hold for by the name of the anomaly, {"lost": ["42"]}; empty: it holds. The names are lost,
duplicate, reordered, stale, phantom, oversold, orphan saga and stuck. Keys are those of the events, e.g. the number of an order.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from edakit.sim.lab import Lab
from edakit.trace import service_of

Broken = Mapping[str, Iterable[Any]]  # anomaly -> keys
Invariant = Callable[[Lab], Broken]

NEVER = frozenset({"duplicate", "reordered", "phantom", "oversold"})  # not even while things go wrong


def both(*invariants: Invariant) -> Invariant:
    """All of them at once."""

    def together(lab: Lab) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        for invariant in invariants:
            for name, keys in invariant(lab).items():
                found.setdefault(name, []).extend(keys)
        return found

    return together


def nothing_lost(first: str, *outcomes: str) -> Invariant:
    """Each key of a `first` event has an event of one of these outcomes in the end; and no outcome is of a key that has no first."""

    def invariant(lab: Lab) -> Broken:
        begun, ended = lab.trace.keys(first), {key for outcome in outcomes for key in lab.trace.keys(outcome)}
        return {"lost": [key for key in begun if key not in ended], "phantom": sorted(key for key in ended if key not in begun)}

    return invariant


def at_most_once(*types: str) -> Invariant:
    """No key has two events of these types, all counted together."""

    def invariant(lab: Lab) -> Broken:
        rows = (row for type in types for row in lab.trace.where(("publish", "append"), type=type))
        counts = Counter(event.key for event in {row.event.id: row.event for row in rows if row.event}.values())
        return {"duplicate": sorted(key for key, count in counts.items() if key is not None and count > 1)}

    return invariant


def once_at(service: str) -> Invariant:
    """The service has handled no event to the end twice."""

    def invariant(lab: Lab) -> Broken:
        counts = Counter(row.event.id for row in lab.trace.where("handle", who=service) if row.event)
        return {"duplicate": [id for id, count in counts.items() if count > 1]}

    return invariant


def in_order(service: str, type: str | None = None) -> Invariant:
    """The service has handled the events of each key, at the first time, in the order in which they were made."""

    def invariant(lab: Lab) -> Broken:
        place = {event.id: n for n, event in enumerate(sorted(lab.trace.events(type), key=lambda event: event.ns))}
        last: dict[str | None, int] = {}
        seen: set[str] = set()
        wrong: dict[str | None, None] = {}
        for row in lab.trace.where("handle"):
            if row.event and service_of(row.who) == service and row.event.id in place and row.event.id not in seen:
                seen.add(row.event.id)
                n = place[row.event.id]
                if n < last.get(row.event.key, -1):
                    wrong[row.event.key] = None
                last[row.event.key] = max(n, last.get(row.event.key, -1))
        return {"reordered": list(wrong)}

    return invariant


def never_below(database: str, key: str, least: float = 0) -> Invariant:
    """A number of a database is `least` or more."""

    def invariant(lab: Lab) -> Broken:
        left = lab.databases[database].data.get(key)
        return {"oversold": [f"{key}: {left}"] if left is not None and left < least else []}

    return invariant


def conserved(total: Callable[[Lab], float], amount: float) -> Invariant:
    """Something counted over the whole system, tea or money, is neither more nor less than `amount` in the end."""

    def invariant(lab: Lab) -> Broken:
        found = total(lab)
        return {
            "lost": [f"{amount - found:g}"] if found < amount else [],
            "phantom": [f"{found - amount:g}"] if found > amount else [],
        }

    return invariant


def sagas_end(saga: str) -> Invariant:
    """Each run of a saga that has begun is completed, compensated, or parked for a person."""

    def invariant(lab: Lab) -> Broken:
        last: dict[str | None, str] = {}
        for row in lab.trace.where("saga", place=saga):
            last[row.event.key if row.event else None] = row.note.partition(" ")[0]
        return {"orphan saga": [key for key, state in last.items() if state not in ("completed", "compensated", "parked")]}

    return invariant
