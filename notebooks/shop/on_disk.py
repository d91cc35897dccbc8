"""The handlers of the ledger, unchanged, on a real database: an SQLite file, and a process that dies between effect and mark.

To die here is an exception that nobody catches before the file is closed; what was not committed by then is undone by SQLite.
"""

import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

from edakit.real.sqlite import Sqlite
from shop.again import TOTAL
from shop.ledger import WAYS


class Died(Exception):
    """The process is gone."""


class Mortal:
    """A database or transaction of which the second write is one too many, if it is to die."""

    def __init__(self, inner: Any, left: list[float]) -> None:
        self.inner, self.left = inner, left

    async def __aenter__(self) -> Self:
        self.inner = await self.inner.__aenter__()
        return self

    async def __aexit__(self, *why: object) -> Any:
        return await self.inner.__aexit__(*why)

    def transaction(self) -> "Mortal":
        """A transaction of the same life."""
        return Mortal(self.inner.transaction(), self.left)

    def __getattr__(self, name: str) -> Any:
        if name in ("add", "put", "insert_once"):
            self.left[0] -= 1
            if self.left[0] < 0:
                raise Died
        return getattr(self.inner, name)


async def effects(way: str, orders: int = 50, dies: int = 10) -> dict[str, int]:
    """Every tenth order (`dies`) kills the process at its first delivery; the file is opened again, and the order delivered again."""
    handler: Any = WAYS[way]
    with tempfile.TemporaryDirectory() as folder:
        db = Sqlite(path := Path(folder) / "ledger.db")
        for n in range(1, orders + 1):
            order = SimpleNamespace(key=str(n), id=f"order-{n}", data={"total": TOTAL})
            for writes in (1, 9) if n % dies == 0 else (9,):
                try:
                    await handler(order, SimpleNamespace(db=Mortal(db, [writes])))
                except Died:
                    db.close()
                    db = Sqlite(path)
        found = [round(await db.get(f"paid/{n}", 0) / TOTAL) for n in range(1, orders + 1)]
        db.close()
    return {"charged again": sum(each - 1 for each in found if each > 1), "not charged": found.count(0)}
