"""01-1: the key names the intent."""

from collections import Counter

from edakit import Faults, Lab, Service
from edakit.learn import run_lab

TITLE = "Retry without paying twice"
TASK = """
Write the handler `charge(order, ctx)` of `web`: it has payment charge an order, over a link that loses requests and replies, and
returns "paid". In the end each order must be charged exactly once, also when the same customer orders twice.

Call `ctx.call("payment", order.data, timeout=0.5, key=...)`. For each key, payment charges at most once and then only repeats its
answer; without a key it charges each time. At most three messages are lost in a run. The order number is `order.data["order"]`.
"""
ANSWER = "charge"
STUB = """
async def charge(order, ctx):
    ...
"""
SOLUTION = """
from edakit import CallTimeout

async def charge(order, ctx):
    for attempt in range(5):
        try:
            return await ctx.call("payment", order.data, timeout=0.5, key=order.data["order"])
        except CallTimeout:
            await ctx.sleep(0.1 * 2**attempt)
    return "unknown"
"""
SKELETON = """
from edakit import CallTimeout

async def charge(order, ctx):
    for attempt in range(5):
        try:
            return await ctx.call("payment", order.data, timeout=0.5, key=____)
        except CallTimeout:
            await ctx.sleep(____)
    return "unknown"
"""
WRONG = {
    "asks once": ("lost", {"range(5)": "range(1)"}),
    "tries again without a key": ("duplicate", {', key=order.data["order"]': ""}),
    "a new key for each try": ("duplicate", {'key=order.data["order"]': "key=f\"{order.data['order']}-{attempt}\""}),
    "the customer as key": ("lost", {'order.data["order"])': 'order.data["customer"])'}),
    "does not wait for the answer": ("lost", {"timeout=0.5": "timeout=0.001", "range(5)": "range(2)"}),
    "asks again although it was charged": (
        "duplicate",
        {"for attempt in range(5)": 'await ctx.call("payment", order.data, timeout=5)\n    for attempt in range(5)'},
    ),
}
NUDGES = {
    "lost": "An order was never charged. Did its request get lost and nobody asked again, or did payment take it for another order?",
    "duplicate": "One order is charged twice. From web's side, how do the two timeouts differ: was the request lost, or the reply?",
    "wrong value": "What does your handler return at its end, and was that so?",
    "stuck": "Ada has no answer. What is web still waiting for?",
}
CONCEPT = (
    "A timeout says nothing about what happened, so you must ask again, and asking again must be harmless. An idempotency key does that: "
    "the same for every try of one intent, another for every other intent."
)
DISCUSSION = """
Retry brings the charge over the link; the key keeps it from happening twice; neither helps alone. The key names the intent, this
order, and neither the try nor the customer. When five tries are used up the honest answer is "unknown", not "failed": ask later
with the same key, and you will know.
"""
OTHERS = (
    "any text that only this order has: `f\"charge-{order.data['order']}\"`, or `order.id`",
    "`Retry(5, backoff=0.1)` as data, its `delay(attempt, ctx.random)` in the loop",
    "wait with jitter: many clients that lost their replies together do not come back together",
)
PLANS = 300


def plan(random):
    people = ["Ada", "Ben", "Cleo"]
    events = [{"order": str(42 + n), "customer": random.choice(people), "total": 9.90} for n in range(random.randint(1, 6))]
    faults = []
    for leg in ("request", "reply"):
        lost = random.choice([0, 0, 1, 1, 3])
        if lost and sum(fault.times for fault in faults) + lost <= 3:
            faults.append(Faults(drop=random.choice([0.2, 0.5, 1]), leg=leg, where=("web", "payment"), times=lost))
    return events, faults


def trial(answers, case):
    lab, (charge,) = Lab(case.seed), answers
    api, web, payment = lab.server("api", threads=100), Service("web"), Service("payment")
    ledger = lab.database("ledger")
    web.on("order.place")(charge)

    @payment.on("charge")
    async def take(request, ctx):
        await ctx.sleep(0.05)
        async with ctx.db.transaction() as tx:
            if request.key is None or await tx.insert_once("keys", request.key):
                await tx.add(request.data["order"], 1)
        return "paid"

    lab.deploy(web, on=api)
    lab.deploy(payment, on=api, db=ledger)
    for n, order in enumerate(case.events):
        lab.at(n * 0.01, ask, lab, order)
    run_lab(lab, case, until=60)
    return judge(case.events, ledger.data, lab.trace), lab.trace


def ask(lab, order):
    lab.call("web", order, timeout=50, source="ada")


def judge(events, ledger, trace):
    orders = [order["order"] for order in events]
    answered = Counter(row.kind for row in trace.where(["reply", "timeout"], who="ada"))
    yield "lost", [order for order in orders if not ledger.get(order)], "an order was never charged"
    yield "duplicate", [order for order in orders if ledger.get(order, 0) > 1], "an order was charged more than once"
    said = [repr(row.event.data) for row in trace.where("reply", who="ada", note="") if row.event.data != "paid"]
    yield "wrong value", said, "Ada was told something else than paid"
    yield "stuck", ["no answer after 50 s"] * min(1, answered["timeout"]), "web never answered Ada"
