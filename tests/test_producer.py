"""How a producer sends: what a retry doubles and reorders, and what the numbers of an idempotent one prevent."""

import itertools
from collections import Counter, deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edakit import Crash, Faults, Lab, Service
from edakit.errors import ArgumentError
from edakit.event import NOTHING, Event
from edakit.stream import Producer
from edakit.stream.producer import Line, Sequences


def event(n):
    return Event(f"tick.{n}", "tick", "web", n, None, 0, None, f"tick.{n}", NOTHING)


def sent(producer, script, last=True):
    """What a partition has, after a script of losses over one connection that keeps its order; in the end nothing is lost any more."""
    line, log, numbers = Line(producer), [], Sequences()
    to, back, n = deque(), deque(), 0

    def send():
        while batch := line.take():
            to.append(batch)

    def arrive():
        batch = to.popleft()
        why = numbers.check(1, batch) if producer.idempotence else ""
        if not why:
            log.extend(event.data for event, _ in batch.records)
        back.append((batch, why))

    def answer():
        batch, why = back.popleft()
        if why in ("", "duplicate"):
            for there in (line.flying, line.waiting):
                if batch in there:
                    there.remove(batch)
        elif batch in line.flying:
            line.failed(batch)

    for what in script:
        if what == "add":
            line.add(event(n), 0)
            n += 1
        elif what == "send":
            send()
        elif what == "arrive" and to:
            arrive()
        elif what == "lose" and to:
            to.popleft()
        elif what == "answer" and back:
            answer()
        elif what == "lose answer" and back:
            back.popleft()
        elif what == "timeout" and line.flying:
            line.failed(line.flying[0])
        assert len(line.flying) <= producer.in_flight
    while last and (line.waiting or line.flying):
        send()
        while to:
            arrive()
        while back:
            answer()
        for batch in list(line.flying):
            line.failed(batch)
    return n, log


SCRIPT = st.lists(
    st.sampled_from(["add", "add", "send", "send", "arrive", "arrive", "lose", "answer", "lose answer", "timeout"]), max_size=80
)


@settings(max_examples=400)
@given(SCRIPT, st.integers(1, 5), st.integers(1, 3))
def test_idempotent_each_record_once_and_in_order_whatever_is_lost(script, in_flight, batch):
    count, log = sent(Producer(in_flight=in_flight, batch=batch), script)
    assert log == list(range(count))


@settings(max_examples=200)
@given(SCRIPT, st.integers(1, 3))
def test_one_in_flight_doubles_but_does_not_reorder(script, batch):
    count, log = sent(Producer(idempotence=False, in_flight=1, batch=batch), script)
    assert list(dict.fromkeys(log)) == list(range(count)), "first appearances are in order, and nothing is missing"


@settings(max_examples=200)
@given(SCRIPT, st.integers(1, 5), st.integers(1, 3), st.integers(1, 2))
def test_idempotent_with_few_tries_loses_but_neither_doubles_nor_reorders(script, in_flight, batch, retries):
    _, log = sent(Producer(in_flight=in_flight, batch=batch, retries=retries), script)
    assert log == sorted(set(log))


def test_several_in_flight_reorder():
    script = ["add", "send", "add", "send", "lose", "arrive", "answer", "timeout"]
    assert sent(Producer(idempotence=False, in_flight=5, batch=1), script) == (2, [1, 0])
    assert sent(Producer(in_flight=5, batch=1), script) == (2, [0, 1])


def run(faults, count=1500, **options):
    lab = Lab(3)
    orders = lab.stream("orders")
    orders.producer("web", Producer(batch=1, linger=0, timeout=0.05, backoff=0.01, **options))
    lab.workload(orders, "order.placed", every=0.002, count=count, key="order", source="web")
    lab.faults(faults)
    lab.run()
    written = [row.event.data["order"] for row in lab.trace.where("append")]
    inversions = sum(a > b for a, b in itertools.pairwise(written))
    return lab, written, inversions


def test_lost_requests_reorder_with_five_in_flight_and_not_with_one_or_with_idempotence():
    lost = Faults(drop=0.02, leg="publish")
    for options, reordered in (
        ({"idempotence": False, "in_flight": 5}, True),
        ({"idempotence": False, "in_flight": 1}, False),
        ({"idempotence": True, "in_flight": 5}, False),
    ):
        lab, written, inversions = run(lost, **options)
        assert lab.trace.where("resend")
        assert sorted(written) == list(range(1, 1501)), "a lost request leaves nothing behind, and is sent again"
        assert (inversions > 10) == reordered, options
        assert (inversions == 0) != reordered


