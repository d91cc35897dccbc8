"""04-2: two views hear the same facts in different orders and must end alike: one rule, by version."""

from collections.abc import Mapping

from edakit import Lab, Service
from edakit.errors import WiringError
from edakit.learn import run_lab
from edakit.table import clean

TITLE = "Two views, one truth"
TASK = """
Write `merge(old, event)`. Two views, `mail` and `web`, call it for every event of an order: `old` is what it returned last for this order
(None at first), and what it returns now is kept and shown.

`event.data` has `order`, `version` (counted by the owner: 8, 9, 10, ...), `status`, `packets` (how many packets the order has now) and
`clock` (what the clock of the writing machine said). Events come late, out of order, and some come twice. In the end both views must show
`version`, `status` and `packets` of the newest fact of each order.
"""
ANSWER = "merge"
STUB = """
def merge(old, event):
    ...
"""
SOLUTION = """
def merge(old, event):
    if old is None or event.data["version"] > old["version"]:
        return event.data
    return old
"""
SKELETON = """
def merge(old, event):
    if old is None or ____:                                 # newer than what is there
        return event.data
    return ____
"""
WRONG = {
    "last arrival": ("reordered", {'old is None or event.data["version"] > old["version"]': "True"}),
    "newest by the clock": ("stale", {'event.data["version"] > old["version"]': 'event.data["clock"] > old["clock"]'}),
    "first wins": ("stale", {' or event.data["version"] > old["version"]': ""}),
    "adds the packets up": (
        "duplicate",
        {"return event.data": 'return {**event.data, "packets": event.data["packets"] + (old["packets"] if old else 0)}'},
    ),
    "the greatest of each field": (
        "phantom",
        """
def merge(old, event):
    if old is None:
        return event.data
    return {name: max(old[name], event.data[name]) for name in old}
""",
    ),
    "the newest status, whatever the packets": (
        "phantom",
        {"    return old": '    return {**old, "packets": event.data["packets"]}'},
    ),
    "compares versions as text": (
        "stale",
        {'event.data["version"] > old["version"]': 'str(event.data["version"]) > str(old["version"])'},
    ),
    "only the next version": (
        "reordered",
        {'event.data["version"] > old["version"]': 'event.data["version"] == old["version"] + 1'},
    ),
}
NUDGES = {
    "reordered": "In which order did these come at the view, and which of them is the newest?",
    "stale": "The newest fact was there, and something older is shown. By what do you decide, and who counts or measures that?",
    "duplicate": "The packets are how many there are now. What happens if a fact comes twice, or if the one before it has come too?",
    "phantom": "No fact ever said this. From which two did you make it?",
    "wrong value": "What did merge return, and does it have version, status and packets?",
}
CONCEPT = (
    "A rule whose result does not depend on the order or the number of arrivals: the greatest version wins, whole. Taking the maximum "
    "commutes, is associative, and doing it twice changes nothing."
)
DISCUSSION = """
The maximum by a version that the owner counts: any order, any number of copies, the same end. It is the smallest merge that converges, and
it keeps whole facts, so it never shows a mixture. It does not help against a fact that never comes: that is what reconciling is for.
"""
OTHERS = (
    '`max(old or event.data, event.data, key=lambda each: each["version"])`',
    "keep all facts, and show the one with the greatest version: dearer, and the history is there",
)
PLANS = 150
STATUS = ("open", "paid", "packed", "sent", "returned")


def plan(random):
    events = []
    for order in range(42, 42 + random.randint(1, 2)):
        start, time = random.choice((1, 8, 9)), random.random()
        for n in range(random.randint(2, 4)):
            skew = random.choice((0, 0, 0.5, -0.5))
            fact = {"order": order, "version": start + n, "status": STATUS[n], "packets": random.randint(1, 9)}
            late = {view: random.choice((0, 0, 0.3, 0.6)) for view in ("mail", "web")}
            events.append(
                {**fact, "clock": round(time + skew, 3), "at": round(time, 3), "late": late, "twice": random.random() < 0.3}
            )
            time += random.choice((0.05, 0.2))
    return events, []


def trial(answers, case):
    lab, (merge,) = Lab(case.seed), answers
    shop, kept, came = lab.broker("shop"), {"mail": {}, "web": {}}, {"mail": {}, "web": {}}
    late = {(str(event["order"]), event["version"]): event["late"] for event in case.events}
    for name, mine in kept.items():
        service = Service(name)

        @service.on("order.changed")
        async def hear(event, ctx, name=name, mine=mine):
            await ctx.sleep(late[event.key, event.data["version"]][name])
            mine[event.key] = asked(merge, mine.get(event.key), event)
            came[name][event.key] = event.data
            ctx.log(f"shows {mine[event.key]['status']}, version {mine[event.key]['version']}")

        lab.deploy(service, on=shop, prefetch=100, concurrency=100)
    for event in case.events:
        fact = {key: value for key, value in event.items() if key not in ("at", "late", "twice")}
        for n in range(1 + event["twice"]):
            lab.at(event["at"] + n * 0.8, place, shop, fact)
    run_lab(lab, case, until=60)
    return judge(case, kept, came), lab.trace


def asked(merge, old, event):
    """What the rule says. An error of its own is no part of the story."""
    try:
        said = merge(old, event)
    except Exception as mistake:
        before = "nothing (None)" if old is None else f"version {old['version']}"
        raise WiringError(
            f"merge raised {type(mistake).__name__}: {mistake}; old was {before}, the event said version {event.data['version']}"
        ) from mistake
    if not isinstance(said, Mapping) or {"version", "status", "packets"} - said.keys():
        raise WiringError(f"merge returned {clean(said, 80)}: give a dict with version, status and packets, such as event.data")
    return dict(said)


def place(shop, fact):
    shop.publish("order.changed", fact, key=fact["order"], source="orders")


def more(shown, known):
    """Whether it shows more packets than any fact of the order has."""
    packets = shown["packets"]
    return isinstance(packets, (int, float)) and packets > max(fact["packets"] for fact in known)


def judge(case, kept, came):
    def plain(fact):
        return {name: fact[name] for name in ("version", "status", "packets")}

    facts = {}
    for event in case.events:
        facts.setdefault(str(event["order"]), []).append(plain(event))
    found = {"reordered": [], "stale": [], "duplicate": [], "phantom": []}
    for key, known in facts.items():
        newest = max(known, key=lambda fact: fact["version"])
        for name, mine in kept.items():
            shown = plain(mine[key])
            if shown == newest:
                continue
            if shown in known:
                last = shown == plain(came[name][key])
                found["reordered" if last else "stale"].append(f"order {key} at {name}")
            elif shown["version"] == newest["version"] and more(shown, known):
                found["duplicate"].append(f"order {key} at {name}")
            else:
                found["phantom"].append(f"order {key} at {name}")
    yield "reordered", found["reordered"], "it shows what came last, which is not the newest"
    yield "stale", found["stale"], "it shows an older fact, and the newest was there"
    yield "duplicate", found["duplicate"], "it shows more packets than any fact has"
    yield "phantom", found["phantom"], "it shows what no fact has ever said"
