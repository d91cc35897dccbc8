"""Sagas with a point of no return and steps side by side; their logs in a file; and a process that dies in between."""

import random
import signal
import subprocess
import sys
import time
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edakit import Lab, Refused, Retry, Saga, Service
from edakit.errors import HandlerError, WiringError
from edakit.saga import Entry, SagaLog, SagaRun, Step


async def act(order, ctx):
    pass


KIND = st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans())


def plan_of(kinds):
    """Steps as a saga takes them: one that it refuses, beside a pivot, is done after it."""
    saga = Saga("plan", on="begin")
    for n, (back, pivot, retriable, beside) in enumerate(kinds):
        options = {"compensate": act if back else None, "pivot": pivot, "retriable": retriable}
        step = partial(act)
        step.__name__ = f"s{n}"
        try:
            saga.step(**options, beside=beside and n > 0)(step)
        except HandlerError:
            saga.step(**options)(step)
    return saga.steps


PLANS = st.lists(KIND, min_size=1, max_size=6).map(plan_of)


@given(PLANS, st.data())
def test_whatever_ends_how_in_whatever_order_a_run_ends_by_the_rules(plan, data):
    run, done, undone, failed = SagaRun(plan), [], [], []
    while tasks := run.tasks():
        assert len({task.number for task in tasks}) == len(tasks)
        task = data.draw(st.sampled_from(tasks))
        bad = data.draw(st.booleans())
        before = {step.name for step in plan if step.pivot} & set(done)
        if task.verb == "undo":
            assert task.step.name in done or task.step.name in failed
            assert not before, "there is no way back behind a pivot"
            run.note(Entry("undone", task.step.name))
            undone.append(task.step.name)
        elif not bad:
            run.note(Entry("done", task.step.name))
            done.append(task.step.name)
        elif task.must:
            assert before or task.step.retriable
            with pytest.raises(ValueError, match="failed"):
                run.note(Entry("failed", task.step.name))
            run.note(Entry("stuck", task.step.name))
            assert run.status == "parked"
        else:
            assert not before
            run.note(Entry("failed", task.step.name))
            failed.append(task.step.name)
    back = {step.name for step in plan if step.compensate}
    if run.status == "completed":
        assert done == sorted(done, key=done.index)
        assert len(done) == len(plan)
    if run.status == "compensated":
        assert undone == [name for name in done if name in back][::-1]
    assert SagaRun(plan, run.log).status == run.status, "the log alone says where it stands"


def test_steps_beside_a_pivot_must_be_retriable_for_there_is_no_way_back_from_it():
    saga = Saga("checkout", on="order.placed")

    @saga.step(pivot=True)
    async def pay(order, ctx):
        pass

    async def pack(order, ctx):
        pass

    with pytest.raises(
        HandlerError, match="pack is done at the same time as the pivot pay, and if it fails there is no way back"
    ):
        saga.step(beside=True)(pack)
    saga.step(beside=True, retriable=True)(pack)
    assert [step.name for step in saga.steps] == ["pay", "pack"]


def test_steps_side_by_side_begin_together_and_a_failure_waits_for_the_others():
    plan = [Step("a", act, act), Step("b", act, act, beside=True), Step("c", act)]
    run = SagaRun(plan)
    assert [task.step.name for task in run.tasks()] == ["a", "b"]
    run.note(Entry("failed", "a"))
    assert [task.step.name for task in run.tasks()] == ["b"]
    run.note(Entry("done", "b"))
    assert [(task.verb, task.step.name) for task in run.tasks()] == [("undo", "b")]
    run.note(Entry("undone", "b"))
    assert run.status == "compensated"


def test_the_first_step_has_nobody_beside_it():
    with pytest.raises(HandlerError, match="needs a step before it"):
        Saga("checkout", on="order.placed").step(beside=True)(act)


def shipping(lab, *, fails=0, log=None, slow=0.0):
    """Reserve and print side by side, charge (the pivot), then send, which must get through."""
    saga, done = Saga("checkout", on="order.placed", completed="order.confirmed", compensated="order.rejected"), []

    async def release(order, ctx):
        done.append(f"release {order.key}")

    @saga.step(compensate=release)
    async def reserve(order, ctx):
        await ctx.sleep(0.1)
        done.append(f"reserve {order.key}")

    @saga.step(beside=True)
    async def print_label(order, ctx):
        await ctx.sleep(0.1)
        done.append(f"print {order.key}")

    @saga.step(pivot=True)
    async def charge(order, ctx):
        await ctx.sleep(0.1 + slow)
        if order.data["total"] > 100:
            raise Refused("too much")
        done.append(f"charge {order.key}")

    @saga.step(retry=Retry(3, backoff=0.1))
    async def send(order, ctx):
        ctx.state["tries"] = ctx.state.get("tries", 0) + 1
        if ctx.state["tries"] <= fails:
            raise ValueError("no van")
        done.append(f"send {order.key}")

    shop = lab.broker("shop")
    lab.deploy(saga, on=shop, log=log)
    return shop, done


def test_side_by_side_takes_the_time_of_one():
    lab = Lab(1)
    shop, done = shipping(lab)
    shop.publish("order.placed", {"total": 9}, key=42)
    lab.run()
    assert done == ["reserve 42", "print 42", "charge 42", "send 42"]
    confirmed = lab.trace.where("publish", type="order.confirmed")[0]
    assert confirmed.time < 0.25, "0.1 for two side by side, 0.1 for the charge"


