"""Files on the local disk: rows read and encoded, and nothing else."""

from collections.abc import Callable, Mapping

from benchmarks.stopwatch import Lap, stopwatch
from benchmarks.task import EVENT_FILE_COLUMNS, Task


def polars_parquet(task: Task) -> Lap:
    """The fastest writer of Parquet that we know, with all the memory that it likes."""
    import polars as pl

    target = task.folder / "events.parquet"
    rows = pl.scan_parquet(task.files("events")).select(EVENT_FILE_COLUMNS)
    with stopwatch() as lap:
        rows.sink_parquet(target, compression="zstd", compression_level=1, row_group_size=62_500)
    lap.files = [str(target)]
    return lap


def two_threads_json(task: Task) -> Lap:
    """Lines built and compressed by two threads that do nothing else: no proof that JSON columns
    hold JSON, no checksum, no upload."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from batch_exports.models import JSON
    from batch_exports.transform.jsonlines import JsonLinesFormat
    from batch_exports.transform.prefetch import prefetch

    def marked(batch: pa.RecordBatch) -> pa.RecordBatch:
        columns = [
            pa.ExtensionArray.from_storage(JSON, column) if name.endswith("properties") else column
            for name, column in zip(batch.schema.names, batch.columns, strict=True)
        ]
        return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)

    files = [pq.ParquetFile(path) for path in task.files("events")]
    batches = (b for f in files for b in f.iter_batches(8192, columns=list(EVENT_FILE_COLUMNS)))
    lines = JsonLinesFormat("gzip")
    target = task.folder / "events.jsonl.gz"
    with (
        stopwatch() as lap,
        target.open("wb") as file,
        prefetch(lines.blocks(map(marked, batches)), 1) as blocks,
    ):
        writer = lines.writer(file)
        for block in blocks:
            writer.write(block.payload)
        writer.close()
    lap.files = [str(target)]
    return lap


CAN: Mapping[str, Mapping[str, Callable[[Task], Lap]]] = {
    "s3-parquet": {"Polars to the local disk": polars_parquet},
    "s3-jsonlines": {"Arrow and ISA-L in two threads, to the local disk": two_threads_json},
}
