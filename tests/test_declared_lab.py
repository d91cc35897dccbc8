"""A broker with queues that were declared with arguments, in virtual time."""

import json

import pytest
import queue_systems
from hypothesis import given, settings
from hypothesis import strategies as st
from test_state import Watched

from edakit import Exponential, Faults, Lab, Service, measure
from edakit.errors import WiringError
from edakit.player.facts import Ledger, facts
from edakit.state import State, fold


def worker(name: str = "payment", seconds: float = 0.01, error: type[Exception] | None = None) -> Service:
    service = Service(name)

    @service.on("order.placed")
    async def handle(order, ctx):
        ctx.state.setdefault("seen", []).append(order.key)
        await ctx.sleep(seconds)
        if error:
            raise error("no")

    return service


def keys(lab: Lab, kind: str, **where) -> list[str]:
    return [row.event.key for row in lab.trace.where(kind, **where)]


def fill(shop, count: int, **properties) -> None:
    for n in range(count):
        shop.publish("order.placed", {"order": n}, n, **properties)


def test_an_offer_that_nobody_takes_in_time_is_a_dead_letter_with_its_reason():
    lab = Watched(1)
    shop = lab.broker("shop", like="rabbitmq")
    shop.queue("offers", message_ttl=600, dead_letter="parked")
    fill(shop, 2)
    lab.run()
    assert keys(lab, "lapse", place="shop/offers") == ["0", "1"]
    assert [(row.place, row.who, row.note) for row in lab.trace.where("hop")] == [("shop/parked", "shop/offers", "expired")] * 2
    assert lab.trace.where("lapse")[0].time == pytest.approx(600.001)
    assert shop.depth("parked") == 2


def test_a_message_that_expires_waits_behind_one_that_does_not():
    lab = Watched(1)
    shop = lab.broker("shop")
    shop.queue("payment")
    shop.publish("order.placed", None, "old")
    shop.publish("order.placed", None, "short", ttl=1)
    lab.run(until=5)
    assert shop.depth("payment") == 2, "expired, and counted all the same"
    lab.deploy(worker(), on=shop, prefetch=1)
    lab.run()
    assert keys(lab, "deliver") == ["old"]
    assert keys(lab, "lapse") == ["short"]


def test_a_full_queue_pushes_its_oldest_out_or_refuses_and_the_publisher_hears_of_it():
    for overflow, lost, left in (("drop-head", ["0", "1"], ["2", "3"]), ("reject-publish", ["2", "3"], ["0", "1"])):
        lab = Watched(1)
        shop = lab.broker("shop")
        shop.queue("orders", max_length=2, overflow=overflow)
        fill(shop, 4)
        lab.run()
        assert keys(lab, ("evict", "refuse")) == lost
        assert [event.key for event, _ in lab.trace.state_at(lab.now).queue("shop/orders").ready] == left


@pytest.mark.parametrize(
    ("declare", "properties", "error"),
    [
        ({"max_length": 0, "overflow": "reject-publish", "bind": "bill.due"}, {}, "queue shop/bills is full"),
        ({"bind": "nothing"}, {"mandatory": True}, "no queue of shop gets bill.due"),
        ({"bind": "nothing"}, {}, None),
    ],
)
def test_a_service_hears_that_nobody_has_what_it_published(declare, properties, error):
    lab, billing = Watched(1), Service("billing")

    @billing.on("order.placed")
    async def bill(order, ctx):
        await ctx.publish("bill.due", **properties)

    shop = lab.broker("shop")
    shop.queue("bills", **declare)
    lab.deploy(billing, on=shop, on_error="reject")
    fill(shop, 1)
    lab.run()
    assert [row.note.partition(" in ")[0] for row in lab.trace.where("fail")] == ([error] if error else [])
    assert len(lab.trace.where("return")) == ("mandatory" in properties)


