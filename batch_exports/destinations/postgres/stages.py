"""Tables in which rows wait to be moved: temporary, or one for each of several connections."""

import hashlib
import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from types import TracebackType
from typing import Any

import psycopg
from psycopg import sql

from batch_exports.destinations.postgres.load import Target
from batch_exports.destinations.postgres.table import TableName, identifiers

_TEMPORARY = "_batch_exports_stage"
TEMPORARY = sql.Identifier("pg_temp", _TEMPORARY)
"""The stage of a single connection."""


class Stages(AbstractContextManager["Stages"]):
    """`count` stages for rows of a table, made when they are opened.

    A temporary table is its connection's alone. Where several connections load, each fills an
    unlogged table of its own beside the table, named after `label`, and gone on leaving the block;
    what a killed run left is dropped by the next one of that label.
    """

    def __init__(
        self,
        connect: Callable[[], psycopg.Connection[Any]],
        table: TableName,
        columns: Sequence[str],
        *,
        label: str,
        count: int,
    ) -> None:
        self._connect = connect
        self._table = table
        self._columns = columns
        self._prefix = stage_prefix(table, label)
        self._count = count
        self._connections = ExitStack()
        self._sweepers: list[psycopg.Connection[Any]] = []
        self._made: list[sql.Identifier] = []

    @property
    def parallel(self) -> bool:
        return self._count > 1

    def open(self, connection: psycopg.Connection[Any]) -> list[Target]:
        """Empty stages, which a transaction of `connection` can read when they are filled."""
        if self._count == 1:
            connection.execute(temporary_stage(self._table, self._columns))
            return [Target(connection, TEMPORARY)]
        # It is idle for as long as the others load, and not because the run hangs.
        connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        others = [self._connections.enter_context(self._connect()) for _ in range(self._count)]
        self._sweepers = [connection, *others]
        drop(others[0], leftovers(others[0], self._table, self._prefix))
        # A run whose lock was lost with its connection never meets the tables of the next one.
        own = secrets.token_hex(4)
        targets = []
        for number, other in enumerate(others):
            table = sql.Identifier(self._table.schema, f"{self._prefix}{own}_{number}")
            other.execute(stage_like(table, self._table, self._columns))
            self._made.append(table)
            targets.append(Target(other, table))
        return targets

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._connections:
            sweeper = next((each for each in self._sweepers if not each.closed), None)
            if sweeper is None:
                return
            # Rows are in place, or nowhere: what cannot be dropped now is dropped by the next run.
            with suppress(psycopg.Error):
                drop(sweeper, self._made)


def stage_prefix(table: TableName, label: str) -> str:
    """What the names of stages of a table begin with, and of that label alone."""
    digest = hashlib.sha256(f"{table} {label}".encode()).hexdigest()[:16]
    return f"{_TEMPORARY}_{digest}_"


def stage_like(stage: sql.Identifier, table: TableName, columns: Sequence[str]) -> sql.Composed:
    """The statement that makes a stage for those columns of a table, which all sessions see."""
    return sql.SQL("CREATE UNLOGGED TABLE {} {}").format(stage, _like(table, columns))


def leftovers(
    connection: psycopg.Connection[Any], table: TableName, prefix: str
) -> list[sql.Identifier]:
    """The stages beside a table whose names begin so."""
    found = connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident(%s)) "
        "AND relkind = 'r' AND starts_with(relname, %s)",
        [table.schema, prefix],
    ).fetchall()
    return [sql.Identifier(table.schema, name) for (name,) in found]


def drop(connection: psycopg.Connection[Any], tables: Sequence[sql.Identifier]) -> None:
    for table in tables:
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table))


def temporary_stage(table: TableName, columns: Sequence[str]) -> sql.Composed:
    """The statement that makes TEMPORARY, for those columns of a table."""
    return sql.SQL("CREATE TEMPORARY TABLE {} ON COMMIT DROP {}").format(
        sql.Identifier(_TEMPORARY), _like(table, columns)
    )


def _like(table: TableName, columns: Sequence[str]) -> sql.Composed:
    return sql.SQL("AS SELECT {} FROM {} WITH NO DATA").format(identifiers(columns), table.sql)
