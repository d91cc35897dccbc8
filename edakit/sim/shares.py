"""A share group in virtual time: it drives the rules of `edakit.stream.share`.

All members read all partitions, each at most `prefetch` records at once, and settle them one by one: what a handler has done is
accepted, what it has failed on released (or, on_error="reject", given up). Nobody has to notice that a member is dead: its locks run out.

What is given up is written to the dead-letter topic of the group, if it has one (KIP-1191).

A group like that of Redis Streams has no such locks. What failed, or was in the hands of a member that died, stays pending until a member
that has nothing else to do claims it, `claim_idle` seconds after it was handed out; or for ever.
"""

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

from edakit.errors import Livelock, Refused, WiringError
from edakit.sim.coordinator import alarm
from edakit.sim.letters import letter
from edakit.sim.runtime import Instance
from edakit.stream.groups import ALL, Record
from edakit.stream.share import Settle, SharePartition, State, entry_ids
from edakit.units import SECOND

if TYPE_CHECKING:
    from edakit.sim.deployment import Deployment
    from edakit.sim.kernel import Task
    from edakit.sim.streams import Stream

KINDS: dict[State | None, str] = {"acknowledged": "accept", "archived": "skip", "available": "unlock"}
ENDLESS = 1000  # so often one record may fail before the run is called endless


