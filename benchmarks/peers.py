"""edakit beside what else moves messages inside one process: publish to a topic, route, queue, deliver to a handler, acknowledge.

One client publishes an order as a dict; each of `subscribers` services gets every message, and its handler notes it. Set-up is not
timed. A peer that has no acknowledgement, or no queue, is spared that work; only edakit writes a trace.
"""

import asyncio
import importlib.util
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from typing import Any

from harness import Case

from edakit import Lab, Service

ORDER = {"order": 42, "sku": "A-1", "quantity": 2, "price": 9.5}
BATCH = 100  # messages that are published before the subscribers get their turn
NUMBERS = count()

Run = tuple[int, float]  # deliveries, and the seconds they took


def ours(messages: int, subscribers: int) -> Run:
    seen: list[Any] = []
    lab = Lab(seed=1)
    shop = lab.broker("shop")
    for n in range(subscribers):
        service = Service(f"service{n + 1}")

        @service.on("order.*")
        async def handle(order: Any, ctx: Any) -> None:
            seen.append(order)

        lab.deploy(service, on=shop, prefetch=10)
    start = time.process_time()
    lab.workload(shop, "order.placed", every=0.001, count=messages, data=ORDER, key="order")
    lab.run()
    return checked(seen, messages * subscribers, start)


def checked(seen: list[Any], deliveries: int, start: float) -> Run:
    """Stop the clock; a peer that lost messages has not done the job."""
    seconds = time.process_time() - start
    assert len(seen) == deliveries, f"{len(seen)} of {deliveries} deliveries"
    return deliveries, seconds


def asyncio_queues(messages: int, subscribers: int) -> Run:
    """The least one would write by hand: a queue a subscriber, `task_done` as the ack."""

    async def main() -> Run:
        seen: list[Any] = []
        queues: dict[str, list[asyncio.Queue[Any]]] = {"order.placed": [asyncio.Queue() for _ in range(subscribers)]}

        async def handle(order: Any) -> None:
            seen.append(order)

        async def work(queue: asyncio.Queue[Any]) -> None:
            while True:
                order = await queue.get()
                await handle(order)
                queue.task_done()

        workers = [asyncio.create_task(work(queue)) for queue in queues["order.placed"]]
        start = time.process_time()
        for n in range(messages):
            for queue in queues["order.placed"]:
                queue.put_nowait(ORDER)
            if n % BATCH == BATCH - 1:
                await asyncio.sleep(0)
        for queue in queues["order.placed"]:
            await queue.join()
        run = checked(seen, messages * subscribers, start)
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        return run

    return asyncio.run(main())


def kombu_memory(messages: int, subscribers: int) -> Run:
    from kombu import Connection, Consumer, Exchange, Producer, Queue

    seen: list[Any] = []
    name = f"shop{next(NUMBERS)}"  # the transport keeps its queues for the whole process

    def handle(order: Any, message: Any) -> None:
        seen.append(order)
        message.ack()

    with Connection("memory://") as connection:
        channel = connection.channel()
        exchange = Exchange(name, type="topic")
        queues = [Queue(f"{name}.{n}", exchange, routing_key="order.*") for n in range(subscribers)]
        consumers = [Consumer(channel, [queue], callbacks=[handle], prefetch_count=BATCH) for queue in queues]
        for consumer in consumers:
            consumer.consume()
        producer = Producer(channel, exchange)
        start = time.process_time()
        for begun in range(0, messages, BATCH):
            size = min(BATCH, messages - begun)
            for _ in range(size):
                producer.publish(ORDER, routing_key="order.placed")
            for _ in range(size * subscribers):
                connection.drain_events(timeout=1)
        return checked(seen, messages * subscribers, start)


def faststream_rabbit(messages: int, subscribers: int) -> Run:
    from faststream.rabbit import ExchangeType, RabbitBroker, RabbitExchange, RabbitQueue, TestRabbitBroker

    exchange = RabbitExchange("shop", type=ExchangeType.TOPIC)
    broker = RabbitBroker(logger=None)
    places = [(RabbitQueue(f"service{n + 1}", routing_key="order.*"), exchange) for n in range(subscribers)]
    return faststream(broker, TestRabbitBroker, places, {"routing_key": "order.placed", "exchange": exchange}, messages)


