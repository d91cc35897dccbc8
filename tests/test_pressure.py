"""A queue that fills up faster than it is read: what its publishers see, and what is left of what they said."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from test_state import Watched

from edakit import Exponential, Faults, Lab, Service, play
from edakit.broker.declared import Arguments, Declared
from edakit.broker.queue import Consumer
from edakit.errors import CallRefused, WiringError
from edakit.event import NOTHING, Event
from edakit.player.facts import Ledger, facts
from edakit.state import State, fold


def reader(name="page", work=0.2, pattern="level.new", bad=0.0):
    service = Service(name)

    @service.on(pattern)
    async def read(level, ctx):
        await ctx.sleep(work)
        if ctx.random.random() < bad:
            raise ValueError("smudged")

    return service


def writer(count=10, items=2, name="writer", type="level.new"):
    service = Service(name)

    @service.on(f"{name}.go")
    async def go(event, ctx):
        for n in range(count):
            try:
                await ctx.publish(type, {"n": n}, key=f"tea-{n % items}")
                ctx.log(f"sent {n}")
            except CallRefused:
                ctx.log(f"refused {n}")

    return service


def system(lab=None, *, work=0.2, count=10, items=2, **arguments):
    """A writer that never stops for breath, a page that draws, and a queue between them."""
    lab = lab or Watched(1)
    shop = lab.broker("shop")
    shop.queue("page", **arguments)
    lab.deploy(reader(work=work), on=shop, prefetch=1)
    lab.deploy(writer(count, items), on=shop)
    shop.publish("writer.go")
    return lab, shop


def numbers(lab, kind, **where):
    return [row.event.data["n"] for row in lab.trace.where(kind, type="level.new", **where)]


def said(lab, who="writer"):
    return [row.note for row in lab.trace.where("log", who=who)]


def test_block_lets_the_publisher_wait_and_loses_nothing():
    lab, _ = system(overflow="block", max_length=2)
    lab.run(until=0.1)
    assert said(lab) == ["sent 0", "sent 1", "sent 2"], "one is being drawn, two wait, the fourth has no confirm"
    assert [(row.place, row.note) for row in lab.trace.where("hold")] == [("writer>shop", "shop/page is full")]
    assert lab.trace.state_at(lab.now).held == {"writer>shop"}
    assert ("writer", "the broker's confirm") in lab.stuck()
    lab.run()
    assert numbers(lab, "ack") == list(range(10))
    assert said(lab) == [f"sent {n}" for n in range(10)]
    assert lab.trace.state_at(lab.now).held == set()
    waited = [row.time - row.began for row in lab.trace.where("publish", type="level.new")]
    assert max(waited) == pytest.approx(0.2, abs=0.01), "the row says since when it was on its way"


def test_drop_head_keeps_the_newest_and_tells_the_publisher_nothing():
    lab, _ = system(overflow="drop-head", max_length=2)
    lab.run()
    assert said(lab) == [f"sent {n}" for n in range(10)]
    assert numbers(lab, "ack") == [0, 8, 9]
    assert numbers(lab, "evict") == list(range(1, 8))


def test_reject_publish_keeps_the_oldest_and_tells_the_publisher():
    lab, _ = system(overflow="reject-publish", max_length=2)
    lab.run()
    assert said(lab) == ["sent 0", "sent 1", "sent 2"] + [f"refused {n}" for n in range(3, 10)]
    assert numbers(lab, "ack") == [0, 1, 2]


def test_conflate_keeps_the_newest_of_each_key():
    lab, _ = system(overflow="conflate", count=12, items=3)
    lab.run()
    assert numbers(lab, "ack") == [0, 10, 11, 9], "in the order in which the keys began to wait"
    assert len(lab.trace.where("discard")) == 8
    assert lab.trace.where("discard")[0].note == "level-tea-1.new.2 is newer"
    assert said(lab) == [f"sent {n}" for n in range(12)]


def test_a_busy_key_has_its_turn_among_quiet_ones():
    """Were the newest put at the end, the busiest key would never come to the front."""
    lab = Lab(1)
    shop = lab.broker("shop")
    shop.queue("page", overflow="conflate")
    lab.deploy(reader(), on=shop, prefetch=1)
    lab.workload(shop, "level.new", every=0.01, count=1000, data=lambda n, _: {"n": n, "item": "busy"}, key="item")
    lab.workload(shop, "level.new", every=0.05, count=200, data=lambda n, _: {"n": n, "item": n % 20}, key="item", source="quiet")
    lab.run(until=10)
    drawn = [row.event.key for row in lab.trace.where("ack")]
    at = [n for n, key in enumerate(drawn) if key == "busy"]
    assert len(drawn) == 49
    assert max(later - n for n, later in zip(at, [*at[1:], len(drawn)], strict=True)) <= 21, "once while each other is drawn once"
    assert shop.depth("page") <= 21


def test_messages_without_a_key_are_not_conflated():
    lab = Watched(1)
    shop = lab.broker("shop")
    shop.queue("page", overflow="conflate")
    for n in range(3):
        shop.publish("level.new", {"n": n})
    lab.deploy(reader(), on=shop, prefetch=1)
    assert numbers(lab.run(), "ack") == [0, 1, 2]


def test_an_older_one_that_comes_back_gives_way_to_a_newer_one():
    lab = Watched(1)
    shop = lab.broker("shop")
    shop.queue("page", overflow="conflate")
    lab.deploy(reader(work=1), on=shop, prefetch=1)
    lab.at(0, lambda: shop.publish("level.new", {"n": 1}, "tea"))
    lab.at(0.5, lambda: shop.publish("level.new", {"n": 2}, "tea"))
    lab.crash("page", at=0.7, restart_after=0.1)
    lab.run()
    assert numbers(lab, "requeue") == numbers(lab, "discard") == [1]
    assert numbers(lab, "handle") == [2]


def test_who_waits_for_one_queue_waits_with_all_it_publishes_and_others_go_on():
    lab = Watched(1)
    shop = lab.broker("shop")
    shop.queue("page", overflow="block", max_length=1)
    lab.deploy(reader(work=1), on=shop, prefetch=1)
    lab.deploy(reader("audit", 0, "order.*"), on=shop)
    for n in range(3):
        shop.publish("level.new", {"n": n}, n, source="one")
    shop.publish("order.placed", None, "a", source="one")
    shop.publish("order.placed", None, "b", source="two")
    lab.run(until=0.5)
    assert [row.event.key for row in lab.trace.where("ack", place="shop/audit")] == ["b"], "it is another connection"
    lab.run()
    assert [row.event.key for row in lab.trace.where("publish", who="one")] == ["0", "1", "2", "a"]


def test_publishers_that_wait_take_turns():
    lab = Watched(1)
    shop = lab.broker("shop")
    shop.queue("page", overflow="block", max_length=1)
    lab.deploy(reader(), on=shop, prefetch=1)
    for source in ("one", "two"):
        for n in range(5):
            shop.publish("level.new", {"n": n}, n, source=source)
    lab.run()
    order = [row.who for row in lab.trace.where("publish")]
    assert order == ["one"] * 2 + ["one", "two"] * 3 + ["two"] * 2
    assert len(lab.trace.where("ack")) == 10


def test_what_waits_on_a_link_goes_down_with_the_broker():
    lab, shop = system(overflow="block", max_length=2)
    lab.crash("shop", at=0.1, restart_after=1)
    lab.run()
    assert [(row.place, row.note) for row in lab.trace.where("drop")] == [("writer>shop", "publish")]
    assert "no confirm" not in str(lab.stuck())
    assert lab.trace.state_at(lab.now).held == set()
    assert lab.trace.where("fail")[0].note.startswith("shop has not confirmed level-tea-1.new.2 within 5 s")
    assert shop.depth("page") == 0


def test_a_dead_letter_finds_a_full_queue_and_does_not_wait():
    lab = Watched(1)
    shop = lab.broker("shop")
    shop.queue("parked", bind="never", overflow="block", max_length=1)
    shop.queue("page", dead_letter="parked")
    lab.deploy(reader(bad=1), on=shop, on_error="reject")
    for n in range(3):
        shop.publish("level.new", {"n": n}, n)
    lab.run()
    assert len(lab.trace.where("hop")) == 1
    assert len(lab.trace.where("refuse")) == 2


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"overflow": "block"}, "overflow='block', max_length=None: say at how many messages"),
        ({"overflow": "block", "max_length": 0}, "max_length=0: say at how many messages, 1 or more"),
        ({"overflow": "conflate", "max_length": 3}, "keeps one message of each key"),
        ({"overflow": "conflate", "max_priority": 3}, "no max_length and no max_priority"),
        ({"overflow": "blok"}, "no overflow named 'blok'; known: block, conflate, drop-head"),
    ],
)
def test_what_cannot_be_is_said(arguments, why):
    with pytest.raises(WiringError, match=why):
        Lab().broker("shop").queue("page", **arguments)


def test_the_film_says_who_waits():
    lab, _ = system(overflow="block", max_length=2)
    text = play(lab.run(until=0.1)).text()
    assert "the link writer>shop keeps what it is given" in text
    trace, state = lab.trace, State()
    ledger = Ledger(trace)
    for n, row in enumerate(trace):
        fold(state, row)
        assert ledger.after(n + 1) == facts(state)


class Conflating(RuleBasedStateMachine):
    """A conflating queue beside a list that is searched from end to end. Messages are numbered as they come."""

    def __init__(self):
        super().__init__()
        self.queue = Declared("shop/page", 3, arguments=Arguments(overflow="conflate"))
        self.ready, self.out, self.dead, self.gone, self.made, self.consumers = [], {}, [], [], 0, []

    @rule(key=st.sampled_from(["a", "b", "c", None]))
    def put(self, key):
        self.made += 1
        self.queue.put(Event(f"level.{self.made}", "level", "web", {}, key, 0, None, "story", NOTHING))
        at = next((n for n, (_, there) in enumerate(self.ready) if there == key and key is not None), None)
        self.ready.insert(len(self.ready) if at is None else at, (self.made, key))
        self.tend()

    def tend(self):
        for key in ("a", "b", "c"):
            waiting = [message for message in self.ready if message[1] == key]
            for message in waiting:
                if message != max(waiting):
                    self.ready.remove(message)
                    self.gone.append(message[0])
        while found := self.queue.superseded():
            older, newer = found
            assert older.key == newer.key
            assert int(older.id[6:]) in self.gone
        while delivery := self.queue.next():
            number, _ = self.ready.pop(0)
            assert delivery.event.id == f"level.{number}"
            self.out[delivery.tag] = delivery

    @rule(prefetch=st.integers(1, 3))
    def join(self, prefetch):
        self.consumers.append(Consumer(f"page.{self.made}", prefetch))
        self.queue.join(self.consumers[-1])
        self.tend()

    @precondition(lambda self: self.out)
    @rule(data=st.data(), requeue=st.booleans())
    def settle(self, data, requeue):
        delivery = self.out.pop(data.draw(st.sampled_from(sorted(self.out))))
        if requeue:
            self.come_back(delivery)
        else:
            self.queue.ack(delivery)
        self.tend()

    def come_back(self, delivery):
        settled = self.queue.nack(delivery)
        assert settled == ("requeue" if delivery.count < 3 else "dead")
        if settled == "requeue":
            self.placed(delivery)

    def placed(self, delivery):
        """A returned message stands where it stood: read off the queue, whose order for these `DeclaredMachine` holds."""
        at = next(n for n, (event, _) in enumerate(self.queue.ready) if event == delivery.event)
        self.ready.insert(at, (int(delivery.event.id[6:]), delivery.event.key))

    @precondition(lambda self: self.consumers)
    @rule(data=st.data())
    def leave(self, data):
        for delivery in self.queue.leave(self.consumers.pop(data.draw(st.integers(0, len(self.consumers) - 1)))):
            self.come_back(self.out.pop(delivery.tag))
        self.tend()

    @invariant()
    def what_waits_is_the_newest_of_each_key(self):
        waiting = [int(event.id[6:]) for event, _ in self.queue.ready]
        assert waiting == [number for number, _ in self.ready]
        keyed = [event.key for event, _ in self.queue.ready if event.key is not None]
        assert len(keyed) == len(set(keyed))


TestConflating = Conflating.TestCase
TestConflating.settings = settings(max_examples=100, stateful_step_count=40)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    overflow=st.sampled_from(["block", "conflate"]),
    quorum=st.booleans(),
    length=st.integers(1, 4),
    crash=st.sampled_from([None, "shop", "page"]),
    bad=st.sampled_from([0, 0.3]),
    loss=st.sampled_from([0, 0.05]),
)
def test_under_faults_the_fold_is_the_live_state_and_what_is_gone_has_a_row(seed, overflow, quorum, length, crash, bad, loss):
    lab = Watched(seed)
    shop = lab.broker("shop", ack_timeout=0.5)
    more = {"max_length": length} if overflow == "block" else {}
    shop.queue("page", overflow=overflow, type="quorum" if quorum else "classic", **more)
    lab.deploy(reader(work=0.02, bad=bad), on=shop, instances=2, prefetch=2)
    for name in ("one", "two"):
        lab.deploy(writer(10, 3, name), on=shop, prefetch=1)
        shop.publish(f"{name}.go")
    lab.workload(shop, "level.new", every=Exponential(0.02), count=20, data=lambda n, _: {"n": n, "item": n % 3}, key="item")
    if crash:
        lab.crash(crash, at=0.05 + seed % 7 / 20, restart_after=0.2)
    if loss:
        lab.faults(Faults(drop=loss, duplicate=loss, delay=Exponential(0.005)))
    lab.at(20, lab.network.calm)
    longest = 0

    def look():
        nonlocal longest
        longest = max(longest, len(shop.queues["page"].ready) if shop.up else 0)

    for n in range(200):
        lab.at(n / 100, look)
    lab.run(until=60)
    assert lab.checked == len(lab.trace)
    assert lab.trace.state_at(lab.now).held == {f"{source}>shop" for source in shop.blocked} == set()
    assert shop.depth("page") == 0
    taken = {row.event.id for row in lab.trace.where("publish", type="level.new")}
    read = {row.event.id for row in lab.trace.where("ack", place="shop/page")}
    gone = {row.event.id for row in lab.trace.where("discard")}
    assert taken == read | gone, "nothing lost, nothing phantom"
    if overflow == "block":
        assert not gone
        assert longest <= length + 4, "what two crashed or failing readers give back comes on top"
        if not loss and crash != "shop":
            assert len(taken) == 40
    else:
        newest = {row.event.key: row.event.id for row in lab.trace.where("publish", type="level.new")}
        assert set(newest.values()) <= read, "of every key the newest is read"
        assert longest <= 6, "one a key"