class ShareGroup:
    """The home of those who read a stream as one share group."""

    kind = "stream"

    def __init__(self, stream: "Stream", deployment: "Deployment") -> None:
        if deployment.commit != "after":
            raise WiringError(
                f"commit={deployment.commit!r}: {deployment.group} is a share group, and settles each record 'after'"
            )
        self.stream, self.name, self.group = stream, stream.name, deployment.group
        self.kernel, self.network, self.add, self.ask = stream.kernel, stream.network, stream.add, stream.ask
        self.limit, self.isolation = deployment.delivery_limit or stream.limit, deployment.isolation
        self.parts: list[SharePartition] = []
        self.batches: dict[Instance, list[Record]] = {}  # what each member has and has not finished
        self._idle: deque[Instance] = deque()  # members with nothing to do, who has waited longest first
        self._turn = 0  # the partition that is read first
        self._watch: Task | None = None  # looks after the locks while there are any

    def grow(self) -> None:
        """Read the partitions that are new."""
        stream = self.stream
        for log in stream.logs[len(self.parts) :]:
            start = log.end if stream.start_at == "latest" and not self.batches else log.start
            part = SharePartition(log, start, lock=stream.lock, limit=self.limit, window=stream.window, fenced=stream.fenced)
            part.scan = partial(stream.scan, len(self.parts), isolation=self.isolation)
            self.parts.append(part)
            self.add(self.kernel.ns, "assign", log.place, ALL, None, start, 0, self.group)

    def start(self, deployment: "Deployment", name: str) -> Instance:
        """A new member."""
        instance = Instance(deployment, name, self)
        self._poll_soon(instance)
        return instance

    def crashed(self, instance: Instance) -> None:
        """Nobody notices."""

    def wake(self) -> None:
        """There is something to read: who has waited longest asks for it."""
        while self._idle:
            if (instance := self._idle.popleft()).up:
                self._poll_soon(instance)
                return

    def _poll_soon(self, instance: Instance) -> None:
        self.kernel.later(self.network.hop, self._poll, instance)

    def _poll(self, instance: Instance) -> None:
        """Hand a member what it asks for, its partitions in turn."""
        if not instance.up:
            self.wake()
            return
        if self.stream.retention:
            self.stream.retention.look(self.stream)
        batch = self.batches[instance] = []
        for n in range(len(self.parts)):
            self._read(instance, (self._turn + n) % len(self.parts), batch)
        self._turn += 1
        self._guard()
        if not batch:
            self._idle.append(instance)
        elif any(part.ready for part in self.parts):
            self.wake()
        for record in batch:
            self._send(instance, record)

    def _send(self, instance: Instance, record: Record) -> None:
        """Bring a record to its member; what is lost on the way is sent again, and its lock may run out meanwhile."""
        if instance.up and not self.network.send("deliver", self.name, instance.name, record.event, instance.receive, record):
            self.kernel.later(self.network.hop * 10, self._send, instance, record)

    def _read(self, instance: Instance, number: int, batch: list[Record]) -> None:
        """What one partition has for a member."""
        part, room, ns, name = self.parts[number], instance.deployment.prefetch - len(batch), self.kernel.ns, instance.name
        if not part.fenced:
            self._expire(part, room)
        end = part.end
        for offset in part.forget():
            self._row("skip", part, "", offset)
        if part.end != end:
            self.add(ns, "reset", part.log.place, name, None, part.end, 0, self.group)
        for offset, event, count in part.acquire(name, room, ns):
            self._row("acquire", part, name, offset)
            batch.append(Record(self.group, number, part.log.place, offset, event, count))

    def settle(self, instance: Instance, record: Record, error: Exception | None, result: Any) -> None:
        """A handler has ended: say so, and after the last of a batch ask for more."""
        batch = self.batches[instance]
        if record not in batch:
            return
        batch.remove(record)
        how: Settle = "accept"
        if error is not None and not isinstance(error, Refused):
            give_up = instance.deployment.on_error == "reject" or (self.limit is not None and record.count >= self.limit)
            how = "reject" if give_up else "release"
            if not give_up and record.count >= ENDLESS and not self.stream.lab.bounded:
                raise endless(record, error)
        if how != "release" or self.stream.fenced:
            args = (record, instance.name, how, self.kernel.ns)
            self.network.send("ack", instance.name, self.name, record.event, self._settled, *args)
        if not batch and instance.up:
            self._poll_soon(instance)

    def _settled(self, record: Record, who: str, how: Settle, since: int) -> None:
        part = self.parts[record.partition]
        self._changed(part, record.tag, who, part.acknowledge(who, record.tag, how), since, record.count)
        if not part.flight:
            self._guard()

    def _expire(self, part: SharePartition, most: int | None = None) -> None:
        for offset, state in part.expire(self.kernel.ns, most):
            self._changed(part, offset, "", state)

    def _changed(
        self, part: SharePartition, offset: int, who: str, state: State | None, since: int = 0, count: int | None = None
    ) -> None:
        """Write what has become of a record; others may have it now, or those that the window has kept back."""
        self._row(KINDS.get(state, "stale"), part, who, offset, since)
        if state == "archived" and self.group in self.stream.letters and offset < part.log.end:
            why = f"rejected by {who}" if who else "not settled in time"
            event = letter(part.log.records[offset], part.log.place, offset, self.group, count or self.limit or 0, why)
            self.stream.letters[self.group][0].accept(event, self.kernel.ns, (self.name, None, 0))
        if part.fenced and part.ready:
            self.wake()

    def _row(self, kind: str, part: SharePartition, who: str, offset: int, since: int = 0) -> None:
        event = next(iter(part.log.records[offset : offset + 1]), None)  # copies may have lost it
        self.add(self.kernel.ns, kind, part.log.place, who, event, offset, since, self.group)

    def _guard(self) -> None:
        """Watch over the locks while there are any."""
        dues = [due for part in self.parts if (due := part.due) is not None]
        if dues and not self._watch:
            wait = max(0, min(dues) - self.kernel.ns)
            self._watch = self.kernel.spawn(f"{self.group}'s locks", alarm, self.kernel, wait, self._due)
        elif self._watch and not dues:
            self.kernel.cancel(self._watch)
            self._watch = None

    def _due(self) -> None:
        """A lock runs out: take the record back; or let a member come who may claim it."""
        self._watch = None
        if self.stream.fenced:
            for part in self.parts:
                self._expire(part)
            self._guard()
        self.wake()

    def seek(self, number: int, offset: int) -> None:
        """Begin anew at an offset."""
        self.parts[number].seek(offset)
        self._guard()
        self.wake()

    def lag(self) -> int:
        """Records that are not done."""
        return sum(part.lag() for part in self.parts)

    def pending(self) -> list[dict[str, Any]]:
        """What members have and have not settled, as rows for `table`."""
        rows: list[dict[str, Any]] = []
        for number, part in enumerate(self.parts):
            ids = entry_ids(row.ns for row in self.stream.lab.trace.where("append", place=part.log.place))
            for offset, flight in part.flight.items():
                if flight.member:
                    idle = (self.kernel.ns - flight.since) / SECOND
                    who = {"member": flight.member, "idle": idle, "deliveries": flight.count}
                    rows.append({**({} if part.fenced else {"id": ids[offset]}), "partition": number, "offset": offset, **who})
        return rows


def endless(record: Record, error: Exception) -> Livelock:
    """What to say of a record that fails for ever."""
    return Livelock(
        f"{record.place} has tried offset {record.tag} ({record.event.id}) {ENDLESS:,} times ({error}) and would for ever: "
        "mend the handler, or deploy with delivery_limit=5 or on_error='reject'"
    )
