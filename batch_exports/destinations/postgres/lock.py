"""Locks that end with their transaction, whatever becomes of the run that holds them.

They are PostgreSQL's advisory locks: https://www.postgresql.org/docs/current/explicit-locking.html
"""

import hashlib
from typing import Any

import psycopg
from psycopg import errors

from batch_exports.destinations.postgres.table import TableName
from batch_exports.errors import Transient
from batch_exports.interval import DataInterval


def interval_lock(
    connection: psycopg.Connection[Any], table: TableName, export: str, interval: DataInterval
) -> None:
    """One run at a time delivers an interval: wait for another one, for as long as the
    connection's lock_timeout allows. Raises `Transient` after that."""
    try:
        _lock(connection, f"{table} {export} {interval}")
    except errors.LockNotAvailable as error:
        raise Transient(
            f"Another run is delivering {interval} to {table}.",
            remedy="Wait for it, or cancel it; this run is tried again.",
        ) from error


def table_lock(connection: psycopg.Connection[Any], table: TableName) -> None:
    """One run at a time makes a table, or moves staged rows into it: each is short, so that
    others wait until it is done."""
    _lock_patiently(connection, str(table))


def record_lock(connection: psycopg.Connection[Any], table: TableName, export: str) -> None:
    """One run of an export at a time commits what it delivered, and knows what the others did."""
    _lock_patiently(connection, f"{table} {export} record")


def _lock_patiently(connection: psycopg.Connection[Any], what: str) -> None:
    """However long it takes; for all other locks the run waits no longer than before."""
    timeout = connection.execute("SELECT current_setting('lock_timeout')").fetchone()
    connection.execute("SET LOCAL lock_timeout = 0")
    _lock(connection, what)
    connection.execute("SELECT set_config('lock_timeout', %s, true)", timeout)


def _lock(connection: psycopg.Connection[Any], what: str) -> None:
    digest = hashlib.sha256(f"batch_exports {what}".encode()).digest()
    number = int.from_bytes(digest[:8], "big", signed=True)
    connection.execute("SELECT pg_advisory_xact_lock(%s)", [number])
