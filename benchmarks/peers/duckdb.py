"""DuckDB with its extensions for S3 and PostgreSQL:
https://duckdb.org/docs/stable/core_extensions/httpfs/s3api and
https://duckdb.org/docs/stable/core_extensions/postgres"""

from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import TYPE_CHECKING

from benchmarks.stopwatch import Lap, stopwatch
from benchmarks.task import BUCKET, EVENT_FILE_COLUMNS, EVENT_TABLE_COLUMNS, SCHEMA, Task

if TYPE_CHECKING:
    import duckdb

PACKAGES = ("duckdb",)
_JSON = ("properties", "person_properties", "set", "set_once")


def parquet(task: Task) -> Lap:
    return _copy(
        task, "events.parquet", "format parquet, compression zstd, row_group_size 62500", json=False
    )


def json_lines(task: Task) -> Lap:
    return _copy(task, "events.jsonl.gz", "format json, compression gzip", json=True)


def into_postgres(task: Task) -> Lap:
    with _opened(task, "postgres_scanner") as database:
        columns = _columns(EVENT_TABLE_COLUMNS, json=True)
        rows = f"SELECT {columns} FROM read_parquet({task.files('events')})"
        _attach(database, task)
        # JSON of DuckDB becomes json there: the table is made before, as documented.
        from benchmarks.peers.documented_table import connected, make_table

        with connected(task) as connection:
            make_table(connection)
        with stopwatch() as lap:
            database.execute(f"INSERT INTO target.{SCHEMA}.events {rows}")
    lap.table = "events"
    return lap


def from_postgres(task: Task) -> Lap:
    with _opened(task, "postgres_scanner", "httpfs") as database:
        _attach(database, task)
        columns = ", ".join(f'"{name}"' for name in EVENT_FILE_COLUMNS)
        with stopwatch() as lap:
            database.execute(
                f"COPY (SELECT {columns} FROM target.{SCHEMA}.events) "
                f"TO 's3://{BUCKET}/{task.prefix}events.parquet' "
                "(format parquet, compression zstd, row_group_size 62500)"
            )
    return lap


def _copy(task: Task, name: str, options: str, *, json: bool) -> Lap:
    with _opened(task, "httpfs") as database:
        columns = _columns(EVENT_FILE_COLUMNS, json=json)
        with stopwatch() as lap:
            database.execute(
                f"COPY (SELECT {columns} FROM read_parquet({task.files('events')})) "
                f"TO 's3://{BUCKET}/{task.prefix}{name}' ({options})"
            )
    return lap


def _columns(names: tuple[str, ...], *, json: bool) -> str:
    return ", ".join(
        f'"{name}"::json AS "{name}"' if json and name in _JSON else f'"{name}"' for name in names
    )


def _opened(task: Task, *extensions: str) -> "duckdb.DuckDBPyConnection":
    import duckdb

    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")
    for name in extensions:
        folder = files(f"duckdb_extension_{name}") / "extensions"
        [version] = folder.iterdir()
        database.execute(f"LOAD '{version / name}.duckdb_extension'")
    if task.s3 and "httpfs" in extensions:
        database.execute(
            "CREATE SECRET (TYPE s3, KEY_ID ?, SECRET ?, ENDPOINT ?, REGION ?, URL_STYLE 'path', "
            "USE_SSL false)",
            [task.s3.key_id, task.s3.secret, task.s3.host, task.s3.region],
        )
    return database


def _attach(database: "duckdb.DuckDBPyConnection", task: Task) -> None:
    assert task.postgres
    database.execute(f"ATTACH '{task.postgres.url}' AS target (TYPE postgres)")


CAN: Mapping[str, Mapping[str, Callable[[Task], Lap]]] = {
    "s3-parquet": {"DuckDB": parquet},
    "s3-jsonlines": {"DuckDB": json_lines},
    "postgres": {"DuckDB": into_postgres},
    "postgres-to-s3": {"DuckDB": from_postgres},
}
