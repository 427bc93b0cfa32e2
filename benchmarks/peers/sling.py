"""Sling: https://docs.slingdata.io/sling-cli/run

It loads Redshift by CSV, which the emulator of it does not cover.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

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

PACKAGES = ("sling-linux-amd64", "duckdb-cli", "duckdb-extension-json", "duckdb-extension-aws")
_EXTENSIONS = ("json", "httpfs", "aws")
_JSON = ("properties", "person_properties", "set", "set_once")


def into_files(task: Task, *, file_format: str, name: str) -> Lap:
    options = {"format": file_format, "file_max_bytes": 0}
    if file_format == "parquet":
        options["compression"] = "zstd"
    with stopwatch() as lap:
        _sling(
            task,
            *_from_lake(task, "events", EVENT_FILE_COLUMNS),
            *("--tgt-conn", "STORE", "--tgt-object", f"s3://{BUCKET}/{task.prefix}{name}"),
            *("--tgt-options", json.dumps(options)),
        )
    return lap


def into_postgres(task: Task) -> Lap:
    with stopwatch() as lap:
        _sling(
            task,
            *_from_lake(task, "events", EVENT_TABLE_COLUMNS),
            *("--tgt-conn", "DATABASE", "--tgt-object", f"{SCHEMA}.events"),
        )
    lap.table = "events"
    return lap


def again(task: Task) -> Lap:
    """The same events a second time, by its incremental mode on the key."""
    command = (
        *_from_lake(task, "events", EVENT_TABLE_COLUMNS),
        *("--tgt-conn", "DATABASE", "--tgt-object", f"{SCHEMA}.events"),
        *("--mode", "incremental", "--primary-key", "uuid"),
    )
    _sling(task, *command)
    with stopwatch() as lap:
        _sling(task, *command)
    lap.table = "events"
    return lap


def persons(task: Task) -> Lap:
    """The afternoon's persons into the morning's, by its incremental mode on the key."""
    morning, afternoon = task.files("persons")
    target = (
        *("--tgt-conn", "DATABASE", "--tgt-object", f"{SCHEMA}.persons"),
        *("--mode", "incremental", "--primary-key", "team_id,distinct_id"),
    )
    columns = json.dumps({"properties": "json"})
    for path in (morning, afternoon):
        with stopwatch() as lap:
            _sling(
                task,
                *("--src-stream", f"file://{path}", "--select", ",".join(PERSON_COLUMNS)),
                *("--columns", columns, *target),
            )
    lap.table = "persons"
    return lap


def from_postgres(task: Task) -> Lap:
    with stopwatch() as lap:
        _sling(
            task,
            *("--src-conn", "DATABASE", "--src-stream", f"{SCHEMA}.events"),
            *("--select", ",".join(EVENT_FILE_COLUMNS), "--tgt-conn", "STORE"),
            *("--tgt-object", f"s3://{BUCKET}/{task.prefix}events.parquet"),
            *("--tgt-options", json.dumps({"format": "parquet", "compression": "zstd"})),
        )
    return lap


def from_clickhouse(task: Task) -> Lap:
    with stopwatch() as lap:
        _sling(
            task,
            *("--src-conn", "CLICKHOUSE", "--src-stream", "posthog.events"),
            *("--select", ",".join(EVENT_FILE_COLUMNS), "--tgt-conn", "STORE"),
            *("--tgt-object", f"s3://{BUCKET}/{task.prefix}events.parquet"),
            *("--tgt-options", json.dumps({"format": "parquet", "compression": "zstd"})),
        )
    return lap


def _from_lake(task: Task, model: str, names: Sequence[str]) -> Sequence[str]:
    columns = {name: "json" for name in names if name in _JSON}
    return (
        *("--src-stream", f"file://{task.lake}/{model}/*.parquet"),
        *("--src-options", json.dumps({"format": "parquet"})),
        *("--select", ",".join(names), "--columns", json.dumps(columns)),
    )


def _sling(task: Task, *arguments: str) -> None:
    """Connections come by the environment: https://docs.slingdata.io/sling-cli/environment

    It reads and writes Parquet by DuckDB's program, which it would download.
    """
    program = files("sling_linux_amd64") / "bin/sling-linux-amd64"
    version = _lay_extensions(task.folder)
    connections: dict[str, Any] = {}
    if task.s3:
        connections["STORE"] = {
            "type": "s3",
            "bucket": BUCKET,
            "access_key_id": task.s3.key_id,
            "secret_access_key": task.s3.secret,
            "endpoint": task.s3.endpoint,
            "region": task.s3.region,
        }
    if task.postgres:
        connections["DATABASE"] = {"type": "postgres", "url": task.postgres.url}
    if place := task.clickhouse:
        url = f"http://{place.user}:{place.password}@127.0.0.1:{place.port}/{place.database}"
        connections["CLICKHOUSE"] = {"type": "clickhouse", "http_url": url}
    environment = {name: json.dumps(value) for name, value in connections.items()}
    environment |= {
        # Its Parquet goes to S3 by DuckDB, which looks for credentials here.
        "AWS_ACCESS_KEY_ID": task.s3.key_id if task.s3 else "",
        "AWS_SECRET_ACCESS_KEY": task.s3.secret if task.s3 else "",
        "AWS_REGION": task.s3.region if task.s3 else "",
        "DUCKDB_PATH": str(Path(sys.executable).with_name("duckdb")),
        "DUCKDB_VERSION": version,
    }
    run([str(program), "run", *arguments], environment, task.folder)


def _lay_extensions(home: Path) -> str:
    """Put DuckDB's extensions where its program would put those that it downloads; its version."""
    for name in _EXTENSIONS:
        [folder] = (files(f"duckdb_extension_{name}") / "extensions").iterdir()
        file = f"{name}.duckdb_extension"
        laid = home / ".duckdb/extensions" / folder.name / "linux_amd64" / file
        laid.parent.mkdir(parents=True, exist_ok=True)
        laid.write_bytes((folder / file).read_bytes())
    return folder.name.removeprefix("v")


_PARQUET = partial(into_files, file_format="parquet", name="events.parquet")
_LINES = partial(into_files, file_format="jsonlines", name="events.jsonl.gz")
CAN: Mapping[str, Mapping[str, Callable[[Task], Lap]]] = {
    "s3-parquet": {"Sling": _PARQUET},
    "s3-jsonlines": {"Sling": _LINES},
    "postgres": {"Sling": into_postgres},
    "postgres-rerun": {"Sling, incremental": again},
    "persons": {"Sling, incremental": persons},
    "postgres-to-s3": {"Sling": from_postgres},
    "clickhouse-to-s3": {"Sling": from_clickhouse},
}
