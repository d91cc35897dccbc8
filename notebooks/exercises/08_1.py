"""08-1: one commit, or a gap."""

from edakit import Faults, Lab, Retry, Service
from edakit.learn import run_lab

TITLE = "Charge once"
TASK = """
Write the handler `charge(order, ctx)`: it adds `order.data["total"]` to the customer's debt with
`await ctx.db.add(order.data["customer"], total)`. Two instances of payment run it; they share `ctx.db`, and each has a memory
`ctx.state` of its own that a crash wipes.

Instances crash, acks are lost, and an order may be carried twice (same `order.id`). In the end each customer must owe exactly the sum
of the orders. Another service marks the orders that it has seen in the same database, as `seen/<id>`: its marks are not yours.
"""
ANSWER = "charge"
STUB = """
async def charge(order, ctx):
    ...
"""
SOLUTION = """
async def charge(order, ctx):
    async with ctx.db.transaction() as tx:
        if await tx.insert_once("charged", order.id):
            await tx.add(order.data["customer"], order.data["total"])
"""
SKELETON = """
async def charge(order, ctx):
    async with ____ as tx:
        if await tx.insert_once(____, ____):
            await tx.add(order.data["customer"], order.data["total"])
"""
WRONG = {
    "adds without memory": (
        "duplicate",
        """
async def charge(order, ctx):
    await ctx.db.add(order.data["customer"], order.data["total"])
""",
    ),
    "keeps the ids in its own memory": (
        "duplicate",
        """
async def charge(order, ctx):
    if order.id not in ctx.state:
        ctx.state[order.id] = True
        await ctx.db.add(order.data["customer"], order.data["total"])
""",
    ),
    "mark first, in a commit of its own": (
        "lost",
        """
async def charge(order, ctx):
    if await ctx.db.insert_once("charged", order.id):
        await ctx.db.add(order.data["customer"], order.data["total"])
""",
    ),
    "effect first, mark after": (
        "duplicate",
        """
async def charge(order, ctx):
    if not await ctx.db.get(f"charged/{order.id}"):
        await ctx.db.add(order.data["customer"], order.data["total"])
        await ctx.db.insert_once("charged", order.id)
""",
    ),
    "SELECT, then INSERT": (
        "duplicate",
        """
async def charge(order, ctx):
    async with ctx.db.transaction() as tx:
        if not await tx.get(f"charged/{order.id}"):
            await tx.put(f"charged/{order.id}", True)
            await tx.add(order.data["customer"], order.data["total"])
""",
    ),
    "the customer as id": ("lost", {"order.id": 'order.data["customer"]'}),
    "shares the marks of another consumer": ("lost", {'"charged"': '"seen"'}),
    "skips what is delivered again": (
        "duplicate",
        """
async def charge(order, ctx):
    if not ctx.delivery.redelivered:
        await ctx.db.add(order.data["customer"], order.data["total"])
""",
    ),
}
NUDGES = {
    "duplicate": "Draw a line where it dies, or where the other instance looks. What does the second delivery find?",
    "lost": "Which mark made your handler pass this order by, and was its effect committed with it?",
}
CONCEPT = (
    "The mark and the effect must be one commit; with two, a crash between them leaves one without the other. And what says that the "
    "mark is new must be a unique constraint: a look, followed by a write, lets two instances look before either writes. The mark "
    "belongs to this consumer and this event."
)
DISCUSSION = """
A crash before the commit undoes both, and the event comes again; a crash after it finds the mark. `insert_once` locks the row, so the
second instance waits for the first and then sees that it is too late. The name of the table is the consumer's: (consumer, event id).
"""
OTHERS = (
    'a conditional update as the mark: `if await tx.add(f"charged/{order.id}", 1, where=lambda n: n == 0)`, in the transaction',
    "lock a row of the order first (`tx.add(row, 0)`), then look and write: right, because nobody else gets past the lock",
)
PLANS = 300
AGAIN = Retry(5, backoff=0.5, factor=1)  # a handler that raises is tried at a human pace


def plan(random):
    events = [
        {"order": 42 + n, "customer": random.choice(("ada", "ada", "bob")), "total": random.choice((5, 10, 20))}
        for n in range(random.randint(1, 4))
    ]
    menu = [
        Faults(crash=0.25, where="payment", restart_after=0.1, times=random.randint(1, 2)),
        Faults(drop=0.7, leg="ack", where=("payment", "shop"), times=random.randint(1, 2)),
        Faults(duplicate=0.7, leg="publish", times=random.randint(1, 2)),
    ]
    return events, random.sample(menu, random.randint(1, 2))


def trial(answers, case):
    lab, (charge,), payment = Lab(case.seed), answers, Service("payment")
    books = lab.database("books", {f"seen/order-{order['order']}.placed.1": True for order in case.events[1:]})
    payment.on("order.placed")(charge)
    shop = lab.broker("shop", ack_timeout=1)
    lab.deploy(payment, on=shop, instances=2, db=books, prefetch=1, retry=AGAIN)
    for n, order in enumerate(case.events):
        lab.at(0.5 * n, place, shop, order)
    run_lab(lab, case, until=60)
    return judge(case, books.data), lab.trace


def place(shop, order):
    shop.publish("order.placed", order, key=order["order"], source="orders")


def judge(case, books):
    right = {}
    for order in case.events:
        right[order["customer"]] = right.get(order["customer"], 0) + order["total"]
    found = {name: number(books.get(name)) for name in right}
    more, less = (
        [f"{name} owes {found[name]:g}, not {right[name]:g}" for name in right if sign * (found[name] - right[name]) > 0]
        for sign in (1, -1)
    )
    yield "duplicate", more, "a customer owes more than the orders come to"
    yield "lost", less, "a customer owes less than the orders come to"


def number(value):
    """What stands in the database, if it is a number; else nothing."""
    return value if isinstance(value, (int, float)) else 0
