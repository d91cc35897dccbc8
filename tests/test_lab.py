"""The lab: ids, context, workloads, clocks, and what it says about itself."""

import pytest

from edakit import Crash, Exponential, Lab, Service, days
from edakit.errors import ForeignAwait, Livelock, WiringError


async def fine(order, ctx):
    await ctx.sleep(0.01)


def shop(handler=fine, *, on="order.placed", lab=None, **options):
    lab, payment = lab or Lab(1), Service("payment")
    payment.on(on)(handler)
    broker = lab.broker("shop")
    lab.deploy(payment, on=broker, **options)
    return lab, broker


def test_ids_are_readable_and_count_within_type_and_key():
    _, broker = shop()
    ids = [broker.publish(type, {}, key=key).id for type, key in [
        ("order.placed", 42), ("order.placed", "42"), ("order.placed", 43), ("order.placed", None), ("tick", None), ("tick", "a"),
    ]]  # fmt: skip
    assert ids == ["order-42.placed.1", "order-42.placed.2", "order-43.placed.1", "order.placed.1", "tick.1", "tick-a.1"]


def test_ids_are_unique_however_types_and_keys_are_cut():
    _, broker = shop()
    names = ["a", "a-b", "a.b", "a-1", "a.1", "b"]
    ids = [broker.publish(type, key=key).id for type in names for key in [None, *names, "1", ""] for _ in range(2)]
    assert len(set(ids)) == len(ids)


def test_a_day_of_waiting_takes_no_time():
    async def wait(order, ctx):
        await ctx.sleep(days(1))

    lab, broker = shop(wait)
    broker.publish("order.placed")
    assert lab.run().now == pytest.approx(86_400.003)


def test_run_until_stops_and_goes_on():
    lab, broker = shop()
    lab.workload(broker, "order.placed", every=1, count=10)
    lab.run(until=4.5)
    assert (lab.now, len(lab.trace.where("handle"))) == (4.5, 4)
    assert lab.run() is lab
    assert len(lab.trace.where("handle")) == 10
    broker.publish("order.placed")
    lab.run()
    assert len(lab.trace.where("handle")) == 11


def test_a_context_knows_time_delivery_and_its_own_memory():
    seen = []

    async def look(order, ctx):
        ctx.state["n"] = ctx.state.get("n", 0) + 1
        seen.append((ctx.now, ctx.delivery.count, ctx.delivery.redelivered, ctx.delivery.place, ctx.delivery.tag, ctx.state["n"]))

    lab, broker = shop(look)
    broker.publish("order.placed")
    broker.publish("order.placed")
    lab.run()
    assert seen == [(0.002, 1, False, "shop/payment", 1, 1), (0.002, 1, False, "shop/payment", 2, 2)]


def test_gather_does_things_at_once_and_keeps_their_order():
    seen = []

    async def both(order, ctx):
        async def part(seconds, value):
            await ctx.sleep(seconds)
            return value

        seen.append((await ctx.gather(part(0.3, "slow"), part(0.1, "fast")), round(ctx.now, 3)))
        seen.append(await ctx.gather())

    lab, broker = shop(both)
    broker.publish("order.placed")
    lab.run()
    assert seen == [(["slow", "fast"], 0.302), []]


def test_the_first_error_of_a_gather_cancels_the_rest_and_comes_out():
    seen = []

    async def both(order, ctx):
        async def fails():
            await ctx.sleep(0.1)
            raise ValueError("first")

        async def long():
            try:
                await ctx.sleep(10)
            finally:
                seen.append(("cancelled", round(ctx.now, 3)))

        try:
            await ctx.gather(long(), fails())
        except ValueError as error:
            seen.append((str(error), round(ctx.now, 3)))

    lab, broker = shop(both)
    broker.publish("order.placed")
    lab.run()
    assert seen == [("first", 0.102), ("cancelled", 0.102)]
    assert lab.trace.counts()["ack"] == 1


def test_a_time_limit_ends_a_block_and_only_that_block():
    seen = []

    async def limited(order, ctx):
        for seconds in (0.1, 0.5):
            try:
                async with ctx.timeout(0.2):
                    await ctx.sleep(seconds)
                seen.append("in time")
            except TimeoutError as error:
                seen.append((str(error), round(ctx.now, 3)))
        await ctx.sleep(1)
        seen.append(round(ctx.now, 3))

    lab, broker = shop(limited)
    broker.publish("order.placed")
    lab.run()
    assert seen == ["in time", ("no end within 0.2 s", 0.302), 1.302]


