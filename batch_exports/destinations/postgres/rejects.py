"""Rows that the table cannot hold, and originals of changed ones, in a table beside it."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from tempfile import TemporaryFile
from types import TracebackType
from typing import IO, Any

import polars as pl
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql

from batch_exports.destinations.postgres.table import TableName
from batch_exports.errors import Terminal
from batch_exports.interval import DataInterval
from batch_exports.models import TIMESTAMP

DEFINITION = """
CREATE TABLE {} (
    export TEXT NOT NULL,
    interval_start TIMESTAMP WITH TIME ZONE NOT NULL,
    interval_end TIMESTAMP WITH TIME ZONE NOT NULL,
    run_id TEXT NOT NULL,
    action TEXT NOT NULL,
    column_name TEXT NOT NULL,
    reason TEXT NOT NULL,
    row_key JSON NOT NULL,
    original BYTEA,
    "row" JSON NOT NULL
)
"""
_TYPES = {
    "export": "text",
    "interval_start": "timestamptz",
    "interval_end": "timestamptz",
    "run_id": "text",
    "action": "text",
    "column_name": "text",
    "reason": "text",
    "row_key": "json",
    "original": "bytea",
    "row": "json",
}
COLUMNS, TYPES = tuple(_TYPES), tuple(_TYPES.values())

_MARKS = ("_action", "_column", "_reason")


def rejects_of(table: str) -> str:
    """The name of the table of a table's rejects."""
    return f"{table}_rejects"


class Rejects(AbstractContextManager["Rejects"]):
    """Keeps originals on disk until they can be written: one COPY at a time is all that a
    connection takes."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._writer: pa.ipc.RecordBatchStreamWriter | None = None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file:
            with suppress(OSError):  # what is still to be written is of no use
                self._file.close()

    def keep(self, originals: pa.RecordBatch) -> None:
        try:
            self._write(originals)
        except OSError as error:
            raise Terminal(
                f"Rejected rows cannot be put aside on this machine: {error.strerror}.",
                remedy="Free space on its disk, or let TMPDIR name a folder that has some.",
            ) from error

    def _write(self, originals: pa.RecordBatch) -> None:
        if self._file is None:
            self._file = TemporaryFile(prefix="batch-exports-rejects-")  # noqa: SIM115
            self._writer = pa.ipc.new_stream(self._file, originals.schema)
        assert self._writer
        self._writer.write_batch(originals)

    def replay(self) -> Iterator[pa.RecordBatch]:
        """All that was kept, once."""
        if self._file is None or self._writer is None:
            return
        self._writer.close()
        self._file.seek(0)
        with pa.ipc.open_stream(self._file) as kept:
            yield from kept


def forget(
    connection: psycopg.Connection[Any], name: TableName, export: str, interval: DataInterval
) -> None:
    """Delete what earlier deliveries of the interval, or of ones within it, had put aside."""
    statement = sql.SQL(
        "DELETE FROM {} WHERE export = %s AND interval_start >= %s AND interval_end <= %s"
    ).format(name.sql)
    connection.execute(statement, [export, interval.start, interval.end])


def reject_rows(
    originals: pa.RecordBatch,
    identity: Sequence[str],
    export: str,
    interval: DataInterval,
    run_id: str,
) -> pa.RecordBatch:
    """Rows for the table of rejects, one a finding: `COLUMNS` in `TYPES`.

    `original` is the value as it came, byte for byte if it is text, and as text if it is not.
    `row` is the whole row for reading; the bytes that are not UTF-8 show as U+FFFD there.
    """
    names = [name for name in originals.schema.names if name not in _MARKS]
    count = originals.num_rows
    return pa.RecordBatch.from_arrays(
        [
            pa.repeat(export, count),
            pa.repeat(pa.scalar(interval.start, TIMESTAMP), count),
            pa.repeat(pa.scalar(interval.end, TIMESTAMP), count),
            pa.repeat(run_id, count),
            *(originals.column(name) for name in _MARKS),
            json_rows(originals, identity),
            _values(originals),
            json_rows(originals, names),
        ],
        names=COLUMNS,
    )


def json_rows(batch: pa.RecordBatch, names: Sequence[str]) -> pa.Array:
    """One JSON object a row, of some of its columns; whatever is no text stands there as text.

    Rows need not be clean: the same ones give the same text, whether as they came or as `Rejects`
    keeps them.
    """
    readable = {name: _readable(batch.column(name)) for name in names}
    frame = pl.from_arrow(pa.table(readable))
    assert isinstance(frame, pl.DataFrame)
    encoded = frame.select(pl.struct(pl.all()).struct.json_encode()).to_series()
    return encoded.to_arrow().cast(pa.string())


def _readable(values: pa.Array) -> pa.Array:
    if pa.types.is_list(values.type):
        return pa.ListArray.from_arrays(
            values.offsets, _readable(values.values), mask=pc.is_null(values)
        )
    if pa.types.is_string(values.type):
        values = values.cast(pa.binary())  # out of which text is made with care
    try:
        return text_of(values)
    except pa.ArrowInvalid:
        bytes_ = values.to_pylist()
        return pa.array([None if b is None else b.decode(errors="replace") for b in bytes_])


def text_of(values: pa.Array) -> pa.Array:
    """Values of any scalar type as text."""
    if pa.types.is_timestamp(values.type):
        values = values.cast(pa.timestamp("us"))  # UTC's, without saying so
    return values.cast(pa.string())


def _values(originals: pa.RecordBatch) -> pa.Array:
    """Of each row the value of the column that `_column` names, as bytes."""
    columns = originals.column("_column")
    values = pa.nulls(originals.num_rows, pa.binary())
    for name in pc.unique(columns).to_pylist():
        values = pc.if_else(pc.equal(columns, name), _as_bytes(originals.column(name)), values)
    return values


def _as_bytes(values: pa.Array) -> pa.Array:
    if pa.types.is_binary(values.type):
        return values
    if pa.types.is_list(values.type):
        shown: list[Any] = values.to_pylist()
        return pa.array([None if v is None else repr(v).encode() for v in shown], pa.binary())
    return text_of(values).cast(pa.binary())
