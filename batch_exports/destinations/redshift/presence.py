"""Which of a table's rows belong to an interval: told by a range, or by the keys of the source."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from batch_exports.destinations.delivery import KeyReader
from batch_exports.destinations.postgres.table import TableName
from batch_exports.destinations.redshift.fit import Fit
from batch_exports.destinations.redshift.loading import Loader, Stage, create_stage
from batch_exports.destinations.redshift.rejected_keys import (
    Rejected,
    keep_others,
    named,
    with_names,
)
from batch_exports.destinations.sift import Sift
from batch_exports.interval import DataInterval
from batch_exports.models import Projection
from batch_exports.transform.capabilities import OnUnrepresentable

KEYS = "_batch_exports_keys"


@dataclass(frozen=True)
class Presence:
    """The interval's rows in the table are those of `rows`, a relation with its condition.

    Those of `counted` are as many as were delivered: the same, but where rows are merged. There
    they are the source's rows whose key the table has, since several of them may have one.
    """

    table: TableName
    rows: sql.Composed
    counted: sql.Composed
    values: Sequence[Any]
    key: Sequence[str]
    versions: Sequence[str]


def in_range(
    table: TableName, column: str, interval: DataInterval, projection: Projection
) -> Presence:
    """By the membership column, which the table has."""
    rows = sql.SQL("{} WHERE {column} >= %s AND {column} < %s").format(
        table.sql, column=sql.Identifier(column)
    )
    model = projection.model
    bounds = [interval.start, interval.end]
    return Presence(table, rows, rows, bounds, model.key, model.versions)


def by_source_keys(
    connection: psycopg.Connection[Any],
    table: TableName,
    fit: Fit,
    projection: Projection,
    source_keys: KeyReader,
    loader: Loader,
    *,
    merged_but: Rejected | None,
) -> Presence:
    """By the keys that the source has, which are put into a stage named `KEYS`.

    They are changed there as they were changed when they were delivered. Where rows are merged,
    those that were rejected are left out: an older row of their key may be in the table.
    """
    model = projection.model
    stage = key_stage(KEYS, fit, projection.identity)
    loaded = named(stage) if merged_but else stage
    create_stage(connection, loaded)
    sift = Sift(fit.capabilities, OnUnrepresentable.REPLACE, stage.names, keep=lambda _: None)
    with source_keys() as reader:
        keys = (batch.select(stage.names) for batch in reader)
        given = with_names(keys, projection.identity) if merged_but else keys
        loader.load(connection, loaded, sift.clean(given))
    if merged_but:
        keep_others(connection, stage, merged_but)
    rows = _having(table.sql, stage.relation, same_key(table.name, KEYS, model.key))
    counted = _having(stage.relation, table.sql, same_key(table.name, KEYS, model.key))
    return Presence(
        table, rows, counted if merged_but else rows, [], model.key, stage.names[len(model.key) :]
    )


def key_stage(name: str, fit: Fit, columns: Sequence[str]) -> Stage:
    """A stage of some of the table's columns."""
    staged = {column.name: column for column in fit.stage}
    return Stage(name, tuple(staged[column] for column in columns))


def same_key(table: str, other: str, key: Sequence[str]) -> sql.Composed:
    """The condition that rows of a table, and of another relation, have the same key."""
    return sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier(table, name), sql.Identifier(other, name))
        for name in key
    )


def _having(
    relation: sql.Composable, other: sql.Composable, matching: sql.Composable
) -> sql.Composed:
    return sql.SQL("{} WHERE EXISTS (SELECT 1 FROM {} WHERE {})").format(relation, other, matching)
