"""11-1: what has a way back, what is the point of no return, and what is only tried again."""

from shop.steps import ASKED, DONE, open_shop

from edakit import Faults, Lab, Saga
from edakit.errors import WiringError
from edakit.learn import run_lab
from edakit.table import clean

TITLE = "The way back"
TASK = """
Write `build()`. It returns the saga `checkout`, begun by `order.placed`; it ends with `order.confirmed` or `order.rejected`. Its steps are
`reserve_tea`, `pay` and `ship`; their ways back `release_tea` and `refund` (refund, if charged).

Cards are declined. An answer of payment can be lost; each order is to end within 40 s all the same. The shelf is locked one time in three
when a tea comes back, and the packers say no one time in three: both are to be tried again. Nobody may be told no and be charged, or hold a
tea; who has paid, and whose answer was not lost, is to be told yes. The leader crashes now and then; it has a log.
"""
ANSWER = "build"
STUB = """
def build():
    ...
"""
SOLUTION = """
from edakit import Retry, Saga
from shop.steps import pay, refund, release_tea, reserve_tea, ship

def build():
    flow = Saga("checkout", on="order.placed", completed="order.confirmed", compensated="order.rejected")
    flow.step(compensate=release_tea, compensate_retry=Retry(9))(reserve_tea)
    flow.step(compensate=refund, timeout=5, pivot=True)(pay)
    flow.step()(ship)
    return flow
"""
SKELETON = """
from edakit import Retry, Saga
from shop.steps import pay, refund, release_tea, reserve_tea, ship

def build():
    flow = Saga("checkout", on="order.placed", completed="order.confirmed", compensated="order.rejected")
    flow.step(compensate=____, compensate_retry=Retry(____))(reserve_tea)
    flow.step(compensate=____, timeout=____, pivot=____)(pay)
    flow.step()(ship)
    return flow
"""
WRONG = {
    "no way back for the tea": ("phantom", {"compensate=release_tea, compensate_retry=Retry(9)": ""}),
    "no way back for the money": ("wrong value", {"compensate=refund, ": ""}),
    "waits for an answer that is lost": ("stuck", {"timeout=5, ": ""}),
    "tries the way back once": ("stuck", {"compensate_retry=Retry(9)": "compensate_retry=Retry(0)"}),
    "turns round after the payment": ("lost", {", pivot=True": ""}),
    "ships before it has the money": (
        "phantom",
        {
            "    flow.step(compensate=refund, timeout=5, pivot=True)(pay)\n    flow.step()(ship)\n": (
                "    flow.step(retriable=True)(ship)\n    flow.step(compensate=refund, timeout=5)(pay)\n"
            )
        },
    ),
    "pays, and then looks for a tea": (
        "stuck",
        {
            "    flow.step(compensate=release_tea, compensate_retry=Retry(9))(reserve_tea)\n": "",
            "    flow.step()(ship)\n": "    flow.step(compensate=release_tea)(reserve_tea)\n    flow.step()(ship)\n",
        },
    ),
    "tells nobody how it ended": ("lost", {', completed="order.confirmed", compensated="order.rejected"': ""}),
}
NUDGES = {
    "phantom": "The order was rejected, or never paid. What had already been done for it, and which of your steps takes that back?",
    "wrong value": "The time-out fired. Was the card charged? What must a way back do when it cannot know?",
    "stuck": "Whose word does the saga wait for, or how often did it try what failed?",
    "lost": "This customer has paid and there was a tea. After which step must the saga only go forward, and who is told?",
}
CONCEPT = (
    "Before the pivot everything is undone, after it everything is retried. A time-out is neither yes nor no, so the way back of an "
    "unknown step runs too; and a way back is tried until it works, or a person is asked."
)
DISCUSSION = """
Reserve first, for it costs nothing to undo. The payment is the pivot: a time limit, since a lost answer would be waited for, and a way back
for the case that nobody knows. After it the saga only goes forward, however often the packers say no.
"""
OTHERS = (
    "`flow.step(retriable=True)(ship)`: the same, since all steps after a pivot are retried",
    "a time-out of 3 or 6 seconds: longer than a good payment takes, and shorter than the patience of a customer",
)
PLANS = 120


def plan(random):
    orders = [
        {
            "order": 42 + n,
            "card": "declined" if random.random() < 0.4 else "good",
            "bank": round(random.expovariate(5), 3),
            "shelf": round(random.expovariate(10), 3),
            "jams": 0.33,
            "queue": 0.33,
        }
        for n in range(random.randint(1, 4))
    ]
    menu = [
        Faults(drop=0.3, leg="reply", where="payment", times=2),
        Faults(crash=0.05, where="checkout", restart_after=0.2, times=2),
    ]
    return orders, [fault for fault in menu if random.random() < 0.5]


def trial(answers, case):
    lab, (build,) = Lab(case.seed), answers
    flow = build()
    if not isinstance(flow, Saga):
        raise WiringError(f"build returned {clean(repr(flow), 60)}: return the saga, made with Saga(...)")
    few = case.seed % 3 == 0
    shop = open_shop(lab, ASKED, stock=max(1, len(case.events) - 1) if few else 10)
    lab.deploy(flow, on=shop)
    for order in case.events:
        shop.publish("order.placed", order, key=str(order["order"]), source="web")
    run_lab(lab, case, until=40)
    return judge(lab), lab.trace


def judge(lab):
    keys, rows = lab.trace.keys, {name: lab.databases[name].data for name in ("stock", "payment-db", "shipping-db")}
    placed, yes, no = keys("order.placed"), set(keys("order.confirmed")), set(keys("order.rejected"))
    held = {key for key in placed if rows["stock"].get(f"order/{key}") == DONE}
    paid = {key for key in placed if rows["payment-db"].get(f"order/{key}") == DONE}
    sent = {key for key in placed if rows["shipping-db"].get(f"sent/{key}")}
    good = {event.key for event in lab.trace.events("order.placed") if event.data["card"] == "good"}
    parked = {row.event.key for row in lab.trace.where("saga") if row.note.startswith("parked")}
    unknown = {row.event.key for row in lab.trace.where("drop") if row.event}
    yield "phantom", [key for key in placed if key in no and key in held], "an order was rejected, and its tea is still set aside"
    yield "phantom", [key for key in placed if key in sent and key not in paid], "a parcel has left that nobody has paid for"
    yield "phantom", [key for key in placed if key in yes and key not in held], "a customer was told yes, and no tea is set aside"
    yield "lost", [key for key in placed if key in yes and key not in sent], "a customer was told yes, and no parcel was sent"
    yield "wrong value", [key for key in placed if key in no and key in paid], "a customer was told no, and is charged"
    yield "stuck", [key for key in placed if key in parked], "the saga gave up, and a person must look"
    over = [key for key in placed if key not in yes | no | parked]
    ended = {row.event.key for row in lab.trace.where("saga") if row.note.startswith(("completed", "compensated"))}
    yield "lost", [key for key in over if key in ended], "the saga has ended, and nobody was told how"
    yield "stuck", [key for key in over if key not in ended], "nobody was told within 40 s how the order ended"
    turned = [key for key in placed if key in no and key in good and key not in unknown and given_back(lab, key)]
    yield "lost", turned, "a customer who had paid was told no"


def given_back(lab, key):
    """Whether the money of this order was given back."""
    return any(row.event and row.event.key == key and row.note.startswith("undone pay ") for row in lab.trace.where("step"))
