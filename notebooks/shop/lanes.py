"""One event of an ordered stream cannot be handled: block, dead-letter it, or park its key. Who stands, who goes on over a gap?"""

from collections.abc import Awaitable, Callable
from typing import Any

from edakit import Lab, Service

TRIES = 5  # after so many an event is a dead letter
BLOCK, DEAD_LETTER, PARK = RULES = ("block", "dead-letter", "park the key")


async def apply(event: Any, ctx: Any) -> None:
    """Write an amount into the books, which takes a millisecond. A comma raises ValueError."""
    await ctx.sleep(0.001)
    float(event.data["total"])
    ctx.log("applied")


async def block(event: Any, ctx: Any) -> None:
    """Whoever raises is asked again, and all behind it wait."""
    await apply(event, ctx)


async def dead_letter(event: Any, ctx: Any) -> None:
    """Try five times, then put a copy aside, and go on with the next event."""
    try:
        await apply(event, ctx)
    except ValueError:
        if ctx.delivery.count < TRIES:
            raise
        await ctx.db.put(f"letter/{event.id}", event.data["step"])


async def park(event: Any, ctx: Any) -> None:
    """The same, and remember the key: its later events are put aside too, in order."""
    if not await ctx.db.get(f"parked/{event.key}"):
        try:
            await apply(event, ctx)
        except ValueError:
            if ctx.delivery.count < TRIES:
                raise
        else:
            return
    async with ctx.db.transaction() as tx:
        await tx.put(f"parked/{event.key}", True)
        await tx.put(f"letter/{event.id}", event.data["step"])


HANDLERS: dict[str, Callable[[Any, Any], Awaitable[None]]] = {BLOCK: block, DEAD_LETTER: dead_letter, PARK: park}


def one_lane(lab: Lab, rule: str = BLOCK, orders: int = 50, steps: int = 20, poison: int = 100) -> None:
    """So many orders of so many steps each, shuffled into one partition, each order's steps in their order; event number `poison`
    has a comma, and its order is called 42.
    """
    books, stream = Service("books"), lab.stream("payments", partitions=1, like="kafka", start="earliest")
    books.on("step.paid")(HANDLERS[rule])
    lab.deploy(books, on=stream, db=lab.database("aside"))
    turns = [order for order in range(orders) for _ in range(steps)]
    lab.random("shuffle").shuffle(turns)
    unlucky, done = turns[poison - 1], dict.fromkeys(range(orders), 0)
    names = {unlucky: 42, 42: unlucky}
    for n, order in enumerate(turns, 1):
        done[order] += 1
        stream.publish(
            "step.paid",
            {"step": done[order], "total": "9,90" if n == poison else "9.90"},
            key=names.get(order, order),
            source="orders",
        )


def fates(lab: Lab) -> list[str]:
    """What became of each event, in the order of the partition: applied, poison, "over a gap" (applied although an earlier one of its
    order is missing), parked, or waiting.
    """
    applied = {row.event.id for row in lab.trace.where("log", note="applied") if row.event is not None}
    aside = lab.databases["aside"].data
    missing, found = set(), []
    for row in lab.trace.where("append"):
        event = row.event
        assert event is not None
        if event.id in applied:
            found.append("over a gap" if event.key in missing else "applied")
            continue
        found.append("poison" if "," in event.data["total"] else "parked" if f"letter/{event.id}" in aside else "waiting")
        missing.add(event.key)
    return found


def heirs(lab: Lab) -> int:
    """How many later events have the key of the poisonous one."""
    events = [row.event for row in lab.trace.where("append")]
    at = next(n for n, event in enumerate(events) if event is not None and "," in event.data["total"])
    return sum(event is not None and event.key == events[at].key for event in events[at + 1 :])  # type: ignore[union-attr]


def standing(lab: Lab) -> dict[str, int]:
    """The figures of a rule: events applied, those over a gap, those put aside, those that wait."""
    found = fates(lab)
    aside = sum(key.startswith("letter/") for key in lab.databases["aside"].data)
    gap = found.count("over a gap")
    return {"applied": found.count("applied") + gap, "over a gap": gap, "set aside": aside, "waiting": found.count("waiting")}


def parked(lab: Lab) -> str:
    """Which keys stand still, and which of their steps are kept aside."""
    data = lab.databases["aside"].data
    keys = [name.partition("/")[2] for name in data if name.startswith("parked/")]
    steps = [step for name, step in data.items() if name.startswith("letter/")]
    return f"order {', '.join(keys)} stands still; kept in order: its steps {steps[0]} to {steps[-1]}, {len(steps)} events"


def over(lab: Lab) -> str:
    """How many events were applied over a gap, in words."""
    gap = standing(lab)["over a gap"]
    return {0: "none", 1: "1", heirs(lab): "all later ones of that order"}.get(gap, "all 900 later ones")


WHY = {
    "none": "a dead-letter queue looks like a clean cut",
    "1": "that is the poison; those behind it are its heirs",
    "all 900 later ones": "other keys do not care",
}
