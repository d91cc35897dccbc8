"""01-2: accepted is not done, and both can be said."""

from edakit import Crash, Exponential, Faults, Hold, Lab, Partition, Service
from edakit.learn import run_lab

TITLE = "Say 202 and mean it"
TASK = """
Write two services. `web` answers Ada over HTTP: for `buy` it publishes `order.placed` and returns `{"status": 202}` within 0.05 s;
for `status` it returns "pending", "paid" or "declined". `watcher` hears what payment publishes later, `payment.processed` or
`payment.declined`, and both share a database, `ctx.db`. The key of every event and request is the order number.

Who says 202 promises that the order is in the shop. The check cuts the links, crashes `watcher`, and asks for the status all the time.
"""
ANSWER = "web, watcher"
STUB = """
from edakit import Service

web, watcher = Service("web"), Service("watcher")

@web.on("buy")
async def buy(order, ctx):
    ...

@web.on("status")
async def status(question, ctx):
    ...

@watcher.on("...")
async def note(event, ctx):
    ...
"""
SOLUTION = """
from edakit import Service

web, watcher = Service("web"), Service("watcher")

@web.on("buy")
async def buy(order, ctx):
    await ctx.publish("order.placed", order.data)
    return {"status": 202}

@web.on("status")
async def status(question, ctx):
    return await ctx.db.get(question.key, "pending")

@watcher.on("payment.processed")
async def paid(event, ctx):
    await ctx.db.put(event.key, "paid")

@watcher.on("payment.declined")
async def declined(event, ctx):
    await ctx.db.put(event.key, "declined")
"""
SKELETON = """
@web.on("buy")
async def buy(order, ctx):
    await ctx.publish("order.placed", ____)
    return ____

@web.on("status")
async def status(question, ctx):
    return await ctx.db.get(question.key, "____")

@watcher.on("payment.____")
async def paid(event, ctx):
    await ctx.db.put(event.key, "____")
"""
WRONG = {
    "answers although the broker has not confirmed": (
        "lost",
        {
            '    await ctx.publish("order.placed", order.data)\n': (
                '    try:\n        await ctx.publish("order.placed", order.data)\n    except TimeoutError:\n        pass\n'
            )
        },
    ),
    "waits for payment": (
        "wrong value",
        {
            '    return {"status": 202}': (
                '    while not await ctx.db.get(order.key):\n        await ctx.sleep(0.01)\n    return {"status": 202}'
            )
        },
    ),
    "says paid at once": ("phantom", {'question.key, "pending"': 'question.key, "paid"'}),
    "does not hear of a decline": ("stuck", {'"payment.declined"': '"payment.refused"'}),
    "writes pending after it has published": (
        "stuck",
        {'    return {"status": 202}': '    await ctx.db.put(order.key, "pending")\n    return {"status": 202}'},
    ),
    "publishes again when no confirm comes": (
        "duplicate",
        {
            '    await ctx.publish("order.placed", order.data)\n': (
                '    try:\n        await ctx.publish("order.placed", order.data)\n    except TimeoutError:\n'
                '        await ctx.publish("order.placed", order.data)\n'
            )
        },
    ),
    "keeps the status in memory": (
        "stuck",
        {
            "ctx.db.put(event.key, ": "remember(ctx, event.key, ",
            "web, watcher =": """
async def remember(ctx, key, value):
    ctx.state[key] = value

web, watcher =""",
        },
    ),
}
NUDGES = {
    "lost": "Ada was told 202, and the shop has never heard of the order. What did you know at the moment you answered?",
    "duplicate": "No confirm came, and you published again. What if the first one had arrived, and only its confirm was lost?",
    "phantom": "Which event entitles you to that word, and had it happened when Ada asked?",
    "stuck": "The outcome is known, and Ada still reads something else. Who writes it down, and who may write over it?",
    "wrong value": "What is the most you can say within 0.05 s, and be right?",
}
CONCEPT = (
    "Acceptance and outcome are two facts at two times. The answer tells the first as soon as the broker has confirmed it; the second "
    "arrives as an event, is written down by whoever hears it, and is read by whoever asks."
)
DISCUSSION = """
202 is a promise about the order, not about the money, so it waits for one thing only: the broker's confirm. If none comes, no
answer is the honest one: it may be there. Each state is written by the one who knows it, so none writes over a later one.
"""
OTHERS = (
    'write "pending" before publishing, not after: then `status` can also say "unknown" for an order that nobody placed',
    'one handler on "payment.*" that takes the word from `event.type`',
    "an outbox: write order and event in one transaction, and answer; the confirm is then the relay's concern",
)
PLANS = 150