def test_what_no_queue_gets_goes_to_the_alternate_queue_and_is_not_returned():
    lab = Watched(1)
    shop = lab.broker("shop", alternate="unrouted")
    lab.deploy(worker(), on=shop)
    shop.publish("parcel.sent", None, 1, mandatory=True)
    fill(shop, 1)
    lab.run()
    assert [row.note for row in lab.trace.where("publish")] == ["unrouted", "payment"]
    assert not lab.trace.where("return")


def test_urgent_orders_go_first_as_soon_as_the_consumer_has_room():
    lab = Watched(1)
    shop = lab.broker("shop")
    shop.queue("payment", max_priority=9)
    lab.deploy(worker(), on=shop, prefetch=1)
    for n, priority in enumerate([0, 0, 5, 9, 5]):
        shop.publish("order.placed", None, n, priority=priority)
    lab.run()
    assert keys(lab, "deliver") == ["0", "3", "2", "4", "1"]


def test_rejected_over_and_over_a_message_tells_its_whole_history():
    """The retry of RabbitMQ: reject, wait in a queue whose messages expire, come back; a rejection makes the cycle lawful."""
    lab, payment, seen = Watched(1), Service("payment"), []

    @payment.on("order.placed")
    async def charge(order, ctx):
        seen.append([(death.queue, death.reason, death.count) for death in ctx.delivery.deaths])
        if len(seen) < 4:
            raise ValueError("9,90")

    shop = lab.broker("shop")
    shop.queue("wait", bind="never", message_ttl=5, dead_letter="payment")
    shop.queue("payment", dead_letter="wait")
    lab.deploy(payment, on=shop, on_error="reject")
    fill(shop, 1)
    lab.run()
    assert seen == [
        [],
        [("wait", "expired", 1), ("payment", "rejected", 1)],
        [("wait", "expired", 2), ("payment", "rejected", 2)],
        [("wait", "expired", 3), ("payment", "rejected", 3)],
    ]


def test_a_message_that_only_goes_round_is_dropped():
    lab = Watched(1)
    shop = lab.broker("shop")
    shop.queue("a", bind="order.placed", message_ttl=1, dead_letter="a")
    fill(shop, 1)
    lab.run()
    assert not lab.trace.where("hop")
    assert "dropped" in lab.trace.where("log")[0].note
    assert shop.depth("a") == 0


def test_the_delivery_limit_hands_on_with_its_own_reason():
    lab = Watched(1)
    shop = lab.broker("shop", like="rabbitmq-quorum")
    shop.queue("payment", dead_letter="parked", limit=3)
    lab.deploy(worker(error=ValueError), on=shop)
    lab.deploy(worker("parked"), on=shop)
    fill(shop, 1)
    lab.run()
    assert len(lab.trace.where("deliver", who="payment")) == 3
    assert lab.trace.where("hop")[0].note == "delivery_limit"
    assert keys(lab, "ack", place="shop/parked") == ["0"]


def test_with_a_single_active_consumer_order_holds_and_the_next_one_takes_over():
    for single in (True, False):
        lab = Watched(3)
        shop = lab.broker("shop")
        shop.queue("payment", single_active_consumer=single)
        service = Service("payment")

        @service.on("order.placed")
        async def handle(order, ctx):
            await ctx.sleep(ctx.random.expovariate(100))

        lab.deploy(service, on=shop, instances=4, prefetch=1)
        fill(shop, 100)
        lab.crash("payment.1", at=0.5, restart_after=1)
        lab.run()
        done = [int(key) for key in keys(lab, "ack")]
        assert len(set(done)) == 100
        assert (done == sorted(done)) == single
        if single:
            assert list(lab.trace.where("deliver").counts("who")) == ["payment.1", "payment.2"]


@pytest.mark.parametrize(
    ("arguments", "properties", "left"),
    [
        ({"durable": True}, {"persistent": True}, 5),
        ({"durable": True}, {"persistent": False}, 0),
        ({"durable": False}, {"persistent": True}, 0),
        ({"durable": False}, {"persistent": False}, 0),
        ({"type": "quorum"}, {"persistent": False}, 5),
    ],
)
def test_what_a_restart_leaves_of_five_orders(arguments, properties, left):
    lab = Watched(1)
    shop = lab.broker("shop")
    shop.queue("orders", **arguments)
    fill(shop, 5, **properties)
    lab.crash("shop", at=1, restart_after=1)
    lab.run()
    assert shop.depth("orders") == left
    assert [row.kind for row in lab.trace[-2:]] == ["crash", "restart"]


