"""10-1: the BACKWARD check for records."""

from edakit import Lab, Service
from edakit.errors import WiringError
from edakit.learn import run_lab
from edakit.schema import check

TITLE = "Can the new reader read it?"
TASK = """
Write `can_read(reader, writer)`. Both are the fields of a record in binary Avro: a dict of names, each with a `"type"` and perhaps a
`"default"`, as in `{"total": {"type": "double", "default": 0.0}}`. It returns a list of the names of the fields that stand in the way:
empty if all that the writer writes can be read.

The rules: a field that only the writer has is skipped. A field that only the reader has needs a default. A field that both have must be
of the same type, or of a wider one at the reader: an `int` can be read as `long`, `float` or `double`, a `long` as `float` or `double`,
a `float` as `double`. There is also `string`.
"""
ANSWER = "can_read"
STUB = """
def can_read(reader, writer):
    ...
"""
SOLUTION = """
WIDER = {"int": ("long", "float", "double"), "long": ("float", "double"), "float": ("double",)}

def can_read(reader, writer):
    reasons = []
    for name, field in reader.items():
        if name not in writer:
            fits = "default" in field
        else:
            wrote = writer[name]["type"]
            fits = field["type"] == wrote or field["type"] in WIDER.get(wrote, ())
        if not fits:
            reasons.append(name)
    return reasons
"""
SKELETON = """
WIDER = {"int": ("long", "float", "double"), "long": ____, "float": ____}

def can_read(reader, writer):
    reasons = []
    for name, field in ____.items():
        if name not in ____:
            fits = ____
        else:
            wrote = writer[name]["type"]
            fits = field["type"] == wrote or ____
        if not fits:
            reasons.append(name)
    return reasons
"""
WRONG = {
    "compares names only": (
        "wrong value",
        {'field["type"] == wrote or field["type"] in WIDER.get(wrote, ())': "True"},
    ),
    "looks at the fields of the writer": (
        "wrong value",
        {"for name, field in reader.items()": "for name, field in writer.items()", "name not in writer": "name not in reader",
         'writer[name]["type"]': 'reader[name]["type"]'},
    ),
    "promotes both ways": (
        "wrong value",
        {"in WIDER.get(wrote, ())": 'in WIDER.get(wrote, ()) or wrote in WIDER.get(field["type"], ())'},
    ),
    "promotes nothing": ("wrong value", {' or field["type"] in WIDER.get(wrote, ())': ""}),
    "promotes one step only": (
        "wrong value",
        {'("long", "float", "double"), "long": ("float", "double")': '("long",), "long": ("float",)'},
    ),
    "a default mends a type": ("wrong value", {"fits = field[": 'fits = "default" in field or field['}),
    "asks no default": ("wrong value", {'fits = "default" in field': "fits = True"}),
    "asks the writer for the default": ("wrong value", {'fits = "default" in field': "fits = False"}),
    "stops at the first": ("wrong value", {"            reasons.append(name)": "            return [name]"}),
}  # fmt: skip
NUDGES = {
    "wrong value": "Look at the field that is named. Does the writer write it? Who holds the default, and whose type must be wider?"
}
CONCEPT = "The reader decides: it goes through its own fields, and for each the bytes must give a value it can take, or it must have one."
DISCUSSION = """
Three cases: skipped, defaulted, promoted. Turn the two arguments round and the same function checks FORWARD; ask it both ways and it
checks FULL; ask it for every old version and it is TRANSITIVE.
"""
OTHERS = (
    'a rank of the numbers, `["int", "long", "float", "double"].index`, in place of the table',
    "`edakit.schema.check`, which knows unions, enums, aliases and named types too",
)
PLANS = 200
TYPES = ("int", "long", "float", "double", "string")


def plan(random):
    def some(names):
        fields = {}
        for name in names:
            default = {"default": None} if random.random() < 0.5 else {}
            fields[name] = {"type": random.choice(TYPES), **default}
        return fields

    def pair():
        both, one, other = (
            random.sample("abcdef", 2),
            random.sample("gh", random.randint(0, 2)),
            random.sample("ij", random.randint(0, 2)),
        )
        return {"reader": some([*both, *one]), "writer": some([*both, *other])}

    return [pair() for _ in range(random.randint(1, 3))], []


DEFAULTS = {"int": 0, "long": 0, "float": 0.0, "double": 0.0, "string": ""}


def avro(fields):
    """The fields as an Avro schema; None stands for the default of the type."""
    made = [
        {"name": name, "type": each["type"], **({"default": DEFAULTS[each["type"]]} if "default" in each else {})}
        for name, each in fields.items()
    ]
    return {"type": "record", "name": "Order", "fields": made}


def given(fields):
    """The fields as the answer gets them."""
    return {name: {**each, **({"default": DEFAULTS[each["type"]]} if "default" in each else {})} for name, each in fields.items()}


def trial(answers, case):
    lab, (can_read,) = Lab(case.seed), answers
    log, registry, found = lab.stream("schemas"), Service("registry"), {}

    @registry.on("schema.proposed")
    async def look(pair, ctx):
        reader, writer = (given(pair.data[who]) for who in ("reader", "writer"))
        try:
            said = can_read(reader, writer)
        except Exception as mistake:
            raise WiringError(f"can_read raised {type(mistake).__name__}: {mistake}") from mistake
        if not isinstance(said, (list, tuple, set)):
            raise WiringError(f"can_read returned {said!r}: give a list of the names of fields")
        found[pair.key] = set(said)
        ctx.log(f"in the way: {', '.join(sorted(map(str, said))) or 'nothing'}")

    lab.deploy(registry, on=log)
    for n, pair in enumerate(case.events, 1):
        log.publish("schema.proposed", pair, key=n, source="team")
    run_lab(lab, case, until=10)
    return judge(case, found), lab.trace


def judge(case, found):
    for n, pair in enumerate(case.events, 1):
        right = {each.where.rpartition("/")[2] for each in check(avro(pair["reader"]), avro(pair["writer"]))}
        said = found.get(str(n), set())
        yield (
            "wrong value",
            [told(pair, name) for name in sorted(right - said)],
            "a field cannot be read, and the answer does not name it",
        )
        yield (
            "wrong value",
            [told(pair, name) for name in sorted(map(str, said - right))],
            "a field can be read, and the answer names it",
        )


def told(pair, name):
    """A field as its writer and its reader have it."""
    sides = []
    for who in ("writer", "reader"):
        each = pair[who].get(name)
        default = "" if each is None else " with a default" if "default" in each else ""
        sides.append(f"{who}: {each['type'] if each else 'none'}{default}")
    return f"{name} ({', '.join(sides)})"
