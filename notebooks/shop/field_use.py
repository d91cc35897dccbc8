"""Before a field goes: who reads it, for how long somebody must watch, and who breaks."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from edakit import Lab, Service, hours, minutes, table
from edakit.schema import Registry
from edakit.table import Table
from shop.schemas import field, record

FIELDS = ("order", "total", "status", "coupon", "channel")
EXAMPLE = {"order": 42, "total": 9.90, "status": "NEW", "coupon": "SPRING", "channel": "app"}
READERS = ("billing", "shipping", "report")


class Watched(Mapping[str, Any]):
    """An order that notes which of its fields a service reads."""

    def __init__(self, data: Mapping[str, Any], service: str, seen: Counter[tuple[str, str]]) -> None:
        self.data, self.service, self.seen = data, service, seen

    def __getitem__(self, name: str) -> Any:
        self.seen[name, self.service] += 1
        return self.data[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)


def use(lab: Lab, watched: int = 1, every: float = minutes(6)) -> None:
    """Orders, and three services that read them. The report reads the coupons of the day when the day is over, after 24 hours.

    watched: hours for which reads are counted; the table `reads` has them at the end.
    """
    stream, seen = lab.stream("orders", like="kafka"), Counter[tuple[str, str]]()
    billing, shipping, report = (Service(name) for name in READERS)

    @billing.on("order.placed")
    async def bill(order: Any, ctx: Any) -> None:
        data = Watched(order.data, "billing", seen)
        ctx.log(f"order {data['order']}: {data['total']}")

    @shipping.on("order.placed")
    async def ship(order: Any, ctx: Any) -> None:
        data = Watched(order.data, "shipping", seen)
        if data["status"] == "NEW":
            ctx.log(f"ships {data['order']}")

    @report.on("order.placed")
    async def keep(order: Any, ctx: Any) -> None:
        ctx.state.setdefault("today", []).append(Watched(order.data, "report", seen))

    @report.on("day.closed")
    async def count(day: Any, ctx: Any) -> None:
        ctx.log(f"{len([order['coupon'] for order in ctx.state.pop('today', [])])} coupons")

    for service in (billing, shipping, report):
        lab.deploy(service, on=stream)
    end, time, n = hours(watched), every, 0
    while time <= end:
        n += 1
        lab.at(time, stream.publish, "order.placed", {**EXAMPLE, "order": n}, n)
        time += every
    for day in range(1, watched // 24 + 1):
        lab.at(hours(24 * day), stream.publish, "day.closed", {"day": day}, 0)
    reads = lab.database("reads")
    lab.at(end + 1, lambda: reads.data.update({f"{name}/{service}": count for (name, service), count in seen.items()}))


def readers_of(lab: Lab) -> dict[tuple[str, str], int]:
    """(field, service) -> how often it was read."""
    data = lab.databases["reads"].data
    return {(name, service): data.get(f"{name}/{service}", 0) for name in FIELDS for service in READERS}


def idle(lab: Lab) -> list[str]:
    """The fields that nobody has read."""
    found = readers_of(lab)
    return [name for name in FIELDS if not any(found[name, service] for service in READERS)]


def order(*, coupon: bool, default: bool) -> dict[str, Any]:
    """The schema with or without a coupon; the coupon with or without a default."""
    more = {"default": ""} if default else {}
    return record(field("order", "int"), field("total", "double"), *([field("coupon", "string", **more)] if coupon else []))


def removal(*, default: bool, reader: str) -> str:
    """The coupon is removed, an event is written without it, and an old or a new reader reads it."""
    registry = Registry("NONE")
    for schema in (order(coupon=True, default=default), order(coupon=False, default=default)):
        registry.register("orders", schema)
    try:
        registry.decode(registry.encode("orders", {"order": 42, "total": 9.90}), version={"old": 1, "new": 2}[reader])
    except Exception:  # noqa: BLE001  (whatever the decoder raises, the reader has broken)
        return "breaks"
    return "reads"


def removals() -> Table:
    """All four cells: the coupon had a default or not, the reader is old or new."""
    rows = [
        {
            "coupon had": "a default" if default else "no default",
            **{f"{who} reader": removal(default=default, reader=who) for who in ("old", "new")},
        }
        for default in (True, False)
    ]
    return table(rows)


def broken() -> str:
    """Which cells break, in words."""
    cells = [
        (default, who) for default in (True, False) for who in ("old", "new") if removal(default=default, reader=who) == "breaks"
    ]
    if not cells:
        return "nobody"
    return "old readers without a default" if cells == [(False, "old")] else "all old readers"


WHY = {
    "nobody": "BACKWARD asks whether the new reader reads old events; nobody asked the old readers",
    "all old readers": "a default is there for this",
}
