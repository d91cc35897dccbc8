import pytest

from edakit import Crash, Lab, Service, measure, run
from edakit.errors import ArgumentError, EmptyTrace
from edakit.event import Event
from edakit.measure import Spread, quantiles, spread
from edakit.trace import Trace

MS = 1_000_000


def event(id, type="order.placed", key="42", story=None):
    return Event(id, type, "web", None, key, 0, None, story or id)


def shop(lab, orders=1, work=0.2):
    payment = Service("payment")

    @payment.on("order.placed")
    async def charge(order, ctx):
        await ctx.sleep(work)
        await ctx.publish("payment.processed")
        await ctx.sleep(0.1)

    broker = lab.broker("shop", like="rabbitmq")
    lab.deploy(payment, on=broker)
    for n in range(orders):
        broker.publish("order.placed", {"order": 42 + n}, key=42 + n, source="web")


def test_quantiles_lie_between_neighbours_in_proportion():
    assert quantiles([3, 1, 2]) == (2.0, 2.98)
    assert quantiles(range(101), (0, 0.05, 1)) == (0.0, 5.0, 100.0)


def test_quantiles_of_nothing_say_what_to_look_at():
    with pytest.raises(EmptyTrace, match="no values to sum up"):
        quantiles([])
    with pytest.raises(ArgumentError, match="share is 99"):
        quantiles([1], (99,))


def test_a_spread_reads_as_mean_and_range():
    assert repr(spread(range(95, 196))) == "145 [100-190]"
    assert repr(spread([0, 0])) == "0"
    assert repr(Spread(0.3242, 0.308, 0.343)) == "0.324 [0.308-0.343]"


def test_latency_runs_from_the_sending_of_the_first_to_the_arrival_of_the_last():
    assert measure.latency(run(shop).trace, "order.placed", "payment.processed") == [pytest.approx(0.203)]


def test_latency_counts_stories_that_have_both_moments_by_story_or_by_key():
    trace = Trace()
    for row in [
        (1 * MS, "publish", "shop", "web", event("a"), 0, 0, ""),
        (2 * MS, "publish", "shop", "web", event("b", key="43"), 0, 1 * MS, ""),
        (5 * MS, "publish", "shop", "mail", event("c", "mail.sent", story="a"), 0, 4 * MS, ""),
        (9 * MS, "publish", "shop", "mail", event("d", "mail.sent", story="a"), 0, 8 * MS, ""),
        (9 * MS, "log", "", "web", event("b", key="43"), 0, 0, "answer"),
    ]:
        trace.add(*row)
    assert measure.latency(trace, "order.placed", "mail.sent") == [pytest.approx(0.005)]
    assert measure.latency(trace, "order.placed", "answer", by="key") == [pytest.approx(0.008)]
    with pytest.raises(ArgumentError, match="by is 'id'"):
        measure.latency(trace, "order.placed", "mail.sent", by="id")


def test_a_crash_between_work_and_receipt_shows_in_deliveries_but_not_in_finished_handlers():
    trace = run(shop, faults=Crash("payment", at=0.25, restart_after=1)).trace
    assert measure.deliveries(trace) == {"order-42.placed.1": 2}
    assert measure.deliveries(trace, "mail") == {}
    assert measure.duplicates(trace) == {}
    assert trace.counts(by="type")["payment.processed"] == 2


def test_duplicates_are_events_that_one_service_finished_more_than_once():
    trace = Trace()
    for who in ("payment.1", "payment.2", "mail"):
        trace.add(1, "handle", "shop/payment", who, event("a"), 1)
    assert measure.duplicates(trace) == {("payment", "a"): 2}
    assert measure.duplicates(trace, "mail.sent") == {}


def test_the_backlog_counts_what_waits_and_what_is_not_acked_and_drains():
    trace = run(shop, orders=3).trace
    series = measure.backlog(trace, "shop/payment")
    assert [depth for _, depth in series] == [1, 2, 3, 2, 1, 0]
    assert measure.drain(trace, "shop/payment") == pytest.approx(series[-1][0] - series[2][0])


def test_a_queue_that_is_never_empty_again_never_drains():
    assert measure.drain(run(shop, orders=3, until=0.4).trace, "shop/payment") is None


def test_an_unknown_queue_is_refused_with_the_known_ones():
    with pytest.raises(ArgumentError, match="no queue 'shop/mail' in this trace; it has: shop/payment"):
        measure.backlog(run(shop).trace, "shop/mail")


def test_lag_is_what_is_written_and_not_committed():
    lab = Lab(seed=1)
    orders = lab.stream("orders", partitions=2, like="kafka")
    billing = Service("billing")

    @billing.on("order.placed")
    async def bill(order, ctx):
        await ctx.sleep(0.1)

    lab.deploy(billing, on=orders)
    for n in range(6):
        orders.publish("order.placed", {}, key=n, source="web")
    lab.run(10)
    series = measure.lag(lab.trace)
    assert list(series) == ["orders/0", "orders/1"]
    assert sum(max(depth for _, depth in each) for each in series.values()) == 6
    assert [each[-1][1] for each in series.values()] == [0, 0]
    with pytest.raises(ArgumentError, match="no group 'audit' in this trace; say one of: billing"):
        measure.lag(lab.trace, "audit")


def test_lag_of_a_group_that_begins_at_the_end_does_not_count_what_was_there_before():
    lab = Lab(seed=1)
    orders = lab.stream("orders", like="kafka")
    for n in range(5):
        orders.publish("order.placed", {}, key=n, source="web")
    lab.run()
    billing = Service("billing")

    @billing.on("order.placed")
    async def bill(order, ctx):
        await ctx.sleep(0.1)

    lab.deploy(billing, on=orders)
    orders.publish("order.placed", {}, key="5", source="web")
    lab.run()
    assert [depth for _, depth in measure.lag(lab.trace)["orders/0"]] == [1, 2, 3, 4, 5, 0, 1, 0]
    assert orders.lag("billing") == 0
