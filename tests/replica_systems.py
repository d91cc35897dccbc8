"""Random streams with copies, whose machines die one by one or all at once, chosen by a number."""

import random

from edakit import Crash, Exponential, Faults, Hold, Lab, PowerCut, Service
from edakit.stream import Producer


def build(lab: Lab, number: int) -> Lab:
    """System `number`, ready to run."""
    pick = random.Random(f"replicas {number}")
    replicas = pick.choice([1, 2, 3])
    log = lab.stream(
        "log", partitions=pick.choice([1, 2]), replicas=replicas, min_insync=pick.randint(1, replicas), session_timeout=0.3,
        flush=pick.choice([None, 0, 0.1, 0.5]), replication_lag=pick.choice([0.002, Exponential(0.02)]), lag_time=0.2,
        segment=4, compact=pick.random() < 0.5, retention=pick.choice([None, 0.5]), check=0.1,
    )  # fmt: skip
    reader = Service("reader")

    @reader.on("#")
    async def read(event, ctx):
        await ctx.sleep(ctx.random.expovariate(100))

    lab.deploy(reader, on=log, instances=2, prefetch=pick.choice([1, 5]), commit=pick.choice(["after", "before", 0.05]))
    for name in ("shop", "web"):
        lab.workload(
            log, "stock.counted", every=Exponential(0.03), count=60,
            data=lambda n, rng: {"sku": n % 5, "left": n}, key="sku", source=name,
        )  # fmt: skip
    safe = pick.random() < 0.5
    log.producer("web", Producer(
        acks="all" if safe else pick.choice([0, 1]), idempotence=safe, in_flight=pick.choice([1, 5]), linger=0.02,
        batch=pick.choice([1, 3]), timeout=0.05, backoff=0.01, retries=pick.choice([1, 9, 99]),
    ))  # fmt: skip
    for n in range(pick.randint(0, 6)):
        name = pick.choice(["log", *(f"log.{n + 1}" for n in range(replicas))])
        lab.faults(Crash(name, at=0.3 * n, restart_after=pick.choice([0.1, 0.5, None])))
    if pick.random() < 0.5:
        lab.faults(PowerCut("log", at=pick.random() * 2, restart_after=pick.choice([0.05, 0.4, None])))
    if replicas > 1 and pick.random() < 0.5:
        lab.faults(Hold("log.1", "log.2", at=pick.random(), until=1 + pick.random()))
    if pick.random() < 0.5:
        lab.faults(Faults(drop=0.1, delay=Exponential(0.005)))
    if pick.random() < 0.3:
        lab.at(1.2, log.add_partitions, 1)
    lab.at(2.5, lab.restart, "log")
    return lab
