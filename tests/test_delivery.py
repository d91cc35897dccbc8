"""Retry: how often, after how long."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edakit import Retry
from edakit.errors import EdakitError

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
        ({"times": 3, "jitter": "some"}, "jitter='some': one of none, full, equal"),
    ],
)
def test_a_policy_that_means_nothing_is_refused(arguments, message):
    with pytest.raises(EdakitError, match=message.replace(".", r"\.")):
        Retry(**arguments)
