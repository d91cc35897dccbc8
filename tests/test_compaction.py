"""Log compaction, against a plain model: a dictionary of the last word about each key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edakit.stream import compact

DAY = 86400.0


@st.composite
def logs(draw):
    """Segments with increasing offsets, gaps included, some keys again and again, some tombstones, and an active segment."""
    offset, segments = 0, []
    for _ in range(draw(st.integers(1, 4))):
        segment = []
        for _ in range(draw(st.integers(0, 5))):
            offset += draw(st.integers(1, 3))
            segment.append(
                (offset, draw(st.sampled_from("abc")), draw(st.none() | st.integers(0, 9)), float(draw(st.integers(0, 20))))
            )
        segments.append(segment)
    return segments[:-1], segments[-1]


def flat(segments):
    return [record for segment in segments for record in segment]


@given(logs(), st.floats(0, 40), st.floats(0, 20))
def test_the_last_value_of_every_key_stays_and_nothing_is_made_up(log, now, retention):
    segments, active = log
    cleaned = compact(segments, active, now=now, delete_retention=retention)
    kept, before = flat(cleaned), flat(segments)
    assert [record[0] for record in kept] == sorted({record[0] for record in kept}), "offsets increase, each once"
    assert set(kept) <= set(before), "records are as they were"
    assert len(cleaned) == len(segments)
    assert all(set(after) <= set(was) for after, was in zip(cleaned, segments, strict=True)), "in the segment they were in"
    last = {key: (offset, value, written) for offset, key, value, written in before}
    for key, (offset, value, written) in last.items():
        stays = value is not None or now < written + retention
        assert [record[0] for record in kept if record[1] == key] == ([offset] if stays else [])


@given(logs(), logs())
def test_the_active_segment_is_not_consulted(log, other):
    segments, active = log
    assert compact(segments, active) == compact(segments, other[1]) == compact(segments)


@given(logs(), st.floats(0, 40))
def test_cleaning_twice_is_cleaning_once(log, now):
    once = compact(log[0], now=now, delete_retention=10)
    assert compact(once, now=now, delete_retention=10) == once


@given(logs())
def test_what_a_reader_makes_of_the_log_is_the_same_before_and_after(log):
    segments, active = log

    def state(records):
        table = {key: value for _, key, value, _ in records}
        return {key: value for key, value in table.items() if value is not None}

    assert state(flat(compact(segments, active, now=1e9)) + active) == state(flat(segments) + active)


def test_a_tombstone_waits_for_its_retention():
    segments = [[(0, "a", 1, 0.0)], [(1, "a", None, 10.0)]]
    assert compact(segments, now=0.0) == [[], [(1, "a", None, 10.0)]]
    assert compact(segments, now=10.0 + DAY - 0.001) == [[], [(1, "a", None, 10.0)]]
    assert compact(segments, now=10.0 + DAY) == [[], []]


def test_a_tombstone_in_the_active_segment_removes_nothing_yet():
    assert compact([[(0, "a", 1, 0.0)]], active=[(1, "a", None, 0.0)]) == [[(0, "a", 1, 0.0)]]


@pytest.mark.parametrize("value", [1, None])
def test_a_record_without_a_key_goes(value):
    assert compact([[(0, None, value, 0.0), (1, b"k", 0, 0.0)]]) == [[(1, b"k", 0, 0.0)]]
