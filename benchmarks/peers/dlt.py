"""dlt, which extracts, normalizes and loads: https://dlthub.com/docs/dlt-ecosystem/destinations"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.stopwatch import Lap, stage, stopwatch
from benchmarks.task import (
    BUCKET,
    EVENT_FILE_COLUMNS,
    EVENT_TABLE_COLUMNS,
    PERSON_COLUMNS,
    ROLE,
    SCHEMA,
    Task,
)

if TYPE_CHECKING:
    import pyarrow as pa

PACKAGES = ("dlt",)
_BATCH_ROWS = 60_000
_JSON = ("properties", "person_properties", "set", "set_once")


def files(task: Task, *, file_format: str) -> Lap:
    pipeline = _pipeline(task, _store(task))
    return _run(pipeline, _resource(task.files("events"), EVENT_FILE_COLUMNS), file_format)


def into_postgres(task: Task, *, file_format: str) -> Lap:
    pipeline = _pipeline(task, _database(task))
    lap = _run(pipeline, _resource(task.files("events"), EVENT_TABLE_COLUMNS), file_format)
    lap.table = "events"
    return lap


def again(task: Task) -> Lap:
    """The same events a second time, by its merge on the key."""
    pipeline = _pipeline(task, _database(task))
    merging = {"write_disposition": "merge", "primary_key": "uuid"}

    def rows() -> Any:
        return _resource(task.files("events"), EVENT_TABLE_COLUMNS, **merging)

    _run(pipeline, rows(), "parquet")
    lap = _run(pipeline, rows(), "parquet")
    lap.table = "events"
    return lap


def persons(task: Task) -> Lap:
    """The afternoon's persons upserted into the morning's; a version that is newer comes last."""
    pipeline = _pipeline(task, _database(task))
    morning, afternoon = task.files("persons")
    merging = {
        "name": "persons",
        "write_disposition": {"disposition": "merge", "strategy": "upsert"},
        "primary_key": ("team_id", "distinct_id"),
    }
    _run(pipeline, _resource([morning], PERSON_COLUMNS, **merging), "parquet")
    lap = _run(pipeline, _resource([afternoon], PERSON_COLUMNS, **merging), "parquet")
    lap.table = "persons"
    return lap


def into_redshift(task: Task, *, staged: bool) -> Lap:
    """By files on S3 and COPY, of lines, since it gives Parquet an option that COPY refuses; or by
    INSERT, whose text the emulator lets into no SUPER: JSON is loaded as text there."""
    import dlt

    assert task.redshift
    target = dlt.destinations.redshift(credentials=task.redshift.url, staging_iam_role=ROLE)
    pipeline = _pipeline(task, target, _store(task) if staged else None)
    rows = _resource(task.files("events"), EVENT_TABLE_COLUMNS)
    if not staged:
        rows.apply_hints(
            columns={name: {"data_type": "text"} for name in _JSON if name in EVENT_TABLE_COLUMNS}
        )
    lap = _run(pipeline, rows, "jsonl" if staged else "insert_values")
    lap.table = "events"
    return lap


def from_postgres(task: Task) -> Lap:
    from dlt.sources.sql_database import sql_table

    assert task.postgres
    pipeline = _pipeline(task, _store(task))
    rows = sql_table(
        credentials=task.postgres.url,
        table="events",
        schema=SCHEMA,
        backend="connectorx",
        backend_kwargs={"conn": task.postgres.url_of_rust, "return_type": "arrow_stream"},
        chunk_size=_BATCH_ROWS,
        included_columns=list(EVENT_FILE_COLUMNS),
    )
    return _run(pipeline, rows, "parquet")


def _resource(paths: Sequence[str], columns: Sequence[str], **options: Any) -> Any:
    import dlt
    import pyarrow.parquet as pq

    def batches() -> "Iterator[pa.Table]":
        for path in paths:
            for batch in pq.ParquetFile(path).iter_batches(_BATCH_ROWS, columns=list(columns)):
                yield _table(batch)

    hints: Any = {name: {"data_type": "json"} for name in columns if name in _JSON}
    return dlt.resource(batches, columns=hints, **{"name": "events", **options})


def _table(batch: "pa.RecordBatch") -> "pa.Table":
    import pyarrow as pa

    return pa.Table.from_batches([batch])


def _run(pipeline: Any, resource: Any, file_format: str) -> Lap:
    """Its three steps, each with its time."""
    with stopwatch() as lap:
        with stage(lap, "extract"):
            pipeline.extract(resource, loader_file_format=file_format)
        with stage(lap, "normalize"):
            pipeline.normalize()
        with stage(lap, "load"):
            pipeline.load(raise_on_failed_jobs=True)
    return lap


def _pipeline(task: Task, destination: Any, staging: Any = None) -> Any:
    import dlt

    return dlt.pipeline(
        "bench",
        destination=destination,
        staging=staging,
        dataset_name=SCHEMA,
        pipelines_dir=str(task.folder / "pipelines"),
    )


def _store(task: Task) -> Any:
    import dlt

    assert task.s3
    return dlt.destinations.filesystem(
        bucket_url=f"s3://{BUCKET}/{task.prefix.rstrip('/')}",
        credentials={
            "aws_access_key_id": task.s3.key_id,
            "aws_secret_access_key": task.s3.secret,
            "endpoint_url": task.s3.endpoint,
            "region_name": task.s3.region,
        },
    )


def _database(task: Task) -> Any:
    import dlt

    assert task.postgres
    return dlt.destinations.postgres(credentials=task.postgres.url)


CAN: Mapping[str, Mapping[str, Callable[[Task], Lap]]] = {
    "s3-parquet": {"dlt": partial(files, file_format="parquet")},
    "s3-jsonlines": {"dlt": partial(files, file_format="jsonl")},
    "postgres": {
        "dlt, Parquet by ADBC": partial(into_postgres, file_format="parquet"),
        "dlt, CSV": partial(into_postgres, file_format="csv"),
    },
    "postgres-rerun": {"dlt, merge": again},
    "persons": {"dlt, upsert": persons},
    "redshift-copy": {"dlt, staged": partial(into_redshift, staged=True)},
    "redshift-insert": {"dlt, INSERT": partial(into_redshift, staged=False)},
    "postgres-to-s3": {"dlt": from_postgres},
}
