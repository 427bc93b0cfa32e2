"""Tables in which rows wait to be moved: temporary, or one for each of several connections."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from types import TracebackType
from typing import Any

import psycopg
from psycopg import sql

from batch_exports.destinations.postgres.load import Target
from batch_exports.destinations.postgres.table import TableName, identifiers

_TEMPORARY = "_batch_exports_stage"


class Stages(AbstractContextManager["Stages"]):
    """`count` stages for rows of a table, made when they are opened.

    A temporary table is its connection's alone. Where several connections load, each fills an
    unlogged table beside the table, named after `label`, and gone on leaving the block; what a
    killed run left is dropped by the next one of that label.
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
        self._like = sql.SQL("AS SELECT {} FROM {} WITH NO DATA").format(
            identifiers(columns), table.sql
        )
        digest = hashlib.sha256(f"{table} {label}".encode()).hexdigest()[:16]
        self._prefix = f"{_TEMPORARY}_{digest}_"
        self._count = count
        self._connections = ExitStack()
        self._sweeper: psycopg.Connection[Any] | None = None

    @property
    def parallel(self) -> bool:
        return self._count > 1

    def open(self, connection: psycopg.Connection[Any]) -> list[Target]:
        """Empty stages, which a transaction of `connection` can read when they are filled."""
        if self._count == 1:
            create = sql.SQL("CREATE TEMPORARY TABLE {} ON COMMIT DROP {}")
            connection.execute(create.format(sql.Identifier(_TEMPORARY), self._like))
            return [Target(connection, sql.Identifier("pg_temp", _TEMPORARY))]
        others = [self._connections.enter_context(self._connect()) for _ in range(self._count)]
        self._sweeper = others[0]
        self._drop(self._sweeper)
        targets = []
        for number, other in enumerate(others):
            table = sql.Identifier(self._table.schema, f"{self._prefix}{number}")
            other.execute(sql.SQL("CREATE UNLOGGED TABLE {} {}").format(table, self._like))
            targets.append(Target(other, table))
        return targets

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._connections:
            if self._sweeper is None:
                return
            # Rows are in place, or nowhere: what cannot be dropped now is dropped by the next run.
            with suppress(psycopg.Error):
                self._drop(self._sweeper)

    def _drop(self, connection: psycopg.Connection[Any]) -> None:
        found = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident(%s)) "
            "AND relkind = 'r' AND starts_with(relname, %s)",
            [self._table.schema, self._prefix],
        ).fetchall()
        for (name,) in found:
            stage = sql.Identifier(self._table.schema, name)
            connection.execute(sql.SQL("DROP TABLE {}").format(stage))
