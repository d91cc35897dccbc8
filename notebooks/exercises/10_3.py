"""10-3: an upcaster chain that knows what it cannot know."""

from edakit import Lab, Service
from edakit.learn import run_lab

TITLE = "Read four versions as one"
TASK = """
Write `upcast(version, order)`. It gets the version from the envelope and the body of an order, a dict, and returns the order as version
4 has it; other fields may stay. For a version that it does not know it returns `"park"`: somebody will look at it later.

Version 1 has `order` and `total` in euros (`19.99`). Version 2 calls it `amount`. Version 3 has whole `cents` in its place. Version 4
has a `currency` too, which is `None` where nobody knows it. Some old writers put a `schema_version` into the body as well, and did not
always keep it right.
"""
ANSWER = "upcast"
STUB = """
def upcast(version, order):
    ...
"""
SOLUTION = """
def renamed(order):
    return {"order": order["order"], "amount": order["total"]}

def in_cents(order):
    return {"order": order["order"], "cents": round(order["amount"] * 100)}

def with_currency(order):
    return {**order, "currency": None}

STEPS = {1: renamed, 2: in_cents, 3: with_currency}

def upcast(version, order):
    if version > 4:
        return "park"
    for step in range(version, 4):
        order = STEPS[step](order)
    return order
"""
SKELETON = """
def renamed(order):
    return {"order": order["order"], "amount": ____}

def in_cents(order):
    return {"order": order["order"], "cents": ____}

def with_currency(order):
    return {**order, "currency": ____}

STEPS = {1: renamed, 2: in_cents, 3: with_currency}

def upcast(version, order):
    if version > ____:
        return ____
    for step in range(____, ____):
        order = STEPS[step](order)
    return order
"""
WRONG = {
    "invents a currency": ("wrong value", {'"currency": None': '"currency": "EUR"'}),
    "overwrites the currency that is there": ("wrong value", {"range(version, 4)": "range(min(version, 3), 4)"}),
    "takes euros for cents": ("wrong value", {'round(order["amount"] * 100)': 'round(order["amount"])'}),
    "cuts instead of rounding": ("wrong value", {"round(": "int("}),
    "believes the body": (
        "stuck",
        {"    if version > 4": '    version = order.get("schema_version", version)\n    if version > 4'},
    ),
    "hands on what it does not know": ("wrong value", {'        return "park"': "        return order"}),
    "drops what it does not know": ("lost", {'        return "park"': "        return None"}),
    "raises at what it does not know": ("stuck", {'        return "park"': '        raise ValueError("unknown version")'}),
    "parks all that is old": ("stuck", {"    if version > 4": "    if version != 4"}),
}
NUDGES = {
    "wrong value": "What did version 1 know, and what did it not? Take one step at a time: what does the next version call it?",
    "lost": "A version that is unknown today is known tomorrow. Where is the event then?",
    "stuck": "Who waits here, and for what? Which version says the envelope? Could this order be read, or at least those behind it?",
}
CONCEPT = "A step leads from one version to the next and knows no other. The envelope says where to begin, and the chain runs to its end."
DISCUSSION = """
Version 5 needs one more step, and no change of those before. A currency that nobody wrote stays unknown: a guess looks like data and is
never questioned again. And what is newer than the reader is parked, for the reader will be upgraded.
"""
OTHERS = (
    '`registry.upcaster("orders", 1)`, ... of `edakit.schema`: `decode` runs the chain by the id in front of the bytes',
    "one function of three `if version <`: shorter, and harder to test step by step",
)
PLANS = 150
TOTALS = (9.90, 19.99, 0.29, 100.0, 4.35)


def body(random, version, number):
    """An order as a writer of that version writes it."""
    total = random.choice(TOTALS)
    shapes = {1: {"total": total}, 2: {"amount": total}, 3: {"cents": round(total * 100)}}
    found = shapes.get(version, {"cents": round(total * 100), "currency": random.choice(("EUR", "CHF"))})
    if version > 4:
        found = {"price": found}
    stale = {"schema_version": random.choice((1, 2, 3, 4))} if random.random() < 0.3 else {}
    return {"order": number, **found, **stale}


def plan(random):
    versions = [random.choice((1, 2, 3, 4, 4, 5, 6)) for _ in range(random.randint(1, 4))]
    return [{"version": version, "body": body(random, version, 42 + n)} for n, version in enumerate(versions)], []


def current(version, order):
    """What the order is in version 4."""
    euros = order.get("total", order.get("amount"))
    cents = order["cents"] if "cents" in order else round(euros * 100)
    return {"order": order["order"], "cents": cents, "currency": order.get("currency") if version == 4 else None}


def trial(answers, case):
    lab, (upcast,), found = Lab(case.seed), answers, {}
    log, billing = lab.stream("orders"), Service("billing")

    @billing.on("order.placed")
    async def read(order, ctx):
        try:
            found[order.key] = upcast(order.data["version"], dict(order.data["body"]))
        except Exception as mistake:  # noqa: BLE001  (a consumer that raises gets the same event again)
            found[order.key] = mistake
        ctx.log(f"v{order.data['version']} -> {found[order.key]!r}")

    lab.deploy(billing, on=log)
    for each in case.events:
        log.publish("order.placed", each, key=each["body"]["order"], source="web")
    run_lab(lab, case, until=10)
    return judge(case, found), lab.trace


def judge(case, found):
    for each in case.events:
        version, key = each["version"], str(each["body"]["order"])
        said, unknown = found[key], each["version"] > 4
        if isinstance(said, Exception):
            yield (
                "stuck",
                [f"{key} (version {version}: {type(said).__name__}: {said})"],
                "upcast raised, and all behind this order wait",
            )
        elif said is None:
            yield "lost", [f"{key} (version {version})"], "an order was thrown away"
        elif said == "park":
            yield "stuck", [f"{key} (version {version})"] * (not unknown), "an order that can be read waits for a person"
        elif unknown:
            yield "wrong value", [f"{key} (version {version})"], "an order of an unknown version was handed on"
        else:
            right = current(version, each["body"])
            wrong = [
                f"{key}: {name} is {part(said, name)!r}, not {value!r}"
                for name, value in right.items()
                if not same(said, name, value)
            ]
            yield "wrong value", wrong, f"an order of version {version} does not say what its writer knew"


def part(said, name):
    return said.get(name, "missing") if isinstance(said, dict) else said


def same(said, name, value):
    return isinstance(said, dict) and name in said and said[name] == value and type(said[name]) is type(value)
