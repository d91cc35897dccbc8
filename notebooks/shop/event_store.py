"""An event store in thirty lines: the events of one thing, by its name, and *append only if nobody else did*.

It is honest about what it is: a teaching model on the database of a service, `EventStore(ctx.db)`. A real one (a table with a
unique index on stream and version, or a product made for it) adds snapshots, subscriptions and a global order.
"""

from collections.abc import Sequence
from typing import Any


class ConflictError(Exception):
    """Somebody else has appended since you read. Read again, and decide again."""


class EventStore:
    """Streams of events. The version of a stream is the number of its events; it is kept in a row of its own."""

    def __init__(self, db: Any) -> None:
        self.db = db

    async def load(self, stream: str) -> tuple[list[Any], int]:
        """The events of one stream, oldest first, and its version. Reads nothing else: one row an event, and one more."""
        version = await self.db.get(stream, 0)
        return [await self.db.get(f"{stream}/{n}") for n in range(1, version + 1)], version

    async def append(self, stream: str, events: Sequence[Any], expected_version: int | None) -> int:
        """Add events, all or none; return the new version. Raises ConflictError unless the stream is at `expected_version`.

        None expects nothing: what a log does.
        """
        async with self.db.transaction() as tx:
            if not await tx.add(stream, len(events), where=lambda version: expected_version in (None, version)):
                raise ConflictError(f"{stream} is at version {await tx.get(stream, 0)}, you expected {expected_version}")
            version: int = await tx.get(stream)  # ours: the row is locked until the transaction ends
            for n, event in enumerate(events, version - len(events) + 1):
                await tx.put(f"{stream}/{n}", event)
        return version
