"""How a group deals its partitions anew while its members are at work: the classic protocol of Kafka, eager or cooperative, or at once.

Pure rules; whoever drives them takes away (`group.take`) and hands over one partition after the other. A round begins when a member
joins or leaves. Each member hears of it when it next asks for records, and that is when it comes; the slowest handler so decides how
long the round takes. When all have come, the shares are dealt.

Eager ("range", "round-robin", "sticky"): who comes gives up all it has, and stands still until the last has come.
Cooperative ("cooperative-sticky"): who comes reads on. Once dealt, only those give up something whose partitions have to move; that
begins a second round, in which these go to their new readers.
At once (of no real system): nobody has to come, and what moves goes straight from its old reader to the new one.

    rules = Rebalance(group, at_once=True)
    rules.join("worker.1")
    for partition in rules.deal():
        reader = group.hand_over(partition)

Source: KIP-429; ConsumerCoordinator.onJoinPrepare and onJoinComplete; CooperativeStickyAssignor.
"""

from edakit.errors import WiringError, known
from edakit.stream.groups import Group


class Rebalance:
    """The rounds of one group. `waiting`: who has not come to this one; `giving`: who has to give up what, at their next poll."""

    def __init__(self, group: Group, *, at_once: bool = False) -> None:
        self.group, self.eager, self.at_once = group, group.strategy != "cooperative-sticky" and not at_once, at_once
        self.open = False
        self.waiting: list[str] = []
        self.giving: dict[str, list[int]] = {}
        self._had: dict[str, list[int]] = {}  # eager: what each member came with, for the sticky assignor

    @property
    def ready(self) -> bool:
        """Whether all have come and the shares can be dealt."""
        return self.open and not self.waiting

    def join(self, member: str) -> None:
        """A member wants to take part: a round begins, or it takes part in the one under way."""
        if member in self.group.members:
            raise WiringError(f"{member} is in group {self.group.name} already")
        self.group.members.append(member)
        if self.open:
            self.waiting.append(member)
        else:
            self.begin()

    def leave(self, member: str) -> list[int]:
        """A member is gone: what to take from it. A round begins, or the one under way no longer waits for it."""
        if member not in self.group.members:
            raise WiringError(known(f"member of group {self.group.name}", member, self.group.members))
        self.group.members.remove(member)
        self.giving.pop(member, None)
        self._had.pop(member, None)
        if self.open:
            self.waiting = [name for name in self.waiting if name != member]
        else:
            self.begin()
        return [] if self.at_once else self.group.partitions_of(member)

    def begin(self) -> None:
        """Call the members together."""
        self.waiting, self._had = [] if self.at_once else list(self.group.members), {}
        self.open = self.at_once or bool(self.waiting)

    def comes(self, member: str) -> list[int]:
        """A member asks for records: the partitions to take from it now, before anything else."""
        if member in self.waiting:
            self.waiting.remove(member)
            if self.eager:
                self._had[member] = self.group.partitions_of(member)
                return self._had[member]
        given = self.giving.pop(member, [])
        if given and not self.open:
            self.begin()
            self.waiting.remove(member)  # it comes back at once
        return given

    def deal(self) -> list[int]:
        """All have come: deal the shares; return the partitions to hand over. The next poll of those in `giving` frees the rest."""
        group, self.open = self.group, False
        owned = self._had if self.eager else {member: group.partitions_of(member) for member in group.members}
        group.deal(owned)
        if self.at_once:
            return [number for number in range(len(group.logs)) if group.dealt.get(number) != group.owner.get(number)]
        self.giving = {}
        for number, member in sorted(group.owner.items()):
            if group.dealt.get(number) != member:
                self.giving.setdefault(member, []).append(number)
        return [number for number in sorted(group.dealt) if number not in group.owner]
