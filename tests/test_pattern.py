"""EventBridge patterns: what matches and what is refused, as event-ruler's suite has it, and what holds for any value."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edakit.bus import Pattern, PatternError, matches
from edakit.errors import ArgumentError, EdakitError

TEXT = st.text("abAB*.\\é", max_size=6)
SCALAR = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from([0.5, 1.0, -2.0]), TEXT)


def passes(rule, value) -> bool:
    return matches({"a": [rule]}, {"a": value})


YES = [
    ("x", "x"),
    ("", ""),
    (1, 1),
    (1, 1.0),
    (300, 3e2),
    (None, None),
    (True, True),
    (123456789012, 123456789012),
    ("10.0.0.1", "010.0.0.1"),
    ("::1", "0:0:0:0:0:0:0:1"),
    ("::ffff:0a00:1", "10.0.0.1"),
    ({"exactly": "x"}, "x"),
    ({"prefix": "eu-"}, "eu-west"),
    ({"prefix": ""}, "anything"),
    ({"prefix": {"equals-ignore-case": "EU"}}, "eu-west"),
    ({"suffix": ".png"}, "a.png"),
    ({"suffix": {"equals-ignore-case": ".PNG"}}, "a.Png"),
    ({"equals-ignore-case": "aBc"}, "AbC"),
    ({"equals-ignore-case": ""}, ""),
    ({"equals-ignore-case": "straße"}, "STRASSE"),
    ({"wildcard": "*"}, ""),
    ({"wildcard": "a*c"}, "abbc"),
    ({"wildcard": "a\\*c"}, "a*c"),
    ({"wildcard": "dir/*/*.png"}, "dir/x/y.png"),
    ({"wildcard": "/Users/*/dir/dir/dir/doc.txt"}, "/Users/dir/dir/dir/dir/dir/doc.txt"),
    ({"anything-but": "x"}, "y"),
    ({"anything-but": "x"}, None),
    ({"anything-but": ["x", "y"]}, 1),
    ({"anything-but": [1, 2]}, "1"),
    ({"anything-but": 444}, 444.5),
    ({"anything-but": {"prefix": "in"}}, "out"),
    ({"anything-but": {"prefix": ["a", "b"]}}, 12),
    ({"anything-but": {"suffix": [".a", ".b"]}}, "x.c"),
    ({"anything-but": {"wildcard": "*/d/*"}}, 1),
    ({"anything-but": {"wildcard": ""}}, "x"),
    ({"anything-but": {"equals-ignore-case": ["A", "B"]}}, None),
    ({"numeric": ["=", 3.018e2]}, 301.8),
    ({"numeric": [">", 0, "<=", 5]}, 5),
    ({"numeric": ["<", 1e-320]}, 0),
    ({"numeric": [">=", -5e11]}, -5e11),
    ({"exists": True}, None),
    ({"exists": True}, ""),
    ({"cidr": "10.0.0.0/24"}, "10.0.0.255"),
    ({"cidr": "10.0.0.77/24"}, "10.0.0.1"),
    ({"cidr": "2001:db8::/32"}, "2001:0db8:1:0:0:0:0:1"),
]
NO = [
    ("x", "X"),
    ("1", 1),
    (1, "1"),
    (1, True),
    (True, 1),
    (None, "null"),
    (True, "true"),
    (0, None),
    ("10.0.0.1", "10.0.0.01x"),
    (9007199254740993, 9007199254740992),
    ({"prefix": "1"}, 12),
    ({"suffix": ""}, None),
    ({"equals-ignore-case": "1"}, 1),
    ({"equals-ignore-case": "k"}, "\u212a"),
    ({"wildcard": ""}, "x"),
    ({"wildcard": "a*a"}, "a"),
    ({"wildcard": "*b"}, "abc"),
    ({"wildcard": "a*b*c"}, "acb"),
    ({"anything-but": "x"}, "x"),
    ({"anything-but": ["x", "y"]}, "y"),
    ({"anything-but": [1]}, 1.0),
    ({"anything-but": {"prefix": "in"}}, "init"),
    ({"anything-but": {"suffix": ["x", "y"]}}, "my"),
    ({"anything-but": {"equals-ignore-case": "aB"}}, "Ab"),
    ({"anything-but": {"wildcard": "*b*"}}, "abc"),
    ({"numeric": [">", 100]}, "300"),
    ({"numeric": [">", 0]}, None),
    ({"numeric": [">", 0]}, True),
    ({"numeric": [">", 0, "<", 5]}, 5),
    ({"numeric": [">", 0]}, 2**53 + 1),  # no float stands for it: it has no order
    ({"exists": False}, None),
    ({"cidr": "10.0.0.0/24"}, "10.0.1.0"),
    ({"cidr": "10.0.0.0/24"}, "10.0.0.256"),
    ({"cidr": "10.0.0.0/8"}, 10),
    ({"cidr": "::/0"}, "10.0.0.1"),
]


@pytest.mark.parametrize(("rule", "value", "expected"), [*((*case, True) for case in YES), *((*case, False) for case in NO)])
def test_one_entry_against_one_value(rule, value, expected):
    assert passes(rule, value) is expected


REFUSED = [
    ({}, "pattern: an empty object"),
    ([], "a pattern is an object"),
    ({"a": 1}, "a: a list of values or an object"),
    ({"a": []}, "a: an empty list"),
    ({"a": {}}, "a: an empty object"),
    ({"a": [[1]]}, r"a\[0\]: a string, a number"),
    ({"a": ["x", {"PREFIX": "y"}]}, r"a\[1\]: no operator 'PREFIX'"),
    ({"a": [{"prefix": "x", "suffix": "y"}]}, "one operator in each object, not 2"),
    ({"a": [{}]}, "not 0"),
    ({1: ["x"]}, "names of fields are strings"),
    ({"a": {"b": [{"prefix": 1}]}}, r"a\.b\[0\]\.prefix: a string, not 1"),
    ({"a": [{"prefix": ["x"]}]}, "a string"),
    ({"a": [{"prefix": {"suffix": "x"}}]}, "equals-ignore-case"),
    ({"a": [{"suffix": {"equals-ignore-case": 5}}]}, "suffix.equals-ignore-case: a string"),
    ({"a": [{"exactly": 33}]}, "a string, not 33"),
    ({"a": [{"equals-ignore-case": ["x"]}]}, "a string"),
    ({"a": [{"wildcard": 5}]}, "a string"),
    ({"a": [{"wildcard": "a**b"}]}, r"two \* in a row at position 1"),
    ({"a": [{"wildcard": "a\\b"}]}, "position 1"),
    ({"a": [{"wildcard": "a\\"}]}, "position 1"),
    ({"a": [{"wildcard": "*:*:*:*:*:bus/*"}]}, "too complex: at most 5"),
    ({"a": [{"anything-but": None}]}, "anything-but: a string, a number"),
    ({"a": [{"anything-but": ["x", None]}]}, "list of strings"),
    ({"a": [{"anything-but": ["x", 1]}]}, "list of strings"),
    ({"a": [{"anything-but": []}]}, "list of strings"),
    ({"a": [{"anything-but": True}]}, "a string"),
    ({"a": [{"anything-but": {"exists": True}}]}, "one of prefix, suffix"),
    ({"a": [{"anything-but": {"prefix": ""}}]}, "leave the empty string out"),
    ({"a": [{"anything-but": {"suffix": ["x", ""]}}]}, "leave the empty string out"),
    ({"a": [{"anything-but": {"prefix": [1, "x"]}}]}, "a string, not 1"),
    ({"a": [{"anything-but": {"prefix": {"equals-ignore-case": "x"}}}]}, "a string"),
    ({"a": [{"anything-but": {"wildcard": ["x", "a**"]}}]}, "two"),
    ({"a": [{"anything-but": {"prefix": []}}]}, "an empty list leaves nothing out"),
    ({"a": [{"anything-but": {"prefix": "x", "y": 1}}]}, "one of"),
    ({"a": [{"numeric": 10}]}, "a list such as"),
    ({"a": [{"numeric": []}]}, "once or twice"),
    ({"a": [{"numeric": [">", 0, "<"]}]}, "once or twice"),
    ({"a": [{"numeric": ["==", 1]}]}, "one of = < <= > >="),
    ({"a": [{"numeric": ["=", "1"]}]}, "a number after ="),
    ({"a": [{"numeric": ["=", True]}]}, "number"),
    ({"a": [{"numeric": ["<", 1, ">", 0]}]}, "a range begins with"),
    ({"a": [{"numeric": [">", 0, ">", 0]}]}, "a range"),
    ({"a": [{"numeric": ["=", 1, "<", 2]}]}, "a range"),
    ({"a": [{"numeric": [">", 1, "<", 1]}]}, "must be below"),
    ({"a": [{"numeric": [">", 1, "<", 30, "<", 40]}]}, "once or twice"),
    ({"a": [{"numeric": ["=", float("inf")]}]}, "cannot be compared"),
    ({"a": [{"numeric": ["=", 2**53 + 1]}]}, "cannot be compared"),
    ({"a": [{"exists": "no"}]}, "true or false, not 'no'"),
    ({"a": [{"exists": None}]}, "true or false"),
    ({"a": [{"cidr": "10.0.0.0"}]}, "10.0.0.0/24"),
    ({"a": [{"cidr": "x/8"}]}, "'x' is no IPv4"),
    ({"a": [{"cidr": "10.0.0.0/x"}]}, "number of bits"),
    ({"a": [{"cidr": "10.0.0.0/32"}]}, "fewer than 32"),
    ({"a": [{"cidr": "::/128"}]}, "fewer than 128"),
    ({"a": [{"cidr": ["x"]}]}, "a string"),
    ({"$or": [{"a": ["x"]}]}, r"\$or: a list of two or more objects"),
    ({"a": {"$or": [{"b": ["x"]}, {"c": ["y"]}, [{"d": ["z"]}]]}}, r"a\.\$or: a list"),
    ({"$or": [{"a": [1]}, {"b": [{"prefix": 1}]}]}, r"b\[0\]\.prefix"),
    ({"$or": [{}, {"a": [1]}]}, "an empty object"),
]


@pytest.mark.parametrize(("pattern", "message"), REFUSED)
def test_what_is_no_pattern_is_refused_and_the_place_is_named(pattern, message):
    with pytest.raises(PatternError, match=message) as caught:
        matches(pattern, {"a": "x"})
    assert isinstance(caught.value, (ValueError, EdakitError))


def test_an_event_is_an_object():
    with pytest.raises(ArgumentError, match="an event is a JSON object, not 'x'"):
        matches({"a": [1]}, "x")


EVENT = {
    "source": "shop", "resources": ["r1", "r2"], "none": [], "detail": {"state": "running", "count": 5, "b.c": 7, "text": '{"x": 1}'},
    "employees": [
        [{"name": "Ann", "last": "Day", "ids": [1, 2]}, {"name": "Bob", "last": "Eve"}],
        [{"name": "Cid", "last": "Fox", "ids": []}],
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ({"source": ["shop", "web"], "detail": {"state": ["running"]}}, True),
        ({"source": ["shop"], "detail": {"state": ["stopped"]}}, False),
        ({"Source": ["shop"]}, False),
        ({"resources": ["r2"]}, True),
        ({"resources": [{"anything-but": "r1"}]}, True),
        ({"resources": ["r1", "r3"]}, True),
        ({"none": [None]}, False),
        ({"none": [{"exists": False}]}, True),
        ({"none": [{"exists": True}]}, False),
        ({"detail": [{"exists": True}]}, False),
        ({"detail": [{"exists": False}]}, True),
        ({"detail": {"missing": [{"exists": False}, "x"]}}, True),
        ({"detail": {"missing": [{"anything-but": "x"}]}}, False),
        ({"missing": {"deep": [{"exists": False}]}}, True),
        ({"detail.state": ["running"]}, True),
        ({"detail": {"b": {"c": [7]}}}, True),
        ({"detail": {"text": {"x": [1]}}}, False),
        ({"employees": {"name": ["Ann"], "ids": [2]}}, True),
        ({"employees": {"name": ["Ann"], "last": ["Eve"]}}, False),
        ({"employees": {"name": ["Bob"], "ids": [{"exists": True}]}}, False),
        ({"employees": {"last": ["Eve"], "name": [{"exists": False}]}}, False),
        ({"employees": {"name": ["Bob"], "vacation": [{"exists": False}]}}, True),
        ({"employees": {"name": ["Bob"], "ids": [{"exists": False}]}}, False),  # asked before the name is: some element has ids
        ({"employees": {"name": [{"prefix": "C"}], "last": ["Fox"]}, "source": ["shop"]}, True),
    ],
)
def test_fields_arrays_and_what_is_not_there(pattern, expected):
    assert matches(pattern, EVENT) is expected


OR = {
    "source": ["aws"],
    "$or": [
        {"metric": ["cpu", "reads"]},
        {"kind": ["k"], "space": ["ec2"], "$or": [{"id": [1]}, {"room": [2]}]},
        {"detail": {"scope": ["service"]}},
    ],
}


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"source": "aws", "metric": "reads"}, True),
        ({"source": "web", "metric": "reads"}, False),
        ({"source": "aws", "kind": "k", "space": "ec2", "room": 2}, True),
        ({"source": "aws", "kind": "k", "space": "ec2"}, False),
        ({"source": "aws", "detail": {"scope": "service"}}, True),
        ({"source": "aws"}, False),
    ],
)
def test_one_of_the_alternatives_will_do(event, expected):
    assert matches(OR, event) is expected


def test_alternatives_stand_in_the_object_that_holds_them():
    pattern = {"$or": [{"m": [1]}, {"n": [2]}], "detail": {"$or": [{"a": [3]}, {"b": [4]}]}}
    assert matches(pattern, {"n": 2, "detail": {"b": 4}})
    assert not matches(pattern, {"n": 2, "b": 4})


@pytest.mark.parametrize(
    ("pattern", "event"),
    [
        ({"$or": [{"cidr": "10.0.0.0/24"}]}, {"$or": "10.0.0.9"}),
        ({"source": ["s"], "$or": {"kind": ["k"]}}, {"source": "s", "$or": {"kind": "k"}}),
        ({"detail": {"$or": [{"numeric": [">", 0]}, {"prefix": "x"}]}}, {"detail": {"$or": 5}}),
    ],
)
def test_what_does_not_read_as_alternatives_is_a_field_of_that_name(pattern, event):
    assert matches(pattern, event)
    assert not matches(pattern, {"source": "s"})


@given(st.lists(TEXT, min_size=1, max_size=3), SCALAR)
def test_anything_but_takes_what_its_list_does_not(words, value):
    assert passes({"anything-but": words}, value) != any(passes({"exactly": word}, value) for word in words)


@given(st.lists(TEXT.filter(bool), min_size=1, max_size=3), SCALAR, st.sampled_from(["prefix", "suffix", "equals-ignore-case"]))
def test_anything_but_an_operator_is_its_opposite(words, value, operator):
    assert passes({"anything-but": {operator: words}}, value) != any(passes({operator: word}, value) for word in words)


@given(st.lists(st.text("ab.", max_size=3), min_size=1, max_size=4), st.text("ab.", max_size=12))
def test_a_wildcard_is_a_regular_expression_with_dot_star(pieces, text):
    wildcard = re.sub(r"\*+", "*", "*".join(pieces))
    expression = ".*".join(re.escape(piece) for piece in wildcard.split("*"))
    assert passes({"wildcard": wildcard}, text) == (re.fullmatch(expression, text, re.DOTALL) is not None)


@given(st.lists(SCALAR, max_size=4), st.lists(SCALAR, min_size=1, max_size=3))
def test_an_array_matches_if_one_of_its_elements_does(array, literals):
    assert matches({"a": literals}, {"a": array}) == any(matches({"a": literals}, {"a": value}) for value in array)


@given(SCALAR, SCALAR)
def test_a_literal_matches_what_json_calls_equal(one, other):
    number = (int, float)
    same = (
        isinstance(one, bool) == isinstance(other, bool)
        and (isinstance(one, number) == isinstance(other, number))
        and one == other
    )
    assert passes(one, other) == same


@given(st.dictionaries(st.sampled_from("abc"), SCALAR, min_size=1))
def test_the_order_of_fields_does_not_matter(event):
    pattern = {name: [value] for name, value in event.items()}
    assert Pattern(pattern).matches(dict(reversed(event.items())))
    assert Pattern(dict(reversed(pattern.items()))).matches({**event, "more": 1})
