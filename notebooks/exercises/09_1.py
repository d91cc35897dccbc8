"""09-1: who waits for what."""

from shop.audit import has_tea, paid, told_yes
from shop.orders import TEA, wire

from edakit import Hold, Lab
from edakit.errors import WiringError
from edakit.learn import run_lab
from edakit.trace import Keys

TITLE = "Wire the shop"
TASK = """
Write the table `wiring`: for each service, which event wakes which handler. Nobody may be told yes without a tea and a payment,
nobody may pay without a tea, no tea may stay set aside for an order that is not paid, and every customer gets exactly one mail.

The handlers are those of the notebook. `reserve` publishes stock.reserved or stock.rejected, `charge` payment.processed or
payment.declined, `release` puts a tea back, `confirm` mails a yes, `apologise` mails a no. One handler may wait for several events.
"""
ANSWER = "wiring"
STUB = """
from shop.orders import apologise, charge, confirm, release, reserve

wiring = {
    "inventory": {...: reserve},
    "payment": {...: charge},
    "notification": {...: confirm},
}
"""
SOLUTION = """
from shop.orders import apologise, charge, confirm, release, reserve

wiring = {
    "inventory": {"order.placed": reserve, "payment.declined": release},
    "payment": {"stock.reserved": charge},
    "notification": {"payment.processed": confirm, "payment.declined": apologise, "stock.rejected": apologise},
}
"""
SKELETON = """
wiring = {
    "inventory": {"____": reserve, "payment.declined": ____},
    "payment": {"stock.____": charge},
    "notification": {"payment.____": confirm, "____": apologise, "____": apologise},
}
"""
WRONG = {
    "everybody listens to order.placed": (
        "phantom",
        {'"stock.reserved": charge': '"order.placed": charge', '"payment.processed": confirm': '"order.placed": confirm'},
    ),
    "payment before the stock": (
        "oversold",
        {
            '"order.placed": reserve, "payment.declined": release': '"payment.processed": reserve',
            '"stock.reserved": charge': '"order.placed": charge',
            '"payment.processed": confirm': '"stock.reserved": confirm',
        },
    ),
    "nobody puts back": ("phantom", {', "payment.declined": release': ""}),
    "a mail as soon as the tea is set aside": ("phantom", {'"payment.processed": confirm': '"stock.reserved": confirm'}),
    "no mail for those who come too late": ("lost", {', "stock.rejected": apologise': ""}),
    "an apology to everybody": ("duplicate", {'"payment.declined": apologise': '"order.placed": apologise'}),
}
NUDGES = {
    "phantom": "Somebody acted on an event that does not say what they needed to know. Which event does?",
    "oversold": "Which of the two steps can you take back, the reservation or the payment? Which one should come first, then?",
    "lost": "A customer waits for a mail that never comes. Which event tells how that order ended, and who hears it?",
    "duplicate": "One customer has two mails. Which two events woke the mailer?",
}
CONCEPT = (
    "An effect waits for the event that says its cause has happened: causes before effects. Of two steps the one that can be taken back "
    "comes first, and its way back is an event too."
)
DISCUSSION = """
Reserve, pay, confirm; release on a decline. Nothing stands in one place here: the flow is the sum of four subscriptions, right only
together. The notebook writes the same flow down in one place, as a saga, which also gives it an owner and a time limit.
"""
OTHERS = (
    "pay first and refund whoever finds no tea: allowed by the law of sagas, but Ada's bank shows both, and here nobody refunds",
)
PLANS = 200


def plan(random):
    events = [
        {
            "order": 42 + n,
            "card": "empty" if random.random() < 0.3 else "good",
            "bank": round(random.expovariate(5), 4),
            "at": round(n * random.random() * 0.2, 3),
        }
        for n in range(random.randint(1, 7))
    ]
    faults = []
    if random.random() < 0.5:
        at = random.random()
        faults.append(Hold("shop", random.choice(["inventory", "payment", "notification"]), at=at, until=at + 2))
    return events, faults


def trial(answers, case):
    (wiring,) = answers
    for name, wires in wiring.items():
        if name not in ("inventory", "payment", "notification") or not isinstance(wires, dict):
            raise WiringError(f"wiring[{name!r}] is {wires!r}: give inventory, payment, notification, each {{event: handler}}")
    lab, stock = Lab(case.seed), max(1, len(case.events) * 2 // 3)
    shop = wire(lab, wiring, stock)
    for order in case.events:
        lab.at(order["at"], place, shop, {name: value for name, value in order.items() if name != "at"})
    for fault in case.faults:
        if fault.b not in lab.deployments:
            case = case._replace(faults=())
    run_lab(lab, case, until=120)
    return judge(lab, stock), lab.trace


def place(shop, order):
    shop.publish("order.placed", order, key=order["order"], source="orders")


def judge(lab, stock):
    yes, money, tea, placed = told_yes(lab), paid(lab), has_tea(lab), lab.trace.keys("order.placed")
    mails = [event.key for type in ("mail.sent", "sorry.sent") for event in lab.trace.events(type)]
    yield "phantom", yes - (money & tea), "a customer was told yes, and has not both paid and a tea"
    yield "oversold", money - tea, "a customer has paid for a tea that is not there"
    yield "phantom", tea - money, "a tea stays set aside for an order that is not paid"
    left = lab.databases["stock"].data[TEA]
    yield (
        "phantom",
        [f"{left} of {stock} left, {len(tea)} set aside"] if left + len(tea) != stock else [],
        "teas come from nowhere",
    )
    yield "lost", placed - Keys(mails), "a customer was never told how it ended"
    yield "duplicate", [key for key in placed if mails.count(key) > 1], "a customer got more than one mail"
