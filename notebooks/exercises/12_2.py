"""12-2: a projector that skips nothing and counts nothing twice."""

from shop.skipping import Numbered

from edakit import Crash, Lab, Service
from edakit.learn import run_lab

TITLE = "A view that has everything, once"
TASK = """
Write `follow(table, ctx)`: one poll of a projector. In `ctx.db` it keeps how many orders each customer has, under the key
`orders/<customer>`, and whatever else you need. The table gives ids when a transaction begins and shows its row when it commits:

- `table.above(id)`: the ids of visible rows above one, in order; `table.above(id, below)`: and below another.
- `table.rows[id]`: the customer of a visible row. `table.lowest_open`: the lowest id that is not committed yet (infinity if none,
  which a database does not keep).

`follow` is called ten times a second. The projector may die at any await; it comes back knowing nothing but `ctx.db`, whose calls
are `async with ctx.db.transaction() as tx:` and `await tx.get(key, 0)`, `tx.put(key, value)`, `tx.add(key, 1)`.
"""
ANSWER = "follow"
STUB = """
async def follow(table, ctx):
    ...
"""
SOLUTION = """
async def follow(table, ctx):
    async with ctx.db.transaction() as tx:
        last = await tx.get("position", 0)
        for id in table.above(last, table.lowest_open):
            await tx.add(f"orders/{table.rows[id]}", 1)
            await tx.put("position", id)
"""
SKELETON = """
async def follow(table, ctx):
    async with ctx.db.transaction() as tx:
        last = await tx.get("position", 0)
        for id in table.above(last, ____):
            await tx.add(f"orders/{table.rows[id]}", 1)
            await tx.put("position", ____)
"""
WRONG = {
    "asks for all above the last id": ("lost", {", table.lowest_open": ""}),
    "takes the highest id for its position": (
        "lost",
        {'            await tx.put("position", id)': '        await tx.put("position", table.last)'},
    ),
    "saves the position before the rows": (
        "lost",
        """
async def follow(table, ctx):
    last = await ctx.db.get("position", 0)
    for id in table.above(last, table.lowest_open):
        await ctx.db.put("position", id)
        await ctx.db.add(f"orders/{table.rows[id]}", 1)
""",
    ),
    "saves the rows before the position": (
        "duplicate",
        """
async def follow(table, ctx):
    last = await ctx.db.get("position", 0)
    for id in table.above(last, table.lowest_open):
        await ctx.db.add(f"orders/{table.rows[id]}", 1)
        await ctx.db.put("position", id)
""",
    ),
    "remembers the position itself": (
        "duplicate",
        """
memory = {"last": 0}

async def follow(table, ctx):
    async with ctx.db.transaction() as tx:
        for id in table.above(memory["last"], table.lowest_open):
            await tx.add(f"orders/{table.rows[id]}", 1)
    memory["last"] = id if table.above(memory["last"], table.lowest_open) else memory["last"]
""",
    ),
    "reads from the beginning each time": ("duplicate", {'await tx.get("position", 0)': "0"}),
    "sets the count": ("lost", {"tx.add(": "tx.put("}),
    "stops at the first gap, and moves on": ("lost", {"table.lowest_open": "table.lowest_open + 2"}),
}
NUDGES = {
    "lost": "Compare the ids of the table with those of the view. When was the missing one committed, and what had you seen by then?",
    "duplicate": "The projector died. What did it know when it was back, and what had it written?",
    "phantom": "Whose order is that?",
    "wrong value": "Whose order is that?",
}
CONCEPT = (
    "The order of ids is not the order of commits. Read below the lowest id in flight, and keep the position with the rows, in one "
    "transaction."
)
DISCUSSION = """
Below the lowest open id nothing can appear any more, so a position there is final; the price is to wait for the slowest transaction. In
PostgreSQL the row also keeps its transaction, `pg_current_xact_id()`, and the line is `pg_snapshot_xmin(pg_current_snapshot())`. And the
position is a fact about the view: it is written with it.
"""
OTHERS = ("one number for each row that was counted, in a table of its own (an inbox): no position at all",)
PLANS = 150
POLLS = (0.1, 0.2, 0.3, 0.4, 0.6, 0.7)


def plan(random):
    events = [
        {
            "customer": random.choice(("ada", "grace")),
            "at": round(random.uniform(0, 0.3), 3),
            "takes": random.choice((0.004, 0.04, 0.25)),
        }
        for _ in range(random.randint(1, 6))
    ]
    crashes = [Crash("projector", at=round(0.1 * random.randint(1, 4) + random.uniform(0, 0.012), 4), restart_after=0.05)]
    return sorted(events, key=lambda event: event["at"]), random.choice(([], crashes, crashes))


def trial(answers, case):
    lab, (follow,), table = Lab(case.seed), answers, Numbered()
    api, writer, projector = lab.server("api", threads=20), Service("writer"), Service("projector")

    @writer.on("write")
    async def write(order, ctx):
        id = table.begin()
        ctx.log(f"begins id {id}")
        await ctx.sleep(order.data["takes"])
        table.commit(id, order.data["customer"])
        ctx.log(f"commits id {id}")

    @projector.on("poll")
    async def poll(start, ctx):
        if table.above(0):
            ctx.log(f"polls: ids {table.above(0)} are there")
        await follow(table, ctx)

    lab.deploy(writer, on=api)
    lab.deploy(projector, on=api, db=lab.database("view"))
    for order in case.events:
        lab.at(order["at"], call, lab, "writer", order)
    for time in POLLS:
        lab.at(time, call, lab, "projector", {})
    run_lab(lab, case, until=2)
    return judge(case, lab.databases["view"].data), lab.trace


def call(lab, service, data):
    lab.call(service, data, key=data.get("customer"), source="lab", timeout=5)


def judge(case, view):
    right = {}
    for order in case.events:
        right[order["customer"]] = right.get(order["customer"], 0) + 1
    found = {key.removeprefix("orders/"): count for key, count in view.items() if key.startswith("orders/")}
    odd = [name for name, count in found.items() if name not in right or not isinstance(count, (int, float))]
    yield "wrong value", odd, "that is nobody's count"
    kept = {name: found.get(name, 0) for name in right if name not in odd}
    yield "lost", [name for name, count in kept.items() if count < right[name]], "the view has fewer orders than the table"
    yield "duplicate", [name for name, count in kept.items() if count > right[name]], "the view has more orders than the table"
