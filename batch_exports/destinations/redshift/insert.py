"""Rows into a stage by INSERT statements of many rows, as large as Redshift takes them."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql

from batch_exports.destinations.postgres.table import identifiers
from batch_exports.destinations.redshift.loading import Loaded, Stage
from batch_exports.transform.block import sliced
from batch_exports.transform.prefetch import prefetch
from batch_exports.transform.redshift_insert import Values, encode_values
from batch_exports.transform.redshift_rows import for_parquet

# A statement may have 16 MB: https://docs.aws.amazon.com/redshift/latest/dg/c_redshift-sql.html
STATEMENT_BYTES = 16_000_000
# Room for the names of a table and its columns, 1,600 of 127 bytes at the most.
_HEAD_BYTES = 250_000
_VALUES_BYTES = STATEMENT_BYTES - _HEAD_BYTES
# What is read and encoded ahead of the server.
_BATCH_BYTES = 2 * 2**20


@dataclass(frozen=True)
class InsertLoader:
    """`backslash_escapes`: how the session takes literals, as `has_backslash_escapes` tells."""

    backslash_escapes: bool

    @property
    def row_bytes(self) -> int:
        """Each byte of text may take two in a literal."""
        return _VALUES_BYTES // 2 - 2**16

    def load(
        self, connection: psycopg.Connection[Any], stage: Stage, batches: Iterable[pa.RecordBatch]
    ) -> Loaded:
        rows = size = 0
        sha256 = hashlib.sha256()
        begin = inserting(stage).as_bytes(connection)
        with prefetch(_gathered(self._values(stage, batches)), ahead=1) as ready:
            for values in ready:
                connection.execute(begin + values.text)
                sha256.update(values.text)
                rows, size = rows + values.rows, size + len(values.text)
        return Loaded(rows, size, sha256.hexdigest())

    def _values(self, stage: Stage, batches: Iterable[pa.RecordBatch]) -> Iterator[Values]:
        for batch in batches:
            for piece in sliced(batch.select(stage.names), _BATCH_BYTES):
                yield from encode_values(
                    for_parquet(piece, stage.supers),
                    most_bytes=_VALUES_BYTES,
                    backslash_escapes=self.backslash_escapes,
                )


def inserting(stage: Stage) -> sql.Composed:
    """What each statement begins with."""
    return sql.SQL("INSERT INTO {} ({}) VALUES ").format(stage.relation, identifiers(stage.names))


def _gathered(pieces: Iterable[Values]) -> Iterator[Values]:
    """The same rows, as many at once as a statement takes."""
    gathered: list[Values] = []
    size = 0
    for piece in pieces:
        if gathered and size + len(piece.text) + 1 > _VALUES_BYTES:
            yield _joined(gathered)
            gathered, size = [], 0
        gathered.append(piece)
        size += len(piece.text) + 1
    if gathered:
        yield _joined(gathered)


def _joined(pieces: Sequence[Values]) -> Values:
    return Values(sum(piece.rows for piece in pieces), b",".join(piece.text for piece in pieces))


def has_backslash_escapes(connection: psycopg.Connection[Any]) -> bool:
    """Whether a backslash in a literal is the beginning of an escape, as in PostgreSQL 8."""
    row = connection.execute(r"SELECT LENGTH('\\')").fetchone()
    return bool(row and row[0] == 1)
