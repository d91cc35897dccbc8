"""06-1: retry what can heal, park what cannot."""

from edakit import CallTimeout, Crash, Faults, Lab, Service
from edakit.errors import CallError, CallFailed, CallRefused, WiringError
from edakit.learn import run_lab

TITLE = "Retry, or park?"
TASK = """
Write `policy(error, attempt, random)`. Payment asks it each time an order could not be charged, `attempt` being 1 after the
first failure. It returns the seconds to wait before the next try, or `"park"` (a person looks at the order), or `"drop"`
(nobody does).

`ValueError`: the total cannot be read. `CallRefused` and `CallTimeout`: the bank is down or slow, for 30 seconds at most.
`CallFailed`: the bank raised, because of an outage of its own or because this card will never work; payment cannot tell. An
order that can be charged must be, within three minutes; every other must be parked within the hour, one that cannot be read
after one look. And two orders that failed at the same instant must not go on in step.
"""
ANSWER = "policy"
STUB = """
def policy(error, attempt, random):
    ...
"""
SOLUTION = """
def policy(error, attempt, random):
    if isinstance(error, ValueError) or attempt > 10:
        return "park"
    return random.random() * min(30, 2**attempt)
"""
SKELETON = """
def policy(error, attempt, random):
    if isinstance(error, ____) or attempt > ____:
        return ____
    return random.random() * min(____, 2**attempt)
"""
WRONG = {
    "retries everything without end": ("stuck", {"isinstance(error, ValueError) or attempt > 10": "False"}),
    "has no limit for what may heal": ("stuck", {" or attempt > 10": ""}),
    "drops what cannot be read": (
        "lost",
        {'        return "park"': '        return "drop" if isinstance(error, ValueError) else "park"'},
    ),
    "parks at the first failure": ("lost", {" or attempt > 10": " or attempt > 0"}),
    "parks at once when the bank raises": (
        "lost",
        {"isinstance(error, ValueError) or": 'type(error).__name__ in ("ValueError", "CallFailed") or'},
    ),
    "five tries at once": ("lost", {"attempt > 10": "attempt > 4", "random.random() * min(30, 2**attempt)": "0"}),
    "takes the jitter and no more tries": ("lost", {"attempt > 10": "attempt > 4"}),
    "looks at a comma ten times": ("duplicate", {"isinstance(error, ValueError) or ": ""}),
    "doubles without jitter": ("wrong value", {"random.random() * ": ""}),
    "waits ten minutes": ("wrong value", {"min(30, 2**attempt)": "600", "attempt > 10": "attempt > 5"}),
}
NUDGES = {
    "lost": "Could that order have been charged a little later, or looked at by a person? How many seconds did your tries reach?",
    "stuck": "What does your policy say to the tenth failure of the same order, and to the thousandth?",
    "duplicate": "Whose fault is a comma, and whose a time-out? Which of them heals while you wait?",
    "wrong value": "When did the tries of this order come: long after the bank was back, or in step with those of another?",
}
CONCEPT = (
    "Some errors heal by themselves and some do not. Retry the first kind, with waits that grow up to a cap, with jitter, and for longer "
    "than the outage you must survive; park the second kind at once, and the first kind after a limit."
)
DISCUSSION = """
The type of the error decides, and where the type does not tell (the bank raised), the limit does. Full jitter halves the average wait,
so it needs more tries for the same patience. Nothing is dropped: to drop is to decide that nobody will ever ask.
"""
OTHERS = (
    '`Retry(10, backoff=2, longest=30, jitter="full").delay(attempt, random)`, and "park" when it says None',
    "equal jitter: half of each wait fixed, half random; fewer tries are enough",
)
PLANS = 150
MOST = 100  # tries after which nobody will see an end


