"""Queues with arguments, without a lab: against a plain model, and RabbitMQ's own cases one by one."""

from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edakit.broker import Arguments, Consumer, Death, Declared, is_death_cycle, message_properties, record_death
from edakit.errors import DurationError, PayloadError, WiringError
from edakit.event import Event
from edakit.units import SECOND

ARGUMENTS = st.builds(
    Arguments,
    durable=st.booleans(),
    message_ttl=st.sampled_from([None, 0, 2, 5]),
    max_length=st.sampled_from([None, None, 0, 1, 3]),
    overflow=st.sampled_from(["drop-head", "reject-publish"]),
    max_priority=st.sampled_from([0, 2]),
    single_active_consumer=st.booleans(),
) | st.builds(Arguments, type=st.just("quorum"), max_length=st.sampled_from([None, 2]), message_ttl=st.sampled_from([None, 3]))


def message(n: int, **properties) -> Event:
    return Event(f"order-{n}.placed.1", "order.placed", "web", None, str(n), 0, None, "story", message_properties(**properties))


class DeclaredMachine(RuleBasedStateMachine):
    """What a broker may do to a declared queue. The model is a plain list, searched from end to end at every step."""

    target: ClassVar[bool | str] = True

    @initialize(arguments=ARGUMENTS, limit=st.sampled_from([None, 2]))
    def declare(self, arguments, limit):
        self.arguments, self.limit, self.now, self.made = arguments, limit, 0, 0
        self.queue = Declared("shop/payment", limit, dead_letter=self.target, arguments=arguments)
        self.ready = []  # dicts
        self.out, self.dead, self.consumers, self.returns = {}, [], [], 0

    def model(self):
        """The order of delivery: what a quorum queue got back, then by priority, then as they came."""
        return sorted(self.ready, key=lambda m: (m["back"] or 10**9, -m["level"], m["n"]))

    @rule(priority=st.integers(0, 4), ttl=st.sampled_from([None, None, 0, 1, 4]), persistent=st.booleans())
    def put(self, priority, ttl, persistent):
        full = self.arguments.max_length is not None and len(self.ready) >= self.arguments.max_length
        assert self.queue.rejects == (full and self.arguments.overflow == "reject-publish")
        if self.queue.rejects:
            return
        self.made += 1
        self.queue.put(message(self.made, priority=priority, ttl=ttl, persistent=persistent), self.now)
        ages = [age for age in (ttl, self.arguments.message_ttl) if age is not None]
        end = None if not ages else self.now + min(ages) * SECOND if min(ages) else self.now + 1
        level = min(priority, self.arguments.max_priority)
        self.ready.append({"n": self.made, "count": 0, "level": level, "end": end, "back": 0, "persistent": persistent})
        self.tend()

    def tend(self):
        """What a broker does after any change, in its order."""
        self.expire()
        while delivery := self.queue.next():
            head = self.model()[0]
            assert delivery.event.key == str(head["n"]), "not in order"
            assert delivery.count == head["count"] + 1
            self.ready.remove(head)
            self.out[delivery.tag] = ({**head, "count": delivery.count}, delivery)
            self.expire()
        free = [c for c in self.active() if sum(d.consumer is c for _, d in self.out.values()) < c.prefetch]
        assert not (self.ready and free), "a message waits although somebody has room"
        self.evict()

    def active(self):
        return self.consumers[:1] if self.arguments.single_active_consumer else self.consumers

    def expire(self):
        while self.ready and self.model()[0]["end"] is not None and self.model()[0]["end"] <= self.now:
            self.lost(self.queue.expired(self.now))
        assert self.queue.expired(self.now) is None

    def evict(self):
        if self.arguments.overflow == "drop-head" and self.arguments.max_length is not None:
            while len(self.ready) > self.arguments.max_length:
                self.lost(self.queue.evicted())
        assert self.queue.evicted() is None

    def lost(self, found):
        head = self.model()[0]
        assert found is not None
        assert found[0].key == str(head["n"])
        self.ready.remove(head)
        if self.target is True:
            self.dead.append(head)

    @rule(seconds=st.integers(1, 3))
    def time_passes(self, seconds):
        self.now += seconds * SECOND
        self.tend()

    @rule(prefetch=st.integers(1, 3))
    def join(self, prefetch):
        self.consumers.append(Consumer(f"payment.{self.made}", prefetch))
        self.queue.join(self.consumers[-1])
        self.tend()

    @precondition(lambda self: self.out)
    @rule(data=st.data(), how=st.sampled_from(["ack", "requeue", "reject"]))
    def settle(self, data, how):
        tag = data.draw(st.sampled_from(sorted(self.out)))
        if how == "ack":
            assert self.queue.ack(self.out.pop(tag)[1]) == "ack"
        else:
            self.give_back(tag, how == "requeue")
            self.evict()
        self.tend()

    def give_back(self, tag, requeue):
        head, delivery = self.out.pop(tag)
        settled = self.queue.nack(delivery, requeue)
        if requeue and (self.limit is None or head["count"] < self.limit):
            assert settled == "requeue"
            self.back(head)
        elif self.target is True:
            assert settled == "dead"
            self.dead.append(head)
        else:
            assert settled == "discard"

    def back(self, head):
        if self.arguments.type == "quorum":
            self.returns += 1
            head["back"] = self.returns
        self.ready.append(head)

    @precondition(lambda self: self.consumers)
    @rule(data=st.data())
    def leave(self, data):
        gone = self.consumers.pop(data.draw(st.integers(0, len(self.consumers) - 1)))
        for delivery in self.queue.leave(gone):
            self.give_back(delivery.tag, True)
        self.evict()
        self.tend()

    @rule()
    def restart(self):
        self.queue.restart()
        self.consumers = []
        for head, _ in self.out.values():
            self.back(head)
        self.out = {}
        quorum = self.arguments.type == "quorum"
        self.ready = [m for m in self.ready if self.arguments.durable and (quorum or m["persistent"])]
        self.dead = [m for m in self.dead if self.arguments.durable and (quorum or m["persistent"])]
        self.evict()

    @invariant()
    def the_queue_is_as_the_model_says(self):
        if hasattr(self, "queue"):
            assert [(int(e.key), count) for e, count in self.queue.ready] == [(m["n"], m["count"]) for m in self.model()]
            assert [int(e.key) for e in self.queue.dead] == [m["n"] for m in self.dead]
            assert self.queue.unacked.keys() == self.out.keys()
            assert len(self.queue._marks) == len(self.queue.ready)


