"""ADBC's driver for PostgreSQL: https://arrow.apache.org/adbc/current/driver/postgresql.html"""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from benchmarks.stopwatch import Lap, stopwatch
from benchmarks.task import BUCKET, EVENT_FILE_COLUMNS, EVENT_TABLE_COLUMNS, SCHEMA, Task

if TYPE_CHECKING:
    import pyarrow as pa

PACKAGES = ("adbc-driver-postgresql",)


def ingest(task: Task) -> Lap:
    """Its own table, in which JSON is text: it knows no JSONB."""
    import adbc_driver_postgresql.dbapi as adbc
    import pyarrow as pa
    import pyarrow.parquet as pq

    assert task.postgres

    def batches() -> "Iterator[pa.RecordBatch]":
        for path in task.files("events"):
            for batch in pq.ParquetFile(path).iter_batches(columns=list(EVENT_TABLE_COLUMNS)):
                yield batch.select(list(EVENT_TABLE_COLUMNS))

    schema = pq.read_schema(task.files("events")[0])
    chosen = pa.schema([schema.field(name) for name in EVENT_TABLE_COLUMNS])
    with (
        adbc.connect(task.postgres.url) as connection,
        connection.cursor() as cursor,
        stopwatch() as lap,
    ):
        reader = pa.RecordBatchReader.from_batches(chosen, batches())
        cursor.adbc_ingest("events", reader, db_schema_name=SCHEMA)
        connection.commit()
    lap.table = "events"
    return lap


def read(task: Task) -> Lap:
    """ADBC reads batches, pyarrow writes them."""
    import adbc_driver_postgresql.dbapi as adbc
    import pyarrow.parquet as pq
    from pyarrow import fs

    assert task.postgres and task.s3
    store = fs.S3FileSystem(
        access_key=task.s3.key_id,
        secret_key=task.s3.secret,
        endpoint_override=task.s3.endpoint,
        region=task.s3.region,
    )
    columns = ", ".join(f'"{name}"' for name in EVENT_FILE_COLUMNS)
    with (
        adbc.connect(task.postgres.url) as connection,
        connection.cursor() as cursor,
        stopwatch() as lap,
    ):
        cursor.execute(f"SELECT {columns} FROM {SCHEMA}.events")
        reader = cursor.fetch_record_batch()
        schema = _plain(reader.schema)
        with pq.ParquetWriter(
            f"{BUCKET}/{task.prefix}events.parquet", schema, filesystem=store, compression="zstd"
        ) as writer:
            for batch in reader:
                writer.write_batch(_stored(batch, schema))
    return lap


def _plain(schema: "pa.Schema") -> "pa.Schema":
    """Extension types, such as ADBC's opaque ones, by what they are stored as."""
    import pyarrow as pa

    return pa.schema(
        [
            field.with_type(getattr(field.type, "storage_type", field.type))
            for field in schema.remove_metadata()
        ]
    )


def _stored(batch: "pa.RecordBatch", schema: "pa.Schema") -> "pa.RecordBatch":
    import pyarrow as pa

    columns = [getattr(column, "storage", column) for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


CAN: Mapping[str, Mapping[str, Callable[[Task], Lap]]] = {
    "postgres": {"ADBC ingest": ingest},
    "postgres-to-s3": {"ADBC and pyarrow": read},
}
