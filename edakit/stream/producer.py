"""How a producer sends: batches, retries, and what keeps these from doubling or reordering records.

Pure rules. A `Line` is a producer's way to one partition; `Sequences` is what the partition remembers of its producers. Without
idempotence a batch that is sent again comes behind those that were in flight with it. With it each batch has a number: the partition
takes the next one only, and knows one that it has had.
Source: apache/kafka ProducerConfig; RecordAccumulator.reenqueue, insertInSequenceOrder and drainBatchesForOneNode;
ProducerAppendInfo.checkSequence.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal

from edakit.errors import ArgumentError
from edakit.event import Event
from edakit.units import nanoseconds


@dataclass(frozen=True)
class Producer:
    """How to send. The defaults are Kafka's (4.x); there a batch is 16 KB, here so many records.

    acks: 0 (wait for nothing), 1 (the leader has it) or "all" (all in-sync replicas have it; without `replicas=` the leader is
    alone, and 1 and "all" wait for the same). in_flight: batches on their way to one partition at once. timeout: seconds until a
    batch without an answer is sent again, at most `retries` times, `backoff` seconds later, and in all for `delivery_timeout` seconds.
    linger: seconds to wait for a batch to fill. transactional: what a service publishes belongs to transactions, see
    `edakit.sim.transactions`; one that is open for transaction_timeout seconds is aborted.
    """

    acks: Literal[0, 1, "all"] = "all"
    idempotence: bool = True
    in_flight: int = 5
    retries: int = 2**31 - 1
    linger: float = 0.005
    batch: int = 100
    timeout: float = 30
    backoff: float = 0.1
    delivery_timeout: float = 120
    transactional: bool = False
    transaction_timeout: float = 60

    def __post_init__(self) -> None:
        if self.acks not in (0, 1, "all"):
            raise ArgumentError(f"Producer(acks={self.acks!r}): 0, 1 or 'all'")
        for name, least in (("in_flight", 1), ("batch", 1), ("retries", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise ArgumentError(f"Producer({name}={value!r}): a whole number, {least} or more")
        for name in ("linger", "timeout", "backoff", "delivery_timeout", "transaction_timeout"):
            nanoseconds(getattr(self, name), name)
        if self.transactional and not self.idempotence:
            raise ArgumentError("Producer(transactional=True, idempotence=False): a transaction needs idempotence")
        if self.idempotence and (self.acks != "all" or self.in_flight > 5 or not self.retries):
            raise ArgumentError(
                f"Producer(acks={self.acks!r}, in_flight={self.in_flight}, retries={self.retries}): idempotence needs acks='all', "
                "at most 5 in flight, and retries; or give idempotence=False"
            )


@dataclass(eq=False)
class Batch:
    """Records on their way together; `waiters` are whoever wants to know. `first` is the number of its first record."""

    records: list[tuple[Event, int]] = field(default_factory=list)  # event, since when
    waiters: list[Any] = field(default_factory=list)
    first: int = -1
    epoch: int = 0
    tries: int = 0
    gap: bool = False  # the partition has said that it misses what came before


class Line:
    """What a producer has for one partition: batches that wait, and those in flight."""

    def __init__(self, producer: Producer) -> None:
        self.producer = producer
        self.waiting: deque[Batch] = deque()
        self.flying: list[Batch] = []
        self.epoch, self._next = 0, 0

    def add(self, event: Event, since: int, waiter: Any = None) -> bool:
        """Put a record into the batch that is filling; whether that is full now."""
        if not self.waiting or self.waiting[-1].tries or len(self.waiting[-1].records) >= self.producer.batch:
            self.waiting.append(Batch())
        batch = self.waiting[-1]
        batch.records.append((event, since))
        if waiter is not None:
            batch.waiters.append(waiter)
        return len(batch.records) >= self.producer.batch

    def take(self) -> Batch | None:
        """The next batch to send, or None: nothing waits, or enough are in flight."""
        if not self.waiting or len(self.flying) >= self.producer.in_flight:
            return None
        batch = self.waiting.popleft()
        if not batch.tries:
            self._number(batch)
        batch.tries, batch.gap = batch.tries + 1, False
        self.flying.append(batch)
        return batch

    def failed(self, batch: Batch, why: str = "", last: bool = False) -> list[Batch]:
        """No answer, or no: back to the front of those that wait, with idempotence in the order of the numbers.

        If there is no try left for it, or this was the last, it is given up and returned; with idempotence and all that have a
        number: behind the gap nothing would be taken. The numbers begin anew, in a new epoch (KIP-360); also if the partition misses
        what it had confirmed.
        """
        self.flying.remove(batch)
        batch.gap = why == "out of order"
        if batch.tries <= self.producer.retries and not last:
            earlier = [each for each in self.waiting if self.producer.idempotence and each.tries and each.first < batch.first]
            self.waiting.insert(len(earlier), batch)
            if self.waiting[0].gap and not self.flying:
                self._begin_anew()
                for each in self.waiting:
                    if each.tries:
                        self._number(each)
            return []
        if not self.producer.idempotence:
            return [batch]
        lost = [batch, *self.flying, *(each for each in self.waiting if each.tries)]
        self.flying.clear()
        self.waiting = deque(each for each in self.waiting if not each.tries)
        self._begin_anew()
        return sorted(lost, key=lambda each: each.first)

    def _begin_anew(self) -> None:
        self.epoch, self._next = self.epoch + 1, 0

    def _number(self, batch: Batch) -> None:
        batch.first, batch.epoch = self._next, self.epoch
        self._next += len(batch.records)


class Sequences:
    """What a partition knows of its producers: the epoch of each, and the number of the next record it will take.

    Kafka remembers the last five batches and takes any first number from a producer that it does not know; here it must be 0.
    """

    def __init__(self) -> None:
        self._next: dict[int, tuple[int, int]] = {}  # producer -> epoch, next number

    def check(self, producer: int, batch: Batch) -> str:
        """Take note of a batch and return "" if it is the next one; else "duplicate" or "out of order", and nothing changes."""
        current, expected = self._next.get(producer, (0, 0))
        if batch.epoch > current:
            current, expected = batch.epoch, 0
        if batch.epoch < current or batch.first > expected:
            return "out of order"
        if batch.first < expected:
            return "duplicate"
        self._next[producer] = (current, batch.first + len(batch.records))
        return ""
