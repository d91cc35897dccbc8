"""Orders that are placed, paid and confirmed, and `analytics`, which writes down what it hears: is each order told in turn?

Each event carries a version, 1 to 3, that the shop gives it. An order is *out of turn* if a lower version is heard after a higher one.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from edakit import Faults, Lab, Service
from edakit.errors import ArgumentError, known
from edakit.event import Event
from edakit.ordering import Lanes
from edakit.service import Context, Handler
from edakit.sim.brokers import Broker
from edakit.sim.streams import Stream
from edakit.stream import Producer

STEPS = ("order.placed", "payment.processed", "order.confirmed")
WORK = 0.05  # seconds that analytics works on an event, on average
LATER = 5  # seconds that a retry topic keeps an event

Tell = Callable[..., Any]  # publish(type, data, key, source=...)


def customers(lab: Lab, tell: Tell, count: int, gap: float = 0.2, every: float = 0.3) -> None:
    """So many orders, one `every` so many seconds; each is told in three events, `gap` seconds apart (both are means)."""
    random, placed = lab.random("customers"), 0.0
    for order in range(1, count + 1):
        placed += random.expovariate(1 / every)
        time = placed
        for version, step in enumerate(STEPS, 1):
            lab.at(time, tell, step, {"order": order, "version": version}, order)
            time += random.expovariate(1 / gap)


async def note_down(event: Event, ctx: Context) -> None:
    """Work on an event, then write down which version of which order this was."""
    await ctx.sleep(ctx.random.expovariate(1 / WORK))
    ctx.log(f"order {event.data['order']} version {event.data['version']}")


def heard(lab: Lab, who: str = "analytics") -> dict[int, list[int]]:
    """The versions of each order, as they were written down: {order: [1, 3, 2], ...}."""
    found: dict[int, list[int]] = {}
    for row in lab.trace.where("log", who=who):
        words = row.note.split()
        found.setdefault(int(words[1]), []).append(int(words[3]))
    return found


def out_of_turn(lab: Lab) -> list[int]:
    """The orders of which analytics heard a lower version after a higher one."""
    return [order for order, versions in heard(lab).items() if not in_turn(versions)]


def in_turn(versions: Sequence[int]) -> bool:
    """Whether no version is lower than the one before it; the same one twice is no matter of order."""
    return all(one <= other for one, other in pairwise(versions))


def share(lab: Lab) -> dict[str, float]:
    """Of all orders the share that was told out of turn, in per cent."""
    return {"% out of turn": 100 * len(out_of_turn(lab)) / len(heard(lab))}


def three_steps(lab: Lab, instances: int = 4) -> None:
    """Order 42 alone, 20 ms between its three events; copies of analytics share one queue."""
    shop, analytics = lab.broker("shop", like="rabbitmq"), Service("analytics")
    analytics.on("#")(note_down)
    lab.deploy(analytics, on=shop, instances=instances, prefetch=1)
    for version, step in enumerate(STEPS, 1):
        lab.at(0.02 * version, publish, shop, step, {"order": 42, "version": version}, 42)


def publish(place: Broker | Stream, type: str, data: Mapping[str, int], key: int | None) -> None:
    """Tell of a step, from the web shop."""
    place.publish(type, data, key, source="web")


class Path(NamedTuple):
    """A way from the web shop to analytics: what is open on it, and what would shut it."""

    says: str
    lock: str
    queue: bool = False  # a queue in place of a keyed topic
    keyed: bool = True
    instances: int = 4
    concurrency: int = 1


SWITCHES = {
    "all-shut": Path("a key, four readers, idempotence; 1 % of batches sent again", ""),
    "producer-retry": Path("the same without idempotence", "an idempotent producer"),
    "two-regions": Path("half is written overseas, and mirrored 0.1 s later", "a home region for each key"),
    "no-key": Path("each event to the next partition", "a key", keyed=False),
    "new-partition": Path("a fifth opens while readers are 2 s behind", "drain first", instances=5),
    "competing-consumers": Path("four share a queue", "a single active consumer", queue=True),
    "thread-pool": Path("one reader, four threads after the poll", "threads by key", instances=1, concurrency=4),
    "redelivery": Path("one reader of a queue; 1 % fail, come back", "one at a time, or versions", queue=True, instances=1),
    "retry-topic": Path("1 % fail and are tried 5 s later", "park the whole key, or versions"),
}


def pipeline(lab: Lab, switch: str = "all-shut", locked: bool = False, count: int = 100, gap: float = 0.2) -> None:
    """The same orders on one of nine paths; on each of the last eight one door is open, or has its lock on."""
    if switch not in SWITCHES:
        raise ArgumentError(known("switch", switch, list(SWITCHES)))
    path, analytics = SWITCHES[switch], Service("analytics")
    place = lab.broker("shop", like="rabbitmq") if path.queue else lab.stream("orders", partitions=4)
    retry = lab.stream("retry") if switch == "retry-topic" else None
    analytics.on("#")(_reader(lab, switch, locked))
    one = switch == "competing-consumers" or locked  # of a queue, at a time
    prefetch = None if not path.queue else 1 if one else 10
    if isinstance(place, Broker):
        place.queue("analytics", single_active_consumer=locked)
    lab.deploy(analytics, on=place, instances=path.instances, concurrency=path.concurrency, prefetch=prefetch, publishes=retry)
    writers = Writers(place, path.keyed or locked)
    if isinstance(place, Stream):
        if switch in ("all-shut", "producer-retry"):
            place.producer("web", Producer(batch=1, linger=0, timeout=0.5, idempotence=locked or switch == "all-shut"))
            lab.faults(Faults(drop=0.01, leg="publish", where="orders"))
        if retry is not None:
            _again_later(lab, retry, place)
        if switch == "new-partition":
            middle = count * 0.15
            lab.hold("orders", "analytics", at=middle)
            lab.at(middle + 2, drain_and_grow if locked else grow, lab, place, writers)
            lab.release("orders", "analytics", at=middle + 2)
    tell = _across_the_sea(lab, writers, locked) if switch == "two-regions" else writers.tell
    customers(lab, tell, count, gap)


def _reader(lab: Lab, switch: str, locked: bool) -> Handler:
    """What analytics does with an event."""
    fails, parked = lab.random("failures"), Counter[str | None]()

    async def or_comes_back(event: Event, ctx: Context) -> None:
        if not ctx.delivery.redelivered and fails.random() < 0.01:
            raise RuntimeError("the database is busy")
        await note_down(event, ctx)

    async def or_later(event: Event, ctx: Context) -> None:
        again = event.source == "later"
        if not again and (fails.random() < 0.01 or (locked and parked[event.key])):
            parked[event.key] += 1
            await ctx.publish("order.retry", event.data)
            return
        await note_down(event, ctx)
        parked[event.key] -= again

    if switch == "thread-pool" and locked:
        return by_key(Lanes(4))
    return {"redelivery": or_comes_back, "retry-topic": or_later}.get(switch, note_down)


def by_key(lanes: Lanes) -> Handler:
    """Put an event behind the others of its key; who finds the lane free works until it is empty."""

    async def work(event: Event, ctx: Context) -> None:
        lane = lanes.put(event.key or "", event)
        while (item := lanes.take(lane)) is not None:
            await note_down(item, ctx)
            lanes.done(lane)

    return work


class Writers:
    """The web shop's door to a topic or a queue: while it is paused, what should be told waits here, in its order."""

    def __init__(self, place: Broker | Stream, keyed: bool = True) -> None:
        self.place, self.keyed, self.paused, self.kept = place, keyed, False, list[tuple[Any, ...]]()

    def tell(self, type: str, data: Mapping[str, Any], key: int) -> None:
        """Publish an event, or keep it for later."""
        if self.paused:
            self.kept.append((type, data, key))
        else:
            publish(self.place, type, data, key if self.keyed else None)

    def pause(self) -> None:
        """Keep what comes from now on."""
        self.paused = True

    def resume(self) -> None:
        """Publish what was kept, and go on."""
        self.paused = False
        while self.kept:
            self.tell(*self.kept.pop(0))


