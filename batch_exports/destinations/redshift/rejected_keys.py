"""The source's keys without those of rows that a delivery rejected, whose keys others may have."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql

from batch_exports.destinations.postgres.rejects import json_rows
from batch_exports.destinations.postgres.table import TableName, identifiers
from batch_exports.destinations.redshift.loading import Stage
from batch_exports.destinations.redshift.types import MOST_VARCHAR_BYTES, Staged
from batch_exports.interval import DataInterval

_ROW_KEY = "_batch_exports_row_key"
_CHARACTERS = MOST_VARCHAR_BYTES // 4


@dataclass(frozen=True)
class Rejected:
    """The rows that the delivery of an interval rejected, in the table of rejects."""

    table: TableName
    export: str
    interval: DataInterval


def named(stage: Stage) -> Stage:
    """A stage of the same keys, each with the name that rejects have for it."""
    name = Staged(_ROW_KEY, f"VARCHAR({MOST_VARCHAR_BYTES})", sql.Identifier(_ROW_KEY))
    return replace(stage, name=f"{stage.name}_named", columns=(*stage.columns, name))


def with_names(
    batches: Iterable[pa.RecordBatch], identity: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Keys as they came, which rejects tell as well. What is longer than a name may be never
    becomes a key."""
    for batch in batches:
        names = pc.utf8_slice_codeunits(json_rows(batch, identity), 0, _CHARACTERS)
        yield batch.select(list(identity)).append_column(_ROW_KEY, names)


def keep_others(connection: psycopg.Connection[object], keys: Stage, rejected: Rejected) -> None:
    """Make the stage `keys` out of its named form, less as many as were rejected of each name."""
    # A row was rejected once, whatever number of reasons is told for it.
    statement = sql.SQL("""
    CREATE TEMP TABLE {keys} AS SELECT {columns} FROM (
        SELECT *, ROW_NUMBER() OVER (PARTITION BY {name} ORDER BY {name}) AS number FROM {named}
    ) AS s LEFT JOIN (
        SELECT row_key, SUM(times) AS times FROM (
            SELECT row_key, COUNT(*) / COUNT(DISTINCT column_name || ' ' || reason) AS times
            FROM {rejects} WHERE "export" = %s AND interval_start = %s AND interval_end = %s
            AND action = 'rejected' AND part = 0 GROUP BY row_key, "row"
        ) AS each_row GROUP BY row_key
    ) AS r ON s.{name} = r.row_key WHERE r.times IS NULL OR s.number > r.times
    """).format(
        keys=keys.relation,
        columns=identifiers(keys.names),
        name=sql.Identifier(_ROW_KEY),
        named=named(keys).relation,
        rejects=rejected.table.sql,
    )
    interval = rejected.interval
    connection.execute(statement, [rejected.export, interval.start, interval.end])
