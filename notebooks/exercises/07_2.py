"""07-2: a contract is a set of promises; choosing is a filter and a sort."""

from shop.contracts import CONTRACTS, NEEDS, asked

from edakit import probe
from edakit.probe import NotOffered

TITLE = "Choose by contract"
TASK = """
Write `choose(task, contracts)`: the name of a contract that meets every need of a task. It is checked on generated tasks.

`task` is `{"needs": [...], "days": n}`: what it cannot do without, and for how many days events must be readable again (0: not at all).
`contracts` maps each name to `{"holds": [...], "days": n}`: what a probe found to hold, and the longest it can be told to keep
events. They are listed by how little there is to run, least first: of several that fit, take the first. If none fits, return None.
"""
ANSWER = "choose"
STUB = """
def choose(task, contracts):
    ...
"""
SOLUTION = """
def choose(task, contracts):
    for name, contract in contracts.items():
        if set(task["needs"]) <= set(contract["holds"]) and task["days"] <= contract["days"]:
            return name
"""
SKELETON = """
def choose(task, contracts):
    for name, contract in contracts.items():
        if set(task["needs"]) <= ____ and ____:             # all of it, and for long enough
            return name
"""
WRONG = {
    "the page's rule": (
        "stuck",
        """
def choose(task, contracts):
    return "kafka" if {"durability", "replay"} & set(task["needs"]) else "rabbitmq"
""",
    ),
    "always Kafka": ("stuck", 'def choose(task, contracts):\n    return "kafka"\n'),
    "does not ask for how long": ("lost", {' and task["days"] <= contract["days"]': ""}),
    "one need met is enough": (
        "reordered",
        {'set(task["needs"]) <= set(contract["holds"])': 'set(task["needs"]) & set(contract["holds"])'},
    ),
    "takes the last that fits": ("wrong value", {"contracts.items()": "reversed(contracts.items())"}),
    "something is always best": ("phantom", {"            return name": "            return name\n    return name"}),
    "asks the contract for no more than the task": (
        "wrong value",
        {'set(task["needs"]) <= set(contract["holds"])': 'set(task["needs"]) == set(contract["holds"])'},
    ),
}
NUDGES = {
    "stuck": "One order that fails, and what you have chosen cannot set it aside. Which of the needs is that?",
    "lost": "After how many days does somebody ask, and what is still there?",
    "reordered": "Four workers, and the states of one order out of order. Which need is that?",
    "phantom": "No contract holds all of this, and you have named one. What does the task lose?",
    "wrong value": "Go through the needs of this task, one by one. Then: is there one before it in the list that fits as well?",
}
CONCEPT = (
    "Needs are not preferences: a contract that lacks one is out, however good it is otherwise. So filter first, on every need; "
    "only what is left has a ranking, and there the least to run wins."
)
DISCUSSION = """
Two axes, durability and replay, do not see what most tasks break on: one message that fails, an order that must hold, a filter. With
all axes the choice is a subset test. Sometimes nothing fits: then split the task, a log inside and a queue at the edge.
"""
OTHERS = (
    "build the list of all that fit, and take its first, or None",
    "`next((name for name, each in contracts.items() if ...), None)`",
)
PLANS = 80

DAYS = {  # the longest each can be told to keep what was consumed (see the presets' sources)
    "rabbitmq-stream": 36_500, "kafka": 36_500, "kafka-share": 36_500, "kinesis": 365, "redis-stream": 36_500,
    "eventbridge, kept": 36_500, "eventbridge-custom": 365,
}  # fmt: skip
LEAST_FIRST = (
    "sqs", "sns", "eventbridge", "eventbridge-custom", "eventbridge, kept", "kinesis", "redis-pubsub", "redis-stream",
    "rabbitmq", "rabbitmq-stream", "rabbitmq-quorum", "kafka", "kafka-share",
)  # fmt: skip
MEANS = {
    "order of a key": "reordered",
    "one message alone": "stuck",
    "dead letters": "stuck",
    "replay": "lost",
    "durability": "lost",
}


def known():
    return {
        name: {"holds": [need for need in NEEDS if asked(need, name) == "held"], "days": DAYS.get(name, 0)}
        for name in LEAST_FIRST
    }


def plan(random):
    tasks = []
    for _ in range(random.randint(1, 4)):
        some = known()[random.choice(LEAST_FIRST)]["holds"] if random.random() < 0.9 else list(NEEDS)  # mostly one fits
        needs = random.sample(some, random.randint(1, min(3, len(some))))
        tasks.append({"needs": needs, "days": random.choice([7, 300, 1800]) if "replay" in needs else 0})
    return tasks, []


def fits(task, contract):
    return set(task["needs"]) <= set(contract["holds"]) and task["days"] <= contract["days"]


def trial(answers, case):
    contracts, trace, findings = known(), probe.embedded("sqs").trace, []
    for task in case.events:
        right = next((name for name in LEAST_FIRST if fits(task, contracts[name])), None)
        said = answers[0]({"needs": list(task["needs"]), "days": task["days"]}, known())
        if said == right:
            continue
        anomaly, text, lacking = verdict(task, said, right, contracts)
        trace = seen(said, lacking) if lacking else seen(right or "sqs", task["needs"][0])
        findings.append((anomaly, [f"{', '.join(task['needs'])}; {task['days']} days"], text))
    return findings, trace


def verdict(task, said, right, contracts):
    """What is wrong with a choice: its anomaly, a sentence, the need that is not met."""
    if not isinstance(said, str) or said not in contracts:
        return "wrong value", f"you say {said!r}: {right} holds all of it", ""
    lacking = [need for need in task["needs"] if need not in contracts[said]["holds"]]
    if lacking:
        return (
            ("phantom" if right is None else MEANS.get(lacking[0], "wrong value")),
            f"{said} does not hold: {', '.join(lacking)}",
            lacking[0],
        )
    if task["days"] > contracts[said]["days"]:
        return "lost", f"{said} keeps events for {contracts[said]['days']} days at most", "replay"
    return "wrong value", f"{said} fits, and {right} does too, with less to run", ""


def seen(contract, need):
    """The run in which a contract shows what it makes of a need."""
    options = {**CONTRACTS[contract]}
    system = probe.embedded(options.pop("like"), **options)
    try:
        NEEDS[need].probe.scenario(system)
    except NotOffered:  # what came before is the story
        system.wait(1)
    return system.trace
