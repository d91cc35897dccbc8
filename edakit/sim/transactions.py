"""Transactions of a stream in virtual time: all a handler publishes, and the offset of what it handled, become visible together or not.

    orders.producer("billing", Producer(transactional=True))

    @billing.on("order.placed")
    async def bill(order, ctx):
        async with ctx.transaction():
            await ctx.publish("invoice.sent", order.data)

The coordinator writes the markers of all partitions and commits the offset at one instant. (Kafka first writes its decision to a log
of its own, and the markers follow one by one: KIP-98.) Effects outside the stream, such as a database or an email, are not part of it.
"""

from types import TracebackType
from typing import TYPE_CHECKING, Any

from edakit.errors import CallRefused, WiringError
from edakit.event import Event
from edakit.sim.coordinator import alarm
from edakit.sim.kernel import Task
from edakit.sim.producers import Sender
from edakit.sim.world import PATIENCE
from edakit.stream.producer import Batch
from edakit.stream.transactions import Transactions
from edakit.units import nanoseconds

if TYPE_CHECKING:
    from edakit.sim.runtime import SimContext
    from edakit.sim.topic import Topic


class Coordinator:
    """The transaction coordinator of a stream, and what its partitions know of transactions."""

    def __init__(self, stream: "Topic") -> None:
        self.stream, self.kernel = stream, stream.kernel
        self.parts: dict[int, Transactions] = {}
        self._newest: dict[str, int] = {}  # transactional id -> the number of the producer that runs under it
        self._over: dict[str, int] = {}  # transactional id -> the number up to which its producers are fenced
        self._watches: dict[int, Task] = {}  # producer -> who aborts its open transaction when its time is up

    def part(self, partition: int) -> Transactions:
        """What a partition knows."""
        return self.parts.setdefault(partition, Transactions(self.stream.logs[partition]))

    def fences(self, sender: "Sender") -> bool:
        """Whether a producer is not the newest of its id any more. A new one aborts what the one before it left open."""
        newest = self._newest.get(sender.name, 0)
        if sender.number > newest:
            self._newest[sender.name], self._over[sender.name] = sender.number, newest
            self.end(newest, sender.name, commit=False)
        return sender.number <= self._over.get(sender.name, 0)

    def wrote(self, sender: "Sender", partition: int) -> None:
        """A record of a producer has been appended: it belongs to its transaction, which it may begin."""
        self.part(partition).write(sender.number, len(self.stream.logs[partition].records) - 1)
        if sender.number not in self._watches:
            name, limit = f"{sender.name}'s transaction timeout", nanoseconds(sender.producer.transaction_timeout)
            self._watches[sender.number] = self.kernel.spawn(name, alarm, self.kernel, limit, self._overdue, sender)

    def _overdue(self, sender: "Sender") -> None:
        """The transaction has been open for too long: it is aborted, and its producer fenced."""
        self._over[sender.name] = sender.number
        self.end(sender.number, sender.name, commit=False)

    def end(self, producer: int, who: str, commit: bool) -> None:
        """Write the markers of a transaction, if it is open."""
        if producer in self._watches:
            self.kernel.cancel(self._watches.pop(producer))
        for number, part in self.parts.items():
            if producer in part.open:
                note, log = "commit" if commit else "abort", self.stream.logs[number]
                marker = self.stream.lab.event(f"transaction.{note}", None, None, who, None)
                offset = log.append(marker)
                part.end(producer, offset, commit)
                self.stream.add(self.kernel.ns, "marker", log.place, who, marker, offset, 0, note)
                self.stream.written(number)

    def decide(self, transaction: "Transaction", commit: bool, task: Task, ticket: int) -> None:
        """A producer asks for the end of its transaction; it may ask again, and gets the same answer."""
        sender = transaction.sender
        if not transaction.outcome:
            commit = commit and not self.fences(sender) and self._offset(transaction.ctx)
            self.end(sender.number, sender.name, commit)
            transaction.outcome = "committed" if commit else "aborted"
        to = (sender.name, task, ticket, transaction.outcome)
        self.stream.lab.confirm(self.stream.name, transaction.event, self.kernel.ns, *to)

    def _offset(self, ctx: "SimContext") -> bool:
        """Commit the offset of the record at hand, if it came from a stream; False if another member reads its partition now."""
        home: Any = ctx.instance.home
        return home.kind != "stream" or bool(home.commit_handled(ctx.instance, ctx.delivery))


class TransactionalSender(Sender):
    """A producer whose records belong to a transaction."""

    open = False  # whether a handler has begun one

    def publish(self, event: Event, waiter: tuple[Task, int] | None = None) -> None:
        """As any producer; but only in a transaction."""
        if not self.open:
            raise WiringError(
                f"{self.name} publishes {event.type} outside a transaction: do it in `async with ctx.transaction():`"
            )
        super().publish(event, waiter)

    def check(self, partition: int, batch: Batch) -> str:
        """Why a batch is not taken."""
        return "fenced" if self.stream.transactions.fences(self) else super().check(partition, batch)

    def write(self, partition: int, event: Event, since: int) -> None:
        """Append a record, as a part of the transaction."""
        super().write(partition, event, since)
        self.stream.transactions.wrote(self, partition)


class Transaction:
    """`async with ctx.transaction():` commits at the end of the block, and aborts if that raises."""

    def __init__(self, ctx: "SimContext", sender: TransactionalSender) -> None:
        assert ctx.event is not None, "only handlers have transactions"
        self.ctx, self.sender, self.kernel, self.event = ctx, sender, sender.kernel, ctx.event
        self.outcome = ""  # as the coordinator knows it: committed or aborted

    async def __aenter__(self) -> None:
        self.sender.open = self.sender.whole = True

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Raises CallRefused if it had to be aborted; then nothing of it is visible."""
        instance, sender, outcome = self.ctx.instance, self.sender, None
        if not instance.up:
            return
        sender.open = False
        for line in sender.lines.values():
            while batches := [*line.flying, *line.waiting]:  # an end that overtakes a record would leave that outside
                batches[-1].waiters.append((self.kernel.current, self.kernel.ticket()))
                await self.kernel.park("the broker's confirm")
        if kind is None:
            self.ctx.verb("commit")
        while outcome is None:
            task, ticket = self.kernel.current, self.kernel.ticket()
            request = (sender.stream.transactions.decide, self, kind is None and sender.whole, task, ticket)
            instance.lab.network.send("publish", sender.name, sender.stream.name, self.event, *request)
            if instance.lab.network.disturbed:
                self.kernel.timer(PATIENCE, task, ticket)
            outcome = await self.kernel.park("the end of its transaction")
        refused = kind is None and outcome != "committed"
        if refused or not sender.whole:
            sender.stream.forget(sender)  # the next one has a number of its own, and so is not fenced (KIP-588)
        if refused:
            raise CallRefused(
                f"the transaction of {sender.name} is aborted: fenced, incomplete, or its partition has another reader"
            )
