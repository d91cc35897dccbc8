"""05-2: steps in place of states: each counts, once, in turn; a hole is asked for."""

from edakit import Faults, Lab, Refused, Service
from edakit.learn import run_lab

TITLE = "Steps, not states"
TASK = """
Now events are steps: "+n packets". Write the handler `add(event, ctx)` of an invoice printer. After each step of an order, 1, 2, 3,
..., it prints the running total, in this order and each once:
`await ctx.publish("total.printed", {"order": ..., "version": ..., "total": ...})`.

`event.data` has `order`, `version`, `packets`; `ctx.state` is a dict of your own. Events come up to a second late, some come twice,
and some are lost. If a step is still missing 2 s after a later one has come, ask for it, and not before:
`await ctx.call("book", {"order": ..., "version": ...}, timeout=5)` returns the data of that step. Up to a hundred handlers run at
once, so a handler may sleep; whatever happens between two of its awaits, others may have done.
"""
ANSWER = "add"
STUB = """
async def add(event, ctx):
    ...
"""
SOLUTION = """
async def add(event, ctx):
    order = ctx.state.setdefault(event.key, {"next": 1, "total": 0, "held": {}})
    held, version = order["held"], event.data["version"]
    held[version] = event.data["packets"]
    if version > order["next"]:
        await ctx.sleep(2)
        for missing in range(order["next"], version):
            if missing not in held:
                step = await ctx.call("book", {"order": event.data["order"], "version": missing}, timeout=5)
                held[missing] = step["packets"]
    while order["next"] in held:
        number = order["next"]
        order["next"] += 1
        order["total"] += held[number]
        await ctx.publish("total.printed", {"order": event.data["order"], "version": number, "total": order["total"]})
"""
SKELETON = """
async def add(event, ctx):
    order = ctx.state.setdefault(event.key, {"next": 1, "total": 0, "held": {}})
    held, version = order["held"], event.data["version"]
    held[version] = event.data["packets"]
    if version > order["next"]:                             # something is missing before it
        await ctx.sleep(____)
        for missing in range(order["next"], version):
            if missing not in held:
                step = await ctx.call("book", {"order": event.data["order"], "version": ____}, timeout=5)
                held[missing] = step["packets"]
    while ____ in held:                                     # all that follows without a gap
        number = order["next"]
        order["next"] += 1                                  # before the await: another handler may come in there
        order["total"] += held[number]
        await ctx.publish("total.printed", {"order": event.data["order"], "version": number, "total": order["total"]})
"""
WRONG = {
    "highest version": (
        "lost",
        """
async def add(event, ctx):
    order = ctx.state.setdefault(event.key, {"highest": 0, "total": 0})
    if event.data["version"] > order["highest"]:
        order["highest"] = event.data["version"]
        order["total"] += event.data["packets"]
        await ctx.publish("total.printed", {**order, "order": event.data["order"], "version": event.data["version"]})
""",
    ),
    "no memory of what has come": (
        "reordered",
        """
async def add(event, ctx):
    ctx.state[event.key] = ctx.state.get(event.key, 0) + event.data["packets"]
    await ctx.publish("total.printed", {"order": event.data["order"], "version": event.data["version"], "total": ctx.state[event.key]})
""",
    ),
    "waits for ever": ("stuck", {"if version > order": "if False and version > order"}),
    "each id once, as it comes": (
        "reordered",
        """
async def add(event, ctx):
    order = ctx.state.setdefault(event.key, {"seen": [], "total": 0})
    if event.id not in order["seen"]:
        order["seen"].append(event.id)
        order["total"] += event.data["packets"]
        await ctx.publish("total.printed", {"order": event.data["order"], "version": event.data["version"], "total": order["total"]})
""",
    ),
    "asks at once": ("phantom", {"        await ctx.sleep(2)\n": ""}),
    "goes on behind the hole": (
        "lost",
        {
            'step = await ctx.call("book", {"order": event.data["order"], "version": missing}, timeout=5)': 'order["next"] = version',
            '                held[missing] = step["packets"]\n': "",
        },
    ),
    "counts after the await": (
        "duplicate",
        {
            '        order["next"] += 1\n        order["total"] += held[number]\n': '        order["total"] += held[number]\n',
            '"total": order["total"]})': '"total": order["total"]})\n        order["next"] += 1',
        },
    ),
}
NUDGES = {
    "lost": "A late step still counts, and a lost one does too. Which line let it go?",
    "duplicate": "The same step was printed twice. How do you know that you have had it, and at which moment did you write that down?",
    "stuck": "A later step is here, and the one before it will not come by itself. Who still has it, and when do you ask?",
    "reordered": "A later step was printed before an earlier one. Where could it have waited?",
    "phantom": "You asked for something that was only late. How long may an event be under way?",
    "wrong value": "Which steps should be in that total, and which were?",
}
CONCEPT = (
    "A resequencer: the number that must come next, a buffer for those that came too early, and a timer for the hole. The numbers also "
    "tell repeats apart, so you need no set of ids."
)
DISCUSSION = """
The expected number, a buffer, a timer: a resequencer. It works because the writer numbers the steps of each order without a hole. Note
where the number goes up: before the await, since a handler that waits is a door through which another one comes in.
"""
OTHERS = (
    '`Resequencer("refetch", timeout=2)` of `edakit.ordering`, kept in `ctx.state`',
    "totals from the book's own numbers, if an invoice only needs the last one: then no hole matters",
)
PLANS = 150


