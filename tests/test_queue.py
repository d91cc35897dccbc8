"""The rules of a queue, without a lab, a clock or a random number: against a plain model, and one by one."""

from collections import Counter

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edakit.broker import Consumer, Queue
from edakit.event import NOTHING, Event


def event(n: int) -> Event:
    return Event(f"order-{n}.placed.1", "order.placed", "web", None, str(n), 0, None, f"order-{n}.placed.1", NOTHING)


def drain(queue: Queue) -> list:
    found = []
    while delivery := queue.next():
        found.append(delivery)
    return found


class QueueMachine(RuleBasedStateMachine):
    """Any sequence of what a broker may do to a queue; the model is three lists."""

    def __init__(self):
        super().__init__()
        self.made = 0
        self.ready, self.out, self.dead, self.gone = [], {}, [], []  # (n, count), tag -> (n, count, consumer), n, n
        self.first = {}  # n -> the tag of its first delivery since it was put
        self.consumers, self.closed = [], []
        self.queue = self.build()

    def build(self):
        self.limit, self.dead_letter = None, True
        return Queue("shop/payment", None)

    @rule()
    def put(self):
        self.made += 1
        self.queue.put(event(self.made))
        self.ready.append((self.made, 0))

    @rule(prefetch=st.integers(1, 3))
    def join(self, prefetch):
        consumer = Consumer(f"payment.{len(self.consumers) + 1}", prefetch)
        self.consumers.append(consumer)
        self.queue.join(consumer)

    @rule()
    def next(self):
        delivery = self.queue.next()
        room = [consumer for consumer in self.consumers if self.held(consumer) < consumer.prefetch]
        if delivery is None:
            assert not self.ready or not room, "a message waits although somebody has room"
            return
        n, count = self.ready.pop(0)
        assert delivery.event == event(n), "not first in, first out"
        assert delivery.count == count + 1
        assert delivery.redelivered == (count > 0)
        assert delivery.consumer in room
        assert delivery.tag not in self.out
        if count == 0:
            self.first[n] = delivery.tag
        self.out[delivery.tag] = (n, count + 1, delivery)

    @precondition(lambda self: self.out)
    @rule(data=st.data())
    def ack(self, data):
        tag = data.draw(st.sampled_from(sorted(self.out)))
        n, _, delivery = self.out.pop(tag)
        assert self.queue.ack(delivery) == "ack"
        self.gone.append(n)
        self.closed.append(delivery)

    @precondition(lambda self: self.out)
    @rule(data=st.data(), requeue=st.booleans())
    def nack(self, data, requeue):
        tag = data.draw(st.sampled_from(sorted(self.out)))
        self.give_back(tag, requeue)

    def give_back(self, tag, requeue):
        n, count, delivery = self.out.pop(tag)
        settled = self.queue.nack(delivery, requeue)
        self.closed.append(delivery)
        if requeue and (self.limit is None or count < self.limit):
            assert settled == "requeue"
            ahead = sum(times > 0 and self.first[other] < self.first[n] for other, times in self.ready)
            self.ready.insert(ahead, (n, count))
        elif self.dead_letter:
            assert settled == "dead"
            self.dead.append(n)
        else:
            assert settled == "discard"
            self.gone.append(n)

    @precondition(lambda self: self.closed)
    @rule(data=st.data(), good=st.booleans())
    def settle_once_more(self, data, good):
        delivery = data.draw(st.sampled_from(self.closed))
        assert (self.queue.ack(delivery) if good else self.queue.nack(delivery)) == "stale"

    @precondition(lambda self: self.consumers)
    @rule(data=st.data())
    def leave(self, data):
        consumer = self.consumers.pop(data.draw(st.integers(0, len(self.consumers) - 1)))
        held = self.queue.leave(consumer)
        mine = [tag for tag, (_, _, delivery) in self.out.items() if delivery.consumer is consumer]
        assert [delivery.tag for delivery in held] == sorted(mine, reverse=True), "newest first"
        for delivery in held:
            self.give_back(delivery.tag, requeue=True)

    @rule()
    def redrive(self):
        found = (self.queue.redrive() or ("", None))[1]
        if self.dead:
            n = self.dead.pop(0)
            assert found == event(n)
            self.ready.append((n, 0))
        else:
            assert found is None

    def held(self, consumer):
        return sum(delivery.consumer is consumer for _, _, delivery in self.out.values())

    @invariant()
    def every_message_is_in_one_place(self):
        queue = self.queue
        places = [e.key for e, _ in queue.ready] + [d.event.key for d in queue.unacked.values()] + [e.key for e in queue.dead]
        assert Counter(places + [str(n) for n in self.gone]) == Counter(str(n + 1) for n in range(self.made))

    @invariant()
    def the_queue_is_as_the_model_says(self):
        assert [(int(e.key), count) for e, count in self.queue.ready] == self.ready
        assert [int(e.key) for e in self.queue.dead] == self.dead
        assert {tag: (int(d.event.key), d.count) for tag, d in self.queue.unacked.items()} == {
            tag: (n, count) for tag, (n, count, _) in self.out.items()
        }
        assert len(self.queue) == len(self.ready) + len(self.out)

    @invariant()
    def nobody_holds_more_than_prefetch(self):
        for consumer in self.consumers:
            assert consumer.held == self.held(consumer) <= consumer.prefetch


class LimitedMachine(QueueMachine):
    """The same with a delivery limit."""

    def build(self):
        self.limit, self.dead_letter = 2, True
        return Queue("shop/payment", 2)


