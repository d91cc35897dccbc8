"""An SQLite file on which a commit stays: what the event store, the saga log and a service's database stand on."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from edakit.errors import ArgumentError, WiringError

COLUMNS = "select m.name, c.name from sqlite_master m join pragma_table_info(m.name) c where m.type = 'table'"


def open_durable(path: str | Path, what: str, tables: str) -> sqlite3.Connection:
    """Open the file, or make it, with these tables: a commit is on disk when it returns (write-ahead log, synchronous=FULL).

    Raises ArgumentError if the file is there and is something else, or cannot be opened or written. Source: sqlite.org/wal.html.
    """
    if not isinstance(path, (str, Path)) or not str(path):
        raise ArgumentError(f"path {path!r}: give the name of a file for the {what}, or ':memory:'")
    try:
        db = sqlite3.connect(str(path), isolation_level=None, timeout=30)
    except sqlite3.OperationalError as error:
        raise ArgumentError(f"{path} cannot be opened ({error}): give a file in a directory that is there") from None
    try:
        db.execute("pragma journal_mode=wal")
        db.executescript(f"pragma synchronous=full; {tables}")
        if str(path) != ":memory:":  # a file may be from elsewhere
            with closing(sqlite3.connect(":memory:")) as wanted:
                wanted.executescript(tables)
                if missing := set(wanted.execute(COLUMNS)) - set(db.execute(COLUMNS)):
                    raise sqlite3.DatabaseError(f"no column {'.'.join(min(missing))}")
    except sqlite3.DatabaseError as error:
        db.close()
        if error.args[0].startswith(("database is locked", "attempt to write", "unable", "database or disk")):
            raise ArgumentError(f"{path} cannot be written ({error}): free it, or give another file") from None
        raise ArgumentError(f"{path} is no {what} ({error}): give another file") from None
    return db


@contextmanager
def writing(db: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, and nobody else writes meanwhile. What SQLite has undone by itself, as on a full disk, is not undone again.

    Raises WiringError inside another block of the same connection.
    """
    if db.in_transaction:
        raise WiringError("this is inside a write of the same store (the apply of a projection?): append when that has returned")
    db.execute("begin immediate")
    try:
        yield
        db.execute("commit")
    except BaseException:
        if db.in_transaction:
            db.execute("rollback")
        raise
