"""10-2: a rename without one order that cannot be read."""

from math import inf
from random import Random

from edakit import Lab, Service
from edakit.errors import WiringError
from edakit.learn import run_lab

TITLE = "Rename a field while it is in use"
TASK = """
`web` writes orders with a `total`, and `billing` reads it. It shall be called `amount`, and no order may become unreadable. Write
`plan()`: it returns a list of steps, done one after the other. A step is one of these texts, or a tuple of some, which two teams do at
once:

- `"web writes total"`, `"web writes both"`, `"web writes amount"`
- `"billing reads total"`, `"billing reads either"` (whichever is there), `"billing reads amount"`
- `"wait for lag"` (billing has read all that was written before), `"wait for retention"` (no event from before is in the log any more)

A deploy takes its three instances one by one, in any order. Billing may be some seconds behind, and at any time, also afterwards,
somebody may replay what is in the log. In the end web writes only `amount`, and billing reads only `amount`.
"""
ANSWER = "plan"
STUB = """
def plan():
    ...
"""
SOLUTION = """
def plan():
    return [
        "billing reads either",
        "web writes amount",
        "wait for retention",
        "billing reads amount",
    ]
"""
SKELETON = """
def plan():
    return [
        "billing reads ____",
        "web writes ____",
        "wait for ____",
        "billing reads ____",
    ]
"""


def answer(*steps):
    """An answer with these steps."""
    return f"\ndef plan():\n    return {list(steps)!r}\n"


WRONG = {
    "renames in one stage": ("lost", answer(("web writes amount", "billing reads amount"))),
    "web first": ("lost", answer("web writes amount", "wait for retention", "billing reads amount")),
    "billing first": ("lost", answer("billing reads amount", "web writes amount")),
    "takes the old field away too early": ("lost", answer("web writes both", "web writes amount", "billing reads either", "wait for retention", "billing reads amount")),  # noqa: E501
    "expands both at once and stops there": ("wrong value", answer(("web writes both", "billing reads either"))),
    "waits for the lag only": ("stuck", {"wait for retention": "wait for lag"}),
    "leaves the tolerant reader": ("wrong value", answer("billing reads either", "web writes amount")),
    "both fields, but no old event is waited for": ("stuck", answer("web writes both", "wait for lag", "billing reads amount", "web writes amount")),  # noqa: E501
}  # fmt: skip
NUDGES = {
    "lost": "Which version had the web that wrote this order, and which the billing that read it? Could both be running at once?",
    "stuck": "Nobody writes such events any more. But which events are still in the log when somebody replays it?",
    "wrong value": "What do web and billing say when your plan is over? A rename that is not finished has two names for ever.",
}
CONCEPT = "Expand, migrate, contract: first one side can bear both names, then the other side moves, then you wait until the old is gone."
DISCUSSION = """
Two deploys of billing around one of web, and a wait in between: as long as the log keeps events, since old data is a producer that
nobody upgrades. The wait for the lag alone is enough only where nobody ever replays.
"""
OTHERS = (
    '`["web writes both", "wait for retention", "billing reads amount", "web writes amount"]`: the producer bears both names, for as long',
    "a new event type in place of a new field: the same stages, with two types side by side",
)
PLANS = 200
WEB = {f"web writes {what}": what for what in ("total", "both", "amount")}
BILLING = {f"billing reads {what}": what for what in ("total", "either", "amount")}
WAITS = {"wait for lag": 10, "wait for retention": 40}  # seconds
STEP, LAG, RETENTION = 10, 8, 30  # seconds: a deploy, billing is behind at most, events are in the log
INSTANCES = 3


def plan(random):
    def order(n):
        again = random.random() if random.random() < 0.5 else None
        return {"order": 42 + n, "at": random.random(), "lag": random.uniform(0.1, LAG), "again": again}

    return [order(n) for n in range(random.randint(4, 12))], []


def trial(answers, case):
    steps = asked(answers[0])
    random, now = Random(f"10-2/{case.seed}"), STEP
    web, billing = ([[(0.0, "total")] for _ in range(INSTANCES)] for _ in range(2))
    for step in steps:
        parts = [step] if isinstance(step, str) else step
        for part in parts:
            for history in web if part in WEB else billing if part in BILLING else []:
                history.append((now + random.uniform(0, STEP - 1), {**WEB, **BILLING}[part]))
        now += max(WAITS.get(part, STEP) for part in parts)
    return rehearse(case, web, billing, now + STEP, random)


def asked(plan):
    """The steps that the answer gives, or an error that says what is wrong with them."""
    try:
        steps = plan()
    except Exception as mistake:
        raise WiringError(f"plan raised {type(mistake).__name__}: {mistake}") from mistake
    if not isinstance(steps, (list, tuple)) or len(steps) > 20:
        raise WiringError(f"plan returned {str(steps)[:60]}: give a list of up to 20 steps")
    for step in steps:
        for part in step if isinstance(step, (tuple, list)) and step else (step,):
            if not isinstance(part, str) or part not in {**WEB, **BILLING, **WAITS}:
                raise WiringError(f"no step {part!r}; steps are: {', '.join({**WEB, **BILLING, **WAITS})}")
    return steps


def rehearse(case, web, billing, end, random):
    """Orders come all the while and are read a little later; some are read again later, and all that is still there after the end."""
    lab, reader = Lab(case.seed), Service("billing")
    broker = lab.broker("orders")

    @reader.on("order.*")
    async def read(order, ctx):
        found = order.data["fields"]
        wants = of(billing[order.data["reader"]], ctx.now)
        good = wants in found or (wants == "either" and found)
        ctx.log(f"reads {wants}: {'ok' if good else 'unreadable'}")

    def place(each):
        wrote = of(web[random.randrange(INSTANCES)], lab.now)
        fields, placed = ["total", "amount"] if wrote == "both" else [wrote], lab.now
        lab.at(placed + each["lag"], send, "order.placed", each["order"], fields)
        again = placed + each["lag"] + (end - placed) * (each["again"] or 0)
        if each["again"] is not None and again - placed <= RETENTION:
            lab.at(again, send, "order.replayed", each["order"], fields)
        if end + 2 - placed <= RETENTION:
            lab.at(max(end + 2, placed + each["lag"] + 1), send, "order.replayed", each["order"], fields)

    def send(type, number, fields):
        broker.publish(type, {"order": number, "fields": fields, "reader": random.randrange(INSTANCES)}, key=number, source="log")

    lab.deploy(reader, on=broker)
    for each in case.events:
        lab.at(each["at"] * end, place, each)
    run_lab(lab, case, until=end + 30)
    return judge(lab.trace, web, billing), lab.trace


def of(history, now):
    """What an instance does at a time."""
    return max((each for each in history if each[0] <= now), key=lambda each: each[0])[1]


def judge(trace, web, billing):
    bad = [row.event for row in trace.where("log") if row.note.endswith("unreadable")]
    live, again = ([event.key for event in bad if event.type == f"order.{what}"] for what in ("placed", "replayed"))
    yield "lost", live, "billing could not read an order"
    if not live:  # one that was never read is the worse of the two
        yield "stuck", again, "a replay stops at an event that is in the log still"
    left = [
        f"{name} {verb} {of(history, inf)}"
        for name, verb, team in (("web", "writes", web), ("billing", "reads", billing))
        for history in team
        if of(history, inf) != "amount"
    ]
    yield "wrong value", list(dict.fromkeys(left)), "the plan is over, and the rename is not"
