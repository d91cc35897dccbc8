"""The sticky assignors: what Kafka's own suite expects of them (AbstractStickyAssignorTest), and what holds for any group."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edakit.errors import ArgumentError
from edakit.stream import assign

STICKY = pytest.mark.parametrize("strategy", ["sticky", "cooperative-sticky"])


def parts(text: str) -> list[tuple[str, int]]:
    """`t1-0 t2-1` as [("t1", 0), ("t2", 1)]."""
    return [(topic, int(number)) for topic, _, number in (word.rpartition("-") for word in text.split())]


def settle(members, partitions, owned):
    """Cooperative rebalances until nobody has to give anything up; the shares, and how many rounds it took."""
    for rounds in range(1, 6):
        dealt = assign("cooperative-sticky", members, partitions, owned)
        given_up = [p for member in members for p in owned.get(member, []) if p not in dealt[member]]
        if not given_up:
            return dealt, rounds
        owned = dealt
    raise AssertionError("still not settled")


# Kafka's suite, member by member and in its order. Each row: members, partitions, owned, the shares.
KAFKA = {
    "one consumer, several topics": (
        {"consumer": "t1 t2"}, {"t1": 1, "t2": 2}, {}, {"consumer": "t1-0 t2-0 t2-1"},
    ),
    "a topic that does not exist": (
        {"consumer": "topic"}, {}, {}, {"consumer": ""},
    ),
    "owned partitions of other topics do not count": (
        {"consumer": "topic"}, {"topic": 2, "other": 2}, {"consumer": "topic-0 topic-1 other-0 other-1"}, {"consumer": "topic-0 topic-1"},
    ),
    "mixed subscriptions": (
        {"consumer1": "t1", "consumer2": "t1 t2", "consumer3": "t1"}, {"t1": 3, "t2": 2}, {},
        {"consumer1": "t1-0 t1-2", "consumer2": "t2-0 t2-1", "consumer3": "t1-1"},
    ),
    "two topics, six partitions": (
        {"consumer1": "t1 t2", "consumer2": "t1 t2"}, {"t1": 3, "t2": 3}, {},
        {"consumer1": "t1-0 t1-2 t2-1", "consumer2": "t1-1 t2-0 t2-2"},
    ),
    "one at the least may still get one more": (
        {"consumer1": "t1 t2", "consumer2": "t1 t2"}, {"t1": 2, "t2": 3}, {"consumer1": "t1-0 t2-1", "consumer2": "t1-1 t2-2"},
        {"consumer1": "t1-0 t2-1 t2-0", "consumer2": "t1-1 t2-2"},
    ),
    "all below the least": (
        {"consumer1": "t1 t2", "consumer2": "t1 t2", "consumer3": "t1 t2"}, {"t1": 2, "t2": 3}, {"consumer1": "t1-0", "consumer2": "t1-1"},
        {"consumer1": "t1-0 t2-1", "consumer2": "t1-1 t2-2", "consumer3": "t2-0"},
    ),
    "both of the first two have gone": (
        {"consumer3": "t1 t2", "consumer4": "t1 t2"}, {"t1": 3, "t2": 4},
        {"consumer1": "t1-0 t2-1", "consumer2": "t1-1 t2-0", "consumer3": "t1-2 t2-3", "consumer4": "t2-2"},
        {"consumer3": "t1-2 t2-3 t1-0 t2-1", "consumer4": "t2-2 t1-1 t2-0"},
    ),
}  # fmt: skip


@STICKY
@pytest.mark.parametrize("name", KAFKA)
def test_as_in_kafka_where_nothing_has_to_move(strategy, name):
    members, partitions, owned, expected = KAFKA[name]
    dealt = assign(
        strategy,
        {member: topics.split() for member, topics in members.items()},
        partitions,
        {member: parts(share) for member, share in owned.items()},
    )
    assert dealt == {member: parts(share) for member, share in expected.items()}


# Who of two equals gives something up follows the order of a Java HashMap: consumer2 comes before consumer1 there.
MOVES = {
    "the third of three": (
        {"consumer1": "t1-0 t2-0", "consumer2": "t1-1 t2-1", "consumer3": ""}, {"topic1": 2, "topic2": 2},
        {"consumer1": "t1-0", "consumer2": "t1-1 t2-1", "consumer3": "t2-0"}, "t2-0",
    ),
    "two more": (
        {"consumer1": "t1-0 t1-2 t2-1 t2-3", "consumer2": "t1-1 t2-0 t2-2", "consumer3": "", "consumer4": ""}, {"topic1": 3, "topic2": 4},
        {"consumer1": "t1-0 t2-1", "consumer2": "t2-0 t1-1", "consumer3": "t1-2 t2-3", "consumer4": "t2-2"}, "t1-2 t2-3 t2-2",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MOVES)
def test_as_in_kafka_where_partitions_move(name):
    owned, partitions, expected, moving = MOVES[name]
    long = str.maketrans({"t": "topic"})
    owned, expected = ({m: parts(s.translate(long)) for m, s in shares.items()} for shares in (owned, expected))
    members = {member: list(partitions) for member in owned}
    assert assign("sticky", members, partitions, owned) == expected
    waiting = parts(moving.translate(long))
    first = {member: [p for p in share if p not in waiting] for member, share in expected.items()}
    assert assign("cooperative-sticky", members, partitions, owned) == first
    assert assign("cooperative-sticky", members, partitions, first) == expected


def test_a_partition_that_two_claim_is_nobodys_and_cooperatively_waits_a_round():
    members = {member: ["topic"] for member in ("consumer1", "consumer2", "consumer3")}
    owned = {"consumer1": parts("topic-0 topic-1"), "consumer2": parts("topic-0 topic-2")}
    assert assign("sticky", members, {"topic": 3}, owned) == {
        "consumer1": parts("topic-1"), "consumer2": parts("topic-2"), "consumer3": parts("topic-0"),
    }  # fmt: skip
    assert assign("cooperative-sticky", members, {"topic": 3}, owned) == {
        "consumer1": parts("topic-1"), "consumer2": parts("topic-2"), "consumer3": [],
    }  # fmt: skip
    assert assign("cooperative-sticky", members, {"topic": 4}, owned) == {
        "consumer1": parts("topic-1 topic-3"), "consumer2": parts("topic-2"), "consumer3": [],
    }  # fmt: skip


def test_where_round_robin_does_poorly_sticky_is_even():
    everything, some = [f"topic{n}" for n in range(1, 6)], ["topic1", "topic3", "topic5"]
    members = {"consumer1": everything, "consumer2": some, "consumer3": some, "consumer4": everything}
    partitions = {f"topic{n}": n % 2 + 1 for n in range(1, 6)}
    assert sorted(map(len, assign("round-robin", members, partitions).values())) == [0, 2, 3, 3]
    assert sorted(map(len, assign("sticky", members, partitions).values())) == [2, 2, 2, 2]


def test_a_member_that_leaves_a_group_of_nineteen_moves_only_what_it_had():
    partitions = {f"t{n:02}": n for n in range(1, 20)}
    members = {f"consumer{n:02}": [f"t{k:02}" for k in range(1, n + 1)] for n in range(1, 20)}
    owned = assign("sticky", members, partitions)
    del members["consumer10"]
    dealt = assign("sticky", members, partitions, owned)
    assert_valid(members, partitions, dealt)
    assert_balanced(members, partitions, dealt)


def test_counts_are_whole_numbers_and_no_members_get_nothing():
    with pytest.raises(ArgumentError, match=r"partitions\['t'\]=-1: how many"):
        assign("sticky", {"a": ["t"]}, {"t": -1})
    assert assign("sticky", {}, {"t": 3}) == {}
    assert assign("cooperative-sticky", {"a": []}, {"t": 3}) == {"a": []}


@st.composite
def groups(draw, *, equal=None):
    """Members, partitions, and what they own: some of it gone, some of it unsubscribed."""
    partitions = draw(st.dictionaries(st.sampled_from("tuvw"), st.integers(0, 5), min_size=1))
    topics = st.lists(st.sampled_from(sorted({*partitions, "x"})), unique=True, max_size=4)
    names = draw(st.lists(st.sampled_from([f"m{n}" for n in range(15)]), unique=True, min_size=1, max_size=8))
    alike = draw(st.booleans()) if equal is None else equal
    same = draw(topics)
    members = {name: same if alike else draw(topics) for name in names}
    owners = st.sampled_from([*names, "gone", None])  # one at most, so that no two claim the same
    owned = {}
    for partition in [(topic, number) for topic, count in partitions.items() for number in range(count + 1)]:
        if (owner := draw(owners)) is not None:
            owned.setdefault(owner, []).append(partition)
    return members, partitions, owned


def assert_valid(members, partitions, dealt):
    assert set(dealt) == set(members)
    given_out = [partition for share in dealt.values() for partition in share]
    assert len(given_out) == len(set(given_out)), "read by two"
    subscribed = {topic for topics in members.values() for topic in topics}
    assert set(given_out) == {(t, n) for t, count in partitions.items() if t in subscribed for n in range(count)}
    for member, share in dealt.items():
        assert {topic for topic, _ in share} <= set(members[member])


def assert_balanced(members, partitions, dealt):
    """No partition could move to a subscriber that has at least two less: Kafka's own test of balance."""
    for reader, share in dealt.items():
        for topic, _ in share:
            for other in members:
                assert topic not in members[other] or len(dealt[other]) >= len(share) - 1, (reader, other, topic)