def test_time_limits_nest_and_the_inner_one_does_not_end_the_outer():
    seen = []

    async def nested(order, ctx):
        try:
            async with ctx.timeout(0.3):
                try:
                    async with ctx.timeout(0.1):
                        await ctx.sleep(1)
                except TimeoutError:
                    seen.append(round(ctx.now, 3))
                await ctx.gather(ctx.sleep(5))
        except TimeoutError:
            seen.append(round(ctx.now, 3))

    lab, broker = shop(nested)
    broker.publish("order.placed")
    lab.run()
    assert seen == [0.102, 0.302]
    assert lab.stuck() == []


def test_a_workload_counts_names_and_keys_its_events():
    lab, broker = shop()
    lab.workload(broker, "order.placed", every=0.1, count=3, key="order")
    lab.workload(
        broker, "order.placed", every=0.1, count=2, data=lambda n, random: {"n": n, "x": random.random()}, source="other"
    )
    lab.run()
    events = [row.event for row in lab.trace.where("publish")]
    assert [(e.key, e.data["order"]) for e in events if e.source == "client"] == [("1", 1), ("2", 2), ("3", 3)]
    assert [e.data["n"] for e in events if e.source == "other"] == [1, 2]
    assert [e.time for e in events if e.source == "client"] == [0.1, 0.2, 0.3]


def test_a_workload_at_random_keeps_its_mean():
    lab, broker = shop()
    lab.workload(broker, "order.placed", every=Exponential(0.05), count=2_000)
    lab.run()
    assert lab.trace.where("publish")[-1].time / 2_000 == pytest.approx(0.05, rel=0.1)


def test_hundreds_of_thousands_at_one_instant_are_no_livelock():
    lab, broker = shop(prefetch=1)
    for _ in range(250_000):
        broker.publish("order.placed")
    lab.run(until=0.002)
    assert len(lab.trace.where("publish")) == 250_000


def test_a_handler_that_spins_is_a_livelock_that_names_it():
    async def spin(order, ctx):
        while True:
            await ctx.sleep(0)

    lab, broker = shop(spin)
    broker.publish("order.placed")
    with pytest.raises(Livelock, match=r"200,000 steps without an end at t=0\.002; running: payment"):
        lab.run()


def test_a_handler_that_never_ends_is_a_livelock_with_the_cure():
    async def forever(order, ctx):
        while True:
            await ctx.sleep(1)

    lab, broker = shop(forever)
    broker.publish("order.placed")
    with pytest.raises(Livelock, match=r"nothing has happened for 2,000,000 steps: give run\(until=\.\.\.\) or end the loop"):
        lab.run()
    assert len(lab.trace.where("deliver")) == 1


def test_who_waits_for_ever_is_named_by_stuck():
    async def waits(order, ctx):
        await ctx.call("nobody-home", timeout=1e9)

    lab, broker = shop(waits)
    home = Service("nobody-home")
    home.on("ask")(waits_for_a_hold)
    lab.deploy(home, on=lab.server("rpc"))
    lab.hold("payment", "nobody-home")
    broker.publish("order.placed")
    lab.run(until=10)
    assert lab.stuck() == [("payment", "the answer of nobody-home to ask.1")]


async def waits_for_a_hold(request, ctx):
    pass


def test_a_keyboard_interrupt_in_a_handler_comes_out_and_the_lab_goes_on():
    calls = []

    async def interrupted(order, ctx):
        calls.append(order.key)
        if len(calls) == 1:
            raise KeyboardInterrupt

    lab, broker = shop(interrupted)
    for n in range(3):
        broker.publish("order.placed", {}, key=n)
    with pytest.raises(KeyboardInterrupt):
        lab.run()
    lab.run()
    broker.publish("order.placed", {}, key=3)
    lab.run()
    assert calls == ["0", "1", "2", "3"]
    assert len(lab.trace.where("ack")) == 3


def test_a_mistake_in_one_handler_does_not_stop_the_others_in_the_next_run():
    import asyncio

    async def mixed(order, ctx):
        if order.key == "1":
            await asyncio.sleep(0)

    lab, broker = shop(mixed)
    for n in range(4):
        broker.publish("order.placed", {}, key=n)
    with pytest.raises(ForeignAwait):
        lab.run()
    lab.run()
    assert [row.event.key for row in lab.trace.where("handle")] == ["0", "2", "3"]


