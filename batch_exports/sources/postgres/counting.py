"""How many rows a relation has, without reading more of them than filters ask for."""

from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
from numpy.typing import NDArray
from psycopg import sql

from batch_exports.interval import DataInterval
from batch_exports.models import TIMESTAMP
from batch_exports.sources.membership import without_membership
from batch_exports.sources.postgres.condition import moment, of_events, within
from batch_exports.sources.postgres.relation import Relation
from batch_exports.sources.postgres.rows import filtered_rows, outside
from batch_exports.sources.source import Selection


def count_table(
    connection: psycopg.Connection[Any],
    relation: Relation,
    selection: Selection,
    intervals: Sequence[DataInterval],
) -> list[int]:
    """The rows of each interval, whether they touch, overlap or lie apart, by one statement.

    Time is cut wherever an interval begins or ends, and the rows of each piece are counted. Raises
    psycopg's errors.
    """
    cuts = sorted({cut for interval in intervals for cut in (interval.start, interval.end)})
    by_piece = _streamed if selection.filters.properties else _grouped
    pieces = by_piece(connection, relation, selection, intervals, cuts)
    before = dict(zip(cuts, [0, *np.cumsum(pieces).tolist()], strict=True))
    return [before[interval.end] - before[interval.start] for interval in intervals]


def count_query(
    connection: psycopg.Connection[Any],
    relation: Relation,
    selection: Selection,
    interval: DataInterval,
) -> int:
    """The rows of a query that was given the interval. Raises `Terminal` where others are among
    them, and psycopg's errors."""
    membership, filters = selection.membership, selection.filters
    if filters.properties:
        names = list(dict.fromkeys([membership, *filters.columns]))
        with closing(filtered_rows(connection, relation, selection, [interval], names)) as batches:
            return sum(batch.num_rows for batch in batches)
    statement = sql.SQL(
        "SELECT count(*), count(*) FILTER (WHERE {0} IS NULL), count(*) FILTER (WHERE NOT {1}) "
        "FROM {2} WHERE {3}"
    ).format(
        relation.column(membership),
        within(relation, membership, [interval]),
        relation.rows,
        of_events(relation, filters),
    )
    row = connection.execute(statement).fetchone()
    assert row
    rows, without_time, elsewhere = row
    if without_time:
        raise without_membership(f"{without_time} rows", membership, relation.where)
    if elsewhere:
        raise outside(relation.where, elsewhere, membership, interval)
    return int(rows)


def _grouped(
    connection: psycopg.Connection[Any],
    relation: Relation,
    selection: Selection,
    intervals: Sequence[DataInterval],
    cuts: Sequence[datetime],
) -> NDArray[np.int64]:
    """https://www.postgresql.org/docs/current/functions-math.html (width_bucket of an array)"""
    membership = selection.membership
    moments = [moment(relation, membership, cut) for cut in cuts]
    statement = sql.SQL(
        "SELECT pg_catalog.width_bucket({0}, ARRAY[{1}]) AS piece, count(*) "
        "FROM {2} WHERE {3} AND {4} GROUP BY piece"
    ).format(
        relation.column(membership),
        sql.SQL(", ").join(moments),
        relation.rows,
        within(relation, membership, intervals),
        of_events(relation, selection.filters),
    )
    pieces = np.zeros(len(cuts) - 1, np.int64)
    for piece, rows in connection.execute(statement):
        pieces[piece - 1] = rows
    return pieces


def _streamed(
    connection: psycopg.Connection[Any],
    relation: Relation,
    selection: Selection,
    intervals: Sequence[DataInterval],
    cuts: Sequence[datetime],
) -> NDArray[np.int64]:
    names = list(dict.fromkeys([selection.membership, *selection.filters.columns]))
    edges = _microseconds(pa.array(cuts, TIMESTAMP))
    pieces = np.zeros(len(cuts) + 1, np.int64)
    with closing(filtered_rows(connection, relation, selection, intervals, names)) as batches:
        for batch in batches:
            moments = _microseconds(batch.column(selection.membership))
            found = np.searchsorted(edges, moments, side="right")
            pieces += np.bincount(found, minlength=len(pieces))
    return pieces[1:-1]


def _microseconds(moments: pa.Array) -> NDArray[np.int64]:
    microseconds: NDArray[np.int64] = moments.cast(pa.int64()).to_numpy()
    return microseconds
