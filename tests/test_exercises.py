"""The bank of exercises, each proved: the stub fails, the solution passes, known wrong answers fail for the named anomaly."""

import os
import time
from pathlib import Path

import pytest
from mutants import mutants

from edakit.learn import exercise
from edakit.learn.attack import Broken, attack, run_case
from edakit.learn.bank import ANOMALIES, exercises, load
from edakit.learn.fresh import empty
from edakit.learn.guard import Endless, guarded

BANK = Path(__file__).parent.parent / "notebooks" / "exercises"
os.environ.setdefault("EDAKIT_EXERCISES", str(BANK))
TASKS = {id: load(id) for id in exercises()}
every_task = pytest.mark.parametrize("id", TASKS)
every_wrong = pytest.mark.parametrize(
    ("id", "what"), [pytest.param(id, what, id=f"{id}: {what}") for id, task in TASKS.items() for what in task.wrong]
)


@pytest.fixture(autouse=True)
def _fresh_learner(monkeypatch):
    monkeypatch.setenv("EDAKIT_CHECK", "1")
    monkeypatch.setenv("EDAKIT_EXERCISES", str(BANK))


@every_task
def test_the_solution_passes(id):
    ex = exercise(id)
    verdict = ex.check(*ex.task.built(ex.task.solution))
    assert verdict.passed, str(verdict)
    assert f"{ex.task.plans} plans, and none" in str(verdict)
    assert ex.task.discussion in str(verdict)


@every_task
def test_a_check_of_the_solution_takes_a_moment(id):
    task = TASKS[id]
    start = time.process_time()
    attack(task, task.built(task.solution), lambda: None)
    assert time.process_time() - start < 3


@every_task
def test_the_stub_reads_as_not_answered_and_would_fail(id):
    task = TASKS[id]
    answers = task.built(task.stub)
    verdict = exercise(id).check(*answers)
    assert (verdict.passed, str(verdict)) == (False, f"Exercise {id}: not answered yet.")
    assert all(map(empty, answers))
    assert not empty(task.built(task.solution)[0])


@every_wrong
def test_a_wrong_answer_fails_for_the_named_anomaly(id, what):
    ex = exercise(id)
    verdict = ex.check(*ex.task.built(ex.task.wrong_code(what)))
    assert (verdict.passed, verdict.anomaly) == (False, ex.task.wrong[what][0]), str(verdict)
    assert verdict.anomaly in ANOMALIES
    assert len(verdict.worst.case.events) <= 4, "a story is short"
    assert verdict.story()
    assert ex.task.nudges[verdict.anomaly] in str(ex.hint())


@every_task
def test_there_are_three_wrong_answers_and_a_nudge_for_each(id):
    task = TASKS[id]
    assert len(task.wrong) >= 3
    assert {name for name, _ in task.wrong.values()} <= set(task.nudges)


@every_task
def test_the_same_check_says_the_same(id):
    what = next(iter(TASKS[id].wrong))
    one, two = exercise(id), exercise(id)
    code = one.task.wrong_code(what)
    assert str(one.check(*one.task.built(code))) == str(two.check(*two.task.built(code)))


@every_task
def test_the_task_names_what_to_write(id):
    task = TASKS[id]
    text = repr(exercise(id))
    for name in task.answer:
        assert f"`{name}" in task.task, name
        assert name in task.stub, name
    assert "not answered" not in text
    assert max(map(len, text.splitlines())) <= 140


SAME = {  # changes after which a solution is as good as before
    "00-1": ["another word for 'notification'"],
    "01-1": ["unknown", "5 + 1", "0.5 + 1", "0.1 + 1", "0.1 / 10", "2 + 1", "2 / 10"],
    "01-2": ["another word for 'web'", "another word for 'watcher'"],
    "01-3": ["another word for 'shipping'"],
    "06-1": ["10 + 1", "30 + 1", "2 + 1"],
    "06-3": ["0.5 + 1", "2 + 1", "2 / 10"],
    "02-1": ["another word for 'fraud'"],
    "02-3": ["line 3: 2 + 1"],
    "03-3": ["5 + 1"],
    "07-3": ["another word for 'shop'", "another word for 'lane-'", "line 6: 4 + 1", "2 + 1"],
    "04-1": ["line 2: 0 + 1", "line 2: 0 / 10", "0.01 / 10"],
    "04-3": ["0 / 10"],
    "05-1": ["0 / 10"],
    "05-2": ["0 / 10", "2 + 1", "5 + 1", "5 / 10"],
    "05-4": ["without 'writers.pause()'", "0 / 10", "line 3: 0.1 + 1", "0.1 / 10", "line 7: 0.1 + 1"],
    "08-1": ["another word for 'charged'"],
    "08-2": ["another word for 'order-'", "1 + 1", "1 / 10"],
    "08-3": ["another word for 'counted'"],
    "09-2": ["another word for 'seen'", "0 / 10"],
    "09-3": ["ctx.sleep(2)", "2 + 1", "2 / 10", "3 + 1", "another word for 'analytics'", "another word for 'a person must look'"],
    "11-1": ["5 + 1", "9 + 1"],
    "11-2": ["without 'return True'", "another word for 'CANCELLING'"],
    "11-3": ["without 'return'", "5 + 1"],
    "12-2": ["0 / 10"],
}


def survives(task, code):
    """Whether no plan breaks this code."""
    try:
        answers = task.built(code)
        held, _ = guarded(
            lambda beat: all(not run_case(task, answers, task.case(n)).found for n in range(task.plans)), patience=5
        )
    except (Broken, Endless, TypeError):
        return False
    return held


@every_task
def test_every_small_change_of_a_solution_is_noticed_or_means_the_same(id):
    task = TASKS[id]
    found = [what for what, code in mutants(task.solution) if survives(task, code)]
    missed = [what for what in found if not any(same in what for same in SAME.get(id, []))]
    assert not missed
    assert len(found) <= len(SAME.get(id, [])) + 1


async def looks_wrongly(cancel, ctx):
    return ctx.db["state"] == "APPROVED"


@pytest.mark.parametrize(
    ("id", "answer", "says"),
    [
        ("11-1", lambda: print("no return"), "build returned None: return the saga"),
        ("11-2", looks_wrongly, "begin raised TypeError"),
    ],
)
def test_what_cannot_be_tried_is_told_why(id, answer, says):
    with pytest.raises(Broken, match=says):
        run_case(TASKS[id], (answer,), TASKS[id].case(0))
