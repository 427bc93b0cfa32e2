"""Whether all that is due was delivered as its source has it: read again, by other means."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, LiteralString

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from psycopg.rows import dict_row

from batch_exports.export import Export
from simulation.parts import BUCKET
from simulation.world import World

_TIMES = re.compile(r"(\d{8}T\d{6}Z)-(\d{8}T\d{6}Z)")
_FORMAT = "%Y%m%dT%H%M%S%z"
_CODECS = {"gz": "gzip", "zst": "zstd"}
Rows = dict[str, dict[str, Any]]


def due_keys(export: Export, now: datetime) -> list[str]:
    """The partitions that are due by now, however far that is from the real time."""
    last = export.partitions.get_prev_partition_window(now - export.delay, respect_bounds=False)
    assert last
    first = export.partitions.start
    if last.end <= first:
        return []
    return list(export.partitions.get_partition_keys_in_time_window(dg.TimeWindow(first, last.end)))


def states(world: World, export: Export, keys: Iterable[str]) -> list[str]:
    """What is wrong with partitions, by Dagster's own records: each is there, its checks green."""
    instance, told = world.instance, list[str]()
    for key in keys:
        records = instance.fetch_materializations(
            dg.AssetRecordsFilter(export.key, asset_partitions=[key]), limit=1
        ).records
        if not records:
            told.append(f"{export.name} {key}: missing")
            continue
        told += [
            f"{export.name} {key}: {evaluation.check_name} is {evaluation.severity.value}"
            for evaluation in _evaluations(instance, records[0].run_id)
            if evaluation.asset_key == export.key and not _passed(instance, evaluation, key)
        ]
    return told


def differences(world: World, exports: Mapping[str, Export]) -> list[str]:
    """Rows at the destinations that are not those of the source, as of now."""
    now, found = world.clock.now, list[str]()
    with world.parts.app.connect(row_factory=dict_row) as app:
        events = _by_id(app, "SELECT * FROM events")
        persons = app.execute(
            "SELECT DISTINCT ON (distinct_id) * FROM persons WHERE inserted_at < %s"
            " ORDER BY distinct_id, person_version DESC",
            (_end(exports["persons_table"], now),),
        ).fetchall()
    with world.parts.warehouse.connect(row_factory=dict_row) as warehouse:
        for name, table in (("events_table", "events"), ("weeks_loaded", "weeks")):
            if due_keys(exports[name], now):
                landed = _by_id(warehouse, f"SELECT * FROM exports.{table}")  # type: ignore[arg-type]
                found += _compare(name, _within(events, exports[name], now), landed)
        landed = {
            row["distinct_id"]: row
            for row in warehouse.execute("SELECT * FROM exports.persons").fetchall()
        }
        found += _compare("persons_table", {row["distinct_id"]: row for row in persons}, landed)
    for name, folder, event in (
        ("events_archive", "archive/", None),
        ("berlin_days", "berlin/", None),
        ("purchases_weekly", "purchases/", "purchase"),
        ("identifies_weekly", "identifies/", "$identify"),
    ):
        if name in exports:
            wanted = _within(events, exports[name], now)
            if name == "purchases_weekly":  # the lake never had what came late, and kept the rest
                wanted = _laid(world, exports[name], now)
            own = {key: row for key, row in wanted.items() if event in (None, row["event"])}
            landed = dict[str, dict[str, Any]]()
            for key, rows in _files(world, folder):
                found += [f"{key}: {row['uuid']} twice" for row in rows if row["uuid"] in landed]
                found += _strays(key, rows)
                landed |= {row["uuid"]: row for row in rows}
            found += _compare(name, own, landed)
    return found


def _evaluations(instance: dg.DagsterInstance, run: str) -> list[dg.AssetCheckEvaluation]:
    logs = instance.all_logs(run, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    return [
        entry.dagster_event.asset_check_evaluation_data for entry in logs if entry.dagster_event
    ]


def _passed(instance: dg.DagsterInstance, made: dg.AssetCheckEvaluation, key: str) -> bool:
    """Where it did not when it was made with the delivery, whether it did when it was made last."""
    if made.passed:
        return True
    last = instance.event_log_storage.get_asset_check_execution_history(
        made.asset_check_key, limit=1, partition_filter=PartitionKeyFilter(key=key)
    )
    return last[0].status is AssetCheckExecutionRecordStatus.SUCCEEDED


def _by_id(connection: Any, query: LiteralString) -> Rows:
    return {row["uuid"]: row for row in connection.execute(query).fetchall()}


def _end(export: Export, now: datetime) -> datetime:
    window = export.partitions.get_prev_partition_window(now - export.delay, respect_bounds=False)
    assert window
    return window.end.astimezone(UTC)


def _within(events: Rows, export: Export, now: datetime) -> Rows:
    first, last = export.partitions.start, _end(export, now)
    return {key: row for key, row in events.items() if first <= row["inserted_at"] < last}


def _laid(world: World, export: Export, now: datetime) -> Rows:
    paths = sorted((world.folder / "lake" / "events").glob("*.parquet"))
    rows = pa.concat_tables(pq.read_table(path) for path in paths).to_pylist()
    return _within({row["uuid"]: row for row in rows}, export, now)


def _files(world: World, folder: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """All data files that are there, whatever manifests say of them."""
    client = world.parts.s3.client()
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=folder)
    for item in (item for page in pages for item in page.get("Contents", [])):
        key = item["Key"]
        if ".parquet" not in key and ".jsonl" not in key:
            continue
        body = client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        if ".jsonl" in key:
            codec = _CODECS[key.rpartition(".")[2]]
            with pa.input_stream(pa.BufferReader(body), compression=codec) as stream:
                rows = [json.loads(line) for line in stream.read().splitlines()]
        else:
            rows = pq.read_table(pa.BufferReader(body)).to_pylist()
        yield key, rows


def _strays(key: str, rows: list[dict[str, Any]]) -> list[str]:
    times = _TIMES.search(key)
    assert times, key
    first, last = (datetime.strptime(text, _FORMAT) for text in times.groups())
    return [
        f"{key}: {row['uuid']} is of another interval"
        for row in rows
        if not first <= _moment(row["_inserted_at"]) < last
    ]


def _moment(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def _compare(name: str, wanted: Rows, landed: Rows) -> list[str]:
    """Which rows are missing, too many, or have other values."""
    told = [f"{name}: {key} is missing" for key in wanted.keys() - landed.keys()]
    told += [f"{name}: {key} is not in the source" for key in landed.keys() - wanted.keys()]
    for key in wanted.keys() & landed.keys():
        told += [
            f"{name}: {key} has {column} {landed[key][column]!r}, the source {value!r}"
            for column, value in wanted[key].items()
            if column in landed[key] and not _same(value, landed[key][column], column)
        ]
    return sorted(told)


def _same(value: Any, other: Any, column: str) -> bool:
    if column == "ip" and other is None:
        return True  # of a partition that was delivered before the column was added
    if isinstance(value, datetime) or isinstance(other, datetime):
        return _moment(value) == _moment(other)
    return _plain(value) == _plain(other)


def _plain(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in "{[" and value:
        return json.loads(value)
    return value
