"""11-3: a choreography has no clock; one more service can be it, if its memory survives and it speaks once."""

from shop.steps import DANCE, DONE, give_back_money, noted, open_shop, put_back_tea, tells

from edakit import Faults, Lab, Service
from edakit.learn import run_lab

TITLE = "A clock for the dance"
TASK = """
The choreography of scene 2: payment sometimes does its work and never says so. Write the handler `watcher(event, ctx)` of one more service.
It hears `order.placed`, `order.confirmed` and `order.rejected`. An order that has not ended 5 s after it was placed gets exactly one
`order.expired`, with the data of the order and within 20 s; the other services then take back what they did. Orders that end in time get
none: the slowest good payment takes 4 s.

`ctx.db` is the watcher's own database. It crashes now and then, and an event can come twice; what is not handled to the end comes again.
"""
ANSWER = "watcher"
STUB = """
async def watcher(event, ctx):
    ...
"""
SOLUTION = """
async def watcher(event, ctx):
    if event.type != "order.placed":
        await ctx.db.insert_once("ended", event.key)
        return
    await ctx.sleep(5)
    async with ctx.db.transaction() as tx:
        if await tx.insert_once("ended", event.key):
            tx.publish("order.expired", event.data)
"""
SKELETON = """
async def watcher(event, ctx):
    if event.type != "order.placed":
        await ctx.db.insert_once("ended", ____)
        return
    await ctx.sleep(____)
    async with ctx.db.transaction() as tx:
        if await tx.insert_once("ended", ____):
            tx.publish("order.expired", event.data)
"""
WRONG = {
    "remembers in memory": (
        "phantom",
        """
async def watcher(event, ctx):
    if event.type != "order.placed":
        ctx.state[event.key] = "ended"
        return
    await ctx.sleep(5)
    if event.key not in ctx.state:
        ctx.state[event.key] = "expired"
        await ctx.publish("order.expired", event.data)
""",
    ),
    "rings after half a second": ("phantom", {"ctx.sleep(5)": "ctx.sleep(0.5)"}),
    "does not look whether it has ended": (
        "phantom",
        """
async def watcher(event, ctx):
    if event.type == "order.placed":
        await ctx.sleep(5)
        async with ctx.db.transaction() as tx:
            if await tx.insert_once("expired", event.key):
                tx.publish("order.expired", event.data)
""",
    ),
    "rings every time it hears of the order": (
        "duplicate",
        """
async def watcher(event, ctx):
    if event.type != "order.placed":
        await ctx.db.insert_once("ended", event.key)
        return
    await ctx.sleep(5)
    if not await ctx.db.get(f"ended/{event.key}"):
        await ctx.publish("order.expired", event.data)
""",
    ),
    "marks, then publishes": (
        "stuck",
        {
            "async with ctx.db.transaction() as tx:\n        if await tx.insert_once": "if True:\n        if await ctx.db.insert_once",
            "tx.publish": "await ctx.publish",
        },
    ),
    "one mark for all orders": ("stuck", {'insert_once("ended", event.key)': 'insert_once("ended", "order")'}),
    "writes it into a log": ("stuck", {'tx.publish("order.expired", event.data)': 'ctx.log("expired")'}),
    "waits for a minute": ("stuck", {"ctx.sleep(5)": "ctx.sleep(60)"}),
}
NUDGES = {
    "phantom": "This order had ended, or would have in a moment. What did the watcher know of that, and where did it know it from?",
    "duplicate": "The order was heard of twice, or the watcher crashed after it had rung. What tells the second run about the first?",
    "stuck": "Nobody rang for this order. Which of your lines had happened when things went wrong, and what did it stop from happening?",
}
CONCEPT = (
    "A clock is a state and a timer. The state must survive a crash, the timer begins anew because its event comes again, and the ring "
    "leaves in the same transaction as the note that it has rung: a process manager."
)
DISCUSSION = """
One table for both ends: an order is over when somebody said so or when its time was up, and the first to write that wins. The event leaves
through the outbox of the same transaction. You have not touched the four services, apart from their way back; and you have written half a
leader.
"""
OTHERS = (
    "two tables, `ended` and `expired`, if both are read in the transaction that writes the second",
    "a service that asks its table for overdue orders every second, if it marks each as it rings",
)
PLANS = 120

BACK = {
    "inventory": tells(put_back_tea, "stock.released"),
    "payment": tells(give_back_money, "payment.refunded"),
    "orders": tells(noted, "order.rejected"),
}
HEARS = ("order.placed", "order.confirmed", "order.rejected")


def plan(random):
    orders = [
        {
            "order": 42 + n,
            "card": "good" if random.random() < 0.8 else "declined",
            "bank": round(random.choice((0.2, 0.2, 4)) * random.uniform(0.5, 1), 3),
            "shelf": 0.1,
            "mute": random.random() < 0.4,
            "at": round(random.random(), 3),
        }
        for n in range(random.randint(1, 4))
    ]
    menu = [
        Faults(crash=0.15, where="watcher", restart_after=0.3, times=2),
        Faults(duplicate=0.5, type="order.placed", leg="deliver", where=("shop", "watcher")),
        Faults(drop=0.3, leg="ack", where=("shop", "watcher"), times=2),
    ]
    return orders, [fault for fault in menu if random.random() < 0.5]


def trial(answers, case):
    lab, (watcher,) = Lab(case.seed), answers
    wiring = {name: {**wires, **({"order.expired": BACK[name]} if name in BACK else {})} for name, wires in DANCE.items()}
    charge = DANCE["payment"]["stock.reserved"]

    async def mumbling(order, ctx):
        if order.data["mute"]:
            await ctx.sleep(order.data["bank"])
            await ctx.db.put(f"order/{order.key}", DONE)
        else:
            await charge(order, ctx)

    wiring["payment"] = {**wiring["payment"], "stock.reserved": mumbling}
    shop, clock = open_shop(lab, wiring, stock=10), Service("watcher")
    clock.on(*HEARS)(watcher)
    lab.deploy(clock, on=shop, concurrency=100, prefetch=100, db=lab.database("watch"), delivery_limit=50)
    for order in case.events:
        lab.at(order["at"], place, shop, order)
    run_lab(lab, case, until=30)
    return judge(case, lab.trace), lab.trace


def place(shop, order):
    shop.publish("order.placed", order, key=str(order["order"]), source="web")


def judge(case, trace):
    rung = {}
    for event in trace.events("order.expired"):
        rung.setdefault(event.key, []).append(event)
    placed = {str(order["order"]): order for order in case.events}
    times = {
        row.event.key: row.time for row in reversed(trace.where("publish")) if row.event and row.event.type == "order.placed"
    }
    mute = {key for key, order in placed.items() if order["mute"]}
    yield "phantom", [key for key in rung if key not in mute], "an order expired that ended in time, or would have"
    yield "duplicate", [key for key, events in rung.items() if len(events) > 1], "an order expired more than once"
    late = [key for key in placed if key in mute and (key not in rung or rung[key][0].ns / 1e9 > times[key] + 20)]
    yield "stuck", late, "an order never ended, and nobody rang within 20 s"
    empty = [key for key, events in rung.items() if events[0].data != placed.get(key)]
    yield "wrong value", empty, "order.expired does not carry the data of the order"
