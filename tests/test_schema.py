"""Schemas: what each format can bear, in which mode; and that what is called compatible can be read."""

import io
import json

import fastavro
import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from edakit.schema import MODES, check


def record(*fields, name="Order", **more):
    return {"type": "record", "name": name, "fields": list(fields), **more}


def field(name, type, **more):
    return {"name": name, "type": type, **more}


ORDER = record(field("id", "string"), field("total", "int"))
WITH_NOTE = record(*ORDER["fields"], field("note", "string", default=""))
MUST_NOTE = record(*ORDER["fields"], field("note", "string"))
TREE = record(field("value", "int"), field("left", ["null", "Tree"], default=None), name="Tree")

AVRO = {
    "a field with a default is added": (ORDER, WITH_NOTE, []),
    "a field without a default is added": (ORDER, MUST_NOTE, ["reader_field_missing_default_value"]),
    "a field is removed": (MUST_NOTE, ORDER, []),
    "a field is renamed": (ORDER, record(field("id", "string"), field("sum", "int")), ["reader_field_missing_default_value"]),
    "a field is renamed with an alias": (ORDER, record(field("id", "string"), field("sum", "int", aliases=["total"])), []),
    "a number is wider": ("int", "double", []),
    "a number is narrower": ("double", "float", ["type_mismatch"]),
    "text becomes bytes": ("string", "bytes", []),
    "a type becomes a union": ("string", ["null", "string"], []),
    "a union becomes a type": (["null", "string"], "string", ["type_mismatch"]),
    "a union grows": (["null", "int"], ["null", "int", "string"], []),
    "a union shrinks": (["null", "int", "string"], ["null", "int"], ["missing_union_branch"]),
    "a union is met by promotion": (["null", "int"], ["null", "long"], []),
    "a type the union has not": ("boolean", ["null", "string"], ["missing_union_branch"]),
    "a symbol is added": ({"type": "enum", "name": "E", "symbols": ["A"]}, {"type": "enum", "name": "E", "symbols": ["A", "B"]}, []),
    "a symbol is removed": (
        {"type": "enum", "name": "E", "symbols": ["A", "B"]}, {"type": "enum", "name": "E", "symbols": ["A"]}, ["missing_enum_symbols"],
    ),
    "a symbol is removed, with a default": (
        {"type": "enum", "name": "E", "symbols": ["A", "B"]}, {"type": "enum", "name": "E", "symbols": ["A"], "default": "A"}, [],
    ),
    "a fixed is longer": (
        {"type": "fixed", "name": "F", "size": 4}, {"type": "fixed", "name": "F", "size": 8}, ["fixed_size_mismatch"],
    ),
    "a record has another name": (ORDER, record(*ORDER["fields"], name="Purchase"), ["name_mismatch"]),
    "a record has another name and an alias": (ORDER, record(*ORDER["fields"], name="Purchase", aliases=["Order"]), []),
    "a record moves to a namespace": (ORDER, record(*ORDER["fields"], namespace="shop"), []),
    "items change": ({"type": "array", "items": "int"}, {"type": "array", "items": "string"}, ["type_mismatch"]),
    "values are wider": ({"type": "map", "values": "int"}, {"type": "map", "values": "long"}, []),
    "a tree is the same": (TREE, TREE, []),
    "a tree has other leaves": (TREE, record(field("value", "string"), *TREE["fields"][1:], name="Tree"), ["type_mismatch"]),
}  # fmt: skip


def thing(properties, required=(), **more):
    return {"type": "object", "properties": properties, "required": list(required), **more}


TEXT, NUMBER, WHOLE = {"type": "string"}, {"type": "number"}, {"type": "integer"}
CLOSED = {"additionalProperties": False}

