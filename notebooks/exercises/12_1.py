"""12-1: reserve what is there, and survive somebody who was faster."""

from shop.sourced import bags as fold

from edakit import EventStore, Lab, Service
from edakit.errors import ConflictError, WiringError
from edakit.learn import run_lab

TITLE = "Reserve, if there is enough"
TASK = """
Write `reserve(store, ctx)` for one buyer, who wants `store.wanted` bags of the stream `store.stream`. It reserves them and returns
`True`, or returns `False` if fewer are left. The store is on another machine: you await its calls, and others come in between.

- `await store.load(stream)` returns the events of the stream and its version; `event.data["bags"]` is what each adds or takes.
- `await store.append(stream, [("stock.reserved", {"bags": -3})], expected_version=version)` adds one, and raises `ConflictError`
  (of `edakit.errors`) if the stream is at another version by then.

Try at most five times, then return `False`. Up to three buyers at once, and a warehouse that puts a bag on the shelf at the
worst of moments. What is sold must be there, and who is told yes must find it in the stream, once.
"""
ANSWER = "reserve"
STUB = """
async def reserve(store, ctx):
    ...
"""
SOLUTION = """
from edakit.errors import ConflictError

async def reserve(store, ctx):
    stream, bags = store.stream, store.wanted
    for _ in range(5):
        events, version = await store.load(stream)
        if sum(event.data["bags"] for event in events) < bags:
            return False
        try:
            await store.append(stream, [("stock.reserved", {"bags": -bags})], expected_version=version)
        except ConflictError:
            continue
        return True
    return False
"""
SKELETON = """
from edakit.errors import ConflictError

async def reserve(store, ctx):
    stream, bags = store.stream, store.wanted
    for _ in range(5):
        events, version = await store.load(stream)
        if ____:
            return False
        try:
            await store.append(stream, [("stock.reserved", {"bags": -bags})], expected_version=____)
        except ConflictError:
            ____
        return True
    return False
"""
WRONG = {
    "appends whatever it has read": ("oversold", {", expected_version=version": ""}),
    "appends the old decision at the new version": (
        "oversold",
        {
            "            continue": """            _, version = await store.load(stream)
            await store.append(stream, [("stock.reserved", {"bags": -bags})], expected_version=version)"""
        },
    ),
    "gives up at the first conflict": ("lost", {"            continue": "            return False"}),
    "takes a conflict for a yes": ("phantom", {"            continue": "            return True"}),
    "never gives up": ("stuck", {"for _ in range(5)": "while True"}),
    "does not look": ("oversold", {"< bags": "< 0"}),
    "keeps one bag back": ("lost", {"< bags": "<= bags"}),
    "decides once, before the loop": (
        "oversold",
        """
from edakit.errors import ConflictError

async def reserve(store, ctx):
    stream, bags = store.stream, store.wanted
    events, version = await store.load(stream)
    if sum(event.data["bags"] for event in events) < bags:
        return False
    for _ in range(4):
        try:
            await store.append(stream, [("stock.reserved", {"bags": -bags})], expected_version=version)
            return True
        except ConflictError:
            _, version = await store.load(stream)
    return False
""",
    ),
    "tries twice": ("lost", {"range(5)": "range(2)"}),
    "says yes when it has given up": (
        "phantom",
        {"        return True\n    return False": "        return True\n    return True"},
    ),
}
NUDGES = {
    "oversold": "What had the loser read, and is that still so when it appends?",
    "lost": "There were bags enough. What made you say no: the shelf, or somebody who was faster?",
    "phantom": "Who was told yes? Find their event in the stream.",
    "duplicate": "How many events did one buyer leave behind?",
    "stuck": "Somebody may be faster every time. When do you stop?",
    "wrong value": "Look at what was returned and at what was appended.",
}
CONCEPT = "A decision is as fresh as what it has read. After a conflict, read again and decide again; the append alone is not the decision."
DISCUSSION = """
Load, decide and append belong inside the loop, all three. The limit is there for a thing that everybody wants: then cut the stream,
or let the buyers queue.
"""
OTHERS = ("a snapshot, or a view that knows its version, in place of the sum", "recursion with a counter")
PLANS = 200
TRIES = 5
STREAM = "stock-tea-42"


