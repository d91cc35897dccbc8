"""One partition: what is written stays, in order, under its offset."""

from hypothesis import given
from hypothesis import strategies as st

from edakit.event import NOTHING, Event
from edakit.stream import Log


def event(n: int, ns: int = 0) -> Event:
    return Event(f"order-{n}.placed.1", "order.placed", "web", None, str(n), ns, None, f"order-{n}.placed.1", NOTHING)


@given(st.integers(0, 20), st.integers(0, 25), st.integers(0, 25))
def test_offsets_count_from_zero_and_reading_changes_nothing(count, offset, most):
    log = Log("orders/0")
    assert [log.append(event(n)) for n in range(count)] == list(range(count))
    assert log.end == count
    for _ in range(2):
        assert log.read(offset, most) == [event(n) for n in range(count)][offset : offset + most]
    assert log.records == [event(n) for n in range(count)]


@given(st.lists(st.integers(0, 50), max_size=20), st.integers(0, 60))
def test_the_offset_of_a_time_is_the_first_that_is_not_older(times, wanted):
    log = Log("orders/0")
    for n, ns in enumerate(times):
        log.append(event(n, ns))
    found = log.offset_at(wanted)
    assert all(ns < wanted for ns in times[:found])
    assert found == len(times) or times[found] >= wanted
