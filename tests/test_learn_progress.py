"""Progress: one file, written whole or not at all, that survives whatever is done to it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edakit import exercise, predict, progress, quiz
from edakit.errors import ArgumentError
from edakit.learn.progress import store

BANK = Path(__file__).parent.parent / "notebooks" / "exercises"


@pytest.fixture(autouse=True)
def file(monkeypatch, tmp_path):
    monkeypatch.delenv("EDAKIT_CHECK", raising=False)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.setenv("EDAKIT_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.setenv("EDAKIT_EXERCISES", str(BANK))
    return tmp_path / "progress.json"


def solve(id="00-1"):
    ex = exercise(id)
    return ex.check(*ex.task.built(ex.task.solution))


def row(nr="00"):
    return next(each for each in progress().rows() if each["notebook"] == nr)


def test_a_fresh_learner_has_no_file_and_a_table(file):
    assert row()["exercises"].startswith("0 of")
    assert "next: exercise 00-1" in repr(progress())
    assert not file.exists()


def test_what_is_done_is_remembered(file):
    ex = exercise("00-1")
    ex.check(*ex.task.built(ex.task.wrong_code("listens to order.placed")))
    ex.hint()
    ex.hint()
    solve()
    quiz("00").answer(2, "c")
    predict("How often?", [0, 1]).answer(1).reveal(1)
    kept = json.loads(file.read_text())
    assert kept["version"] == 1
    assert kept["exercises"]["00-1"] == {"hints": 2, "met": ["phantom"], "passed": True, "tries": 2}
    assert kept["quizzes"]["00"] == {"2": True}
    assert kept["predictions"]["How often?"] == {"notebook": "", "right": True}
    assert row()["quiz"] == "1 of 5"
    assert row()["hints"] == 2
    assert "predictions elsewhere: 1 of 1 right" in repr(progress())
    assert "Solved." in repr(exercise("00-1"))


def test_predictions_count_for_the_notebook_they_are_made_in(monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", "/somewhere/00_start_here.ipynb")
    predict("How often?", [0, 1]).answer(0).reveal(1)
    assert row()["predictions right"] == "0 of 1"


def test_a_later_failure_does_not_take_back_what_was_solved():
    solve()
    ex = exercise("00-1")
    ex.check(*ex.task.built(ex.task.wrong_code("listens to order.placed")))
    assert store().passed("00-1")


def test_reset_one_a_notebook_and_all():
    solve()
    quiz("00").answer(2, "c")
    progress().reset("00-1")
    assert row()["exercises"].startswith("0 of")
    assert row()["quiz"] == "1 of 5"
    solve()
    progress().reset("00")
    assert (row()["quiz"], row()["exercises"][:4]) == ("0 of 5", "0 of")
    solve()
    progress().reset()
    assert row()["exercises"].startswith("0 of")
    with pytest.raises(ArgumentError, match=r"reset\('nothing'\)"):
        progress().reset("nothing")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "is empty"),
        (b'{"version": 1, "exer', "cannot be read"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
        (b"[1, 2]", "is no progress file"),
        (b'{"a": 1}', "is no progress file"),
        (b'"text"', "is no progress file"),
        (b'{"version": 99, "exercises": {"00-1": {"passed": true}}}', "is of a newer edakit (version 99)"),
    ],
)
def test_a_file_that_cannot_be_used_is_kept_as_a_copy(file, capsys, text, why):
    file.write_bytes(text)
    quiz("00").answer(2, "c")
    assert row()["quiz"] == "1 of 5"
    assert capsys.readouterr().out == f"progress.json {why}: it is kept as progress.json.bak-1, and your progress begins anew.\n"
    assert file.with_name("progress.json.bak-1").read_bytes() == text
    file.write_bytes(text)
    repr(progress())
    assert file.with_name("progress.json.bak-2").read_bytes() == text


@pytest.mark.parametrize(
    "kept",
    [
        {"version": 1},
        {"version": 1, "exercises": None, "quizzes": [1], "predictions": "x"},
        {
            "version": 1,
            "exercises": {"00-1": 5, "00-9": {"tries": "many", "hints": None, "met": 3}},
            "quizzes": {"00": {"1": "yes"}},
        },
        {"version": 1, "predictions": {"q": {"notebook": 7}}, "exercises": {"00-1": {"met": [1, None], "tries": "x"}}},
    ],
)
def test_entries_of_another_shape_are_taken_as_none(file, kept):
    file.write_text(json.dumps(kept))
    assert "00" in repr(progress())
    store().exercise("00-1", passed=True, anomaly="")
    assert row()["exercises"].startswith("1 of")


def test_the_old_file_or_the_new_one_is_there_at_every_moment(file, monkeypatch, capsys):
    solve()
    before = file.read_text()

    def full(self, target):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full_disk:
        full_disk.setattr(Path, "replace", full)
        quiz("00").answer(2, "c")
    assert file.read_text() == before
    assert "cannot be saved" in capsys.readouterr().out
    assert [each.name for each in file.parent.iterdir()] == ["progress.json"]
    assert row()["quiz"] == "1 of 5"
    quiz("00").answer(3, "b")
    assert json.loads(file.read_text())["quizzes"]["00"] == {"2": True, "3": True}


def test_where_nothing_can_be_written_nothing_is_lost_until_the_end(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("EDAKIT_PROGRESS", str(tmp_path / "no such folder" / "progress.json"))
    assert solve().passed
    quiz("00").answer(2, "c")
    assert capsys.readouterr().out.count("cannot be saved") == 1
    assert (row()["exercises"][:4], row()["quiz"]) == ("1 of", "1 of 5")


def test_two_notebooks_at_once_lose_nothing(file):
    solve()
    script = "from edakit import quiz; quiz('00').answer(2, 'c')"
    subprocess.run([sys.executable, "-c", script], env=dict(os.environ), check=True, timeout=60)
    quiz("00").answer(3, "b")
    kept = json.loads(file.read_text())
    assert kept["quizzes"]["00"] == {"2": True, "3": True}
    assert kept["exercises"]["00-1"]["passed"]


def test_in_a_check_nothing_is_written_and_all_is_as_for_a_fresh_learner(file, monkeypatch):
    solve()
    kept = file.read_bytes()
    monkeypatch.setenv("EDAKIT_CHECK", "1")
    assert "Solved." not in repr(exercise("00-1"))
    assert row()["exercises"].startswith("0 of")
    assert solve().passed
    progress().reset()
    assert file.read_bytes() == kept
