"""SQLite that does not wait for the disk, where what is lost with the machine is made again."""

from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine


def leave_sqlite_unsynced() -> None:
    """From now on, in this process, what SQLAlchemy writes to SQLite outlives the process, but may
    not outlive a power failure: https://sqlite.org/pragma.html#pragma_synchronous.

    Dagster commits some hundred times a run, and waits each time until the disk has it: longer than
    the demo's exports take.
    """
    if not event.contains(Engine, "connect", _leave_unsynced):
        event.listen(Engine, "connect", _leave_unsynced)


def _leave_unsynced(connection: Any, record: object) -> None:
    if type(connection).__module__.startswith("sqlite3"):
        connection.execute("PRAGMA synchronous = OFF")
