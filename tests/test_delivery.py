"""Retry: how often, after how long."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edakit import Faults, Retry, Service, run
from edakit.delivery import Breaker, RetryBudget
from edakit.errors import ArgumentError, CallTimeout, EdakitError

RETRIES = st.builds(
    Retry,
    times=st.integers(0, 3_000),
    backoff=st.floats(0, 100),
    factor=st.floats(1, 10),
    longest=st.floats(0, 1_000),
    jitter=st.sampled_from(["none", "full", "equal"]),
)


@given(RETRIES, st.integers(1, 3_001), st.integers(0, 9))
def test_a_wait_lies_between_nothing_and_the_longest_and_ends_after_so_many_tries(retry, attempt, seed):
    wait = retry.delay(attempt, random.Random(seed))
    if attempt > retry.times:
        assert wait is None
    else:
        assert 0 <= wait <= retry.longest
        assert wait == retry.delay(attempt, random.Random(seed)), "the same for the same random numbers"


@given(RETRIES, st.integers(1, 100))
def test_jitter_stays_below_the_plain_wait_and_equal_jitter_above_half_of_it(retry, attempt):
    plain = Retry(3_000, retry.backoff, retry.factor, retry.longest).delay(attempt, random.Random(1))
    for seed in range(5):
        full = Retry(3_000, retry.backoff, retry.factor, retry.longest, "full").delay(attempt, random.Random(seed))
        equal = Retry(3_000, retry.backoff, retry.factor, retry.longest, "equal").delay(attempt, random.Random(seed))
        assert 0 <= full <= plain
        assert plain / 2 <= equal <= plain


def test_waits_grow_by_the_factor_up_to_the_longest():
    retry = Retry(5, backoff=0.5, longest=3)
    assert [retry.delay(n, random.Random(1)) for n in range(1, 7)] == [0.5, 1, 2, 3, 3, None]


def test_no_tries_means_give_up_at_once():
    assert Retry(0).delay(1, random.Random(1)) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"times": -1}, "times=-1"),
        ({"times": 1.5}, "times=1.5"),
        ({"times": "3"}, "times='3'"),
        ({"times": 3, "backoff": -1}, "backoff"),
        ({"times": 3, "backoff": float("nan")}, "backoff"),
        ({"times": 3, "backoff": "1"}, "backoff"),
        ({"times": 3, "factor": 0.5}, "factor"),
        ({"times": 3, "factor": float("nan")}, "factor"),
        ({"times": 3, "longest": float("inf")}, "longest"),
        ({"times": 3, "jitter": "some"}, "jitter='some': one of none, full, equal, decorrelated"),
        ({"failures": 0}, "failures=0"),
        ({"pause": -1}, "pause"),
    ],
)
def test_a_policy_that_means_nothing_is_refused(arguments, message):
    with pytest.raises(EdakitError, match=message.replace(".", r"\.")):
        (Retry if "times" in arguments else Breaker)(**arguments)


@given(st.integers(1, 4), st.lists(st.tuples(st.floats(0, 8), st.sampled_from(["ask", "good", "bad"])), max_size=40))
def test_a_breaker_lets_nothing_through_for_a_pause_after_so_many_failures_and_then_one_call(failures, steps):
    """The model: the last results in a row, when it opened, and since when a trial is under way."""
    breaker, now, bad, opened, trial = Breaker(failures, pause=10), 0.0, 0, None, None
    for wait, step in steps:
        now += wait
        if step == "ask":
            quiet = trial if trial is not None else opened
            expected = quiet is None or now >= quiet + 10
            assert breaker.allows(now) is expected
            if expected and opened is not None:
                trial = now
        elif opened is not None and trial is None:  # open: what is heard now is of old calls
            breaker.succeeded() if step == "good" else breaker.failed(now)
        elif step == "good":
            breaker.succeeded()
            bad, opened, trial = 0, None, None
        else:
            breaker.failed(now)
            bad += 1
            if trial is not None or bad >= failures:
                opened, trial = now, None
        state = "closed" if opened is None else "open" if trial is None else "half-open"
        assert breaker.state == state


def test_a_breaker_spares_a_service_that_is_down_and_its_callers_the_wait():
    def shop(lab, breaker=None):
        bank, web = Service("bank"), Service("web")

        @bank.on("card.charge")
        async def charge(request, ctx):
            await ctx.sleep(0.01 if ctx.now > 30 else 5)
            return "paid"

        @web.on("order.placed")
        async def buy(order, ctx):
            if breaker and not breaker.allows(ctx.now):
                return ctx.log("later")
            try:
                await ctx.call("bank", {}, timeout=1)
            except CallTimeout:
                return breaker and breaker.failed(ctx.now)
            return breaker and breaker.succeeded()

        lab.deploy(bank, on=lab.server("http"))
        front = lab.broker("shop")
        lab.deploy(web, on=front, concurrency=10)
        lab.workload(front, "order.placed", every=0.5, count=120)

    without, breaker = run(shop, seed=1), Breaker(failures=3, pause=10)
    guarded = run(shop, seed=1, breaker=breaker)
    assert without.trace.counts()["timeout"] == 59
    assert guarded.trace.counts()["timeout"] == 6, "three, one that was under way by then, and two trials a pause apart"
    assert breaker.state == "closed", "and the orders of the last half minute are charged"
    assert len(guarded.trace.where("reply", who="web")) > 40


def test_a_retry_with_one_idempotency_key_charges_once():
    """The key is of the intent, not of the try: the handler needs nothing but `key=` and a table."""

    def shop(lab, tries="order"):
        bank, web = Service("bank"), Service("web")

        @bank.on("card.charge")
        async def charge(request, ctx):
            async with ctx.db.transaction() as tx:
                if await tx.insert_once("charged", request.key):
                    await tx.add("charges", 1)

        @web.on("order.placed")
        async def buy(order, ctx):
            key = order.key if tries == "order" else f"{order.key}/{ctx.now}"
            await ctx.call("bank", {}, timeout=1, key=key)

        lab.deploy(bank, on=lab.server("http"), db=lab.database("ledger", {"charges": 0}))
        front = lab.broker("shop")
        lab.deploy(web, on=front, retry=Retry(5))
        lab.workload(front, "order.placed", every=1, count=100, key="order")

    lost = Faults(drop=0.2, leg="reply")
    assert run(shop, seed=1, faults=lost).databases["ledger"].data["charges"] == 100
    assert run(shop, seed=1, faults=lost, tries="time").databases["ledger"].data["charges"] > 110


@given(st.integers(0, 2**32), st.floats(0.01, 5), st.floats(5, 60))
def test_decorrelated_jitter_stays_between_the_backoff_and_three_times_the_last_wait(seed, backoff, longest):
    retry, dice, last = Retry(20, backoff=backoff, longest=longest, jitter="decorrelated"), random.Random(seed), None
    for attempt in range(1, 21):
        wait = retry.delay(attempt, dice, last)
        assert min(backoff, longest) <= wait <= min(longest, 3 * (last or backoff))
        last = wait
    assert retry.delay(21, dice, last) is None


def test_a_retry_budget_lets_an_outage_add_a_share_of_the_calls_and_no_multiple():
    budget, retries = RetryBudget(share=0.1, most=10), 0
    for _ in range(1_000):
        budget.called()
        while budget.spend():
            retries += 1
    assert 100 <= retries <= 110


@given(st.lists(st.booleans()), st.floats(0, 1), st.integers(1, 20))
def test_a_budget_never_spends_more_than_it_was_given(moves, share, most):
    budget, calls, spent = RetryBudget(share, most), 0, 0
    for call in moves:
        if call:
            calls += 1
            budget.called()
        else:
            spent += budget.spend()
        assert 0 <= budget.left <= most
    assert spent <= most + share * calls + 1e-6


@pytest.mark.parametrize("wrong", [{"share": -0.1}, {"share": 2}, {"most": 0}])
def test_a_budget_that_is_none_is_refused(wrong):
    with pytest.raises(ArgumentError, match="a share from 0 to 1"):
        RetryBudget(**wrong)
