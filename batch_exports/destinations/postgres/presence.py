"""Which of a table's rows belong to an interval: told by a range, or by the keys of the source."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql

from batch_exports.destinations.delivery import KeyReader
from batch_exports.destinations.postgres.fit import Fit
from batch_exports.destinations.postgres.ledger import Clause, Written
from batch_exports.destinations.postgres.load import Rows, Target, load
from batch_exports.destinations.postgres.rejects import json_rows
from batch_exports.destinations.postgres.staging import same_key
from batch_exports.destinations.postgres.table import TableName, identifiers
from batch_exports.destinations.sift import Sift
from batch_exports.interval import DataInterval
from batch_exports.models import Projection
from batch_exports.transform.capabilities import OnUnrepresentable

_KEYS = "_batch_exports_keys"
STAGED = sql.Identifier("pg_temp", _KEYS)


@dataclass(frozen=True)
class Presence:
    """The interval's rows in the table are those of `rows`, a relation `t` with its condition.

    Those of `counted` are as many as were delivered: the same, but where rows are merged. There
    they are the source's rows whose key the table has, since several of them may have one.
    `count` is their number where it is known already.
    """

    table: sql.Composable
    rows: sql.Composed
    counted: sql.Composed
    values: dict[str, Any]
    key: Sequence[str]
    versions: Sequence[str]
    count: int | None = None


def find_presence(
    connection: psycopg.Connection[Any],
    table: TableName,
    fit: Fit,
    projection: Projection,
    others: Clause,
    interval: DataInterval,
    source_keys: KeyReader | None,
    *,
    written: Written | None,
    rejects: TableName | None,
    export: str,
    merge: bool,
) -> Presence | None:
    """By the range of the membership column where the table has it; else by who wrote them, where
    as many are found as were `written`; else by the source's keys, and not at all without these.

    They are put into a temporary table of the connection's session, without those of rows that
    the delivery rejected. `others` are the writers of rows that belong to other intervals.
    """
    key, versions = projection.model.key, projection.model.versions
    bounds = {"start": interval.start, "end": interval.end, "export": export}
    if fit.range_column:
        rows = sql.SQL("{} t WHERE t.{column} >= %(start)s AND t.{column} < %(end)s").format(
            table.sql, column=sql.Identifier(fit.range_column)
        )
        return Presence(table.sql, rows, rows, bounds, key, versions)
    for condition in written.conditions() if written else []:
        rows = sql.SQL("{} t WHERE {}").format(table.sql, condition.text)
        statement = sql.SQL("SELECT count(*) FROM {}").format(rows)
        found = connection.execute(statement, condition.values).fetchone()
        if written and found and found[0] == written.rows:
            values = {**bounds, **condition.values}
            return Presence(table.sql, rows, rows, values, key, versions, written.rows)
    if source_keys is None:
        return None
    _stage(connection, table, fit, projection, source_keys, named=rejects is not None)
    if rejects:
        _forget_rejected(connection, rejects, bounds)
    connection.execute(sql.SQL("ANALYZE {}").format(STAGED))
    rows = sql.SQL("{} t WHERE EXISTS (SELECT FROM {} s WHERE {})").format(
        table.sql, STAGED, same_key(key)
    )
    if merge:
        counted = sql.SQL("{} s WHERE EXISTS (SELECT FROM {} t WHERE {})").format(
            STAGED, table.sql, same_key(key)
        )
        return Presence(table.sql, rows, counted, bounds, key, versions)
    rows = sql.SQL("{} AND t.xmin NOT IN ({})").format(rows, others.text)
    return Presence(table.sql, rows, rows, {**bounds, **others.values}, key, versions)


def _stage(
    connection: psycopg.Connection[Any],
    table: TableName,
    fit: Fit,
    projection: Projection,
    source_keys: KeyReader,
    *,
    named: bool,
) -> None:
    """The keys, and where rejects have to be found by them, their names there."""
    names = projection.identity
    types = [fit.types[fit.names.index(name)] for name in names]
    connection.execute(
        sql.SQL("CREATE TEMPORARY TABLE {} AS SELECT {}, ''::text AS row_key FROM {} "
                "WITH NO DATA").format(sql.Identifier(_KEYS), identifiers(names), table.sql)
    )  # fmt: skip
    # Keys are changed as they were changed when they were delivered, and rejects name their rows by
    # what came.
    sift = Sift(fit.capabilities, OnUnrepresentable.REPLACE, names, keep=lambda _: None)
    with source_keys() as reader:
        batches = (
            # An export may have its columns in another order.
            batch.select(names).append_column(
                "row_key",
                json_rows(batch, names) if named else pa.nulls(batch.num_rows, pa.string()),
            )
            for batch in reader
        )
        load(
            [Target(connection, STAGED)],
            Rows(sift.clean(batches), (*names, "row_key"), (*types, "text"), names),
        )


def _forget_rejected(
    connection: psycopg.Connection[Any], rejects: TableName, values: dict[str, Any]
) -> None:
    """As many as were rejected of each name: others of it may have been delivered."""
    # A row was rejected once, whatever number of reasons is told for it.
    statement = sql.SQL("""
    DELETE FROM {staged} WHERE ctid IN (
        SELECT s.place FROM (
            SELECT ctid AS place, row_key, row_number() OVER (PARTITION BY row_key) AS number
            FROM {staged}
        ) s JOIN (
            SELECT row_key, sum(times) AS times FROM (
                SELECT row_key::text AS row_key,
                       count(*) / count(DISTINCT (column_name, reason)) AS times
                FROM {rejects} WHERE export = %(export)s AND action = 'rejected'
                AND interval_start = %(start)s AND interval_end = %(end)s
                GROUP BY row_key::text, "row"::text
            ) r GROUP BY row_key
        ) r USING (row_key) WHERE s.number <= r.times
    )
    """)
    connection.execute(statement.format(staged=STAGED, rejects=rejects.sql), values)
