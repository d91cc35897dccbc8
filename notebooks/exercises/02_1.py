"""02-1: one group for each purpose, and no effect for what is past."""

from edakit import Lab, Service
from edakit.learn import run_lab

TITLE = "Give the newcomer the past"
TASK = """
Write `add_fraud(lab, orders)`. It is called in the middle of a run: `orders` is a stream with orders in it, more will come, and
`notification` reads it and mails. Deploy a service `fraud` on it that publishes one `order.judged`, with the data of the order, for
every `order.placed`, those of the past too. Where `order.data["card"]` is "stolen" it also publishes `alarm.raised`, but only for
orders placed from now on: nobody wants alarms about last week. Nobody may get a second mail.

`lab.now` is the time, and `order.time` when an order was placed. The check varies how many orders are old and new, how many
partitions there are, and how fast notification is.
"""
ANSWER = "add_fraud"
STUB = """
def add_fraud(lab, orders):
    ...
"""
SOLUTION = """
from edakit import Service

def add_fraud(lab, orders):
    fraud, begun = Service("fraud"), lab.now

    @fraud.on("order.placed")
    async def judge(order, ctx):
        await ctx.publish("order.judged", order.data)
        if order.time >= begun and order.data["card"] == "stolen":
            await ctx.publish("alarm.raised", order.data)

    lab.deploy(fraud, on=orders, group="fraud")
    orders.seek("fraud", to="earliest")
"""
SKELETON = """
from edakit import Service

def add_fraud(lab, orders):
    fraud, begun = Service("fraud"), lab.now

    @fraud.on("order.placed")
    async def judge(order, ctx):
        await ctx.publish("order.judged", order.data)
        if ____ >= begun and order.data["card"] == "stolen":
            await ctx.publish("alarm.raised", order.data)

    lab.deploy(fraud, on=orders, group=____)
    orders.seek(____, to=____)
"""
WRONG = {
    "begins at now": ("lost", {'\n    orders.seek("fraud", to="earliest")': ""}),
    "joins the group of notification": (
        "lost",
        {'group="fraud"': 'group="notification"', '\n    orders.seek("fraud", to="earliest")': ""},
    ),
    "moves the bookmark of notification too": (
        "duplicate",
        {
            'orders.seek("fraud", to="earliest")': 'for group in ("fraud", "notification"):\n        orders.seek(group, to="earliest")'
        },
    ),
    "alarms about the past": ("phantom", {"order.time >= begun and ": ""}),
    "asks the clock whether an order is new": ("phantom", {"order.time >= begun": "ctx.now >= begun"}),
    "begins at the second record": ("lost", {'to="earliest"': "offset=1"}),
    "judges thieves alone": (
        "lost",
        {
            '        await ctx.publish("order.judged", order.data)\n': "",
            '            await ctx.publish("alarm.raised"': (
                '            await ctx.publish("order.judged", order.data)\n            await ctx.publish("alarm.raised"'
            ),
        },
    ),
    "reads the past again with each new order": (
        "duplicate",
        {
            '    orders.seek("fraud", to="earliest")': (
                '    orders.seek("fraud", to="earliest")\n    lab.at(lab.now + 10, lambda: orders.seek("fraud", to="earliest"))'
            )
        },
    ),
}
NUDGES = {
    "lost": "An order was never judged, or an alarm never raised. Was that record handed to fraud? Where did its group begin?",
    "duplicate": "Something happened twice. Whose bookmark did you move, and how often?",
    "phantom": "An alarm about an order that was placed before fraud was there. Which time tells old from new: that of the order, or now?",
    "wrong value": "Compare what fraud has published with the data of the order.",
}
CONCEPT = (
    "A group is a bookmark. One group for each purpose: then a newcomer reads the past without anybody else noticing. And a handler that "
    "reads the past decides by the event's own time what it may still do about it."
)
DISCUSSION = """
Reading the past is safe, acting on it is not: the judgement is a fact that is late, the alarm would be an effect that nobody wants
any more. The time of the event draws the line, since the time of handling is after the deployment for all of them.
"""
OTHERS = (
    "two groups: one that reads from the earliest record and only judges, one that begins at the latest and raises alarms",
    "deploy without `group=`: the group is then named after the service",
)
PLANS = 200
JOINED = 20.05  # virtual seconds: when fraud is added


def plan(random):
    old, new = random.randint(0, 4), random.randint(0, 4)
    times = [1 + 4 * n for n in range(old)] + [22 + n for n in range(max(new, 1))]
    orders = [{"order": 42 + n, "card": random.choice(["good", "stolen"]), "at": at} for n, at in enumerate(times)]
    return [{**order, "partitions": random.choice([1, 3]), "slow": random.choice([0.1, 3])} for order in orders], []


def trial(answers, case):
    lab, (add_fraud,) = Lab(case.seed), answers
    orders = lab.stream("orders", partitions=case.events[0]["partitions"], like="kafka")
    notification = Service("notification")

    @notification.on("order.placed")
    async def mail(order, ctx):
        await ctx.sleep(case.events[0]["slow"])
        await ctx.publish("mail.sent", {"order": order.data["order"]})

    lab.deploy(notification, on=orders)
    for event in case.events:
        lab.at(event["at"], place, orders, event)
    lab.run(JOINED)
    add_fraud(lab, orders)
    run_lab(lab, case, until=90)
    return judge(case, lab.trace), lab.trace


def place(orders, event):
    orders.publish("order.placed", {"order": event["order"], "card": event["card"]}, key=event["order"], source="web")


def judge(case, trace):
    sent = {
        type: [row.event.key for row in trace.where("append", type=type)]
        for type in ("order.judged", "alarm.raised", "mail.sent")
    }
    orders = {str(event["order"]): event for event in case.events}
    thieves = [key for key, event in orders.items() if event["card"] == "stolen" and event["at"] > JOINED]
    yield "lost", [key for key in orders if key not in sent["order.judged"]], "an order was never judged"
    yield "lost", [key for key in thieves if key not in sent["alarm.raised"]], "a stolen card, and no alarm"
    yield "duplicate", [key for key in orders if sent["mail.sent"].count(key) > 1], "a customer got a second mail"
    yield "duplicate", [key for key in orders if sent["order.judged"].count(key) > 1], "an order was judged twice"
    yield "lost", [key for key in orders if key not in sent["mail.sent"]], "a customer got no mail"
    yield "phantom", [key for key in sent["alarm.raised"] if key not in thieves], "an alarm that nobody wants"
    odd = [row.event.key for row in trace.where("append", type="order.judged") if dict(row.event.data or {}) != told(orders, row)]
    yield "wrong value", odd, "order.judged has other data than the order"


def told(orders, row):
    event = orders.get(row.event.key, {"order": None, "card": None})
    return {"order": event["order"], "card": event["card"]}
