"""Random systems: everything a lab can hold, under random faults, chosen by a number.

`python systems.py 0 20` prints the digests of the first twenty, for the tests that compare processes and Pythons.
"""

import json
import random
import sys

from edakit import (
    Crash,
    Exponential,
    Faults,
    Hold,
    Lab,
    Partition,
    Refused,
    Retry,
    Saga,
    Service,
    Uniform,
)
from edakit.errors import CallError, Deadlock

KEYS = ["sku-1", "sku-2"]


def stock_service(pick: random.Random) -> Service:
    """Uses its database in every way there is, and fails now and then."""
    stock, style = Service("stock"), pick.choice(["plain", "transaction", "two keys"])

    @stock.on("order.#")
    async def reserve(order, ctx):
        await ctx.sleep(ctx.random.expovariate(200))
        if ctx.random.random() < 0.2:
            raise ValueError("bad day")
        if style == "plain" and await ctx.db.get("sku-1"):
            await ctx.db.add("sku-1", -1)
            if await ctx.db.insert_once("seen", order.id):
                await ctx.publish("stock.reserved", order.data)
            await ctx.db.put("last", {"order": order.data, "list": [1, 2], "none": None} if ctx.random.random() < 0.8 else None)
            return
        keys = list(KEYS) if style == "two keys" and ctx.random.random() < 0.5 else KEYS[::-1]
        try:
            async with ctx.db.transaction() as tx:
                if await tx.insert_once("seen", order.id):
                    for key in keys:
                        await tx.add(key, -1)
                    tx.publish("stock.reserved", order.data)
                if ctx.random.random() < 0.2:
                    await tx.delete("last")
                if ctx.random.random() < 0.2:
                    raise KeyError("undone")
        except Deadlock:
            ctx.log("gave way")

    return stock


def payment_service() -> Service:
    """Asked by others; now and then it refuses, or is slow."""
    payment = Service("payment")

    @payment.on("charge")
    async def charge(request, ctx):
        await ctx.sleep(ctx.random.expovariate(20))
        ctx.state["charged"] = ctx.state.get("charged", 0) + 1
        if ctx.random.random() < 0.2:
            raise Refused("no money")
        if ctx.random.random() < 0.1:
            raise ZeroDivisionError
        return {"charged": ctx.state["charged"]}

    return payment


def web_service() -> Service:
    """Asks two things at once, with a time limit."""
    web = Service("web")

    @web.on("stock.reserved")
    async def confirm(event, ctx):
        try:
            async with ctx.timeout(0.2):
                await ctx.gather(ctx.call("payment", {"of": event.id}, timeout=0.1), ctx.sleep(0.01))
            await ctx.publish("order-confirmed", event.data)
        except (CallError, TimeoutError) as error:
            ctx.log(type(error).__name__)

    return web


def checkout_saga() -> Saga:
    """Three steps, two of them with a way back."""
    checkout = Saga("checkout", on="order.placed", completed="checkout.done", compensated="checkout.undone")

    async def release(order, ctx):
        await ctx.sleep(0.01)

    async def refund(order, ctx):
        await ctx.sleep(0.01)
        if ctx.random.random() < 0.3:
            raise ValueError("try again")

    @checkout.step(compensate=release)
    async def reserve(order, ctx):
        await ctx.sleep(0.01)

    @checkout.step(compensate=refund, timeout=0.1, retry=Retry(1, backoff=0.05, jitter="full"))
    async def charge(order, ctx):
        await ctx.call("payment", {"order": order.id}, timeout=0.15)

    @checkout.step()
    async def ship(order, ctx):
        await ctx.sleep(0.02)
        if ctx.random.random() < 0.3:
            raise Refused("no van")

    return checkout


def billing_service() -> Service:
    """Reads a stream; some of it fails every time."""
    billing = Service("billing")

    @billing.on("#")
    async def bill(event, ctx):
        await ctx.sleep(ctx.random.expovariate(100))
        if ctx.random.random() < (0.9 if event.key == "3" else 0.05):
            raise ValueError("smudged")

    return billing


def faults(pick: random.Random) -> list:
    """A few things that go wrong."""
    found: list = []
    if pick.random() < 0.6:
        rates = {name: pick.choice([0, 0.02, 0.1]) for name in ("drop", "duplicate", "reorder")}
        found.append(Faults(**rates, delay=pick.choice([0, Exponential(0.005)])))
    if pick.random() < 0.4:
        found.append(Faults(crash=0.02, restart_after=pick.choice([0, 0.05, 0.5])))
    found += [
        Crash(name, at=Uniform(0, 2), restart_after=pick.choice([0, 0.3, 12]))
        for name in ("stock", "checkout", "billing", "payment")
        if pick.random() < 0.4
    ]
    if pick.random() < 0.3:
        found.append(Hold("shop", "stock", at=0.2, until=0.7))
    if pick.random() < 0.3:
        found.append(Partition("shop", "web", at=0.3, until=0.6, oneway=pick.random() < 0.5))
    pick.shuffle(found)
    return found


