"""The queue of SQS, held to a plain model; and the corners that its documentation names."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edakit.bus.visibility import Queue
from edakit.event import NOTHING, Event


def event(n: int, key: str | None = None) -> Event:
    return Event(f"job.{n}", "job", "client", None, key, 0, None, f"job.{n}", NOTHING)


class Model(RuleBasedStateMachine):
    """Every message ever sent, in one list, with what happened to it; the queue must agree with what follows from that."""

    fifo = False

    def __init__(self):
        super().__init__()
        self.queue = Queue("jobs", visibility=10, limit=2, retention=100, fifo=self.fifo)
        self.now, self.n = 0, 0
        self.jobs: dict[str, dict] = {}
        self.handed = []

    @rule(key=st.sampled_from("abc"), delay=st.sampled_from([0, 0, 5]))
    def send(self, key, delay):
        self.n += 1
        job = event(self.n, key)
        assert self.queue.send(job, self.now, delay=delay)
        self.jobs[job.id] = {"event": job, "sent": self.now, "visible": self.now + delay, "count": 0, "state": "waiting"}

    @rule(age=st.integers(0, 3))
    def send_again(self, age):
        if not self.fifo or self.n <= age:
            return
        job = self.jobs[f"job.{self.n - age}"]
        if self.now - job["sent"] < 300:
            assert not self.queue.send(job["event"], self.now), "within five minutes, whatever became of the first"

    @rule(wait=st.integers(0, 12))
    def wait(self, wait):
        """Time passes; deadlines are kept."""
        end = self.now + wait
        while due := sorted((held.deadline, tag) for tag, held in self.queue.out.items() if held.deadline <= end):
            deadline, tag = due[0]
            held = self.queue.out[tag]
            assert self.queue.lapse(held, deadline) == "requeue"
            self.jobs[held.event.id].update(state="waiting", visible=deadline)
        self.now = end

    @rule()
    def receive(self):
        found = self.queue.receive(self.now)
        waiting = [job for job in self.jobs.values() if job["state"] == "waiting"]
        visible = [job for job in waiting if job["visible"] <= self.now]
        if self.fifo:  # the first of each group that is not gone; nothing of a group that has one out
            out = {job["event"].key for job in self.jobs.values() if job["state"] == "out"}
            firsts = {}
            for job in waiting:
                firsts.setdefault(job["event"].key, job)
            visible = [job for key, job in firsts.items() if key not in out and job["visible"] <= self.now]
        if found is None:
            assert visible == []
            return
        job = self.jobs[found.event.id]
        assert job in visible
        if self.now - job["sent"] >= 100:
            assert found.fate == "discard"
            job["state"] = "gone"
        elif job["count"] == 2:
            assert (found.fate, found.tag) == ("dead", 0)
            job["state"] = "dead"
        else:
            assert found.fate == "deliver"
            assert found.deadline == self.now + 10
            job["count"] += 1
            job["state"] = "out"
            assert found.count == job["count"]
            self.handed.append(found)

    @rule(pick=st.integers(0, 20))
    def delete(self, pick):
        if not self.handed:
            return
        delivery = self.handed[pick % len(self.handed)]
        job = self.jobs[delivery.event.id]
        latest = not self.fifo and job["state"] == "waiting" and job["count"] == delivery.count
        outcome = "ack" if delivery.tag in self.queue.out else "late" if latest else "stale"
        assert self.queue.delete(delivery) == outcome
        if outcome != "stale":
            job["state"] = "gone"

    @invariant()
    def nothing_is_lost_and_nothing_made_up(self):
        def there(state):
            return sorted(id for id, job in self.jobs.items() if job["state"] == state)

        assert sorted(message.event.id for message in self.queue.ready) == there("waiting")
        assert sorted(held.event.id for held in self.queue.out.values()) == there("out")
        assert sorted(letter.event.id for letter in self.queue.dead) == there("dead")


class FifoModel(Model):
    """The same in groups."""

    fifo = True


TestStandard = Model.TestCase
TestFifo = FifoModel.TestCase


def test_a_group_waits_for_its_message_the_others_do_not():
    queue = Queue("jobs", fifo=True)
    for n, key in enumerate("aab"):
        queue.send(event(n, key), 0)
    first, other = queue.receive(0), queue.receive(0)
    assert (first.event.id, other.event.id, queue.receive(0)) == ("job.0", "job.2", None)
    queue.lapse(first, 30)
    assert queue.receive(30).event.id == "job.0", "in its old place, before job.1"


def test_a_message_that_is_not_visible_yet_holds_its_group():
    queue = Queue("jobs", fifo=True)
    queue.send(event(1, "a"), 0, delay=5)
    queue.send(event(2, "a"), 0)
    assert queue.receive(1) is None
    assert queue.receive(5).event.id == "job.1"


def test_the_limit_counts_receives_and_strikes_at_the_next():
    queue = Queue("jobs", visibility=30, limit=3)
    queue.send(event(1), 0)
    for n in range(3):
        delivery = queue.receive(30 * n)
        assert (delivery.fate, delivery.count) == ("deliver", n + 1)
        queue.lapse(delivery, 30 * (n + 1))
    assert [message.event.id for message in queue.ready] == ["job.1"]
    assert queue.receive(90).fate == "dead"
    assert queue.redrive(95)[0] == "redrive"
    assert queue.receive(95).count == 1


@pytest.mark.parametrize(("fifo", "left"), [(False, 3), (True, 4)])
def test_the_shelf_life_of_a_dead_letter_goes_on_where_it_was_but_in_a_fifo_queue(fifo, left):
    day = 86_400
    queue = Queue("jobs", limit=1, fifo=fifo)  # four days
    queue.send(event(1, "a"), 0)
    queue.lapse(queue.receive(day - 30), day)
    assert queue.receive(day).fate == "dead"
    assert len(queue.letters(day + left * day - 1)) == 1
    assert queue.letters(day + left * day) == []
    assert queue.redrive(day + left * day)[0] == "discard"


def test_a_duplicate_is_known_for_five_minutes_after_it_was_deleted_too():
    queue = Queue("jobs", fifo=True)
    assert queue.send(event(1, "a"), 0)
    queue.delete(queue.receive(0))
    assert not queue.send(event(1, "a"), 299.9)
    assert queue.send(event(1, "a"), 300)
    assert queue.send(event(2, "a"), 300)


@pytest.mark.parametrize(("fifo", "again", "outcome"), [(False, False, "late"), (False, True, "stale"), (True, False, "stale")])
def test_a_late_delete_counts_in_a_standard_queue_if_nobody_has_received_the_message_since(fifo, again, outcome):
    queue = Queue("jobs", fifo=fifo)
    queue.send(event(1), 0)
    late = queue.receive(0)
    queue.lapse(late, 30)
    if again:
        assert queue.receive(30).count == 2
    assert queue.delete(late) == outcome
    assert len(queue) == (outcome == "stale")


def test_of_two_copies_received_as_often_a_late_delete_takes_the_first_or_none():
    """Nobody could tell from outside which of them is gone."""
    queue = Queue("jobs")
    queue.send(event(1), 0)
    queue.send(event(1), 0)
    one, two = queue.receive(0), queue.receive(0)
    queue.lapse(one, 30)
    queue.lapse(two, 30)
    assert (queue.delete(two), queue.delete(one), len(queue)) == ("stale", "late", 1)


def test_what_comes_back_stands_in_the_order_of_the_first_receives():
    queue = Queue("jobs")
    for n in range(4):
        queue.send(event(n), 0)
    one, two, three = (queue.receive(0) for _ in range(3))
    for each in (two, one, three):
        queue.lapse(each, 30)
    assert [message.event for message in queue.ready] == [event(n) for n in range(4)]
