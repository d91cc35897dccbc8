"""The scenarios of notebook 08: what is measured there is what happened."""

import asyncio
import math
import sys
from pathlib import Path

import pytest

from edakit import run

sys.path.append(str(Path(__file__).parent.parent / "notebooks"))
from shop import deposits, fence, flags, ledger, memory, on_disk, tally


@pytest.mark.parametrize(("way", "sign"), [("effect, mark", 1), ("mark, effect", -1), ("one transaction", 0)])
def test_each_crash_between_effect_and_mark_costs_one_charge_or_gives_one_away_or_nothing(way, sign):
    lab = run(ledger.charging, seed=1, way=way, orders=200, crash=5)
    crashes = len(lab.trace.where("crash"))
    assert crashes > 3
    assert ledger.effects(lab)["off by"] == sign * crashes


@pytest.mark.parametrize(("way", "again", "never"), [("effect, mark", 2, 0), ("mark, effect", 0, 2), ("one transaction", 0, 0)])
def test_a_real_file_loses_and_repeats_the_same(way, again, never):
    assert asyncio.run(on_disk.effects(way, orders=10, dies=5)) == {"charged again": again, "not charged": never}


@pytest.mark.parametrize("way", ledger.WAYS)
def test_without_faults_every_handler_charges_once(way):
    lab = run(ledger.charging, seed=1, way=way, orders=50)
    assert set(ledger.charges(lab).values()) == {1}
    assert ledger.right(lab) == {"duplicate": [], "lost": []}


def test_repeats_are_charged_by_add_and_by_no_other_but_the_race_of_two_instances():
    found = {
        way: ledger.effects(run(ledger.charging, seed=1, way=way, orders=200, duplicate=10, instances=2))["off by"]
        for way in ("add", "set", "one transaction", "select, insert")
    }
    assert found["set"] == found["one transaction"] == 0
    assert found["add"] == found["select, insert"] > 5


def test_an_old_total_stands_only_where_a_repeat_came_last():
    lab = run(ledger.versions, seed=1, orders=200)
    found = ledger.outdated(lab)
    assert 0 < found["old total"] < found["repeats"]
    assert ledger.outdated(run(ledger.versions, seed=1, orders=50, lost=0)) == {"repeats": 0, "old total": 0}


def test_what_escapes_the_window_is_what_came_after_it():
    lab = run(memory.told_twice, seed=1, orders=200)
    late = [delay for each in memory.delays(lab).values() for delay in each if delay > 5]
    assert memory.credits(lab) == {"twice": len(late), "never": 0}
    assert min(memory.delays(lab)["credited again"]) > 5 > max(memory.delays(lab)["recognised"])


def test_the_window_of_the_broker_is_five_minutes_too():
    found = memory.credits(run(memory.by_the_broker, seed=1, orders=500))
    assert found["never"] == 0
    assert found["twice"] == pytest.approx(500 * math.exp(-5 / 2), abs=25)


@pytest.mark.parametrize(
    ("way", "twice", "rows"), [("ids, 5 minutes", 100, 100), ("ids, for ever", 0, 100), ("highest number", 0, 1)]
)
def test_a_replay_finds_what_is_forgotten(way, twice, rows):
    lab = run(memory.told_twice, seed=1, way=way, orders=100, replay=True)
    assert memory.credits(lab) == {"twice": twice, "never": 0}
    assert memory.kept(lab) == rows


def test_a_bloom_filter_never_credits_twice_and_forgets_some_for_good():
    found = memory.credits(run(memory.told_twice, seed=42, way="Bloom filter", replay=True))
    assert found["twice"] == 0
    assert found["never"] > 0


def test_each_guard_mends_what_the_one_before_lets_through():
    found = {
        guard: flags.outcome(run(flags.two_instances, seed=42, guard=guard, pauses=10, faults=flags.DIES))
        for guard in flags.GUARDS
    }
    assert found["read, then write"]["charged twice"] > 0
    assert found["update where"]["charged twice"] == 0 < found["update where"]["stuck"]
    assert found["lease"]["charged twice"] > 0 == found["lease"]["stuck"]
    assert found["lease, fenced"] == {"charged twice": 0, "stuck": 0}


def test_the_two_errors_of_a_counter_add_up():
    for how in tally.HOW:
        each = tally.errors(run(tally.counting, seed=2, how=how, orders=300))
        assert each["counter"] == 300 + each["off by"]
        assert each["off by"] == each["repeats counted"] - each["additions lost"]
        assert (each["off by"] == 0) == (how in ("set of ids", "add once"))
    alone = tally.errors(run(tally.counting, seed=2, how="check, read, add", orders=300, writers=1))
    assert alone["off by"] == 0


def test_compaction_leaves_the_last_record_of_each_key_and_what_is_in_the_active_segment():
    lab = run(deposits.deposits, seed=1, count=400, duplicate=0)
    sums = deposits.sums(lab)
    assert sums["paid in"] == sums["live reader"] == 4000
    assert deposits.ACCOUNTS <= sums["left"] <= deposits.ACCOUNTS + 25
    assert sums["late reader"] == 10 * sums["left"]
    assert deposits.shuffled(lab) == 0


@pytest.mark.parametrize("way", fence.WAYS)
def test_where_exactly_once_holds(way):
    found = fence.effects(run(fence.once, seed=3, way=way, orders=200, rate=3))
    assert found["missing"] == 0
    assert (found["duplicates"] == 0) == (way in ("retry, idempotent", "in a transaction", "a card that knows the key"))
