"""The event store: versions that refuse a stale writer, and nothing lost that was acknowledged."""

import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

import edakit.store
from edakit.errors import ConflictError, EdakitError
from edakit.store import ERASED, EventStore


@pytest.fixture(params=["memory", "file"])
def store(request, tmp_path):
    with EventStore() if request.param == "memory" else EventStore(tmp_path / "orders.db") as made:
        yield made


def placed(total):
    return ("order.placed", {"total": total})


def total(state, event):
    return state + event.data["total"]


def test_an_append_says_the_new_version_and_reads_back_in_order(store):
    assert store.append("order-42", [placed(9.9), ("order.paid", {"by": "card"})], expected_version=0, time=3.5) == 2
    assert store.append("order-43", [placed(5)]) == 1
    assert [(e.position, e.version, e.type, e.data, e.time) for e in store.read("order-42")] == [
        (1, 1, "order.placed", {"total": 9.9}, 3.5),
        (2, 2, "order.paid", {"by": "card"}, 3.5),
    ]
    assert [e.version for e in store.read("order-42", backward=True)] == [2, 1]
    assert [e.version for e in store.read("order-42", after=1)] == [2]
    assert [e.version for e in store.read("order-42", upto=1)] == [1]
    assert [e.stream for e in store.read_all(after=1)] == ["order-42", "order-43"]
    assert [e.stream for e in store.read_all(backward=True, limit=1)] == ["order-43"]
    assert store.streams() == ["order-42", "order-43"]
    assert store.position == 3


def test_a_stale_writer_is_refused_with_both_versions_and_nothing_is_written(store):
    store.append("tea", [placed(1)])
    events, version = store.load("tea")
    assert (len(events), version) == (1, 1)
    store.append("tea", [placed(2)], expected_version=version)
    with pytest.raises(ConflictError, match="stream tea: expected version 1, found 2") as caught:
        store.append("tea", [placed(3), placed(4)], expected_version=version)
    assert (caught.value.expected, caught.value.found) == (1, 2)
    assert store.version("tea") == 2
    assert store.append("tea", [placed(5)]) == 3, "without an expectation it is a log"


def test_an_append_is_whole_or_not_at_all(store):
    with pytest.raises(ValueError, match="not JSON"):
        store.append("tea", [placed(1), ("order.placed", {"total": object()})])
    assert store.position == 0


def test_events_and_things_with_type_and_data_can_be_appended(store):
    class Placed:
        type = "order.placed"

        def __init__(self, total):
            self.data = {"total": total}

    store.append("order-1", [Placed(7)])
    assert store.fold("order-1", total, 0) == (7, 1)


def test_what_was_read_cannot_be_changed(store):
    store.append("order-1", [placed(1)])
    with pytest.raises(ValueError, match="cannot be changed"):
        next(store.read("order-1")).data["total"] = 2


def test_a_fold_from_a_snapshot_applies_only_what_came_after(store):
    for n in range(142):
        store.append("tea", [placed(n)])
    state, version = store.fold("tea", total, 0)
    assert (state, version, store.applied) == (sum(range(142)), 142, 142)
    store.snapshot("tea", sum(range(100)), 100, fold="total/1")
    store.applied = 0
    assert store.fold("tea", total, 0, snapshot="total/1") == (state, 142)
    assert store.applied == 42


def test_a_snapshot_of_another_fold_is_not_used(store):
    store.append("tea", [placed(1), placed(2)])
    store.snapshot("tea", -1000, 2, fold="total/1")
    assert store.fold("tea", total, 0, snapshot="total/2") == (3, 2)
    store.drop_snapshots()
    assert store.fold("tea", total, 0, snapshot="total/1") == (3, 2)


def test_old_events_are_read_as_they_would_be_written_now(store):
    store.append("order-1", [placed(1)])

    @store.upcast("order.placed")
    def with_currency(data):
        return {**data, "currency": "EUR"}

    store.append("order-1", [("order.placed", {"total": 2, "currency": "USD"})])

    @store.upcast("order.placed")
    def in_cents(data):
        return {"cents": data["total"] * 100, "currency": data["currency"]}

    assert [e.data for e in store.read("order-1")] == [
        {"cents": 100, "currency": "EUR"},
        {"cents": 200, "currency": "USD"},
    ]


