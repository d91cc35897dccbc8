"""Cases of the real systems' own suites, for the functions that stand alone. They are kept elsewhere: EDAKIT_CONFORMANCE names the
folder, and without it these tests are skipped. Topics are in test_exchange.py, hashes in test_partition.py.
"""

import json
import os
from pathlib import Path

import pytest

from edakit.broker import headers_match
from edakit.event import Event, parse_traceparent

FOLDER = os.environ.get("EDAKIT_CONFORMANCE")
pytestmark = pytest.mark.skipif(not FOLDER, reason="EDAKIT_CONFORMANCE names no folder")


def cases(file: str, part: str) -> list:
    """The rows of one part of a file; none without the folder."""
    return json.loads((Path(FOLDER) / file).read_text(encoding="utf-8"))[part] if FOLDER else []


def attributes(event: Event) -> dict:
    """What an event says of itself, without its data."""
    return {name: value for name, value in event.to_dict().items() if name not in ("data", "data_base64")}


@pytest.mark.parametrize(
    "case", cases("amqp-topic-match.json", "headers_cases"), ids=lambda case: str(case.get("note", case["x_match"]))[:50]
)
def test_a_headers_binding(case):
    arguments = case["arguments"] if case["x_match"] is None else {**case["arguments"], "x-match": case["x_match"]}
    assert headers_match(arguments, case["headers"]) == case["routed"]


@pytest.mark.parametrize(
    "case", cases("amqp-topic-match.json", "headers_binding_validation"), ids=lambda case: str(case["x_match"])
)
def test_a_headers_binding_is_refused_or_not(case):
    arguments = {"a": "b"} if case["x_match"] is None else {"a": "b", "x-match": case["x_match"]}
    try:
        headers_match(arguments, {})
    except ValueError:
        assert not case["valid"]
    else:
        assert case["valid"]


@pytest.mark.parametrize("case", cases("cloudevents.json", "validation"), ids=lambda case: case["id"])
def test_an_envelope_is_an_event_or_not(case):
    if case["valid"]:
        said = {name: value for name, value in case["event"].items() if value is not None or name == "data"}
        assert Event.from_dict(case["event"]).to_dict() == said
    else:
        with pytest.raises(ValueError):
            Event.from_dict(case["event"])


@pytest.mark.parametrize("case", cases("cloudevents.json", "json_serialization"))
def test_data_in_json(case):
    member = "data_base64" if case["data_kind"] == "bytes_base64" else "data"
    envelope = Event.from_dict({**case["attributes"], member: case["data"]}).to_dict()
    assert envelope == {**case["attributes"], case["json_member"]: case["json_value"]}


@pytest.mark.parametrize("case", cases("cloudevents.json", "bindings"), ids=lambda case: case["binding"])
def test_a_message_is_an_event(case):
    read = Event.from_http if case["binding"].startswith("http") else Event.from_kafka
    event = read(case["headers"], case["body"])
    assert attributes(event) == case["expect"]["attributes"]
    assert event.data == case["expect"]["data"]


@pytest.mark.parametrize("case", cases("traceparent.json", "traceparent"), ids=lambda case: case["id"])
def test_a_trace_is_continued_or_not(case):
    if case["valid"]:
        assert parse_traceparent(case["traceparent"])._asdict() == {
            name: case[name] for name in ("version", "trace_id", "parent_id", "flags")
        }
    else:
        with pytest.raises(ValueError):
            parse_traceparent(case["traceparent"])
