"""07-3: a lane for each key: what Kafka calls partitions, built from queues."""

from edakit import Lab
from edakit.chance import Random
from edakit.errors import ArgumentError
from edakit.learn import run_lab

TITLE = "Four workers, one order per key"
TASK = """
Write `build(lab, work)` on RabbitMQ. It makes queues and workers such that four changes are worked on at the same time, and the changes
of one order are finished in the order in which they came. `work` is the handler, the same for all; it takes up to 0.2 s.

Return a function `publish(change)`, which the check calls for every change, a dict with `order` and `change`. Any one instance may die for
good, so each queue has two to serve it. `lab.broker("shop", like="rabbitmq")`, `shop.queue(name, ...)` and `lab.deploy(...)` are all
you need, and `partition_for(key, n)`, which is Kafka's hash. The queue of a service has its name, and takes the event types it hears.
"""
ANSWER = "build"
STUB = """
from edakit import Service
from edakit.stream import partition_for

def build(lab, work):
    ...
"""
SOLUTION = """
from edakit import Service
from edakit.stream import partition_for

def build(lab, work):
    shop = lab.broker("shop", like="rabbitmq")
    for lane in range(4):
        worker = Service(f"lane-{lane}")
        worker.on(f"order.{lane}")(work)
        shop.queue(worker.name, single_active_consumer=True)
        lab.deploy(worker, on=shop, instances=2)

    def publish(change):
        lane = partition_for(str(change["order"]), 4)
        shop.publish(f"order.{lane}", change, key=change["order"])

    return publish
"""
SKELETON = """
def build(lab, work):
    shop = lab.broker("shop", like="rabbitmq")
    for lane in range(4):
        worker = Service(f"lane-{lane}")
        worker.on(f"order.{lane}")(work)
        shop.queue(worker.name, ____=True)                  # one of its two instances at a time
        lab.deploy(worker, on=shop, instances=2)

    def publish(change):
        lane = ____                                         # the same for every change of an order
        shop.publish(f"order.{lane}", change, key=change["order"])

    return publish
"""
ONE_QUEUE = {"range(4)": "range(1)", 'partition_for(str(change["order"]), 4)': "0"}
WRONG = {
    "one queue, four consumers": (
        "reordered",
        {**ONE_QUEUE, "single_active_consumer=True": "single_active_consumer=False", "instances=2": "instances=4, prefetch=1"},
    ),
    "four queues in turn": (
        "reordered",
        {'partition_for(str(change["order"]), 4)': 'change["change"] % 4'},
    ),
    "a lane has two workers at once": ("reordered", {"single_active_consumer=True": "single_active_consumer=False"}),
    "one queue, one active consumer": ("stuck", ONE_QUEUE),
    "nobody stands by": ("lost", {"instances=2": "instances=1"}),
    "a lane without a queue": ("lost", {"range(4)": "range(3)"}),
    "several at once in a worker": ("reordered", {"instances=2": "instances=2, concurrency=4"}),
    "uses a log": (
        "wrong value",
        """
from edakit import Service

def build(lab, work):
    log, worker = lab.stream("orders", partitions=4), Service("worker")
    worker.on("order.changed")(work)
    lab.deploy(worker, on=log, instances=4)
    return lambda change: log.publish("order.changed", change, key=change["order"])
""",
    ),
    "throws away what an instance held": ("lost", {"instances=2": 'instances=2, commit="before"'}),
}
NUDGES = {
    "reordered": "Two changes of one order were under way at the same time. Who had them, and why not the same one?",
    "stuck": "The changes wait for each other, though they are of different orders. How many lanes are open?",
    "wrong value": "What does a log give you here, and which of it can queues do?",
    "lost": "A change was never worked on. Which queue took it, and who was left to serve it?",
}
CONCEPT = (
    "Order needs one worker at a time; speed needs many. Both hold if the key decides which queue an event goes to, and each queue serves "
    "one consumer at a time, with another to take over."
)
DISCUSSION = """
This is a partitioned log in all but the log: a hash decides the lane, a lane has one active reader, a spare takes over. The price is also
Kafka's: one busy order cannot use more than its lane, and another number of lanes sends keys elsewhere.
"""
OTHERS = (
    "any hash that is the same in every process (not Python's own `hash` of text): `zlib.crc32`",
    "more lanes than workers, and one service on several of them: they can be spread anew later",
)
PLANS = 60


def plan(random):
    orders = random.sample(range(42, 42 + 12), 12)
    changes = [{"order": order, "change": n, "work": round(random.uniform(0.02, 0.2), 3)} for order in orders for n in (1, 2, 3)]
    return changes, []


def trial(answers, case):
    lab = Lab(case.seed)

    async def work(change, ctx):
        await ctx.sleep(change.data["work"])

    publish = answers[0](lab, work)
    if not callable(publish):
        raise ArgumentError(f"build returns {publish!r}: it must return the function publish(change)")
    victim = Random(f"07-3/{case.seed}")
    dies = case.seed % 2 and list(lab.instances)
    if dies:
        lab.crash(victim.choice(list(lab.instances)), at=0.1)
    for n, change in enumerate(case.events):
        lab.at(n * 0.001, publish, dict(change))
    run_lab(lab, case, until=60)
    other = [name for name, home in lab.homes.items() if not hasattr(home, "exchange")]
    return [*judge(case, lab.trace, dies), ("wrong value", other, "this is not RabbitMQ: build it from queues")], lab.trace


def judge(case, trace, dies):
    rows = [row for row in trace.where("handle") if row.event and isinstance(row.event.data, dict) and "change" in row.event.data]
    first = dict.fromkeys((row.event.data["order"], row.event.data["change"]) for row in rows)
    due = [(change["order"], change["change"]) for change in case.events]
    yield "lost", [str(order) for order, n in due if (order, n) not in first], "a change was never worked on"
    orders = dict.fromkeys(order for order, _ in due)
    came = {order: [n for each, n in due if each == order] for order in orders}
    ended = {order: [n for each, n in first if each == order] for order in orders}
    yield (
        "reordered",
        [str(o) for o in orders if [n for n in came[o] if n in ended[o]] != ended[o]],
        "two changes of one order, and the later one was finished first",
    )
    alone = sum(change["work"] for change in case.events)
    if not dies and rows and len(orders) > 1 and rows[-1].time > 0.02 + 0.8 * alone:
        yield "stuck", [str(rows[-1].event.key)], f"{rows[-1].time:.2f} s for work of {alone:.2f} s: they wait for each other"
