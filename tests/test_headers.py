"""The headers exchange: RabbitMQ's four modes (exchanges_SUITE, routing_SUITE), and what holds for any binding."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edakit.broker import headers_match
from edakit.errors import ArgumentError

VALUES = st.one_of(st.none(), st.booleans(), st.integers(0, 2), st.sampled_from([1.0, "1", "a", b"a"]))
HEADERS = st.dictionaries(st.sampled_from(["a", "b", "c", "x-a", "x-b"]), VALUES, max_size=4)


@pytest.mark.parametrize(
    ("arguments", "headers", "expected"),
    [
        ({"x-match": "all", "foo": "bar", "fuzz": "buzz"}, {"foo": "bar", "fuzz": "buzz", "more": 1}, True),
        ({"x-match": "all", "foo": "bar", "fuzz": "buzz"}, {"foo": "bar"}, False),
        ({"x-match": "any", "foo": "bar", "fuzz": "buzz"}, {"foo": "bar", "fuzz": "no"}, True),
        ({"x-match": "any", "foo": "bar"}, {"foo": "BAR"}, False),
        ({"foo": "bar", "fuzz": "buzz"}, {"foo": "bar"}, False),
        ({}, {"foo": "bar"}, True),
        ({"x-match": "any"}, {"foo": "bar"}, False),
        ({"x-match": "all", "x-foo": "bar"}, {}, True),
        ({"x-match": "any", "x-foo": "bar"}, {"x-foo": "bar"}, False),
        ({"x-match": "all-with-x", "x-foo": "bar", "a": 1}, {"a": 1}, False),
        ({"x-match": "all-with-x", "x-foo": "bar", "a": 1}, {"a": 1, "x-foo": "bar"}, True),
        ({"x-match": "any-with-x", "x-foo": "bar"}, {"x-foo": "bar"}, True),
        ({"x-match": "any-with-x"}, {"x-match": "any-with-x"}, False),
        ({"foo": None}, {"foo": "whatever"}, True),
        ({"foo": None}, {}, False),
        ({"foo": 1}, {"foo": None}, False),
        ({"n": 1}, {"n": 1}, True),
        ({"n": 1}, {"n": 1.0}, False),
        ({"n": 1}, {"n": True}, False),
        ({"n": 1}, {"n": "1"}, False),
        ({"s": "é"}, {"s": "é".encode()}, True),
        ({"t": {"a": [1, "x"]}}, {"t": {"a": [1, "x"]}}, True),
        ({"t": {"a": [1, "x"]}}, {"t": {"a": [1.0, "x"]}}, False),
    ],
)
def test_a_binding_covers_a_message(arguments, headers, expected):
    assert headers_match(arguments, headers) is expected


@pytest.mark.parametrize("mode", ["some", "ANY", None, 1])
def test_another_mode_is_refused_as_the_broker_refuses_the_binding(mode):
    with pytest.raises(ArgumentError, match=r"no x-match named .*; known: all, all-with-x, any, any-with-x"):
        headers_match({"x-match": mode}, {})


@given(HEADERS, HEADERS)
def test_all_is_every_argument_alone_and_any_is_one_of_them(arguments, headers):
    for kind in ("", "-with-x"):
        looked_at = {name: value for name, value in arguments.items() if kind or not name.startswith("x-")}
        alone = [headers_match({"x-match": f"all{kind}", name: value}, headers) for name, value in looked_at.items()]
        assert headers_match({"x-match": f"all{kind}", **arguments}, headers) == all(alone)
        assert headers_match({"x-match": f"any{kind}", **arguments}, headers) == any(alone)


@given(HEADERS)
def test_a_message_is_covered_by_its_own_headers(headers):
    assert headers_match({"x-match": "all-with-x", **headers}, headers)