def plan(random):
    events = [
        {"order": 42 + n, "card": "empty" if random.random() < 0.3 else "good", "bank": round(random.expovariate(5), 4)}
        for n in range(random.randint(1, 5))
    ]
    at = random.random() * 0.2
    menu = [
        [],
        [],
        [Partition("web", "shop", at=at, until=at + 0.3)],
        [Hold("shop", "watcher", at=at, until=at + 1)],
        [Crash("watcher", at=at, restart_after=0.5)],
        [Faults(delay=Exponential(0.2), leg="confirm", where=("web", "shop"))],
        [Faults(drop=0.5, leg="confirm", where=("web", "shop"), times=2)],
    ]
    return events, random.choice(menu)


def trial(answers, case):
    lab, (web, watcher) = Lab(case.seed), answers
    api, shop, kept = lab.server("api", threads=100), lab.broker("shop"), lab.database("orders")
    payment, cards = Service("payment"), {str(order["order"]): order for order in case.events}
    web.name, watcher.name = "web", "watcher"

    @payment.on("order.placed")
    async def charge(order, ctx):
        card = cards[order.key]
        await ctx.sleep(card["bank"])
        await ctx.publish("payment.processed" if card["card"] == "good" else "payment.declined", order.data)

    lab.deploy(web, on=api, publishes=shop, db=kept)
    lab.deploy(watcher, on=shop, db=kept, delivery_limit=5)
    lab.deploy(payment, on=shop, concurrency=100, prefetch=100)
    for n, order in enumerate(case.events):
        lab.at(n * 0.05, ask, lab, "web/buy", order["order"])
        for later in (0.02, 0.3, 50):
            lab.at(n * 0.05 + later, ask, lab, "web/status", order["order"])
    run_lab(lab, case, until=60)
    return judge(case, lab.trace), lab.trace


def ask(lab, what, order):
    lab.call(what, {"order": order}, key=order, source="ada", timeout=8)


def judge(case, trace):
    outcomes = {"paid": "payment.processed", "declined": "payment.declined"}
    replies = trace.where("reply", who="ada", note="")
    bought = {row.event.key: row for row in replies if row.event.type == "buy.reply"}
    placed = [row.event.key for row in trace.where("publish", type="order.placed")]
    known = {(row.event.key, row.event.type): row.time for row in trace.where("publish") if row.event.type in outcomes.values()}
    said = [(row.event.key, row.time, row.event.data) for row in replies if row.event.type == "status.reply"]
    last = {key: word for key, _, word in said}
    ends = {key: word for key, _ in known for word, type in outcomes.items() if (key, type) in known}
    yes = [key for key, row in bought.items() if isinstance(row.event.data, dict) and row.event.data.get("status") == 202]

    yield "lost", [key for key in yes if key not in placed], "Ada was told 202, and the broker has no such order"
    yield "duplicate", sorted({key for key in placed if placed.count(key) > 1}), "one click, and the order was placed twice"
    early = [key for key, time, word in said if word in outcomes and known.get((key, outcomes[word]), time + 1) > time]
    yield "phantom", dict.fromkeys(early), "the status said so before it was so"
    yield (
        "stuck",
        [key for key, word in ends.items() if last.get(key) != word],
        "payment is through, and the status never says so",
    )
    odd = [repr(row.event.data) for key, row in bought.items() if key not in yes]
    yield "wrong value", odd, 'buy must return {"status": 202}'
    words = [repr(word) for _, _, word in said if word not in ("pending", "paid", "declined")]
    yield "wrong value", dict.fromkeys(words), 'status must return "pending", "paid" or "declined"'
    if not case.faults:
        slow = [f"{row.time - row.began:.2f} s" for row in bought.values() if row.time - row.began > 0.05]
        yield "wrong value", slow, "Ada waited for her answer; the limit is 0.05 s"
        yield (
            "wrong value",
            [str(o["order"]) for o in case.events if str(o["order"]) not in bought],
            "no answer to buy, and nothing was broken",
        )
