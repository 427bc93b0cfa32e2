"""Polars: https://docs.pola.rs/api/python/stable/reference/api/polars.LazyFrame.sink_parquet.html"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from benchmarks.peers.documented_table import connected, make_table
from benchmarks.stopwatch import Lap, stopwatch
from benchmarks.task import BUCKET, EVENT_FILE_COLUMNS, EVENT_TABLE_COLUMNS, SCHEMA, Task

if TYPE_CHECKING:
    import polars as pl

PACKAGES = ("polars",)


def parquet(task: Task) -> Lap:
    with stopwatch() as lap:
        _rows(task, EVENT_FILE_COLUMNS).sink_parquet(
            f"s3://{BUCKET}/{task.prefix}events.parquet",
            compression="zstd",
            compression_level=1,
            row_group_size=62_500,
            storage_options=storage_options(task),
        )
    return lap


def json_lines(task: Task) -> Lap:
    with stopwatch() as lap:
        _rows(task, EVENT_FILE_COLUMNS).sink_ndjson(
            f"s3://{BUCKET}/{task.prefix}events.jsonl.gz",
            compression="gzip",
            storage_options=storage_options(task),
        )
    return lap


def write_database(task: Task) -> Lap:
    """By ADBC, into a table that is there; JSON goes into text, since ADBC makes no JSONB."""
    import polars as pl

    assert task.postgres
    with connected(task) as connection:
        make_table(connection)
        connection.execute(
            f'ALTER TABLE {SCHEMA}.events ALTER properties TYPE text, ALTER "set" TYPE text, '
            "ALTER set_once TYPE text".encode()
        )
    with stopwatch() as lap:
        rows = _rows(task, EVENT_TABLE_COLUMNS).with_columns(pl.col("team_id").cast(pl.Int32))
        rows.collect().write_database(
            f"{SCHEMA}.events", task.postgres.url, engine="adbc", if_table_exists="append"
        )
    lap.table = "events"
    return lap


def from_postgres(task: Task) -> Lap:
    """connectorx reads, Polars writes."""
    import connectorx
    import polars as pl

    assert task.postgres
    columns = ", ".join(f'"{name}"' for name in EVENT_FILE_COLUMNS)
    with stopwatch() as lap:
        table = connectorx.read_sql(
            task.postgres.url_of_rust, f"SELECT {columns} FROM {SCHEMA}.events", return_type="arrow"
        )
        frame = pl.from_arrow(table)
        assert isinstance(frame, pl.DataFrame)
        frame.write_parquet(
            f"s3://{BUCKET}/{task.prefix}events.parquet",
            compression="zstd",
            compression_level=1,
            storage_options=storage_options(task),
        )
    return lap


def from_clickhouse(task: Task) -> Lap:
    """clickhouse-connect reads Arrow, Polars writes."""
    import clickhouse_connect
    import polars as pl

    assert task.clickhouse
    place = task.clickhouse
    client = clickhouse_connect.get_client(
        host="127.0.0.1",
        port=place.port,
        username=place.user,
        password=place.password,
        database=place.database,
    )
    texts = {"uuid", "person_id"}
    columns = ", ".join(
        f"toString({name}) AS {name}" if name in texts else name for name in EVENT_FILE_COLUMNS
    )
    with stopwatch() as lap:
        frame = pl.from_arrow(client.query_arrow(f"SELECT {columns} FROM events", use_strings=True))
        assert isinstance(frame, pl.DataFrame)
        frame.write_parquet(
            f"s3://{BUCKET}/{task.prefix}events.parquet",
            compression="zstd",
            compression_level=1,
            storage_options=storage_options(task),
        )
    return lap


def storage_options(task: Task) -> dict[str, str]:
    assert task.s3
    return {
        "aws_endpoint_url": task.s3.endpoint,
        "aws_access_key_id": task.s3.key_id,
        "aws_secret_access_key": task.s3.secret,
        "aws_region": task.s3.region,
        "aws_allow_http": "true",
    }


def _rows(task: Task, columns: tuple[str, ...]) -> "pl.LazyFrame":
    import polars as pl

    return pl.scan_parquet(task.files("events")).select(columns)


CAN: Mapping[str, Mapping[str, Callable[[Task], Lap]]] = {
    "s3-parquet": {"Polars": parquet},
    "s3-jsonlines": {"Polars": json_lines},
    "postgres": {"Polars, by ADBC": write_database},
    "postgres-to-s3": {"connectorx and Polars": from_postgres},
    "clickhouse-to-s3": {"clickhouse-connect and Polars": from_clickhouse},
}
