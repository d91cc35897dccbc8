"""A broker in virtual time: competing consumers, redelivery, dead letters, requests, and handlers that raise."""

import pytest

from edakit import Crash, Exponential, Faults, Lab, Refused, Retry, Service, run
from edakit.errors import CallTimeout, EdakitError, Livelock


def deploy(lab, handler, *, on="order.placed", name="payment", **options):
    service = Service(name)
    service.on(on)(handler)
    broker = lab.homes.get("shop") or lab.broker("shop", ack_timeout=5)
    lab.deploy(service, on=broker, **options)
    return broker


async def fine(order, ctx):
    await ctx.sleep(0.01)


async def broken(order, ctx):
    raise ValueError("bad day")


def test_instances_compete_and_each_message_is_handled_once():
    lab = Lab(1)
    shop = deploy(lab, fine, instances=3, prefetch=2)
    for n in range(30):
        shop.publish("order.placed", {"order": n}, key=n)
    lab.run()
    handled = [row.event.key for row in lab.trace.where("handle")]
    assert sorted(handled, key=int) == [str(n) for n in range(30)]
    assert {row.who for row in lab.trace.where("handle")} == {"payment.1", "payment.2", "payment.3"}
    assert lab.trace.counts() == {"publish": 30, "deliver": 30, "handle": 30, "ack": 30}


def test_every_service_has_a_queue_of_its_own_and_only_what_it_listens_to():
    lab = Lab(1)
    deploy(lab, fine, on="order.*", name="audit")
    shop = deploy(lab, fine, on="order.placed")
    shop.publish("order.placed")
    shop.publish("order.paid")
    shop.publish("nobody.cares")
    lab.run()
    assert [(row.who, row.event.type) for row in lab.trace.where("handle")] == [
        ("audit", "order.placed"), ("payment", "order.placed"), ("audit", "order.paid"),
    ]  # fmt: skip
    assert [row.note for row in lab.trace.where("publish", type="nobody.cares")] == [""]


@pytest.mark.parametrize("prefetch", [1, 3])
def test_an_instance_holds_at_most_prefetch_unsettled(prefetch):
    lab = Lab(1)
    shop = deploy(lab, fine, instances=2, prefetch=prefetch)
    for n in range(20):
        shop.publish("order.placed", {}, key=n)
    lab.run()
    most = 0
    for row in lab.trace:
        held = [who for _, _, who in lab.trace.state_at(row.time).queue("shop/payment").unacked.values()]
        most = max(most, *[held.count(f"payment.{n}") for n in (1, 2)])
    assert most == prefetch


def test_a_handler_that_raises_is_a_fact_in_the_trace_and_the_lab_goes_on():
    lab = Lab(1)
    shop = deploy(lab, broken, delivery_limit=3)
    shop.publish("order.placed", {}, key="42")
    lab.run()
    assert lab.trace.counts() == {"publish": 1, "deliver": 3, "fail": 3, "requeue": 2, "dead": 1}
    assert lab.trace.where("fail")[0].note == "ValueError: bad day in broken, line 1"
    assert lab.trace.where("dead")[0].note == "delivered 3 times, the limit: bad day"
    assert [event.key for event in shop.dead_letters("payment")] == ["42"]


def test_rejected_means_dead_at_once_and_without_dead_letters_thrown_away():
    lab = Lab(1)
    shop = deploy(lab, broken, on_error="reject")
    shop.publish("order.placed", {}, key="42")
    lab.run()
    assert (lab.trace.counts()["fail"], len(shop.dead_letters("payment"))) == (1, 1)
    lab = Lab(1)
    shop = deploy(lab, broken, on_error="reject", dead_letter=False)
    shop.publish("order.placed", {}, key="42")
    lab.run()
    assert lab.trace.where("discard")[0].note == "bad day"
    assert shop.dead_letters("payment") == []


def test_without_a_limit_a_poisonous_message_ends_the_run_with_the_cure():
    lab = Lab(1)
    shop = deploy(lab, broken)
    shop.publish("order.placed", {}, key="42")
    with pytest.raises(
        Livelock, match=r"shop/payment has given order-42\.placed\.1 back 1,000 times \(bad day\).*delivery_limit=5"
    ):
        lab.run()
    assert lab.trace.counts()["fail"] == 1_000


