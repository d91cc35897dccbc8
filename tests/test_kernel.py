"""The ten rules of the kernel, one by one, and SimPy as the oracle of its order."""

import asyncio
import subprocess
import sys
import types

import pytest
import simpy
from hypothesis import given
from hypothesis import strategies as st

from edakit.errors import DurationError, ForeignAwait, Livelock
from edakit.sim.kernel import FOREVER, Cancelled, Kernel
from edakit.units import SECOND, nanoseconds


def finished(kernel: Kernel, function):
    """Run one task to its end and return its result."""
    results = []

    async def it():
        results.append(await function())

    kernel.spawn("it", it)
    kernel.run()
    return results.pop()


def sleeper(kernel, log, name, *naps):
    async def sleep():
        for ns in naps:
            await kernel.sleep(ns)
            log.append((kernel.ns, name))

    return sleep


# 1: a foreign awaitable is told apart from a parked task


@pytest.mark.parametrize("foreign", [lambda: asyncio.sleep(0), lambda: bare_yield(None), lambda: bare_yield(object())])
def test_rule_1_a_foreign_await_is_a_type_error_where_it_stands_and_names_the_cure(foreign):
    kernel, seen = Kernel(), []

    async def charge():
        try:
            await foreign()
        except ForeignAwait as error:
            seen.append(str(error))
            raise

    kernel.spawn("charge", charge)
    with pytest.raises(TypeError, match=r"charge awaited something.*ctx\.sleep"):
        kernel.run()
    assert len(seen) == 1
    assert kernel.tasks == {}


@types.coroutine
def bare_yield(value):
    yield value


def test_rule_1_a_foreign_await_that_is_caught_costs_nothing():
    kernel = Kernel()

    async def stubborn():
        try:
            await asyncio.sleep(0)
        except TypeError:
            await kernel.sleep(5)
            return "mended"

    assert finished(kernel, stubborn) == "mended"
    assert kernel.ns == 5


# 2 and 3: the host's loop and hooks


def test_rule_2_the_running_loop_of_a_notebook_is_hidden_and_comes_back():
    kernel, seen = Kernel(), []

    async def handler():
        coroutine = asyncio.sleep(0)
        try:
            asyncio.create_task(coroutine)  # noqa: RUF006  (it must not be made)
        except RuntimeError as error:
            seen.append(str(error))
        finally:
            coroutine.close()
        return asyncio._get_running_loop()

    async def cell():
        loop = asyncio.get_running_loop()
        return finished(kernel, handler), asyncio.get_running_loop() is loop

    assert asyncio.run(cell()) == (None, True)
    assert seen == ["no running event loop"]


def test_rule_2_the_loop_comes_back_after_an_error_too():
    kernel = Kernel()

    async def broken():
        raise ZeroDivisionError

    async def cell():
        kernel.spawn("broken", broken)
        with pytest.raises(ZeroDivisionError):
            kernel.run()
        return asyncio.get_running_loop() is not None

    assert asyncio.run(cell())


def test_rule_3_asyncgen_hooks_are_cleared_during_a_run_and_come_back():
    kernel, during, mine = Kernel(), [], (lambda agen: None, lambda agen: None)

    async def numbers():
        during.append(tuple(sys.get_asyncgen_hooks()))
        yield 1
        yield 2

    async def first_only():
        async for number in numbers():
            return number
        return None

    before = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(*mine)
    try:
        assert finished(kernel, first_only) == 1
        assert tuple(sys.get_asyncgen_hooks()) == mine
    finally:
        sys.set_asyncgen_hooks(*before)
    assert during == [(None, None)]


# 4 and 5: integer time, and sleeps of zero


