"""05-1: states that come late and twice, and a reader that keeps one number for each order."""

from shop.turns import in_turn

from edakit import Faults, Lab, Service
from edakit.learn import run_lab

TITLE = "The last word counts"
TASK = """
Write the handler `apply(event, ctx)` of a screen that shows the state of each order. Show a state with
`await ctx.publish("state.shown", event.data)`; its data has `order`, `version` (1, 2, 3, ..., from the writer) and `clock`, the
time of the server that wrote it. `ctx.state` is a dict of your own, and it is enough to keep one number for each order in it.

Events come late, so that an older one follows a newer one, and some come twice. No order may ever go back to an older state, none
may be shown the same state twice, and the last word of each order must be shown. Versions that are missing need not be.
"""
ANSWER = "apply"
STUB = """
async def apply(event, ctx):
    ...
"""
SOLUTION = """
async def apply(event, ctx):
    if event.data["version"] > ctx.state.get(event.key, 0):
        ctx.state[event.key] = event.data["version"]
        await ctx.publish("state.shown", event.data)
"""
SKELETON = """
async def apply(event, ctx):
    if event.data["version"] > ctx.state.get(____, 0):      # the highest version so far, of this order
        ctx.state[____] = ____
        await ctx.publish("state.shown", event.data)
"""
WRONG = {
    "believes what comes": (
        "stale",
        """
async def apply(event, ctx):
    await ctx.publish("state.shown", event.data)
""",
    ),
    "drops ids it has seen": (
        "stale",
        """
async def apply(event, ctx):
    if event.id not in ctx.state:
        ctx.state[event.id] = True
        await ctx.publish("state.shown", event.data)
""",
    ),
    "keeps the newest time of the envelope": (
        "stale",
        """
async def apply(event, ctx):
    if event.time > ctx.state.get(event.key, -1):
        ctx.state[event.key] = event.time
        await ctx.publish("state.shown", event.data)
""",
    ),
    "keeps the highest clock": (
        "lost",
        """
async def apply(event, ctx):
    if event.data["clock"] > ctx.state.get(event.key, -9):
        ctx.state[event.key] = event.data["clock"]
        await ctx.publish("state.shown", event.data)
""",
    ),
    "shows an equal version again": ("duplicate", {" > ctx.state": " >= ctx.state"}),
    "one version for all orders": (
        "lost",
        {"ctx.state.get(event.key, 0)": 'ctx.state.get("highest", 0)', "ctx.state[event.key]": 'ctx.state["highest"]'},
    ),
    "only the version that follows": (
        "lost",
        {'event.data["version"] > ctx.state.get(event.key, 0)': 'event.data["version"] == ctx.state.get(event.key, 0) + 1'},
    ),
    "only the first state": ("lost", {'event.data["version"] > ctx.state.get(event.key, 0)': "event.key not in ctx.state"}),
}
NUDGES = {
    "stale": "Which of the two events is the older one, and by which of their numbers can you tell? An id, or an arrival, cannot.",
    "duplicate": "The same version came a second time. Is it higher than what you have, or only as high?",
    "lost": "This state was the last word of its order, and you dropped it. With which number did you compare it?",
}
CONCEPT = (
    "A high-water mark for each key: remember the highest version that you have applied, and apply only what is higher. It refuses "
    "late events and repeats alike, with one number in place of a set of ids."
)
DISCUSSION = """
One comparison, and both faults are gone: a late event is lower, a repeat is equal. The number comes from the writer, for each order;
clocks of several servers are no such number. And it fits only because each event carries the whole state: see 05-2 for steps.
"""
OTHERS = (
    "`VersionGate` of `edakit.ordering`, kept in `ctx.state`: the same rule with a name",
    "a database with `UPDATE ... WHERE version < ?`: the same rule where a crash does not forget it",
)
PLANS = 200
STATES = ("placed", "paid", "packed")


def plan(random):
    events, drift = [], [random.choice([-1.5, 0, 1.5]) for _ in range(2)]
    for order in range(42, 42 + random.randint(1, 3)):
        time = random.random()
        for version in range(1, random.randint(2, 4)):
            late = random.choice([0, 0, 0, 0.3, 1.5])
            clock = round(time + random.choice(drift), 3)
            events.append({"order": order, "version": version, "clock": clock, "at": round(time + late, 3)})
            time += 0.2 + random.random()
    return events, [Faults(drop=0.3, leg="ack", type="order.*", times=2)] if random.random() < 0.5 else []


def trial(answers, case):
    lab, screen, (apply,) = Lab(case.seed), Service("screen"), answers
    shop = lab.broker("shop", ack_timeout=1)
    screen.on("order.*")(apply)
    lab.deploy(screen, on=shop, prefetch=100, delivery_limit=10)
    for event in case.events:
        lab.at(event["at"], place, shop, {name: value for name, value in event.items() if name != "at"})
    run_lab(lab, case, until=60)
    return judge(case, lab.trace), lab.trace


def place(shop, data):
    shop.publish(f"order.{STATES[data['version'] - 1]}", data, key=data["order"], source="orders")


def judge(case, trace):
    told = {}
    for event in case.events:
        told.setdefault(str(event["order"]), []).append(event["version"])
    shown = {key: [] for key in told}
    for row in trace.where("publish", type="state.shown"):
        data = row.event.data if hasattr(row.event.data, "get") else {}
        version = data.get("version")
        shown.setdefault(str(data.get("order", row.event.key)), []).append(version if isinstance(version, int) else 0)
    back = [key for key, each in shown.items() if not in_turn(each)]
    yield "stale", back, "an order went back to an older state"
    twice = [key for key, each in shown.items() if len(set(each)) < len(each) and key not in back]
    yield "duplicate", twice, "the same state of an order was shown twice"
    yield "lost", [key for key, each in told.items() if max(each) not in shown[key]], "the last word of an order was never shown"
    made_up = [key for key, each in shown.items() if not set(each) <= set(told.get(key, []))]
    yield "phantom", made_up, "a state was shown that nobody told"
