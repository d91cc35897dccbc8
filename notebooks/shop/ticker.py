"""A page that shows how many packets are left, and ticks that come faster than it can draw. Notebook 02, scene 7."""

from typing import Any

from edakit import Lab, Service

INSTANT = 1e-6  # seconds: just before


def stock_ticker(lab: Lab, draws: int = 5, ticks: int = 100, newest: bool = False, seconds: int = 60) -> None:
    """`ticks` stock levels a second for so many seconds; the page draws `draws` a second.

    newest: it remembers the last level of each item and draws that, in place of every level in turn (conflation).
    """
    page, shop = Service("page"), lab.broker("shop", like="rabbitmq")

    async def draw(level: Any, ctx: Any) -> None:
        await ctx.sleep(1 / draws)
        ctx.log("drawn")

    async def draw_newest(level: Any, ctx: Any) -> None:
        item = level.data["item"]
        drawing, ctx.state[item] = item in ctx.state, level
        if not drawing:
            await ctx.sleep(1 / draws)
            ctx.log(ctx.state.pop(item).id)

    page.on("stock.level")(draw_newest if newest else draw)
    lab.deploy(page, on=shop, concurrency=1_000 if newest else 1, prefetch=1_000 if newest else 10)
    level = {"item": "tea-42", "left": 900}
    lab.workload(shop, "stock.level", every=1 / ticks, count=ticks * seconds, data=level, key="item")


def on_screen(lab: Lab, end: float) -> list[tuple[float, float]]:
    """How old the level on the screen is, in seconds: at each drawing, just before the next one, and at the `end`."""
    born = {event.id: event.time for event in lab.trace.events("stock.level")}
    drawn = [(row.time, born[row.event.id if row.note == "drawn" else row.note]) for row in lab.trace.where("log", who="page")]
    points = []
    for (time, tick), (until, _) in zip(drawn, [*drawn[1:], (end, 0)], strict=True):
        points += [(time, time - tick), (until - INSTANT, until - tick)]
    return points


def shown(lab: Lab, end: float = 60) -> dict[str, Any]:
    """What the run came to: levels published and drawn, how many wait, how old the one on the screen is."""
    published, drawn = (len(lab.trace.where(kind, type="stock.level")) for kind in ("publish", "log"))
    handled = len(lab.trace.where("handle"))
    return {
        "published": published,
        "drawn": drawn,
        "waiting": published - handled,
        "on screen, s old": on_screen(lab, end)[-1][1],
    }
