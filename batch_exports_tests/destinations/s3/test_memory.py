"""A delivery's memory does not grow with its rows."""

import multiprocessing
import resource
from collections.abc import Iterator
from multiprocessing.connection import Connection

import pyarrow as pa
import pytest

from batch_exports.local.generator import generate_events
from batch_exports.models import JSON
from batch_exports_tests.destinations.rows import HOUR, PROJECTION
from batch_exports_tests.destinations.s3.adapter import S3Adapter

ROWS = 125_000


@pytest.mark.parametrize(
    ("file_format", "compression"), [("parquet", "zstd"), ("jsonlines", "gzip")]
)
def test_four_times_the_rows_take_the_same_memory(
    s3: S3Adapter, file_format: str, compression: str
) -> None:
    adapter = s3.having(file_format=file_format, compression=compression)
    few, many = peak(adapter, ROWS), peak(adapter, 4 * ROWS)
    assert many < 1.15 * few


def peak(adapter: S3Adapter, rows: int) -> int:
    """The most memory that a process of its own took to deliver so many rows, in KiB."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([S3Adapter.__module__])
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_deliver, args=(adapter, rows, sender))
    process.start()
    sender.close()
    most: int = receiver.recv()
    process.join()
    assert process.exitcode == 0
    return most


def _deliver(adapter: S3Adapter, rows: int, sender: Connection) -> None:
    destination = adapter.destination(PROJECTION)
    batches = pa.RecordBatchReader.from_batches(PROJECTION.schema, _events(rows))
    assert destination.write(batches, HOUR, "run-1").source_rows == rows
    sender.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def _events(rows: int) -> Iterator[pa.RecordBatch]:
    """Generated events in batches of the size that sources give."""
    for batch in generate_events(rows, start=HOUR.start, end=HOUR.end, batch_rows=16_384):
        columns = [
            pa.ExtensionArray.from_storage(JSON, batch.column(column.source_name))
            if column.is_json
            else batch.column(column.source_name)
            for column in PROJECTION.columns
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=PROJECTION.schema)
