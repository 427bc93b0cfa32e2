"""What is measured: each contender moves the lake's rows into one target.

Each runs in a process of its own and times itself after its imports. Targets of peers and limits
are files on the local disk; ours is an S3 server on the same machine, whose work is on the same
processors.
"""

import os
from collections.abc import Callable
from pathlib import Path

from benchmarks import to_postgres
from benchmarks.stopwatch import Lap, stopwatch

COLUMNS = (
    "uuid",
    "event",
    "distinct_id",
    "timestamp",
    "properties",
    "person_id",
    "person_properties",
    "elements_chain",
    "created_at",
    "inserted_at",
)
LEVEL = 1


def polars_parquet(lake: Path, target: Path) -> Lap:
    import polars as pl

    rows = pl.scan_parquet(lake / "events/*.parquet").select(COLUMNS)
    with stopwatch() as lap:
        rows.sink_parquet(
            target, compression="zstd", compression_level=LEVEL, row_group_size=62_500
        )
    return lap


def polars_parquet_to_s3(lake: Path, target: Path) -> Lap:
    import polars as pl

    rows = pl.scan_parquet(lake / "events/*.parquet").select(COLUMNS)
    with stopwatch() as lap:
        rows.sink_parquet(
            "s3://bench/polars/target.parquet",
            compression="zstd",
            compression_level=LEVEL,
            row_group_size=62_500,
            storage_options={
                "aws_endpoint_url": os.environ["BENCH_S3_ENDPOINT"],
                "aws_access_key_id": os.environ["BENCH_S3_KEY"],
                "aws_secret_access_key": os.environ["BENCH_S3_SECRET"],
                "aws_region": "us-east-1",
                "aws_allow_http": "true",
            },
        )
    return lap


def duckdb_parquet(lake: Path, target: Path) -> Lap:
    return _duckdb(
        lake,
        f"copy rows to '{target}' (format parquet, compression zstd, compression_level {LEVEL}, "
        "row_group_size 62500)",
    )


def duckdb_json(lake: Path, target: Path) -> Lap:
    return _duckdb(lake, f"copy rows to '{target}' (format json, compression gzip)", json=True)


def _duckdb(lake: Path, statement: str, *, json: bool = False) -> Lap:
    import duckdb

    connection = duckdb.connect()
    columns = ", ".join(
        f"{name}::json as {name}" if json and name.endswith("properties") else name
        for name in COLUMNS
    )
    connection.sql(f"create view rows as select {columns} from '{lake}/events/*.parquet'")
    with stopwatch() as lap:
        connection.sql(statement)
    return lap


def polars_json(lake: Path, target: Path) -> Lap:
    import polars as pl

    rows = pl.scan_parquet(lake / "events/*.parquet").select(COLUMNS)
    with stopwatch() as lap:
        rows.sink_ndjson(target, compression="gzip")
    return lap


def limit_json(lake: Path, target: Path) -> Lap:
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

    files = [pq.ParquetFile(path) for path in sorted((lake / "events").glob("*.parquet"))]
    batches = (b for f in files for b in f.iter_batches(8192, columns=list(COLUMNS)))
    lines = JsonLinesFormat("gzip")
    with (
        stopwatch() as lap,
        target.open("wb") as file,
        prefetch(lines.blocks(map(marked, batches)), 1) as blocks,
    ):
        writer = lines.writer(file)
        for block in blocks:
            writer.write(block.payload)
        writer.close()
    return lap


def our_pipeline(lake: Path, target: Path) -> Lap:
    """The export as a library: source to S3, without Dagster and checks."""
    from benchmarks.ours import pipeline

    return pipeline(lake, **_files())


def our_run(lake: Path, target: Path) -> Lap:
    """The export as its user runs it: one Dagster run, all checks included."""
    from benchmarks.ours import run

    return run(lake, **_files())


def _files() -> dict[str, str]:
    from benchmarks.ours import COMPRESSIONS

    file_format = os.environ["BENCH_FORMAT"]
    return {"file_format": file_format, "compression": COMPRESSIONS[file_format]}


Contender = Callable[[Path, Path], Lap]

HOPS: dict[str, dict[str, Contender]] = {
    "parquet": {
        "Polars sink_parquet to disk": polars_parquet,
        "DuckDB COPY to disk": duckdb_parquet,
        "Polars sink_parquet to S3": polars_parquet_to_s3,
        "batch_exports to S3, pipeline": our_pipeline,
        "batch_exports to S3, Dagster run with checks": our_run,
    },
    "jsonlines": {
        "two threads of Arrow and ISA-L to disk": limit_json,
        "Polars sink_ndjson gzip to disk": polars_json,
        "DuckDB COPY json gzip to disk": duckdb_json,
        "batch_exports to S3, pipeline": our_pipeline,
        "batch_exports to S3, Dagster run with checks": our_run,
    },
    "postgres": {
        "encoded rows through COPY FROM STDIN": to_postgres.limit_stdin,
        "the same, with an index on the key": to_postgres.limit_stdin_indexed,
        "encoded rows by the server's COPY FROM file": to_postgres.limit_file,
        "batch_exports, pipeline": to_postgres.our_first_load,
        "batch_exports, pipeline of two connections": to_postgres.our_first_load_by_two,
        "batch_exports, rerun": to_postgres.our_rerun,
        "batch_exports, Dagster run with checks": to_postgres.our_run,
    },
    "persons": {
        "staged, encoded rows by MERGE": to_postgres.merge_limit,
        "batch_exports, merge": to_postgres.our_merge,
    },
}
"""Contenders by hop; the first of each hop is what the others are measured against."""
