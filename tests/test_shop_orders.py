"""What notebook 09 says about the wirings of the shop, on small days and other seeds than its own."""

import sys
from pathlib import Path

import pytest

from edakit import Faults, run

sys.path.append(str(Path(__file__).parent.parent / "notebooks"))

from shop.audit import audit, mistakes
from shop.changes import services_changed
from shop.fraud import flagged, fraudulent, parcels, shipped
from shop.orders import WIRINGS, chain, parallel, reserve_first, saga
from shop.outage import minute_without, noticed, ten_a_second
from shop.recording import order_service, stuck

SEEDS = range(5)
WRONG = {  # the mistakes each wiring makes when cards fail and teas run out
    parallel: {"false yes", "paid, no tea", "tea held, not paid"},
    chain: {"paid, no tea"},
    reserve_first: {"tea held, not paid"},
    saga: set(),
}


@pytest.mark.parametrize("build", WRONG, ids=lambda build: build.__name__)
def test_each_wiring_makes_its_own_mistakes(build):
    for seed in SEEDS:
        lab = run(build, seed=seed, count=100, stock=80, declines=0.1)
        assert {name for name, keys in mistakes(lab).items() if keys} == WRONG[build], seed


def test_every_wiring_has_the_same_handlers():
    jobs = {name: {do for wires in wiring.values() for do in wires.values()} for name, wiring in WIRINGS.items()}
    assert jobs["parallel"] == jobs["chain"] == jobs["reserve first"]
    assert {do.__name__ for do in jobs["saga"] - jobs["parallel"]} == {"release"}


def test_a_caller_that_hangs_up_has_not_cancelled_the_charge():
    slow = {"seed": 42, "count": 100, "stock": 100, "pay": 10}
    hung_up, told = audit(run(saga, patience=10, **slow)), audit(run(saga, limit=10, **slow))
    assert hung_up["paid, no tea"] > 0
    assert told["paid, no tea"] == told["tea held, not paid"] == 0


def test_orders_get_stuck_between_two_writes_and_not_in_an_outbox():
    faults = Faults(crash=0.05, where="orders", restart_after=0.5)
    labs = {box: [run(order_service, seed=seed, count=100, outbox=box, faults=faults) for seed in SEEDS] for box in (False, True)}
    assert sum(len(stuck(lab)) for lab in labs[False]) > 0
    assert [len(stuck(lab)) for lab in labs[True]] == [0] * len(SEEDS)
    assert all(lab.trace.where("crash") for lab in labs[True])


@pytest.mark.parametrize(("role", "changed"), [("observer", []), ("race", ["shipping"]), ("step", ["checkout"])])
def test_who_must_change_for_fraud_detection(role, changed):
    before, after = (run(parcels, seed=1, role=each, count=100, stolen=0.2) for each in ("none", role))
    assert services_changed(before, after) == (["fraud"], changed)
    lost = fraudulent(after) & shipped(after)
    assert len(lost) == {"observer": len(flagged(after)), "step": 0}.get(role, len(lost))
    assert len(fraudulent(after)) > 10


def test_an_outage_off_the_path_is_noticed_by_nobody_and_on_it_by_those_who_wait():
    mail, money = (noticed(run(ten_a_second, seed=1, faults=minute_without(name))) for name in ("notification", "payment"))
    assert (mail["failed"], mail["late"], mail["no mail"]) == (0, 0, 0)
    assert (money["failed"], money["no mail"]) == (0, 0)
    assert money["late"] > 500
