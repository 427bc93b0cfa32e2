"""Delivered files compared with the lake's, by DuckDB."""

import json
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.contents.difference import explain
from benchmarks.contents.expected import SAMPLE, Column
from benchmarks.servers import Servers
from benchmarks.task import BUCKET, EVENT_FILE_COLUMNS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PART = 20_000
_ENDINGS = (".parquet", ".jsonl", ".json", ".ndjson")


def download(servers: Servers, prefix: str, folder: Path) -> list[str]:
    """The data files below a prefix, on the local disk; manifests are none."""
    client, found = servers.store, []
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
    for number, key in enumerate(keys):
        name = key.rpartition("/")[2]
        if name.startswith("_") or "_manifest" in name or "_dlt_" in key or "/init" in key:
            continue
        if any(ending in name for ending in _ENDINGS):
            path = folder / f"{number}{_ending(name)}"
            client.download_file(BUCKET, key, str(path))
            found.append(str(path))
    return found


def _ending(name: str) -> str:
    if ".parquet" in name:
        return ".parquet"
    return ".jsonl.gz" if name.endswith(".gz") else ".jsonl"


def differences(lake: Path, files: Sequence[str]) -> list[str]:
    """How the events in the files differ from the lake's; empty where they do not."""
    if not files:
        return ["nothing was delivered"]
    with tempfile.TemporaryDirectory(prefix="bench-duckdb-") as spill, duckdb.connect() as database:
        database.execute(f"SET temp_directory = '{spill}'")
        database.execute("SET memory_limit = '6GB'")
        database.execute("SET TimeZone = 'UTC'")
        columns = [Column(name) for name in EVENT_FILE_COLUMNS]
        database.execute(
            f"CREATE VIEW lake AS SELECT * FROM read_parquet('{lake}/events/*.parquet')"
        )
        types = _open(database, files)
        names = {column.name: _found_as(column, types) for column in columns}
        told = [f"no column {name}" for name, found in names.items() if found is None]
        present = [column for column in columns if names[column.name]]
        if names["uuid"] is None:
            return told
        expected, found = _expected(lake, database), _sums(database, "found", names, types)
        told += _of_rows(expected["rows"], found["rows"])
        if not told and expected["uuid"] != found["uuid"]:
            told.append("other keys")
        for column in present:
            told += _of_type(column, types[names[column.name] or ""])
            if expected[column.name] != found[column.name]:
                told += _of_column(database, column, names, types)
        return list(dict.fromkeys(told))


def _open(database: duckdb.DuckDBPyConnection, files: Sequence[str]) -> dict[str, str]:
    """Make the view `found` of all files; its columns with their types."""
    if files[0].endswith(".parquet"):
        reading = f"read_parquet({list(files)})"
    else:
        # Each member as JSON, so that text that holds JSON is told from JSON.
        first = database.execute(
            f"SELECT json_keys(json) FROM read_json_objects({list(files)[:1]}) LIMIT 1"
        ).fetchone()
        members = ", ".join(f"'{name}': 'JSON'" for name in (first[0] if first else ()))
        reading = (
            f"read_json({list(files)}, format = 'newline_delimited', columns = {{{members}}}, "
            "maximum_object_size = 67108864)"
        )
    database.execute(f"CREATE VIEW found AS SELECT * FROM {reading}")
    return {row[0]: row[1] for row in database.execute("DESCRIBE found").fetchall()}


def _found_as(column: Column, types: dict[str, str]) -> str | None:
    lower = {name.lower(): name for name in types}
    return next((lower[alias] for alias in column.aliases if alias in lower), None)


def _value(column: Column, name: str, type_: str) -> str:
    """The value in one form, whatever type it was delivered in."""
    quoted = f'"{name}"'
    if type_ == "JSON" and column.kind != "json":
        quoted = f"({quoted} ->> '$')"
    match column.kind:
        case "json":
            return f"json({quoted})::VARCHAR" if type_ in ("VARCHAR", "JSON") else f"{quoted}::JSON"
        case "time":
            # A time without a zone is taken for UTC's.
            return f"epoch_us({quoted}::TIMESTAMPTZ)"
        case "integer":
            return f"{quoted}::BIGINT"
    return f"{quoted}::VARCHAR"


def _sums(
    database: duckdb.DuckDBPyConnection,
    table: str,
    names: dict[str, str | None],
    types: dict[str, str],
) -> dict[str, list[int]]:
    """Of each column how many values there are, and a sum of hashes of uuid and value."""
    key = _value(Column("uuid"), names["uuid"] or "", types[names["uuid"] or ""])
    values = {
        name: _value(Column(name), found, types[found]) for name, found in names.items() if found
    }
    parts = ", ".join(
        f"[count({value})::HUGEINT, sum(hash({key}, {value})::HUGEINT)]"
        for value in values.values()
    )
    row = database.execute(
        f"SELECT [count(*)::HUGEINT, count(DISTINCT {key})], {parts} FROM {table}"
    ).fetchone()
    assert row
    # Text: numbers of this size survive no JSON.
    return {
        name: [str(one) for one in sums]  # type: ignore[misc]
        for name, sums in zip(["rows", *values], row, strict=True)
    }


def _expected(lake: Path, database: duckdb.DuckDBPyConnection) -> dict[str, list[int]]:
    """The lake's own sums, which are kept beside it."""
    kept = lake / "events-sums.json"
    if not kept.exists():
        types = {row[0]: row[1] for row in database.execute("DESCRIBE lake").fetchall()}
        same = dict(zip(EVENT_FILE_COLUMNS, EVENT_FILE_COLUMNS, strict=True))
        kept.write_text(json.dumps(_sums(database, "lake", dict(same), types)))
    sums: dict[str, list[int]] = json.loads(kept.read_text())
    return sums


def _of_rows(expected: Sequence[Any], found: Sequence[Any]) -> list[str]:
    rows, keys = int(found[0]), int(found[1])
    told = []
    if keys < int(expected[1]):
        told.append(f"{int(expected[1]) - keys:,} rows lost")
    if rows > keys:
        told.append(f"{rows - keys:,} rows twice")
    return told


def _of_type(column: Column, type_: str) -> list[str]:
    if column.kind == "time" and type_ in ("TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP_MS"):
        return ["time zone lost"]
    if column.kind == "time" and type_ == "VARCHAR":
        return ["times as text"]
    return []


def _of_column(
    database: duckdb.DuckDBPyConnection,
    column: Column,
    names: dict[str, str | None],
    types: dict[str, str],
) -> list[str]:
    name = names[column.name] or ""
    found = _value(column, name, types[name])
    key = _value(Column("uuid"), names["uuid"] or "", types[names["uuid"] or ""])
    wanted = _value(column, column.name, "TIMESTAMPTZ" if column.kind == "time" else "VARCHAR")
    rows: Sequence[Any] = ()
    # A part of the rows tells what becomes of all, and takes no join of all.
    for part in (f" LIMIT {_PART}", ""):
        rows = database.execute(
            f"SELECT wanted, given FROM (SELECT uuid AS key, {wanted} AS wanted FROM lake{part}) "
            f"JOIN (SELECT {key} AS key, {found} AS given FROM found) USING (key) "
            f"WHERE wanted IS DISTINCT FROM given LIMIT {SAMPLE}"
        ).fetchall()
        if rows:
            break
    return explain(column.kind, [_pair(column, row) for row in rows])


def _pair(column: Column, row: Sequence[Any]) -> tuple[Any, Any]:
    if column.kind != "time":
        return row[0], row[1]
    wanted, given = (one if one is None else _EPOCH + timedelta(microseconds=one) for one in row)
    return wanted, given
