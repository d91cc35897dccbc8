"""11-2: a flag on the order keeps the cancel out while the order is being made; and a flag needs a deadline."""

from shop.cancelling import an_order, both, order_book, order_is_consistent, standing

from edakit import Crash, Lab
from edakit.errors import WiringError
from edakit.learn import run_lab

TITLE = "Cancel against create"
TASK = """
Write the handler `begin(cancel, ctx)` of the order service: the saga that cancels asks it whether it may begin. Return `True`, and it
refunds, puts back, and marks the order; return `False`, and it asks again 0.1 s later, for 10 s; raise `Refused`, and the customer hears
no. In `ctx.db`, "state" is "PENDING" while the order is being made, then "APPROVED"; approving is only done while it is "PENDING". Write
"CANCELLING" there when the cancel begins.

Every cancel must succeed, and once the customer has heard so nothing may be done for the order any more. The leader that makes the order
can die; after `cancel.data["until"]` (compare `ctx.now`) its flag no longer counts. It may come back later.
"""
ANSWER = "begin"
STUB = """
async def begin(cancel, ctx):
    ...
"""
SOLUTION = """
async def begin(cancel, ctx):
    if await ctx.db.get("state") == "PENDING" and ctx.now < cancel.data["until"]:
        return False
    await ctx.db.put("state", "CANCELLING")
    return True
"""
SKELETON = """
async def begin(cancel, ctx):
    if await ctx.db.get("state") == ____ and ctx.now < ____:
        return False
    await ctx.db.put("state", ____)
    return True
"""
WRONG = {
    "refuses while it is pending": (
        "lost",
        {"async def": "from edakit import Refused\n\nasync def", "return False": 'raise Refused("try again")'},
    ),
    "takes the flag down": ("phantom", {'await ctx.db.get("state") == "PENDING" and ctx.now < cancel.data["until"]': "False"}),
    "waits for as long as it takes": ("stuck", {' and ctx.now < cancel.data["until"]': ""}),
    "waits, and leaves the flag up": ("stale", {'    await ctx.db.put("state", "CANCELLING")\n': ""}),
    "waits for the deadline, whatever the state": ("stuck", {'await ctx.db.get("state") == "PENDING" and ': ""}),
}
NUDGES = {
    "stale": "Who wrote last, and what did they believe the state to be?",
    "phantom": "When the customer heard that it is cancelled, who was still at work on the order?",
    "stuck": "Whose flag is it that the cancel waits for, and will anybody ever take it down?",
    "lost": "The customer wanted to cancel. Which of your lines ended that, or made it wait too long?",
}
CONCEPT = (
    "A semantic lock: the state of the order is the flag. Who finds another's flag up waits; a flag whose owner may be dead has a "
    "deadline; and the owner looks at the flag before the last write, since it may come back late."
)
DISCUSSION = """
While the flag is up the cancel asks again; when it is down, or too old, the cancel puts up its own. A leader that comes back finds
"CANCELLING" where it left "PENDING" and goes back itself. The price is the wait; what you must choose is the deadline: longer than a good
order takes, shorter than a customer's patience. (Look and write may be two statements here only because approving is the very last step:
whoever slips in between has nothing left to do. Where that is not so, hold the row, as scene 6 does.)
"""
OTHERS = (
    "take the flag down at once, if the business can live with a charge that appears after the cancel and goes again",
    "a cancel that is noted on the order, and carried out by the saga that makes it, as its last step: no waiting, one owner",
)
PLANS = 120


def plan(random):
    event = {**an_order(random), "at": round(random.random(), 3), "until": random.choice((3, 4, 5))}
    if random.random() < 0.5:
        return [event], []
    at = round(random.random() * 0.4, 3)
    about = event["until"] - at + random.uniform(-0.3, 0.3)  # when the flag is just too old, or nearly
    back = round(about, 3) if random.random() < 0.7 else None
    return [event], [Crash("create", at=at, restart_after=back)]


def trial(answers, case):
    lab, (begin,) = Lab(case.seed), answers
    event = case.events[0]

    async def asked(cancel, ctx):
        try:
            return await begin(cancel, ctx)
        except (TypeError, ValueError, LookupError, AttributeError, NameError) as mistake:
            raise WiringError(f"begin raised {type(mistake).__name__}: {mistake}") from mistake

    both(lab, "lock, wait", event, event["at"], {**order_book("lock, wait", None), "begin": asked})
    run_lab(lab, case, until=40)
    return judge(lab, event["at"]), lab.trace


def judge(lab, asked):
    state, tea, paid = standing(lab)
    left = f"{state}, {'a tea held' if tea else 'no tea'}, {'charged' if paid else 'not charged'}"
    told = [row.time for row in lab.trace.where("publish") if row.event and row.event.type == "cancel.done"]
    begun = [row.time for row in lab.trace.where("step", place="cancel") if row.note.startswith("done begin")]
    pending = state == "PENDING" or not (told or lab.trace.keys("cancel.refused"))
    yield "stuck", ["42"] if pending else [], "the order is PENDING, and nobody is left who would end it"
    yield "lost", ["42"] if not pending and not told else [], "the customer asked to cancel, and the order stands"
    wrong = [name for name in order_is_consistent(lab) if name != "stuck"] if told else []
    yield "stale", wrong, f"in the end the order is {left}"
    if lab.trace.where("crash"):  # a leader that comes back looks through its steps once more, and that is as it should be
        return
    after = [row.note.split()[1] for row in lab.trace.where("step", place="create") if told and row.time > told[0]]
    yield "phantom", after, "work on the order went on after it was cancelled"
    made = [row.time for row in lab.trace.where("saga", place="create") if row.note.startswith("completed")]
    idle = [begun[0] - max(made[0], asked)] if made and begun else []
    yield (
        "stuck",
        [f"{each:.1f} s" for each in idle if each > 0.6],
        "the order was no longer pending, and the cancel went on waiting",
    )
