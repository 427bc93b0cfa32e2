"""The statements by which staged rows get into a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from batch_exports.destinations.postgres.table import TableName, identifiers
from batch_exports.destinations.redshift.loading import Stage, insert_from
from batch_exports.destinations.redshift.presence import same_key
from batch_exports.destinations.redshift.table import count_rows
from batch_exports.interval import DataInterval

_NEWEST = "_batch_exports_newest"


@dataclass(frozen=True)
class Moved:
    """Rows of the table: those that came, those that went, and those that differ from before."""

    inserted: int
    deleted: int
    changed: int


def append(connection: psycopg.Connection[Any], table: TableName, stage: Stage) -> Moved:
    """All rows, as they are."""
    inserted = connection.execute(insert_from(stage, table.sql)).rowcount
    return Moved(inserted, 0, inserted)


def delete_range(
    connection: psycopg.Connection[Any], table: TableName, column: str, interval: DataInterval
) -> int:
    """Delete all rows whose membership column lies in the interval; how many.

    To delete nothing takes the right to delete, which a first delivery does not need.
    """
    return _delete(connection, in_range(table, column), [interval.start, interval.end])


def in_range(table: TableName, column: str) -> sql.Composed:
    """What stands behind DELETE in `delete_range`, with placeholders for the bounds."""
    return sql.SQL("FROM {} WHERE {column} >= %s AND {column} < %s").format(
        table.sql, column=sql.Identifier(column)
    )


def delete_by_key(
    connection: psycopg.Connection[Any],
    table: TableName,
    stage: Stage,
    key: Sequence[str],
    *,
    without: str | None = None,
) -> int:
    """Delete the rows that have the key of a staged one, and where a column is named, no value in
    it; how many."""
    where = by_key(table, stage, key)
    if without:
        where += sql.SQL(" AND {} IS NULL").format(sql.Identifier(without))
    return _delete(connection, where, [])


def by_key(table: TableName, stage: Stage, key: Sequence[str]) -> sql.Composed:
    """What stands behind DELETE in `delete_by_key`."""
    matching = sql.SQL("EXISTS (SELECT 1 FROM {} WHERE {})").format(
        stage.relation, same_key(table.name, stage.name, key)
    )
    return sql.SQL("FROM {} WHERE {}").format(table.sql, matching)


def has_rows_without(connection: psycopg.Connection[Any], table: TableName, column: str) -> bool:
    statement = sql.SQL("SELECT 1 FROM {} WHERE {} IS NULL LIMIT 1")
    found = connection.execute(statement.format(table.sql, sql.Identifier(column))).fetchone()
    return found is not None


def merge(
    connection: psycopg.Connection[Any],
    table: TableName,
    stage: Stage,
    key: Sequence[str],
    versions: Sequence[str],
) -> Moved:
    """Insert rows with new keys, and update those whose versions are greater.

    Versions are compared one after the other. Of several staged rows of a key the newest counts;
    of equally new ones, any. MERGE itself takes no condition beside the key, and fails for a key
    that is staged twice: https://docs.aws.amazon.com/redshift/latest/dg/r_MERGE.html
    """
    newest = sql.Identifier(_NEWEST)
    creating, deleting, statement = merging(table, stage, key, versions)
    connection.execute(creating)
    connection.execute(deleting)
    changed = count_rows(connection, newest)
    matched = sql.SQL("{newest} WHERE EXISTS (SELECT 1 FROM {table} WHERE {same})")
    same = same_key(table.name, _NEWEST, key)
    updated = count_rows(connection, matched.format(newest=newest, table=table.sql, same=same))
    if changed:
        connection.execute(statement)
    connection.execute(sql.SQL("DROP TABLE {}").format(newest))
    return Moved(inserted=changed - updated, deleted=0, changed=changed)


def merging(
    table: TableName, stage: Stage, key: Sequence[str], versions: Sequence[str]
) -> tuple[sql.Composed, sql.Composed, sql.Composed]:
    """The statements of `merge`: one that makes a table of the newest rows, one that takes those
    out of it than which the target has newer ones, and the MERGE of what is left."""
    names = {
        "table": table.sql,
        "newest": sql.Identifier(_NEWEST),
        "same": same_key(table.name, _NEWEST, key),
    }
    deleting = sql.SQL("DELETE FROM {newest} USING {table} WHERE {same} AND {not_older}").format(
        **names, not_older=not_older(table.name, _NEWEST, versions)
    )
    rest = [name for name in stage.names if name not in key]
    statement = sql.SQL(
        "MERGE INTO {table} USING {newest} ON {same} "
        "WHEN MATCHED THEN UPDATE SET {changes} "
        "WHEN NOT MATCHED THEN INSERT ({columns}) VALUES ({values})"
    ).format(
        **names,
        changes=sql.SQL(", ").join(
            sql.SQL("{} = {}").format(sql.Identifier(name), sql.Identifier(_NEWEST, name))
            for name in rest
        ),
        columns=identifiers(stage.names),
        values=identifiers(stage.names, of=_NEWEST),
    )
    return _creating_newest(stage, key, versions), deleting, statement


def _creating_newest(stage: Stage, key: Sequence[str], versions: Sequence[str]) -> sql.Composed:
    """The staged rows in the table's types, one of each key."""
    columns = sql.SQL(", ").join(
        sql.SQL("{} AS {}").format(column.value, sql.Identifier(column.name))
        for column in stage.columns
    )
    falling = sql.SQL(", ").join(
        sql.SQL("{} DESC NULLS LAST").format(sql.Identifier(name)) for name in versions
    )
    return sql.SQL(
        "CREATE TEMP TABLE {newest} AS SELECT {columns} FROM ("
        "SELECT *, ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY {falling}) AS {number} "
        "FROM {stage}) AS numbered WHERE {number} = 1"
    ).format(
        newest=sql.Identifier(_NEWEST),
        columns=columns,
        key=identifiers(key),
        falling=falling,
        number=sql.Identifier("_batch_exports_number"),
        stage=stage.relation,
    )


def _delete(
    connection: psycopg.Connection[Any], where: sql.Composable, values: Sequence[Any]
) -> int:
    # A COUNT, since planners take LIMIT 1 for found soon, and where there is none compare each row
    # with each.
    count = connection.execute(sql.SQL("SELECT COUNT(*) {}").format(where), values).fetchone()
    if count == (0,):
        return 0
    return connection.execute(sql.SQL("DELETE {}").format(where), values).rowcount


def not_older(table: str, stage: str, versions: Sequence[str]) -> sql.Composed:
    """That a row of the table is as new as a staged one, or newer. One without a version is older
    than any: whatever is compared with NULL is not true."""
    held, given = sql.Identifier(table, versions[0]), sql.Identifier(stage, versions[0])
    if len(versions) == 1:
        return sql.SQL("{} >= {}").format(held, given)
    return sql.SQL("({held} > {given} OR ({held} = {given} AND {rest}))").format(
        held=held, given=given, rest=not_older(table, stage, versions[1:])
    )
