"""Random systems that read, process and write in transactions, while things go wrong; chosen by a number."""

import random

from edakit import Crash, Exponential, Faults, Lab, Service
from edakit.stream import Producer

ORDERS = 40


def build(lab: Lab, number: int) -> Lab:
    """Each order brings forth a bill and a letter, in one transaction; `bank` and `gossip` read what comes of it."""
    pick = random.Random(f"transactions {number}")
    orders = lab.stream("orders", partitions=2, session_timeout=0.3, assignor=pick.choice([None, "range", "cooperative-sticky"]))
    papers = lab.stream("papers", partitions=pick.choice([1, 3]))
    clerk = Service("clerk")

    @clerk.on("order.placed")
    async def write(order, ctx):
        async with ctx.transaction():
            await ctx.publish("bill.written", order.data)
            await ctx.sleep(ctx.random.expovariate(50))
            if ctx.random.random() < 0.1:
                raise ValueError("blot")
            await ctx.publish("letter.written", order.data, key="letters")

    papers.producer("clerk", Producer(
        transactional=True, transaction_timeout=pick.choice([0.5, 60]), linger=pick.choice([0, 0.005]), timeout=0.1, backoff=0.01,
        retries=pick.choice([3, 2**31 - 1]),
    ))  # fmt: skip
    lab.deploy(clerk, on=orders, publishes=papers, instances=2, prefetch=pick.choice([1, 5]), delivery_limit=1000)
    for name, isolation in (("bank", "read_committed"), ("gossip", "read_uncommitted")):
        reader = Service(name)

        @reader.on("#")
        async def read(event, ctx):
            await ctx.sleep(0.001)

        lab.deploy(reader, on=papers, isolation=isolation, prefetch=pick.choice([1, 20]))
    orders.producer("client", Producer(timeout=0.1, backoff=0.01))
    lab.workload(orders, "order.placed", every=Exponential(0.05), count=ORDERS, key="order")
    for n in range(pick.randint(0, 4)):
        lab.crash(pick.choice(["clerk.1", "clerk.2"]), at=0.3 + n * 0.5, restart_after=pick.choice([0.1, 0.6]))
    lab.faults(Crash("clerk", at=pick.random() * 2, restart_after=0.2))
    if pick.random() < 0.6:
        lab.faults(Faults(drop=0.05, duplicate=0.05, delay=Exponential(0.005)))
    return lab
