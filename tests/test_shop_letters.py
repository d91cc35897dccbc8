"""The scenarios of notebook 06: what is measured there is what happened."""

import math
import sys
from pathlib import Path

import pytest

from edakit import Retry, minutes, run

sys.path.append(str(Path(__file__).parent.parent / "notebooks"))
from shop import landing, lanes, letters, poison, storms


@pytest.mark.parametrize(("limit", "tries"), [(1, 1), (5, 5)])
def test_the_limit_says_how_often_order_42_is_tried_and_all_others_are_charged_once(limit, tries):
    lab = run(poison.poisoned, seed=1, limit=limit, orders=20)
    assert poison.tries(lab.trace) == tries
    assert poison.charged(lab.trace) == {str(100 + n): 1 for n in range(20)}
    assert len(lab.homes["shop"].dead_letters("payment")) == 1


def test_without_a_limit_one_worker_sees_nothing_else_with_and_without_dead_letters():
    for dead_letter in (True, False):
        lab = run(poison.poisoned, seed=1, orders=20, until=2, dead_letter=dead_letter)
        assert poison.good(lab.trace) == 0
        assert math.isinf(poison.drained(lab))
        assert poison.tries(lab.trace) > 100


def test_each_limit_is_the_one_of_its_system():
    found = {row[0]: row[1:3] for row in landing.limits().rows}
    assert found["RabbitMQ quorum queue"] == (21, "dead letter")
    assert found["SQS, maxReceiveCount 5"] == (5, "dead letter")
    assert found["SNS to HTTP"] == (4, "dead letter")
    assert found["Kafka share group"] == (5, "gone")
    assert found["Kafka consumer group"][1] == "never"


@pytest.mark.parametrize(
    ("rule", "applied", "gap", "aside"), [(lanes.BLOCK, 0, 0, 0), (lanes.DEAD_LETTER, 1, 1, 0), (lanes.PARK, 0, 0, 1)]
)
def test_the_heirs_of_a_poisonous_event_wait_or_go_over_the_gap_or_stand_aside(rule, applied, gap, aside):
    lab = run(lanes.one_lane, seed=3, rule=rule, orders=10, steps=6, poison=20, until=2)
    heirs, found = lanes.heirs(lab), lanes.standing(lab)
    assert heirs > 0
    assert found["over a gap"] == gap * heirs
    assert found["set aside"] == (rule != lanes.BLOCK) + aside * heirs
    assert found["applied"] == (19 if rule == lanes.BLOCK else 59 - heirs + applied * heirs)


def test_layers_multiply_and_one_layer_does_not():
    assert storms.bank_calls(run(storms.layers, tries=3)) == 27
    assert storms.bank_calls(run(storms.layers, tries=3, where=("payment",))) == 3


def test_without_jitter_each_wave_is_the_last_one_less_what_the_bank_took():
    lab = run(storms.storm, clients=30, capacity=10)
    assert list(storms.per_second(lab).values()) == [30, 20, 10]
    assert storms.taken(lab) == 10


def test_a_retry_saves_the_orders_whose_tries_outlast_the_outage():
    assert storms.lost(run(storms.outage, orders=60))["lost"] == 30
    assert storms.lost(run(storms.outage, orders=60, retry=Retry(5, backoff=1)))["lost"] == 0


@pytest.mark.parametrize(("days", "window"), [(0.5, 3.5), (3, 1), (4, 0)])
def test_a_dead_letter_has_what_is_left_of_its_four_days(days, window):
    shelf = letters.Shelf(run(letters.shelf, in_source=days))
    assert shelf.window == pytest.approx(window, abs=0.1)
    assert shelf.told == (window == 0)


def test_a_letter_says_where_it_died_and_why():
    lab = run(landing.landing, system="RabbitMQ", fault=landing.LONG, until=minutes(1))
    assert letters.history(lab).rows[0][:4] == ("42", "maxlen", 1, "payment")
