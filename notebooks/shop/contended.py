"""Many decisions about one thing: each reads a stream, thinks, and appends what it has decided, if nobody was faster."""

from collections.abc import Sequence
from functools import partial

from edakit import EventStore, Lab, Refused, Service
from edakit.errors import ConflictError
from edakit.event import Event
from edakit.service import Context
from shop.sourced import bags

TEA, STOCK, WANTED = "stock-tea-42", 100, 80


def two_buyers(lab: Lab, guard: bool = True, think: float = 0.05, apart: float = 0.1) -> None:
    """A hundred bags, and Berlin and Paris want eighty each within `apart` seconds; each order thinks for `think` on average.

    guard: append only at the version that was read, and decide again after a conflict; else append as to a log.
    """
    web, desk, store = lab.server("web", like="http"), Service("desk"), EventStore()
    store.append(TEA, [("tea.stocked", {"bags": STOCK})])

    @desk.on("sell")
    async def sell(request: Event, ctx: Context) -> None:
        for _ in range(5):
            left, version = store.fold(TEA, bags)
            ctx.log(f"reads {left} at version {version}")
            await ctx.sleep(ctx.random.expovariate(1 / think))
            if left < WANTED:
                raise Refused(f"{left} bags left")
            try:
                now = store.append(TEA, [("stock.reserved", {"bags": -WANTED})], expected_version=version if guard else None)
            except ConflictError as conflict:
                ctx.log(f"conflict: {conflict}")
            else:
                ctx.log(f"appends version {now}")
                return

    lab.deploy(desk, on=web)
    for city in ("berlin", "paris"):
        lab.at(0.01 + lab.random(city).uniform(0, apart), partial(lab.call, "desk", {"bags": WANTED}, key=city, source=city))


def bags_left(lab: Lab) -> int:
    """What the stream says is left after both buyers."""
    return STOCK - WANTED * sum(row.note.startswith("appends") for row in lab.trace.where("log"))


def refusals(lab: Lab) -> list[str]:
    """What the store has said to whoever came late."""
    return [row.note.removeprefix("conflict: ") for row in lab.trace.where("log") if row.note.startswith("conflict")]


def oversold(lab: Lab) -> dict[str, float]:
    """1 if more was promised than there is; and conflicts."""
    return {"oversold": bags_left(lab) < 0, "conflicts": len(refusals(lab))}


def writers(lab: Lab, writers: int = 4, streams: int = 1, think: float = 0.01, seconds: float = 0.5) -> None:
    """Writers that do nothing but read a version, think and append, each again and again; each has one of the streams."""
    web, clerk, store = lab.server("web", threads=writers), Service("clerk"), EventStore()

    @clerk.on("work")
    async def work(mine: Event, ctx: Context) -> None:
        stream, end = f"stock-{mine.data['stream']}", ctx.now + seconds
        while True:
            version = store.version(stream)
            await ctx.sleep(ctx.random.expovariate(1 / think))
            if ctx.now > end:
                return
            try:
                store.append(stream, [("stock.reserved", {"bags": -1})], expected_version=version)
                ctx.log("appends")
            except ConflictError:
                ctx.log("conflict")

    lab.deploy(clerk, on=web)
    for n in range(writers):
        lab.call("clerk", {"stream": n % streams}, source=f"writer-{n + 1}", timeout=10 * seconds)


def effort(lab: Lab) -> dict[str, float]:
    """Appends a second, and conflicts for each append."""
    notes = [row.note for row in lab.trace.where("log")]
    appends = notes.count("appends")
    seconds = max(row.time for row in lab.trace.where("log"))
    return {"appends a second": appends / seconds, "conflicts each": notes.count("conflict") / appends}


def nearest(figures: dict[str, float], options: Sequence[int]) -> int:
    """The guess that comes closest."""
    return min(options, key=lambda each: abs(each - figures["appends a second"]))


WHY = {
    1600: "that is with 16 streams: try it below",
    100: "some thinking does overlap",
    50: "an append is refused only if another got in",
}
