"""12-3: forget one customer everywhere, and nobody else."""

from shop.forgetting import customer as fold

from edakit import EventStore, Lab, Service
from edakit.errors import WiringError
from edakit.learn import run_lab

TITLE = "Forget Ada"
TASK = """
Write `erase(store, views, customer)`: afterwards no name of this customer can be read anywhere, every stream still has all its
events and versions, and all other customers are as they were.

`store` is an `EventStore`. A customer's name is personal in the events of the stream `customer-<customer>`: it is encrypted with the
key of the subject `<customer>`. Some streams have a snapshot. `views` is a list of projections of this store, some with names in them,
all caught up.
"""
ANSWER = "erase"
STUB = """
def erase(store, views, customer):
    ...
"""
SOLUTION = """
def erase(store, views, customer):
    store.shred(customer)
    store.drop_snapshots(f"customer-{customer}")
    for view in views:
        view.rebuild()
"""
SKELETON = """
def erase(store, views, customer):
    store.____(customer)
    store.____()
    for view in views:
        view.____()
"""
WRONG = {
    "shreds the store only": (
        "stale",
        {'    store.drop_snapshots(f"customer-{customer}")\n    for view in views:\n        view.rebuild()': ""},
    ),
    "forgets the snapshots": ("stale", {'    store.drop_snapshots(f"customer-{customer}")\n': ""}),
    "forgets the views": ("stale", {"    for view in views:\n        view.rebuild()": ""}),
    "rebuilds before it shreds": (
        "stale",
        """
def erase(store, views, customer):
    for view in views:
        view.rebuild()
    store.drop_snapshots()
    store.shred(customer)
""",
    ),
    "only catches up": ("stale", {"view.rebuild()": "view.catch_up()"}),
    "rebuilds the first view": ("stale", {"for view in views:": "for view in views[:1]:"}),
    "clears the copies and keeps the key": ("wrong value", {"    store.shred(customer)\n": ""}),
    "shreds everybody": (
        "lost",
        {"    store.shred(customer)\n": '    for each in ("ada", "grace", "linus"):\n        store.shred(each)\n'},
    ),
    "writes over her name with another event": (
        "wrong value",
        """
def erase(store, views, customer):
    store.append(f"customer-{customer}", [("customer.renamed", {"name": "<erased>"})])
    store.drop_snapshots()
    for view in views:
        view.rebuild()
""",
    ),
}
NUDGES = {
    "stale": "The key is gone, and the name is still there. Who had copied it before?",
    "lost": "Whose name is missing now, and did they ask to be forgotten?",
    "wrong value": "Read all events from the first. What do they still say?",
}
CONCEPT = (
    "What is derived from personal data is personal data. Shred the key, then throw away or rebuild each copy: snapshots, views."
)
DISCUSSION = """
The list of copies is the answer: snapshots, views, and what this exercise spares you: names of streams, logs, dead letters, backups, and
other services that have read your events. Whether shredding counts as erasure is for a lawyer; views differ by country.
"""
OTHERS = ("drop all snapshots: nothing is lost but time",)
PLANS = 150
PEOPLE = {"ada": "Ada Lovelace", "grace": "Grace Hopper", "linus": "Linus Pauling"}


def plan(random):
    events = [{"customer": "ada", "snapshot": random.random() < 0.5}]
    events += [{"customer": name, "snapshot": random.random() < 0.5} for name in ("grace", "linus") if random.random() < 0.6]
    random.shuffle(events)
    return events, []


def names(view, event):
    return {**view, event.stream: event.data["name"]} if "name" in event.data else view


def count(view, event):
    return view + 1


def parcels(view, event):
    return [*view, f"{event.stream}: {event.data['name']}"] if "name" in event.data else view


def trial(answers, case):
    lab, (erase,), found = Lab(case.seed), answers, []
    api, shop = lab.server("api"), Service("shop")

    @shop.on("erase")
    async def run(request, ctx):
        with EventStore() as store:
            views = opened(store, case.events, ctx)
            before = state(store, views)
            ctx.log("erase ada")
            try:
                erase(store, views, "ada")
            except Exception as mistake:
                raise WiringError(f"erase raised {type(mistake).__name__}: {mistake}") from mistake
            found.extend(judge(before, state(store, views), ctx))

    lab.deploy(shop, on=api)
    lab.call("shop", {}, source="client")
    run_lab(lab, case, until=5)
    return found, lab.trace


def opened(store, events, ctx):
    for who in events:
        stream, name = f"customer-{who['customer']}", PEOPLE[who["customer"]]
        store.append(stream, [("customer.registered", {"name": name})], subject=who["customer"], personal=("name",))
        store.append(stream, [("order.placed", {"total": 9.90})])
        ctx.log(f"{stream} registers")
        if who["snapshot"]:
            store.snapshot(stream, *store.fold(stream, fold), fold="customer-1")
            ctx.log(f"{stream} has a snapshot")
    views = [store.projection("count", count, 0), store.projection("names", names, {}), store.projection("parcels", parcels, [])]
    for view in views:
        view.catch_up()
    return views


def state(store, views):
    """All that can be read, by place."""
    streams = store.streams()
    return {
        "versions": {stream: store.version(stream) for stream in streams},
        "events": {stream: [str(dict(event.data)) for event in store.read(stream)] for stream in streams},
        "snapshots": {stream: str(store.fold(stream, fold, snapshot="customer-1")[0]) for stream in streams},
        "views": {view.name: str(view.state) for view in views},
    }


def judge(before, after, ctx):
    ada = PEOPLE["ada"]
    copies = [f"{kind[:-1]} {place}" for kind in ("snapshots", "views") for place, text in after[kind].items() if ada in text]
    readable = [f"events of {stream}" for stream, texts in after["events"].items() if any(ada in text for text in texts)]
    if copies or readable:
        ctx.log(f"reads {ada} in: {', '.join([*readable, *copies])}")
    gone = [
        f"{name} in {kind}"
        for name, full in PEOPLE.items()
        if name != "ada"
        for kind in ("events", "snapshots", "views")
        if str(before[kind]).count(full) != str(after[kind]).count(full)
    ]
    yield "stale", [] if readable else copies, "her name is still there, in a copy"
    yield "lost", gone, "somebody else was forgotten too"
    yield "wrong value", readable, "her name can still be read from the events"
    changed = [stream for stream, version in after["versions"].items() if before["versions"][stream] != version]
    yield "wrong value", changed, "the stream has another version than before"
