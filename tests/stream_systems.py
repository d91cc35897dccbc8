"""Random streams: logs that forget, readers that are late, groups that come and go, chosen by a number."""

import random

from edakit import Crash, Exponential, Faults, Lab, Service
from edakit.errors import CallTimeout
from edakit.stream import Producer


def reader(name: str, rate: float) -> Service:
    """Slow, and now and then at fault."""
    service = Service(name)

    @service.on("#")
    async def read(event, ctx):
        await ctx.sleep(ctx.random.expovariate(rate))
        if ctx.random.random() < 0.05:
            raise ValueError("smudged")

    return service


def options(pick: random.Random) -> dict:
    """What a stream keeps."""
    return {
        "partitions": pick.choice([1, 3]),
        "start": pick.choice(["earliest", "latest"]),
        "session_timeout": 0.3,
        "assignor": pick.choice([None, "range", "round-robin", "sticky", "cooperative-sticky"]),
        "poll_timeout": pick.choice([None, 0.5, 2]),
        "sticky": pick.choice([1, 4]),
        "segment": pick.choice([1, 3, 8]),
        "retention": pick.choice([None, 0.3, 1]),
        "retention_bytes": pick.choice([None, 0, 200]),
        "compact": pick.random() < 0.5,
        "delete_retention": pick.choice([0, 0.5]),
        "check": pick.choice([0.05, 0.2]),
    }


def build(lab: Lab, number: int) -> Lab:
    """System `number`, ready to run."""
    pick = random.Random(f"streams {number}")
    chosen = options(pick)
    log = lab.stream("log", **chosen)
    lab.deploy(
        reader("fast", 200), on=log, instances=pick.choice([1, 3]), prefetch=pick.choice([1, 5]), delivery_limit=2,
        commit=pick.choice(["after", "before", 0.05]),
    )  # fmt: skip
    lab.deploy(reader("slow", 8), on=log, instances=2, prefetch=pick.choice([1, 20]), delivery_limit=2)
    lab.workload(
        log, "stock.counted", every=Exponential(0.03), count=80,
        data=lambda n, rng: {"sku": n % 5, "left": n}, key="sku", source="shop",
    )  # fmt: skip
    for n in range(10):
        lab.at(0.2 * n, lambda n=n: log.publish("stock.gone", None, key=n % 5))
    if not chosen["compact"]:
        lab.workload(log, "page.seen", every=0.07, count=20, source="web")
    relay, quick = Service("relay"), pick.random() < 0.5

    @relay.on("stock.counted")
    async def pass_on(event, ctx):
        try:
            await ctx.publish("stock.low" if quick else "stock.seen", {"of": event.id})
        except CallTimeout:
            ctx.log("nobody knows")

    lab.deploy(relay, on=log, prefetch=1)
    safe = pick.random() < 0.5
    for name in ("shop", "relay"):
        if pick.random() < 0.7:
            log.producer(name, Producer(
                acks="all" if safe else pick.choice([0, 1]), idempotence=safe, in_flight=pick.choice([1, 5]), linger=0.02,
                batch=pick.choice([1, 3]), timeout=0.05, backoff=0.01, retries=pick.choice([1, 9]),
            ))  # fmt: skip
    lab.faults(Crash("slow.1", at=pick.random() * 2, restart_after=pick.choice([0.1, 1])))
    if pick.random() < 0.5:
        lab.faults(Faults(drop=0.1, delay=Exponential(0.005)))
    if pick.random() < 0.5:
        late = reader("late", 100)
        lab.at(0.8, lambda: lab.deploy(late, on=log, group="slow", delivery_limit=2))
    if pick.random() < 0.3:
        lab.at(1.2, lambda: log.add_partitions(2))
    lab.at(1.7, lambda: log.seek("fast", to="earliest"))
    lab.at(2, lambda: log.seek("slow", offset=pick.choice([0, 5, 500])))
    lab.at(2.5, log.clean)
    return lab


def build_shares(lab: Lab, number: int) -> Lab:
    """A stream read record by record, under random faults; ready to run."""
    pick = random.Random(f"shares {number}")
    fenced = pick.random() < 0.6
    log = lab.stream(
        "log", share=["quick", "slow"], partitions=pick.choice([1, 3]), start=pick.choice(["earliest", "latest"]),
        lock_timeout=pick.choice([0.05, 0.5]) if fenced else None, claim_idle=pick.choice([None, 0.3]),
        delivery_limit=pick.choice([1, 3]) if fenced else pick.choice([None, 3]), window=pick.choice([None, 1, 5]),
        session_timeout=0.3, segment=3, retention=pick.choice([None, 0.3]), compact=pick.random() < 0.3, check=0.05,
    )  # fmt: skip
    for name, rate, count in (("quick", 200, 3), ("slow", 10, 2), ("plain", 100, 2)):
        lab.deploy(
            reader(name, rate), on=log, instances=count, prefetch=pick.choice([1, 4]), concurrency=pick.choice([1, 2]),
            on_error=pick.choice(["requeue", "reject"]), delivery_limit=None if name != "plain" else 2,
        )  # fmt: skip
    lab.workload(
        log, "stock.counted", every=Exponential(0.03), count=60,
        data=lambda n, rng: {"sku": n % 5, "left": n}, key="sku", source="shop",
    )  # fmt: skip
    lab.faults(Crash("slow.1", at=pick.random() * 2, restart_after=pick.choice([0.1, 1])))
    lab.faults(Crash("quick.2", at=pick.random() * 2))
    if pick.random() < 0.5:
        lab.faults(Faults(drop=0.1, duplicate=0.1, delay=Exponential(0.005)))
    if pick.random() < 0.3:
        lab.at(1.2, lambda: log.add_partitions(2))
    if pick.random() < 0.5:
        lab.at(1.5, lambda: log.seek("quick", to=pick.choice(["earliest", "latest", 0.5])))
    return lab
