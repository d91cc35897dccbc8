"""An SQLite file on which a commit stays: what the event store, the saga log and a service's database stand on."""

import sqlite3
from pathlib import Path

from edakit.errors import ArgumentError


def open_durable(path: str | Path, what: str, tables: str) -> sqlite3.Connection:
    """Open the file, or make it, with these tables: a commit is on disk when it returns (write-ahead log, synchronous=FULL).

    Raises ArgumentError if the file is there and is something else. Source: sqlite.org/wal.html.
    """
    db = sqlite3.connect(str(path), isolation_level=None, timeout=30)
    try:
        db.execute("pragma journal_mode=wal")
        db.executescript(f"pragma synchronous=full; {tables}")
    except sqlite3.DatabaseError as error:
        db.close()
        raise ArgumentError(f"{path} is no {what} ({error}): give another file") from None
    return db
