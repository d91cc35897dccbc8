"""05-3: four workers behind one reader, and the events of an order one after another."""

import builtins
from contextlib import contextmanager

from edakit import Lab, Service
from edakit.errors import WiringError
from edakit.learn import run_lab
from edakit.ordering import Lanes

TITLE = "Fast, but in turn"
TASK = """
One partition, one reader, and `workers` threads behind it. Write `pick(event, workers)`: it returns the number of the worker, from 0
to `workers - 1`, that gets the event. Each worker does its own events one after another.

The events of an order (`event.key`, a string) must be finished in turn, a rush must be over in well under the time that one worker
would need, and after a restart of the process the same order must still go to the same worker.
"""
ANSWER = "pick"
STUB = """
def pick(event, workers):
    ...
"""
SOLUTION = """
from edakit.stream import partition_for

def pick(event, workers):
    return partition_for(event.key, workers)
"""
SKELETON = """
def pick(event, workers):
    return ____(event.key) % workers        # a hash that is the same tomorrow, and in every process
"""
WRONG = {
    "round robin": (
        "reordered",
        """
turn = []

def pick(event, workers):
    turn.append(event)
    return len(turn) % workers
""",
    ),
    "any worker": (
        "reordered",
        """
import random

def pick(event, workers):
    return random.Random(event.id).randrange(workers)
""",
    ),
    "by kind of event": ("reordered", {"event.key": "event.type"}),
    "by version": ("reordered", {"partition_for(event.key, workers)": 'event.data["version"] % workers'}),
    "always the first": ("wrong value", {"partition_for(event.key, workers)": "0"}),
    "two of them": ("wrong value", {"event.key, workers": "event.key, 1"}),
    "Python's hash": ("stale", {"partition_for(event.key, workers)": "hash(event.key) % workers"}),
}
NUDGES = {
    "reordered": "Two events of one order were with two workers. What must be equal for both, so that they share one?",
    "wrong value": "How many of the workers have anything to do?",
    "stale": "Start Python twice and print hash('42'). Which worker has this order after a restart, and what lies with the old one?",
}
CONCEPT = (
    "Key affinity: what must stay in turn shares a worker, and all else is spread. A hash of the key does both, if it is stable."
)
DISCUSSION = """
It is the rule of the partitions once more, inside one process: the same key, the same lane. Python's own hash of a string changes
from process to process (PYTHONHASHSEED), as Java's identity hash does: fine for a dict, wrong for anything that outlives the process.
"""
OTHERS = (
    "`int(event.key) % workers`, since these keys are numbers",
    "`zlib.crc32(event.key.encode()) % workers`",
)
PLANS = 60
STEPS = ("order.placed", "payment.processed", "order.confirmed")


def plan(random):
    rushes = [{"at": 5.0 * n, "first": 1000 * n + random.randint(1, 500), "orders": 14} for n in range(random.randint(1, 2))]
    return rushes, []


def trial(answers, case):
    lab, reader, (pick,) = Lab(case.seed), Service("reader"), answers
    orders, workers = lab.stream("orders"), 3 + case.seed % 3
    lanes, picked, problems = Lanes(workers), {}, []

    def chosen(event):
        lane = pick(event, workers)
        if not isinstance(lane, int) or isinstance(lane, bool) or not 0 <= lane < workers:
            raise WiringError(f"pick returned {lane!r}: the number of a worker, from 0 to {workers - 1}")
        return lane

    @reader.on("#")
    async def handle(event, ctx):
        try:
            lane = chosen(event)
        except Exception as error:  # noqa: BLE001  told after the run, in place of a thousand tries
            problems.append(error)
            return
        picked.setdefault(event.key, (event, lane))
        lanes.waiting[lane].append(event)
        while (item := lanes.take(lane)) is not None:
            await ctx.sleep(item.data["work"])
            ctx.log(f"{item.key} {item.data['version']}")
            lanes.done(lane)

    lab.deploy(reader, on=orders, concurrency=workers, prefetch=1000)
    random, total = lab.random("rush"), 0.0
    for rush in case.events:
        for version, type in enumerate(STEPS, 1):
            for order in range(rush["first"], rush["first"] + rush["orders"]):
                work = round(random.expovariate(20), 4)
                total += work
                lab.at(rush["at"], place, orders, type, {"order": order, "version": version, "work": work})
    run_lab(lab, case, until=600)
    if problems:
        raise problems[0]
    with restarted(case.seed + 1):
        moved = [key for key, (event, lane) in picked.items() if stateless(pick, event, workers) != lane]
    return judge(case, lab.trace, total, moved), lab.trace


def place(orders, type, data):
    orders.publish(type, data, key=data["order"], source="web")


def stateless(pick, event, workers):
    """What another process would pick; a counter in between is no matter of the hash."""
    first, second = pick(event, workers), pick(event, workers)
    return first if first == second else None


@contextmanager
def restarted(salt):
    """Inside, strings have other hashes, as in another process with another PYTHONHASHSEED."""
    real = builtins.hash
    builtins.hash = lambda value: real((salt, value)) if isinstance(value, (str, bytes)) else real(value)
    try:
        yield
    finally:
        builtins.hash = real


def judge(case, trace, total, moved):
    told = {}
    for row in trace.where("log", who="reader"):
        key, version = row.note.split()
        told.setdefault(key, []).append(int(version))
    back = [key for key, each in told.items() if each != sorted(each)]
    turns = ", ".join(map(str, told[back[0]])) if back else ""
    yield "reordered", back, f"the events of an order were finished out of turn: {turns}"
    busy = trace[-1].time - case.events[-1]["at"]
    last = total / len(case.events)
    slow = [f"{busy:.1f} s for a rush of {last:.1f} s of work"] if busy > 0.8 * last else []
    yield "wrong value", slow, "one worker alone would be hardly slower"
    yield "stale", [] if back else moved, "after a restart the order goes to another worker, and the old one still has its events"