def faststream_nats(messages: int, subscribers: int) -> Run:
    from faststream.nats import NatsBroker, TestNatsBroker

    broker = NatsBroker(logger=None)
    return faststream(broker, TestNatsBroker, [("order.*",)] * subscribers, {"subject": "order.placed"}, messages)


def faststream(broker: Any, twin: Any, places: list[Any], target: dict[str, Any], messages: int) -> Run:
    """Publish to a FastStream broker whose in-memory twin stands in for the server."""

    async def main() -> Run:
        seen: list[Any] = []

        async def handle(order: dict[str, Any]) -> None:
            seen.append(order)

        for place in places:
            broker.subscriber(*place)(handle)
        async with twin(broker) as publisher:
            start = time.process_time()
            for _ in range(messages):
                await publisher.publish(ORDER, **target)
            return checked(seen, messages * len(places), start)

    return asyncio.run(main())


def bubus_bus(messages: int, subscribers: int) -> Run:
    import bubus

    class OrderPlaced(bubus.BaseEvent[None]):
        order: int
        sku: str
        quantity: int
        price: float

    async def main() -> Run:
        seen: list[Any] = []
        bus = bubus.EventBus(f"shop{next(NUMBERS)}")

        def handler(n: int) -> Callable[[Any], Any]:
            async def handle(order: Any) -> None:
                seen.append(order)

            handle.__name__ = handle.__qualname__ = f"service{n + 1}"  # the bus tells handlers apart by name
            return handle

        for n in range(subscribers):
            bus.on(OrderPlaced, handler(n))
        start = time.process_time()
        for _ in range(messages):
            await bus.dispatch(OrderPlaced(**ORDER))  # its queue holds 100 events; awaiting each is its documented use
        run = checked(seen, messages * subscribers, start)
        await bus.stop(clear=True)
        return run

    return asyncio.run(main())


def aiopubsub_hub(messages: int, subscribers: int) -> Run:
    import aiopubsub

    async def main() -> Run:
        seen: list[Any] = []
        hub = aiopubsub.Hub()
        publisher = aiopubsub.Publisher(hub, prefix=aiopubsub.Key("shop"))

        async def handle(key: Any, order: Any) -> None:
            seen.append(order)

        listening = [aiopubsub.Subscriber(hub, f"service{n + 1}") for n in range(subscribers)]
        for each in listening:
            each.add_async_listener(aiopubsub.Key("shop", "order", "*"), handle)
        key = aiopubsub.Key("order", "placed")
        start = time.process_time()
        for n in range(messages):
            publisher.publish(key, ORDER)
            while n % BATCH == BATCH - 1 and len(seen) < (n + 1) * subscribers:
                await asyncio.sleep(0)
        while len(seen) < messages * subscribers:
            await asyncio.sleep(0)
        run = checked(seen, messages * subscribers, start)
        for each in listening:
            await each.remove_all_listeners()
        return run

    return asyncio.run(main())


PEERS: dict[str, tuple[str, Callable[[int, int], Run], int]] = {
    # name: the modules it needs, the job, messages in a round
    "asyncio.Queue per subscriber": ("asyncio", asyncio_queues, 20_000),
    "kombu memory transport": ("kombu", kombu_memory, 1000),
    "aiopubsub": ("aiopubsub", aiopubsub_hub, 2000),
    "FastStream TestNatsBroker": ("faststream nats", faststream_nats, 200),
    "FastStream TestRabbitBroker": ("faststream aio_pika", faststream_rabbit, 50),
    "bubus": ("bubus", bubus_bus, 50),
}


def cases(shrink: int = 1) -> Iterator[Case]:
    """The peers that are installed, with one subscriber and with three; a line for each that is not."""
    for name, (modules, job, messages) in PEERS.items():
        missing = [module for module in modules.split() if importlib.util.find_spec(module) is None]
        if missing:
            print(f"skipped: {name} ({', '.join(missing)} is not installed)")
            continue
        for subscribers in 1, 3:
            what = f"deliveries in memory, {subscribers} subscriber{'s' * (subscribers > 1)}"
            mine, theirs = (max(2, size // shrink) for size in (3000, messages))
            yield Case(what, "deliveries/s", partial(ours, mine, subscribers), name, partial(job, theirs, subscribers))