JSON = {
    "an optional property in an open object": (
        thing({"a": TEXT}), thing({"a": TEXT, "b": TEXT}), ["optional_property_added_to_open_content_model"],
    ),
    "an optional property in a closed object": (thing({"a": TEXT}, **CLOSED), thing({"a": TEXT, "b": TEXT}, **CLOSED), []),
    "a required property in a closed object": (
        thing({"a": TEXT}, **CLOSED), thing({"a": TEXT, "b": TEXT}, ["b"], **CLOSED),
        ["required_property_added_to_unopen_content_model"],
    ),
    "a required property with a default in a closed object": (
        thing({"a": TEXT}, **CLOSED), thing({"a": TEXT, "b": {**TEXT, "default": ""}}, ["b"], **CLOSED), [],
    ),
    "a property leaves an open object": (thing({"a": TEXT, "b": TEXT}), thing({"a": TEXT}), []),
    "a property leaves a closed object": (
        thing({"a": TEXT, "b": TEXT}, **CLOSED), thing({"a": TEXT}, **CLOSED), ["property_removed_from_closed_content_model"],
    ),
    "a property leaves for what further ones may be": (
        thing({"a": TEXT}, additionalProperties=TEXT), thing({}, additionalProperties=TEXT), [],
    ),
    "a property is required": (thing({"a": TEXT}), thing({"a": TEXT}, ["a"]), ["required_attribute_added"]),
    "a property may be missing": (thing({"a": TEXT}, ["a"]), thing({"a": TEXT}), []),
    "an object is closed": (thing({"a": TEXT}), thing({"a": TEXT}, **CLOSED), ["additional_properties_removed"]),
    "an object is opened": (thing({"a": TEXT}, **CLOSED), thing({"a": TEXT}), []),
    "whole numbers become numbers": (WHOLE, NUMBER, []),
    "numbers become whole": (NUMBER, WHOLE, ["type_narrowed"]),
    "a type changes": (TEXT, NUMBER, ["type_changed"]),
    "a type more": (TEXT, {"type": ["string", "null"]}, []),
    "a type fewer": ({"type": ["string", "null"]}, TEXT, ["type_changed"]),
    "a limit comes": (NUMBER, {**NUMBER, "maximum": 5}, ["maximum_added"]),
    "a limit goes": ({**NUMBER, "maximum": 5}, NUMBER, []),
    "a limit is lower": ({**TEXT, "maxLength": 5}, {**TEXT, "maxLength": 4}, ["max_length_decreased"]),
    "a lower limit is lower": ({**TEXT, "minLength": 5}, {**TEXT, "minLength": 4}, []),
    "a multiple of less": ({**NUMBER, "multipleOf": 10}, {**NUMBER, "multipleOf": 5}, []),
    "a multiple of more": ({**NUMBER, "multipleOf": 0.5}, {**NUMBER, "multipleOf": 10}, ["multiple_of_expanded"]),
    "a choice more": ({"enum": ["a"]}, {"enum": ["a", 1]}, []),
    "a choice fewer": ({"enum": ["a", 1]}, {"enum": ["a"]}, ["enum_array_narrowed"]),
    "1 is not true": ({"enum": [1]}, {"enum": [True]}, ["enum_array_changed"]),
    "an alternative more": ({"oneOf": [TEXT]}, {"oneOf": [TEXT, NUMBER]}, []),
    "an alternative fewer": ({"oneOf": [TEXT, NUMBER]}, {"oneOf": [TEXT]}, ["sum_type_narrowed"]),
    "all must hold more": ({"allOf": [TEXT]}, {"allOf": [TEXT, {"minLength": 2}]}, ["product_type_extended"]),
    "more is forbidden": ({"not": WHOLE}, {"not": NUMBER}, ["not_type_extended"]),
    "anything goes": (TEXT, True, []),
    "nothing went": (False, TEXT, []),
    "through a reference": (
        {"$ref": "#/definitions/t", "definitions": {"t": TEXT}}, {"$ref": "#/definitions/n", "definitions": {"n": NUMBER}},
        ["type_changed"],
    ),
    "items are described": ({"type": "array"}, {"type": "array", "items": TEXT}, ["schema_added"]),
    "an item once only": ({"type": "array"}, {"type": "array", "uniqueItems": True}, ["unique_items_added"]),
}  # fmt: skip


def message(*fields, name="Order", syntax="proto3", package="shop"):
    return f'syntax = "{syntax}"; package {package}; message {name} {{ {" ".join(fields)} }}'


