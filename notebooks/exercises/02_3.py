"""02-3: three probes place a system, and redelivery is not replay."""

from functools import cache

from shop.stranger import MOST, SYSTEMS, Stranger, TooMany

from edakit import probe

TITLE = "Probe a stranger"
TASK = """
Write `place(system)`: it finds out what kind of messaging system it was given, and returns `(copy, again, ack)`. copy: True if a
second reader gets a copy of its own, False if the two share. again: True if a reader can have again what it has finished. ack: after
a restart with one message unfinished, and later ones finished, what comes back: that "message" alone, all from its "offset" on, or
"none".

You have `system.join(reader)`, `.publish(1, 2, 3)`, `.handed(reader)` (sorted numbers, since the last look), `.finish(reader, 2, 3)`
or `.finish(reader)` for all it holds, `.restart(reader)` and `.rewind(reader)`: 25 operations in all. A reader that joins may begin
at now; one that holds something unfinished may get nothing more; what is held for long may be handed out again. The name is not
told; the check hands you one system after the other.
"""
ANSWER = "place"
STUB = """
def place(system):
    ...
"""
SOLUTION = """
def place(system):
    system.join("a")
    system.publish(1, 2, 3)
    system.finish("a", 2, 3)
    system.restart("a")
    back = system.handed("a")
    ack = "none" if not back else "message" if back == [1] else "offset"
    system.finish("a")
    system.rewind("a")
    again = bool(system.handed("a"))
    system.finish("a")
    system.join("b")
    system.publish(4)
    copy = 4 in system.handed("a") and 4 in system.handed("b")
    return copy, again, ack
"""
SKELETON = """
def place(system):
    system.join("a")
    system.publish(1, 2, 3)
    system.finish("a", ____)                    # leave the first unfinished
    system.restart("a")
    back = system.handed("a")
    ack = "none" if not back else "message" if back == ____ else "offset"
    system.finish("a")                          # acknowledge before you look again
    system.rewind("a")
    again = bool(system.handed("a"))
    system.finish("a")
    system.join("b")
    system.publish(4)
    copy = ____
    return copy, again, ack
"""
WRONG = {
    "reads the name": (
        "wrong value",
        """
def place(system):
    system.join("a")
    system.publish(1)
    log = "kafka" in system.name or "stream" in system.name
    return True, log, "offset" if log else "message"
""",
    ),
    "takes redelivery for replay": (
        "wrong value",
        {'    system.finish("a")\n    system.rewind("a")\n    again = bool(system.handed("a"))': "    again = bool(back)"},
    ),
    "leaves the last message": ("wrong value", {'"a", 2, 3)': '"a", 1, 2)', "back == [1]": "back == [3]"}),
    "every restart gives back": ("wrong value", {'"none" if not back else ': ""}),
    "asks one reader alone": ("wrong value", {' and 4 in system.handed("b")': ""}),
    "two copies because both have been handed something": (
        "wrong value",
        {
            "publish(4)": "publish(4, 5, 6, 7)",
            '4 in system.handed("a") and 4 in system.handed("b")': 'bool(system.handed("a") and system.handed("b"))',
        },
    ),
    "finishes nothing before the restart": ("wrong value", {'    system.finish("a", 2, 3)\n': ""}),
    "looks until something comes": (
        "stuck",
        {'    back = system.handed("a")': '    back = []\n    while not back:\n        back = system.handed("a")'},
    ),
}
NUDGES = {
    "wrong value": "Which of the three is wrong? What was finished, and what not, when you asked? Redelivery is not replay.",
    "stuck": "Which of your operations waits for something that this system never gives?",
}
CONCEPT = (
    "Redelivery gives back what nobody has acknowledged; replay gives again what somebody has. So finish before you look again. And leave "
    "a message unfinished that others come after: only then do a message and an offset behave differently."
)
DISCUSSION = """
Three probes, no name. Each is an operation and a look, so the same function places a real system behind an adapter. An ack by offset
cannot say "2 and 3, but not 1"; it is a bookmark, and that is what makes replay cheap and a single message hard to retry.
"""
OTHERS = (
    "both readers from the start, if the one that does not hold the message dies",
    "message 1 and 3 finished and 2 not: then an offset gives back 2 and 3",
)
PLANS = 40


@cache
def truth(like):
    """Where the probes of the kit place it."""
    axes = probe.axes({like: SYSTEMS[like]})[0]
    return axes["second reader"] == "copy", axes["yesterday"] == "again", axes["ack"]


def plan(random):
    return [{"system": random.choice(list(SYSTEMS))}], []


def trial(answers, case):
    (place,) = answers
    like = case.events[0]["system"]
    system, found = Stranger(like, case.seed), None
    try:
        found = place(system)
    except TooMany:
        pass
    finally:
        trace = system.lab.trace
        system.lab.close()
    return judge(system, found, truth(like)), trace


def judge(system, found, right):
    spent = system.operations > MOST
    yield "stuck", [f"{MOST} operations"] * spent, "there were not enough operations for your answer"
    if not spent:
        wrong = not isinstance(found, (tuple, list)) or tuple(found) != right
        known = isinstance(found, (tuple, list)) and len(found) == 3 and found[2] in ("message", "offset", "none")
        yield "wrong value", [f"{found!r}"] * (not known), 'the answer is not (copy, again, "message" or "offset" or "none")'
        yield "wrong value", [f"{found!r}, and it is {right!r}"] * (wrong and known), "the stranger is something else"
