"""04-3: the decision goes to the owner, the answer does not wait for it: pending, then a fact."""

from collections import Counter
from collections.abc import Mapping

from edakit import Lab, Service, measure
from edakit.learn import run_lab

TITLE = "Do not sell what is not there"
TASK = """
Write two handlers. `buy(order, ctx)` belongs to `web` and answers the customer: it returns `"yes"`, `"no"` or `"pending"`. `web` has
a copy of the stock (`await ctx.db.get("tea-42", 0)`), which is late.

`reserve(event, ctx)` belongs to `inventory`, which owns the stock: there `ctx.db` has the real number under "tea-42". Two instances of it
work at once, and handle every `order.wanted` that `web` publishes. Whoever was told yes or pending must hear how it ends: exactly one
`order.confirmed` or `order.cancelled`, with the data of the order, and one packet gone for each confirmed one. Never sell more than
there is, send nobody away while there are packets, and answer half of the customers within 0.05 s (`ctx.call("till", order.data,
timeout=5)` takes a packet if there is one and returns True or False, but it takes 0.2 s).
"""
ANSWER = "buy, reserve"
STUB = """
async def buy(order, ctx):
    ...

async def reserve(event, ctx):
    ...
"""
SOLUTION = """
async def buy(order, ctx):
    await ctx.publish("order.wanted", order.data)
    return "pending"

async def reserve(event, ctx):
    async with ctx.db.transaction() as tx:
        found = await tx.add("tea-42", -1, where=lambda left: left > 0)
        tx.publish("order.confirmed" if found else "order.cancelled", event.data)
"""
SKELETON = """
async def buy(order, ctx):
    await ctx.publish("order.wanted", order.data)
    return ____                                             # what is known at this moment

async def reserve(event, ctx):
    async with ctx.db.transaction() as tx:
        found = await tx.add("tea-42", -1, where=lambda left: ____)
        tx.publish(____ if found else ____, event.data)
"""
WRONG = {
    "looks at the copy and says yes": (
        "oversold",
        """
async def buy(order, ctx):
    if await ctx.db.get("tea-42", 0) <= 0:
        return "no"
    await ctx.publish("order.wanted", order.data)
    return "yes"

async def reserve(event, ctx):
    async with ctx.db.transaction() as tx:
        await tx.add("tea-42", -1)
        tx.publish("order.confirmed", event.data)
""",
    ),
    "reads the stock, then writes it": (
        "oversold",
        {
            'found = await tx.add("tea-42", -1, where=lambda left: left > 0)': (
                'found = await tx.get("tea-42") > 0\n        if found:\n            await tx.add("tea-42", -1)'
            )
        },
    ),
    "asks the till and waits": (
        "wrong value",
        """
async def buy(order, ctx):
    sold = await ctx.call("till", order.data, timeout=5)
    await ctx.publish("order.wanted", {**order.data, "sold": sold})
    return "yes" if sold else "no"

async def reserve(event, ctx):
    if event.data["sold"]:
        await ctx.publish("order.confirmed", event.data)
""",
    ),
    "reserves, and tells nobody": ("stuck", {'        tx.publish("order.confirmed" if found else "order.cancelled", event.data)': ""}),
    "tells only those who get one": (
        "stuck",
        {'tx.publish("order.confirmed" if found else "order.cancelled", event.data)': (
            'if found:\n            tx.publish("order.confirmed", event.data)')},
    ),
    "promises first": ("phantom", {'return "pending"': 'return "yes"'}),
    "confirms without taking": (
        "oversold",
        {'found = await tx.add("tea-42", -1, where=lambda left: left > 0)': 'found = await tx.get("tea-42") > 0'},
    ),
    "keeps one back": ("lost", {"left > 0": "left > 1"}),
    "an ending without its order": ("wrong value", {"event.data)": "{})"}),
}  # fmt: skip
NUDGES = {
    "oversold": "Who may say that there is a packet, and does anybody come between that look and the act?",
    "stuck": "Somebody was told to wait. Which line ends this, for those who get a packet and for those who do not?",
    "phantom": "What did web know when it said yes?",
    "lost": "There is a packet left on the shelf. Who was sent away?",
    "duplicate": "One customer, two endings, or two packets. Which lines can both happen?",
    "wrong value": "How long did half of the customers wait for their answer, and does each ending say which order it is for?",
}
CONCEPT = (
    "Decide where the truth is: a conditional write at the owner. Answer where the customer is: pending, which is true at once. "
    "Then the decision comes back as an event."
)
DISCUSSION = """
The invariant is kept by one statement at the owner; the answer does not wait for it, because it does not claim anything yet. The price is
a state that everybody must show: pending. A "no" from a copy that reads zero would be right too here, since nothing is ever put back.
"""
OTHERS = (
    'in `buy`, say "no" at once when the copy reads zero: it is late, but the stock never grows',
    "reserve by key on one partition: then a look before the act is safe, since nobody else can come between",
)
PLANS = 120