PROTOBUF = {
    "a field is added": (message("string id = 1;"), message("string id = 1;", "int32 total = 2;"), []),
    "a field is removed": (message("string id = 1;", "int32 total = 2;"), message("string id = 1;"), []),
    "a field is renamed": (message("string id = 1;"), message("string key = 1;"), []),
    "a number is wider": (message("int32 total = 1;"), message("uint64 total = 1;"), []),
    "a number is zigzag": (message("int32 total = 1;"), message("sint32 total = 1;"), ["field_scalar_kind_changed"]),
    "a number becomes an enum": (message("int32 s = 1;"), message("enum S { NEW = 0; }", "S s = 1;"), []),
    "a number becomes a message": (message("int32 s = 1;"), message("message S {}", "S s = 1;"), ["field_kind_changed"]),
    "a message becomes another": (
        message("message A {}", "message B {}", "A a = 1;"), message("message A {}", "message B {}", "B a = 1;"),
        ["field_named_type_changed"],
    ),
    "a message is gone": (
        'syntax = "proto3"; message A {} message B {}', 'syntax = "proto3"; message A {}', ["message_removed"],
    ),
    "the package changes": (message("string id = 1;"), message("string id = 1;", package="store"), ["package_changed"]),
    "a required field is added": (
        message("required string id = 1;", syntax="proto2"),
        message("required string id = 1;", "required int32 total = 2;", syntax="proto2"), ["required_field_added"],
    ),
    "numbers are repeated": (
        message("optional int32 n = 1;"), message("repeated int32 n = 1;"), ["field_numeric_label_changed"],
    ),
    "text is repeated": (message("optional string n = 1;"), message("repeated string n = 1;"), []),
    "a field moves into a oneof": (message("string a = 1;"), message("oneof o { string a = 1; string b = 2; }"), []),
    "two fields move into a oneof": (
        message("string a = 1;", "string b = 2;"), message("oneof o { string a = 1; string b = 2; }"),
        ["multiple_fields_moved_to_oneof"],
    ),
    "a oneof loses a member": (
        message("oneof o { string a = 1; string b = 2; }"), message("oneof o { string a = 1; }"), ["oneof_field_removed"],
    ),
    "a oneof goes": (message("string id = 9;", "oneof o { string a = 1; string b = 2; }"), message("string id = 9;"), []),
    "the values of a map change": (
        message("map<string, int32> m = 1;"), message("map<string, string> m = 1;"), ["field_scalar_kind_changed"],
    ),
}  # fmt: skip

PROTOBUF |= {  # stricter than the registry: its library refuses or loses the data
    "text is required now": (
        message("optional string n = 1;", syntax="proto2"), message("required string n = 1;", syntax="proto2"), ["required_field_added"],
    ),
    "numbers are no longer repeated, and nothing says so": (
        message("repeated int32 n = 1;"), message("int32 n = 1;"), ["field_numeric_label_changed"],
    ),
    "a number is repeated, and nothing said it was not": (message("int32 n = 1;"), message("repeated int32 n = 1;"), []),
    "a number comes to know whether it was written": (message("int32 n = 1;"), message("optional int32 n = 1;"), []),
    "a type of google is another": (
        message("google.protobuf.Timestamp t = 1;"), message("google.protobuf.Duration t = 1;"), ["field_named_type_changed"],
    ),
    "an enum from elsewhere is a number": (
        'syntax = "proto3"; import "google/protobuf/struct.proto"; message M { google.protobuf.NullValue n = 1; }',
        'syntax = "proto3"; message M { int32 n = 1; }', [],
    ),
}  # fmt: skip

CASES = [
    pytest.param(format, *pair, id=f"{format}: {name}")
    for format, cases in (("avro", AVRO), ("json", JSON), ("protobuf", PROTOBUF))
    for name, pair in cases.items()
]


@pytest.mark.parametrize(("format", "old", "new", "kinds"), CASES)
def test_what_breaks_is_named(format, old, new, kinds):
    old, new = (schema if format == "protobuf" else json.dumps(schema) for schema in (old, new))
    found = check(new, old, format=format)
    assert [each.kind for each in found] == kinds
    assert all(each.message and each.where.startswith("#") for each in found)
    assert check(old, new, mode="FORWARD", format=format) == found, "forward is backward the other way round"


def test_a_mode_says_who_reads_whom_and_how_far_back():
    broken = {mode: bool(check(MUST_NOTE, [ORDER, WITH_NOTE], mode)) for mode in MODES}
    assert broken == {
        "NONE": False, "BACKWARD": False, "BACKWARD_TRANSITIVE": True, "FORWARD": False, "FORWARD_TRANSITIVE": False,
        "FULL": False, "FULL_TRANSITIVE": True,
    }  # fmt: skip
    assert not any(check(ORDER, [], mode) for mode in MODES), "the first version breaks nothing"


