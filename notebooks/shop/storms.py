"""Retries: three layers multiply them, a thousand clients march in step, and some give up a moment too early."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from edakit import Lab, Refused, Retry, Service
from edakit.errors import CallError

DOWN, UP = 15, 45  # seconds: the bank dies, and comes back
MINUTE = 60

POLICIES = {
    "one try": None,
    "5 tries at once": Retry(4, backoff=0),
    "5 tries, 1 s apart": Retry(4, backoff=1, factor=1),
    "5 tries, doubling": Retry(4, backoff=1),
    "6 tries, doubling": Retry(5, backoff=1),
    "6 tries, full jitter": Retry(5, backoff=1, jitter="full"),
    "8 tries, full jitter": Retry(7, backoff=1, jitter="full"),
}


def layers(lab: Lab, tries: int = 3, where: tuple[str, ...] = ("web", "orders", "payment")) -> None:
    """One click: web calls orders, orders payment, payment the bank, which is down; the layers in `where` try so often each."""
    api, row = lab.server("api", threads=100), ("web", "orders", "payment", "bank")
    for name, following in zip(row, [*row[1:], ""], strict=True):
        service = Service(name)

        @service.on("pay")
        async def pay(order: Any, ctx: Any, following: str = following) -> None:
            if not following:
                raise ConnectionError("the bank is down")
            await ctx.call(following, order.data, timeout=60)

        lab.deploy(service, on=api, retry=Retry(tries - 1, backoff=0.1) if name in where else None)
    lab.call("web", {"order": 42}, key=42, source="ada", timeout=120)


def bank_calls(lab: Lab) -> int:
    """How often the bank was called."""
    return len(lab.trace.where("call", place="bank"))


def storm(lab: Lab, jitter: str = "none", clients: int = 1000, capacity: int = 50, backoff: float = 2, cap: float = 32) -> None:
    """The bank is back, and so many clients call it at once; it takes `capacity` calls in each second and refuses the rest, who try
    again until they get through: waits that double from `backoff` to `cap` seconds, with or without jitter.
    """
    api, bank, payment = lab.server("api", threads=clients), Service("bank"), Service("payment")
    policy = Retry(10**6, backoff=backoff, longest=cap, jitter=jitter)

    @bank.on("pay")
    async def take(order: Any, ctx: Any) -> None:
        second = int(ctx.now)
        ctx.state[second] = ctx.state.get(second, 0) + 1
        if ctx.state[second] > capacity:
            raise Refused("too many calls")

    @payment.on("order.placed")
    async def pay(order: Any, ctx: Any) -> None:
        attempt = 0
        while True:
            try:
                await ctx.call("bank", order.data, timeout=5)
            except CallError:
                attempt += 1
                await ctx.sleep(policy.delay(attempt, ctx.random))
            else:
                return

    lab.deploy(bank, on=api)
    lab.deploy(payment, on=api)
    for n in range(clients):
        lab.call("payment", {"order": n}, key=n, timeout=10_000)


def per_second(lab: Lab) -> dict[int, int]:
    """Calls at the bank in each second, by second."""
    return dict(Counter(int(row.time) for row in lab.trace.where("call", place="bank")))


def drained(lab: Lab) -> dict[str, float]:
    """Calls at the bank, seconds until the last client is through, calls in the busiest second after the first two."""
    calls = per_second(lab)
    return {
        "calls": sum(calls.values()),
        "drain s": lab.trace.where("reply", who="client")[-1].time,
        "worst second": max(count for second, count in calls.items()),
    }


def outage(lab: Lab, policy: str = "one try", orders: int = 1000, retry: Retry | None = None) -> None:
    """A minute of orders in the middle of which the bank is down for 30 seconds. policy: one of POLICIES, or `retry`."""
    api, shop, bank, payment = (
        lab.server("api", threads=1000),
        lab.broker("shop", like="rabbitmq"),
        Service("bank"),
        Service("payment"),
    )

    @bank.on("pay")
    async def take(order: Any, ctx: Any) -> None:
        """Take the money."""

    @payment.on("order.placed")
    async def pay(order: Any, ctx: Any) -> None:
        await ctx.call("bank", order.data, timeout=5)

    chosen = retry or POLICIES[policy]
    lab.deploy(bank, on=api)
    lab.deploy(payment, on=shop, concurrency=orders, prefetch=orders, retry=chosen, on_error="reject")
    lab.crash("bank", at=DOWN, restart_after=UP - DOWN)
    lab.workload(shop, "order.placed", every=MINUTE / orders, count=orders, key="order", source="orders")


def lost(lab: Lab) -> dict[str, float]:
    """Orders that ended as dead letters, and calls at the bank."""
    return {"lost": len(lab.trace.where("dead")), "calls": bank_calls(lab)}


def tuned(lab: Lab, tries: int = 6, backoff: float = 1, jitter: str = "full", orders: int = 100) -> None:
    """The same with a policy of your own."""
    outage(lab, orders=orders, retry=Retry(tries - 1, backoff=backoff, jitter=jitter))


def keeps_all(labs: Mapping[str, Lab], names: Sequence[str]) -> str:
    """Which of these policies lost no order."""
    return next(name for name in names if not lost(labs[name])["lost"])


def taken(lab: Lab) -> int:
    """Calls that the bank took in its busiest second."""
    return max(Counter(int(row.time) for row in lab.trace.where("handle", who="bank", note="")).values())


WHY = {
    "layers": {3: "that is one layer", 9: "that is their sum; they multiply"},
    "patience": {
        "5 tries, doubling": "1 + 2 + 4 + 8 = 15 seconds, for an outage of 30",
        "6 tries, full jitter": "jitter halves the average wait",
    },
}
