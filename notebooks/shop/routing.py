"""Who reads the address label: the broker, or everybody it has carried the parcel to?"""

import json

from edakit import Lab, Service

WAYS = ("rabbitmq", "eventbridge", "kafka", "topic-per-region")


def eu_only(lab: Lab, way: str = "kafka", share: float = 0.1, orders: int = 200) -> None:
    """`analytics` wants the orders of region eu, a `share` of all; every order goes to a region at random."""
    random, analytics = lab.random("regions"), Service("analytics")
    regions = ["eu" if random.random() < share else "us" for _ in range(orders)]

    async def count(order, ctx):
        if order.data["region"] == "eu":
            ctx.log("used")

    if way == "rabbitmq":
        homes = dict.fromkeys(("eu", "us"), lab.broker("shop", like="rabbitmq"))
        analytics.on("order.eu.placed")(count)
        lab.deploy(analytics, on=homes["eu"])
    elif way == "eventbridge":
        homes = dict.fromkeys(("eu", "us"), lab.bus("shop", like="eventbridge"))
        analytics.on("#")(count)
        lab.deploy(analytics, on=homes["eu"], filter={"detail": {"region": ["eu"]}})
    else:
        names = ("orders", "orders") if way == "kafka" else ("orders-eu", "orders-us")
        topics = {name: lab.stream(name) for name in dict.fromkeys(names)}
        homes = {region: topics[name] for region, name in zip(("eu", "us"), names, strict=True)}
        analytics.on("#")(count)
        lab.deploy(analytics, on=homes["eu"])
    for n, region in enumerate(regions, 1):
        homes[region].publish(f"order.{region}.placed", {"order": n, "region": region, "items": "tea " * 20}, key=n)


def kilobytes(lab: Lab) -> dict[str, float]:
    """What was carried to `analytics`, what of it was used, and how many times more the first is: payloads as JSON."""
    size = lambda rows: sum(len(json.dumps(row.event.data)) for row in rows if row.event) / 1000  # noqa: E731
    published, used = size(lab.trace.where(("publish", "append"))), size(lab.trace.where("log", note="used"))
    carried = size(lab.trace.where(("deliver", "fetch"), who="analytics"))
    return {"published kB": published, "carried kB": carried, "used kB": used, "times": carried / used if used else 0}