def test_before_the_pivot_all_is_taken_back_and_after_it_nothing_is():
    lab = Lab(1)
    shop, done = shipping(lab, fails=2)
    shop.publish("order.placed", {"total": 900}, key=1)
    lab.run()
    assert done == ["reserve 1", "print 1", "release 1"]
    shop.publish("order.placed", {"total": 9}, key=2)
    lab.run()
    assert done[-2:] == ["charge 2", "send 2"]
    assert len(lab.trace.where("saga", note="completed order-2.placed.1")) == 1


def test_what_cannot_get_through_after_the_pivot_waits_for_a_person():
    lab = Lab(1)
    shop, done = shipping(lab, fails=99)
    shop.publish("order.placed", {"total": 9}, key=1)
    lab.run()
    assert "release 1" not in done
    assert len(lab.trace.where("saga", note="parked order-1.placed.1")) == 1


def test_another_process_goes_on_where_the_first_has_died(tmp_path):
    path = tmp_path / "checkout.db"
    first = Lab(1)
    shop, done = shipping(first, log=path, slow=5)
    shop.publish("order.placed", {"total": 9}, key=42)
    first.run(until=1)
    assert done == ["reserve 42", "print 42"]
    second = Lab(2)
    _, again = shipping(second, log=path)
    second.run()
    assert again == ["charge 42", "send 42"], "what was done is not done again"
    assert list(second.trace.keys("order.confirmed")) == ["42"]
    third = Lab(3)
    _, nothing = shipping(third, log=path)
    third.run()
    assert nothing == []


@pytest.mark.parametrize("home", ["broker", "stream", "sqs"])
def test_what_was_left_open_is_gone_on_with_where_the_saga_is_deployed_and_nobody_else_hears_of_it_on_a_broker(home, tmp_path):
    def system(until=None):
        lab, saga, mail = Lab(1), Saga("checkout", on="order.placed", completed="order.confirmed"), Service("mail")
        saga.step()(wait)
        mail.on("order.placed")(act)
        shop = {"broker": lab.broker, "stream": lab.stream}.get(home, lambda name: lab.bus(name, like=home))("shop")
        if home == "broker":
            lab.deploy(mail, on=shop)
        lab.deploy(saga, on=shop, log=tmp_path / "log.db")
        if until:
            shop.publish("order.placed", {"total": 9}, key=42)
        return lab.run(until=until)

    async def wait(order, ctx):
        await ctx.sleep(0.5)

    assert not system(until=0.1).trace.keys("order.confirmed")
    again = system()
    assert list(again.trace.keys("order.confirmed")) == ["42"]
    assert not again.trace.where("handle", who="mail")
    assert not system().trace.where("saga"), "and then it has ended"


def test_the_log_of_a_saga_with_other_steps_is_refused(tmp_path):
    log = SagaLog(tmp_path / "log.db")
    log.begin("order-1.placed.1", {})
    log.append("order-1.placed.1", Entry("done", "old_step"))
    log.close()
    lab = Lab(1)
    with pytest.raises(WiringError, match=r"a run of other steps: order-1\.placed\.1: done old_step"):
        shipping(lab, log=tmp_path / "log.db")
    assert lab.deployments == {}


def test_a_log_in_memory_and_one_in_a_file_are_the_same(tmp_path):
    for log in (SagaLog(), SagaLog(tmp_path / "log.db")):
        assert log.begin("42", {"order": 42}) is True
        assert log.begin("42", {"order": 42}) is False
        log.append("42", Entry("done", "reserve"))
        log.append("42", Entry("failed", "charge", unknown=True))
        assert log.entries("42") == [Entry("done", "reserve"), Entry("failed", "charge", unknown=True)]
        assert (log.status("42"), log.status("43"), log.open()) == ("open", None, {"42": {"order": 42}})
        log.end("42", "compensated")
        assert (log.status("42"), log.open()) == ("compensated", {})
        log.close()


def test_a_file_that_is_no_log_is_refused(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("no database, " * 100)
    with pytest.raises(ValueError, match="no saga log"):
        SagaLog(path)


WRITER = """
import sys
from edakit.saga import Entry, SagaLog
log, n = SagaLog(sys.argv[1]), int(sys.argv[2])
while True:
    log.begin(f"run-{n}", {"n": n})
    for step in ("a", "b", "c"):
        log.append(f"run-{n}", Entry("done", step))
        print(n, step, flush=True)
    log.end(f"run-{n}", "completed")
    n += 1
"""


def test_no_entry_that_was_acknowledged_is_lost_to_a_kill(tmp_path):
    path, dice, said = tmp_path / "log.db", random.Random(2), []
    for turn in range(4):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(turn * 1000)], stdout=subprocess.PIPE, text=True)
        said += [writer.stdout.readline()]
        time.sleep(dice.uniform(0.01, 0.15))
        writer.send_signal(signal.SIGKILL)
        said += writer.communicate()[0].splitlines()
    log = SagaLog(path)
    for line in filter(None, map(str.strip, said)):
        if len(line.split()) == 2:
            run, step = line.split()
            assert Entry("done", step) in log.entries(f"run-{run}"), line
    assert len(log.open()) <= 4
    log.close()
