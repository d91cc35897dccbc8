"""edakit beside SimPy: the kernel at the same job, and what is built on the kernel as a share of SimPy's bare timeouts."""

import random
from collections import deque
from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import Any

import simpy
from harness import Case, Side, timed

from edakit import Lab, Service
from edakit.sim.brokers import Broker
from edakit.sim.kernel import Kernel
from edakit.units import SECOND

TIES = [0.001 * (1 + n % 13) for n in range(1000)]  # many timers fall on one instant
DISTINCT = [random.Random(n).expovariate(10) for n in range(1000)]  # hardly any do


def timers(delays: list[float], tasks: int, each: int) -> int:
    kernel = Kernel()

    async def task(n: int) -> None:
        for m in range(each):
            await kernel.sleep(round(delays[(7 * n + m) % 1000] * SECOND))  # seconds, as SimPy is given

    for n in range(tasks):
        kernel.spawn("task", task, n)
    kernel.run()
    return tasks * each


def simpy_timers(delays: list[float], tasks: int, each: int) -> int:
    env = simpy.Environment()

    def task(n: int) -> Generator[Any, Any, None]:
        for m in range(each):
            yield env.timeout(delays[(7 * n + m) % 1000])

    for n in range(tasks):
        env.process(task(n))
    env.run()
    return tasks * each


