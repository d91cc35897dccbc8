"""Redis Pub/Sub: globs, connections, output buffers; and the same in a lab."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edakit import Lab, Service, measure
from edakit.bus.pubsub import Connection, PubSub, glob_matches
from edakit.errors import WiringError
from edakit.event import NOTHING, Event


def event(n: int) -> Event:
    return Event(f"tick.{n}", "tick", "exchange", None, None, 0, None, f"tick.{n}", NOTHING)


@pytest.mark.parametrize(
    ("glob", "yes", "no"),
    [
        ("h?llo", ["hello", "hallo"], ["hllo", "heello", "hello "]),
        ("h*llo", ["hllo", "heeeello", "h.e.llo"], ["hell", "ahllo"]),
        ("h[ae]llo", ["hello", "hallo"], ["hillo", "hllo"]),
        ("h[^e]llo", ["hallo", "hbllo"], ["hello", "hllo"]),
        ("h[a-b]llo", ["hallo", "hbllo"], ["hcllo", "h-llo"]),
        ("h[b-a]llo", ["hallo", "hbllo"], ["hcllo"]),
        (r"h\?llo", ["h?llo"], ["hello", r"h\?llo"]),
        (r"h[\]]llo", ["h]llo"], [r"h\llo"]),
        ("h[]llo", [], ["h]llo", "hello", "hllo"]),
        ("h[^]llo", ["hello"], ["hllo"]),
        ("[ab", ["a", "b"], ["[ab", "ab"]),
        ("a[^b-]", ["a-", "ac"], ["aa", "a]"]),  # the range b to ], taken to the end
        ("price.*", ["price.", "price.dax.tick"], ["price", "xprice.dax"]),
        ("*", ["", "a.b"], []),
        ("", [""], ["a"]),
        ("a*a*a*a*b", ["aaaab"], ["a" * 40]),
        ("a\n?", ["a\n\n"], ["a\n"]),
        ("\\", ["\\"], [""]),
        ("#(.)+", ["#(.)+"], ["#(a)+"]),
    ],
)
def test_a_glob_is_what_redis_takes_it_for(glob, yes, no):
    assert [channel for channel in [*yes, *no] if glob_matches(glob, channel)] == yes


def plain_glob(glob: str, text: str) -> bool:
    """Star and question mark, letter by letter."""
    if not glob:
        return not text
    if glob[0] == "*":
        return plain_glob(glob[1:], text) or bool(text and plain_glob(glob, text[1:]))
    return bool(text) and glob[0] in ("?", text[0]) and plain_glob(glob[1:], text[1:])


@given(st.text("ab*?.", max_size=6), st.text("ab.\n", max_size=6))
def test_stars_and_question_marks_follow_their_definition(glob, text):
    assert glob_matches(glob, text) == plain_glob(glob, text)


def test_one_copy_for_each_subscription_that_fits_channels_first():
    server = PubSub()
    server.connect("all").subscribe("*", "price.*")
    server.connect("one").subscribe("price.dax")
    assert [each.name for each in server.receivers("price.dax")] == ["one", "all", "all"]
    assert server.receivers("price.dax.x")[0].name == "all"
    assert [each.name for each in server.receivers("news")] == ["all"]
    server.disconnect("all")
    assert server.receivers("news") == []


class OutputBuffer(RuleBasedStateMachine):
    """The buffer against a list, and the two limits against the history of sizes."""

    def __init__(self):
        super().__init__()
        self.now, self.n = 0, 0
        self.connect()

    def connect(self):
        self.connection = Connection("desk", room=2, hard=100, soft=40, soft_time=10)
        self.waiting, self.over_since = [], None

    @rule(size=st.integers(1, 60), wait=st.integers(0, 12))
    def write(self, size, wait):
        self.now, self.n = self.now + wait, self.n + 1
        why = self.connection.write(event(self.n), size, self.now)
        self.waiting.append((event(self.n), size))
        total = sum(size for _, size in self.waiting)
        if total < 40:
            self.over_since = None
        expected = total >= 100 or (self.over_since is not None and self.now - self.over_since > 10)
        if self.over_since is None and total >= 40:
            self.over_since = self.now
        assert (why is not None) == expected
        if why:
            self.connect()

    @rule()
    def read(self):
        room, found = self.connection.room, self.connection.read()
        assert found == (self.waiting.pop(0)[0] if self.waiting and room else None)
        if sum(size for _, size in self.waiting) < 40:
            self.over_since = None

    @precondition(lambda self: self.connection.room < 2)
    @rule()
    def has_read(self):
        self.connection.room += 1

    @invariant()
    def same(self):
        assert list(self.connection.buffer) == self.waiting
        assert self.connection.bytes == sum(size for _, size in self.waiting)


TestOutputBuffer = OutputBuffer.TestCase


def reader(name: str, *patterns: str, takes: float = 0) -> Service:
    service = Service(name)

    @service.on(*patterns)
    async def read(event, ctx):
        await ctx.sleep(takes)

    return service


def handled(lab: Lab, service: str) -> list[int]:
    return [row.event.data["price"] for row in lab.trace.where("handle", who=service)]


def test_who_comes_late_or_is_away_misses_what_is_published_meanwhile():
    lab = Lab(seed=1)
    ticks = lab.bus("ticks", like="redis-pubsub")
    lab.deploy(reader("desk", "price.tick"), on=ticks)
    lab.at(2.5, lambda: lab.deploy(reader("late", "#"), on=ticks))
    lab.crash("desk", at=5.5, restart_after=2)
    lab.workload(ticks, "price.tick", every=1, count=10)
    lab.run()
    assert handled(lab, "desk") == [1, 2, 3, 4, 5, 8, 9, 10]
    assert handled(lab, "late") == [3, 4, 5, 6, 7, 8, 9, 10]
    assert not lab.trace.where(("ack", "requeue", "dead"))


def test_every_instance_gets_every_message_and_one_message_for_each_of_its_subscriptions():
    lab = Lab(seed=1)
    ticks = lab.bus("ticks", like="redis-pubsub")
    lab.deploy(reader("desk", "price.tick", "price.*"), on=ticks, instances=2)
    ticks.publish("price.tick", {"price": 1})
    lab.run()
    assert Counter(row.who for row in lab.trace.where("handle")) == {"desk.1": 2, "desk.2": 2}


def test_a_slow_subscriber_is_cut_off_and_misses_what_waited_for_it_the_others_do_not():
    lab = Lab(seed=1)
    ticks = lab.bus("ticks", like="redis-pubsub", hard_limit=100)  # 22 bytes a message: five of them
    lab.deploy(reader("slow", "price.tick", takes=10), on=ticks, prefetch=1)
    lab.deploy(reader("quick", "price.tick"), on=ticks)
    lab.workload(ticks, "price.tick", every=1, count=30)
    lab.run()
    assert handled(lab, "quick") == list(range(1, 31))
    cut = lab.trace.where("discard", who="slow", note="cut off: output buffer of 100 bytes is full")
    assert [row.event.data["price"] for row in cut][:5] == [2, 3, 4, 5, 6]
    assert handled(lab, "slow")[:2] == [1, 12]  # it found out when it had read what it had
    assert measure.backlog(lab.trace, "ticks/slow")[-1][1] == 0
    assert sorted([*handled(lab, "slow"), *(row.event.data["price"] for row in cut)]) != list(range(1, 31)), (
        "some it never was sent"
    )


def test_globs_of_redis_by_filter():
    lab = Lab(seed=1)
    ticks = lab.bus("ticks", like="redis-pubsub")
    lab.deploy(reader("desk", "#"), on=ticks, filter="price.d[ae]*")
    for channel in ("price.dax", "price.dow", "price.dell.x"):
        ticks.publish(channel, {"price": 1})
    lab.run()
    assert [row.event.type for row in lab.trace.where("handle")] == ["price.dax", "price.dell.x"]


def test_what_a_bus_has_not_is_refused():
    lab = Lab(seed=1)
    ticks = lab.bus("ticks", like="redis-pubsub")
    with pytest.raises(WiringError, match="delivery_limit=3: bus ticks has no such thing"):
        lab.deploy(reader("desk", "#"), on=ticks, delivery_limit=3)
    with pytest.raises(WiringError, match="no bus preset named 'kafka'"):
        lab.bus("other", like="kafka")


def test_a_subscriber_reads_no_further_ahead_than_it_says():
    lab = Lab(seed=1)
    ticks = lab.bus("ticks", like="redis-pubsub")
    lab.deploy(reader("desk", "price.tick", takes=1), on=ticks, prefetch=2)
    lab.workload(ticks, "price.tick", every=0.1, count=20)
    lab.run()
    ahead = 0
    for row in lab.trace.where(("deliver", "handle")):
        ahead += 1 if row.kind == "deliver" else -1
        assert 0 <= ahead <= 2
    assert handled(lab, "desk") == list(range(1, 21))
