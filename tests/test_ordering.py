"""Keeping order: sequencer, resequencer, version gate, lanes, Lamport and vector clocks, each against what it promises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edakit.errors import ArgumentError
from edakit.ordering import LamportClock, Lanes, Resequencer, Sequencer, VectorClock, VersionGate


@st.composite
def arrivals(draw):
    """Numbered items of two keys in some order, some twice, some never."""
    sent = [(key, number) for key in "ab" for number in range(1, draw(st.integers(1, 7)) + 1)]
    lost = set(draw(st.lists(st.sampled_from(sent), max_size=3)))
    there = [item for item in sent if item not in lost]
    twice = draw(st.lists(st.sampled_from(there), max_size=3)) if there else []
    return sent, draw(st.permutations(there + twice))


def of_key(items, key):
    return [number for k, number in items if k == key]


def test_a_sequencer_counts_each_key_and_goes_on_from_what_was_written_down():
    clerk = Sequencer()
    assert [clerk.number("a"), clerk.number("b"), clerk.number("a"), clerk.number(), clerk.number()] == [1, 1, 2, 1, 2]
    successor = Sequencer(clerk.issued)
    assert successor.number("a") == 3
    assert clerk.issued["a"] == 2, "the two share nothing"
    assert Sequencer({"a": 1}).number("a") == 2, "what was not written down is given out twice"


@given(arrivals())
def test_waiting_gives_everything_up_to_the_first_gap_in_order_and_once(arrived):
    sent, order = arrived
    box, out = Resequencer(), []
    for key, number in order:
        out += [(key, n) for n in box.accept(key, number, number)]
    for key in "ab":
        here = {number for k, number in order if k == key}
        run = next(n for n in range(1, 9) if n not in here)
        assert of_key(out, key) == list(range(1, run))
        assert box.held().get(key, []) == sorted(n for n in here if n > run)
        assert box.missing(key) == [n for n in range(run, max(here, default=0)) if n not in here]
    assert box.dropped == len(order) - len(set(order))
    assert box.deadline() is None
    assert box.due(1e9) == ([], [])
    assert sent


@given(arrivals())
def test_skipping_goes_on_behind_gaps_in_order_and_loses_only_what_came_too_late(arrived):
    _, order = arrived
    box, out, now = Resequencer("skip", timeout=2), [], 0.0
    for key, number in order:
        now += 0.7
        out += box.due(now).ready
        out += [(key, n) for n in box.accept(key, number, number, now)]
    while (deadline := box.deadline()) is not None:
        out += box.due(deadline).ready
    for key in "ab":
        assert of_key(out, key) == sorted(set(of_key(out, key)))
    assert len(out) + box.dropped == len(order)
    assert not box.held()


@given(arrivals())
def test_refetching_handles_every_number_below_the_last_that_came(arrived):
    _, order = arrived
    box, out, asked = Resequencer("refetch", timeout=2), [], []
    for now, (key, number) in enumerate(order):
        out += [(key, n) for n in box.accept(key, number, number, now)]
    while (deadline := box.deadline()) is not None:
        for key, number in box.due(deadline).refetch:
            asked.append((key, number))
            out += [(key, n) for n in box.accept(key, number, number, deadline)]
    for key in "ab":
        last = max(of_key(order, key), default=0)
        assert of_key(out, key) == list(range(1, last + 1))
    assert not set(asked) & set(order), "only what was lost is asked for"


def test_patience_is_counted_from_the_first_item_that_waits_and_again_for_the_next_gap():
    box = Resequencer("skip", timeout=10)
    assert box.accept("a", 1, "one", now=0) == ["one"]
    assert box.deadline() is None
    assert box.accept("a", 3, "three", now=5) == []
    assert box.accept("a", 5, "five", now=9) == []
    assert box.deadline() == 15
    assert box.due(14.9) == ([], [])
    assert box.due(15) == ([("a", "three")], [])
    assert box.deadline() == 25, "number 4 has its own ten seconds"
    assert box.accept("a", 2, "two", now=16) == []
    assert box.dropped == 1
    assert box.accept("a", 4, "four", now=17) == ["four", "five"]


def test_asking_is_repeated_until_the_answer_comes():
    box = Resequencer("refetch", timeout=2)
    box.accept("a", 4, "four", now=1)
    assert box.due(3).refetch == [("a", 1), ("a", 2), ("a", 3)]
    assert box.accept("a", 2, "two", now=4) == []
    assert box.due(4.9).refetch == []
    assert box.due(5).refetch == [("a", 1), ("a", 3)]


@pytest.mark.parametrize(
    ("policy", "timeout", "message"),
    [
        ("drop", None, "no gap policy named 'drop'; known: refetch, skip, wait"),
        ("skip", None, "timeout=None"),
        ("refetch", 0, "timeout=0"),
        ("wait", 2, "'wait' has none"),
    ],
)
def test_a_policy_has_its_timeout(policy, timeout, message):
    with pytest.raises(ArgumentError, match=message):
        Resequencer(policy, timeout=timeout)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 9))))
def test_the_gate_keeps_the_highest_version_of_each_key(events):
    gate, state = VersionGate(), {}
    for key, version in events:
        before = state.get(key, 0)
        if gate.admit(key, version):
            assert version > before
            state[key] = version
    assert state == gate.seen == {key: max(v for k, v in events if k == key) for key in {key for key, _ in events}}


def test_the_gate_loses_late_steps():
    gate, total = VersionGate(), 0
    for version, packets in [(1, 10), (3, 10), (2, 10)]:
        total += packets if gate.admit("42", version) else 0
    assert total == 20, "thirty were sent"


@given(
    st.integers(1, 5),
    st.lists(st.tuples(st.sampled_from("abcdef"), st.integers()), max_size=30),
    st.randoms(use_true_random=False),
)
def test_lanes_keep_the_order_of_each_key_whoever_is_fast(workers, items, random):
    lanes, working, ended = Lanes(workers), {}, []
    for key, value in items:
        lanes.put(key, (key, value))
    while working or any(lanes.waiting):
        lane = random.randrange(workers)
        if lane in working:
            assert lanes.take(lane) is None, "one at a time"
            ended.append(working.pop(lane))
            lanes.done(lane)
        elif (item := lanes.take(lane)) is not None:
            assert item[0] not in {key for key, _ in working.values()}, "two workers with one key"
            working[lane] = item
    for name in "abcdef":
        assert [item for item in ended if item[0] == name] == [item for item in items if item[0] == name]


def test_lanes_need_a_worker():
    with pytest.raises(ArgumentError, match="workers=0: a whole number, 1 or more"):
        Lanes(0)


@st.composite
def histories(draw):
    """Events of three nodes: each local, or the receipt of an earlier one; as (node, Lamport time, vector, everything behind it)."""
    nodes = "abc"
    lamport, vectors, behind, events = (
        {n: LamportClock() for n in nodes},
        dict.fromkeys(nodes, VectorClock()),
        {n: set() for n in nodes},
        [],
    )
    for index in range(draw(st.integers(1, 8))):
        node = draw(st.sampled_from(nodes))
        message = draw(st.none() | st.sampled_from(events)) if events else None
        if message is None:
            time = lamport[node].tick()
        else:
            time = lamport[node].receive(message[1])
            vectors[node] = vectors[node].merge(message[2])
            behind[node] |= message[3]
        vectors[node] = vectors[node].increment(node)
        behind[node] = behind[node] | {index}
        events.append((node, time, vectors[node], frozenset(behind[node])))
    return events


@given(histories())
def test_clocks_tell_causes_as_far_as_they_promise(events):
    for index, (_, time, vector, behind) in enumerate(events):
        for other, (_, later, clock, after) in enumerate(events):
            if index == other:
                assert vector.compare(clock) == "equal"
                continue
            caused, was_caused = index in after, other in behind
            assert vector.compare(clock) == ("before" if caused else "after" if was_caused else "concurrent")
            assert not caused or time < later, "a cause has the lower Lamport time"


CLOCKS = st.builds(VectorClock, st.dictionaries(st.sampled_from("abc"), st.integers(0, 3)))
MIRROR = {"before": "after", "after": "before", "equal": "equal", "concurrent": "concurrent"}


@given(CLOCKS, CLOCKS, CLOCKS)
def test_vector_clocks_obey_their_laws(a, b, c):
    assert a.merge(b) == b.merge(a)
    assert a.merge(b).merge(c) == a.merge(b.merge(c))
    assert a.merge(a) == a
    assert a.compare(a.merge(b)) in ("before", "equal")
    assert b.compare(a) == MIRROR[a.compare(b)]
    assert (a.compare(b) == "equal") == (a == b) == (hash(a) == hash(b))
    assert a.compare(a.increment("a")) == "before"
    if a.compare(b) == b.compare(c) == "before":
        assert a.compare(c) == "before"


def test_a_node_without_events_is_no_node():
    assert VectorClock({"a": 0}) == VectorClock() == VectorClock({})
    assert VectorClock({"b": 1, "a": 2, "c": 0}).to_dict() == {"a": 2, "b": 1}
    assert repr(VectorClock({"b": 1, "a": 2})) == "VectorClock({'a': 2, 'b': 1})"
    assert VectorClock({"a": 2})["b"] == 0
    assert VectorClock() != {}
    for count in (-1, 1.5, True, "1"):
        with pytest.raises(ArgumentError, match="a number of events, 0 or more"):
            VectorClock({"a": count})
