"""An event stream in virtual time: it drives the rules of `edakit.stream`.

A service deployed here is a consumer group; its instances share the partitions. (With `share=` it is a share group, and they share the
records: `edakit.sim.shares`.) A member polls a batch of at most `prefetch` records, handles them in order, and polls again.

Where the commit stands decides what a crash does: "after" the handler (at-least-once), "before" it (at-most-once), or every so many
seconds at the next poll (auto-commit). With one handler at a time auto-commit repeats what was done since; with several (`concurrency=`)
it does not wait for them, and a crash loses what they had not done.
"""

from collections.abc import Collection
from inspect import signature
from typing import TYPE_CHECKING, Any

from edakit.errors import Refused, WiringError, known
from edakit.event import Event
from edakit.sim.coordinator import Coordinator, Member, alarm
from edakit.sim.letters import Forwarded, LetterTopic
from edakit.sim.quota import ReadQuota
from edakit.sim.retention import Retention
from edakit.sim.runtime import Instance
from edakit.sim.shares import ENDLESS, ShareGroup, endless
from edakit.stream.assign import STRATEGIES
from edakit.stream.groups import Group, Record
from edakit.stream.partition import HASHES
from edakit.units import nanoseconds

if TYPE_CHECKING:
    from edakit.sim.deployment import Deployment
    from edakit.sim.world import World


