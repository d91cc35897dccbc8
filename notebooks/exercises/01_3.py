"""01-3: state carried by events, and never an older one over a newer."""

from edakit import Crash, Faults, Hold, Lab, Service
from edakit.learn import run_lab

TITLE = "Carry your own copy"
TASK = """
Write the service `shipping`. It hears `customer.moved` (key: the customer; data: `customer`, `version`, `address`) and
`order.placed` (key: the order; data: `order`, `customer`). For each order it publishes one `parcel.shipped` with the data of the
order and the `address` of the customer, within a second, whoever is down; `ctx.db` survives crashes.

The service `customers` answers `ctx.call("customers", {"customer": name}, timeout=...)` with the address, when it is up. A customer
may move several times, and these events can arrive twice or in another order; every move is heard long before the next order.
"""
ANSWER = "shipping"
STUB = """
from edakit import Service

shipping = Service("shipping")

@shipping.on("customer.moved")
async def keep(moved, ctx):
    ...

@shipping.on("order.placed")
async def ship(order, ctx):
    ...
"""
SOLUTION = """
from edakit import Service

shipping = Service("shipping")

@shipping.on("customer.moved")
async def keep(moved, ctx):
    async with ctx.db.transaction() as tx:
        known = await tx.get(moved.key)
        if known is None or moved.data["version"] > known["version"]:
            await tx.put(moved.key, moved.data)

@shipping.on("order.placed")
async def ship(order, ctx):
    known = await ctx.db.get(order.data["customer"])
    await ctx.publish("parcel.shipped", {**order.data, "address": known["address"]})
"""
SKELETON = """
@shipping.on("customer.moved")
async def keep(moved, ctx):
    async with ctx.db.transaction() as tx:
        known = await tx.get(moved.key)
        if known is None or moved.data["version"] > ____:
            await tx.put(moved.key, ____)

@shipping.on("order.placed")
async def ship(order, ctx):
    known = await ctx.db.get(____)
    await ctx.publish("parcel.shipped", {**order.data, "address": ____})
"""
WRONG = {
    "asks customers": (
        "stuck",
        {
            '    known = await ctx.db.get(order.data["customer"])': (
                '    known = {"address": await ctx.call("customers", {"customer": order.data["customer"]}, timeout=5)}'
            )
        },
    ),
    "the last to arrive wins": ("stale", {' or moved.data["version"] > known["version"]': " or True"}),
    "the first to arrive wins": ("stale", {' or moved.data["version"] > known["version"]': ""}),
    "compares the wrong way round": ("stale", {'["version"] > known': '["version"] < known'}),
    "keeps the copy in memory": (
        "stuck",
        """
from edakit import Service

shipping = Service("shipping")

@shipping.on("customer.moved")
async def keep(moved, ctx):
    known = ctx.state.get(moved.key)
    if known is None or moved.data["version"] > known["version"]:
        ctx.state[moved.key] = moved.data

@shipping.on("order.placed")
async def ship(order, ctx):
    known = ctx.state[order.data["customer"]]
    await ctx.publish("parcel.shipped", {**order.data, "address": known["address"]})
""",
    ),
    "ships without an address": ("wrong value", {', "address": known["address"]': ""}),
}
NUDGES = {
    "stale": "In which order did the two moves arrive? Which of them is newer, and how could your code know?",
    "stuck": "What was shipping waiting for, and was it there? What did it know itself at that moment?",
    "duplicate": "One order, two parcels. How often do you publish for one order?",
    "wrong value": "Look at the data of your parcel.shipped. Is the address in it?",
}
CONCEPT = (
    "Keep what you will need, when it is announced. Of two announcements the newer one counts, and that is not the later to arrive: "
    "compare versions, which travel with the event and do not depend on the road."
)
DISCUSSION = """
The copy makes shipping independent of `customers` at the moment of shipping, and the version makes it independent of the order of
arrival. The price: the copy is as old as the last move that has arrived. A parcel can go to the old door in between; the call has
that window too, it is only shorter.
"""
OTHERS = (
    "keep every version under a key of its own and ship to the highest",
    "ask `customers` with a time limit of 0.1 s and fall back on the copy: fresher, and one more thing that can fail",
)
PLANS = 200


def plan(random):
    people = ["Ada", "Ben", "Cleo"][: random.randint(1, 3)]
    events = [
        {
            "type": "customer.moved",
            "at": 0.5 + version * 0.002,
            "customer": name,
            "version": version,
            "address": f"{name} {version}",
        }
        for name in people
        for version in range(1, random.randint(1, 4) + 1)
    ]
    events += [{"type": "order.placed", "at": 3 + n * 0.1, "order": 42 + n, "customer": random.choice(people)} for n in range(3)]
    faults = []
    if random.random() < 0.7:
        faults.append(Faults(reorder=0.6, type="customer.moved", leg=random.choice(["publish", "deliver"])))
    if random.random() < 0.4:
        faults.append(Faults(duplicate=0.4, type="customer.moved", leg="publish"))
    if random.random() < 0.4:
        faults.append(Crash("shipping", at=0.5 + random.random() * 0.05, restart_after=0.3))
    if random.random() < 0.5:
        faults.append(random.choice([Crash("customers", at=2, restart_after=20), Hold("shipping", "customers", at=2, until=22)]))
    return events, faults


def trial(answers, case):
    lab, (shipping,) = Lab(case.seed), answers
    api, shop, customers, latest = lab.server("api"), lab.broker("shop"), Service("customers"), newest(case)
    shipping.name = "shipping"

    @customers.on("address.get")
    async def get(question, ctx):
        await ctx.sleep(0.01)
        return latest.get(question.data["customer"])

    lab.deploy(customers, on=api)
    lab.deploy(shipping, on=shop, db=lab.database("copies"), delivery_limit=5)
    for event in case.events:
        lab.at(event["at"], publish, shop, event)
    run_lab(lab, case, until=60)
    return judge(case, lab.trace), lab.trace


def publish(shop, event):
    data = {name: value for name, value in event.items() if name not in ("type", "at")}
    shop.publish(event["type"], data, key=event.get("order", event["customer"]), source="web")


def newest(case):
    moves = sorted((event["version"], event["customer"], event["address"]) for event in case.events if "version" in event)
    return {customer: address for _, customer, address in moves}


def judge(case, trace):
    latest = newest(case)
    orders = {str(event["order"]): event for event in case.events if event.get("order") and event["customer"] in latest}
    parcels = [(row.event.key, row.time, row.event.data) for row in trace.where("publish", type="parcel.shipped")]
    addresses = {key: data.get("address") if isinstance(data, dict) else None for key, _, data in reversed(parcels)}
    in_time = {key for key, time, _ in parcels if key in orders and time < orders[key]["at"] + 1}
    known = {event["address"] for event in case.events if "version" in event}
    old = [
        key
        for key, address in addresses.items()
        if key in orders and address in known and address != latest[orders[key]["customer"]]
    ]
    yield "stale", old, "a parcel went to an old address"
    yield "stuck", [key for key in orders if key not in in_time], "an order was not shipped within a second"
    sent = [key for key, _, _ in parcels]
    yield "duplicate", [key for key in orders if sent.count(key) > 1], "two parcels for one order"
    odd = [repr(address) for key, address in addresses.items() if key in orders and address not in known]
    yield "wrong value", odd, "a parcel without an address that the customer ever had"
