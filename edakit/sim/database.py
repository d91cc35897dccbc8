"""The database of a service: what is committed survives a crash, and several changes can be made as one.

Keys and JSON values; None is no value: to put it removes the key. Every statement is an await that takes virtual time, so a crash
can fall between any two. Isolation is *read committed* with row locks, as PostgreSQL has it by default: a statement sees what is
committed when it runs, plus what its own transaction wrote; who writes a key keeps others from writing it until the transaction ends.
(https://www.postgresql.org/docs/current/transaction-iso.html)

    async with ctx.db.transaction() as tx:
        if await tx.insert_once("seen", order.id):              # inbox: True only the first time
            await tx.add("tea-42", -1)
            tx.publish("stock.reserved", order.data)            # outbox: leaves if and only if the rest is committed
"""

import json
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from edakit.errors import Deadlock, PayloadError, WiringError
from edakit.event import Event, freeze
from edakit.sim.kernel import Kernel, Task
from edakit.trace import Trace
from edakit.units import SECOND

if TYPE_CHECKING:
    from edakit.sim.runtime import SimContext

STATEMENT = SECOND // 1000


class Database:
    """Committed data, who holds which key, and the outbox relay."""

    def __init__(self, kernel: Kernel, trace: Trace, name: str, data: dict[str, Any], relay: Callable[[Event], None]) -> None:
        self.kernel, self.trace, self.name, self.relay = kernel, trace, name, relay
        self.data: dict[str, Any] = {}
        self.locks: dict[str, Transaction] = {}
        self._waiting: list[tuple[str, Task, int]] = []  # key, task, ticket
        self._waits_for: dict[Transaction, Transaction] = {}
        if not isinstance(data, dict):
            raise PayloadError(f"database {name}: its contents are {data!r}: give a dict of keys and JSON values")
        if data:
            self.apply(freeze(data, name), "lab", None)

    def apply(self, changes: dict[str, Any], who: str, event: Event | None) -> None:
        """Make changes visible, all at once: one row."""
        for key, value in changes.items():
            if value is None:
                self.data.pop(key, None)
            else:
                self.data[key] = value
        self.trace.add(self.kernel.ns, "write", self.name, who, event, 0, self.kernel.ns, json.dumps(changes))

    def table(self, name: str) -> list[str]:
        """The ids that `insert_once` has put into a table, in order."""
        return [key.partition("/")[2] for key in self.data if key.startswith(f"{name}/")]

    async def lock(self, key: str, transaction: "Transaction") -> None:
        """Wait until the key is free and take it. Raises Deadlock if that would be for ever."""
        while (holder := self.locks.get(key, transaction)) is not transaction:
            self._waits_for[transaction] = holder
            other: Transaction | None = holder
            while other is not None:
                other = self._waits_for.get(other)
                if other is transaction:
                    del self._waits_for[transaction]
                    raise Deadlock(
                        f"{self.name}: {transaction.who} and {holder.who} each hold a key the other wants; take keys in one order"
                    )
            task = self.kernel.current
            ticket = self.kernel.ticket()
            self._waiting.append((key, task, ticket))
            try:
                await self.kernel.park(f"key {key} of {self.name}, held by {holder.who}")
            finally:
                self._waits_for.pop(transaction, None)
        self.locks[key] = transaction

    def unlock(self, transaction: "Transaction") -> None:
        """Let go of all keys of a transaction; who waited tries again, in order."""
        freed = {key for key, holder in self.locks.items() if holder is transaction}
        for key in freed:
            del self.locks[key]
        for waiting in [each for each in self._waiting if each[0] in freed]:
            self._waiting.remove(waiting)
            self.kernel.wake(waiting[1], waiting[2])


class Transaction:
    """Statements that become visible together, or not at all. Leaving the block with an error, or a crash, undoes them."""

    def __init__(self, database: Database, context: "SimContext") -> None:
        self.database, self.context, self.who = database, context, context.instance.name
        self._changes: dict[str, Any] = {}
        self._outbox: list[Event] = []
        self._stage = "new"  # then open, then closed

    async def __aenter__(self) -> Self:
        if self._stage != "new":
            raise WiringError("this transaction has ended: make another with ctx.db.transaction()")
        self._stage = "open"
        return self

    def _check_open(self) -> None:
        """Raise WiringError outside the block: what is written there would never be committed."""
        if self._stage != "open":
            raise WiringError(
                "a transaction writes inside its block only: async with ctx.db.transaction() as tx: await tx.put(...)"
            )

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        database = self.database
        try:
            if error is not None:
                raise error
            await self._statement("commit")
            if self._changes or self._outbox:
                database.apply(self._changes, self.who, self.context.event)
            for event in self._outbox:
                database.relay(event)
        except BaseException as problem:
            why = type(problem).__name__ if self.context.instance.up else "crash"
            database.trace.add(database.kernel.ns, "rollback", database.name, self.who, self.context.event, 0, 0, why)
            raise
        finally:
            self._stage = "closed"
            database.unlock(self)

    async def _statement(self, name: str) -> None:
        self.context.verb(name)
        await self.database.kernel.sleep(STATEMENT)

    async def _write(self, name: str, key: str) -> None:
        self._check_open()
        if not isinstance(key, str):
            raise PayloadError(f"key {key!r} of database {self.database.name}: keys are strings")
        await self._statement(name)
        await self.database.lock(key, self)

    def _seen(self, key: str, default: Any = None) -> Any:
        value = self._changes[key] if key in self._changes else self.database.data.get(key)
        return default if value is None else value

    async def get(self, key: str, default: Any = None) -> Any:
        """The value of a key."""
        await self._statement("get")
        database = self.database
        database.trace.add(database.kernel.ns, "read", database.name, self.who, self.context.event, 0, database.kernel.ns, key)
        return self._seen(key, default)

    async def put(self, key: str, value: Any) -> None:
        """Set a key. Raises PayloadError if the value is not JSON."""
        value = freeze(value, f"{self.database.name}[{key!r}]")
        await self._write("put", key)
        self._changes[key] = value

    async def delete(self, key: str) -> None:
        """Remove a key, if it is there."""
        await self._write("delete", key)
        self._changes[key] = None

    async def add(self, key: str, amount: float, where: Callable[[Any], bool] | None = None) -> bool:
        """Add to a number (0 if the key is new), if `where(old value)` holds: one statement, nobody comes between. Says whether it did."""
        await self._write("add", key)
        old = self._seen(key, 0)
        if where is not None and not where(old):
            return False
        self._changes[key] = freeze(old + amount, f"{self.database.name}[{key!r}]")
        return True

    async def insert_once(self, table: str, id: str) -> bool:
        """Insert an id into a table with a unique index: True only for the first to commit it."""
        key = f"{table}/{id}"
        await self._write("insert_once", key)
        if self._seen(key) is not None:
            return False
        self._changes[key] = True
        return True

    def publish(self, type: str, data: Any = None, key: str | None = None) -> Event:
        """Put an event into the outbox: a relay publishes it once the transaction is committed, crash or no crash."""
        self._check_open()
        self.context.outlet()
        event = self.context.make(type, data, key)
        self._outbox.append(event)
        return event


class Session:
    """`ctx.db`: statements that each commit on their own, and transactions."""

    def __init__(self, database: Database, context: "SimContext") -> None:
        self._database, self._context = database, context

    def transaction(self) -> Transaction:
        """`async with ctx.db.transaction() as tx:` several statements as one."""
        return Transaction(self._database, self._context)

    async def get(self, key: str, default: Any = None) -> Any:
        """The value of a key."""
        return await self.transaction().get(key, default)

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