def test_a_projection_lags_catches_up_and_is_rebuilt(store):
    view = store.projection("totals", lambda state, e: {**state, e.stream: state.get(e.stream, 0) + e.data["total"]}, {})
    for n in range(10):
        store.append(f"order-{n % 3}", [placed(n)])
    assert (view.lag, view.state) == (10, {})
    assert view.catch_up(limit=4) == 4
    assert (view.lag, view.position) == (6, 4)
    assert view.catch_up() == 6
    assert view.state == {"order-0": 18, "order-1": 12, "order-2": 15}
    again = store.projection("totals", lambda state, e: {**state, "n": state.get("n", 0) + 1}, {})
    assert again.lag == 0, "the view of that name is where it was"
    assert again.rebuild() == 10
    assert again.state == {"n": 10}


def test_a_projection_that_fails_has_applied_nothing(store):
    store.append("order-1", [placed(1), placed(2)])

    def breaks(state, event):
        if event.version == 2:
            raise RuntimeError("no")
        return state + 1

    view = store.projection("count", breaks, 0)
    with pytest.raises(RuntimeError):
        view.catch_up()
    assert (view.state, view.lag) == (0, 2)


def test_a_person_is_forgotten_and_the_streams_still_fold(tmp_path):
    path = tmp_path / "orders.db"
    with EventStore(path) as store:
        ada = {"order": 42, "name": "Ada Lovelace", "total": 9}
        store.append("order-42", [("order.placed", ada)], subject="customer-ada", personal=("name",))
        store.append("order-42", [placed(1)])
        assert next(store.read("order-42")).data == ada
        assert b"Lovelace" not in b"".join(each.read_bytes() for each in tmp_path.iterdir())
        assert store.shred("customer-ada") is True
        assert store.shred("customer-ada") is False
        assert next(store.read("order-42")).data == {**ada, "name": ERASED}
        assert store.fold("order-42", total, 0) == (10, 2)


def test_the_key_of_a_shredded_subject_is_in_no_file(tmp_path):
    path = tmp_path / "orders.db"
    with EventStore(path) as store:
        store.append("order-42", [("order.placed", {"name": "Ada"})], subject="ada", personal=("name",))
        key = store._key("ada")
        store.shred("ada")
        assert key not in b"".join(each.read_bytes() for each in tmp_path.iterdir())


def test_personal_data_needs_a_person(store):
    with pytest.raises(ValueError, match="subject="):
        store.append("order-42", [("order.placed", {"name": "Ada"})], personal=("name",))


