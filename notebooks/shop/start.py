"""Notebook 00: Ada buys one packet of tea. The web shop says so, payment takes the money, notification writes a mail."""

import math

from edakit import Exponential, Lab, Service, plot
from edakit.chance import draw
from edakit.evidence import Sweep

PRICE, CREDIT = 10, 100  # euros

order_42 = {"order": 42, "customer": "Ada", "item": "tea", "total": PRICE}

notification = Service("notification")


@notification.on("payment.processed")
async def tell(paid, ctx):
    await ctx.sleep(0.02)
    await ctx.publish("mail.sent", paid.data)


def payment_taking(seconds: float, *, vary: bool) -> Service:
    """A payment service whose bank needs so long: always, or on average."""
    payment = Service("payment")

    @payment.on("order.placed")
    async def charge(order, ctx):
        await ctx.sleep(draw(Exponential(seconds), ctx.random) if vary else seconds)
        await ctx.publish("payment.processed", order.data)

    return payment


def shop_system(lab: Lab, pay: float = 0.2, vary: bool = False, orders: int = 1, instances: int = 1) -> None:
    """Some orders, all placed at once. pay: seconds at the bank. instances: copies of payment that share the work."""
    shop = lab.broker("shop", like="rabbitmq")
    lab.deploy(payment_taking(pay, vary=vary), on=shop, instances=instances, prefetch=1)
    lab.deploy(notification, on=shop)
    for number in range(42, 42 + orders):
        shop.publish("order.placed", {**order_42, "order": number}, key=number, source="web")


def credit_system(lab: Lab, payment: Service, crash_at: float | None = None, commit: str = "after") -> None:
    """Ada pays from her credit, which a database keeps. crash_at: when payment dies; it is back a second later."""
    shop = lab.broker("shop", like="rabbitmq")
    lab.deploy(payment, on=shop, db=lab.database("accounts", {"Ada": CREDIT}), commit=commit)
    lab.deploy(notification, on=shop)
    shop.publish("order.placed", order_42, key=42, source="web")
    if crash_at is not None:
        lab.crash("payment", at=crash_at, restart_after=1)


without_receipt = Service("payment")


@without_receipt.on("order.placed")
async def charge_and_return(order, ctx):
    await ctx.sleep(0.2)
    await ctx.db.add("Ada", -order.data["total"])
    await ctx.publish("payment.processed", order.data)


def times_charged(lab: Lab) -> int:
    """How often Ada has paid: what is gone from her credit, in packets of tea."""
    return (CREDIT - lab.databases["accounts"].data["Ada"]) // PRICE


def outcome(lab: Lab) -> dict[str, int]:
    """What Ada sees."""
    left = lab.databases["accounts"].data["Ada"]
    return {"times charged": times_charged(lab), "credit left": left, "mails": len(lab.trace.events("mail.sent"))}


def price(lab: Lab) -> dict[str, float]:
    """What the run has cost: rows of ids that stay in the database, and when the effect was there (seconds)."""
    written = lab.trace.where("write", who="payment")[0]
    return {"rows kept": len(lab.databases["accounts"].table("charged")), "effect there": written.time}


def fate(lab: Lab) -> dict[str, float]:
    """How the run ended for Ada, as figures for a sweep: one of them is 1."""
    times = times_charged(lab)
    return {"never": times == 0, "once": times == 1, "twice": times == 2}


def fates(sweep: Sweep) -> list[dict[str, object]]:
    """How many of 1,000 runs ended in which way, and between which two numbers the truth lies with a confidence of 90 % (Wilson)."""
    rows: list[dict[str, object]] = []
    for name in ("never", "once", "twice"):
        low, high = wilson(sum(sweep.column(name)), len(sweep))
        rows.append({"charged": name, "of 1,000": round(1000 * sum(sweep.column(name)) / len(sweep)), "from": low, "to": high})
    return rows


def wilson(count: float, runs: int, z: float = 1.645) -> tuple[int, int]:
    """The score interval of a share, in runs of 1,000."""
    middle, wide = count + z * z / 2, z * math.sqrt(count * (1 - count / runs) + z * z / 4)
    return round(1000 * (middle - wide) / (runs + z * z)), round(1000 * (middle + wide) / (runs + z * z))


def last_mail(lab: Lab) -> float:
    """When the last mail has left, in seconds."""
    return float(lab.trace.where("publish", type="mail.sent")[-1].time)


def mails(lab: Lab) -> plot.Picture:
    """The timeline under a headline: when the last mail has left. Time reaches equally far, so that runs can be compared."""
    return plot.timeline(lab, titles=[f"last mail at {last_mail(lab):.3f} s"], until=1.25)


def watch(lab: Lab) -> plot.Picture:
    """The timeline under a headline: what the run has cost Ada."""
    times = times_charged(lab)
    said = ["Ada is not charged", "Ada is charged once", "ADA IS CHARGED TWICE"]
    return plot.timeline(lab, titles=[said[times] if times < len(said) else f"ADA IS CHARGED {times} TIMES"], until=1.75)


def two_at_once(lab: Lab, pause: bool = False) -> None:
    """A service handles two orders at the same time and counts them; with a pause between reading the count and writing it."""
    counter = Service("counter")

    @counter.on("order.placed")
    async def count(order, ctx):
        seen = ctx.state.get("orders", 0)
        if pause:
            await ctx.sleep(0)
        ctx.state["orders"] = seen + 1

    shop = lab.broker("shop")
    lab.deploy(counter, on=shop, concurrency=2)
    for number in (42, 43):
        shop.publish("order.placed", {"order": number}, key=number)


def counted(lab: Lab) -> int:
    """What the counter has in its memory."""
    return int(lab.instances["counter"].state["orders"])
