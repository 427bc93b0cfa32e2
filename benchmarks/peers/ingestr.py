"""ingestr: https://getbruin.com/docs/ingestr/. It reads the lake through a view of DuckDB."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlencode

from benchmarks.peers.program import run
from benchmarks.stopwatch import Lap, stopwatch
from benchmarks.task import (
    BUCKET,
    EVENT_FILE_COLUMNS,
    EVENT_TABLE_COLUMNS,
    PERSON_COLUMNS,
    SCHEMA,
    Task,
)

PACKAGES = ("ingestr",)
ENVIRONMENT = "ingestr"


def parquet(task: Task) -> Lap:
    source = _view(task, "events", task.files("events"), EVENT_FILE_COLUMNS)
    with stopwatch() as lap:
        _ingest(task, source, "main.events", _store(task), f"{BUCKET}/{task.prefix}events")
    return lap


def into_postgres(task: Task) -> Lap:
    source = _view(task, "events", task.files("events"), EVENT_TABLE_COLUMNS)
    with stopwatch() as lap:
        _ingest(task, source, "main.events", _database(task), f"{SCHEMA}.events", _JSON_HINTS)
    lap.table = "events"
    return lap


def persons(task: Task) -> Lap:
    """The afternoon's persons into the morning's, by its merge on the key."""
    hints = (
        *("--columns", "properties:json", "--incremental-strategy", "merge"),
        *("--primary-key", "team_id", "--primary-key", "distinct_id"),
    )
    for path in task.files("persons"):
        source = _view(task, "persons", [path], PERSON_COLUMNS)
        with stopwatch() as lap:
            _ingest(task, source, "main.persons", _database(task), f"{SCHEMA}.persons", hints)
    lap.table = "persons"
    return lap


def from_postgres(task: Task) -> Lap:
    columns = ", ".join(f'"{name}"' for name in EVENT_FILE_COLUMNS)
    with stopwatch() as lap:
        _ingest(
            task,
            _database(task),
            f"query:SELECT {columns} FROM {SCHEMA}.events",
            _store(task),
            f"{BUCKET}/{task.prefix}events",
        )
    return lap


_JSON_HINTS = ("--columns", "properties:json,set:json,set_once:json")


def _view(task: Task, name: str, paths: Sequence[str], columns: Sequence[str]) -> str:
    import duckdb

    path = task.folder / f"lake-{Path(paths[0]).stem}.duckdb"
    chosen = ", ".join(f'"{column}"' for column in columns)
    with duckdb.connect(str(path)) as database:
        database.execute(
            f"CREATE OR REPLACE VIEW {name} AS SELECT {chosen} FROM read_parquet({list(paths)})"
        )
    return f"duckdb:///{path}"


def _store(task: Task) -> str:
    assert task.s3
    return "s3://?" + urlencode(
        {
            "access_key_id": task.s3.key_id,
            "secret_access_key": task.s3.secret,
            "endpoint_url": task.s3.endpoint,
        }
    )


def _database(task: Task) -> str:
    assert task.postgres
    return task.postgres.url


def _ingest(
    task: Task, source: str, table: str, target: str, target_table: str, hints: Sequence[str] = ()
) -> None:
    command = [
        str(Path(sys.executable).with_name("ingestr")),
        *("ingest", "--yes", "--progress", "log", "--source-table", table),
        *("--dest-table", target_table, *hints),
    ]
    # Addresses hold credentials, which no arguments of processes may show.
    run(command, {"SOURCE_URI": source, "DESTINATION_URI": target}, task.folder)


CAN: Mapping[str, Mapping[str, Callable[[Task], Lap]]] = {
    "s3-parquet": {"ingestr": parquet},
    "postgres": {"ingestr": into_postgres},
    "persons": {"ingestr, merge": persons},
    "postgres-to-s3": {"ingestr": from_postgres},
}