def test_a_run_with_an_end_shows_how_often_a_queue_without_a_limit_gives_back():
    lab = Lab(1)
    shop = deploy(lab, broken)
    shop.publish("order.placed", {}, key="42")
    lab.run(until=10)
    assert (lab.trace.counts()["fail"], shop.dead_letters("payment")) == (5_000, [])  # one hop there, one back


def test_a_retry_policy_tries_inside_before_the_broker_hears_of_it():
    lab, tries = Lab(1), []

    async def flaky(order, ctx):
        tries.append(ctx.now)
        if len(tries) < 3:
            raise ValueError("not yet")

    shop = deploy(lab, flaky, retry=Retry(3, backoff=0.5))
    shop.publish("order.placed")
    lab.run()
    assert lab.trace.counts() == {"publish": 1, "deliver": 1, "fail": 2, "handle": 1, "ack": 1}
    assert [round(time, 3) for time in tries] == [0.002, 0.502, 1.502]


def test_dead_letters_are_sent_back_at_a_rate_with_all_their_deliveries():
    lab, fixed = Lab(1), []

    async def mended(order, ctx):
        if not fixed:
            raise ValueError("bug")

    shop = deploy(lab, mended, delivery_limit=2)
    for n in range(3):
        shop.publish("order.placed", {}, key=n)
    lab.run()
    assert len(shop.dead_letters("payment")) == 3
    fixed.append(True)
    assert shop.redrive("payment", rate=10) == 3
    lab.run()
    times = [row.time for row in lab.trace.where("redrive")]
    assert [round(b - times[0], 3) for b in times] == [0, 0.1, 0.2]
    assert (shop.dead_letters("payment"), shop.depth("payment")) == ([], 0)
    assert len(lab.trace.where("handle")) == 3


def test_a_crash_gives_back_what_was_held_in_order_and_memory_is_gone():
    lab, seen = Lab(1), []

    async def remember(order, ctx):
        ctx.state[order.key] = True
        seen.append((order.key, ctx.delivery.redelivered, len(ctx.state)))
        await ctx.sleep(0.1)

    shop = deploy(lab, remember, prefetch=5)
    for n in range(3):
        shop.publish("order.placed", {}, key=n)
    lab.crash("payment", at=0.15, restart_after=1)
    lab.run()
    assert seen == [("0", False, 1), ("1", False, 2), ("1", True, 1), ("2", True, 2)]
    assert lab.trace.where("requeue")[0].note == "its consumer is gone"


def test_a_crashed_handler_does_nothing_more_not_even_in_its_finally():
    lab, seen = Lab(1), []

    async def tidy(order, ctx):
        try:
            await ctx.sleep(1)
        finally:
            seen.append("finally")
            ctx.log("still here")
            await ctx.publish("lock.released")

    shop = deploy(lab, tidy)
    shop.publish("order.placed")
    lab.crash("payment", at=0.5)
    lab.run()
    assert seen == ["finally"]
    assert not lab.trace.where("log")
    assert not lab.trace.where(type="lock.released")


def test_a_handler_that_kills_its_own_instance_is_dead_too():
    lab = Lab(1)

    async def suicidal(order, ctx):
        lab.crash("payment")
        await ctx.publish("payment.processed")

    shop = deploy(lab, suicidal, prefetch=3)
    for n in range(3):
        shop.publish("order.placed", {}, key=n)
    lab.run()
    assert lab.trace.counts() == {"publish": 3, "deliver": 3, "crash": 1, "requeue": 3}
    assert shop.depth("payment") == 3


def test_at_most_once_acks_first_and_loses_what_a_crash_interrupts():
    for commit, lost in (("after", 0), ("before", 1)):
        lab = Lab(1)
        shop = deploy(lab, fine, commit=commit, prefetch=1)
        shop.publish("order.placed", {}, key="42")
        lab.crash("payment", at=0.005, restart_after=1)
        lab.run()
        assert len(lab.trace.where("handle")) == 1 - lost