def plan(random):
    orders = random.randint(2, 6)
    gap = random.choice((0, 0.001, 0.02, 0.3))
    return [{"order": 42 + n, "at": round(0.1 + n * gap, 3)} for n in range(orders)], []


def trial(answers, case):
    lab, (buy, reserve), orders = Lab(case.seed), answers, len(case.events)
    stock = (1, max(1, orders // 2), orders)[case.seed % 3]
    shop, http = lab.broker("shop"), lab.server("http", threads=100)
    shelf, copy = lab.database("shelf", {"tea-42": stock}), lab.database("copy", {"tea-42": stock})
    web, inventory, till, view = Service("web"), Service("inventory"), Service("till"), Service("view")
    web.on("order.buy")(buy)
    inventory.on("order.wanted")(reserve)

    @till.on("packet.take")
    async def take(request, ctx):
        await ctx.sleep(0.2)
        return await ctx.db.add("tea-42", -1, where=lambda left: left > 0)

    @view.on("order.confirmed")
    async def follow(event, ctx):
        await ctx.sleep(0.2)
        await ctx.db.add("tea-42", -1)

    lab.deploy(web, on=http, db=copy, publishes=shop)
    lab.deploy(till, on=http, db=shelf)
    lab.deploy(inventory, on=shop, db=shelf, instances=2, prefetch=1, delivery_limit=20)
    lab.deploy(view, on=shop, db=copy)
    for order in case.events:
        lab.at(order["at"], place, lab, order["order"])
    run_lab(lab, case, until=60)
    return judge(case, stock, shelf.data.get("tea-42"), lab.trace), lab.trace


def place(lab, order):
    lab.call("web", {"order": order}, key=order, source="ada", timeout=30)


def judge(case, stock, left, trace):
    orders = [str(order["order"]) for order in case.events]
    replies = {row.event.key: row for row in trace.where("reply", who="ada") if row.event}
    said = {key: row.event.data for key, row in replies.items()}
    yes, no = (Counter(event.key for event in trace.events(type)) for type in ("order.confirmed", "order.cancelled"))
    if not isinstance(left, (int, float)):
        yield "wrong value", [repr(left)], 'inventory holds no number under "tea-42" any more'
        return
    told = [key for key in orders if yes[key] or (said.get(key) == "yes" and not no[key])]
    yield "oversold", told[stock:], f"yes or confirmed for more orders than the {stock} packets there were"
    yield "oversold", [f"{left} left"] if left < 0 else [], "the stock is below zero"
    strange = [f"{key}: {said[key]!r}" for key in orders if key in said and said[key] not in ("yes", "no", "pending")]
    yield "wrong value", strange, "the answer is neither yes, nor no, nor pending"
    waiting = [key for key in orders if key not in said or (said[key] in ("yes", "pending") and not yes[key] + no[key])]
    yield "stuck", waiting, "the customer waits, and nobody says how it ends"
    yield "phantom", [key for key in orders if said.get(key) == "yes" and no[key]], "told yes, and cancelled afterwards"
    yield "phantom", [key for key in orders if said.get(key) == "no" and yes[key]], "told no, and confirmed afterwards"
    yield "phantom", [key for key in yes | no if key not in orders], "an ending for an order that nobody placed"
    yield "duplicate", [key for key in orders if yes[key] + no[key] > 1], "an order has more than one ending"
    ends = [event for type in ("order.confirmed", "order.cancelled") for event in trace.events(type)]
    bare = [f"{event.type}: {event.data}" for event in ends if not isinstance(event.data, Mapping) or "order" not in event.data]
    yield "wrong value", bare, "an ending without the data of its order"
    sold = sum(yes[key] > 0 for key in orders)
    yield (
        "duplicate",
        [f"{stock - left} packets for {sold} orders"] if stock - left > sold and not waiting else [],
        "more packets are gone than sold",
    )
    away = [key for key in orders if left > 0 and (said.get(key) == "no" or no[key])]
    yield "lost", away, "sent away, and there is a packet left"
    took = [row.time - row.began for row in replies.values()]
    half = measure.quantiles(took)[0] if took else 0
    yield "wrong value", [f"{half:.3f} s"] if half > 0.05 else [], "half of the customers waited longer than 0.05 s for an answer"
