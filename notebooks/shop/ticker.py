"""A page that shows how many packets are left, and ticks that come faster than it can draw. Notebook 02, scene 7."""

from typing import Any

from edakit import Lab, Service

INSTANT = 1e-6  # seconds: just before


def stock_ticker(lab: Lab, draws: int = 5, ticks: int = 100, newest: bool = False, seconds: int = 60) -> None:
    """`ticks` stock levels a second for so many seconds; the page draws `draws` a second.

    newest: of each item only the last level waits for it, in place of every level in turn (conflation).
    """
    page, shop = Service("page"), lab.broker("shop", like="rabbitmq")

    @page.on("stock.level")
    async def draw(level: Any, ctx: Any) -> None:
        await ctx.sleep(1 / draws)
        ctx.log("drawn")

    shop.queue("page", overflow="conflate" if newest else "drop-head")
    lab.deploy(page, on=shop, prefetch=1 if newest else 10)  # what it has taken cannot be replaced any more
    level = {"item": "tea-42", "left": 900}
    lab.workload(shop, "stock.level", every=1 / ticks, count=ticks * seconds, data=level, key="item")


def on_screen(lab: Lab, end: float) -> list[tuple[float, float]]:
    """How old the level on the screen is, in seconds: at each drawing, just before the next one, and at the `end`."""
    born = {event.id: event.time for event in lab.trace.events("stock.level")}
    drawn = [(row.time, born[row.event.id]) for row in lab.trace.where("log", who="page") if row.event]
    points = []
    for (time, tick), (until, _) in zip(drawn, [*drawn[1:], (end, 0)], strict=True):
        points += [(time, time - tick), (until - INSTANT, until - tick)]
    return points


def shown(lab: Lab, end: float = 60) -> dict[str, Any]:
    """What the run came to: levels published and drawn, how many wait, how old the one on the screen is."""
    published, drawn = (len(lab.trace.where(kind, type="stock.level")) for kind in ("publish", "log"))
    shop: Any = lab.homes["shop"]
    return {
        "published": published,
        "drawn": drawn,
        "waiting": shop.depth("page"),
        "on screen, s old": on_screen(lab, end)[-1][1],
    }
