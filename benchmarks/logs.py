"""edakit's event store and saga log beside raw sqlite3 and what else keeps events in a file; its schema checks beside Apache Avro's.

An event is given as a dict, and a durable append is on disk when it returns, on every side: write-ahead log, synchronous=FULL. Here the
clock on the wall counts, since waiting for the disk is the job. Reading and in-memory work are in processor time, as elsewhere.
"""

import atexit
import importlib.util
import json
import shutil
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from harness import Case

from edakit.saga import Entry, SagaLog
from edakit.schema import check
from edakit.store import EventStore

ORDER = {"order": 42, "sku": "A-1", "quantity": 2, "price": 9.5}
TEXT = json.dumps(ORDER)
FOLDER = tempfile.mkdtemp()
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
NUMBERS = count()
RAW = "create table log (stream text, version integer, type text, body text, primary key (stream, version))"

Run = tuple[int, float]


def fresh() -> str:
    return str(Path(FOLDER) / f"{next(NUMBERS)}.db")


def raw(path: str) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("pragma journal_mode=wal")
    db.execute("pragma synchronous=full")
    db.execute(RAW)
    return db


def store_appends(events: int, batch: int, path: str | None = None) -> Run:
    with EventStore(path or fresh()) as store:
        start, version = time.perf_counter(), 0
        for _ in range(events // batch):
            version = store.append("order", [("order.placed", ORDER)] * batch, expected_version=version)
        seconds = time.perf_counter() - start
        assert version == events // batch * batch
    return version, seconds


def raw_appends(events: int, batch: int) -> Run:
    db, start, version = raw(fresh()), time.perf_counter(), 0
    for _ in range(events // batch):
        db.execute("begin immediate")
        db.executemany(
            "insert into log values ('order', ?, 'order.placed', ?)", [(version + n, json.dumps(ORDER)) for n in range(batch)]
        )
        db.execute("commit")
        version += batch
    seconds = time.perf_counter() - start
    db.close()
    return version, seconds


def saga_entries(entries: int) -> Run:
    log, entry = SagaLog(fresh()), Entry("done", "reserve")
    start = time.perf_counter()
    for _ in range(entries):
        log.append("run", entry)
    seconds = time.perf_counter() - start
    log.close()
    return entries, seconds


def store_reads(events: int) -> Run:
    with EventStore() as store:
        store.append("order", [("order.placed", ORDER)] * events)
        start = time.process_time()
        seen = sum(event.data["quantity"] for event in store.read_all())
        seconds = time.process_time() - start
    assert seen == 2 * events
    return events, seconds


def raw_reads(events: int) -> Run:
    db = raw(":memory:")
    db.executemany("insert into log values ('order', ?, 'order.placed', ?)", [(n, TEXT) for n in range(events)])
    start = time.process_time()
    seen = sum(json.loads(body)["quantity"] for (body,) in db.execute("select body from log order by stream, version"))
    seconds = time.process_time() - start
    db.close()
    assert seen == 2 * events
    return events, seconds


def eventsourcing_appends(events: int, batch: int) -> Run:
    """Its recorder, the part without aggregates, given bytes that are serialized already."""
    from eventsourcing.persistence import StoredEvent
    from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore

    datastore = SQLiteDatastore(fresh())
    recorder = SQLiteApplicationRecorder(datastore)
    recorder.create_table()
    with datastore.get_connection(commit=True) as connection:
        connection.cursor().execute("pragma synchronous=full")
    stream, version, body = uuid.uuid4(), 0, TEXT.encode()
    start = time.perf_counter()
    for _ in range(events // batch):
        recorder.insert_events([StoredEvent(stream, version + n, "order.placed", body) for n in range(batch)])
        version += batch
    return version, time.perf_counter() - start


def persistqueue_appends(events: int, batch: int) -> Run:
    """Given the same serializer as the others, in place of its pickle. Its puts are at SQLite's level for a file, which must be FULL."""
    from persistqueue import SQLiteQueue
    from persistqueue.serializers import json as serializer

    queue = SQLiteQueue(fresh(), auto_commit=True, serializer=serializer)
    assert queue._putter.execute("pragma synchronous").fetchone() == (2,)
    start = time.perf_counter()
    for _ in range(events):
        queue.put(ORDER)
    seconds = time.perf_counter() - start
    queue.close()
    return events, seconds


def schemas(fields: int) -> tuple[dict[str, Any], dict[str, Any]]:
    kinds = ["string", "int", ["null", "string"], {"type": "array", "items": "long"}]
    old = [{"name": f"f{n}", "type": kinds[n % 4]} for n in range(fields)]
    new = [*old[1:], {"name": "note", "type": "string", "default": ""}]
    return {"type": "record", "name": "Order", "fields": old}, {"type": "record", "name": "Order", "fields": new}


def our_checks(times: int) -> Run:
    old, new = schemas(20)
    start = time.process_time()
    for _ in range(times):
        assert check(new, old) == []
    return times, time.process_time() - start


def avro_checks(times: int) -> Run:
    import avro.schema
    from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType

    old, new = map(json.dumps, schemas(20))
    start = time.process_time()
    for _ in range(times):
        reader, writer = avro.schema.parse(new), avro.schema.parse(old)
        found = ReaderWriterCompatibilityChecker().get_compatibility(reader, writer)
        assert found.compatibility is SchemaCompatibilityType.compatible
    return times, time.process_time() - start


PEERS: list[tuple[str, str, str, Callable[..., Run], Callable[..., Run], str, float | None]] = [
    # job, unit, peer, our side, its side, the module it needs, goal
    ("durable appends, one event each", "events/s", "raw sqlite3", partial(store_appends, 200, 1), partial(raw_appends, 200, 1), "", 0.67),
    (
        "durable appends, 100 at once", "events/s", "raw sqlite3", partial(store_appends, 5000, 100),
        partial(raw_appends, 5000, 100), "", 0.67,
    ),
    ("durable saga entries", "entries/s", "raw sqlite3", partial(saga_entries, 200), partial(raw_appends, 200, 1), "", 0.67),
    ("events read from memory", "events/s", "raw sqlite3, json", partial(store_reads, 5000), partial(raw_reads, 5000), "", None),
    (
        "appends on disk, one event each", "events/s", "eventsourcing", partial(store_appends, 200, 1),
        partial(eventsourcing_appends, 200, 1), "eventsourcing", None,
    ),
    (
        "appends on disk, one event each", "events/s", "persist-queue", partial(store_appends, 200, 1),
        partial(persistqueue_appends, 200, 1), "persistqueue", None,
    ),
    ("Avro compatibility, 20 fields", "checks/s", "Apache Avro", partial(our_checks, 50), partial(avro_checks, 50), "avro", None),
]  # fmt: skip


def cases(shrink: int = 1) -> Iterator[Case]:
    """All that is installed; a line for each that is not."""
    for job, unit, name, ours, peer, needs, goal in PEERS:
        if needs and importlib.util.find_spec(needs) is None:
            print(f"skipped: {name} ({needs} is not installed)")
            continue
        yield Case(job, unit, _smaller(ours, shrink), name, _smaller(peer, shrink), goal)


def _smaller(side: Callable[..., Run], shrink: int) -> Callable[[], Run]:
    assert isinstance(side, partial)
    size, *rest = side.args
    least = rest[0] if rest else 1
    return partial(side.func, max(least, size // shrink), *rest)
