"""The writing side of a stream in virtual time: which partition, in what order, and when a producer is told that it is safe."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from edakit.errors import ArgumentError, CallRefused, CallTimeout, WiringError
from edakit.event import Event
from edakit.service import checked_name
from edakit.sim.producers import Sender
from edakit.sim.retention import Retention
from edakit.sim.transactions import Coordinator, Transaction, TransactionalSender
from edakit.sim.world import PATIENCE, Waiter
from edakit.stream.log import Log
from edakit.stream.partition import Hash, partition_for
from edakit.stream.producer import Producer, Sequences
from edakit.trace import service_of
from edakit.units import SECOND

if TYPE_CHECKING:
    from edakit.sim.runtime import SimContext
    from edakit.sim.world import World


class Topic:
    """Partitions and those who write to them."""

    kind = "stream"

    def __init__(self, lab: "World", name: str, partitions: int, sticky: int, segment: int, keep: Retention) -> None:
        if not isinstance(partitions, int) or partitions < 1:
            raise WiringError(f"partitions={partitions!r}: a topic has 1 or more")
        if not isinstance(sticky, int) or sticky < 1:
            raise WiringError(f"sticky={sticky!r}: records without a key in a row to one partition, 1 or more")
        self.lab, self.name = lab, checked_name("topic", name)
        self.kernel, self.network, self.add = lab.kernel, lab.network, lab.trace.add
        self.row = lab.trace.write  # as `add`, with all fields at once
        self.retention = keep if keep.wanted() else None
        self.logs = [self.new_log(n, segment) for n in range(partitions)]
        self.inline = False  # whether what services publish goes through `run_inline`: once anybody has a producer of their own
        self.hash: Hash = partition_for
        self._turn, self._sticky, self._run = 0, sticky, 0
        self.producers: dict[str, Producer] = {}  # by client or service
        self.transactions = Coordinator(self)
        self._senders: dict[str, Sender] = {}  # by client or instance
        self._sequences: dict[int, Sequences] = {}  # by partition
        self._ids = 0

    def producer(self, name: str, producer: Producer) -> None:
        """Let a client or a service publish to this stream as `producer` says: `orders.producer("web", Producer(acks=1, ...))`.

        Without one an event is a batch of its own, sent once and never again. (What an outbox publishes is always sent so.)
        """
        self.lab.check_open("configure a producer")
        if not isinstance(producer, Producer):
            raise ArgumentError(f"producer={producer!r}: give how to send, such as Producer(acks=1, idempotence=False)")
        self.producers[name] = producer
        self.inline = True

    def publish(self, type: str, data: Any = None, key: str | int | None = None, *, source: str = "client") -> Event:
        """Publish from outside, as a client does: the event is on its way when the lab runs."""
        event = self.lab.event(type, data, key, self.lab.client(source), None)
        if source in self.producers:
            self.sender(source, self.producers[source]).publish(event)
        elif quick := self.network.quick:
            quick(self.accept, (event, event.ns))
        else:
            self.network.send("publish", source, self.name, event, self.accept, event, event.ns)
        return event

    async def run_inline(self, event: Event) -> None:
        """Publish for a service, and wait until it is as safe as its producer asks for.

        Raises CallRefused if it was not taken, CallTimeout if that cannot be said.
        """
        producer = self.producers.get(service_of(event.source))
        task, ticket, ns = self.kernel.current, self.kernel.ticket(), self.kernel.ns
        if producer:
            self.sender(event.source, producer).publish(event, (task, ticket))
        else:
            self.network.send("publish", event.source, self.name, event, self.accept, event, ns, (event.source, task, ticket))
            if self.network.disturbed:
                self.kernel.timer(PATIENCE, task, ticket)
        confirm = await self.kernel.park("the broker's confirm")
        if confirm is not True:
            if confirm:
                raise CallRefused(confirm)
            waited = (self.kernel.ns - ns) / SECOND
            raise CallTimeout(f"{self.name} has not confirmed {event.id} within {waited:g} s: it may have it or not")

    def transaction(self, ctx: "SimContext") -> Transaction:
        """Begin a transaction for a handler. Raises WiringError unless its service may have one, and has one handler at once."""
        name, deployment = ctx.instance.service.name, ctx.instance.deployment
        producer = self.producers.get(name)
        if producer is None or not producer.transactional or deployment.concurrency > 1:
            raise WiringError(
                f"{name} has no transactions: it needs {self.name}.producer({name!r}, Producer(transactional=True)) and concurrency=1"
            )
        sender = self.sender(ctx.instance.name, producer)
        assert isinstance(sender, TransactionalSender), "by its producer"
        return Transaction(ctx, sender)

    def sender(self, name: str, producer: Producer) -> Sender:
        """The producer that runs under a name now: that of a dead instance is as dead as it."""
        found = self._senders.get(name)
        if found is None or found.producer is not producer or found.instance is not self.lab.instances.get(name):
            self._ids += 1
            kind = TransactionalSender if producer.transactional else Sender
            found = self._senders[name] = kind(self, name, self._ids, producer)
        return found

    def forget(self, sender: Sender) -> None:
        """Give up a producer that is fenced or has a gap: the next one under its name begins anew."""
        self._senders.pop(sender.name, None)

    def accept(self, event: Event, since: int, confirm: Waiter | None = None) -> None:
        """Append an event to the partition of its key; without a key the partitions take turns."""
        if self.retention:
            self.retention.look(self)
        number = self.partition(event, self._sticky) if event.key is None else self.hash(event.key, len(self.logs))
        log, who = self.logs[number], (confirm and confirm[0]) or event.source  # forwarded, it is not of its source
        self.row((self.kernel.ns, "append", log.place, who, event, log.append(event), since, ""))  # as `write`, without its calls
        if confirm:
            self.lab.confirm(self.name, event, since, *confirm)
        self.written(number)

    def partition(self, event: Event, stick: int) -> int:
        """Where an event goes: by its key; without one where the turn is, for so many records as stick together."""
        if event.key is not None:
            return self.hash(event.key, len(self.logs))
        if self.retention:
            self.retention.refuse(self, event.type)
        if self._run == 0:
            self._turn = (self._turn + 1) % len(self.logs)
        self._run = (self._run + 1) % stick
        return self._turn

    def write(self, number: int, event: Event, since: int) -> None:
        """Append an event to a partition."""
        log = self.logs[number]
        self.add(self.kernel.ns, "append", log.place, event.source, event, log.append(event), since)

    def new_log(self, number: int, segment: int) -> Log:
        """An empty partition."""
        return Log(f"{self.name}/{number}", segment)

    def refuses(self, number: int, acks: object) -> str:
        """Why a partition takes nothing now: a leader that is alone takes all."""
        return ""

    def when_safe(
        self, number: int, acks: object, records: list[tuple[Event, int]], why: str, answer: Callable[[str], object]
    ) -> None:
        """Answer when records are as safe as `acks` asks for: where the leader is alone, now."""
        answer(why)

    def scan(self, number: int, offset: int, most: int, isolation: str) -> Iterable[tuple[int, Event]]:
        """At most so many records of a partition from an offset on, for a reader with this isolation."""
        part = self.transactions.parts.get(number)
        return part.scan(offset, most, isolation) if part else self.logs[number].scan(offset, most)

    def written(self, number: int) -> None:
        """There is something new to read in a partition."""
        raise NotImplementedError

    def sequences(self, number: int) -> Sequences:
        """What a partition knows of its idempotent producers."""
        return self._sequences.setdefault(number, Sequences())

    def clean(self) -> None:
        """Expire and compact now, as the broker does every `check` seconds; with neither switched on nothing changes."""
        self.lab.check_open("clean a stream")
        if self.retention:
            self.retention.clean(self, self.kernel.ns)