def test_what_was_out_at_a_restart_is_ready_again_and_redelivered_to_those_who_connect_again():
    lab = Watched(1)
    shop = lab.broker("shop")
    lab.deploy(worker(seconds=0.4), on=shop, prefetch=3)
    fill(shop, 3)
    lab.crash("shop", at=0.6, restart_after=2)
    lab.at(1, lambda: shop.publish("order.placed", None, "while down"))
    lab.run()
    assert keys(lab, "drop") == ["while down"]
    assert keys(lab, "ack") == ["0", "1", "2"]
    assert keys(lab, "stale") == ["1"], "its handler went on, and its ack came to nothing"
    assert keys(lab, "deliver") == ["0", "1", "2", "1", "2"]
    assert lab.trace.where("deliver")[3].time == pytest.approx(2.601)


def test_a_publisher_waits_in_vain_for_a_broker_that_is_down_and_a_caller_too():
    lab, web = Watched(1), Service("web")

    @web.on("order.placed")
    async def order(event, ctx):
        await ctx.publish("bill.due")

    shop, other = lab.broker("shop"), lab.broker("other")
    lab.deploy(web, on=other, publishes=shop, on_error="reject")
    lab.deploy(worker(), on=shop)
    lab.crash("shop")
    other.publish("order.placed")
    lab.call("payment", timeout=3)
    lab.run()
    assert lab.trace.where("fail")[0].note.startswith("shop has not confirmed")
    assert lab.trace.where("timeout")
    assert lab.trace.state_at(lab.now).down == {"shop"}
    lab.restart("shop")
    fill(shop, 1)
    lab.run()
    assert keys(lab, "ack", place="shop/payment") == ["0"]


def test_an_instance_that_begins_or_ends_while_its_broker_is_down_is_connected_once():
    lab = Watched(1)
    shop = lab.broker("shop")
    lab.deploy(worker(), on=shop, instances=3)
    lab.crash("shop", at=1, restart_after=4)
    lab.crash("payment.1", at=2, restart_after=1)
    lab.crash("payment.2", at=2)
    lab.at(3.5, lambda: lab.deploy(worker("late"), on=shop))
    lab.at(3.6, lambda: lab.crash("late"))
    lab.at(6, fill, shop, 4)
    lab.run()
    assert sorted(keys(lab, "ack", place="shop/payment")) == ["0", "1", "2", "3"]
    assert lab.trace.where("deliver").counts("who") == {"payment.1": 2, "payment.3": 2}


def test_headers_decide_which_queue_gets_a_report():
    lab = Watched(1)
    shop = lab.broker("shop", exchange="headers")
    shop.queue("pdf", bind={"format": "pdf"})
    shop.queue("any", bind={"x-match": "any", "format": "csv", "pages": 1})
    lab.deploy(worker("all"), on=shop)
    for headers in ({"format": "pdf", "pages": 1}, {"format": "csv"}, {"pages": "1"}, {}):
        shop.publish("report.made", headers=headers)
    lab.run()
    assert [row.note for row in lab.trace.where("publish")] == ["pdf any all", "any all", "all", "all"]
    with pytest.raises(WiringError, match="binds by arguments"):
        shop.queue("wrong", bind="report.#")


