"""Two views of the same orders, each with a lag of its own: whether they agree once all is quiet, and what it takes."""

from typing import Any

from edakit import Faults, Lab, Service, run, table
from edakit.table import Table

VIEWS = ("mail", "web")
EVERY = 0.3  # seconds from one order to the next
APART = 0.1  # seconds from the first update of an order to the second
RULES = ("last arrival", "version", "timestamp")


def wins(rule: str, old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether a view takes what it has just heard."""
    if rule == "last arrival":
        return True
    return bool(new[rule] > old[rule])


def two_views(
    lab: Lab,
    rule: str = "version",
    orders: int = 100,
    lag: float = 0.2,
    loss: float = 0.0,
    skew: float = 0.0,
    reconcile: float | None = None,
) -> None:
    """Each order is paid, and packed APART seconds later; two views hear of both, and keep what their rule says. Then it is quiet.

    loss: the share of the messages that never arrive (Redis Pub/Sub forgets what it has sent). skew: seconds by which the clocks of those
    who write the timestamps are off (normal). reconcile: every so many seconds each view compares its versions with the owner's and
    fetches what it lacks.
    """
    bus, http, owner, random = (
        lab.bus("bus", like="redis-pubsub"),
        lab.server("http", threads=100),
        Service("orders"),
        lab.random("clocks"),
    )
    truth = lab.database("truth")

    @owner.on("order.versions")
    async def versions(request: Any, ctx: Any) -> Any:
        return dict(truth.data)

    lab.deploy(owner, on=http)
    for name in VIEWS:
        lab.deploy(view(name, rule, lag), on=bus, concurrency=2 * orders, prefetch=2 * orders)
    for n in range(orders):
        for version, status in ((2, "paid"), (3, "packed")):
            at = EVERY * n + (version - 1) * APART
            fact = {"version": version, "status": status, "timestamp": round(at + random.gauss(0, skew), 6)}
            lab.at(at, tell, lab, bus, str(n + 1), fact)
    if loss:
        lab.faults(Faults(drop=loss, leg="deliver", type="order.changed"))
    if reconcile:
        lab.workload(bus, "check.due", every=reconcile, count=max(1, round(120 / reconcile)), source="clock")


def tell(lab: Lab, bus: Any, key: str, fact: dict[str, Any]) -> None:
    """The owner has changed an order, and says so."""
    lab.databases["truth"].apply({key: fact}, "orders", None)
    bus.publish("order.changed", fact, key=key, source="orders")


def view(name: str, rule: str, lag: float) -> Service:
    """A view: what it keeps of each order."""
    service = Service(name)

    @service.on("order.changed")
    async def keep(event: Any, ctx: Any) -> None:
        await ctx.sleep(ctx.random.expovariate(1 / lag))
        old = ctx.state.get(event.key)
        if old is None or wins(rule, old, event.data):
            ctx.state[event.key] = event.data

    @service.on("check.due")
    async def compare(event: Any, ctx: Any) -> None:
        for key, fact in (await ctx.call("orders", {}, timeout=5)).items():
            if ctx.state.get(key, {"version": 1})["version"] < fact["version"]:
                ctx.state[key] = fact
                ctx.log(f"mended order {key}")

    return service


def states(lab: Lab, name: str) -> dict[str, str]:
    """What a view shows of each order at the end."""
    truth, kept = lab.databases["truth"].data, lab.instances[name].state
    return {key: kept.get(key, {"status": "open"})["status"] for key in truth}


def differ(lab: Lab) -> list[str]:
    """Orders for which the two views show different things."""
    one, other = (states(lab, name) for name in VIEWS)
    return [key for key in one if one[key] != other[key]]


def wrong(lab: Lab) -> list[str]:
    """Orders that a view shows otherwise than they are."""
    return [key for key in states(lab, VIEWS[0]) if any(states(lab, name)[key] != "packed" for name in VIEWS)]


def apart(lab: Lab) -> dict[str, float]:
    """Figures for a sweep: views that differ, and both wrong together, in per cent of the orders."""
    one, other = (states(lab, name) for name in VIEWS)
    share = 100 / len(one)
    return {
        "differ %": share * sum(one[key] != other[key] for key in one),
        "agree, and wrong %": share * sum(one[key] == other[key] != "packed" for key in one),
    }


SETTINGS: dict[str, dict[str, Any]] = {
    "last arrival": {"rule": "last arrival"},
    "timestamp, clocks 0.1 s off": {"rule": "timestamp", "skew": 0.1},
    "version": {"rule": "version"},
    "version, 1 % lost": {"rule": "version", "loss": 0.01},
    "version, 1 % lost, reconciled": {"rule": "version", "loss": 0.01, "reconcile": 60},
}


def mended(lab: Lab) -> list[float]:
    """For each order that reconciling has mended, how many seconds its view was wrong."""
    last = {row.event.key: row.event.time for row in lab.trace.where("publish", type="order.changed") if row.event}
    rows = [(row.time, row.note.rpartition(" ")[2]) for row in lab.trace.where("log") if row.note.startswith("mended")]
    return [time - last[key] for time, key in rows]


def settled(orders: int = 200) -> dict[str, Lab]:
    """A run of each setting, with the same seed and the same orders."""
    return {name: run(two_views, seed=42, orders=orders, **knobs) for name, knobs in SETTINGS.items()}


def standing(labs: dict[str, Lab]) -> Table:
    """What is different or wrong at the end, for each."""
    return table(
        [
            {
                "rule": name,
                "orders": len(states(lab, VIEWS[0])),
                "views differ": len(differ(lab)),
                "a view is wrong": len(wrong(lab)),
            }
            for name, lab in labs.items()
        ]
    )


def verdict(lab: Lab) -> str:
    """How many orders differ, in words."""
    share = len(differ(lab)) / len(states(lab, VIEWS[0]))
    return "all" if share > 0.9 else "about 4 in 10" if share > 0.1 else "none: it is quiet now"


WHY = {
    "none: it is quiet now": "quiet is not enough: each view keeps what came last, and that was not the same",
    "all": "most pairs arrive in their order at both views, or in the wrong order at both",
}
