"""Events: JSON, frozen, and CloudEvents on the outside."""

import copy
import json
import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edakit.errors import PayloadError
from edakit.event import NOTHING, Event, Frozen, freeze, new_event, thaw

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@given(JSON)
def test_freezing_keeps_the_value_and_is_done_once(data):
    frozen = freeze(data)
    assert json.loads(json.dumps(frozen)) == data
    assert freeze(frozen) == frozen


@given(st.dictionaries(st.text(), JSON, min_size=1, max_size=3))
def test_what_is_frozen_does_not_change_with_what_it_was_made_from(data):
    before = json.dumps(data)
    frozen = freeze(data)
    data.clear()
    assert json.dumps(frozen) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.__setitem__("a", 1),
        lambda data: data.__delitem__("a"),
        lambda data: data.update(a=1),
        lambda data: data.pop("a"),
        lambda data: data.popitem(),
        lambda data: data.setdefault("b", 1),
        lambda data: data.clear(),
        lambda data: data.__ior__({"a": 1}),
        lambda data: data["inner"].update(x=2),
    ],
)
def test_a_change_is_refused_with_the_cure_and_changes_nothing(change):
    data = freeze({"a": 0, "inner": {"x": 1}, "list": [1, 2]})
    with pytest.raises(PayloadError, match=r"cannot be changed: build a new dict, \{\*\*event\.data"):
        change(data)
    assert data == {"a": 0, "inner": {"x": 1}, "list": (1, 2)}


@given(JSON)
def test_thawed_data_is_plain_and_can_be_changed(data):
    assert thaw(freeze(data)) == data
    assert type(thaw(freeze({"a": data}))) is dict


def test_frozen_data_can_be_copied_and_pickled():
    data = freeze({"a": {"b": [1]}})
    for twin in (copy.deepcopy(data), copy.copy(data), pickle.loads(pickle.dumps(data))):
        assert twin == data
        assert type(twin) is Frozen
    assert {**data, "c": 2} == {"a": {"b": (1,)}, "c": 2}


class Total(float):
    pass


CYCLE: list = []
CYCLE.append(CYCLE)


@pytest.mark.parametrize(
    ("data", "where"),
    [
        ({"when": object()}, r"data\['when'\] is <object"),
        ({"a": [1, {2, 3}]}, r"data\['a'\]\[1\] is \{2, 3\} \(set\), which is not JSON"),
        ({"a": b"bytes"}, r"data\['a'\] is b'bytes' \(bytes\)"),
        ({"a": math.nan}, r"data\['a'\] is nan: JSON has no infinity and no NaN"),
        (math.inf, "data is inf"),
        ({42: 1}, "data has the name 42: names in JSON are strings"),
        ({"a": {None: 1}}, r"data\['a'\] has the name None"),
        ({"a": Total(1)}, r"data\['a'\] is 1\.0 \(Total\)"),
        ({"a": 1j}, r"\(complex\)"),
        (CYCLE, "contains itself, or is nested too deeply"),
    ],
)
def test_what_is_not_json_is_named_with_its_place(data, where):
    with pytest.raises(PayloadError, match=where):
        freeze(data)


def an_event(**changes) -> Event:
    fields = {
        "id": "order-42.placed.1", "type": "order.placed", "source": "web", "data": freeze({"order": 42}), "key": "42",
        "ns": 1_500_000_000, "causation": None, "correlation": "order-42.placed.1", "extensions": NOTHING,
    }  # fmt: skip
    return Event(**{**fields, **changes})


def test_an_event_cannot_be_changed():
    with pytest.raises(AttributeError):
        an_event().key = "43"


def test_time_is_in_seconds_and_the_repr_is_the_id():
    assert an_event().time == 1.5
    assert repr(an_event()) == "<event order-42.placed.1>"


def test_an_event_made_quickly_is_an_event():
    assert new_event(tuple(an_event())) == an_event()


def test_the_envelope_is_that_of_cloudevents():
    assert an_event(causation="x.1").to_dict() == {
        "specversion": "1.0", "id": "order-42.placed.1", "source": "web", "type": "order.placed",
        "time": "2000-01-01T00:00:01.500000000Z", "correlationid": "order-42.placed.1", "partitionkey": "42",
        "causationid": "x.1", "data": {"order": 42},
    }  # fmt: skip
    assert "partitionkey" not in an_event(key=None).to_dict()


@given(st.integers(0, 10**18), JSON)
def test_the_envelope_is_json_with_names_that_cloudevents_allows(ns, data):
    envelope = an_event(ns=ns, data=freeze(data)).to_dict()
    assert json.loads(json.dumps(envelope))["data"] == data
    assert all(name.isalnum() and name == name.lower() for name in envelope)
