"""SNS filter policies: on attributes and on the body, and what the service refuses (recorded from it by LocalStack)."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edakit.bus import PatternError, filter_matches
from edakit.errors import ArgumentError


def attribute(value):
    """A message attribute of the type that fits a value."""
    kind = {str: "String", int: "Number", float: "Number", list: "String.Array"}[type(value)]
    return {"DataType": kind, "Value": json.dumps(value) if kind == "String.Array" else value}


ON_ATTRIBUTES = [
    ({}, {}, True),
    ({}, {"a": "x"}, True),
    ({"a": ["x", "y"]}, {"a": "y"}, True),
    ({"a": ["x"]}, {"a": "y"}, False),
    ({"a": ["x"]}, {}, False),
    ({"a": ["x"]}, {"b": "x"}, False),
    ({"a": ["x"]}, {"a": ["w", "x"]}, True),
    ({"a": ["x"]}, {"a": ["w"]}, False),
    ({"a": ["x"]}, {"a": []}, False),
    ({"a": [{"anything-but": "x"}]}, {"a": "y"}, True),
    ({"a": [{"anything-but": ["x", "y"]}]}, {"a": "x"}, False),
    ({"a": [{"anything-but": "x"}]}, {}, False),
    ({"a": [{"anything-but": {"prefix": "t-"}}]}, {"a": "t1"}, True),
    ({"a": [{"anything-but": {"prefix": "t"}}]}, {"a": "t1"}, False),
    ({"a": [{"anything-but": [100, 500]}]}, {"a": 100.1}, True),
    ({"a": [{"anything-but": [100, 500]}]}, {"a": 100}, False),
    ({"a": [{"prefix": "t"}]}, {"a": ["s", "t1"]}, True),
    ({"a": [{"suffix": "ball"}]}, {"a": "football"}, True),
    ({"a": [{"equals-ignore-case": "TennIs"}]}, {"a": "tennis"}, True),
    ({"a": [300]}, {"a": 300.0}, True),
    ({"a": [300]}, {"a": "300"}, False),
    ({"a": ["300"]}, {"a": 300}, False),
    ({"a": [100.123456789]}, {"a": 100.1234567}, True),
    ({"a": [100.123456789, 500]}, {"a": [100.1234567, 50]}, True),
    ({"a": [100.123456]}, {"a": 100.123457}, False),
    ({"a": [{"anything-but": ["300"]}]}, {"a": 300}, True),
    ({"a": [{"numeric": ["=", 300]}]}, {"a": 300}, True),
    ({"a": [{"numeric": [">", 0, "<=", 100]}]}, {"a": 111}, False),
    ({"a": [{"numeric": ["=", 300]}]}, {"a": "text"}, False),
    ({"a": [{"numeric": [">", 1]}]}, {"a": [1, 2]}, True),
    ({"a": [{"exists": True}]}, {"a": ""}, True),
    ({"a": [{"exists": False}]}, {"a": "x"}, False),
    ({"a": [{"exists": False}]}, {}, True),
    ({"a": [None, {"anything-but": "x"}]}, {}, False),
    ({"a": [{"cidr": "10.0.0.0/24"}]}, {"a": "10.0.0.255"}, True),
    ({"a": ["x"], "b": [{"prefix": "y"}]}, {"a": "x", "b": "yes"}, True),
    ({"a": ["x"], "b": ["y"]}, {"a": "x"}, False),
    ({"s": ["x"], "$or": [{"a": ["1"]}, {"b": ["2"]}]}, {"s": "x", "b": "2"}, True),
    ({"s": ["x"], "$or": [{"a": ["1"]}, {"b": ["2"]}]}, {"s": "x"}, False),
]


@pytest.mark.parametrize(("policy", "values", "expected"), ON_ATTRIBUTES)
def test_a_policy_over_attributes(policy, values, expected):
    assert filter_matches(policy, attributes={name: attribute(value) for name, value in values.items()}) is expected


def test_attributes_as_the_service_writes_them():
    policy = {"price": [{"numeric": [">=", 100]}]}
    assert filter_matches(policy, attributes={"price": {"DataType": "Number", "StringValue": "120"}})
    assert filter_matches(policy, attributes={"price": {"Type": "Number", "Value": "1.2e2"}})
    assert not filter_matches(policy, attributes={"price": {"DataType": "String", "Value": "120"}})
    assert not filter_matches(policy, attributes={"price": {"DataType": "Number", "Value": "many"}})
    assert filter_matches({"a": [{"exists": False}]}, attributes={"a": {"DataType": "Binary", "BinaryValue": b"x"}})
    assert not filter_matches(policy)
    with pytest.raises(ArgumentError, match="attribute 'a' has DataType=None"):
        filter_matches(policy, attributes={"a": {"Value": "x"}})


ON_THE_BODY = [
    (
        {"o": {"key": [{"prefix": "auto-"}, "fixed"], "n": [{"exists": False}]}, "t": [{"exists": False}]},
        {"o": {"key": "fixed"}},
        True,
    ),
    (
        {"o": {"key": [{"prefix": "auto-"}, "fixed"], "n": [{"exists": False}]}, "t": [{"exists": False}]},
        {"o": {"key": "fixed"}, "t": 1},
        False,
    ),
    ({"o.n": ["v"]}, {"o": {"n": "v"}}, True),
    ({"o.n": ["v"]}, {"o.n": "v"}, True),
    ({"o.n.t": ["v"]}, {"o": {"n.t": "v"}}, True),
    ({"h": {"to": ["q1"]}}, {"h": {"to": ["q2", "q1"]}}, True),
    ({"h": {"to": ["q1"]}}, {"h": {"to": ["q3"]}}, False),
    (
        {"r": {"s": {"k": [{"prefix": "a"}]}, "e": ["put"]}},
        {"r": [{"e": "put", "s": [[{"k": "ab"}]]}, {"e": "del", "s": {"k": "b"}}]},
        True,
    ),
    (
        {"r": {"s": {"k": [{"prefix": "a"}]}, "e": ["put"]}},
        {"r": [{"e": "put", "s": {"k": "b"}}, {"e": "del", "s": {"k": "ab"}}]},
        False,
    ),
    ({"d": {"v": [""]}}, {"d": {"v": "", "r": None}, "list": []}, True),
    ({"f": {"g": ["v"]}}, {"f": ["v"]}, False),
    ({"f": {"g": ["v"]}}, {"f": "v"}, False),
]


@pytest.mark.parametrize(("policy", "body", "expected"), ON_THE_BODY)
def test_a_policy_over_the_body(policy, body, expected):
    assert filter_matches(policy, body=json.dumps(body)) is expected
    assert filter_matches(policy, body=body) is expected


@pytest.mark.parametrize("body", ["plain text", '"text"', "[1]", "3", b"\xff"])
def test_a_body_that_is_no_object_never_passes(body):
    assert not filter_matches({"a": [{"exists": False}]}, body=body)


def test_a_policy_is_over_attributes_or_over_the_body():
    with pytest.raises(ArgumentError, match="over one of them"):
        filter_matches({"a": ["x"]}, attributes={"a": attribute("x")}, body="{}")


def letters(count):
    return [f"value{n}" for n in range(count)]


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ({"a": "x"}, "a: a list of values"),
        ({"a": {"b": ["x"]}}, "a: a policy over message attributes has no nested keys"),
        ({name: ["x"] for name in "abcdef"}, "at most 5 keys, not 6"),
        ({"a": letters(151)}, "at most 150 combinations of values, not 151"),
        ({"a": letters(100), "b": letters(51)}, "not 5100"),
        (
            {"s": letters(4), "$or": [{"m": letters(6)}, {"t": letters(4), "$or": [{"i": letters(4)}, {"j": letters(4)}]}]},
            "not 152",
        ),
        ({"a": [{"anything-but": {"suffix": "x"}}]}, "one of prefix, not"),
        ({"a": [{"wildcard": "x*"}]}, "no operator 'wildcard'"),
        ({"a": [{"prefix": {"equals-ignore-case": "x"}}]}, "a string"),
        ({"a": [{"suffix": None}]}, "a string"),
        ({"a": [{"numeric": ["<", 100, ">", 10]}]}, "a range"),
        ({"a": [{"cidr": "bad-filter/64"}]}, "'bad-filter' is no IPv4"),
        ([], "an object"),
    ],
)
def test_what_is_no_policy_is_refused(policy, message):
    with pytest.raises(PatternError, match=message):
        filter_matches(policy, attributes={"a": attribute("x")})


def test_combinations_count_the_depth_of_a_key_and_add_up_over_alternatives():
    nested = {"a": {"b": {"c": letters(4)}}, "d": {"e": letters(3)}, "f": letters(3)}
    with pytest.raises(PatternError, match="not 216"):
        filter_matches(nested, body={})
    most = {"s": letters(3), "$or": [{"m": letters(6)}, {"t": letters(4), "$or": [{"i": letters(4)}, {"j": letters(7)}]}]}
    assert filter_matches(most, attributes={"s": attribute("value0"), "m": attribute("value5")})  # 150 and no more


@given(
    st.dictionaries(st.sampled_from("ab"), st.sampled_from(["x", "y", 1, 2.5])),
    st.lists(st.sampled_from(["x", 1, 3]), min_size=1, max_size=3),
)
def test_attributes_and_body_are_filtered_alike(message, wanted):
    policy = {"a": wanted}
    on_attributes = filter_matches(policy, attributes={name: attribute(value) for name, value in message.items()})
    assert on_attributes == filter_matches(policy, body=message) == (message.get("a") in wanted)
