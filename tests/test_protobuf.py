"""Protobuf messages: real bytes, what is written and read of them, and that what is called compatible is read."""

import re

import pytest
from google.protobuf import json_format
from google.protobuf.message_factory import GetMessageClass
from hypothesis import assume, event, given
from hypothesis import strategies as st

from edakit.schema import Registry, check
from edakit.schema.proto_data import message_types, read, write

ORDER = """
syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";

message Order {
  string id = 1;  // a comment
  double total = 2;
  Status status = 3;
  repeated Line lines = 4;
  map<string, int64> counts = 5;
  map<int32, Line> shelves = 6;
  optional string note = 7;
  oneof payment { string card = 8; bytes token = 9; }
  google.protobuf.Timestamp at = 10;
  repeated sint32 moves = 11;

  message Line { string sku = 1; uint32 pieces = 2; }
  enum Status { NEW = 0; PAID = 1; SENT = 1; }
  reserved 20;
}
message Refund { string id = 1; }
"""
FULL = {
    "id": "42", "total": 9.5, "status": "PAID", "lines": [{"sku": "tea", "pieces": 2}], "counts": {"a": -1, "b": 1 << 40},
    "shelves": {7: {"sku": "cup", "pieces": 1}}, "note": "", "token": b"\x00\xff", "at": {"seconds": 5, "nanos": 1}, "moves": [-3, 4],
}  # fmt: skip
EMPTY = {"id": "", "total": 0.0, "status": "NEW", "lines": [], "counts": {}, "shelves": {}, "moves": []}


def again(data, wrote=ORDER, reads=None, message=None):
    return read(wrote, reads or wrote, write(wrote, data, {}, message), {}, {})


def test_what_is_written_is_read():
    assert again(FULL) == FULL
    assert again({}) == EMPTY, "fields that know whether they were written are left out"
    assert again({"note": None, "at": {}, "card": ""}) == {**EMPTY, "at": {"seconds": 0, "nanos": 0}, "card": ""}


def test_the_bytes_are_those_of_the_library():
    """The same data, given to the library as JSON."""
    by_hand = GetMessageClass(message_types(ORDER, ())["shop.Order"][1])()
    json_format.ParseDict({**FULL, "token": "AP8=", "at": "1970-01-01T00:00:05.000000001Z"}, by_hand)
    assert write(ORDER, FULL, {}) == b"\x00" + by_hand.SerializeToString(deterministic=True)


def test_a_field_is_its_number_and_its_encoding():
    schema = 'syntax = "proto3"; message Order { int32 id = 1; string note = 2; fixed32 at = 3; repeated int32 many = 4; sint32 z = 5; }'
    data = {"id": 150, "note": "hi", "at": 1, "many": [1, 2], "z": -1}
    assert write(schema, data, {}).hex(" ") == "00 08 96 01 12 02 68 69 1d 01 00 00 00 22 02 01 02 28 01"


@pytest.mark.parametrize(
    ("message", "index"),
    [(None, "00"), ("Order", "00"), ("shop.Order", "00"), ("Refund", "02 02"), ("Order.Line", "04 00 00"), ("Line", "04 00 00")],
)
def test_the_index_says_which_message_of_the_file_it_is(message, index):
    """The list of indexes is written with its length before it, each as a zigzag number, and [0] as one zero byte."""
    assert write(ORDER, {}, {}, message).hex(" ") == index
    assert again({"id": "1"}, message="Refund") == {"id": "1"}
    assert read(ORDER, ORDER, b"\x02\x00\x0a\x011", {}, {}) == {**EMPTY, "id": "1"}, "[0] may be written in full too"


def test_an_index_of_two_bytes():
    schema = 'syntax = "proto3"; ' + " ".join(f"message M{n} {{ int32 n = {n + 1}; }}" for n in range(70))
    assert write(schema, {"n": 1}, {}, "M69")[:3].hex(" ") == "02 8a 01"
    assert again({"n": 1}, schema, message="M69") == {"n": 1}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"idd": "1"}, "Order.idd: no field named 'idd'; known: at, card"),
        ({"id": 1}, "Order.id: 1 is no string"),
        ({"total": True}, "Order.total: True is no double"),
        ({"lines": [{}, {"pieces": "x"}]}, "Order.lines[1].pieces: 'x' is no uint32"),
        ({"lines": [{"pieces": -1}]}, "Order.lines[0].pieces: -1 does not fit: Value out of range"),
        ({"lines": {"sku": "a"}}, "Order.lines: {'sku': 'a'} is no list"),
        ({"counts": {"a": 1.5}}, "Order.counts['a']: 1.5 is no int64"),
        ({"counts": {3: 1}}, "Order.counts: 3 is no string"),
        ({"shelves": {1: {"sko": 1}}}, "Order.shelves[1].sko: no field named 'sko'; known: pieces, sku"),
        ({"status": "PAYED"}, "Order.status: no constant of Status named 'PAYED'; known: NEW, PAID, SENT"),
        ({"status": 1.0}, "Order.status: 1.0 is no constant of Status"),
        ({"token": "text"}, "Order.token: 'text' is no bytes"),
        ({"card": "1", "token": b""}, "Order.token: card is given too, and only one of payment can be"),
        ({"at": 5}, "Order.at: 5 is no dict of fields"),
        (7, "Order: 7 is no dict of fields"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(data, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        write(ORDER, data, {})


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ('syntax = "proto3"; message A { string a = 1; string b = 1; }', "duplicate field number"),
        ('syntax = "proto3"; message A { Nope a = 1; }', "couldn't resolve name 'Nope'"),
        ('syntax = "proto3"; message A { required string a = 1; }', "cannot be required"),
        ('syntax = "proto3"; import "b.proto"; message A {}', "import 'b.proto': no reference named 'b.proto'"),
        ('edition = "2023"; message A {}', "syntax must be proto2 or proto3"),
        ("nonsense", "line 1, column 0"),
    ],
)
def test_a_file_that_makes_no_messages_is_refused_when_it_is_registered(schema, says):
    registry = Registry()
    with pytest.raises(ValueError, match=re.escape(says)):
        registry.register("orders", schema, "protobuf")
    assert registry.subjects() == []


