"""Producers in virtual time: they drive the rules of `edakit.stream.producer`, one line to each partition."""

from functools import partial
from typing import TYPE_CHECKING, Any

from edakit.event import Event
from edakit.sim.coordinator import alarm
from edakit.sim.kernel import Task
from edakit.stream.producer import Batch, Line, Producer
from edakit.units import nanoseconds

if TYPE_CHECKING:
    from edakit.sim.topic import Topic


class Sender:
    """The producer of one client or instance. What it has not sent is gone with it; what it has sent is not."""

    def __init__(self, stream: "Topic", name: str, number: int, producer: Producer) -> None:
        self.stream, self.kernel, self.name, self.number, self.producer = stream, stream.kernel, name, number, producer
        self.instance = stream.lab.instances.get(name)
        self.whole = True  # whether no batch has been given up
        self.lines: dict[int, Line] = {}
        self.linger, self.backoff = nanoseconds(producer.linger), nanoseconds(producer.backoff)
        self.timeout, self.patience = nanoseconds(producer.timeout), nanoseconds(producer.delivery_timeout)
        self._watches: dict[Batch, Task] = {}
        self._pausing: set[int] = set()  # partitions where a failed batch is not sent again yet: none goes ahead of it

    def publish(self, event: Event, waiter: tuple[Task, int] | None = None) -> None:
        """Put an event on the line of its partition; it goes when a batch is full, or after the linger time."""
        partition = self.stream.partition(event, self.producer.batch)
        line = self.lines.get(partition)
        if line is None:
            line = self.lines[partition] = Line(self.producer)
        if line.add(event, self.kernel.ns, waiter):
            self._send(partition)
        else:
            self.kernel.later(self.linger, self._send, partition)

    def _send(self, partition: int) -> None:
        """Send what may be sent."""
        line = self.lines[partition]
        while partition not in self._pausing and (self.instance is None or self.instance.up) and (batch := line.take()):
            event, stream = batch.records[0][0], self.stream
            if batch.tries > 1:
                stream.add(self.kernel.ns, "resend", stream.logs[partition].place, self.name, event, batch.tries)
            stream.network.send("publish", self.name, stream.name, event, self._arrive, partition, batch)
            if self.producer.acks == 0:
                line.flying.remove(batch)
                self._wake(batch, True)
            else:
                watch = f"{self.name}'s request timeout", alarm, self.kernel, self.timeout, self._failed, partition, batch
                self._watches[batch] = self.kernel.spawn(*watch)

    def _arrive(self, partition: int, batch: Batch) -> None:
        """At the broker: write the batch, or say why not."""
        stream, acks = self.stream, self.producer.acks
        if stream.retention:
            stream.retention.look(stream)
        why = self.check(partition, batch)
        for event, since in batch.records:
            if why:
                stream.add(self.kernel.ns, "decline", stream.logs[partition].place, self.name, event, 0, since, why)
            else:
                self.write(partition, event, since)
        if acks != 0:
            stream.when_safe(partition, acks, batch.records, why, partial(self._answer, partition, batch))
        if not why:
            stream.written(partition)

    def check(self, partition: int, batch: Batch) -> str:
        """Why a batch is not taken; "" if it is the next one."""
        why = self.stream.refuses(partition, self.producer.acks)
        return why or (self.stream.sequences(partition).check(self.number, batch) if self.producer.idempotence else "")

    def write(self, partition: int, event: Event, since: int) -> None:
        """Append a record."""
        self.stream.write(partition, event, since)

    def _answer(self, partition: int, batch: Batch, why: str) -> None:
        stream, event = self.stream, batch.records[0][0]
        stream.network.send("confirm", stream.name, self.name, event, self._answered, partition, batch, why)

    def _answered(self, partition: int, batch: Batch, why: str) -> None:
        """The broker has it, or has had it; or not. A yes that comes after the batch was sent again is as good."""
        line = self.lines[partition]
        if why not in ("", "duplicate"):
            if batch in line.flying:
                self._failed(partition, batch, why)
            return
        for there in (line.flying, line.waiting):
            if batch in there:
                there.remove(batch)
                self._unwatch(batch)
                self._wake(batch, True)
        self._send(partition)

    def _failed(self, partition: int, batch: Batch, why: str = "") -> None:
        """No answer in time, or a no: a batch comes again, after a pause, or is given up. Then nobody knows whether it was written."""
        self._unwatch(batch)
        last = why == "fenced" or self.kernel.ns - batch.records[0][1] >= self.patience
        given_up = self.lines[partition].failed(batch, why, last)
        self.whole = self.whole and not given_up
        for each in given_up:
            self._unwatch(each)
            for event, since in each.records:
                self.stream.add(self.kernel.ns, "timeout", self.stream.logs[partition].place, self.name, event, 0, since)
            self._wake(each, False)
        if given_up:
            self._send(partition)
        else:
            self._pausing.add(partition)
            self.kernel.later(self.backoff, self._resume, partition)

    def _resume(self, partition: int) -> None:
        self._pausing.discard(partition)
        self._send(partition)

    def _unwatch(self, batch: Batch) -> None:
        if batch in self._watches:
            self.kernel.cancel(self._watches.pop(batch))

    def _wake(self, batch: Batch, value: Any) -> None:
        for task, ticket in batch.waiters:
            self.kernel.wake(task, ticket, value)
        batch.waiters.clear()
