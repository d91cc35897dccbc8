"""A number is missing: the reader waits for it, goes on without it, or asks its writer for it."""

from typing import Any

from edakit import Faults, Lab, Service
from edakit.errors import ArgumentError, CallTimeout, known
from edakit.event import Event
from edakit.ordering import Resequencer
from edakit.service import Context
from shop.turns import STEPS

POLICIES = ("wait", "skip", "refetch")
GAP = 0.5  # seconds between two steps of an order, on average


def gaps(
    lab: Lab,
    policy: str = "refetch",
    timeout: float = 2,
    lost: float = 0.01,
    late: float = 0.1,
    compare: bool = False,
    count: int = 40,
) -> None:
    """Orders of three steps. lost: the share of events that never reach the broker; late: that leave half a second late, on average.

    policy, for a version that is missing: "wait", "skip" it after `timeout` seconds, or then "refetch" it from the shop's own book.
    compare: at night the shop tells how many steps each order had.
    """
    if policy not in POLICIES:
        raise ArgumentError(known("policy", policy, POLICIES))
    shop, api = lab.broker("shop", like="rabbitmq"), lab.server("api", threads=100)
    desk, book = Service("desk"), Service("book")
    order, written = Resequencer(policy, timeout=None if policy == "wait" else timeout), dict[tuple[str, int], Any]()

    def apply(ready: list[Any], ctx: Context) -> None:
        for data in ready:
            ctx.log(f"order {data['order']} version {data['version']}")

    async def ask(key: str, version: int, ctx: Context, why: str) -> None:
        ctx.log(f"{why} order {key} version {version}")
        try:
            data = await ctx.call("book", {"order": key, "version": version}, timeout=5)
        except CallTimeout:
            return
        apply(order.accept(key, version, data, ctx.now), ctx)

    @desk.on(*STEPS)
    async def hear(event: Event, ctx: Context) -> None:
        key = str(event.key)
        apply(order.accept(key, event.data["version"], event.data, ctx.now), ctx)
        while policy != "wait" and key in order.held():
            await ctx.sleep(timeout)
            due = order.due(ctx.now)
            apply([data for _, data in due.ready], ctx)
            for missing, version in due.refetch:
                await ask(str(missing), version, ctx, "asks")

    @desk.on("day.closed")
    async def check(event: Event, ctx: Context) -> None:
        known_now = versions(lab)
        for key, last in event.data["steps"].items():
            have = known_now.get(int(key), [])
            for version in [n for n in range(1, last + 1) if n not in have]:
                await ask(key, version, ctx, "compares")

    @book.on("#")
    async def answer(request: Event, ctx: Context) -> Any:
        return written[str(request.data["order"]), request.data["version"]]

    lab.deploy(book, on=api)
    lab.deploy(desk, on=shop, concurrency=1000, prefetch=1000)
    for type in ("order.*", "payment.*"):
        lab.faults(Faults(drop=lost, leg="publish", type=type))
    random, placed = lab.random("customers"), 0.0
    for n in range(1, count + 1):
        placed += random.expovariate(10)
        time = placed
        for version, step in enumerate(STEPS, 1):
            data = {"order": n, "version": version}
            written[str(n), version] = data
            wait = random.expovariate(2) if random.random() < late else 0
            lab.at(time + wait, shop.publish, step, data, n)
            time += random.expovariate(1 / GAP)
    if compare:
        steps = {str(n): len(STEPS) for n in range(1, count + 1)}
        lab.at(placed + 60, shop.publish, "day.closed", {"steps": steps})


def versions(lab: Lab) -> dict[int, list[int]]:
    """The steps of each order that the desk has applied, in its order."""
    found: dict[int, list[int]] = {}
    for row in lab.trace.where("log", who="desk"):
        words = row.note.split()
        if words[0] == "order":
            found.setdefault(int(words[1]), []).append(int(words[3]))
    return found


def heard(lab: Lab) -> dict[int, set[int]]:
    """The steps of each order that have reached the desk; an order of which none has is there with none."""
    found: dict[int, set[int]] = {event.data["order"]: set() for event in lab.trace.events() if event.type in STEPS}
    for row in lab.trace.where("deliver", who="desk"):
        if row.event and row.event.type in STEPS:
            found[row.event.data["order"]].add(row.event.data["version"])
    return found


def fates(lab: Lab) -> dict[int, str]:
    """What became of each order, in the end."""
    applied, asked, gone = versions(lab), asks(lab), lost(lab)
    return {order: fate(steps, applied.get(order, []), asked.get(order, []), gone) for order, steps in heard(lab).items()}


def fate(heard: set[int], applied: list[int], asked: list[tuple[int, int]], gone: set[tuple[int, int]]) -> str:
    """What became of one order: the steps that reached the desk, those it applied, those it asked for."""
    if max(heard, default=0) > max(applied, default=0):
        return "stuck behind a gap"
    if max(applied, default=0) < len(STEPS):
        return "quietly wrong"
    if len(applied) < len(STEPS):
        return "a step never seen"
    if asked:
        return "whole, asked for what was " + ("lost" if gone.intersection(asked) else "only late")
    return "whole"


def asks(lab: Lab) -> dict[int, list[tuple[int, int]]]:
    """What the desk has asked the book for: (order, version), by order."""
    found: dict[int, list[tuple[int, int]]] = {}
    for row in lab.trace.where("log", who="desk"):
        words = row.note.split()
        if words[0] != "order":
            found.setdefault(int(words[2]), []).append((int(words[2]), int(words[4])))
    return found


def lost(lab: Lab) -> set[tuple[int, int]]:
    """What never reached the broker: (order, version)."""
    return {(row.event.data["order"], row.event.data["version"]) for row in lab.trace.where("drop") if row.event}


def outcome(lab: Lab) -> dict[str, float]:
    """Orders, in per cent: stuck behind a gap; with a step never seen; quietly wrong (the last step is missing, and nobody knows).

    asked: steps asked for, per hundred orders; in vain: of those, the ones that were only late.
    """
    found, asked, gone = list(fates(lab).values()), [step for each in asks(lab).values() for step in each], lost(lab)
    numbers = {
        "stuck": found.count("stuck behind a gap"),
        "step never seen": found.count("a step never seen"),
        "asked": len(asked),
        "in vain": sum(step not in gone for step in asked),
        "quietly wrong": found.count("quietly wrong"),
    }
    return {name: 100 * number / len(found) for name, number in numbers.items()}