class HandingOnMachine(DeclaredMachine):
    """The same with a queue for dead letters elsewhere."""

    target = "parked"


TestDeclared = DeclaredMachine.TestCase
TestDeclaredHandingOn = HandingOnMachine.TestCase
TestDeclared.settings = TestDeclaredHandingOn.settings = settings(max_examples=100, stateful_step_count=40)


def filled(*messages: Event, **arguments) -> Declared:
    queue = Declared("shop/payment", arguments=Arguments(**arguments))
    for each in messages:
        queue.put(each, 0)
    return queue


def test_a_message_that_is_too_old_stays_behind_a_younger_head_until_that_is_gone():
    queue = filled(message(1), message(2, ttl=1))
    assert queue.expired(5 * SECOND) is None, "a classic queue looks at its head only"
    queue.join(Consumer("payment", 1))
    queue.next()
    assert queue.expired(5 * SECOND)[0].key == "2"


def test_the_lower_of_the_two_ttls_holds_and_none_is_for_ever():
    queue = filled(message(1, ttl=9), message_ttl=2)
    assert queue.next_expiry() == 2 * SECOND
    assert filled(message(1, ttl=1), message_ttl=2).next_expiry() == SECOND
    assert filled(message(1)).next_expiry() == 0


def test_a_ttl_of_zero_is_for_a_consumer_who_has_room_at_once():
    for ready in (True, False):
        queue = filled(message_ttl=0)
        if ready:
            queue.join(Consumer("payment", 1))
        queue.put(message(1), 7)
        assert queue.expired(7) is None
        assert (queue.next() is not None) == ready
        assert (queue.expired(8) is None) == ready


def test_a_returned_message_keeps_the_end_it_had():
    queue = filled(message(1, ttl=3))
    queue.join(Consumer("payment", 1))
    queue.nack(queue.next())
    assert queue.expired(3 * SECOND)[0].key == "1"


def test_max_length_drops_the_oldest_and_with_priorities_the_most_important_one():
    assert filled(message(1), message(2), max_length=1).evicted()[0].key == "1"
    urgent = filled(message(1), message(2, priority=5), max_length=1, max_priority=9)
    assert urgent.evicted()[0].key == "2", "dropped from the head, as RabbitMQ says one might not expect"