def test_a_publish_returns_when_it_is_confirmed_and_carries_key_and_story_on():
    lab, times = Lab(1), []

    async def charge(order, ctx):
        times.append(ctx.now)
        event = await ctx.publish("payment.processed", {"paid": True})
        times.append(ctx.now)
        await ctx.publish("mail.wanted", key="other")
        assert (event.key, event.causation, event.correlation) == (order.key, order.id, order.correlation)

    shop = deploy(lab, charge)
    first = shop.publish("order.placed", {}, key="42")
    lab.run()
    assert [round(time, 6) for time in times] == [0.002, 0.004]
    paid, mail = lab.trace.where("publish")[1].event, lab.trace.where("publish")[2].event
    assert (paid.id, paid.source, paid.key) == ("payment-42.processed.1", "payment", "42")
    assert (mail.key, mail.causation, mail.correlation) == ("other", first.id, first.id)
    assert [row.kind for row in lab.trace.where(type="order.placed")] == ["publish", "deliver", "handle", "ack"]


def test_a_lost_confirm_is_an_unknown_outcome_after_five_seconds():
    lab, errors = Lab(1), []

    async def charge(order, ctx):
        try:
            await ctx.publish("payment.processed")
        except CallTimeout as error:
            errors.append(str(error))

    shop = deploy(lab, charge)
    lab.faults(Faults(drop=1, leg="confirm"))
    shop.publish("order.placed", {}, key="42")
    lab.run()
    assert errors == ["shop has not confirmed payment-42.processed.1 within 5 s: it may have it or not"]
    assert len(lab.trace.where("publish", type="payment.processed")) == 1


def test_a_request_through_a_queue_is_answered():
    lab, answers = Lab(1), []

    async def charge(request, ctx):
        if request.data["total"] > 100:
            raise Refused("no money")
        return {"paid": request.data["total"]}

    async def order(event, ctx):
        for total in (9, 900):
            try:
                answers.append(await ctx.call("payment", {"total": total}, timeout=1))
            except EdakitError as error:
                answers.append((type(error).__name__, str(error), error.outcome))

    deploy(lab, charge, on="charge")
    shop = deploy(lab, order, name="web")
    shop.publish("order.placed")
    lab.run()
    assert answers == [{"paid": 9}, ("CallRefused", "no money", "no")]
    assert [row.note for row in lab.trace.where("reply")] == ["", "no money"]


def test_in_process_handlers_run_inside_the_publishers_call_and_raise_into_it():
    lab, seen = Lab(1), []
    bus = lab.broker("bus", like="in-process")
    web, mail, audit = Service("web"), Service("mail"), Service("audit")

    @web.on("order.placed")
    async def place(order, ctx):
        try:
            await ctx.publish("order.accepted")
        except ValueError as error:
            seen.append(f"web: {error}")
        seen.append(ctx.now)

    @mail.on("order.accepted")
    async def letter(event, ctx):
        await ctx.sleep(0.5)
        seen.append("mail")

    @audit.on("order.accepted")
    async def note(event, ctx):
        raise ValueError("disk full")

    for service in (web, mail, audit):
        lab.deploy(service, on=bus)
    bus.publish("order.placed")
    lab.run()
    assert seen == ["mail", "web: disk full", 0.502]
    assert [event.type for event in bus.dead_letters("audit")] == ["order.accepted"]


def test_in_process_publishers_do_not_mix_up_their_events():
    lab, seen = Lab(1), []
    bus = lab.broker("bus", like="in-process")
    web, slow, second = Service("web"), Service("slow"), Service("second")

    @web.on("order.placed")
    async def place(order, ctx):
        await ctx.publish("order.accepted", key=order.key)
        seen.append(("web", order.key))

    @slow.on("order.accepted")
    async def one(event, ctx):
        await ctx.sleep(0.3 if event.key == "0" else 0.1)

    @second.on("order.accepted")
    async def two(event, ctx):
        seen.append(("second", event.key))

    lab.deploy(web, on=bus, instances=3, prefetch=1)
    lab.deploy(slow, on=bus, prefetch=20)
    lab.deploy(second, on=bus)
    for n in range(3):
        bus.publish("order.placed", {}, key=n)
    lab.run()
    for name in ("second", "web"):
        assert sorted(key for who, key in seen if who == name) == ["0", "1", "2"]
    for row in lab.trace.where("handle", who="second"):
        assert row.event.key in ("0", "1", "2")
    delivered = {row.event.id: row.tag for row in lab.trace.where("deliver", who="second")}
    assert {row.event.id: row.tag for row in lab.trace.where("ack", who="second")} == delivered
    order = [(who, key) for who, key in seen if who == "second"]
    assert order == [("second", "1"), ("second", "2"), ("second", "0")], "each publisher goes on when its own call is back"
    assert lab.trace.state_at(lab.now).queue("bus/second").unacked == {}