def plan(random):
    events = []
    for order in range(42, 42 + random.randint(1, 2)):
        time = random.random()
        for version in range(1, random.randint(3, 5)):
            fate = random.choice(["", "", "late", "late", "late", "lost"])
            late = round(0.2 + 0.8 * random.random(), 3) if fate == "late" else 0
            step = {"order": order, "version": version, "packets": random.randint(1, 9)}
            events.append({**step, "at": round(time, 3), "late": late, "lost": fate == "lost"})
            time += random.choice([0.001, 0.1, 0.5])
    return events, [Faults(duplicate=0.5, leg="publish", type="packets.*", times=2)] if random.random() < 0.5 else []


def trial(answers, case):
    lab, printer, book, (add,) = Lab(case.seed), Service("printer"), Service("book"), answers
    shop, api = lab.broker("shop"), lab.server("api")
    printer.on("packets.*")(add)
    steps = numbered(case.events)

    @book.on("#")
    async def answer(request, ctx):
        wanted = numbers(request)
        for step in steps:
            if (step["order"], step["version"]) == wanted:
                return step
        raise Refused(f"no step {wanted[1]} of order {wanted[0]}")

    lab.deploy(book, on=api)
    lab.deploy(printer, on=shop, prefetch=100, concurrency=100, on_error="reject")
    for step, event in zip(steps, case.events, strict=True):
        if not event["lost"]:
            lab.at(event["at"] + event["late"], place, shop, step)
    run_lab(lab, case, until=60)
    return judge(steps, case.events, lab.trace), lab.trace


def numbered(events):
    """The steps of each order, numbered without a hole, whichever of them a shorter story has left out."""
    counts, steps = {}, []
    for event in events:
        counts[event["order"]] = counts.get(event["order"], 0) + 1
        steps.append({"order": event["order"], "version": counts[event["order"]], "packets": event["packets"]})
    return steps


def numbers(event):
    """The order and the step that an event of the learner speaks of; 0 where it does not say."""
    data = event.data if hasattr(event.data, "get") else {}
    order, version = data.get("order"), data.get("version")
    return (order if order is not None else 0), version if isinstance(version, int) else 0


def place(shop, step):
    shop.publish(f"packets.step{step['version']}", step, key=step["order"], source="orders")


def judge(steps, events, trace):
    truth, totals, there = {}, {}, {}
    for step, event in zip(steps, events, strict=True):
        key = str(step["order"])
        totals[key] = totals.get(key, 0) + step["packets"]
        truth.setdefault(key, {})[step["version"]] = totals[key]
        if not event["lost"]:
            there[key] = max(there.get(key, 0), step["version"])
    printed = {key: [] for key in truth}
    for row in trace.where("publish", type="total.printed"):
        order, version = numbers(row.event)
        printed.setdefault(str(order), []).append((version, getattr(row.event.data, "get", {}.get)("total")))
    told = {key: [version for version, _ in each] for key, each in printed.items()}
    yield "duplicate", [key for key, each in told.items() if len(set(each)) < len(each)], "a step was printed twice"
    back = [key for key, each in told.items() if sorted(set(each)) != list(dict.fromkeys(each))]
    yield "reordered", back, "a step was printed after a later one"
    stuck = [key for key, last in there.items() if max(told[key], default=0) < last]
    yield "stuck", stuck, "a later step is there, and nothing was printed for it"
    holes = [key for key, each in told.items() if key not in stuck and len(set(each)) < max(each, default=0)]
    yield "lost", holes, "a step was left out"
    gone = [(step["order"], step["version"]) for step, event in zip(steps, events, strict=True) if event["lost"]]
    asked = [numbers(row.event) for row in trace.where("call")]
    early = [f"order {order}, step {version}" for order, version in asked if (order, version) not in gone]
    yield "phantom", early, "a step was asked for that was only late"
    clean = [key for key in truth if key not in {*back, *stuck, *holes} and len(set(told[key])) == len(told[key])]
    wrong = [key for key in clean if any(truth[key].get(version) != total for version, total in printed[key])]
    yield "wrong value", wrong, "a total is not the sum of its steps"
