"""Faults are data: harmless by default, the same for the same seed, and blind to the design they strike."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edakit import Crash, Exponential, Faults, Hold, Lab, Partition, Service, Uniform, run
from edakit.errors import EdakitError
from edakit.sim.faults import Plan, parts, touches


def shop(lab, *, workers=1, mail=False, work=0.01, orders=40):
    payment = Service("payment")

    @payment.on("order.placed")
    async def charge(order, ctx):
        await ctx.sleep(work)
        await ctx.publish("payment.processed")

    broker = lab.broker("shop", ack_timeout=1)
    lab.deploy(payment, on=broker, instances=workers, prefetch=1)
    if mail:
        letters = Service("mail")
        letters.on("payment.processed")(nothing)
        lab.deploy(letters, on=broker)
    lab.workload(broker, "order.placed", every=0.05, count=orders, key="order", source="client")


async def nothing(event, ctx):
    pass


def test_the_default_harms_nobody():
    assert run(shop, seed=3, faults=Faults()).trace.counts() == run(shop, seed=3).trace.counts()


FAULTS = st.builds(
    Faults,
    drop=st.sampled_from([0, 0.1, 0.3]),
    duplicate=st.sampled_from([0, 0.2]),
    reorder=st.sampled_from([0, 0.2]),
    delay=st.sampled_from([0, Exponential(0.005)]),
    crash=st.sampled_from([0, 0.05]),
    restart_after=st.sampled_from([0, 0.3]),
)


@given(FAULTS, st.integers(0, 99))
def test_the_same_seed_meets_the_same_faults(faults, seed):
    first, again = (run(shop, seed=seed, faults=faults, until=30) for _ in range(2))
    assert first.trace.digest() == again.trace.digest()


@given(FAULTS, st.integers(0, 99))
def test_whatever_strikes_nothing_is_lost_once_the_broker_has_it(faults, seed):
    lab = run(shop, seed=seed, faults=faults)
    taken = lab.trace.where("publish", type="order.placed")
    handled = {row.event.id for row in lab.trace.where("handle")}
    assert {row.event.id for row in taken} <= handled
    assert lab.homes["shop"].depth("payment") == 0


def struck(lab: Lab, link: str) -> list[str]:
    """Which messages of a link were lost or doubled, by what they carried."""
    return [f"{row.kind} {row.event.id}" for row in lab.trace.where(["drop", "duplicate"], place=link)]


@pytest.mark.parametrize("seed", range(5))
def test_two_designs_meet_the_same_faults_on_a_link_they_share(seed):
    plan = Faults(drop=0.2, duplicate=0.2, leg="publish")
    designs = [run(shop, seed=seed, faults=plan, **knobs) for knobs in ({}, {"workers": 3}, {"mail": True}, {"work": 0.2})]
    assert len(struck(designs[0], "client>shop")) > 5
    for other in designs[1:]:
        assert struck(other, "client>shop") == struck(designs[0], "client>shop")


def test_one_fault_more_changes_nothing_about_those_there_are():
    plan = Faults(drop=0.2, leg="publish", where=("client", "shop"))
    alone, both = run(shop, seed=1, faults=plan), run(shop, seed=1, faults=plan + Faults(drop=0.3, leg="ack"))
    assert struck(alone, "client>shop") == struck(both, "client>shop")
    assert len(both.trace.where("drop", note="ack")) > 0


@pytest.mark.parametrize("leg", ["publish", "confirm", "deliver", "ack"])
def test_a_fault_is_narrowed_to_a_leg(leg):
    lab = run(shop, seed=1, faults=Faults(drop=0.5, leg=leg), until=100)
    assert {row.note for row in lab.trace.where("drop")} == {leg}


def test_a_fault_is_narrowed_to_a_link_a_node_a_type_or_a_number_of_times():
    def where(**rates):
        return run(shop, seed=1, faults=Faults(drop=0.5, **rates), until=100, workers=2, mail=True).trace.where("drop")

    assert {row.place for row in where(where=("shop", "mail"))} <= {"shop>mail", "mail>shop"}
    assert {row.place for row in where(where="mail")} <= {"shop>mail", "mail>shop"}
    assert {row.place for row in where(where="payment.2")} <= {"shop>payment.2", "payment.2>shop"}
    assert {row.event.type for row in where(type="payment.*")} == {"payment.processed"}
    assert len(where(times=3)) == 3


def test_a_crash_strikes_between_two_verbs_only_and_writes_crash_and_restart():
    plan = Faults(crash=0.5, restart_after=0.2, between=("sleep", "publish"), times=None)
    lab = run(shop, seed=1, faults=plan, orders=10)
    crashes, restarts = lab.trace.where("crash"), lab.trace.where("restart")
    assert len(crashes) == len(restarts) > 2
    begun = {row.time for row in lab.trace.where("deliver")}
    assert all(any(abs(row.time - time - 0.011) < 1e-9 for time in begun) for row in crashes), "after the sleep of 0.01"
    assert len(lab.trace.keys("payment.processed")) == 10


def test_at_most_so_many_crashes():
    lab = run(shop, seed=1, faults=Faults(crash=1, restart_after=0.2, times=2), orders=5)
    assert lab.trace.counts()["crash"] == 2
    assert len(lab.trace.keys("payment.processed")) == 5


def test_a_client_is_nobody_who_could_crash():
    def build(lab):
        payment = Service("payment")
        payment.on("charge")(nothing)
        lab.deploy(payment, on=lab.server("rpc"))
        for _ in range(5):
            lab.call("payment", {}, timeout=1)

    lab = run(build, faults=Faults(crash=1, where="payment"))
    assert lab.trace.counts()["call"] == 5
    lab = run(build, faults=Faults(crash=1))
    assert lab.trace.counts()["call"] == 5
    assert lab.trace.counts()["reply"] == 5


def test_a_crash_may_fall_at_a_random_time_and_hits_all_instances_or_one():
    lab = run(shop, seed=1, workers=3, faults=Crash("payment", at=Uniform(0.1, 0.2), restart_after=0.3))
    assert [row.who for row in lab.trace.where("crash")] == ["payment.1", "payment.2", "payment.3"]
    assert all(0.1 <= row.time <= 0.2 for row in lab.trace.where("crash"))
    lab = run(shop, seed=1, workers=3, faults=Crash("payment.2", at=0.1))
    assert [row.who for row in lab.trace.where("crash")] == ["payment.2"]
    assert not lab.trace.where("restart")


def test_plans_add_up_in_order():
    a, b, c = Faults(drop=0.1), Crash("payment", at=1), Hold("shop", "payment")
    assert parts((a + b) + c) == parts(a + (b + c)) == (a, b, c)
    assert parts(None) == ()
    assert parts(Plan()) == ()


def test_a_link_is_named_by_nodes_services_or_instances():
    assert touches(None, "a", "b")
    assert touches("payment", "shop", "payment.2")
    assert touches(("payment", "shop"), "shop", "payment.2")
    assert not touches("payment.1", "shop", "payment.2")
    assert not touches(("payment", "shop"), "payment", "mail")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Faults(drop=2), "drop=2"),
        (lambda: Faults(duplicate=-0.1), "duplicate=-0.1"),
        (lambda: Faults(reorder="often"), "reorder='often'"),
        (lambda: Faults(crash=float("nan")), "crash=nan"),
        (lambda: Faults(delay=-1), "delay is -1"),
        (lambda: Faults(restart_after=-1), "restart_after is -1"),
        (lambda: Faults(leg="akc"), "no leg named 'akc'; known: ack, confirm"),
        (lambda: Faults(times=-1), "times=-1"),
        (lambda: Faults(slow=0), "slow=0"),
        (lambda: Faults(between=("put",)), "between="),
        (lambda: Faults(where=("a", "b", "c")), "where="),
        (lambda: Hold("a", "b", at=5, until=3), "until=3"),
        (lambda: Hold("a", "b", at=-1), "at is -1"),
        (lambda: Partition("a", "b", at=5, until=3), "until=3"),
        (lambda: Crash("payment", at=-1), "at is -1"),
        (lambda: Crash("payment", at=1, restart_after=-1), "restart_after is -1"),
        (lambda: run(shop, faults=0.1), "faults=0.1"),
        (lambda: Faults(drop=0.1) + 3, "faults=3"),
        (
            lambda: run(shop, faults=Faults(drop=0.1, where=("shop", "paymnt"))),
            "no node named 'paymnt'; known: client, payment, shop",
        ),
        (lambda: run(shop, faults=Crash("paymnt", at=1)), "no service or instance named 'paymnt'"),
        (lambda: run(shop, faults=Hold("shop", "paymnt")), "no node named 'paymnt'"),
    ],
)
def test_a_plan_that_means_nothing_is_refused_at_the_door(make, message):
    with pytest.raises(EdakitError) as raised:
        make()
    assert message in str(raised.value)


def test_one_slow_instance_takes_its_share_and_holds_it():
    lab = run(shop, seed=1, workers=2, faults=Faults(slow=20, where="payment.2"))
    took = {row.who: round(row.time - row.began, 3) for row in lab.trace.where("handle")}
    assert took == {"payment.1": 0.012, "payment.2": 0.202}, "the confirm takes two hops, slow or not"
    swift = run(shop, seed=1, workers=2, faults=Faults(slow=0.5, type="order.*"))
    assert {round(row.time - row.began, 3) for row in swift.trace.where("handle")} == {0.007}


@pytest.mark.parametrize(("strategy", "lost"), [("at-most-once", True), ("at-least-once", False)])
def test_the_hop_to_the_dead_letters_is_at_most_once_unless_the_queue_asks_for_more(strategy, lost):
    def build(lab):
        broker = lab.broker("shop")
        options = {"overflow": "reject-publish", "dead_letter_strategy": strategy}
        broker.queue("payment", type="quorum", dead_letter="parked", **options)
        payment = Service("payment")
        payment.on("order.placed")(bad)
        lab.deploy(payment, on=broker, on_error="reject")
        lab.workload(broker, "order.placed", every=0.1, count=200, key="order")

    async def bad(order, ctx):
        raise ValueError("no")

    lab = run(build, seed=1, faults=Faults(drop=0.1, leg="dead-letter") + Crash("shop", at=20.05, restart_after=300))
    drops = lab.trace.where("drop", note="dead-letter")
    assert {row.place for row in drops} == {"shop/payment>shop/parked"}
    assert (lab.homes["shop"].depth("parked") < 200) is lost
    assert lab.homes["shop"].depth("parked") == (200 - len(drops) if lost else 200)
    assert not run(build, seed=1, faults=Faults(drop=0.0, leg="dead-letter")).trace.where("drop")
