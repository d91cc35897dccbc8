"""Eight things that go wrong in a system of events, a switch for each and a counter for each: which switch turns which counter."""

from collections import Counter
from typing import Any

from edakit import Faults, Lab, Service, measure, run, table
from edakit.table import Table

FAULTS = {  # the switch, and where the cure is shown
    "none": "",
    "several workers": "05",
    "handler fails after its work": "06, 08",
    "no trace context": "14",
    "duplicates": "08",
    "crash between save and publish": "03, 08",
    "a renamed field": "10",
    "one poisonous order": "06",
    "12 a second in, 10 out": "14",
}
COUNTERS = ("out of turn", "counted twice", "no path", "lost", "failed", "stuck", "backlog")
RENAMED, POISON = 0.5, 0.5  # after this share of the orders


def menu(lab: Lab, fault: str = "none", orders: int = 200) -> None:
    """Orders are saved by a clerk, who says so; mail counts the packets and writes a letter. One switch of FAULTS is on."""
    if fault not in FAULTS:
        raise ValueError(f"fault={fault!r}: one of {', '.join(FAULTS)}")
    shop, clerk, mail = lab.broker("shop", like="rabbitmq"), Service("clerk"), Service("mail")
    poison, fast = round(POISON * orders), fault.startswith("12")

    @clerk.on("order.placed")
    async def save(order: Any, ctx: Any) -> None:
        if not await ctx.db.insert_once("saved", order.key):
            return
        if fault == "no trace context":
            shop.publish("order.saved", order.data, key=order.key, source="clerk")  # a library that knows of no cause
        else:
            await ctx.publish("order.saved", order.data)

    @mail.on("order.saved")
    async def count(order: Any, ctx: Any) -> None:
        await ctx.sleep(0.1 if fast else ctx.random.expovariate(50))
        if fault == "one poisonous order" and order.data["order"] == poison:
            raise ValueError("an address that nobody can read")
        ctx.log(f"counted {order.data['packets']}")
        if fault == "handler fails after its work" and ctx.random.random() < 0.01:
            raise ConnectionError("the letter could not be printed")

    def placed(n: int, random: Any) -> dict[str, Any]:
        late = fault == "a renamed field" and n > RENAMED * orders
        return {"order": n, "parcels" if late else "packets": 1}

    lab.deploy(clerk, on=shop, db=lab.database("saved"))
    crew = {"instances": 4} if fault == "several workers" else {}
    on_error = "reject" if fault == "a renamed field" else "requeue"
    lab.deploy(mail, on=shop, prefetch=1, on_error=on_error, **crew)
    every = 1 / 12 if fast else 0.02 if fault == "several workers" else 0.1
    lab.workload(shop, "order.placed", every=every, count=orders, data=placed, key="order", source="ada")
    if fault == "duplicates":
        lab.faults(Faults(duplicate=0.05, leg="deliver", where=("shop", "mail")))
    if fault == "crash between save and publish":
        lab.faults(Faults(crash=0.01, where="clerk", between=("commit", "publish"), restart_after=0.1))


def counters(lab: Lab) -> dict[str, int]:
    """What has gone wrong in a run, in orders: counted after a later one; counted more than once; nobody can tell from which click its
    letter comes; saved, and nobody was told; given up; still in line at the end; in line when the last order came.
    """
    trace = lab.trace
    counted = [row.event for row in trace.where("log", who="mail") if row.event]
    saved = {str(event.key): event for event in trace.events("order.saved")}
    clicks = {event.id for event in trace.events("order.placed")}
    dead = {row.event.key for row in trace.where("dead") if row.event}
    times, highest, late = Counter(event.key for event in counted), 0, set()
    for event in counted:
        if event.data["order"] < highest:
            late.add(event.key)
        highest = max(highest, event.data["order"])
    last = max(event.time for event in trace.events("order.placed"))
    waiting = [depth for time, depth in measure.backlog(trace, "shop/mail") if time <= last]
    found = (
        len(late),
        sum(count > 1 for count in times.values()),
        sum(event.correlation not in clicks for event in saved.values()),
        len(set(lab.databases["saved"].table("saved")) - saved.keys()),
        len(dead),
        len(saved.keys() - times.keys() - dead),
        waiting[-1] if waiting else 0,
    )
    return dict(zip(COUNTERS, found, strict=True))


END = 25  # seconds: five after the last of 200 orders


def all_of_them() -> dict[str, dict[str, int]]:
    """Each switch by itself, with seed 42."""
    return {fault: counters(run(menu, seed=42, until=END, fault=fault)) for fault in FAULTS}


def printed(found: dict[str, dict[str, int]]) -> Table:
    """The counters of each switch (blank: zero), and where its cure is."""
    return table(
        [
            {"switch": fault, **{name: count or "" for name, count in row.items()}, "cure in": FAULTS[fault]}
            for fault, row in found.items()
        ]
    )


def told(found: dict[str, dict[str, int]]) -> str:
    """How many orders each switch hurts, in a line."""
    return ", ".join(f"{fault} {max(row.values())}" for fault, row in found.items() if fault != "none")


def worst(found: dict[str, dict[str, int]]) -> str:
    """The switch that most orders suffer from."""
    return max(found, key=lambda fault: max(found[fault].values()))


WHY = {
    "duplicates": "one event in twenty",
    "one poisonous order": "those behind it: half of them here",
    "a renamed field": "those after the change: half of them here",
}
