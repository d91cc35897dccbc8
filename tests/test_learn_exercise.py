"""Whatever an answer does, there is a verdict within two seconds, and the notebook lives on."""

import _thread
import asyncio
import contextlib
import gc
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from edakit import Service
from edakit.errors import ArgumentError
from edakit.learn import exercise
from edakit.learn.fresh import Copies, empty, fresh

BANK = Path(__file__).parent.parent / "notebooks" / "exercises"
real_sleep = time.sleep


@pytest.fixture(autouse=True)
def _learner(monkeypatch, tmp_path):
    monkeypatch.delenv("EDAKIT_CHECK", raising=False)
    monkeypatch.setenv("EDAKIT_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.setenv("EDAKIT_EXERCISES", str(BANK))


def listening(handler, pattern="payment.processed"):
    service = Service("notification")
    service.on(pattern)(handler)
    return service


def checked(handler, limit=6.0):
    """The verdict on a handler of 00-1, and that it came in time, silently, and left nothing behind that runs."""
    ex, before = exercise("00-1"), threading.active_count()
    start = time.perf_counter()
    verdict = ex.check(listening(handler))
    assert time.perf_counter() - start < limit
    assert sys.stdout is not None
    spent = time.process_time()
    real_sleep(0.2)
    assert time.process_time() - spent < 0.1, "something still runs"
    assert threading.active_count() <= before + 1
    assert not verdict.passed
    return verdict


async def spin(event, ctx):
    while True:
        pass


async def spin_and_swallow(event, ctx):
    while True:
        try:
            while True:
                pass
        except BaseException:  # noqa: BLE001
            pass


async def sleep_for_real(event, ctx):
    real_sleep(100)


async def sleep_a_little_each_time(event, ctx):
    real_sleep(0.05)
    await ctx.publish("mail.sent", event.data)


async def never_await_the_end(event, ctx):
    while True:
        await ctx.sleep(0)


async def swallow_the_close(event, ctx):
    while True:
        with contextlib.suppress(BaseException):
            await ctx.sleep(1)


async def print_for_ever(event, ctx):
    while True:
        print("again")


@pytest.mark.parametrize(
    ("handler", "says"),
    [
        (spin, "it does not end: more than 1.2 s of real time without a result in spin, line"),
        (spin_and_swallow, "does not end"),
        (print_for_ever, "does not end"),
        (swallow_the_close, "does not end"),
        (sleep_for_real, "does not end"),
        (sleep_a_little_each_time, "for one plan: does it wait for something outside the lab?"),
        (never_await_the_end, "never comes to an end"),
    ],
)
def test_what_does_not_end_is_ended(handler, says):
    verdict = checked(handler)
    assert says in str(verdict)
    assert verdict.anomaly == "broken"


async def stop_the_clock(event, ctx):
    time.sleep(1)  # noqa: ASYNC251


async def ask(event, ctx):
    input("order?")  # noqa: ASYNC250


async def use_asyncio(event, ctx):
    await asyncio.sleep(1)


async def yield_to_asyncio(event, ctx):
    await asyncio.sleep(0)


async def leave(event, ctx):
    sys.exit(1)


async def interrupt(event, ctx):
    raise KeyboardInterrupt


async def mutate(event, ctx):
    event.data["total"] = 0


async def publish_nonsense(event, ctx):
    await ctx.publish("mail.sent", {"self": object()})


async def wrong_number(event, ctx):
    await ctx.sleep(-1)


@pytest.mark.parametrize(
    ("handler", "says"),
    [
        (stop_the_clock, "time.sleep stops your computer, and no virtual time passes: use await ctx.sleep"),
        (ask, "nobody is there to answer input()"),
        (leave, "it ends the program (sys.exit) in leave, line 1"),
        (use_asyncio, "awaited something that does not live in virtual time (asyncio.sleep?): use ctx.sleep"),
        (yield_to_asyncio, "use ctx.sleep"),
        (mutate, "an event is a fact and cannot be changed"),
        (publish_nonsense, "is not JSON"),
        (wrong_number, "give a number of seconds, 0 or more"),
    ],
)
def test_what_cannot_be_tried_is_told_why(handler, says):
    verdict = checked(handler)
    assert says in str(verdict)
    assert verdict.anomaly == "broken"


async def recurse(event, ctx):
    await recurse(event, ctx)


async def stumble(event, ctx):
    return event.data["no such field"]


@pytest.mark.parametrize(
    ("handler", "says"),
    [
        (recurse, "RecursionError"),
        (stumble, "KeyError: 'no such field' in stumble, line 1"),
    ],
)
def test_what_raises_is_a_story_and_the_error_stands_beside_it(handler, says):
    verdict = checked(handler)
    assert verdict.anomaly == "lost"
    assert f"A handler raised: {says}" in str(verdict)


def test_a_service_that_hears_itself_is_told_so():
    async def echo(event, ctx):
        await ctx.publish("parcel.shipped", {"address": "here"})

    service = Service("shipping")
    service.on("#")(echo)
    verdict = exercise("01-3").check(service)
    assert "does not end" in str(verdict)
    assert "judge" not in str(verdict), "that is not the learner's code"


def test_an_interrupt_of_the_answer_is_no_interrupt_of_the_notebook():
    assert "KeyboardInterrupt" in str(checked(interrupt))


def test_prints_are_counted_and_thrown_away(capsys):
    async def chatty(event, ctx):
        print("one\ntwo")
        await ctx.publish("mail.sent", event.data)

    verdict = exercise("00-1").check(listening(chatty))
    assert verdict.passed
    assert capsys.readouterr().out == ""
    assert "Your code printed" in str(verdict)


def test_a_call_without_await_is_named(capsys):
    async def hasty(event, ctx):
        ctx.publish("mail.sent", event.data)

    for _ in range(2):  # Python itself warns only once
        verdict = exercise("00-1").check(listening(hasty))
        assert (verdict.passed, verdict.anomaly) == (False, "lost")
        assert "(Never awaited: publish. Without `await` in front, the call does nothing.)" in str(verdict)
        assert "printed" not in str(verdict)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (42, "notification must be a service, made with Service(...); this is 42 (int)"),
        ("<script>", "this is '<script>' (str)"),
        (spin, "this is a handler"),
        (print, "this is a plain function"),
        (Service, "this is <class"),
        ({"a": 1}, "this is a mapping"),
    ],
)
def test_an_answer_of_another_kind_is_told_so(answer, says):
    verdict = exercise("00-1").check(answer)
    assert says in str(verdict)
    assert not verdict


