"""Retry topics and dead-letter topics: what a group on a stream cannot handle goes elsewhere, and the partition goes on."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_state import Watched

from edakit import Exponential, Faults, Lab, Retry, Saga, Service, play, plot
from edakit.errors import DurationError, WiringError
from edakit.player.facts import Ledger, facts
from edakit.state import State, fold
from edakit.stream import Producer

BANK = 20  # the second from which the bank answers again


def payment(work=0.01, away=(), poison=(), name="payment"):
    service = Service(name)

    @service.on("order.placed")
    async def charge(order, ctx):
        await ctx.sleep(work)
        if order.data["n"] in poison or (order.data["n"] in away and ctx.now < BANK):
            raise ValueError("no")
        ctx.log("charged")

    return service


def system(lab=None, *, count=6, partitions=1, away=(), poison=(), **options):
    lab = lab or Watched(1)
    orders = lab.stream("orders", partitions=partitions)
    lab.deploy(payment(away=away, poison=poison), on=orders, **options)
    for n in range(count):
        orders.publish("order.placed", {"n": n}, n)
    return lab, orders


def numbers(lab, kind, **where):
    return [row.event.data["n"] for row in lab.trace.where(kind, **where)]


def times(lab, kind, n):
    return [round(row.time, 1) for row in lab.trace.where(kind) if row.event and row.event.data["n"] == n]


def test_what_fails_is_tried_again_later_and_holds_up_nobody():
    lab, orders = system(away={1}, poison={2}, retry_topics=(5, 30))
    lab.run()
    assert numbers(lab, "log") == [0, 3, 4, 5, 1]
    assert lab.trace.where("log")[3].time < 0.1, "all good ones, while two wait"
    assert times(lab, "fail", 1) == [0.0, 5.0]
    assert times(lab, "log", 1) == [35.0]
    assert times(lab, "fail", 2) == [0.0, 5.0, 35.1]
    assert [event.data["n"] for event in orders.dead_letters("payment")] == [2]
    assert orders.lag("payment") == 0


def test_every_step_is_a_row_of_a_kind_that_was_there_before():
    lab, _ = system(count=1, poison={0}, retry_topics=(5,))
    lab.run()
    rows = [(row.kind, row.place, row.who) for row in lab.trace.where(["append", "fetch", "fail", "skip"])]
    assert rows == [
        ("append", "orders/0", "client"),
        ("fetch", "orders/0", "payment"),
        ("fail", "orders/0", "payment"),
        ("append", "orders-payment-retry-1/0", "payment"),
        ("skip", "orders/0", "payment"),
        ("fetch", "orders-payment-retry-1/0", "payment-retry-1"),
        ("fail", "orders-payment-retry-1/0", "payment-retry-1"),
        ("append", "orders-payment-dlt/0", "payment-retry-1"),
        ("skip", "orders-payment-retry-1/0", "payment-retry-1"),
    ]


def test_a_letter_says_where_it_comes_from_and_how_it_went():
    lab, orders = system(poison={2}, retry_topics=(5, 30), retry=Retry(1, backoff=0.5))
    lab.run()
    (letter,) = orders.dead_letters("payment")
    assert dict(letter.extensions) == {"origin": "orders/0/2", "group": "payment", "attempts": 3, "error": "no"}
    assert (letter.id, letter.key, letter.source) == ("order-2.placed.1", "2", "client")
    assert len(lab.trace.where("fail")) == 6, "each of the three readers tries it twice in place"


def test_blocking_tries_may_come_first():
    lab, _ = system(poison={2}, retry_topics=(5,), delivery_limit=3)
    lab.run()
    assert [row.place.partition("/")[0] for row in lab.trace.where("fail")] == ["orders"] * 3 + ["orders-payment-retry-1"] * 3


def test_a_redrive_goes_to_the_first_retry_topic_and_no_other_group_hears_of_it():
    lab, orders = system(poison={2, 3}, retry_topics=(5,))
    lab.deploy(payment(name="audit"), on=orders, group="audit")
    lab.run()
    begun = lab.now
    assert orders.redrive("payment", rate=1) == 2
    assert orders.dead_letters("payment") == []
    lab.run()
    again = lab.trace.where("append", place="orders-payment-retry-1/0")[2:]
    assert [(row.event.data["n"], round(row.time - begun, 3), row.who) for row in again] == [
        (2, 0, "orders-payment-dlt"),
        (3, 1, "orders-payment-dlt"),
    ]
    assert not again[0].event.extensions, "as it was"
    assert numbers(lab, "handle", who="audit") == list(range(6))
    assert [event.extensions["attempts"] for event in orders.dead_letters("payment")] == [1, 1]
    assert [event.data["n"] for event in orders.dead_letters("payment")] == [2, 3]
    assert orders.redrive("payment") == 2


def test_without_retry_topics_a_name_is_enough_for_dead_letters_and_they_go_back_to_the_stream():
    lab, orders = system(away={1}, on_error="reject", dead_letter="parked")
    lab.run(until=BANK)
    assert [event.data["n"] for event in orders.dead_letters("payment")] == [1]
    assert orders.redrive("payment") == 1
    lab.run()
    assert numbers(lab, "log") == [0, 2, 3, 4, 5, 1]
    assert orders.dead_letters("payment") == []
    assert numbers(lab, "append", place="parked/0") == [1]


def test_two_groups_may_share_a_dead_letter_topic():
    lab, orders = system(poison={1}, on_error="reject", dead_letter="parked")
    lab.deploy(payment(poison={2}, name="audit"), on=orders, retry_topics=(1,), dead_letter="parked")
    lab.run()
    assert [[event.data["n"] for event in orders.dead_letters(group)] for group in ("payment", "audit")] == [[1], [2]]
    assert orders.redrive("audit") == 1
    assert [[event.data["n"] for event in orders.dead_letters(group)] for group in ("payment", "audit")] == [[1], []]


def test_thrown_away_at_last_if_there_is_to_be_no_dead_letter_topic():
    lab, orders = system(poison={2}, retry_topics=(5,), dead_letter=False)
    lab.run()
    assert len(lab.trace.where("skip")) == 2
    assert "orders-payment-dlt" not in lab.homes
    with pytest.raises(WiringError, match="no group with a dead-letter topic on stream orders named 'payment'; known: none yet"):
        orders.dead_letters("payment")


def test_the_order_of_a_key_is_given_up():
    lab = Watched(1)
    orders = lab.stream("orders")
    lab.deploy(payment(away={1}), on=orders, retry_topics=(30,))
    for n in (1, 2):
        orders.publish("order.placed", {"n": n}, "42")
    assert numbers(lab.run(), "log") == [2, 1]


def test_a_retry_topic_keeps_its_own_order_and_pauses_until_the_first_is_due():
    lab, _ = system(away=set(range(6)), count=6, retry_topics=(30,))
    lab.run()
    assert numbers(lab, "fetch", who="payment-retry-1") == list(range(6))
    fetched = [row.time for row in lab.trace.where("fetch", who="payment-retry-1")]
    written = [row.time for row in lab.trace.where("append", place="orders-payment-retry-1/0")]
    assert all(30 <= late - early < 30.1 for early, late in zip(written, fetched, strict=True))


def test_readers_of_retry_topics_have_as_many_instances_and_publish_where_the_service_does():
    lab = Watched(1)
    orders, papers = lab.stream("orders", partitions=2), lab.stream("papers")
    clerk = Service("clerk")

    @clerk.on("order.placed")
    async def write(order, ctx):
        if ctx.now < BANK:
            raise ValueError("no paper")
        await ctx.publish("invoice.written", order.data)

    lab.deploy(clerk, on=orders, publishes=papers, instances=2, retry_topics=(30,))
    for n in range(4):
        orders.publish("order.placed", {"n": n}, n)
    lab.run()
    assert [name for name in lab.instances if "retry" in name] == ["clerk-retry-1.1", "clerk-retry-1.2"]
    assert sorted(numbers(lab, "append", type="invoice.written")) == [0, 1, 2, 3]


def test_a_crash_before_the_commit_writes_the_letter_twice_and_loses_nothing():
    lab = Watched(1)
    orders = lab.stream("orders", session_timeout=1)
    lab.deploy(payment(poison={0}), on=orders, on_error="reject", dead_letter="parked")
    orders.publish("order.placed", {"n": 0}, 0)
    lab.crash("payment", at=0.0135, restart_after=2)  # the letter is written, its confirm on its way
    lab.run()
    assert numbers(lab, "append", place="parked/0") == [0, 0]
    assert numbers(lab, "skip") == [0]
    assert orders.lag("payment") == 0


def test_a_letter_that_is_lost_is_written_again():
    lab, orders = system(poison={0}, on_error="reject", dead_letter="parked")
    lab.faults(Faults(drop=1, leg="publish", where=("payment", "parked"), times=1))
    lab.run()
    assert [row.note for row in lab.trace.where("drop")] == ["publish"]
    assert times(lab, "append", 0) == [0.0, 5.0]
    assert [event.data["n"] for event in orders.dead_letters("payment")] == [0]


def share(lab=None, **options):
    lab = lab or Watched(1)
    jobs = lab.stream("jobs", like="kafka-share", start="earliest")
    lab.deploy(payment(poison={1}), on=jobs, dead_letter="dlq.jobs", **options)
    for n in range(3):
        jobs.publish("order.placed", {"n": n}, n)
    return lab, jobs


@pytest.mark.parametrize(("options", "tries"), [({}, 5), ({"on_error": "reject"}, 1), ({"delivery_limit": 2}, 2)])
def test_of_a_share_group_the_broker_writes_what_is_given_up(options, tries):
    lab, jobs = share(**options)
    lab.run()
    (letter,) = jobs.dead_letters("payment")
    assert letter.data["n"] == 1
    assert dict(letter.extensions) == {
        "origin": "jobs/0/1", "group": "payment", "attempts": tries, "error": "rejected by payment",
    }  # fmt: skip
    assert [row.who for row in lab.trace.where("append", place="dlq.jobs/0")] == ["jobs"]
    assert jobs.redrive("payment") == 1
    lab.run()
    assert len(lab.trace.where("fail")) == 2 * tries


def test_a_lock_that_runs_out_for_the_last_time_makes_a_dead_letter():
    lab = Watched(1)
    jobs = lab.stream("jobs", like="kafka-share", start="earliest", delivery_limit=2)
    lab.deploy(payment(work=60), on=jobs, instances=2, dead_letter="dlq.jobs")
    jobs.publish("order.placed", {"n": 0}, 0)
    lab.run()
    (letter,) = jobs.dead_letters("payment")
    assert (letter.extensions["attempts"], letter.extensions["error"]) == (2, "not settled in time")


async def nothing(order, ctx):
    """Nothing to do."""


def test_letters_that_a_stream_without_a_leader_declines_stay_in_their_topic():
    lab = Watched(1)
    orders = lab.stream("orders", replicas=1)
    lab.deploy(payment(poison={0}), on=orders, on_error="reject", dead_letter="parked")
    orders.publish("order.placed", {"n": 0}, 0)
    lab.run()
    lab.crash("orders")
    assert orders.redrive("payment") == 1
    lab.run()
    assert [row.note for row in lab.trace.where("decline")] == ["no leader"]
    assert numbers(lab, "append", place="parked/0") == [0]


def test_what_cannot_be_is_said():
    lab = Lab()
    shop, orders = lab.broker("shop"), lab.stream("orders")
    copies, jobs = lab.stream("copies", replicas=3), lab.stream("jobs", like="kafka-share")
    for on in (shop, jobs, lab.bus("topic", like="sns"), lab.server("http")):
        with pytest.raises(WiringError, match=r"retry_topics=\(5,\): a tuple of seconds, for a consumer group on a stream"):
            lab.deploy(payment(), on=on, retry_topics=(5,))
    checkout = Saga("checkout", on="order.placed")
    checkout.step()(nothing)
    with pytest.raises(WiringError, match=r"a saga has step\(retry=\)"):
        lab.deploy(checkout, on=orders, retry_topics=(5,))
    with pytest.raises(WiringError, match="dead_letter='copies': name a stream without copies"):
        lab.deploy(payment(), on=orders, dead_letter="copies")
    orders.producer("payment", Producer(transactional=True))
    with pytest.raises(WiringError, match="without transactions"):
        lab.deploy(payment(), on=orders, retry_topics=(5,))
    with pytest.raises(WiringError, match="no group with a dead-letter topic on stream orders named 'payment'"):
        orders.redrive("payment")
    with pytest.raises(WiringError, match="retry_topics=5: a tuple of seconds"):
        lab.deploy(payment(), on=orders, retry_topics=5)
    with pytest.raises(DurationError, match="retry_topics"):
        lab.deploy(payment(name="clerk"), on=orders, retry_topics=(-1,))
    assert lab.deployments == {}
    assert copies.letters == {}


def test_pictures_and_film_know_the_topics():
    lab, orders = system(poison={2}, retry_topics=(5,))
    lab.run()
    orders.redrive("payment")
    lab.run()
    ledger, state = Ledger(lab.trace), State()
    for n, row in enumerate(lab.trace):
        fold(state, row)
        assert ledger.after(n + 1) == facts(state)
    assert "orders-payment-retry-1" in str(plot.topology(lab))
    assert "orders-payment-dlt" in play(lab).text()
    assert str(plot.timeline(lab))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    partitions=st.sampled_from([1, 3]),
    instances=st.sampled_from([1, 2]),
    delays=st.lists(st.sampled_from([0, 0.5, 2]), max_size=2),
    commit=st.sampled_from(["after", 0.2]),
    prefetch=st.sampled_from([1, 5]),
    concurrency=st.sampled_from([1, 3]),
    limit=st.sampled_from([None, 2]),
    crash=st.sampled_from([None, "payment", "payment-retry-1"]),
    loss=st.sampled_from([0, 0.05]),
)
def test_under_faults_each_record_is_done_or_a_dead_letter(
    seed, partitions, instances, delays, commit, prefetch, concurrency, limit, crash, loss
):
    lab = Watched(seed)
    orders = lab.stream("orders", partitions=partitions, session_timeout=0.5)
    bad = {n for n in range(30) if n % 7 == 0}
    lab.deploy(
        payment(poison=bad), on=orders, retry_topics=tuple(delays), instances=instances, commit=commit, prefetch=prefetch,
        concurrency=concurrency, delivery_limit=limit, dead_letter="parked", on_error="requeue" if limit else "reject",
    )  # fmt: skip
    lab.workload(orders, "order.placed", every=Exponential(0.05), count=30, data=lambda n, _: {"n": n - 1}, key="n")
    if crash and (crash == "payment" or delays):
        lab.crash(crash, at=0.2 + seed % 10 / 10, restart_after=0.7)
    if loss:
        lab.faults(Faults(drop=loss, duplicate=loss, delay=Exponential(0.005)))
        lab.at(60, lab.network.calm)
    lab.run(until=200)
    assert lab.checked == len(lab.trace)
    written = set(numbers(lab, "append", place=None))
    done, letters = set(numbers(lab, "log")), {event.data["n"] for event in orders.dead_letters("payment")}
    assert letters <= bad, "no good one"
    assert done <= written - bad, "no phantom"
    if commit == "after" or (not crash and concurrency == 1):
        assert letters == bad & written, "none lost"
        assert done == written - bad
    if not crash and not loss and commit == "after":
        assert len(lab.trace.where("append", place="parked/0")) == len(bad), "once each"
        fails = lab.trace.where("fail")
        assert len(fails) == len(bad) * (1 + len(delays)) * (limit or 1)
