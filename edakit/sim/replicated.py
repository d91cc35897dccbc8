"""A stream on several machines in virtual time: it drives the rules of `edakit.stream.replicas`.

One machine leads all partitions and the others copy. Where an acknowledgement comes from decides what it is worth: acks=1 has it
from the leader, acks="all" from all in-sync copies; `flush` says whether a copy that has a record has it on disk. What each
confirm was worth in the end, `measure.lost_acked` counts.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from edakit.chance import Duration, draw
from edakit.errors import ArgumentError, WiringError
from edakit.event import Event
from edakit.sim.streams import Stream
from edakit.sim.world import Waiter
from edakit.stream.log import Log
from edakit.stream.producer import Producer, Sequences
from edakit.stream.replicas import ReplicatedLog
from edakit.units import SECOND, nanoseconds

if TYPE_CHECKING:
    from edakit.sim.world import World

OPTIONS = ("replicas", "min_insync", "flush (seconds)", "replication_lag (seconds)", "sync (seconds)", "lag_time (seconds)")
FETCH_AGAIN = SECOND  # after a fetch that was lost (replica.fetch.backoff.ms)
UNKNOWN = ("disconnected", "not enough replicas after append")  # written, perhaps

Answer = Callable[[str], object]
Waiting = tuple[int, Any, list[tuple[Event, int]], Answer]  # safe up to here, according to acks; then confirmed


class Machine:
    """One machine of a stream, as a crash names it: `orders.2`."""

    def __init__(self, stream: "ReplicatedStream", number: int) -> None:
        self.stream, self.number, self.name, self.up = stream, number, f"{stream.name}.{number + 1}", True

    def fail(self) -> None:
        """Its process dies."""
        if self.up:
            self.stream.lose([self], ReplicatedLog.down, self.number, self.stream.flush is not None)

    def recover(self) -> None:
        """It is back."""
        self.stream.bring_back([self])


class ReplicatedStream(Stream):
    """A stream whose partitions have a leader and followers."""

    logs: list[ReplicatedLog]  # type: ignore[assignment]

    def __init__(
        self,
        lab: "World",
        name: str,
        *,
        replicas: int = 1,
        min_insync: int = 1,
        flush: float | None = 30,
        replication_lag: Duration = 0.002,
        sync: float = 0.005,
        lag_time: float = 30,
        **options: Any,
    ) -> None:
        """replicas: copies of each partition. min_insync: so many must be in sync, or acks="all" is refused (min.insync.replicas, 1).

        flush: seconds between two syncs of what a machine has in its page cache, each machine at its own instants (30: Kafka leaves it
        to the operating system, and Linux to vm.dirty_expire_centisecs); 0: synced before a copy counts as having it
        (flush.messages=1; a RabbitMQ quorum queue does so), which takes `sync` seconds; None: memory only.
        replication_lag: seconds until the leader knows that a follower has a record, a number or a distribution. lag_time: seconds
        after which a follower that has not got a record is out of sync (replica.lag.time.max.ms). `options`: those of any stream.
        """
        for what, value, least in (("replicas", replicas, 1), ("min_insync", min_insync, 1)):
            if not isinstance(value, int) or value < least:
                raise ArgumentError(f"{what}={value!r}: {least} or more")
        if min_insync > replicas:
            raise ArgumentError(f"min_insync={min_insync}, replicas={replicas}: nothing could ever be written with acks='all'")
        self.count, self.min_insync = replicas, min_insync
        self.flush = None if flush is None else nanoseconds(flush, "flush")
        self.replication_lag, self.lag_time = replication_lag, nanoseconds(lag_time, "lag_time")
        self.wait = nanoseconds(sync, "sync") if self.flush == 0 else 0  # until what a machine has written counts
        super().__init__(lab, name, **options)
        self.random = lab.random(f"{name}/replicas")
        self.phases = [round(self.random.random() * (self.flush or 0)) for _ in range(replicas)]
        self.machines = [Machine(self, n) for n in range(replicas)]
        lab.machines.update({machine.name: machine for machine in self.machines})
        self._ticks: dict[tuple[int, int], int] = {}  # partition, machine -> syncs that have been looked at
        self._waiting: dict[int, list[Waiting]] = {}  # by partition

    def new_log(self, number: int, segment: int) -> Log:
        """A partition with its copies."""
        return ReplicatedLog(f"{self.name}/{number}", segment, self.count)

    def producer(self, name: str, producer: Producer) -> None:
        """As for any stream, without transactions: what a new leader knows of them is not modelled."""
        if producer.transactional:
            raise WiringError(f"{self.name} has copies: transactions are for streams without replicas=, flush= and the like")
        super().producer(name, producer)

    def sequences(self, number: int) -> Sequences:
        """What a partition knows of its idempotent producers."""
        return self.logs[number].sequences

    def accept(self, event: Event, since: int, confirm: Waiter | None = None) -> None:
        """Append an event to its partition, with acks="all"."""
        if self.retention:
            self.retention.look(self)
        number = self.partition(event, self._sticky)
        why = self.refuses(number, "all")
        if why:
            self.add(self.kernel.ns, "decline", self.logs[number].place, event.source, event, 0, since, why)
        else:
            self.write(number, event, since)
        self.when_safe(number, "all", [(event, since)], why, partial(self._tell, event, since, confirm))
        if not why:
            self.written(number)

    def _tell(self, event: Event, since: int, confirm: Waiter | None, why: str) -> None:
        if confirm and confirm[1] and why in UNKNOWN:
            self.network.hang_up(self.name, confirm[0], self.kernel.wake, *confirm[1:])
        elif confirm:
            self.lab.confirm(self.name, event, since, *confirm, why and f"{self.name} does not take {event.id}: {why}")

    def refuses(self, number: int, acks: Any) -> str:
        """Why a partition takes nothing now: NotEnoughReplicas, or nobody leads it."""
        log = self.logs[number]
        if log.leader is None:
            return "no leader"
        return "not enough replicas" if acks == "all" and len(log.insync) < self.min_insync else ""

    def when_safe(self, number: int, acks: Any, records: list[tuple[Event, int]], why: str, answer: Answer) -> None:
        """Answer when those have the records who must, according to acks; a duplicate waits for what it doubles."""
        if why in ("", "duplicate"):
            self._waiting.setdefault(number, []).append((len(self.logs[number].records), acks, records, answer))
            if why:
                self._settle(number)
        else:
            answer(why)

    def written(self, number: int) -> None:
        """The leader has written: followers copy it."""
        log = self.logs[number]
        for machine in sorted(log.up):
            args = (number, machine, len(log.records), log.epoch)
            if machine == log.leader or not log.records:
                self.kernel.later(self.wait, self._has, *args)
                continue
            lag = nanoseconds(draw(self.replication_lag, self.random), "replication_lag")
            self.kernel.later(max(0, lag - self.network.hop) + self.wait, self._fetch, *args)
            if self.network.disturbed:
                self.kernel.later(self.lag_time, self._behind, *args)

    def _fetch(self, number: int, machine: int, end: int, epoch: int) -> None:
        """A follower is sent all before `end`; if that is lost and nothing newer is under way, it asks again while it is in sync."""
        log, args = self.logs[number], (number, machine, end, epoch)
        if epoch == log.epoch and log.leader is not None:
            source, target = self.machines[log.leader].name, self.machines[machine].name
            sent = self.network.send("replicate", source, target, log.records[end - 1], self._has, *args)
            if not sent and end == len(log.records) and machine in log.insync:
                self.kernel.later(FETCH_AGAIN, self._fetch, *args)

    def _has(self, number: int, machine: int, end: int, epoch: int) -> None:
        """A machine has all before `end`."""
        log = self.logs[number]
        if epoch == log.epoch and machine in log.up:
            self._look(number, machine)
            if log.copied(machine, end):
                self._row(number)
            self._settle(number)

    def _look(self, number: int, machine: int) -> None:
        """If a machine has synced since it last got something, all it had then is on disk."""
        log = self.logs[number]
        if self.flush:
            ticks = (self.kernel.ns + self.phases[machine]) // self.flush
            if ticks > self._ticks.get((number, machine), 0):
                self._ticks[number, machine] = ticks
                log.synced[machine] = log.has[machine]
        elif self.flush == 0:
            log.synced[machine] = log.has[machine]

    def _behind(self, number: int, machine: int, end: int, epoch: int) -> None:
        log = self.logs[number]
        if epoch == log.epoch and log.lags(machine, end):
            self._row(number)
            self._settle(number)

    def _settle(self, number: int) -> None:
        """Confirm what is safe by now, and let readers know of what they may read."""
        log, left = self.logs[number], []
        for waiting in self._waiting.pop(number, []):
            end, acks, records, answer = waiting
            if end > (log.high if acks == "all" or log.leader is None else log.has[log.leader]):
                left.append(waiting)
            elif acks == "all" and len(log.insync) < self.min_insync:
                answer("not enough replicas after append")
            else:
                copies = sum(has >= end for has in log.has)
                for event, since in records:
                    self.add(self.kernel.ns, "confirm", log.place, event.source, event, copies, since)
                answer("")
        if left:
            self._waiting[number] = left
        super().written(number)

    def _row(self, number: int) -> None:
        log = self.logs[number]
        leader = "" if log.leader is None else self.machines[log.leader].name
        note = " ".join(self.machines[machine].name for machine in log.insync)
        self.add(self.kernel.ns, "insync", log.place, leader, None, len(log.records), 0, note)

    def lose(self, machines: list[Machine], change: Callable[..., None], *args: Any) -> None:
        """Machines are gone; `change` says what that does to a partition. Who waits for a dead leader hears no more of it."""
        for machine in machines:
            machine.up = False
            self.add(self.kernel.ns, "crash", self.name, machine.name, None)
        for number, log in enumerate(self.logs):
            epoch = log.epoch
            for each in range(self.count):
                self._look(number, each)
            change(log, *args)
            self._row(number)
            if log.epoch != epoch:
                for *_, answer in self._waiting.pop(number, []):
                    answer("disconnected")
                if log.leader is not None:
                    self.written(number)
            self._settle(number)

    def bring_back(self, machines: list[Machine]) -> None:
        """Machines are there again: each copies what it has not got."""
        machines = [machine for machine in machines if not machine.up]
        for machine in machines:
            machine.up = True
            self.add(self.kernel.ns, "restart", self.name, machine.name, None)
        for number, log in enumerate(self.logs if machines else ()):
            for machine in machines:
                log.back(machine.number)
            self._row(number)
            if log.leader is not None:
                self.written(number)

    def fail(self) -> None:
        """The leader dies (that of the first partition, should they differ)."""
        if self.logs[0].leader is not None:
            self.machines[self.logs[0].leader].fail()

    def power_cut(self) -> None:
        """All machines at once: what is not on any disk is gone."""
        self.lose([machine for machine in self.machines if machine.up], ReplicatedLog.power_cut)

    def recover(self) -> None:
        """All machines that are down are back."""
        self.bring_back(self.machines)
