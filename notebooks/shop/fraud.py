"""Fraud detection joins the shop: as one who watches, as one who races the packers, as one who decides."""

from edakit import Lab, Refused, measure
from edakit.chance import Duration
from edakit.event import Event
from edakit.service import Context
from edakit.trace import Keys
from shop.orders import PATIENCE, RUSH, SAGA, Wiring, checkout, customers, open_shop


async def judge(order: Event, ctx: Context) -> None:
    """Think, and say so if the card is stolen. Whether anybody listens is not for this desk to say."""
    await ctx.sleep(order.data["check"])
    if order.data["card"] == "stolen":
        await ctx.publish("order.flagged", order.data)
        raise Refused("stolen card")


async def ask_fraud(order: Event, ctx: Context) -> None:
    """The step that makes fraud detection decide."""
    await ctx.call("fraud/judge", order.data, timeout=PATIENCE)


async def ship(order: Event, ctx: Context) -> None:
    """Pack, and hand over to the carrier."""
    await ctx.sleep(order.data["pack"])
    await ctx.publish("parcel.shipped", order.data)


async def ship_unless_flagged(order: Event, ctx: Context) -> None:
    """Pack, and look at the list of flagged orders before handing over."""
    await ctx.sleep(order.data["pack"])
    if order.key in ctx.state.get("flagged", ()):
        ctx.log("parcel stopped")
    else:
        await ctx.publish("parcel.shipped", order.data)


async def put_on_list(order: Event, ctx: Context) -> None:
    """Remember a flagged order."""
    ctx.state.setdefault("flagged", set()).add(order.key)


PARCELS: Wiring = {**SAGA, "shipping": {"order.confirmed": ship}}
ROLES: dict[str, Wiring] = {
    "none": PARCELS,
    "observer": {**PARCELS, "fraud": {"order.placed": judge}},
    "race": {
        **PARCELS,
        "fraud": {"order.placed": judge},
        "shipping": {"order.confirmed": ship_unless_flagged, "order.flagged": put_on_list},
    },
    "step": {**PARCELS, "fraud": {"judge": judge}},
}


def parcels(
    lab: Lab,
    role: str = "none",
    count: int = 1000,
    stolen: float = 0.02,
    think: float = 0.5,
    pack: float = 0.6,
    every: Duration = RUSH,
) -> None:
    """The saga, with a shipping service behind it and tea enough for all. role: what fraud detection is allowed to do."""
    shop = open_shop(lab, ROLES[role], count, count, customers(stolen=stolen, think=think, pack=pack), every)
    lab.deploy(checkout(ask_fraud) if role == "step" else checkout(), on=shop)


def flagged(lab: Lab) -> Keys:
    """Orders that fraud detection has flagged."""
    return lab.trace.keys("order.flagged")


def fraudulent(lab: Lab) -> Keys:
    """Orders with a stolen card, flagged or not."""
    return Keys(event.key for event in lab.trace.events("order.placed") if event.data["card"] == "stolen")


def shipped(lab: Lab) -> Keys:
    """Orders whose parcel is gone."""
    return lab.trace.keys("parcel.shipped")


def toll(lab: Lab) -> dict[str, float]:
    """Stolen cards, parcels that went out on one, and seconds until an order is confirmed (median and p99)."""
    half, late = measure.quantiles(measure.latency(lab.trace, "order.placed", "order.confirmed"))
    gone = len(fraudulent(lab) & shipped(lab))
    return {"stolen": len(fraudulent(lab)), "shipped": gone, "p50 s": round(half, 3), "p99 s": round(late, 3)}
