"""What stays coupled: twelve messages told apart, an address asked for or carried along, a field with a new name, eight decisions."""

from typing import Any, NamedTuple

from edakit import Crash, Exponential, Lab, Refused, Service, hours
from edakit.errors import CallError


class Message(NamedTuple):
    """A message: its type, to whom it is addressed (nobody: whoever listens), whether it tells of a changed state."""

    type: str
    to: str = ""
    changes_state: bool = True


TWELVE = (
    Message("order.placed"),
    Message("charge.card", to="payment"),
    Message("payment.declined"),
    Message("stock.reserved"),
    Message("day.closed", changes_state=False),
    Message("price.quoted", changes_state=False),
    Message("ship.parcel", to="shipping"),
    Message("parcel.scanned", changes_state=False),
    Message("mail.sent"),
    Message("customer.moved"),
    Message("customer.please_update", to="crm"),
    Message("door.opened", changes_state=False),
)
IRREGULAR = ("sent", "sold", "paid", "bought")


def kind(message: Message) -> str:
    """An event says what has happened (its last word is a past tense) and is addressed to nobody; else it is a command."""
    last = message.type.rpartition(".")[2]
    return "event" if not message.to and (last.endswith("ed") or last in IRREGULAR) else "command"


def sorted_out(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    """Each message with its kind, and for an event whether it tells of a changed state."""
    kinds = {each: kind(each) for each in messages}
    return [
        {"message": each.type, "kind": found, "changes state": each.changes_state if found == "event" else None}
        for each, found in kinds.items()
    ]


DOWN, UP = 10, 20  # seconds: customers dies, and comes back
AWAY = Crash("customers", at=DOWN, restart_after=UP - DOWN)


def delivered(lab: Lab, inside: bool = False, orders: int = 400) -> None:
    """Shipping packs for 0.2 s on average and then needs the address; one customer in ten moves within a second of ordering.

    inside: the address travels in the event; else shipping asks `customers` for it.
    """
    web, shipping, customers = Service("web"), Service("shipping"), Service("customers")
    moves: dict[str, float] = {}  # order -> when its customer moves

    def new_order(n: int, random: Any) -> dict[str, Any]:
        if random.random() < 0.1:
            moves[str(n)] = lab.now + random.random()
        return {"order": n, "address": "old"} if inside else {"order": n}

    def lives_at(order: str, now: float) -> str:
        return "new" if now >= moves.get(order, now + 1) else "old"

    @web.on("order.place")
    async def place(order: Any, ctx: Any) -> None:
        await ctx.publish("order.placed", order.data)

    @shipping.on("order.placed")
    async def ship(order: Any, ctx: Any) -> None:
        await ctx.sleep(ctx.random.expovariate(5))
        try:
            address = order.data.get("address") or await ctx.call("customers", {"order": order.key}, timeout=1)
        except CallError:
            ctx.log("no address")
            return
        ctx.log("shipped" if address == lives_at(order.key, ctx.now) else "old address")

    @customers.on("address.get")
    async def get(question: Any, ctx: Any) -> str:
        return lives_at(question.data["order"], ctx.now)

    api, shop = lab.server("api", threads=1_000), lab.broker("shop", like="rabbitmq")
    lab.deploy(web, on=api, publishes=shop)
    lab.deploy(customers, on=api)
    lab.deploy(shipping, on=shop, prefetch=1_000, concurrency=1_000)
    lab.workload(api, "web", every=Exponential(0.1), count=orders, data=new_order, key="order", source="ada")


def addresses(lab: Lab) -> dict[str, float]:
    """Orders placed in the outage, orders without an address, parcels sent to an old one."""
    placed = lab.trace.where("publish", type="order.placed")
    notes = lab.trace.where("log").counts(by="note")
    return {
        "placed in outage": sum(DOWN <= row.time < UP for row in placed),
        "no address": notes.get("no address", 0),
        "old address": notes.get("old address", 0),
    }


def call_edges(lab: Lab) -> list[str]:
    """Who still asks whom directly, behind the door of the shop."""
    return [f"{edge.source} -> {edge.target}" for edge in lab.topology() if edge.kind == "call" and edge.source != "ada"]


def outgoing(lab: Lab, name: str) -> list[Any]:
    """The arrows that leave a node of the map."""
    return [edge for edge in lab.topology() if edge.source == name]


READERS = ("payment", "fraud", "report")


def renamed(lab: Lab, style: str = "event") -> None:
    """`web` now says `amount` where three readers look for `total`. Events for the report are read at night, eight hours later."""
    web, api, shop = Service("web"), lab.server("api"), lab.broker("shop", like="rabbitmq")

    @web.on("order.place")
    async def place(order: Any, ctx: Any) -> None:
        renamed_order = {"order": order.data["order"], "amount": order.data["total"]}
        if style == "event":
            await ctx.publish("order.placed", renamed_order)
            return
        errors = []
        for name in READERS:
            try:
                await ctx.call(name, renamed_order, timeout=5)
            except CallError as error:
                errors.append(str(error))
        if errors:
            raise Refused(errors[0])

    async def read(order: Any, ctx: Any) -> None:
        if style == "event" and ctx.delivery.place.endswith("report"):
            await ctx.sleep(hours(8))
        ctx.log(f"total {order.data['total']}")

    lab.deploy(web, on=api, publishes=shop)
    for name in READERS:
        reader = Service(name)
        reader.on("order.placed")(read)
        lab.deploy(reader, on=shop if style == "event" else api, on_error="reject")
    lab.call("web", {"order": 42, "total": 9.90}, key=42, source="ada")


def broken(lab: Lab) -> dict[str, Any]:
    """Which readers broke, when the first and the last of them did, and what the producer's caller heard of it."""
    fails = lab.trace.where("fail")
    reply = lab.trace.where("reply", who="ada")[0]
    return {
        "broken": len({row.who for row in fails}),
        "first after s": round(fails[0].time, 3),
        "last after s": round(fails[-1].time, 3),
        "arrows out of web": len(outgoing(lab, "web")),
        "web was told": "an error" if reply.note else "nothing",
    }


class Operation(NamedTuple):
    """Something to decide: is it sensitive (the page asks that), does the caller need the answer to go on, may it be late?"""

    name: str
    sensitive: bool
    needs_answer: bool
    may_be_late: bool


EIGHT = (
    Operation("quote a price", sensitive=False, needs_answer=True, may_be_late=False),
    Operation("log in", sensitive=True, needs_answer=True, may_be_late=False),
    Operation("check stock on the page", sensitive=False, needs_answer=True, may_be_late=False),
    Operation("score for fraud before paying", sensitive=True, needs_answer=True, may_be_late=False),
    Operation("charge the card", sensitive=True, needs_answer=False, may_be_late=True),
    Operation("mail the receipt", sensitive=False, needs_answer=False, may_be_late=True),
    Operation("print the label", sensitive=False, needs_answer=False, may_be_late=True),
    Operation("export the accounts", sensitive=True, needs_answer=False, may_be_late=True),
)


def choose(op: Operation) -> str:
    """Call if the caller cannot go on without the answer, or if late is too late; else announce."""
    return "call" if op.needs_answer or not op.may_be_late else "announce"
