"""09-2: look and act in one statement, and remember the order in the same breath."""

from collections import Counter

from edakit import Faults, Lab, Service
from edakit.learn import run_lab

TITLE = "The last tea"
TASK = """
Write the handler `reserve(order, ctx)` of `inventory`: it takes one from "tea-42" in `ctx.db` and publishes `stock.reserved`, or,
if none is left, `stock.rejected`, both with the data of the order. Each order gets exactly one of them, and one tea at most.

Two instances of `inventory` work at once. They crash between statements, and an order can arrive twice (its `id` is the same).
"""
ANSWER = "reserve"
STUB = """
async def reserve(order, ctx):
    ...
"""
SOLUTION = """
async def reserve(order, ctx):
    async with ctx.db.transaction() as tx:
        if await tx.insert_once("seen", order.id):
            found = await tx.add("tea-42", -1, where=lambda left: left > 0)
            tx.publish("stock.reserved" if found else "stock.rejected", order.data)
"""
SKELETON = """
async def reserve(order, ctx):
    async with ctx.db.transaction() as tx:
        if await tx.insert_once("seen", ____):
            found = await tx.add("tea-42", -1, where=lambda left: ____)
            tx.publish("stock.reserved" if found else "stock.rejected", order.data)
"""
WRONG = {
    "reads, then writes": (
        "oversold",
        {
            'found = await tx.add("tea-42", -1, where=lambda left: left > 0)': (
                'found = await tx.get("tea-42") > 0\n            if found:\n                await tx.add("tea-42", -1)'
            )
        },
    ),
    "takes one without looking": ("oversold", {", where=lambda left: left > 0": ""}),
    "does not remember the order": ("duplicate", {'if await tx.insert_once("seen", order.id)': "if True"}),
    "remembers it in a transaction of its own": (
        "lost",
        {
            '    async with ctx.db.transaction() as tx:\n        if await tx.insert_once("seen", order.id):': (
                '    if await ctx.db.insert_once("seen", order.id):\n        async with ctx.db.transaction() as tx:'
            )
        },
    ),
    "publishes after the transaction": (
        "lost",
        """
async def reserve(order, ctx):
    async with ctx.db.transaction() as tx:
        if not await tx.insert_once("seen", order.id):
            return
        found = await tx.add("tea-42", -1, where=lambda left: left > 0)
    await ctx.publish("stock.reserved" if found else "stock.rejected", order.data)
""",
    ),
    "gives up when another order is at it": (
        "lost",
        """
async def reserve(order, ctx):
    try:
        async with ctx.timeout(0.0035), ctx.db.transaction() as tx:
            if await tx.insert_once("seen", order.id):
                found = await tx.add("tea-42", -1, where=lambda left: left > 0)
                tx.publish("stock.reserved" if found else "stock.rejected", order.data)
    except TimeoutError:
        async with ctx.db.transaction() as tx:
            if await tx.insert_once("seen", order.id):
                tx.publish("stock.rejected", order.data)
""",
    ),
}
NUDGES = {
    "oversold": "When did each of the two instances look, and when did each of them act?",
    "duplicate": "The same order came twice. What tells the second run that there was a first, and does a crash forget it?",
    "lost": "Which statements had happened before things went wrong, and which had not? Which of them must never be alone?",
}
CONCEPT = (
    "Test and set in one statement: between a look and an act others come in. And what must happen together (the mark, the tea, the news) "
    "goes into one transaction, or a crash parts it."
)
DISCUSSION = """
Three things in one transaction: the id of the order (so that a second delivery does nothing), the conditional decrement (so that
nobody comes between look and act), the event in the outbox (so that the news leaves if and only if the tea has). Take one out and
one anomaly comes back.
"""
OTHERS = (
    'lock first: `await tx.add("tea-42", 0)` holds the key, and then a look is safe; every order now waits in line',
    "let one instance own each item, by key: then nobody else can come between (notebook 05)",
)
PLANS = 200


def plan(random):
    events = [{"order": 42 + n, "at": round(random.random() * 0.02, 3)} for n in range(random.randint(2, 6))]
    menu = [
        Faults(duplicate=0.5, type="order.placed", leg="publish"),
        Faults(crash=0.1, where="inventory", restart_after=0.1, times=2),
        Faults(drop=0.3, leg="ack", type="order.placed", times=2),
    ]
    return events, [fault for fault in menu if random.random() < 0.4]


def trial(answers, case):
    lab, (reserve,), orders = Lab(case.seed), answers, len(case.events)
    stock = (1, max(1, orders // 2), orders)[case.seed % 3]
    shop, teas, inventory = lab.broker("shop", ack_timeout=1), lab.database("stock", {"tea-42": stock}), Service("inventory")
    inventory.on("order.placed")(reserve)
    lab.deploy(inventory, on=shop, instances=2, prefetch=1, db=teas, delivery_limit=20)
    for order in case.events:
        lab.at(order["at"], place, shop, order["order"])
    run_lab(lab, case, until=60)
    return judge(case, stock, teas.data.get("tea-42"), lab.trace), lab.trace


def place(shop, order):
    shop.publish("order.placed", {"order": order}, key=order, source="orders")


def judge(case, stock, left, trace):
    orders = [str(order["order"]) for order in case.events]
    reserved, rejected = (Counter(event.key for event in trace.events(type)) for type in ("stock.reserved", "stock.rejected"))
    taken = stock - left if isinstance(left, (int, float)) else None
    if taken is None:
        yield "wrong value", [repr(left)], 'ctx.db holds no number under "tea-42" any more'
        return
    sold = [order for order in orders if reserved[order]]
    yield "oversold", sold[stock:], f"stock.reserved for more orders than the {stock} teas there were"
    yield "oversold", [f"{left} left"] if left < 0 else [], "the stock is below zero"
    twice = [order for order in orders if reserved[order] + rejected[order] > 1]
    yield "duplicate", twice, "an order has more than one answer"
    yield (
        "duplicate",
        [f"{taken} teas for {len(sold)} orders"] if taken > len(sold) and set(orders) <= {*reserved, *rejected} else [],
        ("more teas are gone than orders have one"),
    )
    yield "lost", [order for order in orders if not reserved[order] + rejected[order]], "an order was never answered"
    yield "lost", [order for order in orders if rejected[order] and left > 0], "an order was turned away, and there is tea left"
    strange = [order for order in reserved | rejected if order not in orders]
    yield "phantom", strange, "an answer for an order that nobody placed"
