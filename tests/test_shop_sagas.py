"""The scenarios of notebook 11: what is measured there is what happened."""

import sys
from pathlib import Path

import pytest

from edakit import Crash, Faults, hours, run

sys.path.append(str(Path(__file__).parent.parent / "notebooks"))
from shop import at_load, cancelling, leaders, steps
from shop.echo import echo


def test_what_is_taken_back_was_seen_and_bob_is_told_no_for_a_tea_that_comes_back():
    assert steps.stock_seen(run(steps.ada_and_bob)) == [900, 899, 900]
    lab = run(steps.ada_and_bob, teas=1, bob=0.5)
    assert (steps.stock_seen(lab), set(lab.trace.keys("order.rejected"))) == ([1, 0, 1], {"42", "43"})
    assert run(steps.ada_and_bob, teas=1, bob=1.5).trace.keys("order.confirmed") == {"43"}


def test_a_lost_word_stays_open_without_a_leader_and_is_taken_back_with_one():
    lab = run(steps.danced, seed=1, count=100, faults=Faults(drop=0.1, leg="publish", where=("payment", "shop")), until=hours(1))
    lost = len(lab.trace.where("drop"))
    assert lost > 3
    assert steps.silence(lab) == {"words lost": lost, "still open": lost, "charged, told no": 0}
    mute = Faults(drop=0.1, leg="reply", where="payment")
    lab = run(steps.led, seed=1, count=100, faults=mute)
    assert steps.still_open(lab) == steps.charged_for_nothing(lab) == []
    assert len(lab.trace.keys("order.rejected")) > 3
    assert steps.charged(lab) == set(lab.trace.keys("order.confirmed"))
    assert steps.charged_for_nothing(run(steps.led, flow=steps.checkout(back=None), seed=1, count=100, faults=mute))


def test_an_undo_that_overtakes_its_step_leaves_a_mark():
    def one_slow_bank(lab):
        shop = steps.open_shop(lab, steps.ASKED, stock=1)
        lab.deploy(steps.checkout(timeout=5), on=shop)
        shop.publish("order.placed", {"order": 1, "card": "good", "bank": 9, "shelf": 0.1}, key="1", source="web")

    lab = run(one_slow_bank)
    assert lab.databases["payment-db"].data["order/1"] == steps.BACK
    assert lab.trace.keys("order.rejected") == {"1"}


@pytest.mark.parametrize("leader", leaders.LEADERS)
def test_who_acknowledges_first_leaves_orphans_and_who_can_go_on_repeats_steps(leader):
    lab = run(leaders.mortal, leader=leader, seed=2, count=60, faults=Faults(crash=0.02, where="checkout"))
    found = leaders.after_crashes(lab)
    assert bool(found["orphans"]) == (leader == "memory, acked first")
    assert bool(found["steps asked again"]) == (leader != "memory, acked first")
    assert found["teas held"] <= found["orphans"]


def test_one_try_parks_what_more_tries_take_back():
    one, many = (run(steps.led, seed=1, count=60, declines=0.3, jams=0.3, tries=tries) for tries in (1, 8))
    assert steps.stuck_undos(one)["stuck"] == len(steps.still_open(one)) > 0
    assert steps.stuck_undos(many)["stuck"] == 0


@pytest.mark.parametrize("rule", cancelling.RULES)
def test_only_the_locks_keep_two_sagas_apart(rule):
    wrong = [
        seed for seed in range(60) if cancelling.order_is_consistent(run(cancelling.create_and_cancel, seed=seed, rule=rule))
    ]
    assert bool(wrong) == (rule in ("none", "look again"))


def test_a_flag_whose_leader_is_dead_needs_a_deadline():
    dead = Crash("create", at=0.2)
    for deadline, state in ((None, "PENDING"), (5, "CANCELLED")):
        lab = run(cancelling.create_and_cancel, seed=3, rule="lock, wait", deadline=deadline, faults=dead)
        assert cancelling.standing(lab)[0] == state
    lab.restart("create")
    assert cancelling.standing(lab.run()) == ("CANCELLED", False, False)


def test_answers_for_ever_end_at_the_limit_of_hops():
    assert len(run(echo, until=10).trace.where("publish")) > 400
    lab = run(echo, limit=16)
    assert (len(lab.trace.where("publish")), len(lab.trace.where("dead"))) == (16, 1)


def test_one_clerk_keeps_order_a_lock_keeps_the_count_and_subtracting_needs_none():
    assert at_load.bill(run(at_load.at_load, partitions=1, count=80))["overtaken"] == 0
    for lock, wrong in zip(at_load.LOCKS, (True, False, False), strict=True):
        found = at_load.bill(run(at_load.at_load, partitions=4, items=1, lock=lock, count=80))
        assert bool(found["miscounted"]) == wrong
        assert found["overtaken"] > 0