def grow(lab: Lab, orders: Stream, writers: Writers) -> None:
    """Open one partition more, whatever lies in the others."""
    orders.add_partitions(1)


def drain_and_grow(lab: Lab, orders: Stream, writers: Writers) -> None:
    """Stop the writers, look ten times a second whether all is read, and only then open it and go on."""
    writers.pause()
    if orders.lag("analytics"):
        lab.at(lab.now + 0.1, drain_and_grow, lab, orders, writers)
    else:
        orders.add_partitions(1)
        writers.resume()


def _again_later(lab: Lab, retry: Stream, orders: Stream) -> None:
    """What comes to the retry topic goes back to the orders after a while."""
    later = Service("later")

    @later.on("order.retry")
    async def wait(event: Event, ctx: Context) -> None:
        await ctx.sleep(LATER)
        await ctx.publish(STEPS[event.data["version"] - 1], event.data)

    lab.deploy(later, on=retry, publishes=orders, concurrency=100)


def _across_the_sea(lab: Lab, here: Writers, locked: bool) -> Tell:
    """Half of the events are written to the other region, which mirrors them in their order. locked: half of the orders, by key."""
    overseas, mirror, coin = lab.stream("overseas"), Service("mirror"), lab.random("regions")

    @mirror.on("#")
    async def copy(event: Event, ctx: Context) -> None:
        await ctx.sleep(0.1)
        await ctx.publish(event.type, event.data)

    there = Writers(overseas)
    assert isinstance(here.place, Stream)
    lab.deploy(mirror, on=overseas, publishes=here.place, concurrency=100)

    def tell(type: str, data: Mapping[str, Any], key: int) -> None:
        region = (here, there)[key % 2] if locked else coin.choice((here, there))
        region.tell(type, data, key)

    return tell


MODES = ("serial", "pool", "by-key")


def after_poll(lab: Lab, mode: str = "serial", count: int = 100) -> None:
    """One partition full of orders, one reader: "serial", with a "pool" of four threads, or four threads "by-key"."""
    if mode not in MODES:
        raise ArgumentError(known("mode", mode, MODES))
    orders, analytics = lab.stream("orders"), Service("analytics")
    analytics.on("#")(by_key(Lanes(4)) if mode == "by-key" else note_down)
    lab.deploy(analytics, on=orders, concurrency=1 if mode == "serial" else 4, prefetch=3 * count)
    customers(lab, lambda *event: publish(orders, *event), count, gap=0.02, every=0.003)


def speed(lab: Lab) -> dict[str, float]:
    """Seconds until the last event is done, and the orders told out of turn, in per cent."""
    return {"s": round(lab.trace.where("log")[-1].time, 3), **share(lab)}
