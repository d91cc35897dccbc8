"""The shop of notebook 05: what it counts as out of turn, and that each door, fault and policy does what its name says."""

import sys
from pathlib import Path
from statistics import mean

import pytest

from edakit import Crash, run
from edakit.errors import ArgumentError
from edakit.event import Event

sys.path.append(str(Path(__file__).parent.parent / "notebooks"))

from shop import clerk, gaps, turn_pictures, turn_writers, turns, versions

SEEDS = range(6)


def told(version, id="a", packets=1, clock=0.0):
    data = {"version": version, "state": versions.STATES[version - 1], "packets": packets, "clock": clock}
    return Event(id, "order.changed", "web", data, "42", 0, None, id)


@pytest.mark.parametrize(
    ("heard", "right"), [([1, 2, 3], True), ([1, 1, 2], True), ([2, 1, 3], False), ([1, 2, 1], False), ([], True)]
)
def test_a_lower_version_after_a_higher_one_is_out_of_turn_and_a_repeat_is_not(heard, right):
    assert turns.in_turn(heard) is right


@pytest.mark.parametrize("switch", turns.SWITCHES)
def test_every_path_tells_every_step_and_only_an_open_door_mixes_them_up(switch):
    wrong = 0
    for seed in SEEDS:
        lab = run(turns.pipeline, seed=seed, switch=switch)
        assert all(set(steps) == {1, 2, 3} for steps in turns.heard(lab).values())
        assert len(turns.heard(lab)) == 100
        wrong += len(turns.out_of_turn(lab))
    assert (wrong > 0) is (switch != "all-shut")


@pytest.mark.parametrize("switch", turns.SWITCHES)
def test_every_door_has_a_lock_that_keeps_order_and_loses_nothing(switch):
    for seed in SEEDS:
        lab = run(turns.pipeline, seed=seed, switch=switch, locked=True)
        assert all(steps == [1, 2, 3] for steps in turns.heard(lab).values())
        assert len(turns.heard(lab)) == 100


def test_a_standby_takes_over_from_the_single_active_consumer_in_turn():
    lab = run(turns.pipeline, seed=1, switch="competing-consumers", locked=True, faults=Crash("analytics.1", at=10))
    assert {row.who for row in lab.trace.where("log")} == {"analytics.1", "analytics.2"}
    assert turns.out_of_turn(lab) == []


@pytest.mark.parametrize(
    ("build", "knobs", "named"),
    [
        (turns.pipeline, {"switch": "no-door"}, "retry-topic"),
        (turns.after_poll, {"mode": "fast"}, "by-key"),
        (turn_writers.grown, {"how": "soon"}, "drained"),
        (versions.order_states, {"fault": "lost"}, "twice"),
        (gaps.gaps, {"policy": "hope"}, "refetch"),
    ],
)
def test_a_knob_turned_to_nothing_names_what_there_is(build, knobs, named):
    with pytest.raises(ArgumentError, match=named):
        run(build, **knobs)


@pytest.mark.parametrize("safe", [{"in_flight": 1}, {"idempotence": True}])
def test_a_careful_writer_sends_again_and_keeps_the_order(safe):
    lab = run(turn_writers.writer, seed=1, lost=0.1, **safe)
    assert lab.trace.where("resend")
    assert turn_writers.written(lab) == list(range(1, 101))


def test_a_careless_writer_is_late_once_a_loss_and_later_with_more_in_flight():
    two, five = (run(turn_writers.writer, seed=1, lost=0.02, in_flight=width, count=400) for width in (2, 5))
    for lab in (two, five):
        assert sorted(turn_writers.written(lab)) == list(range(1, 401))
        assert 0 < len(turn_writers.late(lab)) <= len(lab.trace.where("drop"))
    assert mean(turn_writers.overtaken_by(two)) < mean(turn_writers.overtaken_by(five)) / 2


def test_a_fourth_partition_opens_behind_the_last_unread_event_if_it_is_drained():
    lab = run(turn_writers.grown, seed=3, how="drained")
    opened = lab.trace.where("grow")[0]
    before = [row.time for row in lab.trace.where("append") if row.time < opened.time]
    commits = [row.time for row in lab.trace.where("log") if row.event.time <= max(before)]
    assert max(commits) < opened.time
    assert all(set(steps) == {1, 2, 3} for steps in turns.heard(lab).values())


def test_threads_by_key_do_each_event_once_and_faster_than_one():
    serial, by_key = (run(turns.after_poll, seed=2, mode=mode) for mode in ("serial", "by-key"))
    assert sorted(turns.heard(by_key)) == sorted(turns.heard(serial))
    assert all(steps == [1, 2, 3] for steps in turns.heard(by_key).values())
    assert turns.speed(by_key)["s"] < turns.speed(serial)["s"] / 2


@pytest.mark.parametrize(
    ("admit", "state", "packets"),
    [
        (versions.everything, "placed", 6),
        (versions.new_ids, "placed", 4),
        (versions.higher_version, "paid", 3),
        (versions.higher_clock, "placed", 6 - 2),
    ],
)
def test_what_each_defence_lets_pass(admit, state, packets):
    book = versions.Book(admit())
    for event in (told(2, "b", 3, clock=1.0), told(1, "a", 1, clock=1.5), told(1, "a", 1, clock=1.5), told(1, "a", 1, clock=1.5)):
        book.take(event)
    assert (book.state["42"], book.packets["42"]) == (state, packets)


@pytest.mark.parametrize(
    ("heard", "applied", "asked", "fate"),
    [
        ({1, 2, 3}, [1, 2, 3], [], "whole"),
        ({1, 3}, [1], [], "stuck behind a gap"),
        ({1, 3}, [1, 3], [], "a step never seen"),
        ({1, 2}, [1, 2], [], "quietly wrong"),
        (set(), [], [], "quietly wrong"),
        ({1, 3}, [1, 2, 3], [(1, 2)], "whole, asked for what was lost"),
        ({1, 2, 3}, [1, 2, 3], [(1, 3)], "whole, asked for what was only late"),
    ],
)
def test_what_becomes_of_an_order(heard, applied, asked, fate):
    assert gaps.fate(heard, applied, asked, {(1, 2)}) == fate


def test_comparing_at_night_leaves_nothing_wrong_and_asks_only_for_what_is_missing():
    lab = run(gaps.gaps, seed=5, lost=0.1, compare=True)
    assert gaps.lost(lab)
    assert all(set(steps) == {1, 2, 3} for steps in gaps.versions(lab).values())
    assert len(gaps.versions(lab)) == 40


def test_the_business_result_needs_no_sequence_over_all_orders():
    one, many = (run(clerk.stamped, seed=4, lanes=lanes, seconds=3) for lanes in (1, 16))
    assert clerk.last_states(one) == clerk.last_states(many)
    assert clerk.figures(one)["p99 ms"] > clerk.figures(many)["p99 ms"]


def test_the_pictures_say_what_they_show():
    lab = run(turns.pipeline, seed=1, switch="no-key", count=30)
    assert str(turn_pictures.columns(lab)) == f"{len(turns.out_of_turn(lab))} of 30 orders out of turn"
    assert str(turn_pictures.batches(run(turn_writers.writer, seed=1, lost=0))) == "0 of 100 batches late"
    assert "heard: 2, 1, 3" in str(turn_pictures.crossing(run(turns.three_steps, seed=39)))
