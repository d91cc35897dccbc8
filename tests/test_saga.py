"""The rule book of sagas: what is done next, and what is taken back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edakit import Retry, Saga
from edakit.errors import DurationError, HandlerError, WiringError
from edakit.saga import Entry, SagaRun, Step


async def act(order, ctx):
    pass


def steps(*compensated: bool) -> list[Step]:
    return [Step(f"s{n}", act, act if back else None) for n, back in enumerate(compensated)]


PLANS = st.lists(st.booleans(), max_size=6)
OUTCOMES = st.lists(st.sampled_from(["good", "good", "good", "bad", "unknown"]), min_size=14, max_size=14)


def play(plan: list[Step], outcomes: list[str]) -> SagaRun:
    """Let a run take its course: each task ends as the next outcome says."""
    run = SagaRun(plan)
    for outcome in outcomes:
        task = run.next()
        if task is None:
            break
        if task.verb == "do":
            run.note(Entry("done" if outcome == "good" else "failed", task.step.name, outcome == "unknown"))
        else:
            run.note(Entry("stuck" if outcome == "bad" else "undone", task.step.name))
    return run


@given(PLANS, OUTCOMES)
def test_what_is_undone_is_what_was_done_in_reverse_and_one_of_unknown_outcome_before_it(compensated, outcomes):
    plan = steps(*compensated)
    run = play(plan, outcomes)
    done = [entry.step for entry in run.log if entry.outcome == "done"]
    failed = [entry for entry in run.log if entry.outcome == "failed"]
    undone = [entry.step for entry in run.log if entry.outcome == "undone"]
    assert done == [step.name for step in plan[: len(done)]], "steps go in order, none twice"
    assert len(failed) <= 1
    owed = [step.name for step in plan if step.compensate and step.name in done]
    owed += [entry.step for entry in failed if entry.unknown and next(s for s in plan if s.name == entry.step).compensate]
    if not failed:
        assert undone == []
        assert run.status == "completed"
    elif any(entry.outcome == "stuck" for entry in run.log):
        assert run.status == "parked"
        assert undone == owed[::-1][: len(undone)]
    else:
        assert run.status == "compensated"
        assert undone == owed[::-1]
    assert run.next() is None


@given(PLANS, OUTCOMES, st.floats(0, 1))
def test_a_run_read_from_its_log_stands_where_it_stood(compensated, outcomes, share):
    plan = steps(*compensated)
    log = play(plan, outcomes).log
    log = log[: int(share * len(log))]
    first, again = SagaRun(plan, log), SagaRun(plan, log)
    assert (first.status, first.next(), first.log) == (again.status, again.next(), log)
    rest = play(plan, outcomes).log[len(log) :]
    for entry in rest:
        first.note(entry)
    assert first.status == play(plan, outcomes).status


@given(PLANS, OUTCOMES, st.sampled_from(["done", "failed", "undone", "stuck"]), st.integers(0, 7))
def test_an_entry_about_anything_but_the_present_task_is_refused_and_changes_nothing(compensated, outcomes, outcome, number):
    plan = steps(*compensated)
    full = play(plan, outcomes).log
    run = SagaRun(plan, full[: number % (len(full) + 1)])
    task, before = run.next(), (run.status, list(run.log), run.next())
    fits = task is not None and task.step.name == f"s{number}" and (outcome in ("done", "failed")) == (task.verb == "do")
    if not fits:
        with pytest.raises(ValueError, match=f"{outcome} s{number}: the run is {run.status}"):
            run.note(Entry(outcome, f"s{number}"))
        assert (run.status, run.log, run.next()) == before


def test_a_saga_without_steps_is_completed():
    assert (SagaRun([]).status, SagaRun([]).next()) == ("completed", None)


def test_a_failure_before_anything_was_done_owes_nothing():
    run = SagaRun(steps(True, True))
    run.note(Entry("failed", "s0"))
    assert run.status == "compensated"


def test_steps_are_named_after_their_functions_in_order():
    checkout = Saga("checkout", on="order.placed")
    checkout.step(compensate=act, timeout=5, retry=Retry(3))(act)

    @checkout.step()
    async def charge(order, ctx):
        pass

    assert [(step.name, step.timeout, step.retry.times) for step in checkout.steps] == [("act", 5, 3), ("charge", None, 0)]
    assert repr(checkout) == "<saga checkout on order.placed: act -> charge>"


def test_bad_steps_are_refused_and_not_added():
    checkout = Saga("checkout", on="order.placed")
    checkout.step()(act)
    with pytest.raises(HandlerError, match="saga checkout has a step 'act' already"):
        checkout.step()(act)
    with pytest.raises(HandlerError, match="not an async function"):
        checkout.step()(lambda order, ctx: None)
    with pytest.raises(HandlerError, match=r"step\(compensate=\.\.\.\).*not an async function"):
        checkout.step(compensate=print)(act)
    with pytest.raises(DurationError, match="timeout is -1: give a number of seconds"):
        checkout.step(timeout=-1)
    with pytest.raises(WiringError, match="saga name 'check out'"):
        Saga("check out", on="order.placed")
    assert len(checkout.steps) == 1


@pytest.mark.parametrize("on", [None, "", 42])
def test_a_saga_is_begun_by_an_event_type(on):
    with pytest.raises(HandlerError, match="on="):
        Saga("checkout", on=on)
