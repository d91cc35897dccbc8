"""Events that come late or twice, and readers that defend themselves: by ids, by versions, by clocks.

All readers of a run hear the same deliveries, so that they can be compared order by order.
"""

from collections.abc import Callable

from edakit import Faults, Lab, Service
from edakit.errors import ArgumentError, known
from edakit.event import Event
from edakit.ordering import VersionGate
from edakit.service import Context

STATES = ("placed", "paid", "shipped")
GAP = 0.5  # seconds between two changes of an order, on average
LATE = 1  # seconds that a late event is late, on average

Admit = Callable[[Event], bool]


def everything() -> Admit:
    """Believe what comes."""
    return lambda event: True


def new_ids() -> Admit:
    """Drop an event whose id was seen before."""
    seen = set[str]()

    def admit(event: Event) -> bool:
        known = event.id in seen
        seen.add(event.id)
        return not known

    return admit


def higher_version() -> Admit:
    """Drop an event unless its version is higher than any before, of the same order."""
    gate = VersionGate()
    return lambda event: gate.admit(event.key, event.data["version"])


def higher_clock() -> Admit:
    """The same with the clock of the server that has written the event, in place of a version."""
    gate = VersionGate()
    return lambda event: gate.admit(event.key, event.data["clock"])


class Book:
    """What one reader knows of each order: the state it was told last, and the sum of the packets it was told of."""

    def __init__(self, admit: Admit) -> None:
        self.admit, self.state, self.packets = admit, dict[str, str](), dict[str, int]()

    def take(self, event: Event) -> None:
        """Hear an event."""
        if self.admit(event):
            self.state[str(event.key)] = event.data["state"]
            self.packets[str(event.key)] = self.packets.get(str(event.key), 0) + event.data["packets"]


DEFENCES = {"none": everything, "ids": new_ids, "version": higher_version}
FAULTS = {
    "nothing": (0, 0),
    "twice": (0.05, 0),
    "late": (0, 0.1),
    "both": (0.05, 0.1),
}  # share of acks lost, share of events late


def order_states(lab: Lab, fault: str = "nothing", skew: float = 0, count: int = 50) -> None:
    """Orders that change twice. fault: events that leave a second late on average; acks that are lost, so that the event comes a second
    time a second later; or both. skew: seconds by which the clocks of the four web servers are off.
    """
    if fault not in FAULTS:
        raise ArgumentError(known("fault", fault, list(FAULTS)))
    again, late = FAULTS[fault]
    shop, desk = lab.broker("shop", like="rabbitmq", ack_timeout=1), Service("desk")

    @desk.on("order.*")
    async def hear(event: Event, ctx: Context) -> None:
        books = ctx.state or {name: Book(make()) for name, make in {**DEFENCES, "clock": higher_clock}.items()}
        ctx.state.update(books)
        for book in books.values():
            book.take(event)

    lab.deploy(desk, on=shop, prefetch=1000)
    lab.faults(Faults(drop=again, leg="ack"))
    random, drift = lab.random("customers"), lab.random("clocks")
    off, placed = [skew * drift.gauss(0, 1) for _ in range(4)], 0.0
    for order in range(1, count + 1):
        placed += random.expovariate(10)
        time = placed
        for version, state in enumerate(STATES, 1):
            data = {"order": order, "version": version, "state": state, "packets": random.randint(1, 9)}
            clock = round(time + off[random.randrange(4)], 6)
            wait = random.expovariate(1 / LATE) if random.random() < late else 0
            lab.at(time + wait, shop.publish, f"order.{state}", {**data, "clock": clock}, order)
            time += random.expovariate(1 / GAP)


def book_of(lab: Lab, defence: str) -> Book:
    """What the reader with that defence knows at the end."""
    found: Book = lab.instances["desk"].state[defence]
    return found


def wrong_states(lab: Lab, defence: str) -> list[str]:
    """The orders whose last state is wrong in that book."""
    return [key for key, state in book_of(lab, defence).state.items() if state != STATES[-1]]


def wrong_sums(lab: Lab, defence: str) -> list[str]:
    """The orders whose packets are wrong in that book."""
    truth: dict[str, int] = {}
    for event in lab.trace.events():
        truth[str(event.key)] = truth.get(str(event.key), 0) + event.data["packets"]
    return [key for key, packets in book_of(lab, defence).packets.items() if packets != truth[key]]


def wrong(lab: Lab) -> dict[str, float]:
    """Orders that are wrong at the end, in per cent: their states and their sums, for each defence; and their states by the clock."""
    orders = len(lab.trace.events()) / len(STATES) / 100
    states = {f"states, {name}": len(wrong_states(lab, name)) / orders for name in (*DEFENCES, "clock")}
    return states | {f"steps, {name}": len(wrong_sums(lab, name)) / orders for name in DEFENCES}