def test_lost_answers_double_and_with_idempotence_the_partition_knows_them():
    lost = Faults(drop=0.02, leg="confirm")
    _, written, _ = run(lost, idempotence=False)
    doubled = [n for n, times in Counter(written).items() if times > 1]
    assert 10 < len(doubled) < 60
    lab, written, _ = run(lost)
    assert written == list(range(1, 1501))
    assert {row.note for row in lab.trace.where("decline")} == {"duplicate"}


def test_acks_0_asks_for_nothing_and_loses():
    lab, written, _ = run(Faults(drop=0.02, leg="publish"), acks=0, idempotence=False)
    assert len(written) == 1500 - len(lab.trace.where("drop")) < 1500
    assert not lab.trace.where(("resend", "timeout"))


def test_after_the_last_try_nobody_knows():
    lab, written, _ = run(Faults(drop=1, leg="confirm"), count=1, acks=1, idempotence=False, retries=2)
    assert written == [1, 1, 1]
    assert lab.trace.counts()["resend"] == 2
    assert lab.trace.counts()["timeout"] == 1
    assert lab.now < 1, "and no timer is left"


def test_linger_fills_a_batch_and_a_full_one_goes_at_once():
    for linger, batch, times in ((0, 10, 3), (0.1, 10, 1), (0.1, 2, 2)):
        lab = Lab(1)
        orders = lab.stream("orders")
        orders.producer("web", Producer(linger=linger, batch=batch))
        lab.workload(orders, "order.placed", every=0.01, count=3, key="order", data=lambda n, _: {"order": 1}, source="web")
        lab.run()
        assert len({row.time for row in lab.trace.where("append")}) == times, (linger, batch)


def test_a_batch_without_keys_goes_to_one_partition_the_next_to_the_next():
    lab = Lab(1)
    orders = lab.stream("orders", partitions=3)
    orders.producer("web", Producer(linger=0.1, batch=4))
    for _ in range(12):
        orders.publish("order.placed", source="web")
    lab.run()
    assert sorted(row.place[-1] for row in lab.trace.where("append")) == list("000011112222")
    assert [row.place[-1] for row in lab.trace.where("append")] == list("111122220000")


def relay_lab(faults, **options):
    lab = Lab(2)
    shop, orders = lab.broker("shop"), lab.stream("orders")
    relay = Service("relay")

    @relay.on("order.placed")
    async def pass_on(event, ctx):
        await ctx.publish("order.seen", event.data)

    lab.deploy(relay, on=shop, publishes=orders, prefetch=1)
    orders.producer("relay", Producer(linger=0, timeout=0.05, backoff=0.01, **options))
    lab.workload(shop, "order.placed", every=0.05, count=60, key="order")
    lab.faults(faults)
    lab.run()
    return lab, [row.event.data["order"] for row in lab.trace.where("append")]


def test_a_service_waits_until_it_is_confirmed_whatever_it_takes():
    lab, written = relay_lab(Faults(drop=0.3, leg="publish", where="orders") + Faults(drop=0.3, leg="confirm", where="orders"))
    assert written == list(range(1, 61))
    assert not lab.trace.where("fail")
    assert lab.stuck() == []


def test_a_service_is_told_when_its_producer_gives_up():
    lab, _ = relay_lab(Faults(drop=0.5, leg="confirm", where="orders"), retries=1)
    failed = lab.trace.where("fail")
    assert failed
    assert "it may have it or not" in failed[0].note


def test_what_a_dead_instance_had_not_sent_is_gone_and_it_starts_anew():
    _, written = relay_lab(Crash("relay", at=1, restart_after=0.5))
    assert set(written) == set(range(1, 61)), "it was not acked: the broker hands it out again"


def test_settings_that_contradict_each_other_are_refused():
    for wrong, message in (
        ({"acks": 2}, r"acks=2\): 0, 1 or 'all'"),
        ({"acks": 1}, "idempotence needs acks='all'"),
        ({"in_flight": 6}, "at most 5 in flight"),
        ({"in_flight": 0}, "in_flight=0"),
        ({"retries": 0}, "and retries; or give idempotence=False"),
        ({"linger": -1}, "linger is -1"),
    ):
        with pytest.raises(ValueError, match=message):
            Producer(**wrong)
    with pytest.raises(ArgumentError, match="give how to send"):
        Lab().stream("orders").producer("web", {"acks": 1})
