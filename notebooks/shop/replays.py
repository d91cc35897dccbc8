"""A schema changes again and again, each time with the registry's yes. Can the last version read all that lies in the log?"""

from collections.abc import Callable, Iterator
from typing import Any

from edakit import Lab, Service
from edakit.schema import IncompatibleSchema, Registry, check
from shop.schemas import Schema, field, record

ORDER = field("order", "int")
STORY = (record(ORDER, field("a", "int")), record(ORDER), record(ORDER, field("a", "string", default="")))
VALUES = {"int": 1, "long": 1, "double": 1.0, "string": "s"}
KINDS = list(VALUES)
PROPOSALS, MOST = 10, 5  # changes somebody proposes, changes that are made at most

Next = Callable[[Schema], Schema]


def story(random: Any) -> Iterator[Next]:
    """Field a is a number, is dropped, and comes back as text."""
    for schema in STORY[1:]:
        yield lambda last, schema=schema: schema  # type: ignore[misc]


def proposals(random: Any) -> Iterator[Next]:
    """Ten changes somebody might propose, whatever the schema is by then: add, remove, another type. Good names are few."""
    for _ in range(PROPOSALS):
        what, name, kind = random.choice(("add", "add", "remove", "type")), random.choice("abc"), random.choice(KINDS)
        default = {"default": VALUES[kind]} if random.random() < 0.7 else {}

        def change(last: Schema, what: str = what, name: str = name, new: Schema = field(name, kind, **default)) -> Schema:  # noqa: B008
            there = {each["name"]: each for each in last["fields"]}
            if what == "remove":
                return record(*[each for each in last["fields"] if each["name"] != name])
            if (name in there) != (what == "type"):
                return last
            return record(*({**there, name: new}).values())

        yield change


def replay(
    lab: Lab, mode: str = "BACKWARD", kept: int = 6, history: Callable[[Any], Iterator[Next]] = story, first: Schema = STORY[0]
) -> None:
    """Each version that the registry accepts writes one event; then a reader with the last version reads the log from the start.

    kept: events that still lie in the log, counted from the end; history: the changes proposed, `story` or `proposals`.
    """
    registry, log = Registry(mode), lab.stream("orders", like="kafka", start="earliest")
    registry.register("orders", first)
    refused = []
    for change in history(lab.random("proposals")):
        try:
            registry.register("orders", change(registry.latest("orders").schema))
        except IncompatibleSchema as error:
            refused.append(str(error.differences[0].message))
        if len(registry.versions("orders")) > MOST:
            break
    versions = registry.versions("orders")
    for each in versions[-kept:]:
        data = {one["name"]: VALUES[one["type"]] for one in each.schema["fields"]}
        message = registry.encode("orders", data, version=each.version)
        log.publish("order.placed", {"version": each.version, "bytes": message.hex()}, key=each.version, source="web")
    lab.database(
        "registry", {"versions": [each.schema for each in versions], "refused": refused, "kept": min(kept, len(versions))}
    )
    reader = Service("report")

    @reader.on("order.placed")
    async def read(order: Any, ctx: Any) -> None:
        try:
            registry.decode(bytes.fromhex(order.data["bytes"]), version=len(versions))
        except Exception as error:  # noqa: BLE001  (whatever the decoder raises, it is unreadable)
            ctx.log(f"unreadable: v{order.data['version']}: {error}")

    lab.deploy(reader, on=log)


def histories(lab: Lab, mode: str = "BACKWARD", kept: int = 6) -> None:
    """Up to five changes out of ten that somebody proposes by chance, and the replay."""
    replay(lab, mode, kept, history=proposals, first=record(ORDER, field("a", "int")))


def unreadable(lab: Lab) -> list[int]:
    """The versions in the log that the last one cannot read."""
    notes = [row for row in lab.trace.where("log") if row.note.startswith("unreadable") and row.event is not None]
    return [row.event.data["version"] for row in notes if row.event is not None]


def figures(lab: Lab) -> dict[str, float]:
    """For a sweep: changes accepted, and whether some old version cannot be read any more."""
    accepted = len(lab.databases["registry"].data["versions"]) - 1
    return {"accepted changes": accepted, "cannot replay": bool(unreadable(lab))}


def verdicts(mode: str) -> str:
    """The story of field a: what the registry says to each version in a mode."""
    said, old = [], list[Schema]()
    for n, schema in enumerate(STORY, 1):
        found = check(schema, old, mode)
        said.append(f"v{n} {'ok' if not found else f'refused: {found[0].message}'}")
        if not found:
            old.append(schema)
    return ", ".join(said)


def reads_first(lab: Lab) -> str:
    """Whether the last version reads version 1."""
    return "no" if 1 in unreadable(lab) else "yes"


WHY = {
    "yes, neighbours fit": "neighbours were compared, the ends were not",
    "yes, by the default": "a default helps where a field is missing, not where its type is another",
}
