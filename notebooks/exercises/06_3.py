"""06-3: a redrive is a replay."""

from edakit import Faults, Lab, Refused, Service
from edakit.learn import run_lab

TITLE = "Redrive safely"
TASK = """
The bug is mended, and some dead letters can be charged now. Write `redrive(letters, ctx)`: it asks payment to charge each
letter, with `await ctx.call("payment", letter.data, key=..., timeout=2)`, and returns the list of the ids (`letter.id`) that
somebody must look at again.

Payment was asked before, with the id of the letter as key: some of these were charged, and only the answer was lost. For each
key payment charges at most once. Nobody may pay twice; each letter is charged or on the list; payment takes two calls a second
at most. A letter that still cannot be charged makes the call raise, and so do lost messages (all of them `CallError`).
"""
ANSWER = "redrive"
STUB = """
async def redrive(letters, ctx):
    ...
"""
SOLUTION = """
from edakit.errors import CallError

async def redrive(letters, ctx):
    left = []
    for letter in letters:
        try:
            await ctx.call("payment", letter.data, key=letter.id, timeout=2)
        except CallError:
            left.append(letter.id)
        await ctx.sleep(0.5)
    return left
"""
SKELETON = """
from edakit.errors import CallError

async def redrive(letters, ctx):
    left = []
    for letter in letters:
        try:
            await ctx.call("payment", letter.data, key=____, timeout=2)
        except CallError:
            ____
        await ctx.sleep(____)
    return left
"""
WRONG = {
    "a new key": ("duplicate", {"key=letter.id": 'key=f"redrive-{letter.id}"'}),
    "the order as key": ("duplicate", {"key=letter.id": "key=letter.key"}),
    "no pause": ("wrong value", {"        await ctx.sleep(0.5)\n": ""}),
    "all at once": (
        "wrong value",
        """
from edakit.errors import CallError

async def redrive(letters, ctx):
    left = []

    async def one(letter):
        try:
            await ctx.call("payment", letter.data, key=letter.id, timeout=2)
        except CallError:
            left.append(letter.id)

    await ctx.gather(*[one(letter) for letter in letters])
    return left
""",
    ),
    "ends at the first that fails": (
        "lost",
        {"            left.append(letter.id)": "            left.append(letter.id)\n            break"},
    ),
    "forgets what failed": ("lost", {"            left.append(letter.id)": "            pass"}),
    "tries the same one until it works": (
        "stuck",
        """
from edakit.errors import CallError

async def redrive(letters, ctx):
    letters = list(letters)
    while letters:
        try:
            await ctx.call("payment", letters[0].data, key=letters[0].id, timeout=2)
            letters.pop(0)
        except CallError:
            pass
        await ctx.sleep(0.5)
    return []
""",
    ),
    "leaves it all to a person": (
        "stuck",
        """
async def redrive(letters, ctx):
    return [letter.id for letter in letters]
""",
    ),
}
NUDGES = {
    "duplicate": "Did the try that failed perhaps succeed? How can payment know that you mean the same charge?",
    "wrong value": "How many calls can payment take in a second, and how many did it get?",
    "lost": "This letter is not charged, and no list has it. What did your code do when its call raised, and with those behind it?",
    "stuck": "Which letters can be charged now, and what keeps them from it?",
}
CONCEPT = (
    "A redrive is a replay: the same intent under the same id, at a pace the other side can bear, and once; what fails again "
    "goes back on the list."
)
DISCUSSION = """
The id of the letter is the key, so that a charge whose answer was lost is not made again. A pause paces it: those who wait have waited
for days, and the bank has other customers. What fails again goes back on the list, because a letter that is redriven for ever is a
requeue loop with a longer period.
"""
OTHERS = (
    "look first and skip what still cannot be read: fewer calls in vain",
    "ask again with the same key after a time-out, twice at most: it is harmless, and the list gets shorter",
)
PLANS = 150


def plan(random):
    states = ("new", "charged", "broken")
    events = [{"order": 42 + n, "state": random.choice(states)} for n in range(random.randint(1, 6))]
    lossy = Faults(drop=0.5, leg=random.choice(("request", "reply")), where=("desk", "payment"), times=2)
    return events, [lossy] if random.random() < 0.4 else []


def trial(answers, case):
    lab, (redrive,), left = Lab(case.seed), answers, []
    api, desk, payment, ledger = lab.server("api", threads=100), Service("desk"), Service("payment"), lab.database("ledger")
    letters = [letter(lab, event) for event in case.events]
    for event, each in zip(case.events, letters, strict=True):
        if event["state"] == "charged":
            ledger.data.update({f"keys/{each.id}": True, each.key: 1})

    @payment.on("charge")
    async def charge(request, ctx):
        if "," in request.data["total"]:
            raise Refused("cannot read the total")
        async with ctx.db.transaction() as tx:
            if request.key is None or await tx.insert_once("keys", request.key):
                await tx.add(str(request.data["order"]), 1)

    @desk.on("redrive")
    async def begin(request, ctx):
        left.append(await redrive(list(letters), ctx))

    lab.deploy(payment, on=api, db=ledger)
    lab.deploy(desk, on=api)
    lab.call("desk", {}, source="operator", timeout=50)
    run_lab(lab, case, until=60)
    return judge(case, letters, ledger.data, left, lab.trace), lab.trace


def letter(lab, event):
    """A dead letter: the event as it was first sent."""
    total = "9,90" if event["state"] == "broken" else "9.90"
    return lab.event("order.placed", {"order": event["order"], "total": total}, event["order"], "orders", None)


def judge(case, letters, ledger, left, trace):
    yield "duplicate", [each.id for each in letters if ledger.get(each.key, 0) > 1], "an order was charged twice"
    times = [row.time for row in trace.where("call", place="payment")]
    fast = [f"{times[n + 2] - times[n]:.2f} s for three" for n in range(len(times) - 2) if times[n + 2] - times[n] < 0.99]
    yield "wrong value", fast[:1], "payment was called more than twice in a second"
    if not left:
        raised = trace.where("fail", who="desk")
        yield "lost" if raised else "stuck", ["no list after 60 s"], "redrive never came to its end"
        return
    (named,) = left
    if not isinstance(named, list) or not all(isinstance(each, str) for each in named):
        yield "wrong value", [repr(named)], "redrive must return a list of ids"
        return
    open_ = [each.id for each in letters if not ledger.get(each.key) and each.id not in named]
    yield "lost", open_, "a letter is neither charged nor on the list"
    if not case.faults:
        idle = [
            each.id for each, event in zip(letters, case.events, strict=True) if event["state"] != "broken" and each.id in named
        ]
        yield "stuck", idle, "a letter that can be charged now, with nothing in the way, waits for a person"
