"""Messages on their way: order, holds, cuts, and a life of their own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edakit import Exponential, Faults, Hold, Lab, Partition, Service, Uniform, run
from edakit.errors import CallTimeout
from edakit.event import NOTHING, Event
from edakit.sim.network import HOP, Network
from edakit.sim.world import World


def event(n: int) -> Event:
    return Event(f"tick.{n}", "tick", "web", None, None, 0, None, f"tick.{n}", NOTHING)


def network() -> tuple[Network, list]:
    """A bare network, and what has arrived: (time, number)."""
    world = World(seed=1)
    return world.network, []


def send(net: Network, arrived: list, n: int, source: str = "a", target: str = "b") -> bool:
    return net.send("publish", source, target, event(n), lambda e: arrived.append((net.kernel.ns, int(e.id[5:]))), event(n))


DELAYS = st.sampled_from([0, 0.003, Exponential(0.01), Uniform(0, 0.02)])


@given(DELAYS, st.lists(st.integers(0, 3_000_000), min_size=1, max_size=20))
def test_a_link_keeps_its_order_whatever_the_delay(delay, gaps):
    net, arrived = network()
    net.disturb(Faults(delay=delay))
    at = 0
    for n, gap in enumerate(gaps):
        at += gap
        net.kernel.later(at, send, net, arrived, n)
    net.kernel.run()
    assert [n for _, n in arrived] == list(range(len(gaps)))
    assert arrived[0][0] >= gaps[0] + HOP


def test_only_reorder_lets_a_message_overtake_another():
    net, arrived = network()
    net.disturb(Faults(reorder=0.3))
    for n in range(50):
        net.kernel.later(n * HOP, send, net, arrived, n)
    net.kernel.run()
    order = [n for _, n in arrived]
    assert sorted(order) == list(range(50)), "none lost, none twice"
    assert order != list(range(50))


def test_links_do_not_hold_each_other_up():
    net, arrived = network()
    net.disturb(Faults(delay=1, where=("a", "b")))
    send(net, arrived, 1, "a", "b")
    send(net, arrived, 2, "a", "c")
    net.kernel.run()
    assert arrived == [(HOP, 2), (HOP + 1_000_000_000, 1)]


def test_drops_and_duplicates_are_told_by_rows_and_by_the_answer_of_send():
    net, arrived = network()
    net.disturb(Faults(drop=0.3, duplicate=0.3))
    sent = [send(net, arrived, n) for n in range(100)]
    net.kernel.run()
    lost, twice = net.trace.where("drop"), net.trace.where("duplicate")
    assert sent.count(False) == len(lost) > 10
    assert len(arrived) == 100 - len(lost) + len(twice)
    assert {row.place for row in net.trace} == {"a>b"}


@given(st.integers(0, 8), st.integers(0, 8))
def test_what_is_held_comes_out_in_its_order_behind_what_went_before(before, during):
    net, arrived = network()
    for n in range(before):
        send(net, arrived, n)
    net.hold("a", "b")
    for n in range(during):
        send(net, arrived, before + n)
    assert [e.id for e in net.in_flight()] == [f"tick.{n}" for n in range(before + during)]
    net.kernel.run(until=10 * HOP)
    assert [n for _, n in arrived] == list(range(before))
    net.release("a", "b")
    send(net, arrived, before + during)
    net.kernel.run()
    assert [n for _, n in arrived] == list(range(before + during + 1))
    assert list(net.in_flight()) == []


@pytest.mark.parametrize("ends", [("a", "b"), ("b", "a")])
def test_a_hold_keeps_both_directions_and_is_released_from_either_end(ends):
    net, arrived = network()
    net.hold("a", "b")
    send(net, arrived, 1, "a", "b")
    send(net, arrived, 2, "b", "a")
    net.kernel.run()
    assert arrived == []
    net.release(*ends)
    net.kernel.run()
    assert [n for _, n in arrived] == [1, 2]
    assert net.trace.state_at(1).held == set()


def test_a_release_of_what_is_not_held_changes_nothing_and_writes_nothing():
    net, _ = network()
    net.release("a", "b")
    assert len(net.trace) == 0


def test_a_cut_loses_both_directions_or_one_and_a_mend_repairs():
    net, arrived = network()
    net.cut("a", "b", oneway=True)
    assert [send(net, arrived, 1, "a", "b"), send(net, arrived, 2, "b", "a")] == [False, True]
    net.cut("a", "b")
    assert [send(net, arrived, 3, "a", "b"), send(net, arrived, 4, "b", "a")] == [False, False]
    net.mend("b", "a")
    assert [send(net, arrived, 5, "a", "b"), send(net, arrived, 6, "b", "a")] == [True, True]
    net.kernel.run()
    assert [n for _, n in arrived] == [2, 5, 6]
    assert net.trace.counts() == {"cut": 2, "drop": 3, "mend": 2}
    assert net.trace.state_at(1).cut == set()


def test_a_service_stands_for_its_instances():
    net, arrived = network()
    net.cut("shop", "payment")
    assert not send(net, arrived, 1, "shop", "payment.2")
    net.mend("shop", "payment")
    net.hold("payment", "shop")
    assert send(net, arrived, 2, "payment.1", "shop")
    assert len(list(net.in_flight())) == 1


def worker(log: list, work: float = 0.01) -> Service:
    payment = Service("payment")

    @payment.on("order.placed")
    async def charge(order, ctx):
        log.append((order.key, ctx.delivery.redelivered))
        await ctx.sleep(work)

    return payment


def test_a_lost_ack_leads_to_a_redelivery():
    lab, log = Lab(1), []
    shop = lab.broker("shop", ack_timeout=5)
    lab.deploy(worker(log), on=shop)
    lab.faults(Faults(drop=1, leg="ack", times=1))
    shop.publish("order.placed", {}, key="42")
    lab.run()
    assert log == [("42", False), ("42", True)]
    assert [row.note for row in lab.trace.where("requeue")] == ["no ack in time"]
    assert shop.depth("payment") == 0


def test_a_lost_delivery_is_given_back_and_delivered_again():
    lab, log = Lab(1), []
    shop = lab.broker("shop", ack_timeout=5)
    lab.deploy(worker(log), on=shop)
    lab.faults(Faults(drop=1, leg="deliver", times=1))
    shop.publish("order.placed", {}, key="42")
    lab.run()
    assert log == [("42", True)]
    assert shop.depth("payment") == 0


def test_what_a_service_sent_before_it_crashed_still_arrives():
    lab, payment = Lab(1), Service("payment")

    @payment.on("order.placed")
    async def charge(order, ctx):
        await ctx.publish("payment.processed")

    shop = lab.broker("shop")
    lab.deploy(payment, on=shop)
    shop.publish("order.placed", {})
    lab.crash("payment", at=0.0025)
    lab.run()
    assert len(lab.trace.where("publish", type="payment.processed")) == 1
    assert lab.trace.where("crash")[0].time < lab.trace.where("publish", type="payment.processed")[0].time


def test_a_lab_holds_and_releases_between_times():
    def build(lab):
        shop = lab.broker("shop")
        lab.deploy(worker([]), on=shop)
        lab.workload(shop, "order.placed", every=0.1, count=10)

    lab = run(build, faults=Hold("payment", "shop", at=0.25, until=0.75))
    times = [row.time for row in lab.trace.where("handle")]
    assert len(times) == 10
    assert not [time for time in times if 0.3 < time < 0.75]
    assert sum(0.75 <= time < 0.85 for time in times) > 1


@pytest.mark.parametrize("fault", [Partition("shop", "payment", at=0.0025), Hold("shop", "payment", at=0.0025)])
def test_a_publisher_whose_confirm_is_cut_off_on_its_way_does_not_wait_for_ever(fault):
    lab, payment, seen = Lab(1), Service("payment"), []

    @payment.on("order.placed")
    async def charge(order, ctx):
        try:
            await ctx.publish("payment.processed")
        except CallTimeout as error:
            seen.append((round(ctx.now, 3), error.outcome))

    shop = lab.broker("shop")
    lab.deploy(payment, on=shop)
    shop.publish("order.placed", {})
    lab.faults(fault)
    lab.run(until=30)
    assert seen == [(5.002, "unknown")]
