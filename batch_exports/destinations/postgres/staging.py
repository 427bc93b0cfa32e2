"""Staged rows moved into the table: in the place of an earlier delivery, or merged."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from batch_exports.destinations.postgres.ledger import Clause, Written
from batch_exports.destinations.postgres.table import identifiers
from batch_exports.errors import Terminal


@dataclass(frozen=True)
class Stage:
    """Rows staged in tables with the columns that the target takes."""

    tables: Sequence[sql.Composable]
    columns: Sequence[str]
    key: Sequence[str]

    @property
    def rows(self) -> sql.Composed:
        """All rows, as a relation to be named."""
        selects = [
            sql.SQL("SELECT {} FROM {}").format(identifiers(self.columns), table)
            for table in self.tables
        ]
        return sql.SQL("({})").format(sql.SQL(" UNION ALL ").join(selects))


def append(connection: psycopg.Connection[Any], table: sql.Composable, stage: Stage) -> int:
    """All rows, as they are."""
    return connection.execute(appending(table, stage)).rowcount


def appending(table: sql.Composable, stage: Stage) -> sql.Composed:
    """The statement of `append`."""
    return sql.SQL("INSERT INTO {} ({}) SELECT * FROM {} s").format(
        table, identifiers(stage.columns), stage.rows
    )


def in_range(table: sql.Composable, column: str) -> sql.Composed:
    """What stands behind DELETE for the rows whose column lies in an interval, with placeholders
    for its bounds."""
    return sql.SQL("FROM {} WHERE {column} >= %s AND {column} < %s").format(
        table, column=sql.Identifier(column)
    )


def delete_written(
    connection: psycopg.Connection[Any], table: sql.Composable, written: Written
) -> bool:
    """Delete the rows that deliveries wrote; whether that were all of them.

    Fewer are found where others deleted, changed or restored rows. Raises `Terminal` where more
    are found, which after four billion transactions may be.
    """
    deleted = 0
    for condition in written.conditions():
        if deleted < written.rows:
            delete = deleting_written(table, condition)
            deleted += connection.execute(delete, condition.values).rowcount
    if deleted > written.rows:
        raise Terminal(
            f"{written.rows} rows were delivered, but {deleted} look like it: transaction numbers "
            "have been used again.",
            remedy="Export the membership column as well, by which rows are found in any case.",
        )
    return deleted == written.rows


def deleting_written(table: sql.Composable, condition: Clause) -> sql.Composed:
    """The statement that deletes rows which meet a condition of `Written`."""
    return sql.SQL("DELETE FROM {} t WHERE {}").format(table, condition.text)


def replace_by_key(
    connection: psycopg.Connection[Any], table: sql.Composable, stage: Stage, others: Clause
) -> int:
    """Put the staged rows in the place of those with the same keys, whoever wrote them.

    Left are those that deliveries of other intervals wrote, which `others` gives: there the source
    has the key more than once.
    """
    names = {"table": table, "stage": stage.rows, "matching": _matching(stage, others)}
    # To delete nothing takes the right to delete, which a first delivery does not need. It is
    # counted, since planners take EXISTS for found soon, and where there is none compare each row
    # with each.
    probe = sql.SQL("SELECT count(*) FROM {table} t JOIN {stage} s ON {matching}")
    found = connection.execute(probe.format(**names), others.values).fetchone()
    if found and found[0]:
        connection.execute(deleting_by_key(table, stage, others), others.values)
    return append(connection, table, stage)


def deleting_by_key(table: sql.Composable, stage: Stage, others: Clause) -> sql.Composed:
    """The statement that deletes what `replace_by_key` puts staged rows in the place of."""
    return sql.SQL("DELETE FROM {table} t USING {stage} s WHERE {matching}").format(
        table=table, stage=stage.rows, matching=_matching(stage, others)
    )


def _matching(stage: Stage, others: Clause) -> sql.Composed:
    return sql.SQL("{} AND t.xmin NOT IN ({})").format(same_key(stage.key), others.text)


def merge(
    connection: psycopg.Connection[Any],
    table: sql.Composable,
    stage: Stage,
    versions: Sequence[str],
) -> int:
    """Insert rows with new keys, and update those whose versions are greater; how many changed.

    Versions are compared one after the other. Of several staged rows of a key the newest counts;
    of equally new ones, any.
    """
    newest = _newest(connection, stage, versions)
    return connection.execute(merging(table, stage, versions, newest)).rowcount


def merging(
    table: sql.Composable, stage: Stage, versions: Sequence[str], newest: sql.Composable
) -> sql.Composed:
    """The statement of `merge`. `newest` are the staged rows, one of each key."""
    rest = [name for name in stage.columns if name not in stage.key]
    names = {
        "table": table,
        "columns": identifiers(stage.columns),
        "newest": newest,
        "key": identifiers(stage.key),
        "changes": sql.SQL(", ").join(
            sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(name)) for name in rest
        ),
        "held": identifiers(versions, of="t"),
        "staged": identifiers(versions, of="excluded"),
    }
    # A row of the table without a version is older than any.
    statement = sql.SQL(
        "INSERT INTO {table} AS t ({columns}) SELECT * FROM {newest} s "
        "ON CONFLICT ({key}) DO UPDATE SET {changes} "
        "WHERE (({held}) < ({staged})) IS NOT FALSE"
    )
    return statement.format(**names)


def _newest(
    connection: psycopg.Connection[Any], stage: Stage, versions: Sequence[str]
) -> sql.Composable:
    """The staged rows, one of each key. Only where keys stand twice are rows put in order."""
    names = {"key": identifiers(stage.key), "rows": stage.rows}
    probe = sql.SQL("SELECT EXISTS (SELECT FROM {rows} s GROUP BY {key} HAVING count(*) > 1)")
    found = connection.execute(probe.format(**names)).fetchone()
    if not (found and found[0]):
        return stage.rows
    falling = sql.SQL(", ").join(
        sql.SQL("{} DESC").format(sql.Identifier(name)) for name in versions
    )
    return sql.SQL("(SELECT DISTINCT ON ({key}) * FROM {rows} s ORDER BY {key}, {falling})").format(
        **names, falling=falling
    )


def same_key(key: Sequence[str]) -> sql.Composed:
    """The condition that rows `t` and `s` have the same key."""
    return sql.SQL(" AND ").join(
        sql.SQL("t.{0} = s.{0}").format(sql.Identifier(name)) for name in key
    )
