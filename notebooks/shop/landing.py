"""Where a message ends that cannot be charged: a scenario for each of four things that go wrong in each of six systems."""

from collections.abc import Callable, Mapping
from typing import Any

from edakit import Lab, Service, days, hours, minutes, run, table
from edakit.table import Table

RAISES, OLD, LONG, DOWN = FAULTS = ("handler raises", "waits too long", "queue too long", "target down a day")
DEAD, GONE, WAITS, NONE = ENDS = ("dead letter", "gone", "waits", "not offered")
BRIEF = 60  # seconds that are too long


def payment(fault: str) -> Service:
    """A service that charges, or that never can."""
    service = Service("payment")

    @service.on("order.placed")
    async def charge(order: Any, ctx: Any) -> None:
        await ctx.sleep(0.01)
        if fault == RAISES:
            float("9,90")

    return service


def rabbitmq(lab: Lab, fault: str) -> Any:
    """A classic queue with a dead-letter exchange that leads to the queue `parked`; the consumer rejects what it cannot charge."""
    arguments: dict[str, Any] = {OLD: {"message_ttl": BRIEF}, LONG: {"max_length": 1}}.get(fault, {})
    shop = lab.broker("shop", like="rabbitmq")
    shop.queue("payment", dead_letter="parked", **arguments)
    lab.deploy(payment(fault), on=shop, on_error="reject")
    return shop


def sqs(lab: Lab, fault: str) -> Any:
    """An SQS queue with a redrive policy."""
    shop = lab.bus("shop", like="sqs", delivery_limit=3, visibility=5, retention=BRIEF if fault == OLD else days(4))
    lab.deploy(payment(fault), on=shop)
    return shop


def eventbridge(lab: Lab, fault: str) -> Any:
    """A rule with one target and a dead-letter queue."""
    shop = lab.bus("shop", like="eventbridge", max_age=BRIEF if fault == OLD else days(1))
    lab.deploy(payment(fault), on=shop)
    return shop


def endpoint(lab: Lab, fault: str) -> Any:
    """An SNS topic with an HTTP endpoint as subscriber, and a dead-letter queue for that subscription."""
    patience: dict[str, Any] = {"retries": 100, "max_age": BRIEF} if fault == OLD else {}
    shop = lab.bus("shop", like="sns-http", **patience)
    lab.deploy(payment(fault), on=shop)
    return shop


def shared(lab: Lab, fault: str) -> Any:
    """A topic and a share group without a topic for dead letters, as it is unless you name one."""
    return kafka(lab, fault, "kafka-share")


def kafka(lab: Lab, fault: str, like: str = "kafka") -> Any:
    """A topic and a consumer group."""
    small: dict[str, Any] = {OLD: {"retention": BRIEF}, LONG: {"retention_bytes": 1}}.get(fault, {})
    shop = lab.stream("shop", like=like, start="earliest", segment=1, **small)
    lab.deploy(payment(fault), on=shop)
    return shop


SYSTEMS: dict[str, Callable[[Lab, str], Any]] = {
    "RabbitMQ": rabbitmq,
    "SQS": sqs,
    "SNS to HTTP": endpoint,
    "EventBridge": eventbridge,
    "Kafka group": kafka,
    "Kafka share group": shared,
}
UNKNOWN = {("SQS", LONG), ("SNS to HTTP", LONG), ("EventBridge", LONG)}  # no such limit can be set


def landing(lab: Lab, system: str = "RabbitMQ", fault: str = RAISES) -> None:
    """Two orders, and one thing that goes wrong; the consumer that is down is down for 30 hours, or for two minutes with a limit."""
    home = SYSTEMS[system](lab, fault)
    if fault != RAISES:
        lab.crash("payment", at=0, restart_after=hours(30) if fault == DOWN else minutes(20))
    for order in (42, 43):
        home.publish("order.placed", {"order": order}, key=order, source="orders")


def landed(lab: Lab) -> str:
    """Where order 42 is in the end."""
    mine = lab.trace.where(key="42")
    if mine.where(("dead", "hop")):
        return DEAD
    if (
        mine.where(("discard", "skip", "lapse", "evict"))
        or lab.trace.where("expire")
        or (mine.where("ack") and mine.where("fail"))
    ):
        return GONE
    return WAITS


