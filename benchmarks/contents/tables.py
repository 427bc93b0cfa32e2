"""Delivered tables compared with the lake's rows, by SQL of the server that holds them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.contents.difference import explain
from benchmarks.contents.expected import SAMPLE, Column
from benchmarks.loading import load_table
from benchmarks.task import COLUMN_TYPES, EVENT_TABLE_COLUMNS, PERSON_COLUMNS, SCHEMA

REFERENCE = "reference"
"""The schema of the lake's own rows, which no contender sees."""
_PART = 20_000
_SQL_TYPES = {"text": "text", "json": "jsonb", "integer": "bigint", "time": "timestamptz"}
_HASHES = {
    "text": "hashtextextended",
    "json": "jsonb_hash_extended",
    "integer": "hashint8extended",
    "time": "timestamp_hash_extended",
}
_NEWEST = """
    SELECT * FROM read_parquet('{lake}/persons/*.parquet')
    QUALIFY row_number() OVER (PARTITION BY team_id, distinct_id ORDER BY person_version DESC) = 1
"""


@dataclass(frozen=True)
class Content:
    """What a table has to hold: columns of the lake, the key first of all, and their rows."""

    name: str
    columns: tuple[str, ...]
    key: str
    query: str


EVENTS = Content(
    "events", EVENT_TABLE_COLUMNS, "uuid", "SELECT * FROM read_parquet('{lake}/events/*.parquet')"
)
PERSONS = Content("persons", PERSON_COLUMNS, "distinct_id", _NEWEST)


def differences(
    connection: "psycopg.Connection[Any]", lake: Path, content: Content, table: str
) -> list[str]:
    """How the rows of the table differ from the lake's; empty where they do not."""
    types = _types(connection, SCHEMA, table)
    if not types:
        return ["nothing was delivered"]
    told = [f"no column {name}" for name in content.columns if name not in types]
    present = [Column(name) for name in content.columns if name in types]
    for column in present:
        told += _of_type(column, types[column.name])
    expected = _expected(connection, lake, content)
    source = f'{SCHEMA}."{table}"'
    found = _sums(connection, content, source, {one.name: types[one.name] for one in present})
    told += _of_rows(expected["rows"], found["rows"])
    if not told and expected[content.key] != found[content.key]:
        told.append("other keys")
    for column in present:
        if expected[column.name] != found[column.name]:
            told += _of_column(
                connection, column, content, source, types, _reference(lake, content)
            )
    return list(dict.fromkeys(told))


def _types(connection: "psycopg.Connection[Any]", schema: str, table: str) -> dict[str, str]:
    rows = connection.execute(
        "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute "
        "WHERE attrelid = to_regclass(format('%%I.%%I', %s::text, %s::text)) "
        "AND attnum > 0 AND NOT attisdropped",
        (schema, table),
    ).fetchall()
    return dict(rows)


def _of_type(column: Column, type_: str) -> list[str]:
    if column.kind == "json" and type_ not in ("jsonb", "super"):
        return [f"JSON in columns of type {type_}"]
    if column.kind == "time" and type_ == "timestamp without time zone":
        return ["time zone lost"]
    if column.kind == "time" and not type_.startswith("timestamp"):
        return [f"times in columns of type {type_}"]
    return []


def _value(column: Column, type_: str) -> str:
    """The value in one form, whatever type it was delivered in."""
    name = f'"{column.name}"'
    match column.kind:
        case "json":
            return f"{name}::text::jsonb"
        case "time":
            # As a time of UTC's without a zone, which hashes as what it is.
            zone = "" if type_ == "timestamp without time zone" else "::timestamptz"
            return f"{name}{zone}" if not zone else f"({name}{zone} AT TIME ZONE 'UTC')"
    return f"{name}::{_SQL_TYPES[column.kind]}"


def _sums(
    connection: "psycopg.Connection[Any]", content: Content, source: str, types: dict[str, str]
) -> dict[str, list[str]]:
    """Of each column how many values there are, and a sum of hashes of key and value."""
    values = {name: _value(Column(name), type_) for name, type_ in types.items()}
    key = f'"{content.key}"::text'
    parts = ", ".join(
        f"ARRAY[count({value}), sum({_HASHES[Column(name).kind]}({value}, "
        f"hashtextextended({key}, 0)))]"
        for name, value in values.items()
    )
    row = connection.execute(
        f"SELECT ARRAY[count(*), count(DISTINCT {key})], {parts} FROM {source}".encode()
    ).fetchone()
    assert row
    names = ["rows", *values]
    return {name: [str(one) for one in sums] for name, sums in zip(names, row, strict=True)}


def _expected(
    connection: "psycopg.Connection[Any]", lake: Path, content: Content
) -> dict[str, list[str]]:
    """The lake's own sums, kept beside it; and its rows in a table, for where they differ."""
    kept = lake / f"{content.name}-sums.{connection.info.dbname}.json"
    table = _reference(lake, content)
    if not kept.exists() or not _types(connection, *table.split(".")):
        types = {name: _SQL_TYPES[Column(name).kind] for name in content.columns}
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {REFERENCE}".encode())
        load_table(connection, content.query.format(lake=lake), table, types)
        sums = _sums(connection, content, table, types)
        kept.write_text(json.dumps(sums))
    read: dict[str, list[str]] = json.loads(kept.read_text())
    return read


def _reference(lake: Path, content: Content) -> str:
    return f"{REFERENCE}.{content.name}_{lake.name.rpartition('-')[2]}"


def _of_rows(expected: Sequence[str], found: Sequence[str]) -> list[str]:
    rows, keys, wanted = int(found[0]), int(found[1]), int(expected[1])
    told = []
    if keys < wanted:
        told.append(f"{wanted - keys:,} rows lost")
    if rows > keys:
        told.append(f"{rows - keys:,} rows twice")
    return told


def _of_column(
    connection: "psycopg.Connection[Any]",
    column: Column,
    content: Content,
    source: str,
    types: dict[str, str],
    reference: str,
) -> list[str]:
    """What became of some of the first rows that differ."""
    name = column.name
    found = _value(column, types[name])
    wanted = _value(column, COLUMN_TYPES[name] if column.kind != "time" else "timestamptz")
    key = f'"{content.key}"::text'
    text = "::text" if column.kind == "json" else ""
    rows: Sequence[Any] = ()
    # A part of the rows tells what becomes of all, and takes no join of all.
    for part in (f" LIMIT {_PART}", ""):
        rows = connection.execute(
            f"SELECT wanted{text}, given{text} "
            f"FROM (SELECT {key} AS key, {wanted} AS wanted FROM {reference}{part}) AS r "
            f"JOIN (SELECT {key} AS key, {found} AS given FROM {source}) AS f USING (key) "
            f"WHERE wanted IS DISTINCT FROM given LIMIT {SAMPLE}".encode()
        ).fetchall()
        if rows:
            break
    if column.kind == "time":
        rows = [
            tuple(one if one is None else one.replace(tzinfo=UTC) for one in row) for row in rows
        ]
    return explain(column.kind, rows)
