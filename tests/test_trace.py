"""The trace: queries, stories, text, JSON, and a digest that any change alters."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edakit import Lab, Service, Trace, measure, plot
from edakit.errors import EdakitError
from edakit.event import NOTHING, Event, freeze
from edakit.trace import KINDS, Keys, Row, service_of

NAMES = st.sampled_from(["shop", "payment", "payment.2", "web", "shop/payment", ""])
TEXT = st.text(max_size=6)
EVENTS = st.builds(
    Event,
    id=st.sampled_from([f"order-{n}.placed.1" for n in range(4)]),
    type=st.just("order.placed"),
    source=st.just("web"),
    data=st.just(freeze({"order": 42, "lines": [1, 2.5, None]})),
    key=st.none() | st.just("42"),
    ns=st.just(7),
    causation=st.none(),
    correlation=st.just("order-0.placed.1"),
    extensions=st.just(NOTHING),
)
ROWS = st.builds(
    Row, st.integers(0, 10**12), st.sampled_from(list(KINDS)), NAMES, NAMES, st.none() | EVENTS, st.integers(0, 9),
    st.integers(0, 10**12), TEXT,
)  # fmt: skip


def one_event_each(rows: list[Row]) -> list[Row]:
    """Rows in which an id always means the same event, as in a lab."""
    known: dict[str, Event] = {}
    return [row._replace(event=known.setdefault(row.event.id, row.event)) if row.event else row for row in rows]


TRACES = st.lists(ROWS, max_size=12).map(one_event_each)


@given(TRACES)
def test_a_trace_is_a_sequence_of_its_rows(rows):
    trace = Trace(rows)
    assert (len(trace), list(trace)) == (len(rows), rows)
    assert [trace[n] for n in range(-len(rows), len(rows))] == rows + rows
    assert list(trace[1:-1]) == rows[1:-1]
    assert list(trace[::-2]) == rows[::-2]
    assert trace == Trace(iter(rows))
    with pytest.raises(IndexError):
        trace[len(rows)]


@given(TRACES)
def test_json_out_and_in_is_the_same_trace(rows):
    trace = Trace(rows)
    again = Trace.from_json(trace.to_json())
    assert again == trace
    assert again.digest() == trace.digest()
    assert again.to_json() == trace.to_json()


@given(TRACES, TRACES)
def test_digests_are_equal_exactly_when_the_traces_are(rows, others):
    assert (Trace(rows).digest() == Trace(others).digest()) == (rows == others)


EVENT = Event("order-1.placed.1", "order.placed", "web", freeze({"a": 1}), "1", 7, None, "order-1.placed.1", NOTHING)
ROW = Row(5, "deliver", "shop/payment", "payment", EVENT, 1, 2, "why")


@pytest.mark.parametrize(
    "changed",
    [
        ROW._replace(ns=6),
        ROW._replace(kind="ack"),
        ROW._replace(place="shop/mail"),
        ROW._replace(who="mail"),
        ROW._replace(event=None),
        ROW._replace(tag=2),
        ROW._replace(since=3),
        ROW._replace(note="because"),
        ROW._replace(note=""),
        ROW._replace(event=EVENT._replace(id="order-1.placed.2")),
        ROW._replace(event=EVENT._replace(type="order.paid")),
        ROW._replace(event=EVENT._replace(source="mail")),
        ROW._replace(event=EVENT._replace(data=freeze({"a": 2}))),
        ROW._replace(event=EVENT._replace(data=freeze({"a": "1"}))),
        ROW._replace(event=EVENT._replace(key="2")),
        ROW._replace(event=EVENT._replace(key=None)),
        ROW._replace(event=EVENT._replace(ns=8)),
        ROW._replace(event=EVENT._replace(causation="x.1")),
        ROW._replace(event=EVENT._replace(correlation="x.1")),
        ROW._replace(event=EVENT._replace(extensions=freeze({"traceparent": "00"}))),
    ],
)
def test_the_digest_changes_with_any_field_of_any_row_or_event(changed):
    assert Trace([ROW, changed]).digest() != Trace([ROW, ROW]).digest()
    assert Trace([changed]).digest() != Trace([ROW]).digest()


def test_the_digest_changes_with_the_order_and_number_of_rows():
    other = ROW._replace(ns=6)
    digests = {Trace(rows).digest() for rows in ([], [ROW], [ROW, ROW], [ROW, other], [other, ROW])}
    assert len(digests) == 5


def test_a_note_cannot_pass_for_a_row():
    forged = Trace([ROW._replace(note="x\n5 deliver shop/payment payment order-1.placed.1 1 2 y")])
    assert forged.digest() != Trace([ROW._replace(note="x"), ROW._replace(note="y")]).digest()


def test_text_that_is_no_valid_unicode_has_a_digest_and_a_json_form_too():
    trace = Trace([ROW._replace(note="\ud800", event=EVENT._replace(key="\udfff"))])
    assert len(trace.digest()) == 32
    assert Trace.from_json(trace.to_json()) == trace


@pytest.mark.parametrize(
    "text", ["", "nonsense", "[]", "{}", '{"events": [], "rows": [[1]]}', '{"events": [1], "rows": []}', "null"]
)
def test_what_is_not_a_trace_is_refused(text):
    with pytest.raises(ValueError, match=r"this is not a trace.*give what trace\.to_json"):
        Trace.from_json(text)


def shop() -> Lab:
    lab = Lab(seed=1)
    payment, mail = Service("payment"), Service("mail")

    @payment.on("order.placed")
    async def charge(order, ctx):
        await ctx.sleep(0.1)
        await ctx.publish("payment.processed", order.data)

    @mail.on("payment.processed")
    async def write(payment, ctx):
        await ctx.publish("mail.sent")

    broker = lab.broker("shop")
    lab.deploy(payment, on=broker, instances=2)
    lab.deploy(mail, on=broker)
    for n in (41, 42, 43):
        broker.publish("order.placed", {"order": n}, key=n)
    lab.crash("payment.2", at=0.05, restart_after=0.1)
    lab.crash("mail", at=5, restart_after=0.1)
    return lab


def test_the_story_of_an_event_is_its_rows_and_those_of_what_it_led_to_with_the_crashes_that_touched_it():
    trace = shop().run().trace
    story = trace.of("order-42.placed.1")
    assert {row.event.id for row in story if row.event} == {
        "order-42.placed.1", "payment-42.processed.1", "mail-42.sent.1",
    }  # fmt: skip
    assert [row for row in trace if row in list(story)] == list(story), "in order"
    assert [row.who for row in story.where("crash")] == ["payment.2"], "the later crash of mail touched nothing"
    first = trace.where("publish", key="42")[0]
    assert trace.of(first) == trace.of(first.event) == story
    assert {row.event.id for row in trace.of("payment-42.processed.1") if row.event} == {
        "payment-42.processed.1",
        "mail-42.sent.1",
    }


def test_the_stories_of_all_first_events_hold_all_rows_with_an_event():
    trace = shop().run().trace
    begun = [event for event in trace.events() if event.causation is None]
    told = [row for event in begun for row in trace.of(event) if row.event]
    assert sorted(told, key=repr) == sorted((row for row in trace if row.event), key=repr)


def test_a_story_of_nothing_says_what_there_is():
    trace = shop().run().trace
    with pytest.raises(ValueError, match=r"no event 'order-44\.placed\.1' in this trace; it has order-41\.placed\.1"):
        trace.of("order-44.placed.1")
    with pytest.raises(ValueError, match="no event 'x' in this trace; it has no events"):
        Trace().of("x")
    with pytest.raises(ValueError, match="a crash row has no event"):
        trace.of(trace.where("crash")[0])
    with pytest.raises(ValueError, match="None"):
        trace.of(None)


def test_where_fits_everything_asked_for():
    trace = shop().run().trace
    assert {row.kind for row in trace.where(["ack", "crash"])} == {"ack", "crash"}
    assert {row.who for row in trace.where("deliver", who="payment")} == {"payment.1", "payment.2"}
    assert {row.who for row in trace.where("deliver", who="payment.1")} == {"payment.1"}
    assert {row.event.key for row in trace.where(key="42")} == {"42"}
    assert {row.event.type for row in trace.where(type="mail.sent")} == {"mail.sent"}
    assert {row.place for row in trace.where(place="shop/mail")} == {"shop/mail"}
    assert len(trace.where("ack", place="shop/mail", note="")) == 3
    assert len(trace.where()) == len(trace)
    with pytest.raises(EdakitError, match="no row kind 'acked'; the kinds are: publish, deliver"):
        trace.where("acked")


def test_counts_are_by_kind_or_any_other_field():
    trace = shop().run().trace
    assert sum(trace.counts().values()) == len(trace)
    assert trace.counts()["publish"] == 9
    assert trace.counts("type")["mail.sent"] == 3
    assert set(trace.counts("service")) >= {"payment", "mail"}
    assert list(trace.counts()) == list(dict.fromkeys(row.kind for row in trace))
    with pytest.raises(EdakitError, match="by='colour'"):
        trace.counts("colour")


def test_keys_come_in_order_each_once():
    trace = shop().run().trace
    assert list(trace.keys("order.placed")) == ["41", "42", "43"]
    assert repr(trace.keys("order.placed") - trace.keys("payment.processed")) == "0 keys"
    assert repr(Keys("ab")) == "2 keys: a, b"
    assert repr(Keys(range(12))).endswith("8, 9, ...")


KEYS = st.lists(st.integers(0, 9), max_size=8)


@given(KEYS, KEYS)
def test_set_arithmetic_on_keys_keeps_the_order_of_the_left_side(left, right):
    mine, other = Keys(left), Keys(right)
    order = list(dict.fromkeys(left))
    assert list(mine) == order
    assert list(mine - other) == [key for key in order if key not in right]
    assert list(mine & other) == [key for key in order if key in right]
    assert list(mine | other) == order + [key for key in dict.fromkeys(right) if key not in left]
    assert (mine == other) == (set(left) == set(right))


def test_a_printed_trace_is_a_table_with_its_middle_left_out():
    trace = shop().run().trace
    trace = Trace([*trace, *trace])
    lines = repr(trace).split("\n")
    assert lines[0].split()[:4] == ["time", "what", "where", "who"]
    assert len(lines) == 42
    assert lines[21] == f"... {len(trace) - 40:,} rows more: ask for .where(kind=...), .of(event) or a slice"
    assert len(trace[:5].text().split("\n")) == 6
    assert all(line == line.rstrip() for line in lines)


def test_an_empty_trace_says_what_to_do():
    assert repr(Trace()) == "no rows: nothing fits, or nothing has happened yet (lab.run())"


def test_nothing_from_an_event_moves_the_cursor():
    text = repr(Trace([ROW._replace(note="\x1b[2Jgone\n\u202eevil" + "x" * 100)]))
    assert len(text.split("\n")) == 2
    assert "?[2Jgone??evil" in text
    assert text.endswith("...")


def test_instances_belong_to_their_service():
    assert [service_of(who) for who in ("payment", "payment.2", "a.b.12", "v1.x")] == ["payment", "payment", "a.b", "v1.x"]


def test_the_closed_list_of_kinds_is_in_the_documentation():
    import edakit.trace

    assert all(f"    {kind:10} " in edakit.trace.__doc__ for kind in KINDS)


def test_a_trace_is_json_with_each_event_once():
    trace = shop().run().trace
    stored = json.loads(trace.to_json())
    assert len(stored["events"]) == len({event.id for event in trace.events()})
    assert len(stored["rows"]) == len(trace)


def thinned(*kinds):
    """A lab of five orders, of which one cannot be handled, that keeps rows of these kinds."""
    lab, payment = Lab(seed=1, trace=kinds), Service("payment")

    @payment.on("order.placed")
    async def pay(event, ctx):
        if event.key == "3":
            raise ValueError("no money")

    shop = lab.broker("shop")
    lab.deploy(payment, on=shop, delivery_limit=2)
    lab.workload(shop, "order.placed", every=1, count=5, key="order")
    lab.run()
    return lab


def whole():
    return thinned(*KINDS)


@pytest.mark.parametrize("kinds", [("publish", "append"), ("dead",), tuple(KINDS), ()])
def test_a_thinned_trace_keeps_the_rows_of_its_kinds_as_they_are_and_counts_the_others(kinds):
    thin, full = thinned(*kinds), whole()
    assert thin.trace.where() == full.trace.where(kinds)
    assert len(thin.trace) + thin.trace.left_out == len(full.trace)
    assert thin.now == full.now


def test_a_thinned_trace_answers_what_its_rows_can_answer():
    trace = thinned("publish", "append", "dead").trace
    assert list(trace.keys("order.placed")) == ["1", "2", "3", "4", "5"]
    assert trace.counts() == {"publish": 5, "dead": 1}
    assert [row.event.key for row in trace.where("dead")] == ["3"]


def test_a_thinned_trace_says_what_it_cannot_answer_and_tells_no_half_story():
    lab = thinned("publish", "dead")
    for ask, said in [
        (lambda: lab.trace.where("ack"), "where needs ack rows, and this trace keeps publish, dead: build the lab with them"),
        (lambda: lab.trace.keys("order.placed"), "keys needs append rows"),
        (lambda: list(lab.trace), "going through a trace, as pictures and measures do, needs all rows"),
        (lambda: lab.trace.state_at(1), "needs all rows"),
        (lab.play, "needs all rows"),
        (lambda: plot.timeline(lab), "needs call rows"),
        (lambda: measure.latency(lab.trace, "publish", "handle"), "needs all rows"),
        (lab.trace.to_json, "needs all rows"),
    ]:
        with pytest.raises(EdakitError, match=said):
            ask()


def test_a_trace_that_is_switched_off_says_so_when_it_is_looked_at():
    lab = thinned()
    assert str(lab.trace) == f"no rows: {len(whole().trace)} were written and not kept (Lab(trace=...))"
    assert [edge.kind for edge in lab.topology()] == ["deliver"]  # what was published is told by rows


def test_a_trace_can_be_thinned_to_kinds_that_exist():
    with pytest.raises(EdakitError, match="no row kind 'publsh'"):
        Lab(trace=("publsh",))


def test_an_endless_run_is_found_without_rows_too():
    lab, echo = Lab(trace=()), Service("echo")

    @echo.on("ping")
    async def again(event, ctx):
        while True:
            await ctx.sleep(1)

    shop = lab.broker("shop")
    lab.deploy(echo, on=shop)
    shop.publish("ping")
    with pytest.raises(EdakitError, match="nothing has happened"):
        lab.run()
