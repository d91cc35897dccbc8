"""What is still there: for a reader who comes late, after a restart, and in an archive."""

from functools import partial
from itertools import pairwise
from typing import Any

from edakit import Lab, Service
from edakit.errors import WiringError, known
from edakit.event import Event
from edakit.presets import PRESETS
from edakit.service import Context
from edakit.sim.streams import Stream
from edakit.units import days, minutes

MINUTE = minutes(1)


def kind(like: str) -> str:
    """Whether a preset is a broker, a stream or a bus. Raises WiringError for any other."""
    fitting = [name for name, preset in PRESETS.items() if preset.kind != "server"]
    if like not in fitting:
        raise WiringError(known("preset that carries events", like, fitting))
    return PRESETS[like].kind


def home(lab: Lab, like: str, **options: Any) -> Any:
    """The broker, stream or bus of a preset."""
    make = {"broker": lab.broker, "stream": lab.stream, "bus": lab.bus}[kind(like)]
    return make("shop", like=like, **options)


def reader(name: str, works: float = 0.01) -> Service:
    """A service that reads orders and takes so many seconds for each."""
    service = Service(name)

    @service.on("order.placed")
    async def read(order: Event, ctx: Context) -> None:
        await ctx.sleep(works)

    return service


def late_reader(lab: Lab, like: str = "kafka", after_days: float = 1 / 1440, keep_days: float = 0, **options: Any) -> None:
    """Payment handles order 42; later analytics is deployed for the first time, and asks for all there was if it can.

    keep_days: the retention of a stream, if not its own.
    """
    kept = {"retention": days(keep_days)} if keep_days and kind(like) == "stream" else {}
    shop = home(lab, like, **kept, **options)
    lab.deploy(reader("payment"), on=shop)
    shop.publish("order.placed", {"order": 42}, key="42")
    lab.at(days(after_days), _join, lab, shop)


def _join(lab: Lab, shop: Any) -> None:
    lab.deploy(reader("analytics"), on=shop)
    if isinstance(shop, Stream):
        shop.seek("analytics", to="earliest")
    elif getattr(shop, "archive", None):
        shop.replay(0, lab.now, rules=["analytics"])


def seen(lab: Lab, who: str = "analytics") -> int:
    """How many orders a reader has handled."""
    return len({row.event.id for row in lab.trace.where("handle", who=who) if row.event})


def restart(lab: Lab, like: str = "rabbitmq", durable: bool = True, persistent: bool = True, orders: int = 1000) -> None:
    """Payment is down, and orders pile up; then what keeps them is restarted, and payment is back.

    durable, persistent: of the queue and of its messages, on RabbitMQ. A log and a bus have no restart here: payment alone is away.
    """
    shop = home(lab, like)
    properties = {"persistent": persistent} if like == "rabbitmq" else {}
    if like == "rabbitmq":
        shop.queue("payment", durable=durable)
    lab.deploy(reader("payment", works=0), on=shop)
    lab.crash("payment", at=1)
    lab.at(2, _publish, shop, orders, properties)
    if kind(like) == "broker":
        lab.crash("shop", at=4, restart_after=2)
    lab.restart("payment", at=60)


def _publish(shop: Any, orders: int, properties: dict[str, Any]) -> None:
    for n in range(1, orders + 1):
        shop.publish("order.placed", {"order": n}, key=n, **properties)


def selling(lab: Lab, confirm: bool = False, orders: int = 1000) -> None:
    """A hundred orders a second for ten seconds, into a durable queue; the broker is down for half a second in the middle.

    confirm: a service places them, waits for the receipt of each and publishes again what has none; else a client sends and forgets.
    """
    shop = lab.broker("shop", like="rabbitmq")
    shop.queue("payment", bind="order.placed")
    if confirm:
        web, api = Service("web"), lab.server("api", threads=orders)

        @web.on("buy")
        async def buy(click: Event, ctx: Context) -> None:
            for _ in range(5):
                try:
                    await ctx.publish("order.placed", click.data)
                except TimeoutError:
                    continue
                return

        lab.deploy(web, on=api, publishes=shop)
        lab.workload(api, "web/buy", every=0.01, count=orders, data=_click, key="order")
    else:
        lab.workload(shop, "order.placed", every=0.01, count=orders, key="order")
    lab.crash("shop", at=5, restart_after=0.5)


def _click(n: int, random: object) -> dict[str, int]:
    return {"order": n}


def waiting(lab: Lab) -> dict[str, int]:
    """The orders that wait in the queue in the end, and how many of them are there twice."""
    events = [row.event.key for row in lab.trace.where("publish", type="order.placed") if row.note and row.event]
    return {"in the queue": len(set(events)), "twice": len(events) - len(set(events))}


def archive_ten_minutes(lab: Lab, orders: int = 600, rules: tuple[str, ...] | None = None, looks: bool = False) -> None:
    """An order a second for ten minutes, to payment and to analytics; ten minutes later all of it is replayed.

    rules: whom the replay is for (None: every rule that matches). looks: payment looks at the name of the replay, and leaves it.
    """
    bus = lab.bus("shop", like="eventbridge", archive=True)
    payment = Service("payment")

    @payment.on("order.placed")
    async def charge(order: Event, ctx: Context) -> None:
        if not (looks and ctx.delivery.replay):
            ctx.log("charged")

    lab.deploy(payment, on=bus)
    lab.deploy(reader("analytics", works=0), on=bus)
    lab.workload(bus, "order.placed", every=1, count=orders, key="order")
    lab.at(orders + 10 * MINUTE, partial(bus.replay, 0, orders + MINUTE, rules=list(rules) if rules else None))


def replayed(lab: Lab) -> list[int]:
    """The numbers of the replayed orders, as they came."""
    return [row.event.data["order"] for row in lab.trace.where("publish") if row.tag and row.event]


def charged_twice(lab: Lab) -> int:
    """Orders that payment charged a second time."""
    return len(lab.trace.where("log", who="payment", note="charged")) - len(lab.trace.keys("order.placed"))


def shuffled(lab: Lab) -> dict[str, float]:
    """A replay in figures: orders back, neighbours the wrong way round, and those of them that are of two minutes."""
    placed = {row.event.data["order"]: row.event.time for row in lab.trace.where("publish") if row.event}
    order = replayed(lab)
    wrong = [(a, b) for a, b in pairwise(order) if a > b]
    across = [pair for pair in wrong if len({placed[n] // MINUTE for n in pair}) == 2]
    return {"back": len(set(order)), "inverted": len(wrong), "across minutes": len(across)}
