"""Rows that the table cannot hold, and originals of changed ones, in a table beside it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql

from batch_exports.destinations.postgres.rejects import reject_rows
from batch_exports.destinations.postgres.table import TableName
from batch_exports.destinations.redshift.loading import Stage
from batch_exports.destinations.redshift.types import MOST_VARCHAR_BYTES, Staged
from batch_exports.interval import DataInterval

# What was found is told in as many parts as its longest text takes: VARCHAR and VARBYTE have ends.
DEFINITION = """
CREATE TABLE {} (
    "export" VARCHAR(512) NOT NULL,
    "interval_start" TIMESTAMP WITH TIME ZONE NOT NULL,
    "interval_end" TIMESTAMP WITH TIME ZONE NOT NULL,
    "run_id" VARCHAR(64) NOT NULL,
    "number" BIGINT NOT NULL,
    "part" INTEGER NOT NULL,
    "action" VARCHAR(16) NOT NULL,
    "column_name" VARCHAR(127) NOT NULL,
    "reason" VARCHAR(1024) NOT NULL,
    "row_key" VARCHAR(65535) NOT NULL,
    "original" VARBYTE(65535),
    "row" VARCHAR(65535) NOT NULL
)
"""
# In hexadecimal digits a part of an original has to be a VARCHAR; a character has up to 4 bytes.
_ORIGINAL_BYTES = MOST_VARCHAR_BYTES // 2
_TEXT_CHARACTERS = MOST_VARCHAR_BYTES // 4


def _column(name: str, type_: str, value: str = "{}") -> Staged:
    return Staged(name, type_, sql.SQL(value).format(sql.Identifier(name)))


_MOMENT = ("TIMESTAMP", "{} AT TIME ZONE 'UTC'")
STAGE = Stage(
    "_batch_exports_rejects",
    (
        _column("export", "VARCHAR(512)"),
        _column("interval_start", *_MOMENT),
        _column("interval_end", *_MOMENT),
        _column("run_id", "VARCHAR(64)"),
        _column("number", "BIGINT"),
        _column("part", "INTEGER"),
        _column("action", "VARCHAR(16)"),
        _column("column_name", "VARCHAR(127)"),
        _column("reason", "VARCHAR(1024)"),
        _column("row_key", "VARCHAR(65535)"),
        _column("original", "VARCHAR(65535)", "TO_VARBYTE({}, 'hex')"),
        _column("row", "VARCHAR(65535)"),
    ),
)


def forget(
    connection: psycopg.Connection[Any], name: TableName, export: str, interval: DataInterval
) -> None:
    """Delete what earlier deliveries of the interval, or of ones within it, had put aside."""
    statement = sql.SQL(
        'DELETE FROM {} WHERE "export" = %s AND interval_start >= %s AND interval_end <= %s'
    ).format(name.sql)
    connection.execute(statement, [export, interval.start, interval.end])


def staged_rejects(
    originals: Iterable[pa.RecordBatch],
    identity: Sequence[str],
    export: str,
    interval: DataInterval,
    run_id: str,
) -> Iterator[pa.RecordBatch]:
    """Rows for `STAGE`: for each finding as many as it has parts, with its number."""
    number = 0
    for batch in originals:
        found = reject_rows(batch, identity, export, interval, run_id)
        numbers = pa.array(range(number, number + found.num_rows), pa.int64())
        number += found.num_rows
        found = found.append_column("number", numbers)
        parts = _parts(found)
        for part in range(int(parts.max(initial=0))):
            yield _part(found.filter(pa.array(parts > part)), part)


def _parts(found: pa.RecordBatch) -> "np.ndarray[Any, np.dtype[np.int64]]":
    """How many parts each finding has."""
    sizes = [(pc.binary_length(found.column("original")), _ORIGINAL_BYTES)]
    sizes += [(pc.utf8_length(found.column(name)), _TEXT_CHARACTERS) for name in ("row_key", "row")]
    parts = np.ones(found.num_rows, np.int64)
    for lengths, most in sizes:
        counted = pc.fill_null(lengths, 0).to_numpy(zero_copy_only=False).astype(np.int64)
        parts = np.maximum(parts, -(-counted // most))
    return parts


def _part(found: pa.RecordBatch, part: int) -> pa.RecordBatch:
    first, characters = part * _ORIGINAL_BYTES, part * _TEXT_CHARACTERS
    original = pc.binary_slice(found.column("original"), first, first + _ORIGINAL_BYTES)
    columns = {name: found.column(name) for name in found.schema.names}
    columns |= {
        "part": pa.repeat(pa.scalar(part, pa.int32()), found.num_rows),
        "original": pl.Series(original).bin.encode("hex").to_arrow().cast(pa.string()),
    }
    for name in ("row_key", "row"):
        columns[name] = pc.utf8_slice_codeunits(
            found.column(name), characters, characters + _TEXT_CHARACTERS
        )
    return pa.RecordBatch.from_pydict({name: columns[name] for name in STAGE.names})