def test_a_circle_of_references_is_followed_once_and_found_out():
    def chain(leaf):
        return {"definitions": {"c": thing({"next": {"$ref": "#/definitions/c"}, "value": leaf})}, "$ref": "#/definitions/c"}

    assert check(chain(TEXT), chain(TEXT), format="json") == []
    assert "type_changed" in {each.kind for each in check(chain(NUMBER), chain(TEXT), format="json")}


@pytest.mark.parametrize(
    ("new", "format", "says"),
    [
        ('{"type": "foo"}', "avro", "not an Avro schema"),
        ("{", "avro", "is not JSON"),
        ("[1]", "avro", "not an Avro schema"),
        ('{"type": "foo"}', "json", "not a JSON Schema"),
        ('{"$ref": "#/nope"}', "json", "leads nowhere"),
        ("message {", "protobuf", "not a .proto file: line 1, column 8"),
        (7, "protobuf", "give the text"),
        ('"int"', "xml", "avro, json, protobuf"),
    ],
)
def test_a_schema_that_is_none_is_an_error_that_says_why(new, format, says):
    with pytest.raises(ValueError, match=says.replace(".", r"\.")):
        check(new, new, format=format)


def test_an_unknown_mode_lists_the_known_ones():
    with pytest.raises(ValueError, match="FULL_TRANSITIVE"):
        check('"int"', '"int"', mode="SIDEWAYS")


def proto(package, *fields):
    return f'syntax = "proto3"; package {package}; message Money {{ {" ".join(fields)} }}'


USES = 'syntax = "proto3"; import "money.proto"; message Order { pay.Money price = 1; }'
CENTS, CENTS_AS_TEXT = proto("pay", "int64 cents = 1;"), proto("pay", "string cents = 1;")
IN_AVRO = {"type": "record", "name": "Order", "fields": [field("price", "pay.Money")]}
IN_JSON = {"type": "object", "properties": {"price": {"$ref": "money.json"}}}


def money(type):
    return {"type": "record", "name": "pay.Money", "fields": [field("cents", type)]}


@pytest.mark.parametrize(
    ("format", "schema", "name", "old", "new", "kinds"),
    [
        ("protobuf", USES, "money.proto", CENTS, CENTS, []),
        ("protobuf", USES, "money.proto", CENTS, proto("pay", "int64 cents = 1;", "string unit = 2;"), []),
        ("protobuf", USES, "money.proto", CENTS, CENTS_AS_TEXT, ["field_scalar_kind_changed", "field_named_type_changed"]),
        ("avro", IN_AVRO, "pay.Money", money("int"), money("long"), []),
        ("avro", IN_AVRO, "pay.Money", money("long"), money("int"), ["type_mismatch"]),
        ("json", IN_JSON, "money.json", thing({"cents": WHOLE}), thing({"cents": NUMBER}), []),
        ("json", IN_JSON, "money.json", thing({"cents": NUMBER}), thing({"cents": TEXT}), ["type_changed"]),
    ],
)
def test_what_a_schema_refers_to_is_looked_at_as_well(format, schema, name, old, new, kinds):
    found = check(schema, schema, format=format, references={name: new}, old_references={name: old})
    assert [each.kind for each in found] == kinds
    assert check(schema, [schema], format=format, references={name: new}, old_references=[{name: old}]) == found
    assert check(schema, schema, format=format, references={name: new}) == [], (
        "the old one refers to the same if nothing else is said"
    )


def test_a_message_may_move_to_another_package_with_its_file():
    moved = USES.replace("pay.Money", "bank.Money")
    references, old = {"money.proto": proto("bank", "int64 cents = 1;")}, {"money.proto": CENTS}
    assert check(moved, USES, format="protobuf", references=references, old_references=old) == []


def test_imported_messages_that_hold_each_other_are_followed_once():
    loop = 'syntax = "proto3"; package pay; message Money { Money left = 1; LEAF cents = 2; }'
    found = check(
        USES, USES, format="protobuf", references={"money.proto": loop.replace("LEAF", "string")},
        old_references={"money.proto": loop.replace("LEAF", "int64")},
    )  # fmt: skip
    assert [each.where for each in found] == ["#/Money/2", "#/Order/1"]


def test_there_is_one_mapping_for_each_of_the_old_schemas():
    with pytest.raises(ValueError, match="1 old_references for 2 old schemas"):
        check('"int"', ['"int"', '"int"'], old_references=[{}])