def test_a_file_that_is_something_else_is_refused(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("no database, " * 100)
    with pytest.raises(ValueError, match=r"notes\.txt is no event store"):
        EventStore(path)
    assert path.read_text().startswith("no database")


@pytest.mark.parametrize(
    ("append", "says"),
    [
        ({"events": ("order.placed", {})}, "no event: give a list of pairs"),
        ({"events": [{"type": "t", "data": {}}]}, "no event: give a list of pairs"),
        ({"events": [(None, {})]}, "event type None"),
        ({"events": [("t", {"x": "\ud800"})]}, "half a surrogate pair"),
        ({"events": [("t", {"x": float("nan")})]}, "no NaN"),
        ({"events": [("t", {"x": b"x"})]}, "not JSON"),
        ({"expected_version": "2"}, "expected_version='2'"),
        ({"time": "noon"}, "time='noon': seconds"),
        ({"subject": "", "personal": ("total",)}, "say whose it is"),
        ({"subject": "ada", "personal": "total"}, r"personal=\('total',\)"),
        ({"events": [("t", ["Ada"])], "subject": "ada", "personal": ("name",)}, "give an object"),
    ],
)
def test_what_cannot_be_kept_or_sealed_is_refused_in_a_sentence_and_nothing_is_lost(store, append, says):
    store.append("tea", [placed(1), placed(2)])
    with pytest.raises(ValueError, match=says):
        store.append("tea", **{"events": [placed(3)], **append})
    assert store.fold("tea", total, 0) == (3, 2)
    assert store.append("tea", [placed(3)], expected_version=2) == 3


def test_after_a_person_is_forgotten_more_can_be_known_of_them_and_the_old_stays_unreadable(store):
    for name in ("Ada", "Ada King"):
        store.append("ada", [("named", {"name": name, "n": 1})], subject="ada", personal=("name",))
        last = [event.data["name"] for event in store.read("ada")]
        store.shred("ada") if name == "Ada" else None
    assert last == [ERASED, "Ada King"]
    store.append("ada", [("noted", ["no", "names"]), ("noted", None)], subject="ada")
    assert len(list(store.read_all())) == 4


def test_a_read_is_of_what_was_there_when_it_began_however_long_it_is(store):
    store.append("tea", [placed(n) for n in range(2500)])
    for read in (store.read, store.read_all):
        seen = 0
        for event in read(*["tea"][: read == store.read]):
            store.append("tea", [placed(event.version)])
            seen += 1
        assert seen == {store.read: 2500, store.read_all: 5000}[read]
    assert [event.version for event in store.read("tea", backward=True, limit=2100)] == list(range(10_000, 7900, -1))
    assert [event.version for event in store.read("tea", after=10, upto=1510)] == list(range(11, 1511))


def test_a_person_can_be_forgotten_in_the_middle_of_a_read(tmp_path):
    with EventStore(tmp_path / "a.db") as store:
        store.append("ada", [("named", {"name": "Ada"})] * 2, subject="ada", personal=("name",))
        key, reading = store._key("ada"), store.read("ada")
        next(reading)
        assert store.shred("ada") is True
        assert key not in b"".join(each.read_bytes() for each in tmp_path.iterdir())
        assert next(reading).data == {"name": ERASED}


def test_a_reader_in_another_process_that_keeps_the_key_in_the_file_is_told_of(tmp_path):
    with EventStore(tmp_path / "a.db") as store:
        store.append("ada", [("named", {"name": "Ada"})], subject="ada", personal=("name",))
        store._db.execute("pragma busy_timeout=50")
        other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
        other.execute("begin").execute("select * from events").fetchone()
        with pytest.raises(EdakitError, match="shred again"):
            store.shred("ada")
        assert next(store.read("ada")).data == {"name": ERASED}
        other.close()
        store.shred("ada")


def test_a_snapshot_of_what_has_not_happened_is_refused(store):
    store.append("tea", [placed(1)])
    for version in (-1, 2):
        with pytest.raises(ValueError, match=f"at version {version}: the stream has come to 1"):
            store.snapshot("tea", 0, version, fold="total/1")


def test_a_full_disk_is_said_and_costs_only_the_append_that_met_it(store):
    store._db.execute("pragma max_page_count=60")
    acknowledged = []

    def fill():
        while True:
            acknowledged.append(store.append("tea", [("a", {"pad": "x" * 900})] * 3))

    with pytest.raises(sqlite3.OperationalError, match="full"):
        fill()
    whole = store.version("tea")
    assert whole == acknowledged[-1]
    store._db.execute("pragma max_page_count=6000")
    assert store.append("tea", [("a", {})] * 3, expected_version=whole) == whole + 3


def test_a_projection_that_writes_to_its_store_is_told_that_it_cannot(store):
    store.append("tea", [placed(1)])
    with pytest.raises(LookupError, match="inside a write of the same store"):
        store.projection("echo", lambda n, event: store.append("echo", [placed(1)]), 0).catch_up()
    assert store.append("echo", [placed(1)]) == 1


@pytest.mark.parametrize("path", ["", None, 5, "no-such-directory/orders.db"])
def test_a_place_where_no_file_can_be_is_refused(path):
    with pytest.raises(ValueError, match=r"give (the name of )?a file"):
        EventStore(path)


def test_a_database_of_somebody_else_is_refused(tmp_path):
    with sqlite3.connect(tmp_path / "app.db") as other:
        other.execute("create table events (id, title)")
    with pytest.raises(ValueError, match=r"app\.db is no event store \(no column events\.data\)"):
        EventStore(tmp_path / "app.db")


def test_two_openings_of_one_file_see_each_other(tmp_path):
    with EventStore(tmp_path / "a.db") as one, EventStore(tmp_path / "a.db") as two:
        one.append("tea", [placed(1)], expected_version=0)
        with pytest.raises(ConflictError):
            two.append("tea", [placed(2)], expected_version=0)
        assert two.append("tea", [placed(2)], expected_version=1) == 2
        assert one.version("tea") == 2


WRITER = """
import sys
from edakit.store import EventStore
store = EventStore(sys.argv[1])
view = store.projection("count", lambda n, event: n + 1, 0)
version = store.version("tea")
while True:
    version = store.append("tea", [("a", {"n": version}), ("b", {"n": version}), ("c", {"n": version})], expected_version=version)
    print(version, flush=True)
    view.catch_up()
"""


def test_a_writer_killed_at_any_instant_loses_nothing_it_had_acknowledged(tmp_path):
    path, dice = tmp_path / "tea.db", random.Random(1)
    for _ in range(5):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        writer.stdout.readline()
        time.sleep(dice.uniform(0.01, 0.15))
        writer.send_signal(signal.SIGKILL)
        lines = writer.communicate()[0].split()
        acknowledged = int(lines[-1]) if lines else 0
        with EventStore(path) as store:
            events, version = store.load("tea")
            view = store.projection("count", lambda n, event: n + 1, 0)
            assert version >= acknowledged
            assert [each.version for each in events] == list(range(1, version + 1))
            assert version % 3 == 0, "no half append"
            assert [each.type for each in events] == ["a", "b", "c"] * (version // 3)
            assert view.state == view.position, "counted once each"
        check = sqlite3.connect(path)
        assert check.execute("pragma integrity_check").fetchone() == ("ok",)
        check.close()


class AgainstAModel(RuleBasedStateMachine):
    """The store beside a dict of lists."""

    streams = Bundle("streams")
    made = EventStore  # in memory

    def __init__(self):
        super().__init__()
        self.store, self.model, self.log = self.made(), {}, []
        self.view = self.store.projection("seen", lambda seen, event: [*seen, [event.stream, event.data["n"]]], [])

    @rule(target=streams, name=st.sampled_from("abc"))
    def stream(self, name):
        return name

    @rule(name=streams, numbers=st.lists(st.integers(), max_size=3), off=st.sampled_from([None, -1, 0, 0, 1]))
    def append(self, name, numbers, off):
        there = self.model.setdefault(name, [])
        expected = None if off is None else len(there) + off
        events = [("n", {"n": number}) for number in numbers]
        if off in (None, 0):
            there += numbers
            self.log += [[name, number] for number in numbers]
            assert self.store.append(name, events, expected_version=expected) == len(there)
        else:
            with pytest.raises(ConflictError):
                self.store.append(name, events, expected_version=expected)

    @rule(
        name=st.sampled_from("abc"),
        back=st.booleans(),
        limit=st.integers(0, 3) | st.none(),
        ends=st.tuples(st.integers(0, 6), st.integers(0, 6)),
    )
    def read_a_part(self, name, back, limit, ends):
        part = list(enumerate(self.model.get(name, []), 1))[ends[0] : ends[1]]
        read = self.store.read(name, after=ends[0], upto=ends[1], backward=back, limit=limit)
        assert [(e.version, e.data["n"]) for e in read] == (part[::-1] if back else part)[:limit]

    @rule(limit=st.integers(1, 3) | st.none())
    def catch_up(self, limit):
        self.view.catch_up(limit)

    @rule()
    def rebuild(self):
        assert self.view.rebuild() == len(self.log)

    @invariant()
    def what_is_there_is_what_was_appended(self):
        for name, numbers in self.model.items():
            assert [e.data["n"] for e in self.store.read(name)] == numbers
            assert self.store.version(name) == len(numbers)
        assert [[e.stream, e.data["n"]] for e in self.store.read_all()] == self.log
        assert self.view.state == self.log[: self.view.position]
        assert self.view.lag == len(self.log) - self.view.position


class InAFileWithSmallPages(AgainstAModel):
    """The same in a file, which is read two events at a time."""

    @staticmethod
    def made():
        return EventStore(Path(tempfile.mkdtemp()) / "a.db")

    def __init__(self):
        self.page, edakit.store.PAGE = edakit.store.PAGE, 2
        super().__init__()

    def teardown(self):
        edakit.store.PAGE = self.page
        self.store.close()
        shutil.rmtree(Path(self.store.path).parent)


TestAgainstAModel = AgainstAModel.TestCase
TestInAFileWithSmallPages = InAFileWithSmallPages.TestCase
TestInAFileWithSmallPages.settings = settings(max_examples=15)


def test_data_is_stored_as_readable_json(tmp_path):
    with EventStore(tmp_path / "a.db") as store:
        store.append("tea", [("a", {"name": "Grüner Tee", "list": [1, {"x": None}]})])
    row = sqlite3.connect(tmp_path / "a.db").execute("select data from events").fetchone()[0]
    assert json.loads(row) == {"name": "Grüner Tee", "list": [1, {"x": None}]}
    assert "Grüner" in row
