"""A table as Redshift describes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from batch_exports.destinations.postgres.table import TableName
from batch_exports.errors import Terminal


@dataclass(frozen=True)
class TableColumn:
    """`type` is `svv_columns.data_type`; `shown` is as in SQL. `length` is the most bytes that
    a VARCHAR takes, `precision` and `scale` those of a NUMERIC."""

    name: str
    type: str
    shown: str
    length: int | None
    precision: int | None
    scale: int | None
    required: bool
    filled: bool


@dataclass(frozen=True)
class Table:
    columns: Sequence[TableColumn]

    def column(self, name: str) -> TableColumn | None:
        return next((column for column in self.columns if column.name == name), None)


# https://docs.aws.amazon.com/redshift/latest/dg/c_intro_catalog_views.html: the catalog of
# PostgreSQL 8, of which to_regclass is no part yet.
_KIND = """
SELECT c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s
"""
# https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_COLUMNS.html
_COLUMNS = """
SELECT column_name, data_type, character_maximum_length, numeric_precision, numeric_scale,
       is_nullable, column_default
FROM svv_columns
WHERE table_schema = %s AND table_name = %s
ORDER BY ordinal_position
"""


def read_table(connection: psycopg.Connection[Any], name: TableName) -> Table | None:
    """The table as it is now; None where there is none. Raises `Terminal` for what is no table."""
    found = connection.execute(_KIND, [name.schema, name.name]).fetchone()
    if found is None:
        return None
    if found[0] != "r":
        raise Terminal(
            f"{name} is not a table.", remedy="Name another table, or one that is not there yet."
        )
    rows = connection.execute(_COLUMNS, [name.schema, name.name]).fetchall()
    return Table([_column(*row) for row in rows])


def count_rows(connection: psycopg.Connection[Any], relation: sql.Composable) -> int:
    row = connection.execute(sql.SQL("SELECT COUNT(*) FROM {}").format(relation)).fetchone()
    return int(row[0]) if row else 0


def _column(
    name: str,
    type_: str,
    length: int | None,
    precision: int | None,
    scale: int | None,
    nullable: str,
    default: str | None,
) -> TableColumn:
    shown = type_
    if type_ == "character varying":
        shown = f"varchar({length})"
    elif type_ == "numeric":
        shown = f"numeric({precision},{scale})"
    required = nullable == "NO"
    return TableColumn(name, type_, shown, length, precision, scale, required, default is not None)
