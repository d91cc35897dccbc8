"""09-3: who only watches, and who decides."""

from shop.fraud import judge as judge_card
from shop.fraud import ship
from shop.orders import SAGA, wire

from edakit import Crash, Lab
from edakit.learn import run_lab

TITLE = "Put fraud where it belongs"
TASK = """
Write `add_fraud(lab, shop)`. It deploys two things on `shop`: an observer `analytics`, which for each order works for 2 seconds and
publishes `report.written`, and the flow: `lab.deploy(checkout(gate), on=shop)`, where `gate(order, ctx)` is a step before all others.

The gate asks `ctx.call("fraud/judge", order.data, timeout=...)`, which takes up to 2 s and raises CallRefused for a stolen card.
Reports must not slow the shop, no parcel may leave on a stolen card, and ten seconds after an order it must be decided: confirmed,
rejected, or, when the fraud desk does not answer, held for a person: publish `order.held` and raise Refused. Good orders go through.
"""
ANSWER = "add_fraud"
STUB = """
from edakit import Service
from shop.orders import checkout

def add_fraud(lab, shop):
    ...
"""
SOLUTION = """
from edakit import CallTimeout, Refused, Service
from shop.orders import checkout

def add_fraud(lab, shop):
    analytics = Service("analytics")

    @analytics.on("order.placed")
    async def report(order, ctx):
        await ctx.sleep(2)
        await ctx.publish("report.written", order.data)

    async def gate(order, ctx):
        try:
            await ctx.call("fraud/judge", order.data, timeout=3)
        except CallTimeout:
            await ctx.publish("order.held", order.data)
            raise Refused("a person must look")

    lab.deploy(analytics, on=shop)
    lab.deploy(checkout(gate), on=shop)
"""
SKELETON = """
def add_fraud(lab, shop):
    analytics = Service("analytics")

    @analytics.on("____")                                   # hears, and nobody waits
    async def report(order, ctx): ...

    async def gate(order, ctx):                             # decides, so the flow waits, but not for ever
        try:
            await ctx.call("fraud/judge", order.data, timeout=____)
        except CallTimeout:
            ____

    lab.deploy(analytics, on=shop)
    lab.deploy(checkout(____), on=shop)
"""
WRONG = {
    "everybody only watches": ("phantom", {"checkout(gate)": "checkout()"}),
    "waits as long as it takes": ("stuck", {"timeout=3": "timeout=3600"}),
    "no answer means clean": (
        "phantom",
        {'await ctx.publish("order.held", order.data)\n            raise Refused("a person must look")': "pass"},
    ),
    "the report is a part of the gate": (
        "wrong value",
        {
            "        try:": '        await ctx.sleep(2)\n        await ctx.publish("report.written", order.data)\n        try:',
            '"order.placed")': '"nothing")',
        },
    ),
    "impatient": ("lost", {"timeout=3": "timeout=0.05"}),
    "lets every no pass": (
        "phantom",
        {"except CallTimeout:": "except Exception:", 'raise Refused("a person must look")': "return"},
    ),
    "no observer": ("lost", {"    lab.deploy(analytics, on=shop)\n": ""}),
    "holds without telling": ("lost", {'            await ctx.publish("order.held", order.data)\n': ""}),
}
NUDGES = {
    "phantom": "A parcel left on a stolen card. Did anybody who could stop it know, and did the flow wait for them?",
    "stuck": "The order is neither yes nor no. What is the flow waiting for, and who ends that wait?",
    "lost": "Something that was owed has not happened. Who was to do it, and what told them not to?",
    "wrong value": "For what did the customer wait here: for a decision, or for a report?",
}
CONCEPT = (
    "Whoever may stop an order takes part in it: a step of the flow, with a time limit and an answer for silence. Whoever only wants to "
    "know listens, and nobody waits for them."
)
DISCUSSION = """
The same knowledge in two roles. The observer is free: added in one line, slow or dead without anybody noticing. The gate costs its
own time on every order, and its absence is now a state of the flow, which you had to name: held. Silence is neither yes nor no.
"""
OTHERS = (
    "`@flow.step(timeout=3)` on a Saga of your own, in place of the time limit of the call",
    "a second gate after the first, for large orders only: gates are steps, and steps add up",
)
PLANS = 100


def plan(random):
    events = [
        {
            "order": 42 + n,
            "card": "stolen" if random.random() < 0.4 else "good",
            "bank": round(min(1, random.expovariate(5)), 3),
            "check": round(min(2, random.expovariate(2)), 3),
            "pack": 0.1,
        }
        for n in range(random.randint(1, 5))
    ]
    return events, random.choice([[], [], [Crash("fraud", at=random.random() * 2)]])


def trial(answers, case):
    lab, (add_fraud,) = Lab(case.seed), answers
    desk = {**SAGA, "shipping": {"order.confirmed": ship}, "fraud": {"judge": judge_card}}
    shop = wire(lab, desk, stock=100)
    add_fraud(lab, shop)
    for n, order in enumerate(case.events):
        lab.at(n * 0.5, place, shop, order)
    run_lab(lab, case, until=20)
    return judge(case, lab.trace), lab.trace


def place(shop, order):
    shop.publish("order.placed", order, key=order["order"], source="orders")


def judge(case, trace):
    orders = {str(order["order"]): order for order in case.events}
    stolen = [key for key, order in orders.items() if order["card"] == "stolen"]
    held, shipped = trace.keys("order.held"), trace.keys("parcel.shipped")
    ends = {
        row.event.key: row.time
        for type in ("order.confirmed", "order.rejected", "order.held")
        for row in trace.where("publish", type=type)
    }
    placed = {row.event.key: row.time for row in trace.where("publish", type="order.placed")}
    yield "phantom", [key for key in stolen if key in shipped], "a parcel left on a stolen card"
    late = [key for key, time in placed.items() if ends.get(key, time + 99) > time + 10]
    yield "stuck", late, "ten seconds later the order is not decided"
    away = [key for key in orders if key not in stolen and key not in shipped and key not in late]
    if not case.faults:
        yield "lost", away, "a good order was turned away, and the fraud desk was there"
        slow = [key for key, time in ends.items() if time - placed[key] > orders[key]["check"] + orders[key]["bank"] + 0.5]
        yield "wrong value", slow, "the customer waited longer than fraud desk and bank took together"
    else:
        yield (
            "lost",
            [key for key in away if key not in held],
            "the fraud desk was away, and a good order was refused: nobody will look at it",
        )
    yield "lost", [key for key in placed if key not in trace.keys("report.written")], "an order without a report"
