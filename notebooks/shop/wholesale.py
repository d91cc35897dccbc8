"""A hundred packets of tea, two wholesalers who want eighty each: a log that anybody appends to, and a store that asks what you read."""

from functools import partial

from edakit import Lab, Refused, Service
from edakit.event import Event
from edakit.service import Context
from edakit.sim.streams import Stream
from shop.event_store import ConflictError, EventStore

TEA, STOCK, WANTED = "tea-42", 100, 80


def desk_on_a_log(log: Stream, think: float) -> Service:
    """Reads all of the log in no time (kinder than any real one), decides, appends."""
    desk = Service("desk")

    @desk.on("sell")
    async def sell(order: Event, ctx: Context) -> None:
        left = sum(event.data["packets"] for event in log.logs[0].read(0, log.logs[0].end))
        ctx.log(f"reads {left}")
        await ctx.sleep(ctx.random.expovariate(1 / think))
        if left < WANTED:
            ctx.log("says no")
            raise Refused(f"{left} packets left")
        ctx.log("appends")
        await ctx.publish("tea.sold", {"packets": -WANTED}, key=TEA)

    return desk


def desk_on_a_store(think: float) -> Service:
    """The same, with the version it has read; on a conflict it reads and decides again."""
    desk = Service("desk")

    @desk.on("sell")
    async def sell(order: Event, ctx: Context) -> None:
        store = EventStore(ctx.db)
        for _ in range(5):
            events, version = await store.load(TEA)
            left = sum(event["packets"] for event in events)
            ctx.log(f"reads {left}")
            await ctx.sleep(ctx.random.expovariate(1 / think))
            if left < WANTED:
                ctx.log("says no")
                raise Refused(f"{left} packets left")
            try:
                await store.append(TEA, [{"packets": -WANTED}], expected_version=version)
            except ConflictError as conflict:
                ctx.log(f"conflict: {conflict}")
            else:
                ctx.log("appends")
                return
        raise Refused("too much going on")

    return desk


def wholesalers(lab: Lab, kept_in: str = "log", think: float = 0.05, apart: float = 0.1) -> None:
    """Berlin and Paris order within `apart` seconds. kept_in: "log" or "store"; think: seconds to decide, on average."""
    web, log = lab.server("web", like="http"), lab.stream("stock_log")
    log.publish("tea.stocked", {"packets": STOCK}, key=TEA, source="warehouse")
    db = lab.database("stock_db", {TEA: 1, f"{TEA}/1": {"packets": STOCK}})
    lab.deploy(desk_on_a_log(log, think) if kept_in == "log" else desk_on_a_store(think), on=web, publishes=log, db=db)
    for city in ("berlin", "paris"):
        order = partial(lab.call, "desk", {"packets": WANTED}, key=city, source=city)
        lab.at(0.01 + lab.random(city).uniform(0, apart), order)


def packets_left(lab: Lab) -> int:
    """What the book says is left: the sum of all that was appended."""
    if notes := lab.trace.where("append", type="tea.sold"):
        return STOCK + sum(row.event.data["packets"] for row in notes if row.event)
    return sum(entry["packets"] for key, entry in lab.databases["stock_db"].data.items() if key.startswith(f"{TEA}/"))


def oversold(lab: Lab) -> dict[str, float]:
    """1 if more was sold than there is; conflicts that the store has refused."""
    conflicts = [row for row in lab.trace.where("log") if row.note.startswith("conflict")]
    return {"oversold": packets_left(lab) < 0, "conflicts": len(conflicts)}


def one_item(lab: Lab, items: int = 2000, each: int = 5) -> None:
    """The books of many items, in a log and in a store, and a reader of each that wants one item."""
    log, web, rebuild, desk = lab.stream("stock_log"), lab.server("web"), Service("rebuild"), Service("desk")
    entries = {f"item-{n}/{k}": {"packets": 1} for n in range(items) for k in range(1, each + 1)}
    heads = {f"item-{n}": each for n in range(items)}

    @rebuild.on("tea.stocked")
    async def look(entry, ctx):
        if entry.key == "item-42":
            ctx.log("found one")

    @desk.on("stock")
    async def stock(question, ctx):
        await EventStore(ctx.db).load("item-42")

    lab.deploy(rebuild, on=log, commit=60)
    lab.deploy(desk, on=web, db=lab.database("stock_db", {**entries, **heads}))
    for _ in range(each):
        for item in heads:
            log.publish("tea.stocked", {"packets": 1}, key=item, source="warehouse")
    lab.call("desk", {}, source="ada")


def reads(lab: Lab) -> dict[str, int]:
    """What each reader had to read to know its five events."""
    return {"from the log": len(lab.trace.where("fetch")), "from the store": len(lab.trace.where("read", who="desk"))}