def test_a_declared_queue_says_so_in_the_trace_and_takes_the_patterns_of_its_service():
    lab = Watched(1)
    shop = lab.broker("shop")
    shop.queue("payment", max_length=7)
    shop.queue("mine", bind="order.paid")
    lab.deploy(worker(), on=shop)
    lab.deploy(worker("mine"), on=shop)
    assert shop.exchange.bindings == [("order.paid", "mine"), ("order.placed", "payment")]
    assert json.loads(lab.trace.where("declare")[0].note)["max_length"] == 7
    with pytest.raises(WiringError, match="arguments are: type, durable"):
        shop.queue("x", max_lenght=1)
    lab.deploy(worker("plain"), on=shop)
    with pytest.raises(WiringError, match="declare that queue"):
        shop.queue("y", dead_letter="plain")


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    arguments=st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["classic", "quorum"]),
            "message_ttl": st.sampled_from([0, 0.05, 1]),
            "max_length": st.integers(0, 5),
            "overflow": st.sampled_from(["drop-head", "reject-publish"]),
            "single_active_consumer": st.booleans(),
            "limit": st.integers(1, 3),
        },
    ),
    classic=st.fixed_dictionaries({}, optional={"durable": st.booleans(), "max_priority": st.integers(0, 3)}),
    dead_letter=st.sampled_from([True, False, "parked", "payment"]),
    crashes=st.lists(st.floats(0, 2), max_size=2),
    drop=st.sampled_from([0, 0.1]),
)
def test_under_random_faults_no_message_is_lost_without_a_row_and_the_fold_is_the_live_state(
    seed, arguments, classic, dead_letter, crashes, drop
):
    lab = Watched(seed)
    shop = lab.broker("shop", ack_timeout=0.5)
    more = classic if arguments.get("type") != "quorum" else {}
    shop.queue("parked", bind="never", max_length=3, overflow="reject-publish")
    shop.queue("payment", dead_letter=dead_letter, **arguments, **more)
    payment = Service("payment")

    @payment.on("order.placed")
    async def charge(order, ctx):
        await ctx.sleep(ctx.random.expovariate(30))
        if ctx.random.random() < 0.3:
            raise ValueError("bad day")

    lab.deploy(payment, on=shop, instances=2, prefetch=2, on_error="reject" if seed % 3 else "requeue")
    random = lab.random("properties")
    for n in range(20):
        properties = {"priority": random.randint(0, 4), "persistent": random.random() < 0.7}
        if random.random() < 0.3:
            properties["ttl"] = random.choice([0, 0.1, 1])
        lab.at(random.random(), lambda n=n, p=properties: shop.publish("order.placed", None, n, **p))
    for at in crashes:
        lab.crash("shop", at=at, restart_after=random.choice([0, 0.1, 1]))
    lab.crash("payment.1", at=0.4, restart_after=0.2)
    if drop:
        lab.faults(Faults(drop=drop, duplicate=drop, delay=Exponential(0.005)))
    lab.run(until=60)
    assert lab.checked == len(lab.trace)
    if not crashes and not drop:
        left = {event.key for each in shop.queues.values() for event in [*(e for e, _ in each.ready), *each.dead]}
        gone = {row.event.key for row in lab.trace.where(("ack", "refuse", "log", "discard", "lapse", "evict"))}
        assert left | gone == {str(n) for n in range(20)}


@pytest.mark.parametrize("number", range(10))
def test_the_player_shows_the_queues_as_they_are_also_after_a_crash_of_the_broker(number):
    trace = queue_systems.build(Lab(number), number).run(60).trace
    ledger, state = Ledger(trace), State()
    for n, row in enumerate(trace):
        fold(state, row)
        assert ledger.after(n + 1) == facts(state)


def test_a_quorum_queue_loses_nothing_in_a_restart_and_delivers_a_poison_message_21_times():
    lab = Watched(1)
    shop = lab.broker("shop", like="rabbitmq-quorum")
    lab.deploy(worker(error=ValueError), on=shop)
    fill(shop, 1, persistent=False)
    lab.run()
    assert len(lab.trace.where("deliver")) == 21
    assert keys(lab, "dead") == ["0"]
    lab.crash("shop", restart_after=1)
    lab.run()
    assert len(shop.dead_letters("payment")) == 1


def test_a_reader_of_a_rabbitmq_stream_reads_what_comes_and_again_what_was():
    lab = Lab(1)
    orders = lab.stream("orders", like="rabbitmq-stream")
    orders.publish("order.placed", None, 1)
    lab.run()
    lab.deploy(worker("late"), on=orders)
    orders.publish("order.placed", None, 2)
    lab.run()
    assert keys(lab, "fetch") == ["2"]
    orders.seek("late", to="earliest")
    lab.run()
    assert keys(lab, "fetch") == ["2", "1", "2"]