def test_closing_ends_what_is_under_way_last_begun_first_and_keeps_the_trace():
    ended = []

    async def long(order, ctx):
        try:
            await ctx.sleep(100)
        finally:
            ended.append(order.key)

    lab, broker = shop(long, concurrency=3)
    for n in range(3):
        broker.publish("order.placed", {}, key=n)
    lab.run(until=1)
    rows = len(lab.trace)
    lab.close()
    lab.close()
    assert ended == ["2", "1", "0"]
    assert len(lab.trace) >= rows
    assert lab.kernel.tasks == {}


def test_a_restart_brings_back_what_is_down_and_nothing_else():
    lab, _ = shop(instances=2)
    lab.crash("payment.1", at=1)
    lab.restart("payment", at=2)
    lab.run()
    assert [(row.kind, row.who) for row in lab.trace.where(["crash", "restart"])] == [
        ("crash", "payment.1"),
        ("restart", "payment.1"),
    ]


def test_crashing_twice_and_restarting_twice_happens_once():
    lab, broker = shop()
    lab.faults(Crash("payment", at=1, restart_after=1) + Crash("payment", at=1.5, restart_after=1))
    lab.at(5, lambda: broker.publish("order.placed"))
    lab.run()
    assert lab.trace.counts()["crash"] == lab.trace.counts()["restart"] == 1
    assert lab.trace.counts()["ack"] == 1


def test_the_topology_is_what_is_wired_and_what_was_used():
    async def charge(order, ctx):
        await ctx.publish("payment.processed")

    lab, broker = shop(charge, db=None)
    broker.publish("order.placed", source="web")
    lab.run()
    assert lab.nodes() == {"web": "client", "shop": "broker", "payment": "service"}
    assert [(edge.source, edge.target, edge.label, edge.kind) for edge in lab.topology()] == [
        ("shop", "payment", "order.placed", "deliver"),
        ("web", "shop", "order.placed", "publish"),
        ("payment", "shop", "payment.processed", "publish"),
    ]


def test_a_lab_says_what_it_holds():
    assert repr(Lab(3)) == "<lab seed 3: empty; 0 rows, t=0 s>"
    lab, broker = shop()
    broker.publish("order.placed")
    lab.run()
    assert repr(lab).startswith("<lab seed 1: client, shop, payment; 4 rows, t=0.0")
    assert repr(broker) == "<broker shop: payment (0)>"


def test_a_hop_may_be_longer():
    lab, broker = shop(lab=Lab(1, hop=0.5))
    broker.publish("order.placed")
    lab.run()
    assert [row.time for row in lab.trace.where(["publish", "deliver", "ack"])] == [0.5, 0.5, 1.51]


def test_closing_after_an_idle_service_has_died():
    lab, payment = Lab(), Service("payment")
    shop = lab.broker("shop")
    payment.on("order.placed")(fine)
    lab.deploy(payment, on=shop)
    shop.publish("order.placed", {"order": 42})
    lab.crash("payment", at=5)
    lab.run().close()
    assert lab.kernel.tasks == {}


def test_a_run_that_writes_rows_for_ever_is_ended_unless_it_has_a_time_to_end_at(monkeypatch):
    monkeypatch.setattr("edakit.sim.lab.ROWS", 1_000)
    monkeypatch.setattr("edakit.sim.lab.SLICE", 1_000)
    clock = Service("clock")

    @clock.on("start")
    async def tick(event, ctx):
        while True:
            await ctx.sleep(1)
            ctx.log("tick")

    def started():
        lab = Lab()
        shop = lab.broker("shop")
        lab.deploy(clock, on=shop)
        shop.publish("start")
        return lab

    with pytest.raises(Livelock, match=r"1,000 rows and no end: give run\(until=...\) or end the loop"):
        started().run()
    assert len(started().run(until=5_000.5).trace.where("log")) == 5_000


def test_a_timeout_that_was_not_needed_takes_no_time():
    bank = Service("bank")

    @bank.on("charge")
    async def charge(request, ctx):
        await ctx.sleep(0.1)

    lab = Lab()
    lab.deploy(bank, on=lab.server("http"))
    lab.call("bank", timeout=30)
    assert lab.run().now == pytest.approx(0.102)


def test_a_deployment_that_was_refused_can_be_mended_and_made_again():
    lab = Lab()
    shop = lab.broker("shop")
    service = Service("mail")
    service.on("order.placed")(fine)
    with pytest.raises(WiringError, match="filter"):
        lab.deploy(service, on=shop, filter={"total": [1]})
    lab.deploy(service, on=shop)
    shop.publish("order.placed")
    lab.run()
    assert len(lab.trace.where("handle")) == 1
