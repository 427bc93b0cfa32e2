"""A table as the server describes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from batch_exports.errors import Terminal

MADE_BY = "Made by batch_exports for the export "


@dataclass(frozen=True)
class TableColumn:
    """`type` is `pg_type.typname` (of a domain, its base type's); `shown` is as in SQL.

    `length` is the n of VARCHAR(n), the digits of a TIMESTAMP(n)'s seconds, or the modifier of a
    NUMERIC(p, s), see `types.rounds`; None without one.
    """

    name: str
    type: str
    shown: str
    length: int | None
    required: bool
    filled: bool


@dataclass(frozen=True)
class Table:
    """`unique` are the sets of columns that a unique index keeps apart; `made_for` is the export
    that made the table, empty where a user did. `identity` is that of no other table, nor of this
    one once it was restored from a dump; empty where the server does not tell it."""

    identity: str
    columns: Sequence[TableColumn]
    unique: Sequence[frozenset[str]]
    made_for: str

    def column(self, name: str) -> TableColumn | None:
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True)
class TableName:
    """Schema and name of a table."""

    schema: str
    name: str

    @property
    def sql(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)

    def __str__(self) -> str:
        return f'"{self.schema}"."{self.name}"'


_RELATION = """
SELECT c.oid, c.relkind, coalesce(obj_description(c.oid, 'pg_class'), '')
FROM pg_class c
WHERE c.oid = to_regclass(format('%%I.%%I', %s::text, %s::text))
"""
_COLUMNS = """
SELECT a.attname, b.typname, format_type(a.atttypid, a.atttypmod),
       CASE WHEN a.atttypmod = -1 THEN t.typtypmod ELSE a.atttypmod END,
       a.attnotnull OR t.typnotnull,
       a.atthasdef OR a.attidentity <> '' OR a.attgenerated <> '',
       a.attgenerated <> ''
FROM pg_attribute a
JOIN pg_type t ON t.oid = a.atttypid
JOIN pg_type b ON b.oid = CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""
_UNIQUE = """
SELECT array_agg(a.attname::text)
FROM pg_index i
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey[:i.indnkeyatts - 1])
WHERE i.indrelid = %s AND i.indisunique AND i.indisvalid AND i.indimmediate
      AND i.indpred IS NULL AND i.indexprs IS NULL
GROUP BY i.indexrelid
"""


def read_table(connection: psycopg.Connection[Any], name: TableName) -> Table | None:
    """The table as it is now; None where there is none. Raises `Terminal` for what is no table."""
    found = connection.execute(_RELATION, [name.schema, name.name]).fetchone()
    if found is None:
        return None
    oid, kind, comment = found
    if kind not in ("r", "p"):
        raise Terminal(
            f"{name} is not a table.", remedy="Name another table, or one that is not there yet."
        )
    cluster = _cluster(connection)
    columns = connection.execute(_COLUMNS, [oid]).fetchall()
    unique = connection.execute(_UNIQUE, [oid]).fetchall()
    return Table(
        identity=f"{cluster}/{oid}" if cluster else "",
        columns=[
            TableColumn(column, type_, shown, _length(type_, modifier), required, filled)
            for column, type_, shown, modifier, required, filled, generated in columns
            if not generated
        ],
        unique=[frozenset(names) for (names,) in unique],
        made_for=comment.removeprefix(MADE_BY) if comment.startswith(MADE_BY) else "",
    )


def _cluster(connection: psycopg.Connection[Any]) -> str:
    """What tells this cluster of databases from any other."""
    allowed = "SELECT has_function_privilege('pg_catalog.pg_control_system()', 'execute')"
    row = connection.execute(allowed).fetchone()
    if not (row and row[0]):
        return ""
    told = connection.execute("SELECT system_identifier FROM pg_control_system()").fetchone()
    return str(told[0]) if told else ""


def identifiers(names: Sequence[str], *, of: str = "") -> sql.Composed:
    """Columns, each of the relation `of` where one is given."""
    qualifier = [of] if of else []
    return sql.SQL(", ").join(sql.Identifier(*qualifier, name) for name in names)


def exists(connection: psycopg.Connection[Any], name: TableName) -> bool:
    return connection.execute(_RELATION, [name.schema, name.name]).fetchone() is not None


def _length(type_: str, modifier: int) -> int | None:
    if modifier == -1:
        return None
    # The length word of variable-length types counts its own four bytes.
    return modifier - 4 if type_ in ("varchar", "bpchar", "_varchar") else modifier
