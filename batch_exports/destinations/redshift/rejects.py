"""Rows that the table cannot hold, and originals of changed ones, in a table beside it."""

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from typing import Any

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
_LONG = ("row_key", "original", "row")
# An original is staged as hexadecimal digits in a VARCHAR.
_PART_BYTES = MOST_VARCHAR_BYTES // 2


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
    number: int = 0,
) -> Iterator[pa.RecordBatch]:
    """Rows for `STAGE`: for each finding as many as it has parts, with its number, which are
    counted from `number` on."""
    for batch in originals:
        found = reject_rows(batch, identity, export, interval, run_id)
        numbers = pa.array(range(number, number + found.num_rows), pa.int64())
        number += found.num_rows
        found = found.append_column("number", numbers)
        large = _is_large(found)
        yield _parts(found.filter(pc.invert(large)))
        for position in pc.indices_nonzero(large).to_pylist():
            yield _parts(_cut(found.slice(position, 1)))


def _is_large(found: pa.RecordBatch) -> pa.Array:
    """Which findings take more than one part."""
    columns = [found.column(name).cast(pa.binary()) for name in _LONG]
    lengths = (pc.fill_null(pc.binary_length(column), 0) for column in columns)
    return reduce(pc.or_, (pc.greater(length, _PART_BYTES) for length in lengths))


def _cut(finding: pa.RecordBatch) -> pa.RecordBatch:
    """One finding as rows of its parts. The shorter columns are empty behind their end; what is
    NULL is so in all parts."""
    cut = [name for name in _LONG if finding.column(name)[0].is_valid]
    pieces = {name: _pieces(finding.column(name)[0].as_py()) for name in cut}
    count = max(map(len, pieces.values()))
    columns = {
        name: pa.array([*pieces[name], *[b""] * (count - len(pieces[name]))], pa.binary()).cast(
            finding.schema.field(name).type
        )
        if name in pieces
        else pa.repeat(finding.column(name)[0], count)
        for name in finding.schema.names
    }
    columns["part"] = pa.array(range(count), pa.int32())
    return pa.RecordBatch.from_pydict(columns)


def _pieces(value: str | bytes) -> list[bytes]:
    """A value in pieces that a part holds; text is cut between its characters."""
    if isinstance(value, bytes):
        return [value[i : i + _PART_BYTES] for i in range(0, len(value), _PART_BYTES)]
    pieces, rest = [], memoryview(value.encode())
    while len(rest) > _PART_BYTES:
        end = next(i for i in range(_PART_BYTES, 0, -1) if rest[i] & 0xC0 != 0x80)
        pieces.append(bytes(rest[:end]))
        rest = rest[end:]
    return [*pieces, bytes(rest)]


def _parts(found: pa.RecordBatch) -> pa.RecordBatch:
    """The columns of `STAGE`, of findings each of which fits one part, or is one."""
    columns = {name: found.column(name) for name in found.schema.names}
    columns.setdefault("part", pa.repeat(pa.scalar(0, pa.int32()), found.num_rows))
    original = pl.Series(columns["original"]).bin.encode("hex").to_arrow()
    columns["original"] = original.cast(pa.string())
    return pa.RecordBatch.from_pydict({name: columns[name] for name in STAGE.names})