SIMPLE = st.sampled_from(["null", "boolean", "int", "long", "float", "double", "string", "bytes"])
KIND = (
    SIMPLE | st.lists(SIMPLE, min_size=1, max_size=3, unique=True) | SIMPLE.map(lambda inner: {"type": "array", "items": inner})
)
DEFAULT = {"null": None, "boolean": True, "string": "", "bytes": "", "int": 1, "long": 1, "float": 1.0, "double": 1.0}
VALUE = {**DEFAULT, "bytes": b"b", "string": "s", "int": 7, "long": 1 << 40, "double": 1e200}


@st.composite
def records(draw):
    fields = []
    for name in draw(st.lists(st.sampled_from("abcd"), unique=True, max_size=4)):
        kind = draw(KIND)
        first = kind[0] if isinstance(kind, list) else kind
        default = {"default": [] if isinstance(kind, dict) else DEFAULT[first]} if draw(st.booleans()) else {}
        fields.append({"name": name, "type": kind, **default})
    return record(*fields)


@st.composite
def values(draw, schema):
    def value(kind):
        if isinstance(kind, list):
            kind = draw(st.sampled_from(kind))
        return [VALUE[kind["items"]]] if isinstance(kind, dict) else VALUE[kind]

    return {each["name"]: value(each["type"]) for each in schema["fields"]}


@given(st.data())
def test_what_avro_calls_compatible_a_real_reader_can_read(data):
    old, new = data.draw(records()), data.draw(records())
    assume(not check(new, old))
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, old, data.draw(values(old)))
    stream.seek(0)
    read = fastavro.schemaless_reader(stream, old, new)
    assert read.keys() == {each["name"] for each in new["fields"]}


SCALARS = st.sampled_from([None, True, 0, 1, 2.5, 7, "", "ab", "abc"])
INSTANCES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.sampled_from("ab"), SCALARS, max_size=2)
LEAVES = st.sampled_from([
    TEXT, NUMBER, WHOLE, True, False, {}, {"enum": [1, "ab"]}, {"const": "ab"}, {"type": "null"}, {"type": ["string", "null"]},
    {**TEXT, "maxLength": 2}, {**NUMBER, "minimum": 1}, {**NUMBER, "multipleOf": 2.5},
])  # fmt: skip
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(
            lambda properties, required, more: thing(properties, required, **more),
            st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
            st.lists(st.sampled_from("ab"), unique=True, max_size=2),
            st.sampled_from([{}, CLOSED]) | inner.map(lambda schema: {"additionalProperties": schema}),
        ),
        st.builds(lambda items: {"type": "array", "items": items}, inner),
        st.builds(lambda how, parts: {how: parts}, st.sampled_from(["anyOf", "allOf"]), st.lists(inner, min_size=1, max_size=2)),
    ),
    max_leaves=4,
)


@st.composite
def evolved(draw, schema):
    """A schema with one thing changed, as people change them; not always for the better."""
    if not isinstance(schema, dict) or draw(st.integers(0, 3)) == 0:
        return draw(LEAVES)
    inside = [key for key in ("items", "additionalProperties") if key in schema]
    change = draw(st.sampled_from(["drop", "wrap", "property", *inside]))
    if change in inside:
        return {**schema, change: draw(evolved(schema[change]))}
    if change == "property" and schema.get("properties"):
        name = draw(st.sampled_from(sorted(schema["properties"])))
        return {**schema, "properties": {**schema["properties"], name: draw(evolved(schema["properties"][name]))}}
    if change == "drop" and schema:
        gone = draw(st.sampled_from(sorted(schema)))
        return {key: value for key, value in schema.items() if key != gone}
    return {draw(st.sampled_from(["anyOf", "allOf"])): [schema, draw(LEAVES)]}


@given(st.data(), SCHEMAS, st.lists(INSTANCES, min_size=5, max_size=20))
def test_what_json_calls_compatible_stays_valid(data, old, instances):
    new = data.draw(evolved(old))
    event("compatible" if not (found := check(json.dumps(new), json.dumps(old), format="json")) else "refused")
    for instance in instances:
        assert found or not Draft7Validator(old).is_valid(instance) or Draft7Validator(new).is_valid(instance)


@given(records())
def test_a_schema_goes_together_with_itself(schema):
    assert not any(check(schema, [schema, schema], mode) for mode in MODES)
