"""Distributions: samples are seconds, the same for the same generator, with the mean they promise."""

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edakit import Exponential, LogNormal, Uniform
from edakit.chance import draw
from edakit.errors import DurationError
from edakit.units import nanoseconds

SECONDS = st.floats(1e-6, 1e6)
DISTRIBUTIONS = st.one_of(
    st.builds(Exponential, SECONDS),
    st.builds(lambda low, more: Uniform(low, low + more), SECONDS, SECONDS),
    st.builds(LogNormal, SECONDS, st.floats(0, 1.5)),
)


@given(DISTRIBUTIONS, st.integers(0, 99))
def test_samples_are_times_and_the_same_for_the_same_generator(distribution, seed):
    first, again = random.Random(seed), random.Random(seed)
    for _ in range(10):
        sample = draw(distribution, first)
        assert nanoseconds(sample) >= 0
        assert sample == draw(distribution, again)


@given(st.floats(0, 100), st.floats(0, 100), st.integers(0, 9))
def test_uniform_stays_between_its_ends(low, more, seed):
    assert low <= Uniform(low, low + more).draw(random.Random(seed)) <= low + more


def test_means_and_medians_are_what_was_asked_for():
    rng = random.Random(42)
    assert statistics.fmean(Exponential(0.1).draw(rng) for _ in range(20_000)) == pytest.approx(0.1, rel=0.03)
    assert statistics.fmean(Uniform(1, 3).draw(rng) for _ in range(20_000)) == pytest.approx(2, rel=0.03)
    assert statistics.median(LogNormal(0.1, 0.8).draw(rng) for _ in range(20_000)) == pytest.approx(0.1, rel=0.03)


def test_a_number_stays_what_it_is_and_draws_nothing():
    rng = random.Random(1)
    before = rng.getstate()
    assert draw(0.25, rng) == 0.25
    assert rng.getstate() == before


@pytest.mark.parametrize("bad", [-1, 0, math.nan, math.inf, "1", None])
def test_a_mean_or_median_is_a_positive_number(bad):
    with pytest.raises(DurationError, match="mean"):
        Exponential(bad)
    with pytest.raises(DurationError, match="median"):
        LogNormal(bad)


@pytest.mark.parametrize("ends", [(-1, 1), (2, 1), (0, math.inf), (math.nan, 1), (0, math.nan), ("0", 1)])
def test_the_ends_of_a_range_are_in_order_and_finite(ends):
    with pytest.raises(DurationError, match="Uniform"):
        Uniform(*ends)
    with pytest.raises(DurationError, match="sigma"):
        LogNormal(1, -1)