def hand_offs(turns: int) -> int:
    """Two tasks wake each other in turn."""
    kernel = Kernel()
    waiting: list[tuple[Any, int] | None] = [None, None]

    async def player(me: int, other: int) -> None:
        for n in range(turns // 2):
            if there := waiting[other]:
                kernel.wake(*there, n)
            waiting[me] = kernel.current, kernel.ticket()
            await kernel.park("the ball")
        if there := waiting[other]:
            kernel.wake(*there)

    kernel.spawn("ping", player, 0, 1)
    kernel.spawn("pong", player, 1, 0)
    kernel.run()
    assert not kernel.stuck()
    return turns


def simpy_events(turns: int) -> int:
    env = simpy.Environment()
    waiting: list[Any] = [None, None]

    def player(me: int, other: int) -> Generator[Any, Any, None]:
        for n in range(turns // 2):
            if waiting[other]:
                waiting[other].succeed(n)
            waiting[me] = env.event()
            yield waiting[me]
        if not waiting[other].triggered:
            waiting[other].succeed()

    env.process(player(0, 1))
    env.process(player(1, 0))
    env.run()
    return turns


def stores(turns: int) -> int:
    """Two tasks send each other items through two unbounded stores."""
    kernel = Kernel()
    Store = tuple[deque[int], deque[tuple[Any, int]]]  # noqa: N806  (a type of this function alone)

    def put(store: Store, item: int) -> None:
        items, getters = store
        if not (getters and kernel.wake(*getters.popleft(), item)):
            items.append(item)

    async def get(store: Store) -> int:
        items, getters = store
        if items:
            return items.popleft()
        getters.append((kernel.current, kernel.ticket()))
        item: int = await kernel.park("an item")
        return item

    async def player(mine: Store, other: Store, serves: bool) -> None:
        for n in range(turns // 2):
            if serves:
                put(other, n)
                await get(mine)
            else:
                put(other, await get(mine))

    a: Store = deque(), deque()
    b: Store = deque(), deque()
    kernel.spawn("ping", player, a, b, True)
    kernel.spawn("pong", player, b, a, False)
    kernel.run()
    assert not kernel.stuck()
    return turns


def simpy_stores(turns: int) -> int:
    env = simpy.Environment()

    def player(mine: Any, other: Any, serves: bool) -> Generator[Any, Any, None]:
        for n in range(turns // 2):
            if serves:
                yield other.put(n)
                yield mine.get()
            else:
                yield other.put((yield mine.get()))

    a, b = simpy.Store(env), simpy.Store(env)
    env.process(player(a, b, True))
    env.process(player(b, a, False))
    env.run()
    return turns


def system(queues: int, instances: int) -> tuple[Lab, Broker]:
    """So many services, each with a queue and so many instances, do nothing with a message and ack it."""
    lab = Lab(seed=1)
    shop = lab.broker("shop")
    for n in range(queues):
        service = Service(f"service{n + 1}")

        @service.on("order.*")
        async def handle(order: Any, ctx: Any) -> None:
            pass

        lab.deploy(service, on=shop, instances=instances, prefetch=10)
    return lab, shop


def flow(count: int, queues: int, instances: int) -> Lab:
    """A client publishes so many messages by hand: pacing them, as lab.workload does, is another job, with timers of its own."""
    lab, shop = system(queues, instances)
    for n in range(count):
        shop.publish("order.placed", {"order": n}, key=str(n))
    return lab.run()


def messages(acked: int, queues: int, instances: int) -> tuple[int, float]:
    """Messages published, routed, delivered, handled, acked, and each of that traced: acks per second."""
    labs = []

    def work() -> int:
        labs.append(flow(acked // queues, queues, instances))
        return acked // queues * queues

    done, seconds = timed(work)
    assert len(labs[0].trace.where("ack")) == done
    return done, seconds


web, payment, inventory = Service("web"), Service("payment"), Service("inventory")


@web.on("order.requested")
async def place(order: Any, ctx: Any) -> None:
    await ctx.publish("order.placed", order.data)


@payment.on("order.placed")
async def charge(order: Any, ctx: Any) -> None:
    await ctx.sleep(0.2)
    await ctx.publish("payment.processed", order.data)


@inventory.on("payment.processed")
async def reserve(order: Any, ctx: Any) -> None:
    await ctx.publish("stock.reserved", order.data)


@web.on("stock.reserved")
async def confirm(order: Any, ctx: Any) -> None:
    await ctx.publish("order.confirmed", order.data)


def scenario(seed: int) -> Lab:
    """Order 42 through three services, five messages: built, run and closed."""
    lab = Lab(seed)
    shop = lab.broker("shop")
    for service in (web, payment, inventory):
        lab.deploy(service, on=shop)
    shop.publish("order.requested", {"order": 42}, key="42")
    lab.run()
    lab.close()
    return lab


def scenarios(count: int) -> int:
    for seed in range(count):
        scenario(seed)
    return count


def cases(shrink: int = 1) -> Iterator[Case]:
    """All of them; `shrink` divides their sizes, for a quick look."""

    def side(function: Callable[..., int], *arguments: Any) -> Side:
        return partial(timed, partial(function, *arguments))

    for tasks, each in (100, 100), (5000, 4):
        for kind, delays in ("many ties", TIES), ("distinct delays", DISTINCT):
            size = delays, max(2, tasks // shrink), each
            name = f"timers, {tasks} tasks x {each}, {kind}"
            yield Case(name, "timeouts/s", side(timers, *size), "SimPy", side(simpy_timers, *size), 1.2)
    turns = 10_000 // shrink
    yield Case("hand-offs", "hand-offs/s", side(hand_offs, turns), "SimPy, bare events", side(simpy_events, turns), 1.2)
    yield Case("hand-offs through stores", "hand-offs/s", side(stores, turns), "simpy.Store", side(simpy_stores, turns), 4)

    base = "SimPy timeouts/s", side(simpy_timers, DISTINCT, max(2, 100 // shrink), 100)
    for queues, instances in (1, 1), (1, 4), (3, 1), (3, 4):
        name = f"messages acked and traced, {queues} queue{'s' * (queues > 1)} x {instances} instance{'s' * (instances > 1)}"
        yield Case(name, "messages/s", partial(messages, 6000 // shrink, queues, instances), *base, 0.15)
    name = "scenarios of three services, built, run, closed"
    yield Case(name, "scenarios/s", side(scenarios, max(1, 500 // shrink)), *base, 0.015)