def plan(random):
    kinds = ("good", "good", "comma", "bad card")
    events = [
        {"order": 42 + n, "kind": random.choice(kinds), "at": random.choice((1, 1, 1, 5, 12))}
        for n in range(random.randint(1, 5))
    ]
    ill = random.choice((0, 0, 0, random.uniform(15, 29)))
    events = [{**event, "ill": round(ill, 3)} for event in events]  # until then the bank raises
    menu = [
        [],
        [Crash("bank", at=0.5, restart_after=random.uniform(20, 29))],
        [Crash("bank", at=0.5, restart_after=29)],
        [Faults(drop=0.5, leg="reply", where=("payment", "bank"), times=2)],
    ]
    return events, random.choice(menu)


def trial(answers, case):
    lab, (policy,) = Lab(case.seed), answers
    api, shop, bank, payment = lab.server("api", threads=100), lab.broker("shop"), Service("bank"), Service("payment")

    @bank.on("pay")
    async def take(request, ctx):
        if ctx.now < request.data["ill"]:
            raise RuntimeError("no database")
        if request.data["kind"] == "bad card":
            raise RuntimeError("no such card")

    @payment.on("order.placed")
    async def charge(order, ctx):
        for attempt in range(1, MOST):
            ctx.log("looks at it")
            try:
                float("9,90" if order.data["kind"] == "comma" else "9.90")
                await ctx.call("bank", order.data, timeout=1)
            except (ValueError, CallError) as error:
                said = asked(policy, known(error), attempt, ctx.random)
            else:
                ctx.log("charged")
                return
            if said in ("park", "drop"):
                ctx.log(f"{said}ed" if said == "park" else "dropped")
                return
            if isinstance(said, (str, bool)) or not isinstance(said, (int, float)) or not 0 <= said < 1e9:
                raise WiringError(f'policy returned {said!r}: give the seconds to wait, 0 or more, or "park" or "drop"')
            await ctx.sleep(said)

    lab.deploy(bank, on=api)
    lab.deploy(payment, on=shop, concurrency=10, prefetch=10, delivery_limit=1)
    for order in case.events:
        lab.at(order["at"], place, shop, {name: value for name, value in order.items() if name != "at"})
    run_lab(lab, case, until=3700)
    return judge(case, lab.trace), lab.trace


def asked(policy, error, attempt, random):
    """What the policy says. An error of its own is no part of the story."""
    try:
        return policy(error, attempt, random)
    except Exception as mistake:
        raise WiringError(f"policy raised {type(mistake).__name__}: {mistake}") from mistake


def known(error):
    """The error as the task names it."""
    plain = {CallRefused: "connection refused", CallTimeout: "no answer", CallFailed: "the bank raised"}
    return next((kind(words) for kind, words in plain.items() if isinstance(error, kind)), error)


def place(shop, order):
    shop.publish("order.placed", order, key=order["order"], source="orders")


def judge(case, trace):
    kinds = {str(order["order"]): order["kind"] for order in case.events}
    looks, end = {key: [] for key in kinds}, {}
    for row in trace.where("log"):
        key = row.event.key
        if row.note == "looks at it":
            looks[key].append(row.time)
        else:
            end[key] = row
    good, bad = [[key for key in kinds if (kinds[key] == "good") == want] for want in (True, False)]
    given_up = [key for key in good if key in end and end[key].note != "charged"]
    yield "lost", given_up, "the bank was back within 30 s, and the order was given up"
    yield (
        "lost",
        [key for key in bad if key in end and end[key].note == "dropped"],
        "an order was dropped, and no person will see it",
    )
    yield "stuck", [key for key in kinds if key not in end], "after an hour the order is neither charged nor parked"
    again = [key for key in kinds if kinds[key] == "comma" and len(looks[key]) > 1]
    yield "duplicate", again, "an order that cannot be read was tried again"
    late = [key for key in good if key in end and key not in given_up and end[key].time - looks[key][0] > 180]
    yield "wrong value", late, "charged more than three minutes after the first try"
    step = [
        f"{one} and {other}"
        for one in kinds
        for other in kinds
        if one < other and len(looks[one]) > 3 < len(looks[other]) and in_step(looks[one], looks[other])
    ]
    yield "wrong value", step, "two orders that failed together try again together, four times"


def in_step(one, other):
    return all(abs(a - b) < 0.001 for a, b in zip(one[:4], other[:4], strict=True))
