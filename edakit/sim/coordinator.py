"""Who is in a group, in virtual time: the rounds of a rebalance, and members that do not ask for records in time."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from edakit.sim.runtime import IDLE, Instance
from edakit.stream.groups import Group, Record
from edakit.stream.rebalance import Rebalance

if TYPE_CHECKING:
    from edakit.sim.kernel import Kernel, Task
    from edakit.sim.streams import Stream


class Member:
    """An instance as the group sees it: what it has polled and not finished."""

    def __init__(self, instance: Instance, group: Group) -> None:
        self.instance, self.group = instance, group
        self.batch: list[Record] = []  # handed out, not finished
        self.next_commit = 0  # auto-commit: the instant of the next one
        self.polling = False
        self.out = False  # put out for not asking in time; it is back in the group when it has finished
        self.watch: Task | None = None  # puts it out
        self.receive: Callable[[Record], object] = instance.receive  # where records are sent to
        self.came: dict[Record, bool] = {}  # of the batch: whether it has been passed on
        self.passed: dict[tuple[int, int], int] = {}  # where it stands behind what it is never handed, by partition and position

    def next(self, number: int) -> int:
        """The offset to commit in a partition once all that was handed out is done."""
        position = self.group.position[number]
        return self.passed.get((number, position), position)

    def in_order(self, record: Record) -> None:
        """Pass a record on once those before it are here: a transaction commits its offset, and with it all before."""
        self.came.setdefault(record, False)
        for each in self.batch:
            if each not in self.came:
                return
            if not self.came[each]:
                self.came[each] = True
                self.instance.receive(each)


class Coordinator:
    """Drives the rules of `edakit.stream.rebalance` for one group, and writes a row for each partition given up and given."""

    def __init__(self, stream: "Stream", group: Group) -> None:
        self.stream, self.group, self.rules = stream, group, Rebalance(group, at_once=stream.assignor is None)

    def join(self, name: str) -> None:
        """A member comes: all others hear of it when they next ask for records."""
        self.rules.join(name)
        self._call()

    def leave(self, name: str) -> None:
        """A member is gone, or has been put out."""
        for number in self.rules.leave(name):
            self.group.take(number)
            self._row("revoke", number, name)
        self._call()

    def grown(self) -> None:
        """There are more partitions."""
        self.group.grow()
        if not self.rules.open:
            self.rules.begin()
        self._call()

    def polls(self, member: Member) -> None:
        """A member asks for records; first it gives up what it has to."""
        rules, name = self.rules, member.instance.name
        if not rules.open and name not in rules.giving:
            return
        if (name in rules.waiting and rules.eager) or name in rules.giving:
            self.stream.commit_read(member)
        given = rules.comes(name)
        for number in given:
            self.group.take(number)
            self._row("revoke", number, name)
        if given or rules.ready:
            self._call()

    def _call(self) -> None:
        """Deal if all are there; and let everybody know by what they find at their next poll. Results of old readers no longer count."""
        moved = self.rules.deal() if self.rules.ready else []
        for number in moved:
            self._row("assign", number, self.group.hand_over(number))
        for member in [self.stream.members[name] for name in self.group.members]:
            if moved:
                member.batch = [record for record in member.batch if record.partition not in moved]
            self.stream.poll_soon(member)

    def _row(self, kind: str, number: int, who: str) -> None:
        group, stream = self.group, self.stream
        stream.add(stream.kernel.ns, kind, stream.logs[number].place, who, None, group.position[number], 0, group.name)


async def alarm(kernel: "Kernel", wait: int, action: Callable[..., object], *args: Any) -> None:
    """Do something after a while; until then it may be cancelled, and no time passes for it."""
    kernel.timer(wait, kernel.current, kernel.ticket())
    await kernel.park(IDLE)
    action(*args)
