"""arrowjet: https://pypi.org/project/arrowjet/. It loads into tables that are there."""

from collections.abc import Callable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from benchmarks.peers.documented_table import connected, make_table
from benchmarks.stopwatch import Lap, stopwatch
from benchmarks.task import BUCKET, EVENT_FILE_COLUMNS, EVENT_TABLE_COLUMNS, ROLE, SCHEMA, Task

if TYPE_CHECKING:
    import pyarrow as pa

PACKAGES = ("arrowjet",)


def into_postgres(task: Task) -> Lap:
    import arrowjet

    engine = arrowjet.Engine(provider="postgresql")
    with connected(task) as connection:
        make_table(connection)
    with closing(_connected(task)) as connection, stopwatch() as lap:
        engine.write_bulk(connection, _table(task), f"{SCHEMA}.events")
    lap.table = "events"
    return lap


def from_postgres(task: Task) -> Lap:
    """Its reader makes a table of Arrow, which pyarrow writes."""
    import arrowjet
    import pyarrow.parquet as pq
    from pyarrow import fs

    assert task.s3
    store = fs.S3FileSystem(
        access_key=task.s3.key_id,
        secret_key=task.s3.secret,
        endpoint_override=task.s3.endpoint,
        region=task.s3.region,
    )
    engine = arrowjet.Engine(provider="postgresql")
    columns = ", ".join(f'"{name}"' for name in EVENT_FILE_COLUMNS)
    with closing(_connected(task)) as connection, stopwatch() as lap:
        read = engine.read_bulk(connection, f"SELECT {columns} FROM {SCHEMA}.events")
        pq.write_table(
            read.table,
            f"{BUCKET}/{task.prefix}events.parquet",
            filesystem=store,
            compression="zstd",
        )
    return lap


def into_redshift(task: Task) -> Lap:
    """Files on S3, and COPY. It has no way to SUPER: JSON is loaded as text."""
    import os

    import arrowjet
    import psycopg

    assert task.redshift and task.s3
    os.environ |= {
        "AWS_ACCESS_KEY_ID": task.s3.key_id,
        "AWS_SECRET_ACCESS_KEY": task.s3.secret,
        "AWS_DEFAULT_REGION": task.s3.region,
    }
    engine = arrowjet.Engine(
        provider="redshift",
        staging_bucket=BUCKET,
        staging_iam_role=ROLE,
        staging_region=task.s3.region,
        staging_prefix=task.prefix.rstrip("/"),
        s3_endpoint_url=task.s3.endpoint,
        disallow_cross_region=False,
    )
    texts = ("properties", "set", "set_once")
    types: dict[str, Any] = {
        **dict.fromkeys(EVENT_TABLE_COLUMNS, "VARCHAR(200)"),
        **dict.fromkeys(texts, "VARCHAR(65535)"),
        "team_id": "INTEGER",
        "timestamp": "TIMESTAMP",
    }
    columns = ", ".join(f'"{name}" {type_}' for name, type_ in types.items())
    with psycopg.connect(
        task.redshift.url, autocommit=True, client_encoding="utf8", prepare_threshold=None
    ) as connection:
        connection.execute(f"CREATE TABLE {SCHEMA}.events ({columns})".encode())
        with stopwatch() as lap:
            import pyarrow as pa

            rows = _table(task)
            for name, type_ in (("team_id", pa.int32()), ("timestamp", pa.timestamp("us"))):
                place = rows.schema.get_field_index(name)
                rows = rows.set_column(place, name, rows.column(name).cast(type_))
            engine.write_bulk(connection, rows, f"{SCHEMA}.events")
    lap.table = "events"
    return lap


def _connected(task: Task) -> Any:
    """It knows psycopg's older version alone."""
    import psycopg2

    assert task.postgres
    return psycopg2.connect(task.postgres.url)


def _table(task: Task) -> "pa.Table":
    import pyarrow.parquet as pq

    read = pq.read_table(task.files("events"), columns=list(EVENT_TABLE_COLUMNS))
    return read.select(list(EVENT_TABLE_COLUMNS))


CAN: Mapping[str, Mapping[str, Callable[[Task], Lap]]] = {
    "postgres": {"arrowjet": into_postgres},
    "postgres-to-s3": {"arrowjet and pyarrow": from_postgres},
    "redshift-copy": {"arrowjet": into_redshift},
}
