"""The registry: what may come next, ids, the bytes on the wire, and who still reads what."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edakit.errors import ArgumentError, EdakitError
from edakit.event import freeze
from edakit.schema import IncompatibleSchema, NotFramed, Registry


def order(*fields):
    return {"type": "record", "name": "Order", "fields": [{"name": "id", "type": "string"}, *fields]}


NOTE = {"name": "note", "type": "string", "default": ""}
MUST = {"name": "tax", "type": "int"}


def test_versions_count_up_and_a_schema_is_registered_once():
    registry = Registry()
    assert registry.register("orders", order()) == 1
    assert registry.register("orders", order(NOTE)) == 2
    assert registry.register("orders", order(NOTE)) == 2, "the same again is the same"
    assert registry.register("refunds", order()) == 1, "an id is of a schema, not of a subject"
    assert [each.version for each in registry.versions("orders")] == [1, 2]
    assert registry.subjects() == ["orders", "refunds"]
    assert registry.by_id(2).schema == order(NOTE)


def test_what_would_break_a_reader_is_refused_and_named():
    registry = Registry()
    registry.register("orders", order())
    with pytest.raises(IncompatibleSchema, match="orders is BACKWARD: #/fields/tax: the writer does not write 'tax'") as caught:
        registry.register("orders", order(MUST))
    assert [each.kind for each in caught.value.differences] == ["reader_field_missing_default_value"]
    assert registry.rejections == 1
    assert len(registry.versions("orders")) == 1
    registry.set_mode("orders", "FORWARD")
    assert registry.test("orders", order(MUST)) == []
    registry.register("orders", order(MUST))


def test_neighbours_may_be_compatible_and_the_ends_not():
    text = {"name": "a", "type": "string", "default": ""}
    number = {"name": "a", "type": "int"}
    near, far = Registry("BACKWARD"), Registry("BACKWARD_TRANSITIVE")
    for registry in (near, far):
        registry.register("orders", order(number))
        registry.register("orders", order())
    near.register("orders", order(text))
    with pytest.raises(IncompatibleSchema, match="the writer writes int, the reader expects string"):
        far.register("orders", order(text))


def test_a_message_is_magic_byte_id_and_data():
    registry = Registry()
    registry.register("orders", order())
    assert registry.encode("orders", {"id": "42"}) == b"\x00" + b"\x00\x00\x00\x01" + b"\x0442"
    assert registry.decode(b"\x00\x00\x00\x00\x01\x0442") == {"id": "42"}


def test_old_messages_are_read_by_a_new_schema_with_its_defaults():
    registry = Registry()
    registry.register("orders", order())
    old = registry.encode("orders", {"id": "42"})
    registry.register("orders", order(NOTE))
    assert registry.decode(old) == {"id": "42"}
    assert registry.decode(old, version=2) == {"id": "42", "note": ""}


def test_an_upcaster_takes_what_no_rule_can_bear():
    registry = Registry("NONE")
    registry.register("orders", order({"name": "total", "type": "double"}))
    registry.register("orders", order({"name": "cents", "type": "long"}))

    @registry.upcaster("orders", 1)
    def in_cents(data):
        return {"id": data["id"], "cents": round(data["total"] * 100)}

    assert registry.decode(registry.encode("orders", {"id": "42", "total": 9.9}, version=1)) == {"id": "42", "cents": 990}
    assert registry.decode(registry.encode("orders", {"id": "42", "cents": 990})) == {"id": "42", "cents": 990}


@pytest.mark.parametrize("message", [b"hello", b"", b"\x00\x00", b"\x01\x00\x00\x00\x01x"])
def test_bytes_that_nobody_serialized_are_the_readers_trouble(message):
    registry = Registry()
    registry.register("orders", order())
    with pytest.raises(NotFramed, match="without a serializer"):
        registry.decode(message)
    assert registry.rejections == 0


def test_an_unknown_id_says_how_many_there_are():
    with pytest.raises(LookupError, match="no schema with id 7"):
        Registry().decode(b"\x00\x00\x00\x00\x07x")


def test_data_that_the_schema_does_not_allow_is_refused():
    registry = Registry()
    registry.register("orders", order())
    registry.register("clicks", {"type": "object", "properties": {"x": {"type": "integer"}}}, "json")
    with pytest.raises(ValueError, match="not of this schema"):
        registry.encode("orders", {"id": 42})
    with pytest.raises(ValueError, match=r"\$\.x"):
        registry.encode("clicks", {"x": "left"})


def test_json_and_protobuf_have_the_same_frame():
    registry = Registry()
    registry.register("clicks", {"type": "object"}, "json")
    registry.register("orders", 'syntax = "proto3"; message Order { string id = 1; }', "protobuf")
    assert registry.encode("clicks", {"x": 1}) == b'\x00\x00\x00\x00\x01{"x":1}'
    assert registry.encode("orders", {"id": "42"}) == b"\x00\x00\x00\x00\x02\x00\x0a\x0242"
    assert registry.encode("orders", b"\x0a\x0242") == registry.encode("orders", {"id": "42"}), "bytes are serialized already"
    assert registry.decode(registry.encode("orders", {"id": "42"})) == {"id": "42"}
    assert registry.decode(registry.encode("clicks", {"x": 1})) == {"x": 1}


def test_a_schema_that_is_but_a_name_can_be_followed_by_another():
    registry = Registry()
    registry.register("keys", '"string"')
    registry.register("keys", '["null", "string"]')
    assert registry.decode(registry.encode("keys", "42", version=1), version=2) == "42"


MONEY = {
    "avro": {"type": "record", "name": "pay.Money", "fields": [{"name": "cents", "type": "long"}]},
    "json": {"type": "object", "properties": {"cents": {"$ref": "#/definitions/whole"}}, "definitions": {"whole": {"type": "integer"}}},
    "protobuf": 'syntax = "proto3"; package pay; message Money { int64 cents = 1; }',
}  # fmt: skip
PRICED = {
    "avro": {
        "type": "record", "name": "Order",
        "fields": [{"name": "price", "type": "pay.Money"}, {"name": "tip", "type": ["null", "pay.Money"]}],
    },
    "json": {"$id": "http://shop.example/order", "type": "object", "properties": {"price": {"$ref": "money"}}},
    "protobuf": 'syntax = "proto3"; import "money"; message Order { pay.Money price = 1; }',
}  # fmt: skip
NAMES = {"avro": "pay.Money", "json": "money", "protobuf": "money"}
FULL = {"avro": {"tip": {"cents": 5}}, "json": {}, "protobuf": {}}


@pytest.mark.parametrize("format", MONEY)
def test_a_schema_refers_to_versions_of_other_subjects(format):
    registry = Registry()
    with pytest.raises(ValueError, match=NAMES[format]):
        registry.register("orders", PRICED[format], format)
    assert registry.subjects() == []
    registry.register("money", MONEY[format], format)
    with pytest.raises(LookupError, match="versions 1 to 1, not 2"):
        registry.register("orders", PRICED[format], format, {NAMES[format]: ("money", 2)})
    references = {NAMES[format]: ("money", 1)}
    registry.register("orders", PRICED[format], format, references)
    assert registry.latest("orders").references == references
    data = {"price": {"cents": 990}, **FULL[format]}
    assert registry.decode(registry.encode("orders", data)) == data
    with pytest.raises(ValueError, match=r"cents|Money"):
        registry.encode("orders", {"price": {"cents": "much"}, **FULL[format]})


TEXT_MONEY = {
    "avro": {"type": "record", "name": "pay.Money", "fields": [{"name": "cents", "type": "string"}]},
    "json": {"type": "object", "properties": {"cents": {"type": "string"}}},
    "protobuf": 'syntax = "proto3"; package pay; message Money { string cents = 1; }',
}


@pytest.mark.parametrize("format", MONEY)
def test_the_same_text_with_another_version_of_what_it_refers_to_is_another_schema(format):
    registry = Registry("NONE")
    for schema in (MONEY[format], TEXT_MONEY[format]):
        registry.register("money", schema, format)
    registry.set_mode("orders", "BACKWARD")
    first = registry.register("orders", PRICED[format], format, {NAMES[format]: ("money", 1)})
    with pytest.raises(IncompatibleSchema, match=r"cents|Money/1"):
        registry.register("orders", PRICED[format], format, {NAMES[format]: ("money", 2)})
    registry.set_mode("orders", "NONE")
    assert registry.register("orders", PRICED[format], format, {NAMES[format]: ("money", 2)}) != first


def test_references_may_refer_to_others():
    registry = Registry()
    registry.register("unit", 'syntax = "proto3"; package pay; enum Unit { EUR = 0; CHF = 1; }', "protobuf")
    money = 'syntax = "proto3"; package pay; import "unit"; message Money { int64 cents = 1; Unit unit = 2; }'
    registry.register("money", money, "protobuf", {"unit": ("unit", 1)})
    registry.register("orders", PRICED["protobuf"], "protobuf", {"money": ("money", 1)})
    data = {"price": {"cents": 990, "unit": "CHF"}}
    assert registry.decode(registry.encode("orders", data)) == data


def test_a_deprecated_version_may_go_when_nobody_reads_it():
    registry = Registry()
    registry.register("orders", order())
    registry.register("orders", order(NOTE))
    registry.deprecate("orders", 1, "use note")
    for _ in range(3):
        registry.decode(registry.encode("orders", {"id": "1"}, version=1))
    assert [(row["version"], row["read"], row["deprecated"]) for row in registry.usage("orders")] == [
        (1, 3, "use note"),
        (2, 0, ""),
    ]


def test_unknown_names_list_the_known_ones():
    registry = Registry()
    registry.register("orders", order())
    with pytest.raises(LookupError, match="known: orders"):
        registry.latest("order")
    with pytest.raises(LookupError, match="versions 1 to 1, not 2"):
        registry.encode("orders", {}, version=2)
    with pytest.raises(ValueError, match="FULL_TRANSITIVE"):
        Registry("SIDEWAYS")
    with pytest.raises(ValueError, match="protobuf"):
        registry.register("x", {}, "xml")


@given(st.lists(st.sampled_from([NOTE, MUST, {"name": "n", "type": "long", "default": 0}]), unique_by=str, max_size=3), st.text())
def test_what_is_encoded_is_decoded(fields, text):
    registry = Registry()
    registry.register("orders", order(*fields))
    data = {"id": text, **{field["name"]: 7 if field["type"] != "string" else text for field in fields}}
    assert registry.decode(registry.encode("orders", data)) == data


@given(
    st.lists(
        st.lists(st.sampled_from([NOTE, MUST, {"name": "n", "type": "long", "default": 0}]), unique_by=str, max_size=3),
        max_size=5,
    )
)
def test_under_a_transitive_mode_the_last_schema_reads_all_that_was_ever_written(history):
    registry, messages = Registry("BACKWARD_TRANSITIVE"), []
    for fields in history:
        try:
            registry.register("orders", order(*fields))
        except IncompatibleSchema:
            continue
        messages.append(registry.encode("orders", {"id": "1", "note": "x", "tax": 1, "n": 2}))
    for message in messages:
        registry.decode(message, version=len(registry.versions("orders")))


def test_a_message_is_of_the_subject_that_its_reader_says():
    registry = Registry("NONE")
    for subject, schemas in (("orders", [order(), order(NOTE)]), ("refunds", [order(NOTE), order()])):
        for schema in schemas:
            registry.register(subject, schema)
        registry.upcaster(subject, 1)(lambda data, subject=subject: {**data, "by": subject})
    message = registry.encode("refunds", {"id": "1", "note": ""}, version=1)
    assert registry.decode(message, subject="refunds") == {"id": "1", "note": "", "by": "refunds"}
    assert [row["read"] for row in registry.usage("refunds")] == [1, 0]
    assert registry.decode(message) == {"id": "1", "note": ""}, "the first subject that has this schema, as its last version"
    registry.register("clicks", {"type": "object"}, "json")
    with pytest.raises(LookupError, match=r"clicks has no schema with id 2; its ids: 3"):
        registry.decode(message, subject="clicks")


def test_a_subject_keeps_its_format_unless_nothing_is_looked_at():
    registry = Registry()
    registry.register("orders", order())
    with pytest.raises(IncompatibleSchema, match="version 1 is avro, and this is json"):
        registry.register("orders", {"type": "object"}, "json")
    registry.set_mode("orders", "NONE")
    registry.register("orders", {"type": "object"}, "json")
    assert [each.format for each in registry.versions("orders")] == ["avro", "json"]


def everything() -> tuple[Registry, list[bytes]]:
    registry = Registry()
    registry.register("orders", order(NOTE))
    registry.register("clicks", {"type": "object"}, "json")
    registry.register("shop", 'syntax = "proto3"; message A { string id = 1; } message B { int32 n = 1; }', "protobuf")
    return registry, [
        registry.encode("orders", {"id": "42", "note": "Grüße"}),
        registry.encode("clicks", {"x": [1, 2]}),
        registry.encode("shop", {"n": 5}, message="B"),
    ]


REGISTRY, MESSAGES = everything()


@given(st.sampled_from(MESSAGES), st.integers(0, 30), st.binary(max_size=12))
def test_bytes_that_were_cut_or_changed_are_data_or_an_error_in_a_sentence(message, at, other):
    with contextlib.suppress(EdakitError):
        REGISTRY.decode(message[: at + 5] + other)


@pytest.mark.parametrize("indexes", [b"", b"\xff" * 9 + b"\x01", b"\xff" * 5000, b"\x04\x02"])
def test_message_indexes_that_end_too_soon_or_count_too_far_are_refused_at_once(indexes):
    with pytest.raises(ArgumentError, match=r"ends before it has said|no message named"):
        REGISTRY.decode(b"\x00\x00\x00\x00\x03" + indexes)


def test_what_is_no_bytes_is_not_framed():
    with pytest.raises(NotFramed, match="a message is bytes"):
        REGISTRY.decode("hello")


def test_the_frozen_data_of_an_event_can_be_written_and_what_is_no_json_cannot():
    assert REGISTRY.decode(REGISTRY.encode("clicks", freeze({"x": [1, {"y": []}]}))) == {"x": [1, {"y": []}]}
    with pytest.raises(ValueError, match="no NaN"):
        REGISTRY.encode("clicks", {"x": float("nan")})