@pytest.mark.parametrize(
    ("body", "says"), [(b"\x00\x0a\x09a", "is no shop.Order"), (b"\x02\x10", r"no message named 'number \[8\]'")]
)
def test_bytes_that_are_no_message_are_refused(body, says):
    with pytest.raises(ValueError, match=says):
        read(ORDER, ORDER, body, {}, {})


def test_a_reader_without_the_type_says_which_it_has():
    with pytest.raises(ValueError, match=r"no message named 'shop.Order'; known: shop.Refund, shop.Sale"):
        again({}, reads=ORDER.replace("message Order", "message Sale"))


PROTO2 = """
message Order {
  required string id = 1;
  optional int32 pieces = 2 [default = 7];
  optional string text = 3 [default = "say \\"hi\\""];
  optional Size size = 4 [default = L];
  optional bytes raw = 5 [default = "\\001"];
  optional bool open = 6 [default = true];
  optional double rate = 7 [default = -1.5];
  optional string plain = 8;
  repeated int32 packed = 9 [packed = true];
  repeated int32 loose = 10;
  enum Size { S = 0; L = 1; }
}
"""


def test_proto2_has_defaults_of_its_own_and_required_fields():
    there = {"id": "1", "packed": [], "loose": []}
    given_by_default = {"pieces": 7, "text": 'say "hi"', "size": "L", "raw": b"\x01", "open": True, "rate": -1.5}
    assert again({"id": "1"}, PROTO2) == {**there, **given_by_default}
    assert write(PROTO2, {"id": "", "packed": [1, 2], "loose": [1, 2]}, {}).hex(" ") == "00 0a 00 4a 02 01 02 50 01 50 02"
    with pytest.raises(ValueError, match="Order: required and missing: id"):
        write(PROTO2, {}, {})
    with pytest.raises(ValueError, match=r"Order.size: 5 does not fit"):
        write(PROTO2, {"id": "", "size": 5}, {})


def schema(*fields, syntax="proto3"):
    return f'syntax = "{syntax}"; message Order {{ enum Status {{ NEW = 0; PAID = 1; }} {" ".join(fields)} }}'


OLD, NEW = schema("string id = 1;", "Status status = 2;"), schema("string id = 1;", "Status status = 2;", "string note = 3;")


def test_a_new_reader_reads_old_bytes_and_an_old_one_reads_new():
    assert check(NEW, OLD, "FULL", "protobuf") == []
    assert again({"id": "1"}, OLD, NEW) == {"id": "1", "status": "NEW", "note": ""}
    assert again({"id": "1", "note": "ring"}, NEW, OLD) == {"id": "1", "status": "NEW"}, "an unknown number is skipped"


def test_the_librarys_own_messages_keep_what_they_do_not_know_and_a_dict_does_not():
    body = write(NEW, {"id": "1", "note": "ring"}, {})
    kept = GetMessageClass(message_types(OLD, ())["Order"][1]).FromString(body[1:])
    assert kept.SerializeToString() == body[1:]
    assert write(OLD, read(NEW, OLD, body, {}, {}), {}) == b"\x00\x0a\x011"


def test_a_constant_that_the_reader_does_not_know_is_its_number_and_in_proto2_not_there():
    more = OLD.replace("PAID = 1;", "PAID = 1; SENT = 2;")
    assert check(OLD, more, format="protobuf") == []
    assert again({"status": "SENT"}, more, OLD) == {"id": "", "status": 2}
    two, two_more = (
        each.replace("proto3", "proto2").replace("string", "optional string").replace("Status status", "optional Status status")
        for each in (OLD, more)
    )
    assert again({"status": "SENT"}, two_more, two) == {}


