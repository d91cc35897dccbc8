"""The same calls for real use: beside the simulation, which nothing here imports.

`sqlite`: a service's database with an outbox, in a file.
"""

from edakit.real.sqlite import Sqlite, SqliteTransaction

__all__ = ["Sqlite", "SqliteTransaction"]