class Stream(LetterTopic):
    """Partitions, groups and their members."""

    def __init__(
        self,
        lab: "World",
        name: str,
        *,
        partitions: int = 1,
        start: str = "earliest",
        session_timeout: float = 10,
        assignor: str | None = None,
        poll_timeout: float | None = None,
        sticky: int = 1,
        retention: float | None = None,
        retention_bytes: int | None = None,
        segment: int = 1000,
        compact: bool = False,
        delete_retention: float = 86400,
        check: float = 1,
        share: bool | Collection[str] = False,
        lock_timeout: float | None = 30,
        claim_idle: float | None = None,
        delivery_limit: int | None = 5,
        window: int | None = 2000,
        maxlen: int | None = None,
        hashing: str = "murmur2",
        read_rate: float | None = None,
        reads: float | None = None,
        fan_out: bool = False,
    ) -> None:
        """`start`: where a new group begins, and one that has fallen off the log. session_timeout: seconds until a dead member is noticed.

        assignor: how groups rebalance ("range", "round-robin" and "sticky": all stop; "cooperative-sticky": only what moves; see
        `edakit.stream.rebalance`; None: shares as "range", what moves changes hands at once). poll_timeout: seconds a member may take
        over what it was handed; then it is put out of its group until it has finished (max.poll.interval.ms; None: for ever).
        sticky: records without a key that go to one partition before the next has its turn. retention: seconds a record is kept,
        retention_bytes: bytes a partition keeps (both whole segments of `segment` records; None: for ever); compact: keep the last
        record of each key, tombstones (no data) for `delete_retention` seconds; check: seconds between two looks at all that.
        share: groups are share groups (all of them, or those of these names): members take single records from all partitions, and each is
        locked for `lock_timeout` seconds, delivered `delivery_limit` times at most; `window` offsets of a partition may be under way.
        lock_timeout=None: not locked but pending, until another member claims it `claim_idle` seconds after its delivery (None: never).
        maxlen: records a partition keeps, to the record. hashing: how keys find partitions, as in Kafka or as in Kinesis. read_rate, reads:
        bytes and reads a second that a partition gives to all consumer groups together, or (fan_out: read_rate alone) to each.
        """
        if start not in ("earliest", "latest"):
            raise WiringError(f"start={start!r}: a new group begins at 'earliest' or 'latest'")
        if hashing not in HASHES:
            raise WiringError(known("hashing", hashing, list(HASHES)))
        keep = Retention(retention, retention_bytes, maxlen, compact, delete_retention, check, segment)
        super().__init__(lab, name, partitions, sticky, segment, keep)
        self.hash, quota = HASHES[hashing], ReadQuota(read_rate, reads, fan_out)
        self.quota = quota if quota.rate or quota.reads else None
        self.start_at = start
        self.groups: dict[str, Group] = {}
        self.members: dict[str, Member] = {}  # by instance name
        if assignor is not None and assignor not in STRATEGIES:
            raise WiringError(known("assignor", assignor, list(STRATEGIES)))
        self.assignor, self.coordinators = assignor, dict[str, Coordinator]()
        self.patience = None if poll_timeout is None else nanoseconds(poll_timeout, "poll_timeout")
        self.session = nanoseconds(session_timeout, "session_timeout")
        for option, most in (("delivery_limit", delivery_limit), ("window", window)):
            if most is not None and not (isinstance(most, int) and most >= 1):
                raise WiringError(f"{option}={most!r}: 1 or more, or None for no limit")
        self.shared, self.shares = share, dict[str, ShareGroup]()
        self.fenced, wait = lock_timeout is not None, claim_idle if lock_timeout is None else lock_timeout
        self.lock = None if wait is None else nanoseconds(wait, "lock_timeout" if self.fenced else "claim_idle")
        self.limit, self.window = delivery_limit, window

    def written(self, number: int) -> None:
        """There is something new to read in a partition: its readers ask for it if they have nothing to do."""
        for group in self.groups.values():
            if number in group.owner:
                self.poll_soon(self.members[group.owner[number]])
        if self.shares:
            for shared in self.shares.values():
                shared.wake()

    def ask(self, service: str, request: Event, since: int) -> None:
        """Refuse: a stream keeps what happened, it does not answer."""
        raise WiringError(
            f"{service} is deployed on stream {self.name}, which carries no requests: deploy it on a broker or a server"
        )

    def start(self, deployment: "Deployment", name: str) -> Instance:
        """A new instance joins the group of its service; a restarted one takes its old place."""
        if self.shared is True or (self.shared and deployment.group in self.shared):
            if deployment.group not in self.shares:
                self.shares[deployment.group] = ShareGroup(self, deployment)
                self.shares[deployment.group].grow()
            return self.shares[deployment.group].start(deployment, name)
        group = self.groups.get(deployment.group)
        if group is None:
            group = self.groups[deployment.group] = Group(
                deployment.group, self.name, self.logs, self.assignor or "range", self.start_at
            )
            self.coordinators[group.name] = Coordinator(self, group)
        instance = Instance(deployment, name, self)
        if name in group.members:
            self.coordinators[group.name].leave(name)
        self.members[name] = Member(instance, group)
        self.coordinators[group.name].join(name)
        return instance

    def crashed(self, instance: Instance) -> None:
        """The group notices a dead member when its session times out."""
        member = self.members[instance.name]
        if member.watch:
            self.kernel.cancel(member.watch)
        self.kernel.later(self.session, self._expired, member)

    def _expired(self, member: Member) -> None:
        name = member.instance.name
        if self.members.get(name) is member:
            if not member.out:
                self.coordinators[member.group.name].leave(name)
            del self.members[name]

    def evict(self, member: Member) -> None:
        """A member has not asked for records in time: it is put out, and joins again when it has finished what it has."""
        member.out, name = True, member.instance.name
        self.add(self.kernel.ns, "expel", self.name, name, None, 0, 0, member.group.name)
        self.coordinators[member.group.name].leave(name)

    def add_partitions(self, more: int) -> None:
        """Give the topic so many partitions more. What is written stays where it is; keys go where the new number says.

        So the records of one key may lie in two partitions, and nothing keeps their order. (Kafka: fewer is not possible.)
        """
        self.lab.check_open("add partitions")
        if not isinstance(more, int) or more < 1:
            raise WiringError(f"add_partitions({more!r}): 1 or more")
        self.logs += [self.new_log(len(self.logs) + n, self.logs[0].segment) for n in range(more)]
        self.add(self.kernel.ns, "grow", self.name, "operator", None, len(self.logs))
        for shared in self.shares.values():
            shared.grow()
        for coordinator in self.coordinators.values():
            coordinator.grown()

    def poll_soon(self, member: Member) -> None:
        """A member with nothing to do asks the stream, one hop away."""
        if member.watch and not member.batch:
            self.kernel.cancel(member.watch)
            member.watch = None
        if not member.polling and not member.batch and member.instance.up:
            member.polling = True
            self.kernel.later(self.network.hop, self._poll, member)

    def _poll(self, member: Member) -> None:
        """Hand a member its next batch, its partitions in turn."""
        member.polling = False
        instance, group = member.instance, member.group
        if not instance.up or self.members.get(instance.name) is not member or member.batch:
            return
        if self.retention:
            self.retention.look(self)
        if self.assignor:
            self.coordinators[group.name].polls(member)
        commit, room = instance.deployment.commit, instance.deployment.prefetch
        every = None if isinstance(commit, str) else nanoseconds(commit)
        if every is not None and self.kernel.ns >= member.next_commit:
            member.next_commit = self.kernel.ns + every
            self.commit_read(member)
        numbers = group.partitions_of(instance.name)
        if self.quota:
            numbers = self._within(self.quota, member, numbers)
        member.passed = {}
        for number in numbers:
            log, position = self.logs[number], group.position[number]
            if position < log.start or position > log.end:
                position = self._reset(group, number, instance.name)
            elif position == log.end:
                continue
            most = self.quota.read(group.name, number, log, position, room, self.kernel.ns) if self.quota else room
            for offset, event in self.scan(number, position, most, instance.deployment.isolation):
                record = Record(group.name, number, log.place, offset, event, 1)
                group.position[number] = offset + 1
                room -= 1
                member.batch.append(record)
                self.row((self.kernel.ns, "fetch", log.place, instance.name, event, offset, 0, group.name))
            if part := self.transactions.parts.get(number):
                member.passed[number, group.position[number]] = part.passed(group.position[number], instance.deployment.isolation)
        if every is not None:
            if instance.deployment.concurrency > 1:
                self.kernel.later(member.next_commit - self.kernel.ns, self._poll_on, member, every)
            owed = any(member.next(number) > group.committed[number] for number in group.partitions_of(instance.name))
            if owed and not member.batch:  # an idle consumer polls on, and so commits what it has done
                self.kernel.later(member.next_commit - self.kernel.ns, self.poll_soon, member)
        if self.patience is not None and member.batch:
            member.watch = self.kernel.spawn(
                f"{instance.name}'s poll timeout", alarm, self.kernel, self.patience, self.evict, member
            )
        member.came, member.receive = {}, member.in_order if instance.deployment.transactional else instance.receive
        for record in list(member.batch):
            if commit == "before":
                self._commit(group, record.partition, record.tag + 1, instance.name)
            self._send(member, record)

    def _within(self, quota: ReadQuota, member: Member, numbers: list[int]) -> list[int]:
        """The partitions that a member may read now; where only others have something for it, it asks again as soon as it may."""
        group, ns = member.group, self.kernel.ns
        waits = {
            number: quota.wait(group.name, number, ns) for number in numbers if group.position[number] != self.logs[number].end
        }
        if waits and min(waits.values()) > 0:
            member.polling = True
            self.kernel.later(min(waits.values()), self._poll, member)
        return [number for number, wait in waits.items() if wait <= 0]

    def _poll_on(self, member: Member, every: int) -> None:
        """Behind the loop that polls there is a pool of workers, and the loop does not wait for them: what is read is committed."""
        if self.kernel.ns == member.next_commit and member.batch and member.instance.up:
            member.next_commit += every
            self.commit_read(member)
            self.kernel.later(every, self._poll_on, member, every)

    def commit_read(self, member: Member) -> None:
        """Auto-commit: all that a member has read. A single worker has handled it, or it would not ask for more."""
        group, name = member.group, member.instance.name
        if not isinstance(member.instance.deployment.commit, str):
            for number in group.partitions_of(name):
                if (offset := member.next(number)) > group.committed[number]:
                    self._commit(group, number, offset, name)

    def _reset(self, group: Group, number: int, who: str) -> int:
        """The next record of a group is not there any more: it goes on where a new group would begin (auto.offset.reset)."""
        log = self.logs[number]
        group.position[number] = offset = log.start if group.start == "earliest" else log.end
        self.add(self.kernel.ns, "reset", log.place, who, None, offset, 0, group.name)
        return offset

    def _send(self, member: Member, record: Record) -> None:
        """Bring a record to its member; what is lost on the way is asked for again."""
        if quick := self.network.quick:  # nothing has been lost
            quick(member.receive, (record,))
            return
        args = "deliver", self.name, member.instance.name, record.event, member.receive, record
        if record in member.batch and not self.network.send(*args):
            self.kernel.later(self.network.hop * 10, self._send, member, record)

    def settle(self, instance: Instance, record: Record, error: Exception | None, result: Any) -> None:
        """A record is handled: commit it. One that failed is tried again at once, and holds up those behind it; or is given up."""
        member = self.members.get(instance.name)
        if member is None or record not in member.batch:  # the partition has a new reader: this result counts for nothing
            return
        if member.out:
            self._late(member, record)
            return
        if error is not None and not isinstance(error, Refused):
            limit = instance.deployment.delivery_limit
            give_up = instance.deployment.on_error == "reject" or (limit is not None and record.count >= limit)
            if not give_up:
                if record.count == 1:
                    record.failed = self.kernel.ns
                if record.count >= ENDLESS and not (self.lab.bounded and self.kernel.ns - record.failed >= record.count):
                    raise endless(record, error)
                record.count += 1
                instance.inbox.appendleft(record)
                return
            if instance.deployment.letters and not isinstance(error, Forwarded):
                self.forward(instance, record, str(error))
                return
            self.add(self.kernel.ns, "skip", record.place, instance.name, record.event, record.tag, 0, record.group)
        member.batch.remove(record)
        if instance.deployment.commit == "after":
            unfinished = (each.tag for each in member.batch if each.partition == record.partition)  # in order
            offset = next(unfinished, member.next(record.partition))
            if offset > record.tag:  # else one before it is not finished, and to commit past that would be to lose it in a crash
                args = (member.group, record.partition, offset, instance.name, member)
                if quick := self.network.quick:
                    quick(self._commit, args)
                else:
                    self.network.send("ack", instance.name, self.name, record.event, self._commit, *args)
        self.poll_soon(member)

    def commit_handled(self, instance: Instance, record: Record) -> bool:
        """Commit a record within a transaction; False if the instance is no longer its reader (KIP-447) or has not done one before it."""
        member = self.members.get(instance.name)
        batch = member.batch if member and not member.out else []
        next_one = next((each for each in batch if each.partition == record.partition), None) is record
        if next_one:
            self._commit(self.groups[record.group], record.partition, record.tag + 1, instance.name)
        return next_one

    def _late(self, member: Member, record: Record) -> None:
        """A member that was put out has finished a record: that counts for nothing. After its last one it joins again."""
        self.add(self.kernel.ns, "stale", record.place, member.instance.name, record.event, record.tag, 0, record.group)
        member.batch.remove(record)
        if not member.batch:
            member.out = False
            self.coordinators[member.group.name].join(member.instance.name)

    def _commit(self, group: Group, number: int, offset: int, who: str, member: Member | None = None) -> None:
        if member is not None and group.owner.get(number) != who:
            return  # fenced: somebody else reads this partition now
        group.commit(number, offset)
        self.row((self.kernel.ns, "commit", self.logs[number].place, who, None, offset, 0, group.name))

    def seek(self, group: str, *, to: str | float | None = None, offset: int | None = None, partition: int | None = None) -> None:
        """Let a group read on from "earliest", "latest", the first record not older than a time (virtual seconds), or an offset.

        Raises WiringError for an unknown group, partition or place. An offset that the log does not have is found out at the next
        poll: then the group goes on where a new one would begin.
        """
        self.lab.check_open(f"seek {group!r}")
        found = self._group(group)
        if partition is not None and partition not in range(len(self.logs)):
            raise WiringError(f"partition {partition!r}: {self.name} has 0 to {len(self.logs) - 1}")
        if (to is None) == (offset is None):
            raise WiringError(f"to={to!r}, offset={offset!r}: give one of them")
        if offset is not None and (not isinstance(offset, int) or offset < 0):
            raise WiringError(f"offset={offset!r}: a whole number, 0 or more")
        if isinstance(to, str) and to not in ("earliest", "latest"):
            raise WiringError(f"to={to!r}: give 'earliest', 'latest' or a time in seconds")
        if self.retention:
            self.retention.look(self)
        for number in range(len(self.logs)) if partition is None else [partition]:
            log = self.logs[number]
            if to is not None:
                offset = (
                    {"earliest": log.start, "latest": log.end}.get(to)
                    if isinstance(to, str)
                    else log.offset_at(nanoseconds(to, "to"))
                )
            assert offset is not None, "checked above"
            found.seek(number, offset)
            self.add(self.kernel.ns, "seek", log.place, "operator", None, offset, 0, group)
            member = self.members.get(found.owner.get(number, "")) if isinstance(found, Group) else None
            if member:
                member.batch = [record for record in member.batch if record.partition != number]
                self.poll_soon(member)

    def lag(self, group: str) -> int:
        """Records that a group has not committed yet; of a share group: those that are not done.

        As in Kafka it is a distance of offsets: the end of a transaction takes one, too, until something behind it is committed.
        """
        return self._group(group).lag()

    def pending(self, group: str) -> list[dict[str, Any]]:
        """What the members of a share group have and have not settled: rows of partition, offset, member, seconds idle and deliveries.

        With the id of the entry where there are no locks (XPENDING). Raises WiringError for a group that is none or keeps no such list.
        """
        found = self._group(group)
        if isinstance(found, Group):
            raise WiringError(
                f"{group} is a consumer group: it remembers how far it has come, not single records; see lag({group!r})"
            )
        return found.pending()

    def _group(self, name: str) -> Group | ShareGroup:
        there: dict[str, Group | ShareGroup] = {**self.groups, **self.shares}
        if name not in there:
            raise WiringError(known(f"group on stream {self.name}", name, list(there)))
        return there[name]

    def __repr__(self) -> str:
        return f"<stream {self.name}: {', '.join(str(log.end) for log in self.logs)} records>"


OPTIONS = tuple(signature(Stream).parameters)[2:]