def test_a_field_in_another_encoding_counts_as_not_written_and_check_said_so():
    number, text = schema("int32 order = 1;", "string note = 2;"), schema("string order = 1;", "string note = 2;")
    assert again({"order": 42, "note": "x"}, number, text) == {"order": "", "note": "x"}
    assert [each.kind for each in check(text, number, format="protobuf")] == ["field_scalar_kind_changed"]


def test_a_number_with_a_new_meaning_is_read_and_no_check_says_so():
    """Why a number is never used twice."""
    old, new = schema("string coupon = 4;"), schema("string gift_note = 4;")
    assert check(new, old, "FULL", "protobuf") == []
    assert again({"coupon": "SPRING"}, old, new) == {"gift_note": "SPRING"}


TYPES = {  # values that every type of the same encoding has
    **{f"{kind}{bits}": [0, 1] for kind in ("int", "uint", "sint", "fixed", "sfixed") for bits in (32, 64)},
    "bool": [False, True], "float": [0.0, 1.5], "double": [0.0, 1.5], "string": ["", "é"], "bytes": [b"", b"b"],
    "Status": ["NEW", "PAID"], "Inner": [{}, {"n": 1}],
}  # fmt: skip
LABELS = {"proto3": ["", "", "optional ", "repeated ", "map"], "proto2": ["optional ", "optional ", "repeated ", "required "]}
INNER = "message Inner { %s int32 n = 1; }"


@st.composite
def protos(draw):
    """A schema of four numbers at most, as {number: (label, type, oneof)}, and its syntax."""
    syntax = draw(st.sampled_from(["proto3", "proto3", "proto2"]))
    fields = {}
    for number in draw(st.lists(st.integers(1, 4), unique=True, max_size=4)):
        oneof = draw(st.sampled_from(["", "", "", "a", "b"]))
        label = "" if oneof else draw(st.sampled_from(LABELS[syntax]))
        fields[number] = label, draw(st.sampled_from([*TYPES, "int32", "string"])), oneof
    return syntax, fields


@st.composite
def changed(draw, proto):
    """The same with one field changed or gone, or another added."""
    syntax, fields = proto
    _, other = draw(protos().filter(lambda found: found[0] == syntax))
    number = draw(st.integers(1, 4))
    return syntax, {each: field for each, field in {**fields, number: other.get(number)}.items() if field}


def text(proto, prefix):
    """The .proto file; the names of its fields begin with the prefix, so that no name says what a number is."""
    syntax, fields = proto
    lines = {"": [], "a": [], "b": []}
    for number, (label, type, oneof) in fields.items():
        typed = f"map<string, {type}>" if label == "map" else f"{label}{type}"
        lines[oneof].append(f"{typed} {prefix}{number} = {number};")
    groups = [f"oneof {name} {{ {' '.join(lines[name])} }}" for name in "ab" if lines[name]]
    inner = INNER % ("optional" if syntax == "proto2" else "")
    return schema(*lines[""], *groups, inner, syntax=syntax)


@st.composite
def orders(draw, proto, prefix):
    """Data of such a schema, with one member of a oneof at most."""
    data, taken = {}, set()
    for number, (label, type, oneof) in proto[1].items():
        if (label != "required " and draw(st.booleans())) or oneof in taken:
            continue
        taken |= {oneof} - {""}
        one = st.sampled_from(TYPES[type])
        several = {"repeated ": st.lists(one, max_size=2), "map": st.dictionaries(st.sampled_from("kl"), one, max_size=2)}
        data[f"{prefix}{number}"] = draw(several.get(label, one))
    return data


def plain(value):
    """What is equal in all types of an encoding: a number is a number, text its bytes, a constant its number, several values the last."""
    if isinstance(value, list):
        return plain(value[-1]) if value else None
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items() if plain(each)} or None
    if isinstance(value, str) and value in TYPES["Status"]:
        return plain(TYPES["Status"].index(value))
    return (value.encode() if isinstance(value, str) else value) or None


@given(st.data(), protos())
def test_what_protobuf_calls_compatible_the_library_reads_with_the_same_values(data, old):
    """Within what all types of an encoding can hold; a field that was not written is as good as its zero."""
    new = data.draw(changed(old) | protos())
    before, after = text(old, "old"), text(new, "new")
    found = check(after, before, format="protobuf")
    event("refused" if found else "compatible")
    assume(not found)
    written = data.draw(orders(old, "old"))
    got = again(written, before, after)
    for number in old[1].keys() & new[1].keys():
        was, now = plain(written.get(f"old{number}")), plain(got.get(f"new{number}"))
        assert (was or None) == (now or None), (number, before, after)


@given(st.data(), protos())
def test_data_of_any_schema_comes_back(data, proto):
    written = data.draw(orders(proto, "f"))
    got = again(written, text(proto, "f"))
    assert {name: plain(value) for name, value in got.items() if plain(value)} == {
        name: plain(value) for name, value in written.items() if plain(value)
    }
    assert again(got, text(proto, "f")) == got
