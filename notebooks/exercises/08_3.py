"""08-3: a set cannot count twice."""

from edakit import Faults, Lab, Retry, Service
from edakit.learn import run_lab

TITLE = "Count the orders of the day"
TASK = """
Write the handler `count(order, ctx)`. When all is over, the check reads `ctx.db.get(f"count/{day}")` for each `day` of the data: the number
of orders of that day, no matter how often each of them came. `order.key` is the number of the order.

Two instances count in one database. A handler may take its time, crash at any `await`, and an order may be published twice, as two events
with the same number.
"""
ANSWER = "count"
STUB = """
async def count(order, ctx):
    ...
"""
SOLUTION = """
async def count(order, ctx):
    async with ctx.db.transaction() as tx:
        if await tx.insert_once("counted", order.key):
            await tx.add(f"count/{order.data['day']}", 1)
"""
SKELETON = """
async def count(order, ctx):
    async with ctx.db.transaction() as tx:
        if ____:
            await tx.add(____, 1)
"""
DAY = "f\"count/{order.data['day']}\""
WRONG = {
    "read, add, write": (
        "duplicate",
        f"""
async def count(order, ctx):
    day = {DAY}
    n = await ctx.db.get(day, 0)
    await ctx.db.put(day, n + 1)
""",
    ),
    "check, read, add, write": (
        "wrong value",
        f"""
async def count(order, ctx):
    day = {DAY}
    if not await ctx.db.get(f"counted/{{order.key}}"):
        n = await ctx.db.get(day, 0)
        await ctx.db.put(day, n + 1)
        await ctx.db.put(f"counted/{{order.key}}", True)
""",
    ),
    "a transaction around read, add, write": (
        "wrong value",
        f"""
async def count(order, ctx):
    day = {DAY}
    async with ctx.db.transaction() as tx:
        if await tx.insert_once("counted", order.key):
            n = await tx.get(day, 0)
            await tx.put(day, n + 1)
""",
    ),
    "adds without memory": (
        "duplicate",
        f"""
async def count(order, ctx):
    await ctx.db.add({DAY}, 1)
""",
    ),
    "the event as id": ("duplicate", {"order.key": "order.id"}),
    "add first, remember after": (
        "duplicate",
        f"""
async def count(order, ctx):
    if not await ctx.db.get(f"counted/{{order.key}}"):
        await ctx.db.add({DAY}, 1)
        await ctx.db.insert_once("counted", order.key)
""",
    ),
    "remember first, add after": (
        "lost",
        f"""
async def count(order, ctx):
    if await ctx.db.insert_once("counted", order.key):
        await ctx.db.add({DAY}, 1)
""",
    ),
    "once a day": ("lost", {"order.key": 'order.data["day"]'}),
}
NUDGES = {
    "wrong value": "Two instances held the same old number. Which of them wrote last, and what did it not know of?",
    "duplicate": "What is the same in both events of this order, and when was that written down?",
    "lost": "This order is remembered. Was it added, in the same commit?",
}
CONCEPT = (
    "A number that is read, changed in your hands and written back forgets whoever came between. Let the database add, in one "
    "statement; and let a set of ids, in the same transaction, decide whether there is anything to add: a set cannot count twice."
)
DISCUSSION = """
`add` is one statement, so nobody comes between reading and writing; the unique id decides whether it runs; the transaction makes the
two one. A counter that is only the size of the set is simpler still, and slower to read.
"""
OTHERS = (
    'a conditional update as the mark: `if await tx.add(f"counted/{order.key}", 1, where=lambda n: n == 0)`, in the transaction',
    "take the row of the day first (`tx.add(day, 0)` locks it), then read and write: right, and nobody counts beside you",
)
PLANS = 300
AGAIN = Retry(5, backoff=0.5, factor=1)  # a handler that raises is tried at a human pace


def plan(random):
    events = [
        {
            "order": 42 + n,
            "day": random.choice(("mon", "mon", "tue")),
            "at": random.choice((0, 0, 0, 1, 2)),
            "again": random.random() < 0.3,
        }
        for n in range(random.randint(1, 4))
    ]
    menu = [
        Faults(crash=0.25, where="counter", restart_after=0.1, times=1),
        Faults(drop=0.7, leg="ack", where=("counter", "shop"), times=1),
    ]
    return events, random.sample(menu, random.randint(0, 1))


def trial(answers, case):
    lab, (count,), counter = Lab(case.seed), answers, Service("counter")
    books = lab.database("books")
    counter.on("order.placed")(count)
    shop = lab.broker("shop", ack_timeout=1)
    lab.deploy(counter, on=shop, instances=2, db=books, prefetch=1, retry=AGAIN)
    for order in case.events:
        for time in (order["at"], order["at"] + 5)[: 1 + order["again"]]:
            lab.at(time, place, shop, order)
    run_lab(lab, case, until=60)
    return judge(case, books.data, lab.trace), lab.trace


def place(shop, order):
    shop.publish("order.placed", {"day": order["day"]}, key=order["order"], source="orders")


def judge(case, books, trace):
    right, found = {}, {}
    for order in case.events:
        right[order["day"]] = right.get(order["day"], 0) + 1
    for day in right:
        found[day] = number(books.get(f"count/{day}"))
    off = {day: f"{day}: {found[day]}, expected {number}" for day, number in right.items() if found[day] != number}
    raced = overwritten(trace)
    yield (
        "wrong value",
        [words for day, words in off.items() if day in raced],
        "an instance has overwritten what the other had counted",
    )
    more, less = (
        [words for day, words in off.items() if day not in raced and sign * (found[day] - right[day]) > 0] for sign in (1, -1)
    )
    yield "duplicate", more, "an order was counted more than once"
    yield "lost", less, "an order was not counted"


def overwritten(trace):
    """Days of which two orders wrote the same number."""
    seen, days = set(), set()
    for row in trace.where("write", place="books"):
        for day in ("mon", "tue"):
            if row.event and f'"count/{day}"' in row.note:
                number = row.note.partition(f'"count/{day}": ')[2].rstrip("}").partition(",")[0]
                if (day, number) in seen:
                    days.add(day)
                seen.add((day, number))
    return days


def number(value):
    """What stands in the database, if it is a number; else nothing."""
    return value if isinstance(value, (int, float)) else 0
