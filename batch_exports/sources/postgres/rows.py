"""The rows of a relation, filtered, with the columns by the names and in the types of the model."""

from collections.abc import Generator, Sequence
from contextlib import closing
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql

from batch_exports.errors import Terminal
from batch_exports.interval import DataInterval
from batch_exports.models import TIMESTAMP
from batch_exports.sources.membership import without_membership
from batch_exports.sources.postgres.condition import of_events, within, without_time
from batch_exports.sources.postgres.relation import Relation
from batch_exports.sources.postgres.stream import stream
from batch_exports.sources.source import Selection


def filtered_rows(
    connection: psycopg.Connection[Any],
    relation: Relation,
    selection: Selection,
    intervals: Sequence[DataInterval],
    names: list[str],
) -> Generator[pa.RecordBatch, None, None]:
    """The rows of those intervals that pass the selection's filters, with the columns `names`.

    A query has the rows of the one interval that it was given. Raises psycopg's errors, and
    `Terminal` for a query that yields others.
    """
    batches = stream(
        connection,
        asked_rows(relation, selection, intervals, names),
        schema_of(selection, names),
        where=relation.where,
        columns=relation.selected(names),
    )
    with closing(batches):
        for batch in batches:
            if not relation.is_table:
                _check_moments(batch, selection.membership, intervals[0], relation.where)
            kept = selection.filters.matching(batch)
            if kept.num_rows:
                yield kept


def asked_rows(
    relation: Relation,
    selection: Selection,
    intervals: Sequence[DataInterval],
    names: list[str],
) -> sql.Composed:
    """The query for `filtered_rows`. Filters by properties are no part of it."""
    condition = of_events(relation, selection.filters)
    if relation.is_table:
        inside = within(relation, selection.membership, intervals)
        condition = sql.SQL("{} AND {}").format(inside, condition)
    return relation.select(names, condition)


def refuse_without_time(
    connection: psycopg.Connection[Any], relation: Relation, membership: str
) -> None:
    """Raises `Terminal` where a table has rows that no interval asks for. An index on the column
    tells of them at once."""
    statement = sql.SQL("SELECT count(*) FROM {} WHERE {}").format(
        relation.rows, without_time(relation, membership)
    )
    row = connection.execute(statement).fetchone()
    if row and row[0]:
        raise without_membership(f"{row[0]} rows (NULL or infinity)", membership, relation.where)


def outside(where: str, rows: int, membership: str, interval: DataInterval) -> Terminal:
    """The error for rows that their own interval has not, or that a neighbour would have too."""
    return Terminal(
        f"{where} gives {rows} rows of which {membership} lies outside of {interval}.",
        remedy=f"Let it select by {membership} itself, from {{data_interval_start}} on, and before "
        "{data_interval_end}.",
    )


def schema_of(selection: Selection, names: list[str]) -> pa.Schema:
    """The types in which columns of a relation are read: those of the model's columns, and text of
    what filters alone look at."""
    types = {column.source_name: column.type for column in selection.model.columns}
    types[selection.membership] = TIMESTAMP
    return pa.schema([(name, types.get(name, pa.string())) for name in names])


def _check_moments(
    batch: pa.RecordBatch, membership: str, interval: DataInterval, where: str
) -> None:
    moments = batch.column(membership)
    if moments.null_count:
        raise without_membership(f"{moments.null_count} rows", membership, where)
    early = pc.less(moments, pa.scalar(interval.start, TIMESTAMP))
    late = pc.greater_equal(moments, pa.scalar(interval.end, TIMESTAMP))
    if rows := pc.sum(pc.or_(early, late)).as_py():
        raise outside(where, rows, membership, interval)
