"""06-2: a key is a lane; who stops one event stops those behind it, and nobody else."""

from edakit import Faults, Lab, Service
from edakit.learn import run_lab

TITLE = "Park by key"
TASK = """
Write the handler `on_event(event, ctx)` of a consumer that reads an ordered stream. `await apply(event, ctx)` writes an event
into the books; for an event it cannot read it raises `ValueError`, every time.

No event may be applied after one of the same key is missing. Such an event and all later ones of its key go aside, in order:
each is kept with `ctx.db.put(f"letter/{event.id}", event.data)`. The events of all other keys must be applied. The consumer
crashes now and then; `ctx.db` survives, `ctx.state` does not.
"""
ANSWER = "on_event"
STUB = """
from shop.lanes import apply

async def on_event(event, ctx):
    ...
"""
SOLUTION = """
from shop.lanes import apply

async def on_event(event, ctx):
    if not await ctx.db.get(f"parked/{event.key}"):
        try:
            return await apply(event, ctx)
        except ValueError:
            pass
    async with ctx.db.transaction() as tx:
        await tx.put(f"parked/{event.key}", True)
        await tx.put(f"letter/{event.id}", event.data)
"""
SKELETON = """
from shop.lanes import apply

async def on_event(event, ctx):
    if not await ctx.db.get(____):
        try:
            return await apply(event, ctx)
        except ValueError:
            pass
    async with ctx.db.transaction() as tx:
        await tx.put(____, True)
        await tx.put(f"letter/{event.id}", event.data)
"""
WRONG = {
    "sets only the poison aside": ("reordered", {'        await tx.put(f"parked/{event.key}", True)\n': ""}),
    "raises for ever": ("stuck", {"            pass": "            raise"}),
    "keeps the parked keys in memory": (
        "reordered",
        {
            'await ctx.db.get(f"parked/{event.key}")': 'ctx.state.get(f"parked/{event.key}")',
            'await tx.put(f"parked/{event.key}", True)': 'ctx.state[f"parked/{event.key}"] = True',
        },
    ),
    "parks the event, not its key": ("reordered", {"parked/{event.key}": "parked/{event.id}"}),
    "parks everybody": ("lost", {"parked/{event.key}": "parked"}),
    "forgets what comes later": (
        "lost",
        {
            '    if not await ctx.db.get(f"parked/{event.key}"):\n': (
                '    if await ctx.db.get(f"parked/{event.key}"):\n        return\n    if True:\n'
            )
        },
    ),
    "swallows the error": (
        "lost",
        """
from shop.lanes import apply

async def on_event(event, ctx):
    try:
        await apply(event, ctx)
    except ValueError:
        ctx.log("cannot read it")
""",
    ),
    "gives a key a second chance": (
        "reordered",
        {
            'await tx.put(f"parked/{event.key}", True)': 'await tx.put(f"parked/{event.key}", not await tx.get(f"parked/{event.key}"))'
        },
    ),
}
NUDGES = {
    "reordered": "What must the next event of this key know, and does that survive until it comes?",
    "stuck": "Who waits behind the event that cannot be applied, and what have they to do with it?",
    "lost": "This event is neither in the books nor aside. Whose key is it, and which of your lines saw it last?",
}
CONCEPT = (
    "A key is a lane of its own. When one event stops, its lane stops, in order and in a place that survives a crash; the other lanes "
    "go on. So the first thing a handler asks is whether the lane is closed."
)
DISCUSSION = """
The marker of the key is asked for first and written in the same breath as the letter. What it costs: a read for each event, a table that
somebody must empty, and a way to release a key: apply its letters in order, then take the marker away. What it gives: a small, named set
of orders stands still, instead of a whole partition or of nothing at all.
"""
OTHERS = (
    "marker and letter in two statements, if a crash between them only means that the event comes again",
    "a set of parked keys under one name: one read, but all keys then share it",
)
PLANS = 150


def plan(random):
    events, steps = [], {}
    for _ in range(random.randint(2, 10)):
        key = random.choice("ABC")
        steps[key] = steps.get(key, 0) + 1
        events.append({"key": key, "step": steps[key], "total": "9,90" if random.random() < 0.2 else "9.90"})
    faults = [Faults(crash=0.2, where="books", restart_after=0.02, times=2)] if random.random() < 0.5 else []
    return events, faults


def trial(answers, case):
    lab, (on_event,), books = Lab(case.seed), answers, Service("books")
    stream, aside = lab.stream("payments", partitions=1, session_timeout=0.05), lab.database("aside")
    books.on("step.paid")(on_event)
    lab.deploy(books, on=stream, db=aside)
    for event in case.events:
        stream.publish("step.paid", {"step": event["step"], "total": event["total"]}, key=event["key"], source="orders")
    run_lab(lab, case, until=1)
    return judge(lab.trace, aside.data, stream.lag("books")), lab.trace


def judge(trace, aside, lag):
    events = [row.event for row in trace.where("append")]
    if lag:
        yield "stuck", [event.id for event in events[-lag:]], "the consumer never gets to this event"
        return
    applied = [row.event.id for row in trace.where("log", note="applied")]
    closed, over = set(), []
    for event in events:
        if "," in event.data["total"]:
            closed.add(event.key)
        elif event.key in closed and event.id in applied:
            over.append(event.id)
    yield "reordered", over, "an event was applied although an earlier one of its key is missing"
    kept = [event.id for event in events if event.id in applied or aside.get(f"letter/{event.id}") == event.data]
    yield "lost", [event.id for event in events if event.id not in kept], "an event is neither in the books nor aside"
    healthy = {event.key for event in events} - closed
    stopped = [event.id for event in events if event.key in healthy and event.id not in applied]
    yield "lost", stopped, "an event was not applied, and nothing is wrong with its key"
    firsts = [event.id for event in events if event.id not in applied and not before(event, events)]
    yield "lost", firsts, "an event was set aside before anything of its key went wrong"


def before(event, events):
    """Whether this event, or one of its key before it, cannot be read."""
    return any("," in each.data["total"] for each in events[: events.index(event) + 1] if each.key == event.key)
