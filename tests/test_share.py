"""A share group against a plain model: every record is handed out, to one at a time, so often at most, and ends done or given up."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edakit.event import NOTHING, Event
from edakit.stream import Log, SharePartition, entry_ids

LOCK, LIMIT, WINDOW = 30, 3, 6
MEMBERS = st.sampled_from("abc")


def event(n: int) -> Event:
    return Event(f"tick.{n}", "tick", "web", None, str(n % 3), n, None, f"tick.{n}", NOTHING)


def log_of(count: int) -> Log:
    log = Log("ticks/0", segment=2)
    for n in range(count):
        log.append(event(n))
    return log


def states(part: SharePartition) -> dict[int, str]:
    return {offset: "acquired" if flight.member else "available" for offset, flight in part.flight.items()}


def pending(part: SharePartition) -> dict[int, str]:
    return {offset: flight.member for offset, flight in part.flight.items() if flight.member}


class ShareMachine(RuleBasedStateMachine):
    """Records are written, acquired, settled, left to their locks, and forgotten by the log."""

    def __init__(self):
        super().__init__()
        self.log, self.now = Log("ticks/0", segment=2), 0
        self.part = SharePartition(self.log, lock=LOCK, limit=LIMIT, window=WINDOW)
        self.count: dict[int, int] = {}  # deliveries
        self.locks: dict[int, tuple[str, int]] = {}  # offset -> who has it, until when
        self.over: dict[int, str] = {}  # offset -> acknowledged or archived
        self.next = 0  # all before has been handed out, or was gone before that

    @rule(count=st.integers(1, 4))
    def append(self, count):
        for _ in range(count):
            self.log.append(event(self.log.end))

    @rule(member=MEMBERS, most=st.integers(1, 5))
    def acquire(self, member, most):
        self.forget()
        free = [n for n in sorted(self.count) if n not in self.locks and n not in self.over]
        oldest = min((n for n in self.count if n not in self.over), default=self.next)
        room = min(most - len(free), WINDOW - (self.next - oldest))
        fresh = [n for n in range(self.next, self.log.end) if n not in self.log.gone][: max(0, room)]
        got = list(self.part.acquire(member, most, self.now))
        assert [offset for offset, _, _ in got] == free[:most] + fresh
        for offset, found, count in got:
            assert found is self.log.records[offset]
            assert offset not in self.locks, "acquired by two at once"
            self.count[offset] = self.count.get(offset, 0) + 1
            assert count == self.count[offset] <= LIMIT
            self.locks[offset] = (member, self.now + LOCK)
            self.next = max(self.next, offset + 1)

    def forget(self):
        lost = [
            n
            for n in sorted(self.count)
            if n not in self.locks and n not in self.over and (n < self.log.start or n in self.log.gone)
        ]
        assert list(self.part.forget()) == lost
        self.over.update(dict.fromkeys(lost, "archived"))
        self.next = max(self.next, self.log.start)

    @rule(member=MEMBERS, offset=st.integers(0, 30), how=st.sampled_from(["accept", "release", "reject"]))
    def settle(self, member, offset, how):
        state = self.part.acknowledge(member, offset, how)
        if self.locks.get(offset, ("",))[0] != member:
            assert state is None, "somebody else's, or nobody's"
            return
        del self.locks[offset]
        self.close(offset, state, how)

    def close(self, offset, state, how):
        if how == "release" and self.count[offset] < LIMIT:
            assert state == "available"
            return
        self.over[offset] = "acknowledged" if how == "accept" else "archived"
        assert state == self.over[offset]

    @rule(seconds=st.integers(1, 40))
    def wait(self, seconds):
        self.now += seconds
        late = {offset: who for offset, (who, until) in self.locks.items() if until <= self.now}
        for offset, state in self.part.expire(self.now):
            del late[offset]
            del self.locks[offset]
            self.close(offset, state, "release")
        assert not late

    @rule()
    def retention(self):
        self.log.expire(self.log.end, keep_ns=4)

    @rule()
    def compaction(self):
        self.log.compact(0, 10**9)

    @invariant()
    def every_record_is_in_one_place(self):
        open_ones = [n for n in self.count if n not in self.over]
        assert self.part.end == self.next
        assert self.part.start == min(open_ones, default=self.next)
        assert self.part.lag() == len(open_ones) + self.log.end - self.next
        assert pending(self.part) == {n: who for n, (who, _) in self.locks.items()}
        assert states(self.part) == {n: "acquired" if n in self.locks else "available" for n in open_ones}
        assert self.part.due == min((until for _, until in self.locks.values()), default=None)

    def teardown(self):
        """When all work, everything ends done or given up."""
        self.wait(LOCK)
        for _ in range(LIMIT * (self.log.end + 1)):
            self.acquire("a", 5)
            for offset in list(self.locks):
                self.settle("a", offset, "accept" if offset % 2 else "release")
        self.forget()
        assert self.part.lag() == 0
        assert set(self.over) == set(self.count), "no loss, no phantom"
        assert self.part.start == self.part.end == max(self.log.end, self.log.start)


TestShareMachine = ShareMachine.TestCase


def test_the_four_states():
    part = SharePartition(log_of(4))
    assert [(offset, count) for offset, _, count in part.acquire("a", 4, 0)] == [(0, 1), (1, 1), (2, 1), (3, 1)]
    assert part.acknowledge("a", 1, "accept") == "acknowledged"
    assert part.acknowledge("a", 2, "reject") == "archived"
    assert part.acknowledge("a", 3, "release") == "available"
    assert states(part) == {0: "acquired", 3: "available"}
    assert part.start == 0, "it waits for the first"
    assert part.acknowledge("a", 0, "accept") == "acknowledged"
    assert part.start == 3
    assert [(offset, count) for offset, _, count in part.acquire("b", 4, 0)] == [(3, 2)]


def test_a_record_is_handed_out_as_often_as_the_limit_says_whoever_gives_it_back():
    part = SharePartition(log_of(1), limit=3, lock=30)
    list(part.acquire("a", 1, 0))
    assert list(part.expire(29)) == []
    assert list(part.expire(30)) == [(0, "available")]
    list(part.acquire("b", 1, 31))
    assert part.acknowledge("b", 0, "release") == "available"
    list(part.acquire("c", 1, 32))
    assert part.acknowledge("c", 0, "release") == "archived"
    assert (part.start, part.end, part.lag()) == (1, 1, 0)


def test_what_is_late_counts_for_nothing_once_the_lock_has_run_out():
    part = SharePartition(log_of(1), lock=30)
    list(part.acquire("a", 1, 0))
    list(part.expire(30))
    assert part.acknowledge("a", 0, "accept") is None
    list(part.acquire("b", 1, 30))
    assert part.acknowledge("a", 0, "accept") is None, "it is locked for b"
    assert part.acknowledge("b", 0, "accept") == "acknowledged"
    assert part.acknowledge("b", 0, "accept") is None, "once"


def test_one_stuck_record_stops_a_group_once_its_window_is_full():
    part = SharePartition(log_of(10), window=4)
    for offset, _, _ in list(part.acquire("a", 10, 0)):
        if offset:
            part.acknowledge("a", offset, "accept")
    assert list(part.acquire("b", 10, 0)) == []
    assert part.room == 0
    part.acknowledge("a", 0, "accept")
    assert part.room == 4
    assert [offset for offset, _, _ in part.acquire("b", 10, 0)] == [4, 5, 6, 7]


def test_an_entry_of_a_redis_stream_is_acked_by_whoever_says_so():
    part = SharePartition(log_of(1), lock=60, limit=None, window=None, fenced=False)
    list(part.acquire("a", 1, 0))
    list(part.expire(60, most=1))
    list(part.acquire("b", 1, 60))
    assert (pending(part), part.flight[0].count) == ({0: "b"}, 2)
    assert part.acknowledge("a", 0, "accept") == "acknowledged"
    assert part.acknowledge("b", 0, "accept") is None


@pytest.mark.parametrize(
    ("times", "ids"),
    [([], []), ([0, 999_999], ["0-0", "0-1"]), ([5_000_000, 3_000_000, 6_000_000], ["5-0", "5-1", "6-0"])],
)
def test_entry_ids_never_go_back(times, ids):
    assert entry_ids(times) == ids
