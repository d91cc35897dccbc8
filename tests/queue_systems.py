"""Random brokers: queues with arguments of every kind, messages with properties, crashes, chosen by a number."""

import random
from typing import Any

from edakit import Exponential, Faults, Lab, Service


def arguments(pick: random.Random) -> dict[str, Any]:
    """What a queue is declared with."""
    found: dict[str, Any] = {
        "message_ttl": pick.choice([None, None, 0, 0.05, 1]),
        "max_length": pick.choice([None, None, 1, 4]),
        "single_active_consumer": pick.random() < 0.3,
        "limit": pick.choice([None, 1, 3]),
        "dead_letter": pick.choice([True, False, "parked", "parked", "payment", "again"]),
    }
    if pick.random() < 0.3:
        return {**found, "type": "quorum", "overflow": pick.choice(["drop-head", "reject-publish"])}
    overflow = pick.choice(["drop-head", "reject-publish", "reject-publish-dlx"])
    return {**found, "overflow": overflow, "durable": pick.random() < 0.7, "max_priority": pick.choice([0, 2])}


def properties(pick: random.Random) -> dict[str, Any]:
    """What a message is published with."""
    found: dict[str, Any] = {"priority": pick.randint(0, 3), "persistent": pick.random() < 0.7, "mandatory": True}
    return {**found, "ttl": pick.choice([0, 0.1, 1])} if pick.random() < 0.3 else found


def payment_service() -> Service:
    """Fails now and then, and publishes what is refused at times."""
    payment = Service("payment")

    @payment.on("order.placed")
    async def charge(order, ctx):
        await ctx.sleep(ctx.random.expovariate(30))
        if ctx.random.random() < 0.3:
            raise ValueError("bad day")
        await ctx.publish(ctx.random.choice(["order.paid", "order.filed"]), persistent=False, mandatory=True)

    return payment


def build(lab: Lab, number: int) -> Lab:
    """System `number`, ready to run."""
    pick = random.Random(f"queues {number}")
    shop = lab.broker("shop", ack_timeout=0.5, alternate=pick.choice([None, None, "rest"]))
    shop.queue("again", bind="never", message_ttl=0.2, dead_letter="payment")
    shop.queue("payment", **arguments(pick))
    shop.queue("paid", bind="order.paid", **{**arguments(pick), "dead_letter": pick.choice([True, "parked"])})
    many = {"instances": pick.choice([1, 3]), "prefetch": pick.choice([1, 4])}
    lab.deploy(payment_service(), on=shop, on_error=pick.choice(["requeue", "reject"]), **many)
    audit = Service("audit")
    audit.on("order.#")(quiet)
    lab.deploy(audit, on=shop)
    shop.exchange.unbind("audit", "order.#")
    shop.exchange.bind("audit", pick.choice(["order.#", "order.placed"]))
    for n in range(20):
        said = properties(pick)
        lab.at(pick.random(), lambda n=n, said=said: shop.publish("order.placed", {"order": n}, n, **said))
    for at in pick.choice([[], [0.5], [0.4, 0.9]]):
        lab.crash("shop", at=at, restart_after=pick.choice([0, 0.1, 0.7]))
    lab.crash("payment", at=0.6, restart_after=pick.choice([0, 0.2]))
    if pick.random() < 0.5:
        lab.faults(Faults(drop=0.05, duplicate=0.05, delay=Exponential(0.005)))
    lab.at(2, lambda: shop.redrive("payment", rate=20))
    return lab


async def quiet(event, ctx):
    """Read and do nothing."""
