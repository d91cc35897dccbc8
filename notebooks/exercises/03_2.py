"""03-2: which side of the gap, for whom, and what to spend on it."""

from collections import Counter

from edakit import Faults, Lab, Service
from edakit.errors import WiringError
from edakit.learn import run_lab

TITLE = "Choose the side"
TASK = """
Two consumers of `order.placed`: `mail` (a second mail annoys) and `stock` (an order that is not counted, or counted twice, oversells).
Write the table `policy`: for each the place of the `commit`, "before" or "after" the work; whether it keeps `ids`, True or False;
and which error it `accepts`: "lost", "duplicate" or "nothing".

Keeping ids costs a database row for each order, and the budget allows it for one of the two. Both consumers die at any await. The
check also compares what you accept with what happens.
"""
ANSWER = "policy"
STUB = """
policy = {
    "mail": {"commit": ..., "ids": ..., "accepts": ...},
    "stock": {"commit": ..., "ids": ..., "accepts": ...},
}
"""
SOLUTION = """
policy = {
    "mail": {"commit": "after", "ids": False, "accepts": "duplicate"},
    "stock": {"commit": "after", "ids": True, "accepts": "nothing"},
}
"""
SKELETON = """
policy = {
    "mail": {"commit": "____", "ids": ____, "accepts": "____"},
    "stock": {"commit": "after", "ids": ____, "accepts": "nothing"},
}
"""
MAIL, STOCK = '"mail": {"commit": "after", "ids": False', '"stock": {"commit": "after", "ids": True'
WRONG = {
    "stock commits before": ("lost", {STOCK: '"stock": {"commit": "before", "ids": True'}),
    "both commit before": (
        "lost",
        {STOCK: '"stock": {"commit": "before", "ids": True', MAIL: '"mail": {"commit": "before", "ids": False'},
    ),
    "the row is spent on mail": (
        "duplicate",
        {STOCK: '"stock": {"commit": "after", "ids": False', MAIL: '"mail": {"commit": "after", "ids": True'},
    ),
    "nobody keeps ids": ("duplicate", {STOCK: '"stock": {"commit": "after", "ids": False'}),
    "mail commits after and accepts a loss": ("wrong value", {'"accepts": "duplicate"': '"accepts": "lost"'}),
    "mail commits before and accepts a duplicate": ("wrong value", {MAIL: '"mail": {"commit": "before", "ids": False'}),
    "mail accepts nothing": ("wrong value", {'"accepts": "duplicate"': '"accepts": "nothing"'}),
    "ids for both": ("wrong value", {MAIL: '"mail": {"commit": "after", "ids": True'}),
    "stock accepts a loss": ("wrong value", {'"accepts": "nothing"': '"accepts": "lost"'}),
}
NUDGES = {
    "lost": "The order was committed, and not counted. On which side of the work did the crash find the commit?",
    "duplicate": "The order was counted, and not committed. What would have to be remembered, and together with what?",
    "wrong value": "Read what you accept beside what the run shows. For which error of which service can you apologise?",
}
CONCEPT = (
    "Commit before: at most once, so some are lost. Commit after: at least once, so some come twice. After, with ids kept in the "
    "transaction of the effect: once. The crash does not go away; you choose what it costs, for each consumer."
)
DISCUSSION = """
The row goes where the error is dear. Mail may lose or repeat; both are right answers, as long as you know which you chose: after and
a second mail, or before and now and then none. For a receipt that the law asks for, "before" would not do.
"""
OTHERS = ('mail with commit "before", which accepts "lost": no second mail ever, and once in a while none',)
PLANS = 150


def plan(random):
    events = [{"order": 42 + n} for n in range(random.randint(1, 6))]
    menu = [Faults(crash=0.2, where=name, restart_after=0.05, times=2) for name in ("mail", "stock")]
    return events, [fault for fault in menu if random.random() < 0.7]


def checked(policy):
    """What the learner has written, or a sentence about it."""
    choices = {"commit": ("before", "after"), "ids": (True, False), "accepts": ("lost", "duplicate", "nothing")}
    for name in ("mail", "stock"):
        row = policy.get(name)
        if not isinstance(row, dict):
            raise WiringError(f'policy[{name!r}] is {row!r}: give {{"commit": ..., "ids": ..., "accepts": ...}}')
        for what, allowed in choices.items():
            if row.get(what) not in allowed:
                raise WiringError(f"policy[{name!r}][{what!r}] is {row.get(what)!r}: one of {', '.join(map(repr, allowed))}")
    return policy


def consumer(name, effect, ids):
    service = Service(name)

    @service.on("order.placed")
    async def handle(order, ctx):
        if not ids:
            await ctx.publish(effect, order.data)
        else:
            async with ctx.db.transaction() as tx:
                if await tx.insert_once("done", order.id):
                    tx.publish(effect, order.data)
        await ctx.sleep(0.005)

    return service


EFFECTS = {"mail": "mail.sent", "stock": "stock.counted"}


def trial(answers, case):
    policy, lab = checked(answers[0]), Lab(case.seed)
    orders, facts = lab.stream("orders"), lab.broker("facts")
    for name, effect in EFFECTS.items():
        service, db = consumer(name, effect, policy[name]["ids"]), lab.database(f"{name}_db")
        lab.deploy(service, on=orders, commit=policy[name]["commit"], prefetch=1, publishes=facts, db=db)
    for n, order in enumerate(case.events):
        lab.at(n * 0.2, publish, orders, order)
    run_lab(lab, case, until=60)
    return judge(case, policy, lab.trace), lab.trace


def publish(orders, order):
    orders.publish("order.placed", order, key=order["order"], source="web")


def judge(case, policy, trace):
    keys = [str(order["order"]) for order in case.events]
    for name, effect in EFFECTS.items():
        times = Counter(event.key for event in trace.events(effect))
        errors = {"lost": [key for key in keys if not times[key]], "duplicate": [key for key in keys if times[key] > 1]}
        accepts = policy[name]["accepts"]
        for error, wrong in errors.items():
            if name == "stock":
                yield error, wrong, "an order was not counted" if error == "lost" else "an order was counted twice"
            elif error != accepts:
                yield "wrong value", wrong, f"mail accepts {accepts!r}, and this one is {error}"
    if policy["stock"]["accepts"] != "nothing":
        yield "wrong value", [policy["stock"]["accepts"]], "stock can accept no error: either one oversells"
    if policy["mail"]["ids"] and policy["stock"]["ids"]:
        yield "wrong value", ["mail, stock"], "ids are kept for both: that is two rows an order, over the budget"
