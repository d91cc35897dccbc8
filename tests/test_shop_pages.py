"""The scenarios of notebook 04: what is measured there is what happened."""

import math
import sys
from pathlib import Path

import pytest

from edakit import explore, run
from edakit.invariants import never_below

sys.path.append(str(Path(__file__).parent.parent / "notebooks"))
from shop import agreeing, fault_menu, packets, pages, tokens


def test_staleness_is_what_a_reader_would_have_seen():
    lab = run(pages.order_page, seed=3, orders=20)
    for (paid, shown), after in zip(pages.windows(lab), (0.05, 0.2, 0.5) * 7, strict=False):
        state = run(pages.order_page, seed=3, orders=20, until=paid + after).databases["copy"].data
        key = str(round(paid / 0.1))
        assert (key in state) == (shown <= paid + after)


def test_the_share_of_old_pages_follows_the_lag():
    many = run(pages.order_page, seed=1, orders=3000)
    assert pages.stale(many, 0.2) == pytest.approx(100 * math.exp(-0.196 / 0.2), abs=2.5)  # the statements take 4 ms
    assert pages.stale(run(pages.order_page, seed=1, orders=200, lag=0.02), 0.2) < 1


def test_no_fact_is_lost_in_the_pause_and_the_window_is_the_outage_and_the_drain():
    lab = run(pages.paused, seed=5)
    assert all(shown < math.inf for _, shown in pages.windows(lab))
    figures = pages.outage(lab)
    assert figures["stale % during"] == 100
    assert 28 < figures["oldest page s"] < 45
    assert pages.outage(run(pages.paused, seed=5, pause=0))["stale % during"] < 60


def test_each_medicine_cures_its_own_illness_and_no_other():
    found = {name: pages.effects(run(pages.treated, seed=7, orders=200, medicine=name)) for name in pages.MEDICINES}
    cured = {name: (row["doubles"] == 0, row["half-done"] == 0, row["states readable"] > 1) for name, row in found.items()}
    assert cured == {
        "none": (False, False, False),
        "idempotent": (True, False, False),
        "saga": (False, True, False),
        "event sourcing": (False, False, True),
    }
    assert found["none"]["half-done"] == 200 // pages.SOLD_OUT
    assert found["event sourcing"]["stale %"] == found["none"]["stale %"]


@pytest.mark.parametrize("seed", range(5))
def test_who_asks_for_a_version_is_never_shown_an_older_one(seed):
    assert tokens.seen(run(tokens.reading, seed=seed))["stale %"] > 0
    for timeout in (0.1, 0.5):
        found = tokens.answers(run(tokens.reading, seed=seed, repair="version", timeout=timeout))
        assert {status for status, _ in found} <= {"paid", "pending"}
        assert max(wait for _, wait in found) < timeout + 0.03
        assert all(wait > timeout for status, wait in found if status == "pending")


@pytest.mark.parametrize(("route", "moves"), [("at random", True), ("one copy", False), ("version", False)])
def test_a_screen_goes_back_only_between_two_copies(route, moves):
    found = [tokens.back(run(tokens.two_copies, seed=seed, route=route))["went back %"] for seed in range(5)]
    assert any(found) is moves


def test_the_copy_oversells_and_the_owner_never_does():
    labs = [run(packets.selling, seed=seed) for seed in range(10)]
    assert sum(packets.oversold(lab)["oversold"] for lab in labs) > 5
    for lab in labs:
        assert packets.promised(lab) == 40 - lab.databases["shelf"].data[packets.TEA]
    for rate in (10, 120):
        lab = run(packets.selling, seed=1, decides="owner", rate=rate)
        assert (packets.promised(lab), lab.databases["shelf"].data[packets.TEA]) == (40, 0)


def test_the_owner_keeps_the_invariant_in_every_schedule_and_the_copy_does_not():
    found = explore(
        packets.flash, invariant=never_below("shelf", packets.TEA), seeds=40, faults=(), vary={"decides": ["copy", "owner"]}
    )
    copy, owner = found.values()
    assert len(copy.failing) > 20
    assert not owner.failing


def test_views_agree_by_version_and_only_by_version():
    ends = agreeing.settled()
    assert len(agreeing.differ(ends["last arrival"])) > 50
    skewed = ends["timestamp, clocks 0.1 s off"]
    assert (agreeing.differ(skewed), len(agreeing.wrong(skewed)) > 20) == ([], True)
    assert agreeing.wrong(ends["version"]) == []
    lost, mended = ends["version, 1 % lost"], ends["version, 1 % lost, reconciled"]
    assert agreeing.differ(lost)
    assert agreeing.wrong(mended) == []
    assert len(agreeing.mended(mended)) >= len(agreeing.wrong(lost))
    assert max(agreeing.mended(mended)) < 61


def test_each_switch_turns_its_own_counters():
    found = {fault: {name for name, count in row.items() if count} for fault, row in fault_menu.all_of_them().items()}
    assert found == {
        "none": set(),
        "several workers": {"out of turn"},
        "handler fails after its work": {"counted twice"},
        "no trace context": {"no path"},
        "duplicates": {"counted twice"},
        "crash between save and publish": {"lost"},
        "a renamed field": {"failed"},
        "one poisonous order": {"stuck", "backlog"},
        "12 a second in, 10 out": {"backlog"},
    }
