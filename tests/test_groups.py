"""A consumer group against a plain model: who reads what, from where, and what is read again."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edakit.errors import WiringError
from edakit.event import NOTHING, Event
from edakit.stream import Group, Log
from edakit.stream.rebalance import Rebalance

PARTITIONS = 4
NUMBERS = st.integers(0, PARTITIONS - 1)


def event(n: int) -> Event:
    return Event(f"tick.{n}", "tick", "web", None, None, n, None, f"tick.{n}", NOTHING)


class GroupMachine(RuleBasedStateMachine):
    """Members come and go, records are written, read and committed, offsets are moved."""

    def __init__(self):
        super().__init__()
        self.logs = [Log(f"orders/{n}") for n in range(PARTITIONS)]
        self.group = Group("billing", "orders", self.logs)
        self.rules = Rebalance(self.group, at_once=True)
        self.position, self.committed = [0] * PARTITIONS, [0] * PARTITIONS

    @rule(number=NUMBERS)
    def append(self, number):
        self.logs[number].append(event(self.logs[number].end))

    @rule(name=st.sampled_from("abcdef"))
    def join_or_leave(self, name):
        group, before = self.group, dict(self.group.owner)
        if name in group.members:
            assert self.rules.leave(name) == [], "what it has goes straight to the others"
        else:
            self.rules.join(name)
        moved = self.rules.deal()
        assert group.owner == before, "nothing changes hands by itself"
        for number in moved:
            others = {n: owner for n, owner in group.owner.items() if n != number}
            reader = group.hand_over(number)
            assert reader != before.get(number, "")
            assert {n: owner for n, owner in group.owner.items() if n != number} == others, "one at a time"
            self.position[number] = self.committed[number]

    @rule(number=NUMBERS)
    def read(self, number):
        if number in self.group.owner:
            self.group.position[number] = self.position[number] = self.logs[number].end

    @rule(number=NUMBERS)
    def commit_what_was_read(self, number):
        self.group.commit(number, self.position[number])
        self.committed[number] = self.position[number]

    @rule(number=NUMBERS, share=st.floats(0, 1))
    def seek(self, number, share):
        offset = int(share * self.logs[number].end)
        self.group.seek(number, offset)
        self.position[number] = self.committed[number] = offset

    @precondition(lambda self: self.group.members)
    @rule()
    def join_twice(self):
        members, owner = list(self.group.members), dict(self.group.owner)
        with pytest.raises(WiringError, match="is in group billing already"):
            self.rules.join(members[0])
        with pytest.raises(WiringError, match="no member of group billing named 'zoe'"):
            self.rules.leave("zoe")
        assert (self.group.members, self.group.owner) == (members, owner)

    @invariant()
    def every_partition_has_one_reader_as_long_as_there_are_members(self):
        group = self.group
        assert set(group.owner) == (set(range(PARTITIONS)) if group.members else set())
        assert set(group.owner.values()) <= set(group.members)
        shares = [group.partitions_of(member) for member in group.members]
        assert sorted(number for share in shares for number in share) == sorted(group.owner)
        if shares:
            assert max(map(len, shares)) - min(map(len, shares)) <= 1

    @invariant()
    def positions_and_commits_are_those_of_the_model(self):
        assert self.group.position == self.position
        assert self.group.committed == self.committed
        assert self.group.lag() == sum(log.end - offset for log, offset in zip(self.logs, self.committed, strict=True))


TestGroup = GroupMachine.TestCase


def written(*counts: int) -> list[Log]:
    logs = [Log(f"orders/{n}") for n in range(len(counts))]
    for log, count in zip(logs, counts, strict=True):
        for n in range(count):
            log.append(event(n))
    return logs


def test_a_new_group_begins_at_the_earliest_or_latest_record():
    assert Group("billing", "orders", written(3, 5), start="earliest").position == [0, 0]
    latest = Group("billing", "orders", written(3, 5), start="latest")
    assert (latest.position, latest.committed, latest.lag()) == ([3, 5], [3, 5], 0)
    with pytest.raises(WiringError, match="start='newest': a new group begins at 'earliest' or 'latest'"):
        Group("billing", "orders", written(1), start="newest")


def test_what_was_read_and_not_committed_is_read_again_by_the_next_reader():
    group = Group("billing", "orders", written(5))
    rules = Rebalance(group, at_once=True)
    rules.join("a")
    assert [group.hand_over(number) for number in rules.deal()] == ["a"]
    group.position[0] = 4
    group.commit(0, 2)
    rules.leave("a")
    assert [group.hand_over(number) for number in rules.deal()] == [""]
    rules.join("b")
    assert [group.hand_over(number) for number in rules.deal()] == ["b"]
    assert group.position == [2]


def test_more_members_than_partitions_leave_some_without_work():
    group = Group("billing", "orders", written(1, 1))
    rules = Rebalance(group, at_once=True)
    for name in "abc":
        rules.join(name)
        for number in rules.deal():
            group.hand_over(number)
    assert [group.partitions_of(name) for name in "abc"] == [[0], [1], []]