def test_a_broker_that_is_down_lets_nothing_expire_and_does_so_when_it_is_back():
    lab = Watched(1)
    shop = lab.broker("shop")
    shop.queue("offers", message_ttl=5, dead_letter="parked")
    fill(shop, 1)
    lab.crash("shop", at=1, restart_after=9)
    lab.run()
    assert [row.time for row in lab.trace.where("lapse")] == [10]
    assert shop.depth("parked") == 1


def test_dead_letters_are_found_where_a_queue_sends_them_and_requests_are_refused_by_a_full_queue():
    lab = Watched(1)
    shop = lab.broker("shop")
    shop.queue("offers", message_ttl=5, dead_letter="parked")
    fill(shop, 2)
    assert shop.dead_letters("offers") == []
    lab.run()
    assert [event.key for event in shop.dead_letters("offers")] == ["0", "1"]
    assert shop.redrive("offers") == 0, "it keeps none itself"
    shop.queue("payment", bind="none", max_length=0, overflow="reject-publish")
    lab.deploy(worker(), on=shop)
    lab.crash("payment")
    lab.call("payment", None, timeout=1)
    lab.run()
    assert [row.event.type for row in lab.trace.where("refuse", place="shop/payment")] == ["order.placed"]


def test_a_queue_that_only_gets_dead_letters_has_a_backlog_like_any_other():
    lab = Watched(1)
    shop = lab.broker("shop")
    shop.queue("offers", message_ttl=5, dead_letter="parked")
    fill(shop, 2)
    lab.run()
    assert measure.queues(lab.trace) == ["shop/offers", "shop/parked"]
    assert measure.backlog(lab.trace, "shop/parked")[-1] == (pytest.approx(5.001), 2)


def test_what_is_handed_on_at_least_once_and_not_confirmed_still_fills_its_queue():
    """The price of it: while the dead letters cannot be handed on, their queue refuses what is new (rabbit_fifo.erl, is_over_limit)."""
    lab = Watched(1)
    shop = lab.broker("shop")
    strategy = {"overflow": "reject-publish", "dead_letter_strategy": "at-least-once"}
    shop.queue("payment", type="quorum", max_length=2, dead_letter="parked", **strategy)
    shop.queue("parked", bind="none", max_length=1, overflow="reject-publish")
    lab.deploy(worker(error=ValueError), on=shop, on_error="reject")
    for n in range(5):
        lab.at(n, lambda n=n: shop.publish("order.placed", None, n))
    lab.run(until=10)
    assert keys(lab, "refuse", place="shop/parked") == ["1", "2"]
    assert keys(lab, "refuse", place="shop/payment") == ["3", "4"]
    lab.deploy(worker("parked"), on=shop)
    lab.run()
    assert keys(lab, "ack", place="shop/parked") == ["0", "1", "2"]
    assert shop.queues["payment"].unconfirmed == 0


def test_a_limit_given_where_the_queue_is_declared_already_would_mean_nothing_and_is_refused():
    shop = Lab(1).broker("shop")
    shop.queue("payment", limit=5, dead_letter="parked")
    with pytest.raises(
        WiringError, match="queue shop/payment is there already, with a limit of 5 deliveries and dead_letter='parked'"
    ):
        shop.lab.deploy(worker(), on=shop, delivery_limit=3)
    lab = Watched(1)
    shop = lab.broker("shop")
    shop.queue("payment", limit=2, dead_letter="parked")
    lab.deploy(worker(error=ValueError), on=shop, delivery_limit=2, dead_letter="parked")
    lab.deploy(worker("parked", error=ValueError), on=shop, delivery_limit=3)
    fill(shop, 1)
    lab.run()
    assert lab.trace.where("deliver").counts("who") == {"payment": 2, "parked": 3}
    assert shop.queues["parked"].dead
