"""CloudEvents 1.0: what is read and what is refused, JSON, HTTP and Kafka there and back; and the W3C trace header."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edakit.errors import EnvelopeError, PayloadError
from edakit.event import NOTHING, Event, freeze, parse_traceparent
from edakit.units import SECOND

LEAST = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "order.placed"}

WORD = st.text(st.characters(codec="ascii", categories=["L", "N"]) | st.sampled_from(' é€😀"%'), min_size=1, max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4), lambda inner: st.lists(inner, max_size=2), max_leaves=4
)
ENVELOPES = st.builds(
    lambda required, optional: {**LEAST, **required, **{name: value for name, value in optional.items() if value is not None}},
    st.fixed_dictionaries({"id": WORD, "type": WORD}),
    st.fixed_dictionaries(
        {
            "subject": st.none() | WORD,
            "time": st.none() | st.sampled_from(["2026-03-12T10:00:00Z", "1999-12-31T23:59:60.25+01:30"]),
            "partitionkey": st.none() | WORD,
            "correlationid": st.none() | WORD,
            "causationid": st.none() | WORD,
            "anotherone": st.none() | WORD,
        }
    ),
)


@given(ENVELOPES, st.booleans(), JSON)
def test_an_event_goes_out_as_it_came(envelope, with_data, data):
    envelope = {**envelope, "data": data} if with_data else envelope
    assert json.loads(json.dumps(Event.from_dict(envelope).to_dict())) == envelope


@given(ENVELOPES, JSON.filter(lambda data: data is not None), st.booleans())
def test_http_and_kafka_bring_it_back(envelope, data, structured):
    event = Event.from_dict({**envelope, "datacontenttype": "application/json", "data": data})
    assert Event.from_http(*event.to_http(structured=structured)) == event
    key, value, headers = event.to_kafka(structured=structured)
    assert Event.from_kafka(headers, value, key) == event


@given(st.binary(min_size=1))
def test_bytes_are_base64_in_json_and_themselves_elsewhere(data):
    event = Event.from_dict({**LEAST, "datacontenttype": "image/png"})._replace(data=data, extensions=NOTHING)
    assert Event.from_dict(event.to_dict()).data == data
    assert event.to_http().body == event.to_kafka().value == data
    assert Event.from_http(*event.to_http(structured=True)).data == data


def test_an_event_of_the_lab_comes_back_as_itself():
    event = Event("order-42.placed.1", "order.placed", "web", freeze({"total": 9.9}), "42", 1_500_000_000, "x.1", "x.0")
    again = Event.from_dict(json.loads(json.dumps(event.to_dict())))
    assert again[:8] == event[:8]
    assert again.to_dict() == event.to_dict()
    headers, body = event.to_http()
    assert headers["ce-time"] == "2000-01-01T00:00:01.500000000Z"
    assert headers["content-type"] == "application/json"
    assert Event.from_http(headers, body)[:8] == event[:8]


def test_what_an_event_from_outside_becomes():
    event = Event.from_dict(
        {**LEAST, "time": "2000-01-01T01:00:00.5+01:00", "partitionkey": "42", "subject": "s", "n": 5, "data": {"a": [1]}}
    )
    assert (event.key, event.ns, event.causation, event.correlation) == ("42", SECOND // 2, None, "1")
    assert event.data == {"a": (1,)}
    assert event.extensions["subject"] == "s"
    assert event.extensions["n"] == 5
    with pytest.raises(PayloadError):
        event.data["a"] = 2


@pytest.mark.parametrize(
    "more",
    [
        {"subject": None},
        {"unset": None},
        {"data": None},
        {"data": 1.5},
        {"data": [1]},
        {"data": "text"},
        {"data_base64": "eA=="},
        {"data": 1, "data_base64": None},
        {"e": True},
        {"e": -(2**31)},
        {"e": ""},
        {"a" * 40: "x"},
        {"time": "2018-04-05T17:31:00Z"},
        {"time": "2018-04-05t17:31:00.123456789123z"},
        {"time": "2016-12-31T23:59:60-05:30"},
        {"dataschema": "urn:x"},
        {"source": "1-555-123"},
        {"datacontenttype": "application/json; charset=utf-8"},
        {"source": "mailto:a@b.c"},
        {"source": "/caf%C3%A9"},
    ],
)
def test_valid(more):
    assert Event.from_dict({**LEAST, **more}).type == "order.placed"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        *[({name: None}, f"{name} is missing") for name in LEAST],
        *[({name: ""}, f"{name}='': ") for name in (*LEAST, "subject", "dataschema", "datacontenttype", "time")],
        *[({name: 1234}, f"{name}=1234: a string") for name in (*LEAST, "subject", "dataschema", "datacontenttype", "time")],
        *[({name: "x"}, "lower-case letters a-z and digits only") for name in ("an ext", "an_ext", "an-ext", "Ext", "", "é")],
        ({"specversion": "0.3"}, "1.0 is the version"),
        ({"source": "my shop"}, "a URI or a relative reference"),
        ({"source": "/%zz"}, "a URI"),
        ({"dataschema": "schema"}, "a URI with its scheme"),
        ({"datacontenttype": "json"}, "a media type"),
        ({"time": "2026-03-12T10:00:00"}, "with its offset"),
        ({"time": "2026-03-12"}, "RFC 3339"),
        ({"time": "2026-02-30T10:00:00Z"}, "RFC 3339"),
        ({"time": "2026-03-12T24:00:00Z"}, "RFC 3339"),
        ({"time": "2026-03-12T10:00:00+0100"}, "RFC 3339"),
        ({"time": True}, "time=True: a string"),
        ({"e": 1.5}, "a string, a whole number, true or false"),
        ({"e": [1]}, "a string, a whole"),
        ({"e": {}}, "a string"),
        ({"e": 2**31}, "32 bits"),
        ({"e": "a\nb"}, "has the character"),
        ({"id": "a\x7f"}, "has the character"),
        ({"e": "\ufffe"}, "has the character"),
        ({"e": "\ud800"}, "has"),
        ({"data": "x", "data_base64": "eA=="}, "one of them"),
        ({"data": None, "data_base64": "eA=="}, "one of them"),
        ({"data_base64": "***"}, "as Base64"),
        ({"data_base64": 5}, "as Base64"),
    ],
)
def test_invalid(more, message):
    with pytest.raises(EnvelopeError, match=message) as caught:
        Event.from_dict({**LEAST, **more})
    assert isinstance(caught.value, ValueError)


def test_data_that_is_no_json_is_refused_as_everywhere():
    with pytest.raises(PayloadError, match=r"data\['a'\]"):
        Event.from_dict({**LEAST, "data": {"a": {1}}})
    with pytest.raises(EnvelopeError, match="an event is a JSON object, not 'x'"):
        Event.from_dict("x")


HEADERS = {f"ce-{name}": value for name, value in LEAST.items()}


def test_header_values_are_percent_encoded():
    event = Event.from_dict({**LEAST, "subject": 'Euro € 😀 "50%"', "flag": True, "n": -5})
    headers = event.to_http().headers
    assert headers["ce-subject"] == "Euro%20%E2%82%AC%20%F0%9F%98%80%20%2250%25%22"
    assert (headers["ce-flag"], headers["ce-n"]) == ("true", "-5")
    for written in ("Hello%20World!", '"Hello World!"', "%48ello%20%57orld!", '  "Hello \\World!"\t'):
        assert Event.from_http({**HEADERS, "Ce-Subject": written}).extensions["subject"] == "Hello World!"
    with pytest.raises(EnvelopeError, match="no UTF-8"):
        Event.from_http({**HEADERS, "ce-subject": "%C0%A0"})


@pytest.mark.parametrize(
    ("content_type", "body", "data"),
    [
        ("application/json", b'{"a": 1}', {"a": 1}),
        ("application/vnd.api+json; charset=utf-8", '"x"', "x"),
        ("TEXT/JSON", b"1", 1),
        ("text/plain", b"1", "1"),
        ("application/xml", "<a/>", "<a/>"),
        ("application/octet-stream", b"\xff\xfe", b"\xff\xfe"),
        ("application/json", b"", None),
        (None, b"", None),
        (None, b"text", "text"),
    ],
)
def test_data_is_read_by_its_content_type(content_type, body, data):
    http = HEADERS if content_type is None else {**HEADERS, "Content-Type": content_type}
    kafka = [(name.replace("ce-", "CE_").replace("Content-Type", "content-type"), value.encode()) for name, value in http.items()]
    for event in (Event.from_http(http, body), Event.from_kafka(kafka, body, b"key")):
        assert event.data == data
        assert event.extensions.get("datacontenttype") == content_type
    assert event.key == "key"


def test_the_modes_are_told_apart_by_the_content_type():
    body = json.dumps({**LEAST, "data": {"a": 1}})
    for kind in ("application/cloudevents+json", "Application/CloudEvents+JSON; charset=utf-8"):
        assert Event.from_http([("content-type", kind), ("ce-id", "other")], body).id == "1"
        assert Event.from_kafka({"content-type": kind.encode()}, body.encode()).data == {"a": 1}
    for kind in ("application/cloudevents-batch+json", "application/cloudevents+avro"):
        with pytest.raises(EnvelopeError, match="one event as application/cloudevents\\+json"):
            Event.from_http({"content-type": kind}, body)


@pytest.mark.parametrize(
    ("headers", "body", "message"),
    [
        ({}, b"", "specversion is missing"),
        ({**HEADERS, "ce-datacontenttype": "text/plain"}, b"", "content-type header and nowhere else"),
        ({**HEADERS, "ce-data": "x"}, b"", "data is reserved"),
        ({**HEADERS, "content-type": "application/json"}, b"{", "not the JSON it says"),
        ({"content-type": "application/cloudevents+json"}, b"[1]", "a JSON object"),
        ({"content-type": "application/cloudevents+json"}, b"\xff", "not the JSON"),
    ],
)
def test_a_message_that_is_no_event(headers, body, message):
    with pytest.raises(EnvelopeError, match=message):
        Event.from_http(headers, body)


def test_in_kafka_an_event_without_data_is_a_tombstone_and_its_key_is_the_partition_key():
    key, value, headers = Event.from_dict({**LEAST, "partitionkey": "ü"}).to_kafka()
    assert (key, value) == ("ü".encode(), None)
    assert ("ce_partitionkey", "ü".encode()) in headers
    assert Event.from_dict(LEAST).to_kafka(structured=True).value is not None
    with pytest.raises(EnvelopeError, match="UTF-8"):
        Event.from_kafka([("ce_id", b"\xff")])


TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize(
    "header",
    [f"00-{TRACE}-{PARENT}-01", f" \t00-{TRACE}-{PARENT}-ff\t", f"cc-{TRACE}-{PARENT}-03", f"cc-{TRACE}-{PARENT}-01-more.."],
)
def test_a_trace_is_continued(header):
    found = parse_traceparent(header)
    assert (found.trace_id, found.parent_id, found.version, found.sampled) == (TRACE, PARENT, header.strip()[:2], True)
    assert not parse_traceparent(f"00-{TRACE}-{PARENT}-02").sampled


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        f"00-{TRACE}-{PARENT}-01.",
        f"00-{TRACE}-{PARENT}-01-more",
        f"cc-{TRACE}-{PARENT}-01.more",
        f"ff-{TRACE}-{PARENT}-01",
        f"000-{TRACE}-{PARENT}-01",
        f"0-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE[1:]}-{PARENT}-01",
        f"00-{TRACE}a-{PARENT}-01",
        f"00-{TRACE}-{PARENT[1:]}-01",
        f"00-{TRACE}-{PARENT}-1",
        f"00-{TRACE}-{PARENT}-0.",
        f"00_{TRACE}_{PARENT}_01",
        f"00-{TRACE}-{PARENT}-01\n",
        None,
        b"00",
    ],
)
def test_a_new_trace_begins(header):
    with pytest.raises(EnvelopeError, match="traceparent"):
        parse_traceparent(header)
