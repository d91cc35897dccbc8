"""Request-response: answers, refusals, timeouts, and what a caller may conclude."""

import pytest

from edakit import CallFailed, CallRefused, CallTimeout, Faults, Lab, Refused, Service
from edakit.errors import WiringError


def system(work, *, calls=1, timeout=1.0, threads=8, instances=1, **faults):
    """A payment service whose handler is `work`, and a web service that asks it; what it got: answer or error, and when."""
    lab, got = Lab(1), []
    payment, web = Service("payment"), Service("web")
    payment.on("charge")(work)

    @web.on("order.placed")
    async def order(event, ctx):
        try:
            got.append((await ctx.call("payment", {"order": event.key}, timeout=timeout), round(ctx.now, 3)))
        except (CallTimeout, CallRefused, CallFailed) as error:
            got.append((error, round(ctx.now, 3)))

    shop = lab.broker("shop")
    lab.deploy(payment, on=lab.server("rpc", threads=threads), instances=instances)
    lab.deploy(web, on=shop, concurrency=10)
    for n in range(calls):
        shop.publish("order.placed", {}, key=n)
    if faults:
        lab.faults(Faults(**faults))
    return lab, got


async def fine(request, ctx):
    await ctx.sleep(0.1)
    return {"paid": request.data["order"]}


def test_an_answer_comes_back_with_its_data():
    lab, got = system(fine)
    lab.run()
    assert got == [({"paid": "0"}, 0.104)]
    assert [row.kind for row in lab.trace.where(["call", "reply"])] == ["call", "reply"]
    assert lab.trace.where("reply")[0].event.causation == lab.trace.where("call")[0].event.id


def test_too_late_is_an_unknown_outcome_and_the_work_is_done_all_the_same():
    lab, got = system(fine, timeout=0.05)
    lab.run()
    ((error, when),) = got
    assert (type(error), error.outcome, when) == (CallTimeout, "unknown", 0.052)
    assert "no answer of payment to charge-0.1 within 0.05 s: it may have happened or not" in str(error)
    assert len(lab.trace.where("handle", who="payment")) == 1
    assert len(lab.trace.where("reply")) == 0


@pytest.mark.parametrize(("leg", "happened"), [("request", 0), ("reply", 1)])
def test_a_caller_cannot_tell_a_lost_request_from_a_lost_answer(leg, happened):
    lab, got = system(fine, drop=1, leg=leg)
    lab.run()
    assert type(got[0][0]) is CallTimeout
    assert len(lab.trace.where("handle", who="payment")) == happened


def test_no_is_an_answer_and_a_failure_is_not():
    async def no(request, ctx):
        raise Refused("no money")

    async def broken(request, ctx):
        raise ValueError("bad day")

    for work, kind, outcome, text in (
        (no, CallRefused, "no", "no money"),
        (broken, CallFailed, "unknown", "payment failed: bad day"),
    ):
        lab, got = system(work)
        lab.run()
        assert (type(got[0][0]), got[0][0].outcome, str(got[0][0])) == (kind, outcome, text)


def test_with_nobody_up_the_connection_is_refused_and_nothing_happened():
    lab, got = system(fine)
    lab.crash("payment")
    lab.run()
    assert (type(got[0][0]), got[0][0].outcome, got[0][0].answered) == (CallRefused, "no", False)
    assert str(got[0][0]) == "connection refused: no instance of payment is up"
    assert not lab.trace.where("handle", who="payment")


def test_a_server_that_dies_with_the_request_never_answers():
    lab, got = system(fine)
    lab.crash("payment", at=0.05, restart_after=0.1)
    lab.run()
    assert type(got[0][0]) is CallTimeout


def test_threads_bound_what_is_done_at_once_and_the_rest_waits_in_line():
    lab, got = system(fine, calls=4, threads=2)
    lab.run()
    assert [when for _, when in got] == [0.104, 0.104, 0.204, 0.204]


def test_instances_are_dealt_requests_in_turn_and_the_dead_are_left_out():
    lab, got = system(fine, calls=6, instances=3)
    lab.crash("payment.2")
    lab.run()
    assert [row.who for row in lab.trace.where("handle", who="payment")] == ["payment.1", "payment.3"] * 3
    assert len(got) == 6


def test_a_request_doubled_on_the_way_is_done_twice_and_answered_once():
    lab, got = system(fine, duplicate=1, leg="request")
    lab.run()
    assert len(lab.trace.where("handle", who="payment")) == 2
    assert got == [({"paid": "0"}, 0.104)]


def test_a_client_outside_asks_and_the_answer_is_in_the_trace():
    lab = Lab(1)
    payment = Service("payment")
    payment.on("charge")(fine)
    rpc = lab.server("rpc", like="http")
    lab.deploy(payment, on=rpc)
    lab.call("payment", {"order": 42}, timeout=1, key=42, source="browser")
    lab.workload(rpc, "payment/charge", every=1, count=2, data={"order": 1}, timeout=0.01)
    lab.run()
    assert [(row.who, row.event.key) for row in lab.trace.where("reply")] == [("browser", "42")]
    assert [row.who for row in lab.trace.where("timeout")] == ["client", "client"]


def test_several_operations_are_told_apart():
    lab, got = Lab(1), []
    payment, web = Service("payment"), Service("web")

    @payment.on("charge")
    async def charge(request, ctx):
        return "charged"

    @payment.on("refund")
    async def refund(request, ctx):
        return "refunded"

    @web.on("order.placed")
    async def order(event, ctx):
        got.extend([await ctx.call("payment/refund", timeout=1), await ctx.call("payment/charge", timeout=1)])
        await ctx.call("payment", timeout=1)

    shop = lab.broker("shop")
    lab.deploy(payment, on=lab.server("rpc"))
    lab.deploy(web, on=shop)
    shop.publish("order.placed")
    with pytest.raises(WiringError, match="payment answers charge, refund: say which, 'payment/charge'"):
        lab.run()
    assert got == ["refunded", "charged"]
    with pytest.raises(WiringError, match="no operation of payment named 'chrage'; known: charge, refund"):
        lab.call("payment/chrage")
    with pytest.raises(WiringError, match="no service named 'paymnt'; known: payment, web"):
        lab.call("paymnt")


def test_an_answer_that_is_not_json_is_named():
    async def odd(request, ctx):
        return object()

    lab, _ = system(odd)
    with pytest.raises(ValueError, match="which is not JSON"):
        lab.run()
    lab, _ = system(fine)
    with pytest.raises(ValueError, match="timeout is -1"):
        lab.call("payment", timeout=-1)


def test_publishing_from_a_server_needs_a_place_to_publish_to():
    async def tell(request, ctx):
        await ctx.publish("payment.processed")

    lab, _ = system(tell)
    with pytest.raises(WiringError, match=r"payment has nowhere to publish to: deploy it with publishes=lab\.broker"):
        lab.run()
    with pytest.raises(WiringError, match="threads=0: a server has 1 or more"):
        lab.server("other", threads=0)


def test_a_stream_carries_no_requests():
    lab = Lab(1)
    billing = Service("billing")
    billing.on("charge")(fine)
    lab.deploy(billing, on=lab.stream("orders"))
    lab.call("billing", {"order": 1})
    with pytest.raises(WiringError, match="billing is deployed on stream orders, which carries no requests"):
        lab.run()
