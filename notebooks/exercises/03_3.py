"""03-3: decide on what you have read, and say which version that was."""

from functools import partial

from edakit import Lab, Service
from edakit.learn import run_lab

TITLE = "Reserve under rivals"
TASK = """
Write the handler `reserve(order, ctx)` of `desk`. The stock of an item is the sum of "packets" in its stream of events in
`store = EventStore(ctx.db)`; the item is `order.data["item"]`. Append `{"packets": -n}`, n being `order.data["packets"]`, and return
"reserved"; or return "rejected" if there is too little. Never sell below zero, and turn nobody away while there is enough.

`await store.load(item)` gives `(events, version)`; `await store.append(item, [event], expected_version=version)` raises ConflictError if
somebody was faster. Up to five customers ask at once; five tries are enough for each.
"""
ANSWER = "reserve"
STUB = """
async def reserve(order, ctx):
    ...
"""
SOLUTION = """
from shop.event_store import ConflictError, EventStore

async def reserve(order, ctx):
    store, item, n = EventStore(ctx.db), order.data["item"], order.data["packets"]
    for _ in range(5):
        events, version = await store.load(item)
        if sum(event["packets"] for event in events) < n:
            return "rejected"
        try:
            await store.append(item, [{"packets": -n}], expected_version=version)
        except ConflictError:
            continue
        return "reserved"
"""
SKELETON = """
async def reserve(order, ctx):
    store, item, n = EventStore(ctx.db), order.data["item"], order.data["packets"]
    for _ in range(5):
        events, version = await store.load(item)
        if ____:
            return "rejected"
        try:
            await store.append(item, [{"packets": -n}], expected_version=____)
        except ConflictError:
            ____
        return "reserved"
"""
LOAD = "        events, version = await store.load(item)\n"
WRONG = {
    "expects no version": ("oversold", {"expected_version=version": "expected_version=None"}),
    "gives up at the first conflict": ("lost", {"            continue": '            return "rejected"'}),
    "keeps the old read": ("stuck", {f"    for _ in range(5):\n{LOAD}": f"{LOAD[4:]}    for _ in range(5):\n"}),
    "appends without deciding again": (
        "oversold",
        {"            continue": '            await store.append(item, [{"packets": -n}], expected_version=None)'},
    ),
    "takes a conflict for done": ("phantom", {"            continue": '            return "reserved"'}),
    "does not look": (
        "oversold",
        {'        if sum(event["packets"] for event in events) < n:\n            return "rejected"\n': ""},
    ),
    "never appends": (
        "phantom",
        {'await store.append(item, [{"packets": -n}], expected_version=version)': "await ctx.sleep(0.001)"},
    ),
    "lets the conflict out": (
        "stuck",
        """
from shop.event_store import EventStore

async def reserve(order, ctx):
    store, item, n = EventStore(ctx.db), order.data["item"], order.data["packets"]
    events, version = await store.load(item)
    if sum(event["packets"] for event in events) < n:
        return "rejected"
    await store.append(item, [{"packets": -n}], expected_version=version)
    return "reserved"
""",
    ),
    "leaves one for himself": ("lost", {"< n:": "<= n:"}),
}
NUDGES = {
    "oversold": "What did this customer's handler know about the stock, when did it learn that, and what was true when it appended?",
    "lost": "The customer went away, and there was enough. What does a conflict tell you, and what does it not?",
    "stuck": "The customer has no answer. What happened at the second try, and what did you know that was new?",
    "phantom": "The customer was told that it is reserved. Where in the stream is that event?",
}
CONCEPT = (
    "Optimistic concurrency: read, decide, and append only if the stream is still at the version you have read. A conflict means that "
    "your decision was made on an old state: read again, and decide again."
)
DISCUSSION = """
The version says: this decision was made knowing so many events. The store compares two numbers and never needs to know what a tea
is. After a conflict all three steps are done again: who only appends again has decided on a state that is gone.
"""
OTHERS = (
    "`while True`: each conflict means that somebody else got through, so it ends; a limit is kinder to the database",
    "wait a random moment before the next try: fewer conflicts where there are many rivals",
    "one writer for each item (notebook 05): no conflicts at all, and a queue in their place",
)
PLANS = 150


def plan(random):
    events = [
        {"order": 42 + n, "packets": random.choice([10, 40, 60, 80]), "at": round(random.random() * 0.01, 4)}
        for n in range(random.randint(1, 5))
    ]
    return events, []


STOCK, ITEM = 100, "tea-42"


def trial(answers, case):
    lab, (reserve,), desk = Lab(case.seed), answers, Service("desk")
    desk.on("sell")(reserve)
    db = lab.database("stock_db", {ITEM: 1, f"{ITEM}/1": {"packets": STOCK}})
    lab.deploy(desk, on=lab.server("web"), db=db)
    for order in case.events:
        data = {"item": ITEM, "packets": order["packets"]}
        lab.at(order["at"], partial(lab.call, "desk", data, key=order["order"], source="ada"))
    run_lab(lab, case, until=60)
    return judge(case, db.data, lab.trace), lab.trace


def judge(case, data, trace):
    wanted = {str(order["order"]): order["packets"] for order in case.events}
    replies = {row.event.key: row.event.data for row in trace.where("reply") if not row.note}
    reserved = sum(n for key, n in wanted.items() if replies.get(key) == "reserved")
    entries = [value for key, value in data.items() if key.startswith(f"{ITEM}/")]
    odd = [repr(entry) for entry in entries if not (isinstance(entry, dict) and isinstance(entry.get("packets"), int))]
    yield "wrong value", odd, 'an event without a number of "packets"'
    if odd:
        return
    left = sum(entry["packets"] for entry in entries)
    yield "oversold", [f"{left} left"] if left < 0 else [], "the stock is below zero"
    left_alone = [key for key in wanted if replies.get(key) not in ("reserved", "rejected")]
    yield "stuck", left_alone, "a customer has no answer, or one that is neither yes nor no"
    if STOCK - left != reserved and left >= 0:
        yield "phantom", [f"{reserved} reserved, {STOCK - left} in the stream"], "what was promised is not what is in the stream"
    away = [key for key, n in wanted.items() if replies.get(key) == "rejected" and left >= n]
    yield "lost", away, "a customer was turned away, and there is enough even now"
