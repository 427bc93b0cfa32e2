"""The tables that a delivery needs: made where they are missing, and only there."""

from typing import Any, Literal

import psycopg
from psycopg import sql

from batch_exports.destinations.existing_table import OnMissingColumn, columns_to_add
from batch_exports.destinations.postgres import ledger, rejects
from batch_exports.destinations.postgres.lock import table_lock
from batch_exports.destinations.postgres.table import (
    MADE_BY,
    Table,
    TableName,
    exists,
    identifiers,
    read_table,
)
from batch_exports.destinations.postgres.types import made_type
from batch_exports.errors import Transient
from batch_exports.models import Column, Projection

WriteMode = Literal["replace", "merge", "append"]


def prepare(
    connection: psycopg.Connection[Any],
    name: TableName,
    export: str,
    projection: Projection,
    mode: WriteMode,
    on_missing_column: OnMissingColumn,
) -> Table:
    """The export's table as it is now, or as it was just made; ledger and rejects stand beside it.

    All in a transaction of its own, so that runs that start together wait for one another only
    here. Raises psycopg's errors, and `Terminal` for a missing column if that is to `fail`.
    """
    with connection.transaction():
        wanted = create_tables(name, export, projection, mode)
        if not all(exists(connection, other) for other in wanted):
            table_lock(connection, TableName(name.schema, ledger.LEDGER))
            for other, statements in wanted.items():
                if not exists(connection, other):
                    for statement in statements:
                        connection.execute(statement)
                    if other == name:  # what was delivered to one of this name went with it
                        ledger.forget(connection, name)
        table = _read(connection, name)
        added = columns_to_add(projection, table, name, on_missing_column)
        for column in added:
            connection.execute(add_column(name, column))
        return _read(connection, name) if added else table


def _read(connection: psycopg.Connection[Any], name: TableName) -> Table:
    table = read_table(connection, name)
    if table is None:
        raise Transient(f"{name} was dropped just now.", remedy="It is made again.")
    return table


def add_column(name: TableName, column: Column) -> sql.Composed:
    """The statement that adds a column of the model."""
    return sql.SQL("ALTER TABLE {} ADD COLUMN IF NOT EXISTS {}").format(
        name.sql, _definition(column)
    )


def _definition(column: Column) -> sql.Composed:
    return sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(made_type(column)))


def create_tables(
    name: TableName, export: str, projection: Projection, mode: WriteMode
) -> dict[TableName, list[sql.Composed]]:
    """The statements that make each table that the export needs."""
    records = {
        TableName(name.schema, ledger.LEDGER): ledger.DEFINITION,
        TableName(name.schema, rejects.rejects_of(name.name)): rejects.DEFINITION,
    }
    made = {other: [sql.SQL(text).format(other.sql)] for other, text in records.items()}
    return {**made, name: create_table(name, export, projection, mode)}


def create_table(
    name: TableName, export: str, projection: Projection, mode: WriteMode
) -> list[sql.Composed]:
    """The statements that make the export's table.

    What its rows are found by again is indexed: the key where they are merged, and the membership
    column, in which they lie in the order of time. Rows without it are found by their writers.
    """
    columns = [sql.SQL("    {}").format(_definition(column)) for column in projection.columns]
    key = identifiers(projection.model.key)
    if mode == "merge":
        columns.append(sql.SQL("    PRIMARY KEY ({})").format(key))
    statements = [
        sql.SQL("CREATE TABLE {} (\n{}\n)").format(name.sql, sql.SQL(",\n").join(columns)),
        sql.SQL("COMMENT ON TABLE {} IS {}").format(name.sql, sql.Literal(MADE_BY + export)),
    ]
    if mode == "replace" and projection.membership_column:
        statements.append(
            sql.SQL("CREATE INDEX ON {} USING brin ({}) WITH (pages_per_range = 32)").format(
                name.sql, sql.Identifier(projection.membership_column)
            )
        )
    return statements