@given(groups())
def test_every_partition_has_one_reader_and_shares_are_balanced(group):
    members, partitions, owned = group
    dealt = assign("sticky", members, partitions, owned)
    assert_valid(members, partitions, dealt)
    assert_balanced(members, partitions, dealt)


@given(groups())
def test_a_settled_group_stays_as_it_is(group):
    members, partitions, owned = group
    dealt = assign("sticky", members, partitions, owned)
    for strategy in ("sticky", "cooperative-sticky"):
        again = assign(strategy, members, partitions, dealt)
        assert {member: set(share) for member, share in again.items()} == {member: set(share) for member, share in dealt.items()}


@given(groups(equal=True), st.sampled_from(["join", "leave"]))
def test_when_somebody_joins_or_leaves_only_what_must_move_moves(group, change):
    members, partitions, _ = group
    before = assign("sticky", members, partitions)
    topics = next(iter(members.values()))
    members = {**members, "new": topics} if change == "join" else dict(list(members.items())[1:])
    after = assign("sticky", members, partitions, before)
    moved = [p for member in members for p in before.get(member, []) if p not in after[member]]
    if change == "leave":
        assert not moved, "what the others read stays with them"
    else:
        assert len(moved) == len(after["new"]), "the new one's share, and no more"


@given(groups())
def test_cooperatively_nothing_is_taken_while_it_is_still_read(group):
    members, partitions, owned = group
    dealt = assign("cooperative-sticky", members, partitions, owned)
    for member, share in dealt.items():
        for partition in share:
            others = [other for other in members if other != member and partition in owned.get(other, [])]
            assert not others, f"{partition} is still read by {others}"


@given(groups())
def test_cooperatively_a_group_settles_soon_with_the_shares_balanced(group):
    members, partitions, owned = group
    dealt, rounds = settle(members, partitions, owned)
    assert rounds <= 4
    assert_valid(members, partitions, dealt)
    assert_balanced(members, partitions, dealt)


@given(groups())
def test_the_order_in_which_things_are_told_does_not_matter(group):
    members, partitions, owned = group
    backwards = [dict(reversed(mapping.items())) for mapping in (members, partitions, owned)]
    for strategy in ("sticky", "cooperative-sticky"):
        assert assign(strategy, members, partitions, owned) == assign(strategy, *backwards)