def test_a_priority_above_the_highest_is_the_highest_and_without_priorities_all_are_alike():
    queue = filled(message(1, priority=3), message(2, priority=200), max_priority=3)
    assert [e.key for e, _ in queue.ready] == ["1", "2"]
    assert [e.key for e, _ in filled(message(1), message(2, priority=9)).ready] == ["1", "2"]


def test_what_is_returned_in_order_is_delivered_in_that_order_again():
    for type in ("classic", "quorum"):
        queue = filled(*(message(n) for n in range(4)), type=type)
        queue.join(Consumer("payment", 3))
        held = [queue.next() for _ in range(3)]
        for delivery in held:
            queue.nack(delivery)
        assert [e.key for e, _ in queue.ready] == ["0", "1", "2", "3"]


def test_a_classic_queue_puts_a_return_at_its_old_place_and_a_quorum_queue_at_the_end_of_the_returned():
    for type, expected in (("classic", ["0", "1", "2"]), ("quorum", ["1", "0", "2"])):
        queue = filled(*(message(n) for n in range(3)), type=type)
        queue.join(Consumer("payment", 2))
        first, second = queue.next(), queue.next()
        queue.nack(second)
        queue.nack(first)
        assert [e.key for e, _ in queue.ready] == expected


@pytest.mark.parametrize("type", ["classic", "quorum"])
def test_what_a_consumer_held_that_is_gone_is_in_its_old_order_again(type):
    queue, consumer = filled(*(message(n) for n in range(5)), type=type), Consumer("payment", 4)
    queue.join(consumer)
    for _ in range(4):
        queue.next()
    for delivery in queue.leave(consumer):
        queue.nack(delivery)
    assert [e.key for e, _ in queue.ready] == ["0", "1", "2", "3", "4"]


def test_the_history_of_deaths_counts_a_queue_and_reason_once_the_latest_first():
    deaths = record_death((), "work", "rejected", 1)
    deaths = record_death(deaths, "wait", "expired", 2)
    deaths = record_death(deaths, "work", "rejected", 3)
    assert deaths == (Death("work", "rejected", 2, 1), Death("wait", "expired", 1, 2))


@pytest.mark.parametrize(
    ("deaths", "cycle"),
    [
        ([], False),
        ([("a", "expired")], True),
        ([("b", "expired"), ("a", "expired")], True),
        ([("a", "rejected")], False),
        ([("b", "rejected"), ("a", "expired")], False),
        ([("b", "expired"), ("a", "maxlen"), ("c", "rejected")], True),
        ([("b", "expired")], False),
    ],
)
def test_a_cycle_without_a_rejection_is_one(deaths, cycle):
    assert is_death_cycle("a", tuple(Death(queue, reason, 1, 0) for queue, reason in deaths)) is cycle


def test_a_dead_letter_loses_its_own_ttl_but_not_that_of_its_new_queue():
    queue = filled()
    queue.put(message(1, ttl=1), 0, (Death("work", "expired", 1, 0),))
    assert queue.next_expiry() == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "lazy"}, {"overflow": "drop"}, {"max_length": -1}, {"max_length": 1.5}, {"max_priority": 256},
        {"type": "quorum", "durable": False}, {"type": "quorum", "overflow": "reject-publish-dlx"},
    ],
)  # fmt: skip
def test_arguments_that_no_queue_has_are_refused(wrong):
    with pytest.raises(WiringError):
        Arguments(**wrong)


@pytest.mark.parametrize("wrong", [{"headers": {"X-a": 1}}, {"headers": {"a": 1.5}}, {"headers": {"id": 1}}, {"priority": 256}])
def test_properties_that_no_message_has_are_refused(wrong):
    with pytest.raises(PayloadError):
        message_properties(**wrong)
    with pytest.raises(DurationError):
        message_properties(ttl=-1)
    with pytest.raises(
        PayloadError, match="no property of a message named 'colour'; known: dedup, headers, mandatory, persistent"
    ):
        message_properties(colour="red")


def test_the_properties_of_a_message_are_attributes_of_a_valid_event():
    event = message(1, headers={"format": "pdf", "pages": 3}, priority=2, ttl=1.5, persistent=False, mandatory=True)
    assert Event.from_dict(event.to_dict()).extensions.items() >= event.extensions.items()
    assert event.extensions["expiration"] == "1500"
