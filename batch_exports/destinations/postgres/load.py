"""Rows into tables by binary COPY, encoded ahead of the server in a thread of its own."""

import hashlib
import re
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql

from batch_exports.errors import Terminal
from batch_exports.transform.block import sliced
from batch_exports.transform.postgres_copy import SIGNATURE, TRAILER, encode_rows
from batch_exports.transform.prefetch import prefetch

# Large enough that the server never waits, small enough to stay in the processor's cache.
CHUNK_BYTES = 4 * 2**20
# Chunks that may be on their way when the server refuses a row: it is named out of these.
_UNDER_WAY = 16
_PLACE = re.compile(r"COPY .*?, line (\d+)(?:, column (\S+?))?(?::|$)", re.MULTILINE)


@dataclass(frozen=True)
class Target:
    """A table, and the connection by which it is filled."""

    connection: psycopg.Connection[Any]
    table: sql.Composable


@dataclass(frozen=True)
class Rows:
    """What the targets are filled with: batches whose columns have these names, and go into
    columns of these `pg_type.typname`s. `key` are those by which an error names a row."""

    batches: Iterable[pa.RecordBatch]
    columns: Sequence[str]
    types: Sequence[str]
    key: Sequence[str]


@dataclass
class Loaded:
    """What was sent. `bytes` and `sha256` (in hex) are of the encoded rows, in their order."""

    rows: int = 0
    bytes: int = 0
    sha256: str = ""


@dataclass(frozen=True)
class _Chunk:
    rows: int
    data: pa.Buffer
    keys: pa.RecordBatch


@dataclass
class _Shared:
    """One stream of chunks for several threads; it ends for all when one of them fails."""

    chunks: Iterator[_Chunk]
    failed: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __iter__(self) -> Iterator[_Chunk]:
        while True:
            with self._lock:
                chunk = None if self.failed else next(self.chunks, None)
            if self.failed:
                raise InterruptedError("another connection failed")
            if chunk is None:
                return
            yield chunk


def load(targets: Sequence[Target], rows: Rows) -> Loaded:
    """Share all rows out among the targets, each of which takes what it can.

    Raises psycopg's errors, `Terminal` for a row that the server refuses, and what `batches` raise.
    """
    loaded, sha256 = Loaded(), hashlib.sha256()
    with prefetch(_encoded(rows, loaded, sha256), ahead=len(targets) + 1) as chunks:
        if len(targets) == 1:
            _copy(targets[0], rows, chunks)
        else:
            _copy_to_all(targets, rows, _Shared(chunks))
    loaded.sha256 = sha256.hexdigest()
    return loaded


def copying(table: sql.Composable, columns: Sequence[str]) -> sql.Composed:
    """The statement by which a table takes rows."""
    return sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
        table, sql.SQL(", ").join(map(sql.Identifier, columns))
    )


def _encoded(rows: Rows, loaded: Loaded, sha256: Any) -> Iterator[_Chunk]:
    for batch in rows.batches:
        for piece in sliced(batch, CHUNK_BYTES):
            data = encode_rows(piece, rows.types)
            sha256.update(data)
            loaded.rows += piece.num_rows
            loaded.bytes += data.size
            yield _Chunk(piece.num_rows, data, piece.select(list(rows.key)))


def _copy_to_all(targets: Sequence[Target], rows: Rows, shared: _Shared) -> None:
    def copy(target: Target) -> None:
        try:
            _copy(target, rows, shared)
        except BaseException:
            shared.failed = True
            raise

    with ThreadPoolExecutor(len(targets), "copy") as threads:
        futures = [threads.submit(copy, target) for target in targets]
    errors = [error for future in futures if (error := future.exception())]
    for error in sorted(errors, key=lambda error: isinstance(error, InterruptedError)):
        raise error


def _copy(target: Target, rows: Rows, chunks: Iterable[_Chunk]) -> None:
    under_way: deque[tuple[int, pa.RecordBatch]] = deque(maxlen=_UNDER_WAY)
    sent = 0
    statement = copying(target.table, rows.columns)
    try:
        with target.connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(SIGNATURE)
            for chunk in chunks:
                under_way.append((sent, chunk.keys))
                sent += chunk.rows
                copy.write(memoryview(chunk.data))
            copy.write(TRAILER)
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        if place := _PLACE.search(error.diag.context or ""):
            raise _refused(error, _key_at(int(place[1]), under_way), place[2]) from None
        raise


def _refused(error: psycopg.Error, key: str, column: str | None) -> Terminal:
    """Names the row. The server's own account of it may show what the row holds."""
    place = f"{key} in the column {column!r}" if column else key
    way_out = (
        "leave the column out" if isinstance(error, psycopg.DataError) else "change the constraint"
    )
    return Terminal(
        f"The server refuses the row {place}: {error.diag.message_primary} "
        f"(SQLSTATE {error.sqlstate}).",
        remedy=f"Correct it at the source, or {way_out}. Nothing was delivered.",
    )


def _key_at(line: int, under_way: Iterable[tuple[int, pa.RecordBatch]]) -> str:
    for first, keys in under_way:
        position = line - 1 - first
        if 0 <= position < keys.num_rows:
            return str({n: keys.column(n)[position].as_py() for n in keys.schema.names})
    return f"number {line} of the COPY"
