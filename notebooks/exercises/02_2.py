"""02-2: conflation for what may be forgotten, a queue for what may not."""

from itertools import pairwise

from edakit import Lab, Service
from edakit.learn import run_lab

TITLE = "Only the latest, but not of everything"
TASK = """
The product page draws five times a second, and far more comes in. Write the buffer between: `put(buffer, event)` is called for each
event that arrives, `take(buffer)` before each drawing; it takes one event out of the buffer and returns it, or None if there is
nothing to draw. `buffer` is a dict, empty at first, in which you may keep what you like.

Of each item (`event.data["item"]`) the page needs only the newest `stock.level`. But every `order.confirmed` is drawn, each once, in
the order in which they came, and before any level.
"""
ANSWER = "put, take"
STUB = """
def put(buffer, event):
    ...

def take(buffer):
    ...
"""
SOLUTION = """
def put(buffer, event):
    if event.type == "stock.level":
        buffer.setdefault("levels", {})[event.data["item"]] = event
    else:
        buffer.setdefault("orders", []).append(event)

def take(buffer):
    if buffer.get("orders"):
        return buffer["orders"].pop(0)
    levels = buffer.get("levels", {})
    return levels.pop(next(iter(levels))) if levels else None
"""
SKELETON = """
def put(buffer, event):
    if event.type == "stock.level":
        buffer.setdefault("levels", {})[____] = event          # one for each what?
    else:
        buffer.setdefault("orders", []).____(event)

def take(buffer):
    if buffer.get("orders"):
        return buffer["orders"].____
    levels = buffer.get("levels", {})
    return levels.pop(next(iter(levels))) if levels else None
"""
WRONG = {
    "the newest of everything": (
        "lost",
        """
def put(buffer, event):
    buffer[event.type] = event

def take(buffer):
    return buffer.pop(min(buffer)) if buffer else None
""",
    ),
    "all in one queue": (
        "stale",
        """
def put(buffer, event):
    buffer.setdefault("all", []).append(event)

def take(buffer):
    return buffer["all"].pop(0) if buffer.get("all") else None
""",
    ),
    "keeps the first level of an item": (
        "stale",
        {'("levels", {})[event.data["item"]] = event': '("levels", {}).setdefault(event.data["item"], event)'},
    ),
    "one level, whatever the item": ("lost", {'[event.data["item"]] = event': "[event.type] = event"}),
    "the newest order first": ("reordered", {'["orders"].pop(0)': '["orders"].pop()'}),
    "looks and does not take": ("duplicate", {'return buffer["orders"].pop(0)': 'return buffer["orders"][0]'}),
    "levels first": (
        "reordered",
        """
def put(buffer, event):
    if event.type == "stock.level":
        buffer.setdefault("levels", {})[event.data["item"]] = event
    else:
        buffer.setdefault("orders", []).append(event)

def take(buffer):
    levels = buffer.get("levels", {})
    if levels:
        return levels.pop(next(iter(levels)))
    return buffer["orders"].pop(0) if buffer.get("orders") else None
""",
    ),
    "drops levels while orders wait": (
        "lost",
        {
            'if event.type == "stock.level":': 'if event.type == "stock.level" and buffer.get("orders"):\n'
            '        return\n    if event.type == "stock.level":'
        },
    ),
}
NUDGES = {
    "lost": "Something that should be on the page never was. Which event overwrote it, or why was it not kept?",
    "stale": "A level was drawn when a newer one of the same item was there already. What do you keep for each item?",
    "reordered": "Look at the order in which things were drawn. Which of them should have gone first?",
    "duplicate": "One event was drawn twice. Did take take it out?",
    "wrong value": "What did take return there? An event that was put in, or None if there is none.",
}
CONCEPT = (
    "Which events may be forgotten? A level says how things are: a newer one of the same item makes it worthless. An order says what "
    "happened: nothing makes that worthless. So two containers: one place for each key, and a queue."
)
DISCUSSION = """
That is conflation by key, and the key matters: one place for all levels would lose the other items. A compacted topic does the same
with the key of the record, and a last-value cache with the symbol. Whoever conflates must know that the event carries a state and no
change: of "minus 3" the newest is not enough.
"""
OTHERS = (
    "a `deque` for the orders: popleft() is quick however long it gets",
    "`list(levels)[0]`, or the item that has waited longest, if the page should be fair",
)
PLANS = 200


