"""00-1: which event to wait for."""

from edakit import Hold, Lab, Service
from edakit.learn import run_lab

TITLE = "Mail only what is paid"
TASK = """
Write `notification`: Ada gets exactly one mail for each order that is paid, and none for an order whose payment is declined. A
mail is an event: publish `mail.sent` with the data of the order.

For each order, `payment` publishes either `payment.processed` or `payment.declined`. Nothing crashes in this one.
"""
ANSWER = "notification"
STUB = """
from edakit import Service

notification = Service("notification")

@notification.on("...")                     # which event?
async def tell(event, ctx):
    ...
"""
SOLUTION = """
from edakit import Service

notification = Service("notification")

@notification.on("payment.processed")
async def tell(event, ctx):
    await ctx.publish("mail.sent", event.data)
"""
SKELETON = """
notification = Service("notification")

@notification.on("payment.____")
async def tell(event, ctx):
    await ctx.publish("mail.sent", ____)
"""
WRONG = {
    "listens to order.placed": ("phantom", {"payment.processed": "order.placed"}),
    "listens to every payment event": ("phantom", {"payment.processed": "payment.*"}),
    "listens to both": ("duplicate", {'"payment.processed"': '"payment.processed", "order.placed"'}),
    "a mail for each item and one for the order": (
        "duplicate",
        {"    await ctx": '    for item in event.data["items"]:\n        await ctx'},
    ),
    "does not publish": ("lost", {'await ctx.publish("mail.sent", event.data)': "await ctx.sleep(0.1)"}),
    "listens to a name that nobody publishes": ("lost", {"payment.processed": "payment.done"}),
    "gives the mail a key of its own": ("phantom", {"event.data)": 'event.data, key="mail")'}),
    "a mail without the data": ("wrong value", {", event.data)": ")"}),
}
NUDGES = {
    "phantom": "For which order did a mail leave without a payment? Which event made you send it?",
    "duplicate": "One paid order, and more than one mail. How often does your handler publish for one event?",
    "lost": "An order is paid, and no mail carries its number. Did your handler hear of the payment at all?",
    "wrong value": "Whoever prints this mail must know what was bought. Where does your handler have that from, and does it pass it on?",
}
CONCEPT = "A service hears what its pattern in `on` covers, nothing else. So the pattern is the rule: name the one fact that allows a mail."
DISCUSSION = """
You did not change payment, and you did not ask it anything: you chose the fact to wait for. `order.placed` says what Ada wants;
`payment.processed` says what has happened. A mail about the first is a promise that nobody has kept yet.
"""
OTHERS = (
    "listen to `payment.*` and look at `event.type` before mailing: right too, but it wakes up for every decline",
    "sleep before the publish: mailing may take its time, nobody waits for it",
)
PLANS = 300


def plan(random):
    orders = [{"order": 42 + n, "items": ["tea", "cup"][: random.randint(1, 2)]} for n in range(random.randint(1, 8))]
    events = [{**order, "card": "empty" if random.random() < 0.2 else "good"} for order in orders]
    faults = [Hold("shop", "notification", at=random.random(), until=2)] if random.random() < 0.3 else []
    return events, faults


def trial(answers, case):
    lab, (notification,) = Lab(case.seed), answers
    shop, payment = lab.broker("shop"), Service("payment")

    @payment.on("order.placed")
    async def charge(order, ctx):
        await ctx.sleep(ctx.random.expovariate(5))
        await ctx.publish("payment.processed" if order.data["card"] == "good" else "payment.declined", order.data)

    lab.deploy(payment, on=shop)
    notification.name = "notification"
    lab.deploy(notification, on=shop, delivery_limit=5)
    for order in case.events:
        shop.publish("order.placed", order, key=order["order"], source="web")
    run_lab(lab, case, until=60)
    return judge(lab.trace), lab.trace


def judge(trace):
    paid, mails = trace.keys("payment.processed"), [event.key for event in trace.events("mail.sent")]
    yield "phantom", [key for key in dict.fromkeys(mails) if key not in paid], "a mail for an order that nobody has paid"
    yield "lost", [key for key in paid if key not in mails], "an order is paid, and no mail is sent"
    yield "duplicate", [key for key in paid if mails.count(key) > 1], "more than one mail for one payment"
    orders = {event.key: event.data for event in trace.events("order.placed")}
    bare = [
        f"{event.key}: {event.data}" for event in trace.events("mail.sent") if event.data != orders.get(event.key, event.data)
    ]
    yield "wrong value", bare, "a mail has not the data of its order"
