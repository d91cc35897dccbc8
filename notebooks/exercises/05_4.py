"""05-4: a fourth partition, while the shop is open."""

from collections import Counter

from shop.turns import Writers, in_turn

from edakit import Lab, Service
from edakit.learn import run_lab
from edakit.stream import partition_for

TITLE = "Open a partition safely"
TASK = """
Write `widen(lab, orders, writers)`. It is called once, while the shop is open, and takes the stream `orders` from 3 to 4 partitions:
`orders.add_partitions(1)`. At that moment readers have some seconds of backlog. No order may be heard out of turn, nothing may be
lost, and the writers may be paused for ten seconds at most.

`writers.pause()` keeps what the web shop wants to tell, `writers.resume()` tells it and goes on. `orders.lag("analytics")` is the number of
events that are not read yet. `lab.at(lab.now + 0.1, function, ...)` calls a function a little later; `widen` itself takes no time.
"""
ANSWER = "widen"
STUB = """
def widen(lab, orders, writers):
    ...
"""
SOLUTION = """
def widen(lab, orders, writers):
    writers.pause()
    lab.at(lab.now + 0.1, open_it, lab, orders, writers)

def open_it(lab, orders, writers):
    if orders.lag("analytics") > 0:
        lab.at(lab.now + 0.1, open_it, lab, orders, writers)
    else:
        orders.add_partitions(1)
        writers.resume()
"""
SKELETON = """
def widen(lab, orders, writers):
    writers.____()
    lab.at(lab.now + 0.1, open_it, lab, orders, writers)

def open_it(lab, orders, writers):
    if ____ > 0:                                            # something is still unread
        lab.at(lab.now + 0.1, open_it, lab, orders, writers)
    else:
        orders.add_partitions(1)
        writers.____()
"""
WRONG = {
    "adds at once": (
        "reordered",
        """
def widen(lab, orders, writers):
    orders.add_partitions(1)
""",
    ),
    "pauses, and does not drain": (
        "reordered",
        """
def widen(lab, orders, writers):
    writers.pause()
    orders.add_partitions(1)
    writers.resume()
""",
    ),
    "pauses for a second": (
        "reordered",
        """
def widen(lab, orders, writers):
    writers.pause()
    lab.at(lab.now + 1, open_it, orders, writers)

def open_it(orders, writers):
    orders.add_partitions(1)
    writers.resume()
""",
    ),
    "pauses for five seconds": (
        "reordered",
        """
def widen(lab, orders, writers):
    writers.pause()
    lab.at(lab.now + 5, open_it, orders, writers)

def open_it(orders, writers):
    orders.add_partitions(1)
    writers.resume()
""",
    ),
    "stops the readers too": ("stuck", {"    writers.pause()\n": '    writers.pause()\n    lab.crash("analytics")\n'}),
    "drops the backlog": (
        "lost",
        """
def widen(lab, orders, writers):
    orders.seek("analytics", to="latest")
    orders.add_partitions(1)
""",
    ),
    "never goes on": ("stuck", {"\n        writers.resume()": ""}),
    "leaves it at three": ("wrong value", {"        orders.add_partitions(1)\n": ""}),
    "waits a minute": ("stuck", {"lab.now + 0.1, open_it": "lab.now + 60, open_it"}),
}
NUDGES = {
    "reordered": "Where did the earlier event of this order lie when the later one was written? Which partition has the key now?",
    "stuck": "What are the writers waiting for? Who could bring it about, and is that one still running?",
    "lost": "Nobody has read these events. Who told the readers to leave them out?",
    "wrong value": "How many partitions are there now?",
}
CONCEPT = (
    "Drain before you cut over: what is written with the old map must be read before anything is written with the new one. A pause of "
    "the writers makes sure that the reading comes to an end."
)
DISCUSSION = """
Pause, drain, add, resume. The pause is the price, and it is as long as the backlog takes. To pay less, copy into a new topic with more
partitions while the old one is still written, and cut over when the copy has caught up: the same drain, without the shop waiting.
"""
OTHERS = (
    "without a pause: add at a moment when the lag is zero by itself; on a busy day you wait long for that",
    "resume first and add in the same instant: what was kept is still on its way, and meets the new map",
)
PLANS = 100
OPENS = 4.0


def plan(random):
    events = []
    for _ in range(random.randint(2, 5)):
        at = round(OPENS - 3.5 * random.random(), 3)
        gaps = [round(0.2 + 2 * random.random(), 3) for _ in range(2)]
        work = [round(0.1 + 0.7 * random.random(), 3) for _ in range(3)]
        events.append({"order": random.randint(1, 999), "at": at, "gaps": gaps, "work": work})
    return (busy(events) if random.random() < 0.5 else events), []


def busy(events):
    """The same with more work for each event: what waits in the fullest partition takes up to nine seconds."""
    waits = Counter()
    for event in events:
        times = [event["at"], event["at"] + event["gaps"][0], event["at"] + sum(event["gaps"])]
        waits[partition_for(str(event["order"]), 3)] += sum(
            work for time, work in zip(times, event["work"], strict=True) if time < OPENS
        )
    factor = min(9 / max(waits.values()), 6 / max(max(event["work"]) for event in events))
    return [{**event, "work": [round(factor * work, 3) for work in event["work"]]} for event in events]


def trial(answers, case):
    lab, analytics, (widen,) = Lab(case.seed), Service("analytics"), answers
    orders = lab.stream("orders", partitions=3)
    writers = Timed(lab, orders)

    @analytics.on("#")
    async def note(event, ctx):
        await ctx.sleep(event.data["work"])
        ctx.log(f"{event.key} {event.data['version']}")

    lab.deploy(analytics, on=orders, instances=4)
    lab.hold("orders", "analytics", at=0.1)
    lab.release("orders", "analytics", at=OPENS)
    told = {}
    for event in {each["order"]: each for each in case.events}.values():
        time = event["at"]
        for version, (gap, work) in enumerate(zip([*event["gaps"], 0], event["work"], strict=True), 1):
            data = {"order": event["order"], "version": version, "work": work}
            lab.at(time, writers.tell, "order.changed", data, event["order"])
            told[event["order"]] = version
            time += gap
    lab.at(OPENS, widen, lab, orders, writers)
    run_lab(lab, case, until=120)
    return judge(told, orders, writers, lab.trace), lab.trace


class Timed(Writers):
    """Writers that know how long they were paused."""

    def __init__(self, lab, topic):
        super().__init__(topic)
        self.lab, self.since, self.longest = lab, None, 0.0

    def pause(self):
        super().pause()
        if self.since is None:
            self.since = self.lab.now

    def resume(self):
        super().resume()
        if self.since is not None:
            self.longest, self.since = max(self.longest, self.lab.now - self.since), None


def judge(told, orders, writers, trace):
    heard = {str(order): [] for order in told}
    for row in trace.where("log", who="analytics"):
        key, version = row.note.split()
        heard[key].append(int(version))
    yield "reordered", [key for key, each in heard.items() if not in_turn(each)], "an order was heard out of turn"
    if writers.since is not None:
        yield "stuck", ["the web shop"], "the writers are still paused"
        return
    yield "stuck", ["the web shop"] if writers.longest > 10 else [], f"the writers were paused for {writers.longest:.0f} s"
    missing = [str(order) for order, versions in told.items() if len(set(heard[str(order)])) < versions]
    yield "lost", missing, "events of an order were never heard"
    yield "wrong value", [f"{len(orders.logs)} partitions"] if len(orders.logs) != 4 else [], "there are not four partitions"
