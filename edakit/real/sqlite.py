"""A service's database in an SQLite file, with the calls of `ctx.db`: what a handler does in the lab it can do here.

    db = Sqlite("shelf.db")
    async with db.transaction() as tx:
        if await tx.insert_once("seen", order.id):              # inbox: True only the first time
            await tx.add("tea-42", -1)
            tx.publish("stock.reserved", order.data, key="42")  # outbox: leaves if and only if the rest is committed
    await db.relay(send)                                        # `send(event)` for what is in the outbox, in order, at least once

Keys and JSON values; None is no value. A transaction is on disk when its block ends (write-ahead log, synchronous=FULL) and alone
while it runs (BEGIN IMMEDIATE), which is stricter than the read committed of the lab.
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
        self._db = open_durable(
            self.path,
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
                self._db.execute("delete from outbox where n = ?", [int(event.id.rpartition(".")[2])])
                sent += 1
        return sent

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
        self._database, self._db, self._open = database, database._db, False

    async def __aenter__(self) -> Self:
        await self._database._turn.acquire()
        try:
            self._db.execute("begin immediate")
        except BaseException:
            self._database._turn.release()
            raise
        self._open = True
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._open = False
        try:
            self._db.execute("rollback" if error is not None else "commit")
        finally:
            self._database._turn.release()

    def _check(self, key: str) -> None:
        if not self._open:
            raise WiringError("a transaction writes inside its block only: async with db.transaction() as tx: await tx.put(...)")
        if not isinstance(key, str):
            raise PayloadError(f"key {key!r}: keys are strings")

    async def get(self, key: str, default: Any = None) -> Any:
        """The value of a key."""
        return self._database._get(key, default)

    async def put(self, key: str, value: Any) -> None:
        """Set a key. Raises PayloadError if the value is not JSON."""
        self._check(key)
        text = json.dumps(thaw(freeze(value, key)))
        if value is None:
            self._db.execute("delete from pairs where key = ?", [key])
        else:
            self._db.execute("insert or replace into pairs values (?, ?)", [key, text])

    async def delete(self, key: str) -> None:
        """Remove a key, if it is there."""
        await self.put(key, None)

    async def add(self, key: str, amount: float, where: Callable[[Any], bool] | None = None) -> bool:
        """Add to a number (0 if the key is new), if `where(old value)` holds. Says whether it did."""
        self._check(key)
        old = self._database._get(key, 0)
        if where is not None and not where(old):
            return False
        await self.put(key, old + amount)
        return True

    async def insert_once(self, table: str, id: str) -> bool:
        """Insert an id into a table with a unique index: True only for the first to commit it."""
        self._check(id)
        return self._db.execute("insert or ignore into pairs values (?, 'true')", [f"{table}/{id}"]).rowcount > 0

    def publish(self, type: str, data: Any = None, key: str | int | None = None) -> Event:
        """Put an event into the outbox: it leaves once the transaction is committed, crash or no crash."""
        self._check(type)
        key = None if key is None else str(key)
        text = json.dumps(thaw(freeze(data)))
        n = self._db.execute("insert into outbox (type, data, key) values (?, ?, ?)", [type, text, key]).lastrowid
        return self._database._event(n or 0, type, data, key)