def test_what_is_no_answer_at_all():
    ex = exercise("00-1")
    with pytest.raises(ArgumentError, match=r"ex.check\(notification\)"):
        ex.check()
    assert str(ex.check(None)) == "Exercise 00-1: not answered yet."
    assert str(ex.check(Service("notification"))) == "Exercise 00-1: not answered yet."
    with pytest.raises(ArgumentError, match="no exercise '77-1'; there are: 00-1"):
        exercise("77-1")


def test_a_sync_handler_never_gets_so_far():
    with pytest.raises(TypeError, match="async def tell"):
        listening(eval("lambda event, ctx: None", {}).__class__(spin.__code__.replace(co_flags=3, co_name="tell"), {}, "tell"))


def test_a_wrong_answer_that_is_in_no_list_gets_a_true_verdict():
    async def only_teas(event, ctx):
        if len(event.data["items"]) == 1:
            await ctx.publish("mail.sent", event.data)

    ex = exercise("00-1")
    verdict = ex.check(listening(only_teas))
    assert verdict.anomaly == "lost"
    assert len(verdict.worst.case.events) == 1
    assert verdict.worst.case.events[0]["items"] == ["tea", "cup"]
    assert len(verdict.trace.where("publish")) == 2
    assert "Did your handler hear of the payment at all?" in str(ex.hint())


def test_hints_climb_four_levels():
    ex = exercise("00-1")
    assert "Check your answer first" in str(ex.hint())
    assert ex.task.concept in str(ex.hint())
    assert "payment.____" in str(ex.hint())
    assert "payment.processed" in str(ex.hint())
    assert ex.hint().level == 4
    assert ex.hint(2).level == 2
    with pytest.raises(ArgumentError, match="levels are 1"):
        ex.hint(5)


def test_the_first_hint_is_about_the_learners_own_run():
    ex = exercise("00-1")
    ex.check(*ex.task.built(ex.task.wrong_code("listens to order.placed")))
    assert "mail-42.sent.1" in str(ex.hint())
    assert "For which order did a mail leave without a payment?" in str(ex.hint(1))


def test_a_verdict_without_a_run_has_no_trace():
    verdict = exercise("00-1").check(42)
    with pytest.raises(ArgumentError, match="no run failed"):
        verdict.trace  # noqa: B018


seen = []
count = Counter()


def remember(id):
    seen.append(id)
    count[id] += 1
    return seen.count(id)


async def forgetful(event, ctx, box=[]):  # noqa: B006  that is the point
    box.append(event.id)
    if remember(event.id) == 1:
        await ctx.publish("mail.sent", event.data)


def test_memory_of_an_answer_is_that_of_one_instance_in_one_run():
    ex = exercise("00-1")
    for _ in range(2):
        assert ex.check(listening(forgetful)).passed
    assert (seen, count, forgetful.__defaults__) == ([], Counter(), ([],))


def test_copies_of_functions_share_closures_and_globals():
    total = [0]

    def add():
        total[0] += 1
        return total[0]

    def show():
        return total[0]

    copies = Copies()
    assert [copies.of(add)(), copies.of(add)(), copies.of(show)(), Copies().of(show)()] == [1, 2, 2, 0]
    assert total == [0]


def test_a_service_is_made_anew():
    service = listening(spin)
    other = fresh(service)
    assert other is not service
    assert list(other.handlers) == list(service.handlers)


@pytest.mark.parametrize("code", ["...", "pass", "'doc'", "return", "return None", "'doc'\n    ..."])
def test_nothing_written_yet(code):
    space = {}
    exec(f"def f(trace):\n    {code}\nasync def g(event, ctx):\n    {code}", space)
    assert empty(space["f"])
    assert empty(space["g"])


@pytest.mark.parametrize(
    "code", ["return 5", "return trace", "raise NotImplementedError", "trace()", "return (1, 2)", "return ''"]
)
def test_something_written(code):
    space = {}
    exec(f"def f(trace):\n    {code}", space)
    assert not empty(space["f"])


def test_nothing_is_left_to_warn_about(recwarn):
    checked(spin_and_swallow)
    checked(swallow_the_close)
    gc.collect()
    assert [str(each.message) for each in recwarn] == []


def test_the_stop_button_stops_a_check_and_leaves_nothing_behind():
    ex = exercise("00-1")
    threading.Timer(0.4, _thread.interrupt_main).start()
    with pytest.raises(KeyboardInterrupt):
        ex.check(listening(spin))
    spent = time.process_time()
    real_sleep(0.2)
    assert time.process_time() - spent < 0.1
    assert time.sleep is real_sleep


def test_the_shortest_failing_run_can_be_played():
    pytest.importorskip("anywidget")
    ex = exercise("00-1")
    verdict = ex.check(*ex.task.built(ex.task.wrong_code("listens to order.placed")))
    assert "rows" in repr(verdict.play())
