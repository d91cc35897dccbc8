"""Copies of a partition: who leads, which are in sync, how far readers may read, and what is left after a crash or a power cut.

Pure rules. Followers copy the leader's log, so each copy is the beginning of it, and a number says how much: what it has, and
what of that is on disk. The high watermark is what every in-sync copy has. A leader that goes is followed by one in sync, and
what that one does not have is gone. With none left nobody leads: uptime is given up, not records (no unclean election).
Source: https://kafka.apache.org/documentation/#replication (in-sync replicas, high watermark, min.insync.replicas); KIP-101
(followers cut what their leader does not have); KIP-966 (unclean recovery: the longest log leads).
"""

from collections.abc import Iterable

from edakit.event import Event
from edakit.stream.log import Log
from edakit.stream.producer import Batch, Sequences


class LoggedSequences(Sequences):
    """What a partition knows of its producers is in its log: what the log loses, it forgets."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self.log = log
        self._taken: list[tuple[int, int, tuple[int, int]]] = []  # end of the log with a batch, its producer, what comes next

    def check(self, producer: int, batch: Batch) -> str:
        """As `Sequences.check`, before the batch is written."""
        why = super().check(producer, batch)
        if not why:
            self._taken.append((len(self.log.records) + len(batch.records), producer, self._next[producer]))
        return why

    def forget(self) -> None:
        """The log has been cut."""
        self._taken = [each for each in self._taken if each[0] <= len(self.log.records)]
        self._next = {producer: following for _, producer, following in self._taken}


class ReplicatedLog(Log):
    """A partition on `count` machines, numbered from 0. `records` is the leader's log; `end`, what readers see, the high watermark."""

    def __init__(self, place: str, segment: int, count: int) -> None:
        super().__init__(place, segment)
        self.leader: int | None = 0
        self.up = set(range(count))
        self.insync = list(range(count))  # never empty: the last one stays, also when it is down
        self.has, self.synced = [0] * count, [0] * count  # records of each copy, and of these on disk
        self.high, self.epoch = 0, 0  # a message of an earlier epoch, from another leader, counts for nothing
        self.sequences = LoggedSequences(self)

    @property
    def end(self) -> int:
        """The high watermark: one past the last record that every in-sync copy has."""
        return self.high

    def scan(self, offset: int, most: int) -> Iterable[tuple[int, Event]]:
        """Records with their offsets, below the high watermark; none while nobody leads."""
        return () if self.leader is None else super().scan(offset, max(0, min(most, self.high - offset)))

    def copied(self, machine: int, end: int) -> bool:
        """A copy has all before `end` now; whether it is in sync again: it has what readers may have seen."""
        self.has[machine] = max(self.has[machine], end)
        joins = machine not in self.insync and self.has[machine] >= self.high
        if joins:
            self.insync.append(machine)
        self._raise()
        return joins

    def lags(self, machine: int, end: int) -> bool:
        """A follower had so long to get all before `end`; whether it is out of sync now (replica.lag.time.max.ms)."""
        late = machine in self.insync and machine != self.leader and self.has[machine] < end
        if late:
            self.insync.remove(machine)
            self._raise()
        return late

    def down(self, machine: int, keep: bool = True) -> None:
        """A machine's process dies, and all know at once (Kafka: broker.session.timeout.ms, 9 s).

        `keep`: what it has written is with the operating system, and will be there again.
        """
        self.up.discard(machine)
        if not keep:
            self.has[machine] = self.synced[machine] = 0
        if len(self.insync) > 1 and machine in self.insync:
            self.insync.remove(machine)
        if machine == self.leader:
            self._cut(self.insync[0])
        self._raise()

    def power_cut(self) -> None:
        """All machines lose what is not on disk. The copy that has most will lead (without KIP-966 the first one in sync: worse)."""
        self.up.clear()
        self.has = list(self.synced)
        self.insync = [self.has.index(max(self.has))]
        self._cut(self.insync[0])

    def back(self, machine: int) -> None:
        """A machine is back, and follows; or leads, if nobody does and it was in sync."""
        self.up.add(machine)
        if self.leader is None and machine in self.insync:
            self._cut(machine)

    def _cut(self, machine: int) -> None:
        """The log is what this copy has; it leads if it is up."""
        end = max(self.has[machine], self.start)
        self.has[machine], self.epoch = end, self.epoch + 1
        self.has = [min(each, end) for each in self.has]
        self.synced = [min(each, end) for each in self.synced]
        self.high = min(self.high, end)
        self.gone = {offset for offset in self.gone if offset < end}
        del self.records[end:], self._sizes[end:]
        self.sequences.forget()
        self.leader = machine if machine in self.up else None

    def _raise(self) -> None:
        self.high = max(self.high, min(self.has[machine] for machine in self.insync))
