"""04-1: read your own write: fresh for who has a receipt, at once for all others, and never a wait without an end."""

from edakit import Lab, Service
from edakit.learn import run_lab

TITLE = "Read your own write"
TASK = """
Write the handler `page(request, ctx)` of the order page: it returns the status of the order `request.key`. Its copy is
`await ctx.db.get(request.key, {"version": 1, "status": "open"})`, and is late by nothing, by a second, or by an outage.

Who has just changed the order sends the version on her receipt, `request.data["at_least"]`. She must not see anything older: wait for it,
at least 0.3 seconds, and then return `"pending"`; she must have an answer within 0.5 seconds. Who sends no version gets what the copy has,
within 0.1 seconds. The owner could be asked with `ctx.call("orders", {}, timeout=1)`, but it is not to be: its load is why there is a copy.
"""
ANSWER = "page"
STUB = """
async def page(request, ctx):
    ...
"""
SOLUTION = """
async def page(request, ctx):
    wanted, end = request.data.get("at_least", 0), ctx.now + 0.4
    while True:
        found = await ctx.db.get(request.key, {"version": 1, "status": "open"})
        if found["version"] >= wanted:
            return found["status"]
        if ctx.now > end:
            return "pending"
        await ctx.sleep(0.01)
"""
SKELETON = """
async def page(request, ctx):
    wanted, end = request.data.get("at_least", 0), ctx.now + ____
    while True:
        found = await ctx.db.get(request.key, {"version": 1, "status": "open"})
        if ____:                                            # new enough for this reader
            return found["status"]
        if ctx.now > end:
            return ____                                     # honest, and not old
        await ctx.sleep(0.01)
"""
WRONG = {
    "reads the copy": ("stale", {'found["version"] >= wanted': "True"}),
    "waits without a limit": ("stuck", {"ctx.now > end": "False"}),
    "sleeps, then reads": (
        "stale",
        """
async def page(request, ctx):
    if "at_least" in request.data:
        await ctx.sleep(0.45)
    return (await ctx.db.get(request.key, {"version": 1, "status": "open"}))["status"]
""",
    ),
    "asks the owner": (
        "wrong value",
        """
async def page(request, ctx):
    return (await ctx.call("orders", {}, timeout=1))["status"]
""",
    ),
    "gives up and shows what it has": ("stale", {'return "pending"': 'return found["status"]'}),
    "says pending at once": ("wrong value", {"ctx.now > end": "True"}),
    "waits for exactly that version": (
        "wrong value",
        {">= wanted": "== wanted", '"at_least", 0': '"at_least", found["version"]'},
    ),
    "lets all wait": (
        "wrong value",
        {
            'wanted, end = request.data.get("at_least", 0)': 'await ctx.sleep(0.35)\n    wanted, end = request.data.get("at_least", 0)',
            "+ 0.4": "+ 0.05",
        },
    ),
    "remembers what it has shown": (
        "stale",
        {
            'found = await ctx.db.get(request.key, {"version": 1, "status": "open"})': (
                'found = ctx.state.get(request.key) or await ctx.db.get(request.key, {"version": 1, "status": "open"})\n'
                "        ctx.state[request.key] = found\n"
                "        wanted = 0 if ctx.now > end else wanted"
            )
        },
    ),
}
NUDGES = {
    "stale": "What does the buyer know that other readers do not, and which line looks at it before the answer leaves?",
    "stuck": "The worker of the copy may be gone for minutes. Who tells this reader?",
    "wrong value": "Who waited, or was sent away, without need? What had the copy at that moment, and who was asked?",
}
CONCEPT = (
    "A session token: the write returns a version, the reader sends it along, and the copy answers only once it has got that far. "
    "The wait has a limit, and behind the limit stands an honest word, not an old one."
)
DISCUSSION = """
The version makes the wait as short as it can be, and only for who needs it. The limit makes it end. "Pending" is an answer that a page can
show. Systems call this token a consistency token, a session token or a causal token.
"""
OTHERS = (
    "look once, and only then begin to wait: the same, and readers without a version never see the loop",
    "let the update wake the reader: a condition in the place of a poll; a crash must not leave it waiting",
)
PLANS = 150
STATUS = {1: "open", 2: "paid", 3: "packed"}
NEVER = 1000


def plan(random):
    events = []
    for n in range(random.randint(1, 4)):
        version = random.choice((2, 3))
        late = random.choice((0, 0.05, 0.15, 0.25, 0.25, 1, NEVER))
        buyer = random.random() < 0.7
        known = version if random.random() < 0.7 else version - 1
        events.append(
            {"order": 42 + n, "version": version, "late": late, "at_least": known if buyer else 0, "twice": random.random() < 0.3}
        )
    return events, []


def trial(answers, case):
    lab, page, orders = Lab(case.seed), Service("page"), Service("orders")
    http, copy = lab.server("http", threads=100), lab.database("copy")
    page.on("order.show")(answers[0])

    @orders.on("order.get")
    async def owner(request, ctx):
        return {"status": STATUS[next(each["version"] for each in case.events if str(each["order"]) == request.key)]}

    lab.deploy(page, on=http, db=copy)
    lab.deploy(orders, on=http)
    for n, event in enumerate(case.events):
        at = 1 + 0.1 * n
        for version in range(2, event["version"] + 1):
            seen = at - 0.5 if version < event["version"] else at + event["late"]
            lab.at(seen, tell, copy, str(event["order"]), version)
        asked = {"at_least": event["at_least"]} if event["at_least"] else {}
        lab.at(at + 0.001, ask, lab, event["order"], asked)
        if event["twice"]:
            lab.at(at + 0.7, ask, lab, event["order"], {"at_least": event["version"]})
    run_lab(lab, case, until=20)
    return judge(case, lab.trace), lab.trace


def tell(copy, key, version):
    copy.apply({key: {"version": version, "status": STATUS[version]}}, "web", None)


def ask(lab, order, data):
    lab.call("page", data, key=order, source="ada" if data else "bob", timeout=10)


def judge(case, trace):
    orders = {str(event["order"]): event for event in case.events}
    stale, stuck, sent_away, slow, strange = [], [], [], [], []
    replies = {row.event.causation: row for row in trace.where("reply") if row.event}
    for row in trace.where("call", place="page"):
        request, reply = row.event, replies.get(row.event.id)
        event, wanted, key = orders[request.key], request.data.get("at_least", 0), f"order {request.key}"
        if reply is None or reply.time - row.time > 0.51:
            stuck.append(key)
            continue
        if reply.note:
            strange.append(f"{key}: {reply.note}")
            continue
        said, took = reply.event.data, reply.time - row.time
        numbers = [number for number, status in STATUS.items() if status == said]
        if said == "pending":
            there = 1 + 0.1 * case.events.index(event) + event["late"]
            late_for = there - row.time if wanted == event["version"] else 0
            sent_away += [key] if not wanted or late_for < 0.3 else []
        elif not numbers:
            strange.append(f"{key}: {said!r}")
        elif numbers[0] < wanted:
            stale.append(key)
        elif not wanted and took > 0.11:
            slow.append(key)
    yield "stuck", stuck, "a reader had no answer within 0.5 seconds"
    yield "stale", stale, "she was shown something older than her receipt"
    asked = [f"order {row.event.key}" for row in trace.where("call", place="orders") if row.event]
    yield "wrong value", asked, "the owner was asked"
    yield "wrong value", sent_away, "told pending, and the copy had it at once or within 0.3 seconds, or she asked for no version"
    yield "wrong value", slow, "who asked for no version had to wait"
    yield "wrong value", strange, "the answer is no status"
