"""Deposits of 10 on 50 accounts, about one in twenty of them written twice, in a topic of Kafka that is compacted."""

from typing import Any

from edakit import Lab, Service
from edakit.event import Event
from edakit.service import Context
from shop.again import send

AMOUNT, ACCOUNTS = 10, 50
KEYS = ("account", "deposit")


def deposits(
    lab: Lab, key: str = "account", duplicate: float = 5, count: int = 1000, segment: int = 25, partitions: int = 1
) -> None:
    """`live` adds up what it reads. At the end the topic is compacted, and then `late` reads it from the start and adds up.

    key: what is the key of a record, the account or the number of the deposit; duplicate: per cent that are written twice; segment:
    records a segment, of which the one that is being written is never cleaned.
    """
    topic = lab.stream(
        "deposits", like="kafka", partitions=partitions, start="earliest", compact=True, segment=segment, check=10**9
    )
    _reader(lab, topic, "live")
    send(lab, _Keyed(topic, key), "deposit.made", count=count, every=0.05, share=duplicate / 100, gap=5, accounts=ACCOUNTS)
    end = 2 * count * 0.05 + 100
    lab.at(end, topic.clean)
    lab.at(end + 1, _reader, lab, topic, "late")


class _Keyed:
    """The topic behind a writer who chooses the key."""

    def __init__(self, topic: Any, key: str) -> None:
        self.topic, self.by = topic, key

    def publish(self, type: str, data: dict[str, Any], *, key: str, source: str) -> None:
        self.topic.publish(
            type, {**data, "account": key}, key=key if self.by == "account" else f"deposit-{data['order']}", source=source
        )


def _reader(lab: Lab, topic: Any, name: str) -> None:
    service = Service(name)

    @service.on("deposit.made")
    async def add(deposit: Event, ctx: Context) -> None:
        await ctx.db.add("sum", AMOUNT)

    lab.deploy(service, on=topic, db=lab.database(f"{name}_books"))


def sums(lab: Lab) -> dict[str, float]:
    """What really was paid in, what each reader says, and the records that are left."""
    said = {name: lab.databases[f"{name}_books"].data.get("sum", 0) for name in ("live", "late")}
    paid = {row.event.data["order"] for row in lab.trace.where("append") if row.event}
    found = fates(lab)
    return {
        "paid in": len(paid) * AMOUNT,
        "live reader": said["live"],
        "late reader": said["late"],
        "records": len(found),
        "left": found.count(STAYS),
    }


STAYS, REPEAT, MONEY = "stays", "a repeat, erased", "a deposit, erased"


def fates(lab: Lab) -> list[str]:
    """What became of each record: it stays; it goes and another of its deposit stays; it goes, and with it its deposit."""
    topic: Any = lab.homes["deposits"]
    left = {event.data["order"] for log in topic.logs for n, event in enumerate(log.records) if n not in log.gone}
    return [
        STAYS if n not in log.gone else REPEAT if event.data["order"] in left else MONEY
        for log in topic.logs
        for n, event in enumerate(log.records)
    ]


def shuffled(lab: Lab) -> int:
    """Accounts of which `late` has read a deposit after a later one."""
    last, found = dict[str, int](), set[str]()
    for row in lab.trace.where("handle", who="late"):
        if row.event is not None:
            account, number = row.event.data["account"], row.event.data["order"]
            if number < last.get(account, 0):
                found.add(account)
            last[account] = number
    return len(found)


WHY = {10_000: "the topic would have to drop repeats before anybody reads", 10_500: "that is what a live reader says, before"}