class Shelf:
    """An event store on another machine: each call takes two milliseconds, and a rival may come after a load."""

    def __init__(self, store, ctx, wanted, rivals):
        self.store, self.ctx, self.wanted, self.rivals = store, ctx, wanted, rivals
        self.stream, self.loads, self.seen = STREAM, 0, store.fold(STREAM, fold)[0]

    async def load(self, stream):
        await self.ctx.sleep(0.001)
        events, version = self.store.load(stream)
        self.seen = sum(event.data["bags"] for event in events)
        self.loads += 1
        self.ctx.log(f"reads {self.seen} bags at version {version}")
        if self.loads <= self.rivals:
            self.store.append(stream, [("tea.stocked", {"bags": 1})])
            self.ctx.log("the warehouse puts one bag there")
        await self.ctx.sleep(0.001)
        return events, version

    async def append(self, stream, events, *, expected_version=None):
        await self.ctx.sleep(0.001)
        try:
            version = self.store.append(stream, events, expected_version=expected_version)
        except ConflictError as conflict:
            self.ctx.log(f"conflict: {conflict}")
            raise
        self.ctx.log(f"appends {', '.join(str(data['bags']) for _, data in events)} as version {version}")
        await self.ctx.sleep(0.001)
        return version


def plan(random):
    buyers = [
        {"buyer": f"b{n}", "bags": random.choice((1, 30, 80, 100)), "at": random.choice((0.01, 0.011, 0.05)), "rivals": 0}
        for n in range(1, random.randint(2, 4))
    ]
    if random.random() < 0.3:
        buyers = [{**buyers[0], "rivals": random.choice((1, 4, 5, 9))}]
    return buyers, []


def trial(answers, case):
    lab, (reserve,), store, told = Lab(case.seed), answers, EventStore(), {}
    api, desk = lab.server("api", threads=10), Service("desk")
    store.append(STREAM, [("tea.stocked", {"bags": 100})])

    @desk.on("sell")
    async def sell(order, ctx):
        shelf = Shelf(store, ctx, order.data["bags"], order.data["rivals"])
        try:
            said = await reserve(shelf, ctx)
        except ConflictError as conflict:
            said = f"ConflictError: {conflict}"
        except (TypeError, ValueError, KeyError, AttributeError) as mistake:
            raise WiringError(f"reserve raised {type(mistake).__name__}: {mistake}") from mistake
        ctx.log(f"is told {said!r}")
        told[order.data["buyer"]] = (said, shelf.loads, shelf.seen)

    lab.deploy(desk, on=api)
    for order in case.events:
        lab.at(order["at"], call, lab, order)
    run_lab(lab, case, until=5)
    left = store.fold(STREAM, fold)[0]
    sold = [event for event in store.read(STREAM) if event.type != "tea.stocked"]
    store.close()
    return judge(case, told, left, sold), lab.trace


def call(lab, order):
    lab.call("desk", order, key=order["buyer"], source=order["buyer"], timeout=10)


def judge(case, told, left, sold):
    wants = {order["buyer"]: order["bags"] for order in case.events}
    yes = [buyer for buyer, (said, _, _) in told.items() if said is True]
    yield "oversold", ["tea-42"] if left < 0 else [], f"{left} bags are left"
    over = [buyer for buyer, (_, loads, _) in told.items() if loads > TRIES]
    yield "stuck", [*over, *(wants.keys() - told.keys())], "it tried more than five times"
    no = [buyer for buyer, (said, loads, seen) in told.items() if said is not True and seen >= wants[buyer] and loads < TRIES]
    yield "lost", no, "bags enough were there, and the buyer was sent away before the fifth try"
    missing = sum(wants[buyer] for buyer in yes) + sum(event.data["bags"] for event in sold)
    yield "phantom", yes if missing > 0 else [], "more was promised than the stream has"
    yield "duplicate", ["tea-42"] if missing < 0 and left >= 0 else [], "the stream has more than was promised"
    odd = [buyer for buyer, (said, _, _) in told.items() if said not in (True, False)]
    yield "wrong value", odd, "it must return True or False"
    other = [event.type for event in sold if event.type != "stock.reserved"]
    yield "wrong value", other, "the event is called stock.reserved"