def build(lab: Lab, number: int) -> Lab:
    """System `number`, ready to run."""
    pick = random.Random(f"system {number}")
    shop = lab.broker("shop", ack_timeout=1)
    log = lab.stream("log", partitions=pick.choice([1, 3]), start=pick.choice(["earliest", "latest"]), session_timeout=0.4)
    rpc = lab.server("rpc", threads=pick.choice([1, 4]))
    db = lab.database("db", {"sku-1": 50, "sku-2": 50})
    limit = pick.choice([3, 8])
    lab.deploy(
        stock_service(pick), on=shop, instances=pick.choice([1, 2]), prefetch=pick.choice([1, 3]), db=db,
        delivery_limit=limit, dead_letter=pick.random() < 0.7, on_error=pick.choice(["requeue", "requeue", "reject"]),
        commit=pick.choice(["after", "after", "before"]), concurrency=pick.choice([1, 2]),
        retry=pick.choice([None, Retry(1, backoff=0.01)]),
    )  # fmt: skip
    lab.deploy(
        payment_service(), on=pick.choice([rpc, shop]), instances=pick.choice([1, 2]), publishes=shop, delivery_limit=limit
    )
    lab.deploy(web_service(), on=shop, publishes=pick.choice([shop, log]), delivery_limit=limit)
    lab.deploy(checkout_saga(), on=pick.choice([shop, log]), publishes=shop, delivery_limit=limit)
    lab.deploy(
        billing_service(), on=log, instances=pick.choice([1, 2, 4]), prefetch=pick.choice([1, 4]), delivery_limit=3,
        commit=pick.choice(["after", "before", 0.05]), publishes=shop,
    )  # fmt: skip
    audit = Service("audit")
    audit.on("order.placed")(quiet)
    lab.at(0.5, lambda: lab.deploy(audit, on=log, instances=2))
    lab.workload(shop, "order.placed", every=Exponential(0.05), count=pick.randint(3, 12), key="order", source="client")
    lab.workload(log, "order.placed", every=Exponential(0.05), count=pick.randint(3, 12), key="order", source="other")
    lab.workload(rpc, "payment/charge", every=0.2, count=3, timeout=0.1)
    for fault in faults(pick):
        lab.faults(fault)
    if pick.random() < 0.7:
        lab.at(0.6, lambda: log.seek("billing", to=pick.choice(["earliest", "latest", 0.3])))
    lab.at(1.5, lambda: shop.redrive("stock", rate=20))
    return lab


def build_buses(lab: Lab, number: int) -> Lab:
    """Every kind of bus, under random faults; ready to run."""
    pick = random.Random(f"buses {number}")
    ticks = lab.bus("ticks", like="redis-pubsub", hard_limit=pick.choice([200, 32 * 2**20]), soft_limit=100, soft_seconds=0.05)
    for name, patterns in (("desk", ["price.*", "price.tick"]), ("log", ["#"])):
        service = Service(name)
        service.on(*patterns)(slow)
        lab.deploy(service, on=ticks, instances=pick.choice([1, 2]), prefetch=pick.choice([1, 3]))
    lab.workload(ticks, "price.tick", every=Exponential(0.01), count=60, source="exchange")
    lab.workload(ticks, "news.flash", every=Exponential(0.1), count=5, source="press")
    alerts = lab.bus(
        "alerts", like="sns", fifo=pick.random() < 0.5, visibility=pick.choice([0.1, 1]), delay=pick.choice([0, 0.05])
    )
    for name in ("mail", "push"):
        service = Service(name)
        service.on("alert.#")(smudged)
        lab.deploy(
            service, on=alerts, instances=pick.choice([1, 3]), prefetch=pick.choice([1, 4]), delivery_limit=pick.choice([None, 1, 3]),
            dead_letter=pick.random() < 0.7, commit=pick.choice(["after", "after", "before"]),
            filter=pick.choice([None, {"key": [{"anything-but": "2"}]}]),
        )  # fmt: skip
    lab.workload(alerts, "alert.raised", every=Exponential(0.02), count=20, data=lambda n, _: {"n": n, "of": n % 4}, key="of")
    lab.at(1.5, lambda: alerts.redrive("mail", rate=20))
    like = pick.choice(["eventbridge", "eventbridge-custom"])
    events = lab.bus("events", like=like, archive=True, timeout=pick.choice([0.02, 1]), max_age=pick.choice([3, 30]))
    for name in ("stock", "audit"):
        service = Service(name)
        service.on("order.placed", "order.*")(smudged)
        lab.deploy(
            service, on=events, instances=pick.choice([1, 2]), dead_letter=pick.random() < 0.7,
            filter=pick.choice([None, {"detail": {"of": [{"numeric": ["<", 3]}]}}]),
        )  # fmt: skip
    lab.workload(events, "order.placed", every=Exponential(0.05), count=15, data=lambda n, _: {"n": n, "of": n % 4}, key="of")
    lab.at(2, lambda: events.replay(0, 1, rules=pick.choice([None, ["audit"]])))
    if pick.random() < 0.5:
        lab.faults(Crash("stock", at=0.3, restart_after=20))
    rates = {name: pick.choice([0, 0.05]) for name in ("drop", "duplicate", "reorder", "crash")}
    lab.faults(Faults(**rates, restart_after=pick.choice([0, 0.05, 0.5])))
    return lab


async def smudged(event, ctx):
    """Take a while, and fail now and then."""
    await ctx.sleep(ctx.random.expovariate(50))
    if ctx.random.random() < 0.2:
        raise ValueError("smudged")


async def slow(event, ctx):
    """Take a while."""
    await ctx.sleep(ctx.random.expovariate(50))


async def quiet(event, ctx):
    """Read and do nothing."""


def digest(number: int) -> str:
    """Build and run system `number`; the digest of all that happened."""
    lab = build(Lab(seed=number), number).run(60)
    lab.close()
    return lab.trace.digest()


if __name__ == "__main__":
    print(json.dumps([digest(number) for number in range(*map(int, sys.argv[1:]))]))
