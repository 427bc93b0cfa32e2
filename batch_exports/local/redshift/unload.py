"""UNLOAD to S3: the rows of a query as Parquet files, and a manifest of them.

https://docs.aws.amazon.com/redshift/latest/dg/r_UNLOAD.html
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from batch_exports.local.redshift.internal_errors import internal_error
from batch_exports.local.redshift.objects import Objects, Storage
from batch_exports.local.redshift.unload_columns import UnloadedColumn, unloaded_columns
from batch_exports.local.redshift.unload_statement import Unload

SLICES = 2
"""How many slices the emulator's cluster has: each writes files of its own."""

_BATCH_BYTES = 4 * 2**20
_ROW_GROUP_BYTES = 32 * 2**20

Row = Sequence[bytes | None]


@dataclass(frozen=True)
class UnloadedFiles:
    """What an UNLOAD wrote: the files' addresses, without the manifest's, and their rows."""

    uris: list[str]
    rows: int


@dataclass(frozen=True)
class _File:
    uri: str
    bytes: int
    rows: int


def unload(
    statement: Unload, columns: Sequence[tuple[str, str]], rows: Iterable[Row], storage: Storage
) -> UnloadedFiles:
    """Writes the rows, whose values are in PostgreSQL's text form, in UTF-8.

    `columns` are names and types as `TargetColumn` has them, with their dimensions where they
    matter: `numeric(18,2)`, `varchar(25)`. No rows give no file. Raises Refusal where files stand
    in the way, where S3 refuses, and for VARBYTE, which Parquet is not unloaded from.
    """
    typed = unloaded_columns(columns)
    objects = Objects(storage, statement.authorization, statement.region)
    _make_way(statement, objects)
    files: list[_File] = []
    writers = [_Writer(statement, objects, typed, n) for n in range(_slices(statement))]
    for number, batch in enumerate(_batches(typed, rows)):
        files += writers[number % len(writers)].write(batch)
    for writer in writers:
        files += writer.close()
    files.sort(key=lambda file: file.uri)
    if statement.manifest:
        content = json.dumps(_manifest(statement, typed, files), indent=2)
        objects.write(statement.bucket, f"{statement.prefix}manifest", content.encode())
    return UnloadedFiles([file.uri for file in files], sum(file.rows for file in files))


def _slices(statement: Unload) -> int:
    return SLICES if statement.parallel else 1


def _make_way(statement: Unload, objects: Objects) -> None:
    if statement.allow_overwrite:
        return
    there = objects.keys(statement.bucket, statement.prefix)
    if statement.clean_path:
        objects.delete(statement.bucket, there)
    elif there:
        raise internal_error(
            "Specified unload destination on S3 is not empty. Consider using a different bucket / "
            "prefix, manually removing the target files in S3, or using the ALLOWOVERWRITE option.",
            8001,
        )


def _batches(columns: Sequence[UnloadedColumn], rows: Iterable[Row]) -> Iterator[pa.RecordBatch]:
    gathered: list[Row] = []
    size = 0
    for row in rows:
        gathered.append(row)
        size += sum(len(value) for value in row if value is not None) + len(row)
        if size >= _BATCH_BYTES:
            yield _batch(columns, gathered)
            gathered, size = [], 0
    if gathered:
        yield _batch(columns, gathered)


def _batch(columns: Sequence[UnloadedColumn], rows: list[Row]) -> pa.RecordBatch:
    texts = [pa.array(values, pa.binary()).view(pa.string()) for values in zip(*rows, strict=True)]
    arrays = [column.read(text) for column, text in zip(columns, texts, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=_schema(columns))


def _schema(columns: Sequence[UnloadedColumn]) -> pa.Schema:
    return pa.schema([pa.field(column.name, column.arrow_type) for column in columns])


class _Writer:
    """Writes the files of one slice, the next where one has reached its size."""

    def __init__(
        self, statement: Unload, objects: Objects, columns: Sequence[UnloadedColumn], slice_: int
    ) -> None:
        self._statement, self._objects, self._slice = statement, objects, slice_
        self._schema = _schema(columns)
        self._part = 0
        self._pending: list[pa.RecordBatch] = []
        self._open: tuple[pa.BufferOutputStream, pq.ParquetWriter] | None = None
        self._rows = 0

    def write(self, batch: pa.RecordBatch) -> list[_File]:
        """Takes rows, and gives the file that is complete with them, if one is."""
        self._pending.append(batch)
        # A file's size is approximate on Redshift too; no row group is larger than it may be.
        if sum(b.nbytes for b in self._pending) < min(
            _ROW_GROUP_BYTES, self._statement.max_file_bytes
        ):
            return []
        self._flush()
        assert self._open
        return self.close() if self._open[0].tell() >= self._statement.max_file_bytes else []

    def close(self) -> list[_File]:
        self._flush()
        if self._open is None:
            return []
        sink, writer = self._open
        writer.close()
        content = sink.getvalue().to_pybytes()
        key = self._key()
        self._objects.write(self._statement.bucket, key, content)
        file = _File(f"s3://{self._statement.bucket}/{key}", len(content), self._rows)
        self._open, self._rows, self._part = None, 0, self._part + 1
        return [file]

    def _flush(self) -> None:
        if not self._pending:
            return
        if self._open is None:
            sink = pa.BufferOutputStream()
            self._open = (
                sink,
                pq.ParquetWriter(sink, self._schema, version="1.0", compression="snappy"),
            )
        rows = pa.Table.from_batches(self._pending)
        self._open[1].write_table(rows, row_group_size=max(1, rows.num_rows))
        self._rows += rows.num_rows
        self._pending = []

    def _key(self) -> str:
        statement = self._statement
        if not statement.parallel:
            return f"{statement.prefix}{self._part:03}.{statement.extension}"
        name = f"{self._slice:04}_part_{self._part:02}"
        return f"{statement.prefix}{name}.{statement.extension}"


def _manifest(
    statement: Unload, columns: Sequence[UnloadedColumn], files: Sequence[_File]
) -> dict[str, Any]:
    """As https://docs.aws.amazon.com/redshift/latest/dg/r_UNLOAD_command_examples.html has it."""
    if not statement.verbose:
        return {"entries": [_entry(file, {"content_length": file.bytes}) for file in files]}
    entries = [
        _entry(file, {"content_length": file.bytes, "record_count": file.rows}) for file in files
    ]
    elements = [{"name": column.name, "type": column.described} for column in columns]
    totals = {
        "content_length": sum(file.bytes for file in files),
        "record_count": sum(file.rows for file in files),
    }
    author = {"name": "Amazon Redshift", "version": "1.0.0"}
    return {"entries": entries, "schema": {"elements": elements}, "meta": totals, "author": author}


def _entry(file: _File, meta: dict[str, int]) -> dict[str, Any]:
    return {"url": file.uri, "meta": meta}
