"""03-1: an order and the news of it, both or neither."""

from edakit import Faults, Lab, Service
from edakit.learn import run_lab

TITLE = "Save and say"
TASK = """
Write the handler `place(order, ctx)` of `orders`, which customers ask over HTTP: it saves `order.data` in `ctx.db` under the key
`orders/<order.key>` and publishes `order.placed` with the same data. Every order that is saved must be published, nothing may be
published that is not saved, and whoever has an answer must find their order saved. Duplicates are allowed here.

The process dies at any await, messages to the broker and its confirms get lost, and nobody asks a second time.
"""
ANSWER = "place"
STUB = """
async def place(order, ctx):
    ...
"""
SOLUTION = """
async def place(order, ctx):
    async with ctx.db.transaction() as tx:
        await tx.put(f"orders/{order.key}", order.data)
        tx.publish("order.placed", order.data)
"""
SKELETON = """
async def place(order, ctx):
    async with ctx.db.transaction() as tx:
        await tx.put(f"orders/{order.key}", ____)
        tx.____("order.placed", order.data)
"""
PUBLISH = 'tx.publish("order.placed", order.data)'
WRONG = {
    "saves, then publishes": ("lost", {f"        {PUBLISH}": '    await ctx.publish("order.placed", order.data)'}),
    "publishes, then saves": (
        "phantom",
        """
async def place(order, ctx):
    await ctx.publish("order.placed", order.data)
    await ctx.db.put(f"orders/{order.key}", order.data)
""",
    ),
    "publishes inside the block, past the transaction": ("phantom", {PUBLISH: 'await ctx.publish("order.placed", order.data)'}),
    "tries the publish again": (
        "lost",
        """
from edakit import CallTimeout

async def place(order, ctx):
    await ctx.db.put(f"orders/{order.key}", order.data)
    for _ in range(3):
        try:
            await ctx.publish("order.placed", order.data)
            return
        except CallTimeout:
            pass
""",
    ),
    "removes the order if the publish fails": (
        "lost",
        """
async def place(order, ctx):
    await ctx.db.put(f"orders/{order.key}", order.data)
    try:
        await ctx.publish("order.placed", order.data)
    except Exception:
        await ctx.db.delete(f"orders/{order.key}")
""",
    ),
    "two transactions": (
        "lost",
        """
async def place(order, ctx):
    await ctx.db.put(f"orders/{order.key}", order.data)
    async with ctx.db.transaction() as tx:
        tx.publish("order.placed", order.data)
""",
    ),
    "only publishes": ("phantom", {'        await tx.put(f"orders/{order.key}", order.data)\n': ""}),
    "publishes the number alone": ("wrong value", {PUBLISH: 'tx.publish("order.placed", {"order": order.data["order"]})'}),
}
NUDGES = {
    "lost": "The order is in the database. Which line was to tell the others, and what had to stay alive until then?",
    "phantom": "The event is out. Which of your lines does a rollback or a crash undo, and which does it not?",
    "wrong value": "Compare the data of the event with the data of the order: is it the same?",
}
CONCEPT = (
    "An outbox: the event is a row of the same database, in the same transaction as the order. A relay brings it out later, crash or no "
    "crash. Nothing else makes two writes one."
)
DISCUSSION = """
The event is a row. Either both rows are committed, or neither is; that the relay sends a row twice after a crash is the price, and
consumers pay it. No retry and no clean-up in the handler can do the same: the process that would have to run it is the one that died.
"""
OTHERS = (
    "publish a command to a queue first, and let its consumer do both, acked at the end: then the queue is the first write",
    "change data capture: write the order only, and let a connector turn the database's log into events",
)
PLANS = 200


def plan(random):
    events = [{"order": 42 + n, "tea": random.randint(1, 5)} for n in range(random.randint(1, 6))]
    menu = [
        Faults(crash=0.15, where="orders", restart_after=0.1, times=2),
        Faults(drop=0.5, leg="publish", times=2),
        Faults(drop=0.5, leg="confirm", times=2),
    ]
    return events, [fault for fault in menu if random.random() < 0.5]


def trial(answers, case):
    lab, (place,), orders = Lab(case.seed), answers, Service("orders")
    orders.on("place")(place)
    db = lab.database("orders_db")
    lab.deploy(orders, on=lab.server("web"), publishes=lab.broker("shop"), db=db)
    for n, order in enumerate(case.events):
        lab.at(n * 0.5, ask, lab, order)
    run_lab(lab, case, until=60)
    return judge(case, db.data, lab.trace), lab.trace


def ask(lab, order):
    lab.call("orders/place", order, key=order["order"], source="web")


def judge(case, data, trace):
    orders = {str(order["order"]): order for order in case.events}
    saved = [key for key in orders if data.get(f"orders/{key}") == orders[key]]
    told = trace.keys("order.placed")
    answered = [row.event.key for row in trace.where("reply") if not row.note]
    yield "lost", [key for key in saved if key not in told], "an order is saved, and nobody will ever hear of it"
    yield (
        "phantom",
        [key for key in told if key not in saved],
        "an order was published, and it is not saved under its key with its data",
    )
    yield "lost", [key for key in answered if key not in saved], "a customer has an answer, and the order is not saved"
    yield "lost", [key for key in orders if key not in answered and not case.faults], "nothing went wrong, and there is no answer"
    odd = [event.key for event in trace.events("order.placed") if event.data != orders.get(event.key)]
    yield "wrong value", odd, "an event has other data than the order"
