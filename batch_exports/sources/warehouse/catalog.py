"""What a warehouse has: schemas, tables, and the columns of one."""

from typing import Any

import psycopg

from batch_exports.destinations.postgres.table import TableName
from batch_exports.errors import Terminal
from batch_exports.sources.warehouse.dialect import Dialect
from batch_exports.sources.warehouse.kinds import POSTGRES, REDSHIFT, Kind, TableColumn

# Both have the catalog of PostgreSQL 8.
# https://docs.aws.amazon.com/redshift/latest/dg/c_intro_catalog_views.html
_SCHEMAS = """
SELECT nspname FROM pg_namespace
WHERE nspname <> 'information_schema' AND SUBSTRING(nspname, 1, 3) <> 'pg_'
ORDER BY nspname
"""
# Tables, partitioned ones, views, materialized ones, foreign tables.
_TABLES = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY c.relname
"""
_OF_POSTGRES = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod),
       CASE b.typtype WHEN 'e' THEN 'text' ELSE b.typname END
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_type t ON t.oid = a.atttypid
JOIN pg_type b ON b.oid = CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END
WHERE n.nspname = %s AND c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""
# Of late-binding views and external tables as well.
# https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_COLUMNS.html
_OF_REDSHIFT = """
SELECT column_name, data_type, character_maximum_length, numeric_precision, numeric_scale
FROM svv_columns
WHERE table_schema = %s AND table_name = %s
ORDER BY ordinal_position
"""
_FEW = 20


def schemas(connection: psycopg.Connection[Any]) -> list[str]:
    """The names of all that are not the server's own."""
    return [name for (name,) in connection.execute(_SCHEMAS).fetchall()]


def tables(connection: psycopg.Connection[Any], schema: str) -> list[str]:
    """The names of tables and views of a schema."""
    return [name for (name,) in connection.execute(_TABLES, [schema]).fetchall()]


def columns(
    connection: psycopg.Connection[Any], table: TableName, dialect: Dialect
) -> list[TableColumn]:
    """The columns of a table or a view, in their order. Raises `Terminal` where there is none."""
    query = _OF_POSTGRES if dialect.name == "postgres" else _OF_REDSHIFT
    rows = connection.execute(query, [table.schema, table.name]).fetchall()
    if not rows:
        raise _missing(connection, table)
    return [
        _of_postgres(*row) if dialect.name == "postgres" else _of_redshift(*row) for row in rows
    ]


def _of_postgres(name: str, shown: str, typname: str) -> TableColumn:
    return TableColumn(name, shown, POSTGRES.get(typname, Kind.OTHER))


def _of_redshift(
    name: str, type_: str, length: int | None, precision: int | None, scale: int | None
) -> TableColumn:
    shown = type_
    if type_ == "numeric":
        shown = f"numeric({precision},{scale})"
    elif length is not None:
        shown = f"{type_}({length})"
    return TableColumn(name, shown, REDSHIFT.get(type_))


def _missing(connection: psycopg.Connection[Any], table: TableName) -> Terminal:
    there = schemas(connection)
    if table.schema not in there:
        return Terminal(
            f"There is no schema {table.schema!r}, or the user may not see it.",
            remedy=f"Correct the source's schema. There is: {_few(there)}.",
        )
    return Terminal(
        f"There is no table {table}, or the user may not see it.",
        remedy=f"Correct the source's table. There is: {_few(tables(connection, table.schema))}.",
    )


def _few(names: list[str]) -> str:
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return (", ".join(names[:_FEW]) or "none") + more
