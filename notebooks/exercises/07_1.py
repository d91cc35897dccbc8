"""07-1: what an acknowledgement is of, told from a trace alone."""

from functools import cache

from edakit import probe

TITLE = "Write a probe"
TASK = """
Write `one_alone(trace, bad)`: does this system give one unfinished message back, and only that one? You are not told which system it is.

This has happened: a few orders were published, and `payment` works on all of them at once. All are done but the order with the key
`bad`; there payment crashes, and comes back a second later. An hour has passed, and nobody has touched anything. Return "held" if
`bad` came back alone, "violated" if it brought finished neighbours with it, "not offered" if it never came back.

`trace.where("handle", who="payment")` are the rows of handlers that came to their end, each with its `row.event.key`; "deliver" and
"fetch" rows say that a queue or a log handed something out.
"""
ANSWER = "one_alone"
STUB = """
def one_alone(trace, bad):
    ...
"""
SOLUTION = """
def one_alone(trace, bad):
    done = [row.event.key for row in trace.where("handle", who="payment")]
    if bad not in done:
        return "not offered"
    return "violated" if len(done) > len(set(done)) else "held"
"""
SKELETON = """
def one_alone(trace, bad):
    done = [row.event.key for row in trace.where("handle", who="payment")]
    if ____:                                                # it never came back
        return "not offered"
    return "violated" if ____ else "held"                   # what did the neighbours get?
"""
WRONG = {
    "any second delivery is enough": (
        "duplicate",
        """
def one_alone(trace, bad):
    handed = [row.event.key for row in trace.where(("deliver", "fetch"), who="payment")]
    return "held" if len(handed) > len(set(handed)) else "not offered"
""",
    ),
    "asks only whether it came back": ("duplicate", {'"violated" if len(done) > len(set(done)) else "held"': '"held"'}),
    "asks whether it was handed out": (
        "lost",
        {'trace.where("handle", who="payment")': 'trace.where(("deliver", "fetch"), who="payment")'},
    ),
    "takes missing for held": ("lost", {'return "not offered"': 'return "held"'}),
    "takes missing for violated": ("lost", {'return "not offered"': 'return "violated"'}),
    "looks at queues alone": (
        "duplicate",
        {"    if bad not in done:": '    again = trace.where("requeue")\n    if bad not in done or not again:'},
    ),
    "counts deliveries of the bad one too": (
        "wrong value",
        """
def one_alone(trace, bad):
    handed = [row.event.key for row in trace.where(("deliver", "fetch"), who="payment")]
    done = trace.where("handle", who="payment", key=bad)
    if not len(done):
        return "not offered"
    return "violated" if len(handed) > len(set(handed)) else "held"
""",
    ),
}
NUDGES = {
    "duplicate": "Finished orders were handled a second time, and you have not said so. What did the neighbours get?",
    "lost": "That order was never finished by anybody. Which row would be there if it had been?",
    "wrong value": "The bad order itself comes twice wherever it comes back at all. Whose second time counts?",
}
CONCEPT = (
    "An acknowledgement is of one message or of an offset, all before it included. After a crash you see which: one message comes back, "
    "or it and everything behind it, done or not; or nothing, where nobody waits for an acknowledgement."
)
DISCUSSION = """
Three systems look alike until a consumer dies with one message open. Where the ack is of a message, that one comes back. Where it is of
an offset, the commit cannot pass the open one, and its finished neighbours are handled again. Where there is no ack, it is lost.
"""
OTHERS = (
    "compare the set of keys handled twice with the empty set",
    "count the ends of the others: each more than once is a neighbour that came along",
)
PLANS = 120

LIKES = (
    "rabbitmq",
    "rabbitmq-quorum",
    "sns",
    "sqs",
    "eventbridge-custom",
    "kafka",
    "rabbitmq-stream",
    "redis-pubsub",
    "eventbridge",
)


def plan(random):
    like, count = random.choice(LIKES), random.randint(2, 8)
    bad = random.randint(1, count - 1)
    return [{"order": 41 + n, "bad": n == bad, "like": like} for n in range(1, count + 1)], []


@cache
def right(like):
    return probe.redelivery(like)


def trial(answers, case):
    like, bad = case.events[0]["like"], [str(each["order"]) for each in case.events if each["bad"]]
    system = probe.embedded(like, seed=case.seed)
    if not bad or case.events[-1]["bad"]:  # nothing is open, or nobody stands behind it: no question
        return [], system.trace

    async def charge(order, ctx):
        await ctx.sleep(3 if order.key in bad else 0.1)
        ctx.log(f"{order.key} is charged")

    system.read("payment", charge, at_once=10)
    system.publish([each["order"] for each in case.events])
    system.wait(1.5)
    system.stop("payment")
    system.wait(1)
    system.go_on("payment")
    system.wait(3600)
    said = answers[0](system.trace, bad[0])
    anomaly = {"violated": "duplicate", "not offered": "lost"}.get(right(like), "wrong value")
    wrong = [bad[0]] if said != right(like) else []
    return [(anomaly, wrong, f"on {like} your probe says {said!r}, and it is {right(like)!r}")], system.trace
