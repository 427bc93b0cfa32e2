"""The tables that a delivery needs: made where they are missing, and only there."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from batch_exports.destinations.existing_table import OnMissingColumn, columns_to_add
from batch_exports.destinations.postgres.ledger import LEDGER
from batch_exports.destinations.postgres.rejects import rejects_of
from batch_exports.destinations.postgres.table import TableName, identifiers
from batch_exports.destinations.redshift import ledger, rejects
from batch_exports.destinations.redshift.layout import layout
from batch_exports.destinations.redshift.table import Table, read_table
from batch_exports.destinations.redshift.types import SemiStructuredType, made_type
from batch_exports.errors import Transient
from batch_exports.models import Column, Projection


@dataclass(frozen=True)
class Design:
    """How the export's table is made. Rows of one `dist_key` lie on one slice, where joins and
    merges by it need no other; blocks that a range of the `sort_key` leaves out are not read.
    Without them the table lies as `layout` says.

    https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_TABLE_NEW.html
    """

    semi_structured: SemiStructuredType = "SUPER"
    dist_key: str | None = None
    sort_key: Sequence[str] = ()


def prepare(
    connection: psycopg.Connection[Any],
    name: TableName,
    projection: Projection,
    design: Design,
    on_missing_column: OnMissingColumn,
) -> Table:
    """The export's table as it is now, or as it was just made; ledger and rejects stand beside it.

    Raises psycopg's errors, and `Terminal` for a missing column if that is to `fail`.
    """
    for other, statement in create_tables(name, projection, design).items():
        if read_table(connection, other) is None:
            _create(connection, other, statement, forgetting=other == name)
    table = _read(connection, name)
    added = columns_to_add(projection, table, name, on_missing_column)
    for column in added:
        connection.execute(add_column(name, column, design))
    return _read(connection, name) if added else table


def create_tables(
    name: TableName, projection: Projection, design: Design
) -> dict[TableName, sql.Composed]:
    """The statement that makes each table that the export needs; its own comes last."""
    return {
        TableName(name.schema, LEDGER): _formatted(name.schema, LEDGER, ledger.DEFINITION),
        TableName(name.schema, rejects_of(name.name)): _formatted(
            name.schema, rejects_of(name.name), rejects.DEFINITION
        ),
        name: create_table(name, projection, design),
    }


def create_table(name: TableName, projection: Projection, design: Design) -> sql.Composed:
    """The statement that makes the export's table."""
    columns = [
        sql.SQL("    {}").format(_definition(column, design)) for column in projection.columns
    ]
    statement = sql.SQL("CREATE TABLE {} (\n{}\n)").format(name.sql, sql.SQL(",\n").join(columns))
    lie = layout(projection, design.dist_key, design.sort_key)
    if lie.dist_key:
        statement += sql.SQL("\nDISTSTYLE KEY DISTKEY ({})").format(identifiers([lie.dist_key]))
    if lie.sort_key:
        statement += sql.SQL("\nCOMPOUND SORTKEY ({})").format(identifiers(lie.sort_key))
    return statement


def add_column(name: TableName, column: Column, design: Design) -> sql.Composed:
    """The statement that adds a column of the model. Redshift takes one at a time."""
    return sql.SQL("ALTER TABLE {} ADD COLUMN {}").format(name.sql, _definition(column, design))


def _create(
    connection: psycopg.Connection[Any],
    name: TableName,
    statement: sql.Composed,
    *,
    forgetting: bool,
) -> None:
    """Make a table, unless another run does it at the same moment. What was delivered to one of
    its name went with it, and is forgotten before anything else can be delivered there."""
    alone = connection.info.transaction_status is psycopg.pq.TransactionStatus.IDLE
    try:
        with connection.transaction() if alone else nullcontext():
            connection.execute(statement)
            if forgetting:
                ledger.forget(connection, name)
    except (psycopg.errors.DuplicateTable, psycopg.errors.UniqueViolation) as error:
        if not alone:
            raise Transient(
                f"Another run made {name} at the same moment.", remedy="It is tried again."
            ) from error


def _definition(column: Column, design: Design) -> sql.Composed:
    return sql.SQL("{} {}").format(
        sql.Identifier(column.name), sql.SQL(made_type(column, design.semi_structured))
    )


def _formatted(schema: str, name: str, definition: str) -> sql.Composed:
    return sql.SQL(definition.strip()).format(sql.Identifier(schema, name))


def _read(connection: psycopg.Connection[Any], name: TableName) -> Table:
    table = read_table(connection, name)
    if table is None:
        raise Transient(f"{name} was dropped just now.", remedy="It is made again.")
    return table
