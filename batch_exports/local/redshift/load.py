"""COPY from S3: files become rows of PostgreSQL's binary COPY, within Redshift's limits.

https://docs.aws.amazon.com/redshift/latest/dg/r_COPY.html
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from batch_exports.local.redshift.copy_statement import Copy
from batch_exports.local.redshift.json_files import read_json
from batch_exports.local.redshift.manifest import check_length, files_to_load
from batch_exports.local.redshift.objects import Objects, Storage
from batch_exports.local.redshift.parquet_files import read_parquet
from batch_exports.local.redshift.refusal import Refusal
from batch_exports.local.redshift.rows import LoadError
from batch_exports.local.redshift.target import TargetColumn
from batch_exports.transform.block import sliced
from batch_exports.transform.postgres_copy import SIGNATURE, TRAILER, encode_rows

__all__ = ["Load", "LoadError", "LoadedFile", "TargetColumn", "load"]

_CHUNK_BYTES = 4 * 2**20


@dataclass(frozen=True)
class LoadedFile:
    """A file that was loaded, as stl_load_commits tells of it."""

    uri: str
    rows: int


class Load:
    """A COPY under way: read `chunks` to their end, then `rows`, `files` and `errors` are right.

    Where `chunks` raises Refusal, nothing is loaded, and `errors` says why if rows were at fault.
    """

    def __init__(self, copy: Copy, columns: Sequence[TargetColumn], storage: Storage) -> None:
        self.rows = 0
        self.files: list[LoadedFile] = []
        self.errors: list[LoadError] = []
        self._copy = copy
        self._columns = _named(copy, columns)
        self._large_strings = storage.large_strings
        self._objects = Objects(storage, copy.authorization, copy.region)
        self._found = files_to_load(copy, self._objects)

    def chunks(self) -> Iterator[bytes]:
        """A stream for `COPY … FROM STDIN (FORMAT BINARY)`, with the columns in their order.

        NOLOAD gives no rows, but raises as the COPY would. Raises Refusal.
        """
        yield SIGNATURE
        types = [column.typname for column in self._columns]
        for batch in self._batches():
            if not self._copy.no_load:
                self.rows += batch.num_rows
                for part in sliced(batch, _CHUNK_BYTES):
                    yield encode_rows(part, types).to_pybytes()
        yield TRAILER

    def _batches(self) -> Iterator[pa.RecordBatch]:
        read = read_parquet if self._copy.json is None else read_json
        for file in self._found:
            content = self._objects.read(file.bucket, file.key)
            check_length(file, content)
            loaded = 0
            for rows in read(content, file.uri, self._copy, self._columns, self._large_strings):
                self.errors += rows.errors
                if rows.refusal:
                    raise rows.refusal
                if len(self.errors) >= max(self._copy.max_errors, 1):
                    raise self._failed()
                loaded += rows.batch.num_rows
                yield rows.batch
            self.files.append(LoadedFile(file.uri, loaded))

    def _failed(self) -> Refusal:
        return Refusal(
            "XX000",
            f"Load into table '{self._copy.table_name}' failed.  Check 'stl_load_errors' system "
            "table for details.",
        )


def load(copy: Copy, columns: Sequence[TargetColumn], storage: Storage) -> Load:
    """Begins a COPY into the target's columns; with a list of columns the others are left out.

    Raises Refusal where the statement's rights or its files are not as they should be.
    """
    return Load(copy, columns, storage)


def _named(copy: Copy, columns: Sequence[TargetColumn]) -> list[TargetColumn]:
    if copy.columns is None:
        return list(columns)
    known = {column.name: column for column in columns}
    for name in copy.columns:
        if name not in known:
            raise Refusal(
                "42703", f'column "{name}" of relation "{copy.table_name}" does not exist'
            )
    return [known[name] for name in copy.columns]