def test_rule_4_three_sleeps_of_a_tenth_end_with_one_of_three_tenths():
    kernel, log = Kernel(), []
    kernel.spawn("one", sleeper(kernel, log, "one", nanoseconds(0.3)))
    kernel.spawn("three", sleeper(kernel, log, "three", *[nanoseconds(0.1)] * 3))
    kernel.run()
    assert 0.1 + 0.1 + 0.1 != 0.3
    assert log[-2:] == [(3 * SECOND // 10, "one"), (3 * SECOND // 10, "three")]


def test_rule_5_a_sleep_of_zero_lets_those_that_are_ready_go_first_and_takes_no_time():
    kernel, log = Kernel(), []
    for name in "abc":
        kernel.spawn(name, sleeper(kernel, log, name, 0, 0))
    kernel.run()
    assert log == [(0, name) for name in "abcabc"]


def test_rule_5_a_zero_from_a_timer_goes_behind_what_is_due_at_the_same_instant():
    kernel, log = Kernel(), []
    kernel.spawn("a", sleeper(kernel, log, "a", 1, 0))
    kernel.spawn("b", sleeper(kernel, log, "b", 1))
    kernel.run()
    assert log == [(1, "a"), (1, "b"), (1, "a")]


# 6: SimPy is the oracle for networks of sleep and signal

OPERATIONS = st.tuples(st.sampled_from(["sleep", "sleep", "fire", "wait"]), st.integers(0, 3), st.integers(0, 2))
PROGRAMS = st.lists(st.lists(OPERATIONS, min_size=1, max_size=8), min_size=1, max_size=6)


def on_kernel(processes):
    """(time, process, operation) in order, on ours."""
    kernel, log, fired, waiting = Kernel(), [], [False] * 3, [[], [], []]

    async def process(n, operations):
        for operation, delay, signal in operations:
            if operation == "sleep":
                await kernel.sleep(delay)
            elif operation == "fire":
                for waiter in waiting[signal]:
                    kernel.wake(*waiter)
                fired[signal], waiting[signal] = True, []
            elif not fired[signal]:
                waiting[signal].append((kernel.current, kernel.ticket()))
                await kernel.park(f"signal {signal}")
            log.append((kernel.ns, n, operation))

    for n, operations in enumerate(processes):
        kernel.spawn(f"process {n}", process, n, operations)
    kernel.run()
    kernel.close()
    return log


def on_simpy(processes):
    """The same on SimPy."""
    env, log = simpy.Environment(), []
    signals = [env.event() for _ in range(3)]

    def process(n, operations):
        for operation, delay, signal in operations:
            if operation == "sleep":
                yield env.timeout(delay)
            elif operation == "fire":
                if not signals[signal].triggered:
                    signals[signal].succeed()
            elif not signals[signal].triggered:
                yield signals[signal]
            log.append((env.now, n, operation))

    for n, operations in enumerate(processes):
        env.process(process(n, operations))
    env.run()
    return log


@given(PROGRAMS)
def test_rule_6_everything_happens_in_the_order_and_at_the_time_of_simpy(processes):
    assert on_kernel(processes) == on_simpy(processes)


@pytest.mark.slow
def test_rule_6_so_it_does_for_thousands_of_programs():
    import random

    for seed in range(4_000):
        rng = random.Random(seed)
        kinds = ["sleep", "sleep", "sleep", "fire", "wait"]
        processes = [
            [(rng.choice(kinds), rng.choice([0, 0, 1, 1, 2, 3]), rng.randrange(3)) for _ in range(rng.randint(1, 8))]
            for _ in range(rng.randint(2, 6))
        ]
        assert on_kernel(processes) == on_simpy(processes), seed


# 7: a ticket for each resumption


def test_rule_7_the_second_wake_of_one_wait_is_stale_and_does_nothing():
    kernel, answers = Kernel(), []

    async def waiter():
        ticket = kernel.ticket()
        task = kernel.current
        kernel.later(1, lambda: answers.append(kernel.wake(task, ticket, "first")))
        kernel.later(1, lambda: answers.append(kernel.wake(task, ticket, "second")))
        got = await kernel.park("an answer")
        await kernel.sleep(10)
        return got

    assert (finished(kernel, waiter), answers, kernel.ns) == ("first", [True, False], 11)


def test_rule_7_a_timer_that_lost_its_race_does_not_cut_the_next_wait_short():
    kernel = Kernel()

    async def caller():
        task, ticket = kernel.current, kernel.ticket()
        kernel.later(100, kernel.wake, task, ticket, "late")
        kernel.later(10, kernel.wake, task, ticket, "answer")
        assert await kernel.park("an answer") == "answer"
        await kernel.sleep(1_000)
        return kernel.ns

    assert finished(kernel, caller) == 1_010


def test_rule_7_a_sleep_that_was_cancelled_does_not_wake_the_task_later():
    kernel, log = Kernel(), []

    async def sleepy():
        try:
            await kernel.sleep(10)
        except Cancelled:
            log.append(("cancelled", kernel.ns))
            await kernel.sleep(100)
            log.append(("cleaned up", kernel.ns))

    task = kernel.spawn("sleepy", sleepy)
    kernel.later(5, kernel.cancel, task)
    kernel.run()
    assert log == [("cancelled", 5), ("cleaned up", 105)]


def test_cancel_reaches_a_task_that_is_ready_already():
    kernel, log = Kernel(), []

    async def waiter():
        kernel.ticket()
        try:
            log.append(await kernel.park("a value"))
        except Cancelled:
            log.append("cancelled")
            raise

    task = kernel.spawn("waiter", waiter)
    kernel.run()
    assert kernel.wake(task, task.ticket, "value")
    kernel.cancel(task)
    kernel.run()
    assert (log, task.done) == (["cancelled"], True)


def test_a_task_that_is_cancelled_before_its_first_step_never_begins():
    kernel, log = Kernel(), []
    task = kernel.spawn("never", sleeper(kernel, log, "never", 1))
    kernel.cancel(task)
    kernel.run()
    assert (log, task.done, task.coro) == ([], True, None)


def test_except_exception_does_not_swallow_a_cancel():
    kernel, log = Kernel(), []

    async def careless():
        try:
            await kernel.sleep(10)
        except Exception:  # noqa: BLE001  (what a careless handler does)
            log.append("swallowed")

    task = kernel.spawn("careless", careless)
    kernel.later(1, kernel.cancel, task)
    kernel.run()
    assert (log, task.done) == ([], True)


def test_a_task_that_is_done_cannot_be_cancelled_and_one_cannot_cancel_itself():
    kernel, log = Kernel(), []

    async def selfish():
        kernel.cancel(kernel.current)
        await kernel.sleep(1)
        log.append("alive")

    task = kernel.spawn("selfish", selfish)
    kernel.run()
    kernel.cancel(task)
    kernel.run()
    assert (log, task.done) == (["alive"], True)


# 8: tasks are held and ended in order


def test_rule_8_a_task_nobody_knows_is_not_collected():
    import gc

    kernel, log = Kernel(), []

    async def forgotten():
        try:
            kernel.ticket()
            await kernel.park("nobody")
        finally:
            log.append("ended")

    kernel.spawn("forgotten", forgotten)
    kernel.run()
    gc.collect()
    assert log == []
    kernel.close()
    assert log == ["ended"]


def test_rule_8_close_ends_the_last_spawned_first_and_waits_for_what_cleans_up():
    kernel, log = Kernel(), []

    async def open_ended(name):
        try:
            await kernel.sleep(1_000)
        finally:
            await kernel.sleep(1)
            log.append((kernel.ns, name))

    for name in "abc":
        kernel.spawn(name, open_ended, name)
    kernel.run(until=10)
    kernel.close()
    assert log == [(11, "c"), (11, "b"), (11, "a")]
    assert kernel.tasks == {}


# 9: every run has an end


def test_rule_9_a_loop_that_takes_no_time_is_a_livelock_that_names_its_task():
    kernel = Kernel()

    async def spin():
        while True:
            await kernel.sleep(0)

    kernel.spawn("spin", spin)
    with pytest.raises(Livelock, match=r"100,000 steps without an end at t=0\.0; running: spin"):
        kernel.run(budget=100_000)


def test_rule_9_messages_that_send_messages_are_a_livelock_too():
    kernel = Kernel()

    def echo():
        kernel.later(0, echo)

    kernel.later(SECOND, echo)
    with pytest.raises(Livelock, match=r"at t=1\.0; running: messages"):
        kernel.run(budget=1_000)


def test_rule_9_a_run_can_go_on_after_a_livelock():
    kernel, log = Kernel(), []
    kernel.spawn("long", sleeper(kernel, log, "long", *[1] * 100))
    with pytest.raises(Livelock):
        kernel.run(budget=10)
    kernel.run()
    assert len(log) == 100


def test_rule_9_stuck_names_who_waits_for_what_in_order_of_spawning():
    kernel = Kernel()

    async def wait(why):
        kernel.ticket()
        await kernel.park(why)

    kernel.spawn("payment", wait, "the key 42")
    kernel.spawn("inventory", wait, "a reply")
    finishing = kernel.spawn("quick", sleeper(kernel, [], "quick", 1))
    kernel.run()
    assert finishing.done
    assert kernel.stuck() == [("payment", "the key 42"), ("inventory", "a reply")]


def test_rule_9_a_keyboard_interrupt_passes_out_and_leaves_the_kernel_usable():
    kernel, log = Kernel(), []

    async def interrupted():
        await kernel.sleep(5)
        raise KeyboardInterrupt

    kernel.spawn("interrupted", interrupted)
    kernel.spawn("other", sleeper(kernel, log, "other", 5, 5))
    with pytest.raises(KeyboardInterrupt):
        kernel.run()
    assert kernel.ns == 5
    kernel.run()
    assert log == [(5, "other"), (10, "other")]
    kernel.spawn("later", sleeper(kernel, log, "later", 1))
    kernel.run()
    assert log[-1] == (11, "later")
    kernel.close()


# 10: what never ran leaves nothing behind

NEVER_RUN = """
import gc
from edakit import Lab, Saga, Service

payment, asker, checkout = Service("payment"), Service("asker"), Saga("checkout", on="order.placed")

@payment.on("order.placed")
async def charge(order, ctx):
    await ctx.sleep(0.1)

@checkout.step()
async def pay(order, ctx):
    await ctx.sleep(0.1)

def build():
    lab = Lab(1)
    shop, log = lab.broker("shop"), lab.stream("log", partitions=2)
    lab.deploy(payment, on=shop, instances=3)
    lab.deploy(checkout, on=log)
    shop.publish("order.placed", {}, key="42")
    log.publish("order.placed", {}, key="42")
    lab.call("payment", {})
    lab.workload(shop, "order.placed", every=1, count=3)
    lab.crash("payment", at=1, restart_after=1)
    return lab

build()
gc.collect()
lab = build()
lab.close()
del lab
gc.collect()
lab = build()
lab.run(until=0.002)
lab.close()
del lab
gc.collect()
print("quiet")
"""


def test_rule_10_a_lab_that_is_built_and_never_run_prints_no_never_awaited():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", NEVER_RUN], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "quiet\n", "")


# What a run promises besides


def test_until_stops_the_clock_there_and_a_later_run_goes_on():
    kernel, log = Kernel(), []
    kernel.spawn("a", sleeper(kernel, log, "a", 10, 10))
    kernel.run(until=15)
    assert (kernel.ns, log) == (15, [(10, "a")])
    kernel.run(until=20)
    assert (kernel.ns, log) == (20, [(10, "a"), (20, "a")])
    kernel.run(until=FOREVER)
    assert kernel.ns == 20


def test_what_falls_on_one_instant_keeps_the_order_in_which_it_was_asked_for():
    kernel, log = Kernel(), []
    kernel.spawn("first", sleeper(kernel, log, "first", 10))
    kernel.run(until=0)
    kernel.later(10, log.append, "message")
    kernel.spawn("second", sleeper(kernel, log, "second", 10))
    kernel.run()
    assert log == [(10, "first"), "message", (10, "second")]


def test_a_sleep_backwards_is_an_error():
    kernel = Kernel()
    kernel.spawn("back", sleeper(kernel, [], "back", -1))
    with pytest.raises(DurationError, match="cannot sleep -1 ns"):
        kernel.run()


def test_an_error_in_a_task_ends_the_run_and_the_others_stand_where_they_stood():
    kernel, log = Kernel(), []

    async def broken():
        await kernel.sleep(1)
        raise ValueError("bad day")

    kernel.spawn("broken", broken)
    kernel.spawn("a", sleeper(kernel, log, "a", 1, 1))
    with pytest.raises(ValueError, match="bad day"):
        kernel.run()
    kernel.run()
    assert log == [(1, "a"), (2, "a")]


def test_what_a_later_call_raises_comes_out_and_the_rest_goes_on():
    kernel, log = Kernel(), []
    kernel.later(1, lambda: 1 / 0)
    kernel.later(1, log.append, "after")
    with pytest.raises(ZeroDivisionError):
        kernel.run()
    kernel.run()
    assert log == ["after"]


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=30))
def test_time_never_runs_backwards_and_every_timer_is_kept_to_the_nanosecond(timers):
    kernel, log = Kernel(), []
    for n, (ns, message) in enumerate(timers):
        if message:
            kernel.later(ns, lambda n=n: log.append((kernel.ns, n)))
        else:
            kernel.spawn(f"task {n}", sleeper(kernel, log, n, ns))
    kernel.run()
    assert sorted(n for _, n in log) == list(range(len(timers)))
    assert all(ns == timers[n][0] for ns, n in log)
    assert [ns for ns, _ in log] == sorted(ns for ns, _ in log)
