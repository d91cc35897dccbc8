"""Statistics: a scenario for many seeds, and stored rows that are only believed as long as they are true."""

import json
import time

import pytest

from edakit import Exponential, Service, run, sweep
from edakit.errors import ArgumentError, EvidenceError, WiringError
from edakit.evidence import Sweep


def shop(lab, count=5):
    desk = Service("desk")

    @desk.on("order.placed")
    async def handle(order, ctx):
        await ctx.sleep(ctx.random.expovariate(10))

    broker = lab.broker("shop")
    lab.deploy(desk, on=broker)
    lab.workload(broker, "order.placed", every=Exponential(0.1), count=count)


def figures(lab):
    return {"handled": lab.trace.counts()["handle"], "end": lab.now}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDAKIT_CHECK", "1")
    return tmp_path / "evidence" / "desk.json"


def test_a_row_is_what_a_run_with_that_seed_measures():
    rows = sweep(shop, measure=figures, seeds=3, count=7)
    assert list(rows) == [figures(run(shop, seed=seed, count=7)) for seed in range(3)]
    assert rows.column("handled") == [7, 7, 7]


def test_the_spread_is_mean_and_the_5_and_95_percent_marks():
    rows = Sweep([{"x": float(n)} for n in range(1, 102)])
    assert rows.spread("x") == (51.0, 6.0, 96.0)
    assert repr(rows) == "101 seeds: mean (5 % - 95 %)\n  x  51 (6 - 96)"


def test_a_figure_that_was_not_measured_is_named_with_those_that_were():
    with pytest.raises(ArgumentError, match="no figure 'y'; there are: x"):
        Sweep([{"x": 1.0}]).column("y")


def test_no_seeds_are_refused():
    with pytest.raises(WiringError, match="seeds=0"):
        sweep(shop, measure=figures, seeds=0)


def test_stored_rows_come_back_and_only_some_seeds_run_again(folder):
    runs = []

    def measure(lab):
        runs.append(lab.seed)
        return figures(lab)

    first = sweep(shop, measure=measure, seeds=60, evidence="desk")
    assert len(runs) == 60
    assert list(sweep(shop, measure=measure, seeds=60, evidence="desk")) == list(first)
    assert len(runs) == 60 + 20
    assert json.loads(folder.read_text())["names"] == ["handled", "end"]


def test_a_stored_row_that_is_no_longer_true_is_not_believed(folder):
    sweep(shop, measure=figures, seeds=20, evidence="desk")
    stored = json.loads(folder.read_text())
    stored["rows"][3][1] += 0.001
    folder.write_text(json.dumps(stored))
    with pytest.raises(EvidenceError, match="make evidence"):
        sweep(shop, measure=figures, seeds=20, evidence="desk")


def test_rows_of_other_knobs_are_not_believed(folder):
    sweep(shop, measure=figures, seeds=20, evidence="desk")
    with pytest.raises(EvidenceError, match=r"desk\.json was made by other code or other knobs"):
        sweep(shop, measure=figures, seeds=20, evidence="desk", count=6)


def test_a_last_digit_that_another_machine_computes_differently_is_no_difference(folder):
    first = sweep(shop, measure=figures, seeds=20, evidence="desk")
    stored = json.loads(folder.read_text())
    stored["rows"] = [[handled, end * (1 + 1e-14)] for handled, end in stored["rows"]]
    folder.write_text(json.dumps(stored))
    again = sweep(shop, measure=figures, seeds=20, evidence="desk")
    assert again.column("handled") == first.column("handled")


def test_a_person_at_work_gets_new_rows_instead_of_an_error(folder, monkeypatch):
    sweep(shop, measure=figures, seeds=20, evidence="desk")
    monkeypatch.delenv("EDAKIT_CHECK")
    assert sweep(shop, measure=figures, seeds=20, evidence="desk", count=6).column("handled") == [6] * 20


def slow(lab):
    time.sleep(0.02)
    return figures(lab)


def test_who_watches_sees_a_bar_after_a_second_and_nobody_else_does(monkeypatch, capsys):
    monkeypatch.delenv("EDAKIT_CHECK", raising=False)
    monkeypatch.setenv("JPY_SESSION_NAME", "notebooks/00_start_here.ipynb")
    sweep(shop, measure=slow, seeds=65)
    assert "shop [####" in capsys.readouterr().out
    sweep(shop, measure=figures, seeds=5)
    assert capsys.readouterr() == ("", "")
    monkeypatch.delenv("JPY_SESSION_NAME")
    sweep(shop, measure=slow, seeds=65)
    assert capsys.readouterr() == ("", "")
