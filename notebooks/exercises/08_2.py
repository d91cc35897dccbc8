"""08-2: the key names the intent."""

from edakit import Faults, Lab, Retry, Service
from edakit.learn import run_lab

TITLE = "The card is outside"
TASK = """
Write the handler `charge_card(order, ctx)`. The bank is another company, and no transaction of yours reaches it: you call it with
`answer = await ctx.call("bank", {"card": ..., "total": ..., "key": ...}, timeout=1)`, with the card and the total of `order.data`. The
bank charges once for each `key` it is given, and gives the same answer, a receipt, to each later call with that key.

Keep the receipt: `ctx.db.put(f"receipt/{order.key}", answer)`. `order.key` is the number of the order; an order may also be published
again as another event. Payment crashes, answers are lost (`CallError`), acks are lost. In the end the card of each order must be
charged once, and its receipt kept.
"""
ANSWER = "charge_card"
STUB = """
async def charge_card(order, ctx):
    ...
"""
SOLUTION = """
async def charge_card(order, ctx):
    request = {"card": order.data["card"], "total": order.data["total"], "key": f"order-{order.key}"}
    answer = await ctx.call("bank", request, timeout=1)
    await ctx.db.put(f"receipt/{order.key}", answer)
"""
SKELETON = """
async def charge_card(order, ctx):
    request = {"card": order.data["card"], "total": order.data["total"], "key": ____}
    answer = await ctx.call("bank", request, timeout=1)
    await ctx.db.put(____, answer)
"""
KEY = 'f"order-{order.key}"'
WRONG = {
    "a new key for each try": ("duplicate", {KEY: 'f"{order.key}-{ctx.random.random()}"'}),
    "the key of the delivery": ("duplicate", {KEY: 'f"{order.key}-{ctx.delivery.tag}"'}),
    "the event as key": ("duplicate", {KEY: "order.id"}),
    "the card as key": ("lost", {KEY: 'order.data["card"]'}),
    "a mark before the call": (
        "lost",
        {"    request": '    if not await ctx.db.insert_once("asked", order.key):\n        return\n    request'},
    ),
    "swallows the error": (
        "lost",
        {
            '    answer = await ctx.call("bank", request, timeout=1)\n': (
                '    try:\n        answer = await ctx.call("bank", request, timeout=1)\n    except Exception:\n        return\n'
            )
        },
    ),
    "keeps no receipt": ("wrong value", {'    await ctx.db.put(f"receipt/{order.key}", answer)': "    ctx.log(answer)"}),
    "a key that is kept in memory": (
        "duplicate",
        {KEY: 'ctx.state.setdefault(order.key, f"{order.key}-{ctx.random.random()}")'},
    ),
}
NUDGES = {
    "duplicate": "The bank saw two keys. What was the same in both tries, and still is after a crash and in another event?",
    "lost": "What does the second delivery of this order do, and what did the bank know by then?",
    "wrong value": "The card is charged. What have you written down that says so?",
}
CONCEPT = (
    "Beyond your transaction only the other side can recognise a repetition, and only by what you send. So the key names the intent, not "
    "the try, the delivery or the event: it can be computed from the order alone, and each try of the same intent gives the same."
)
DISCUSSION = """
A key that is computed from the order survives everything, because it is stored nowhere. Nothing has to be remembered before the call:
to ask again is harmless, and the answer is the same. (A random key will do, too, if you store it before the first call.)
"""
OTHERS = (
    "look for the receipt first and return if it is there: saves calls, and changes nothing else",
    'a random key, but stored before the call: `ctx.db.put(f"key/{order.key}", ...)` only if there is none',
)
PLANS = 300
AGAIN = Retry(5, backoff=0.5, factor=1)  # a handler that raises is tried at a human pace


def plan(random):
    events = [
        {"order": 42 + n, "card": random.choice(("A", "B")), "total": random.choice((5, 10)), "again": random.random() < 0.25}
        for n in range(random.randint(1, 3))
    ]
    menu = [
        Faults(crash=0.3, where="payment", restart_after=0.1, times=1),
        Faults(drop=0.6, leg="reply", where=("payment", "bank"), times=1),
        Faults(drop=0.6, leg="request", where=("payment", "bank"), times=1),
        Faults(drop=0.7, leg="ack", where=("payment", "shop"), times=1),
    ]
    return events, random.sample(menu, random.randint(0, 2))


def trial(answers, case):
    lab, (charge_card,), payment, bank = Lab(case.seed), answers, Service("payment"), Service("bank")
    books, cards = lab.database("books"), lab.database("cards")
    payment.on("order.placed")(charge_card)

    @bank.on("charge")
    async def charge(request, ctx):
        async with ctx.db.transaction() as tx:
            key = str(request.data["key"])
            if await tx.insert_once("keys", key):
                await tx.add(str(request.data["card"]), request.data["total"])
            return f"receipt of {key}"

    shop, api = lab.broker("shop", ack_timeout=3), lab.server("api", threads=10)
    lab.deploy(bank, on=api, db=cards)
    lab.deploy(payment, on=shop, db=books, prefetch=1, retry=AGAIN)
    for n, order in enumerate(case.events):
        lab.at(n, place, shop, order)
        if order["again"]:
            lab.at(n + 5, place, shop, order)
    run_lab(lab, case, until=60)
    return judge(case, cards.data, books.data), lab.trace


def place(shop, order):
    shop.publish("order.placed", {"card": order["card"], "total": order["total"]}, key=order["order"], source="orders")


def judge(case, cards, books):
    right = {}
    for order in case.events:
        right[order["card"]] = right.get(order["card"], 0) + order["total"]
    found = {card: cards.get(card) or 0 for card in right}
    more, less = (
        [f"card {card}: {found[card]:g}, not {right[card]:g}" for card in right if sign * (found[card] - right[card]) > 0]
        for sign in (1, -1)
    )
    yield "duplicate", more, "a card was charged more than its orders come to"
    yield "lost", less, "a card was charged less than its orders come to"
    kept = [
        str(order["order"]) for order in case.events if not str(books.get(f"receipt/{order['order']}")).startswith("receipt of")
    ]
    yield "wrong value", kept, "the card is charged, and there is no receipt"