def landings() -> dict[tuple[str, str], str]:
    """Where order 42 ends: for each system and each fault."""
    found = {}
    for system in SYSTEMS:
        for fault in FAULTS:
            until = {RAISES: minutes(2), DOWN: hours(29)}.get(fault, minutes(30))
            asked = (system, fault) not in UNKNOWN
            found[system, fault] = landed(run(landing, seed=42, until=until, system=system, fault=fault)) if asked else NONE
    return found


def reaching(found: Mapping[tuple[str, str], str], system: str) -> str:
    """Which of the first three faults end among the dead letters of a system, in words."""
    words = {RAISES: "rejected", OLD: "too old", LONG: "too much"}
    *some, last = [word for fault, word in words.items() if found[system, fault] == DEAD]
    return f"{', '.join(some)} or {last}" if some else last


def told(found: Mapping[tuple[str, str], str]) -> str:
    """For each system, which faults end among its dead letters."""
    systems = dict.fromkeys(system for system, _ in found)
    ends = {system: ", ".join(fault for fault in FAULTS if found[system, fault] == DEAD) or "none" for system in systems}
    return "; ".join(f"{system}: {faults}" for system, faults in ends.items())


WHY = {
    "rejected": "that is the usual idea: only failures",
    "rejected or too old": "a full queue evicts its oldest, and does not drop it",
}


def attempt(lab: Lab, system: str) -> None:
    """One order that never can be charged, with the limits a system has by itself."""
    homes: dict[str, Callable[[], Any]] = {
        "RabbitMQ classic queue": lambda: lab.broker("shop", like="rabbitmq"),
        "RabbitMQ quorum queue": lambda: lab.broker("shop", like="rabbitmq-quorum"),
        "SQS": lambda: lab.bus("shop", like="sqs"),
        "SQS, maxReceiveCount 5": lambda: lab.bus("shop", like="sqs", delivery_limit=5),
        "EventBridge, target down": lambda: lab.bus("shop", like="eventbridge"),
        "SNS to HTTP": lambda: lab.bus("shop", like="sns-http"),
        "Kafka share group": lambda: lab.stream("shop", like="kafka-share", start="earliest"),
        "Kafka consumer group": lambda: lab.stream("shop", like="kafka", start="earliest"),
    }
    home = homes[system]()
    lab.deploy(payment(RAISES), on=home)
    if "down" in system:
        lab.crash("payment", at=0)
    home.publish("order.placed", {"order": 42}, key=42, source="orders")


LIMITS = {
    "RabbitMQ classic queue": (minutes(1), "none"),
    "RabbitMQ quorum queue": (minutes(1), "x-delivery-limit 20: so many returns"),
    "SQS": (days(5), "retention: 4 days of one every 30 s"),
    "SQS, maxReceiveCount 5": (days(5), "5 receives"),
    "EventBridge, target down": (days(5), "185 retries or 24 h"),
    "SNS to HTTP": (days(1), "3 retries, 20 s apart"),
    "Kafka share group": (minutes(1), "5 deliveries"),
    "Kafka consumer group": (minutes(1), "none: your code"),
}


def limits() -> Table:
    """How often each system tries order 42 (in a minute, or until it stops)."""
    rows = []
    for system, (until, limit) in LIMITS.items():
        lab = run(attempt, seed=42, until=until, system=system)
        times = [row.time for row in lab.trace.where(("deliver", "fail"), key="42") if row.kind == "deliver" or "Kafka" in system]
        ends = DEAD if lab.trace.where("dead") else GONE if lab.trace.where(("discard", "skip")) else "never"
        rows.append({"system": system, "tries": len(times), "and then": ends, "the limit": limit})
    return table(rows)


def crash_loop(lab: Lab, prefetch: int = 10, limit: int = 5) -> None:
    """Order 42 kills the process that handles it, and nine good orders behind it are in the same hands."""
    service, shop = Service("payment"), lab.broker("shop", like="rabbitmq-quorum")

    @service.on("order.placed")
    async def charge(order: Any, ctx: Any) -> None:
        if order.key == "42":
            lab.crash("payment", restart_after=1)  # it takes all the memory there is
        await ctx.sleep(0.01)

    lab.deploy(service, on=shop, prefetch=prefetch, delivery_limit=limit)
    for order in range(42, 52):
        shop.publish("order.placed", {"order": order}, key=order, source="orders")


def buried(lab: Lab) -> str:
    """How many dead letters there are, and how many of them nothing is wrong with."""
    keys = [row.event.key for row in lab.trace.where("dead") if row.event is not None]
    return f"prefetch {lab.recipe[3]['prefetch']}: dead letters {len(keys)}, good orders among them {sum(key != '42' for key in keys)}"