class DiscardingMachine(QueueMachine):
    """The same without dead letters."""

    def build(self):
        self.limit, self.dead_letter = 2, False
        return Queue("shop/payment", 2, dead_letter=False)


TestQueueWithoutALimit = QueueMachine.TestCase
TestQueueWithALimit = LimitedMachine.TestCase
TestQueueWithoutDeadLetters = DiscardingMachine.TestCase


def test_first_in_first_out():
    queue = Queue("shop/payment")
    queue.join(Consumer("payment", 10))
    for n in range(3):
        queue.put(event(n))
    assert [delivery.event.key for delivery in drain(queue)] == ["0", "1", "2"]


def test_consumers_with_room_take_turns():
    queue = Queue("shop/payment")
    for name in ("a", "b"):
        queue.join(Consumer(name, 2))
    for n in range(6):
        queue.put(event(n))
    assert [delivery.consumer.name for delivery in drain(queue)] == ["a", "b", "a", "b"]


def test_what_is_refused_comes_back_ahead_of_what_was_never_out_and_says_so():
    queue = Queue("shop/payment")
    queue.join(Consumer("payment", 1))
    queue.put(event(1))
    queue.put(event(2))
    first = queue.next()
    assert (first.count, first.redelivered) == (1, False)
    assert queue.nack(first) == "requeue"
    again = queue.next()
    assert (again.event.key, again.count, again.redelivered) == ("1", 2, True)
    assert again.tag != first.tag


def test_a_message_is_dead_after_so_many_deliveries():
    queue = Queue("shop/payment", 3)
    queue.join(Consumer("payment", 1))
    queue.put(event(1))
    assert [queue.nack(queue.next()) for _ in range(3)] == ["requeue", "requeue", "dead"]
    assert queue.next() is None
    assert list(queue.dead) == [event(1)]


def test_a_redriven_message_has_all_its_deliveries_again():
    queue = Queue("shop/payment", 1)
    queue.join(Consumer("payment", 1))
    queue.put(event(1))
    queue.nack(queue.next())
    assert queue.redrive() == ("redrive", event(1))
    assert queue.next().count == 1
    assert queue.redrive() is None


def test_without_a_consumer_a_message_waits_and_is_delivered_when_one_comes():
    queue = Queue("shop/payment")
    queue.put(event(1))
    assert queue.next() is None
    queue.join(Consumer("payment", 1))
    assert queue.next().event == event(1)


def test_what_a_lost_consumer_held_is_back_in_its_old_order():
    queue, gone = Queue("shop/payment"), Consumer("payment", 3)
    queue.join(gone)
    for n in range(4):
        queue.put(event(n))
    drain(queue)
    for delivery in queue.leave(gone):
        queue.nack(delivery)
    assert [e.key for e, _ in queue.ready] == ["0", "1", "2", "3"]
    assert queue.next() is None, "it gets nothing any more"


def test_what_several_consumers_give_back_is_in_the_order_in_which_it_went_out():
    """RabbitMQ: to its original position, if possible (rabbitmq.com/docs/confirms, consumer-nacks-requeue)."""
    queue, one, other = Queue("shop/payment"), Consumer("payment.1", 2), Consumer("payment.2", 2)
    queue.join(one)
    queue.join(other)
    for n in range(6):
        queue.put(event(n))
    assert [delivery.consumer.name[-1] for delivery in drain(queue)] == ["1", "2", "1", "2"]
    for gone in (one, other):
        for delivery in queue.leave(gone):
            queue.nack(delivery)
    assert [e.key for e, _ in queue.ready] == ["0", "1", "2", "3", "4", "5"]
    third = Consumer("payment.3", 2)
    queue.join(third)
    first, second = drain(queue)
    queue.nack(second)
    queue.nack(first)
    assert [e.key for e, _ in queue.ready] == ["0", "1", "2", "3", "4", "5"], "again, although their tags are new"
    assert [delivery.count for delivery in drain(queue)] == [3, 3]


def test_a_late_ack_of_what_was_given_back_is_stale_and_changes_nothing():
    queue = Queue("shop/payment")
    queue.join(Consumer("payment", 1))
    queue.put(event(1))
    late = queue.next()
    queue.nack(late)
    queue.next()
    before = dict(queue.unacked)
    assert queue.ack(late) == "stale"
    assert queue.nack(late) == "stale"
    assert queue.unacked == before


@pytest.mark.parametrize("settle", ["ack", "nack"])
def test_a_delivery_of_another_queue_is_refused_and_nothing_is_lost(settle):
    mine, other = Queue("shop/payment"), Queue("shop/mail")
    for queue in (mine, other):
        queue.join(Consumer("it", 1))
        queue.put(event(1))
    held, foreign = mine.next(), other.next()
    with pytest.raises(AssertionError):
        getattr(mine, settle)(foreign)
    assert mine.unacked == {held.tag: held}
    assert other.unacked == {foreign.tag: foreign}


@pytest.mark.parametrize("prefetch", [0, -1])
def test_a_consumer_without_room_for_anything_is_refused(prefetch):
    with pytest.raises(AssertionError):
        Consumer("payment", prefetch)


def test_a_consumer_subscribes_once_and_not_again_when_it_has_left():
    queue, consumer = Queue("shop/payment"), Consumer("payment", 1)
    queue.join(consumer)
    with pytest.raises(AssertionError):
        queue.join(consumer)
    queue.put(event(1))
    queue.put(event(2))
    assert len(drain(queue)) == 1, "prefetch holds"
    queue.leave(consumer)
    with pytest.raises(AssertionError):
        queue.join(consumer)
