"""Assignors: every partition has one reader, shares are even, and everybody computes the same answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edakit.errors import WiringError
from edakit.stream import assign

STRATEGY = st.sampled_from(["range", "round-robin"])
TOPICS = ["orders", "payments", "stock"]
MEMBERS = st.dictionaries(
    st.sampled_from([f"m{n}" for n in range(6)]), st.lists(st.sampled_from(TOPICS), unique=True), max_size=6
)
PARTITIONS = st.dictionaries(st.sampled_from(TOPICS), st.integers(0, 9), max_size=3)


@given(STRATEGY, MEMBERS, PARTITIONS)
def test_each_partition_somebody_wants_has_one_reader_who_subscribes_to_it(strategy, members, partitions):
    dealt = assign(strategy, members, partitions)
    assert sorted(dealt) == sorted(members)
    given_out = [each for share in dealt.values() for each in share]
    wanted = [
        (topic, n)
        for topic, count in partitions.items()
        if any(topic in topics for topics in members.values())
        for n in range(count)
    ]
    assert sorted(given_out) == sorted(wanted)
    assert all(topic in members[member] for member, share in dealt.items() for topic, _ in share)


@given(STRATEGY, MEMBERS, PARTITIONS)
def test_the_answer_does_not_depend_on_the_order_of_the_question(strategy, members, partitions):
    backwards = dict(reversed(members.items())), dict(reversed(partitions.items()))
    assert assign(strategy, members, partitions) == assign(strategy, *backwards)


@given(STRATEGY, st.integers(1, 6), st.integers(0, 20))
def test_shares_of_one_topic_differ_by_one_at_most(strategy, members, partitions):
    dealt = assign(strategy, {f"m{n}": ["orders"] for n in range(members)}, {"orders": partitions})
    sizes = [len(share) for share in dealt.values()]
    assert max(sizes) - min(sizes) <= 1


def test_range_gives_runs_and_the_first_members_the_longer_ones():
    # the example of Kafka's RangeAssignor: two topics, three partitions each, two members
    dealt = assign("range", {"c0": ["t0", "t1"], "c1": ["t0", "t1"]}, {"t0": 3, "t1": 3})
    assert dealt == {"c0": [("t0", 0), ("t0", 1), ("t1", 0), ("t1", 1)], "c1": [("t0", 2), ("t1", 2)]}


def test_round_robin_deals_all_partitions_of_all_topics_in_turn():
    # the examples of Kafka's RoundRobinAssignor: equal and unequal subscriptions
    dealt = assign("round-robin", {"c0": ["t0", "t1"], "c1": ["t0", "t1"]}, {"t0": 3, "t1": 3})
    assert dealt == {"c0": [("t0", 0), ("t0", 2), ("t1", 1)], "c1": [("t0", 1), ("t1", 0), ("t1", 2)]}
    unequal = assign("round-robin", {"c0": ["t0"], "c1": ["t0", "t1"], "c2": ["t0", "t1", "t2"]}, {"t0": 1, "t1": 2, "t2": 3})
    assert unequal == {"c0": [("t0", 0)], "c1": [("t1", 0)], "c2": [("t1", 1), ("t2", 0), ("t2", 1), ("t2", 2)]}


def test_an_unknown_strategy_is_named_with_those_there_are():
    with pytest.raises(
        WiringError, match="no assignment strategy named 'sticki'; known: cooperative-sticky, range, round-robin, sticky"
    ):
        assign("sticki", {}, {})