def plan(random):
    events = []
    for n in range(random.randint(2, 30)):
        type = random.choice(["stock.level", "stock.level", "order.confirmed"])
        what = {"item": random.choice(["tea", "cup"])} if type == "stock.level" else {"order": 42 + n}
        events.append({"type": type, "at": round(random.uniform(0, 2), 3), **what})
    return sorted(events, key=lambda event: event["at"]), []


def trial(answers, case):
    lab, (put, take) = Lab(case.seed), answers
    page, shop, buffer = Service("page"), lab.broker("shop"), {}
    came, taken = {}, []  # by id: when it was put, and what; when something was taken, and what

    @page.on("#")
    async def arrived(event, ctx):
        came[event.id] = (ctx.now, event)
        put(buffer, event)

    def draw():
        event = take(buffer)
        if event is not None:
            taken.append((lab.now, event))
            drawn = came.get(getattr(event, "id", None), (0, None))[1]
            lab.trace.add(lab.kernel.ns, "log", "", "page", drawn, note=f"draws {getattr(event, 'id', event)!s}")

    lab.deploy(page, on=shop, on_error="reject")
    for n, event in enumerate(case.events):
        lab.at(event["at"], publish, shop, event, n)
    for n in range(45):
        lab.at(0.2 * n + 0.1003, draw)
    run_lab(lab, case, until=30)
    return judge(lab.trace, came, taken), lab.trace


def publish(shop, event, n):
    data = {name: value for name, value in event.items() if name not in ("type", "at")}
    shop.publish(event["type"], {**data, "n": n}, key=data.get("item", data.get("order")), source="web")


def judge(trace, put, drawn):
    odd = [str(event)[:40] for _, event in drawn if getattr(event, "id", None) not in put]
    yield "wrong value", odd, "what was taken is no event that was put in"
    if odd:
        return
    ids = [event.id for _, event in drawn]
    orders = [id for id, (_, event) in put.items() if event.type == "order.confirmed"]
    last = {event.data["item"]: id for id, (_, event) in put.items() if event.type == "stock.level"}
    yield "lost", [row.event.id for row in trace.where("fail")], "put raised, and the event was gone"
    yield "duplicate", sorted({id for id in ids if ids.count(id) > 1}), "an event was drawn twice"
    stale = [event.id for now, event in drawn if event.type == "stock.level" and newer(put, event, now)]
    yield "stale", stale, "a level was drawn, and a newer one of that item was there"
    seen = [id for id in ids if id in orders]
    turned = [later for earlier, later in pairwise(seen) if orders.index(later) < orders.index(earlier)]
    yield "reordered", turned, "orders were drawn in another order than they came"
    waited = [event.id for now, event in drawn if event.type == "stock.level" and waits(put, orders, drawn, now)]
    yield "reordered", waited, "a level was drawn while an order waited"
    yield "lost", [id for id in orders if id not in ids], "an order was never drawn"
    yield "lost", [id for id in last.values() if id not in ids], "the last level of an item was never drawn"


def newer(put, event, now):
    levels = [
        (time, each) for time, each in put.values() if each.type == "stock.level" and each.data["item"] == event.data["item"]
    ]
    return any(time < now and each.data["n"] > event.data["n"] for time, each in levels)


def waits(put, orders, drawn, now):
    gone = {event.id for time, event in drawn if time < now}
    return any(put[id][0] < now and id not in gone for id in orders)