def test_dropping_and_doubling_everywhere_loses_and_invents_nothing():
    def build(lab):
        deploy(lab, fine, instances=3, prefetch=4)
        lab.workload(lab.homes["shop"], "order.placed", every=Exponential(0.02), count=100, key="order")

    plan = Faults(drop=0.1, duplicate=0.1, reorder=0.1) + Crash("payment.2", at=0.5, restart_after=0.5)
    lab = run(build, seed=5, faults=plan)
    taken = [row.event.id for row in lab.trace.where("publish")]
    assert {row.event.id for row in lab.trace.where("handle")} == set(taken)
    assert lab.homes["shop"].depth("payment") == 0
    assert lab.stuck() == []
    assert len(lab.trace.where("ack")) == len(taken), "each copy is acked once"


def test_unknown_queues_are_named_with_those_there_are():
    lab = Lab(1)
    shop = deploy(lab, fine)
    for call in (shop.dead_letters, shop.redrive, shop.depth):
        with pytest.raises(EdakitError, match="no queue on broker shop named 'paymnt'; known: payment"):
            call("paymnt")
    for rate in (0, -1, "fast"):
        with pytest.raises(EdakitError, match="rate="):
            shop.redrive("payment", rate=rate)
    with pytest.raises(EdakitError, match="broker shop has a queue 'payment' already"):
        shop.queue("payment")


def test_a_queue_nobody_reads_keeps_what_it_gets():
    lab = Lab(1)
    shop = lab.broker("shop")
    shop.queue("archive", bind="order.*")
    shop.publish("order.placed")
    lab.run()
    assert shop.depth("archive") == 1
    assert repr(shop) == "<broker shop: archive (1)>"


def test_one_ack_for_many_and_a_crash_before_it_brings_all_of_them_back():
    """AMQP's multiple: fewer messages on the wire, more to do twice."""
    lab = Lab(1)
    shop = deploy(lab, fine, prefetch=20, ack_every=10)
    for n in range(25):
        shop.publish("order.placed", {"order": n}, key=n)
    lab.run()
    acks = lab.trace.where("ack")
    assert len(acks) == 20
    assert len({row.time for row in acks}) == 2
    assert shop.depth("payment") == 5, "handled, and not acked until five more are"
    lab.crash("payment", restart_after=1)
    lab.run()
    assert [row.event.key for row in lab.trace.where("deliver")[25:]] == ["20", "21", "22", "23", "24"]
    with pytest.raises(EdakitError, match="ack_every=30: on a broker, at most prefetch=20"):
        deploy(Lab(), fine, prefetch=20, ack_every=30)


def test_what_fails_among_many_is_given_back_at_once_and_a_lost_ack_brings_all_back():
    async def once(order, ctx):
        if order.key == "3" and ctx.delivery.count == 1:
            raise ValueError("once")

    lab = Lab(1)
    shop = deploy(lab, once, prefetch=4, ack_every=4)
    lab.faults(Faults(drop=1, leg="ack", times=1, type="order.placed"))
    for n in range(8):
        shop.publish("order.placed", {"order": n}, key=n)
    lab.run()
    assert len(lab.trace.where("drop")) == 1
    assert shop.depth("payment") == 0
    assert {row.event.key for row in lab.trace.where("ack")} == set("01234567")


@pytest.mark.parametrize("whole", [False, True])
def test_what_all_instances_of_a_service_held_is_back_where_it_was_whoever_dies_first(whole):
    """Source: rabbitmq.com/docs/confirms, consumer-nacks-requeue: to the original position, if possible."""
    lab = Lab(1)
    shop = deploy(lab, busy, instances=2, prefetch=3)
    for n in range(8):
        shop.publish("order.placed", {"order": n}, key=n)
    lab.crash("payment.1", at=0.4)
    lab.crash("shop" if whole else "payment.2", at=0.5)
    lab.run()
    assert [event.key for event, _ in shop.queues["payment"].ready] == [str(n) for n in range(8)]
    assert lab.trace.state_at(lab.now).queues["shop/payment"].ready == list(shop.queues["payment"].ready)


async def busy(order, ctx):
    await ctx.sleep(1)
