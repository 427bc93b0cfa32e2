"""The unit in which a file is written: a Parquet row group, or the lines of one batch."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from batch_exports.transform.sink import Sink

Payload = TypeVar("Payload")
Written_contra = TypeVar("Written_contra", contravariant=True)


@dataclass(frozen=True)
class Block(Generic[Payload]):
    """Prepared rows, with the bounds of their membership column (None where it is not exported)."""

    rows: int
    payload: Payload
    first: datetime | None
    last: datetime | None


class FileWriter(Protocol[Written_contra]):
    """Writes blocks into one file; `close` completes the file and leaves the sink."""

    def write(self, payload: Written_contra, /) -> object: ...

    def close(self) -> None: ...


class FileFormat(Protocol[Payload]):
    """Prepares blocks, which may run ahead in another thread, and writes them into files."""

    def blocks(self, batches: Iterable[pa.RecordBatch]) -> Iterator[Block[Payload]]: ...

    def writer(self, sink: Sink) -> FileWriter[Payload]: ...


def bounds(
    rows: pa.RecordBatch | pa.Table, column: str | None
) -> tuple[datetime | None, datetime | None]:
    """The least and the greatest value of a timestamp column; None for a column not there."""
    if column is None or rows.num_rows == 0:
        return None, None
    both = pc.min_max(rows.column(column))
    return both["min"].as_py(), both["max"].as_py()


def sliced(batch: pa.RecordBatch, max_bytes: int) -> Iterator[pa.RecordBatch]:
    """The batch in equal slices of about `max_bytes` or less, without copying."""
    slices = max(1, min(batch.num_rows, -(-batch.nbytes // max_bytes)))
    rows = -(-batch.num_rows // slices) or 1
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)
