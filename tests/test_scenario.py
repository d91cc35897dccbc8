"""Scenarios: run, fork, sweep."""

import pytest

from edakit import Crash, Exponential, Faults, Lab, Service, fork, run, sweep
from edakit.errors import EdakitError


def shop(lab, workers=1, work=0.1):
    payment = Service("payment")

    @payment.on("order.placed")
    async def charge(order, ctx):
        await ctx.sleep(work)

    broker = lab.broker("shop")
    lab.deploy(payment, on=broker, instances=workers)
    lab.workload(broker, "order.placed", every=Exponential(0.1), count=30, key="order")


def figures(lab):
    return {"handled": len(lab.trace.where("handle")), "end": lab.trace[-1].time}


def test_a_run_is_a_function_of_scenario_seed_faults_and_knobs():
    assert run(shop, seed=1).trace == run(shop, seed=1).trace
    digests = {
        lab.trace.digest()
        for lab in (run(shop), run(shop, seed=1), run(shop, workers=2), run(shop, until=1), run(shop, faults=Faults(drop=0.2)))
    }
    assert len(digests) == 5


def test_a_run_stops_at_its_time():
    lab = run(shop, until=1.5)
    assert lab.now == 1.5
    assert all(row.time <= 1.5 for row in lab.trace)


def test_a_fork_has_the_same_past_and_another_future():
    lab = run(shop, seed=3)
    same, other = fork(lab, at=1, change=lambda lab: lab.crash("payment", restart_after=5))
    assert same is lab
    past = [row for row in lab.trace if row.time <= 1]
    assert list(other.trace)[: len(past)] == past
    assert other.trace.counts()["crash"] == 1
    assert other.trace != lab.trace
    assert fork(lab, at=1, change=lambda lab: None)[1].trace == lab.trace


def test_a_fork_keeps_the_faults_and_knobs_of_the_run():
    lab = run(shop, seed=3, workers=2, faults=Crash("payment.1", at=0.5, restart_after=0.5))
    _, other = fork(lab, at=2, change=lambda lab: lab.crash("payment.2"), until=9)
    assert [row.who for row in other.trace.where("crash")] == ["payment.1", "payment.2"]


def test_a_sweep_is_a_row_for_each_seed_in_order():
    rows = sweep(shop, seeds=20, measure=figures, workers=2)
    assert len(rows) == 20
    assert list(rows) == [figures(run(shop, seed=seed, workers=2)) for seed in range(20)]
    assert rows[3]["end"] == rows.column("end")[3]
    with pytest.raises(EdakitError, match="no figure 'ends'; there are: handled, end"):
        rows.column("ends")


def test_a_sweep_shows_means_and_spreads():
    lines = repr(sweep(shop, seeds=10, measure=figures)).split("\n")
    assert lines[0].startswith("10 seeds")
    assert [line.split()[0] for line in lines[1:]] == ["handled", "end"]


def other_shop(lab):
    shop(lab, workers=2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: run(shop, wokers=2), "shop has no knob 'wokers'; its knobs are: workers, work"),
        (lambda: run("shop"), "'shop' is not a scenario"),
        (lambda: run(shop, until=-1), "until is -1"),
        (lambda: run(other_shop, x=1), "its knobs are: none"),
        (lambda: fork(Lab(), at=1, change=print), "fork needs a lab made by run"),
        (lambda: fork(run(shop), at=-1, change=print), "-1"),
        (lambda: sweep(shop, measure=figures, seeds=0), "seeds=0: 1 or more"),
        (lambda: run(lambda: None), "build(lab"),
    ],
)
def test_what_is_no_scenario_is_refused_in_one_line(call, message):
    with pytest.raises(EdakitError) as raised:
        call()
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_knob_without_a_default_must_be_given():
    def shop(lab, orders):
        lab.broker("shop")

    with pytest.raises(EdakitError, match=r"shop needs orders: give it as a knob, orders=\.\.\., or a default"):
        run(shop)
    assert run(shop, orders=3).homes
