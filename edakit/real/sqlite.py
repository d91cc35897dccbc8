"""A service's database in an SQLite file, with the calls of `ctx.db`: what a handler does in the lab it can do here.

    db = Sqlite("shelf.db")
    async with db.transaction() as tx:
        if await tx.insert_once("seen", order.id):              # inbox: True only the first time
            await tx.add("tea-42", -1)
            tx.publish("stock.reserved", order.data, key="42")  # outbox: leaves if and only if the rest is committed
    await db.relay(send)                                        # `send(event)` for what is in the outbox, in order, at least once

Keys and JSON values; None is no value. A transaction is on disk when its block ends (write-ahead log, synchronous=FULL) and alone
while it runs (BEGIN IMMEDIATE: serializable), which is stricter than the read committed of the lab. What it writes is seen by others,
the relay among them, when it has ended.
Several processes may use one file. Source: sqlite.org, Transaction and Write-Ahead Logging.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from edakit.durable import open_durable
from edakit.errors import PayloadError, WiringError
from edakit.event import Event, freeze, thaw


class Sqlite:
    """One file, used by one event loop at a time. source: who publishes what is in the outbox."""

    def __init__(self, path: str | Path, *, source: str = "service") -> None:
        """Open the file, or make it. Raises ArgumentError if it is there and is something else."""
        self.path, self.source = str(path), source
        self._turn = asyncio.Lock()  # of the tasks that share this connection
        self._holder: asyncio.Task[Any] | None = None  # the task that is in a transaction
        self._db = open_durable(
            path,
            "database of a service",
            """
            create table if not exists pairs (key text primary key, value text not null);
            create table if not exists outbox (n integer primary key autoincrement, type text, data text, key text);
            """,
        )

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def transaction(self) -> "SqliteTransaction":
        """`async with db.transaction() as tx:` several statements as one."""
        return SqliteTransaction(self)

    async def get(self, key: str, default: Any = None) -> Any:
        """The value of a key."""
        return self._get(key, default)

    async def put(self, key: str, value: Any) -> None:
        """Set a key."""
        async with self.transaction() as tx:
            await tx.put(key, value)

    async def delete(self, key: str) -> None:
        """Remove a key, if it is there."""
        async with self.transaction() as tx:
            await tx.delete(key)

    async def add(self, key: str, amount: float, where: Callable[[Any], bool] | None = None) -> bool:
        """Add to a number, if `where(old value)` holds. Says whether it did."""
        async with self.transaction() as tx:
            return await tx.add(key, amount, where)

    async def insert_once(self, table: str, id: str) -> bool:
        """Insert an id into a table: True only the first time."""
        async with self.transaction() as tx:
            return await tx.insert_once(table, id)

    def outbox(self, limit: int = 100) -> list[Event]:
        """What is committed and not sent yet, oldest first."""
        rows = self._db.execute("select n, type, data, key from outbox order by n limit ?", [limit])
        return [self._event(n, type, json.loads(data), key) for n, type, data, key in rows]

    async def relay(self, send: Callable[[Event], Awaitable[Any]]) -> int:
        """Send what is in the outbox, in order, and strike it off; return how many. A crash in between sends one of them again."""
        sent = 0
        while events := self.outbox():
            for event in events:
                await send(event)
                await self._take_turn()
                try:
                    self._db.execute("delete from outbox where n = ?", [int(event.id.rpartition(".")[2])])
                finally:
                    self._turn.release()
                sent += 1
        return sent

    async def _take_turn(self) -> None:
        """Wait for the transactions of other tasks. Raises WiringError inside one of this task, which would wait for itself."""
        if self._turn.locked() and self._holder is asyncio.current_task():
            raise WiringError("this is inside a transaction, and would wait for its end: write with tx, and relay afterwards")
        await self._turn.acquire()
        self._holder = asyncio.current_task()

    def _event(self, n: int, type: str, data: Any, key: str | None) -> Event:
        entity, dot, verb = type.partition(".")
        id = f"{entity}-{key}{dot}{verb}.{n}" if key is not None else f"{type}.{n}"
        return Event(id, type, self.source, freeze(data), key, 0, None, id)

    def _get(self, key: str, default: Any = None) -> Any:
        row = self._db.execute("select value from pairs where key = ?", [key]).fetchone()
        return freeze(json.loads(row[0])) if row else default


class SqliteTransaction:
    """Statements that are committed together, or not at all."""

    def __init__(self, database: Sqlite) -> None:
        self._database, self._db, self._stage = database, database._db, "new"  # then open, then closed
        self._changes: dict[str, Any] = {}
        self._outbox: list[tuple[str, str, str | None]] = []
        self._sent = 0  # the last number of the outbox so far

    async def __aenter__(self) -> Self:
        if self._stage != "new":
            raise WiringError("this transaction has ended: make another with db.transaction()")
        await self._database._take_turn()
        try:
            self._db.execute("begin immediate")
            row = self._db.execute("select seq from sqlite_sequence where name = 'outbox'").fetchone()
        except BaseException:
            self._database._turn.release()
            raise
        self._stage, self._sent = "open", row[0] if row else 0
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._stage = "closed"
        try:
            if error is None:
                self._write()
        finally:
            if self._db.in_transaction:
                self._db.execute("rollback")
            self._database._turn.release()

    def _write(self) -> None:
        """Write it all down, in one go: no other task comes between."""
        kept = [(key, json.dumps(thaw(value))) for key, value in self._changes.items() if value is not None]
        gone = [(key,) for key, value in self._changes.items() if value is None]
        self._db.executemany("insert or replace into pairs values (?, ?)", kept)
        self._db.executemany("delete from pairs where key = ?", gone)
        self._db.executemany("insert into outbox (type, data, key) values (?, ?, ?)", self._outbox)
        self._db.execute("commit")

    def _check(self, key: str) -> None:
        if self._stage != "open":
            raise WiringError("a transaction writes inside its block only: async with db.transaction() as tx: await tx.put(...)")
        if not isinstance(key, str):
            raise PayloadError(f"key {key!r}: keys are strings")

    async def get(self, key: str, default: Any = None) -> Any:
        """The value of a key."""
        value = self._changes[key] if key in self._changes else self._database._get(key)
        return default if value is None else value

    async def put(self, key: str, value: Any) -> None:
        """Set a key. Raises PayloadError if the value is not JSON."""
        self._check(key)
        self._changes[key] = freeze(value, key)

    async def delete(self, key: str) -> None:
        """Remove a key, if it is there."""
        await self.put(key, None)

    async def add(self, key: str, amount: float, where: Callable[[Any], bool] | None = None) -> bool:
        """Add to a number (0 if the key is new), if `where(old value)` holds. Says whether it did."""
        self._check(key)
        old = await self.get(key, 0)
        if where is not None and not where(old):
            return False
        await self.put(key, old + amount)
        return True

    async def insert_once(self, table: str, id: str) -> bool:
        """Insert an id into a table with a unique index: True only for the first to commit it."""
        key = f"{table}/{id}"
        self._check(key)
        if await self.get(key) is not None:
            return False
        await self.put(key, True)
        return True

    def publish(self, type: str, data: Any = None, key: str | int | None = None) -> Event:
        """Put an event into the outbox: it leaves once the transaction is committed, crash or no crash."""
        self._check(type)
        key = None if key is None else str(key)
        self._outbox.append((type, json.dumps(thaw(freeze(data))), key))
        return self._database._event(self._sent + len(self._outbox), type, data, key)
