"""What 200 exports cost, and a year of 5-minute partitions: CPU seconds of what is done again and
again, on an instance that remembers a year.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import dagster as dg
from dagster_graphql.test.utils import execute_dagster_graphql

from batch_exports.automation import gap_sensor, pause_sensor
from batch_exports.automation.alerts import sensor as alert_sensor
from batch_exports.definitions import component_tree, load_definitions
from batch_exports.export import Export
from batch_exports.lookup import find_exports
from simulation.clock import simulated
from simulation.daemon import Daemon
from simulation.thrift import thrifty

NOW = datetime(2026, 1, 1, 0, 2, tzinfo=UTC)
# Minutes until fill_gaps has looked through 30 days of 5-minute intervals, 500 a minute.
_LOOKS = 18
_BASE = """\
type: batch_exports.S3Connection
attributes: {name: archive, region: us-east-1}
---
type: batch_exports.LakeSource
attributes: {name: lake, path: /nowhere}
"""
_EXPORT = """\
---
type: batch_exports.S3BatchExport
attributes:
  {{name: {name}, source: lake, model: events, interval: {interval}, start: "2025-01-01",
   connection: archive, bucket_name: exports, key_prefix: "{name}/"}}
"""
_ALERTS = """\
---
type: batch_exports.Alerts
attributes: {name: oncall, webhook: {url: "http://127.0.0.1:9/"}}
"""
_SETTINGS = """\
telemetry: {enabled: false}
run_launcher: {module: simulation.launcher, class: HereLauncher}
"""
# What the asset's page asks for of its partitions, and of its checks.
_PARTITIONS = """
query($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
  partitionStats { numPartitions numMaterialized numFailed numMaterializing }
  assetPartitionStatuses { ... on TimePartitionStatuses { ranges {
    status startKey endKey startTime endTime } } } } } }
"""
_KEYS = """
query($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
  partitionKeysByDimension { name partitionKeys } } } }
"""
_LATEST = """
query($key: AssetKeyInput!, $one: [String!]) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
  assetMaterializations(partitions: $one, limit: 1) { runId timestamp } } } }
"""


def measure(folder: Path, exports: int, told: Callable[[str], None]) -> None:
    """Tell a line of each."""
    with simulated(NOW) as clock, thrifty(), _instance(folder, exports) as instance:
        built, loaded = dict[str, Export](), list[dg.Definitions]()

        def load() -> None:
            tree = component_tree()
            loaded.append(load_definitions(tree))
            found = find_exports(tree, loaded[-1])
            built.update({each.export.name: each.export for each in found})

        with _timed(told, f"load the definitions of {exports} exports"):
            load()
        fine = built["export_000"]
        with _timed(told, "record a year of deliveries, past Dagster's own ways"):
            for export in built.values():
                _deliver(instance, export)
        with Daemon(instance, clock) as daemon:
            _pages(daemon, instance, fine, told)
            _ticks(daemon, instance, built, loaded[-1], told)


def _ticks(
    daemon: Daemon,
    instance: dg.DagsterInstance,
    exports: Mapping[str, Export],
    definitions: dg.Definitions,
    told: Callable[[str], None],
) -> None:
    repository = definitions.get_repository_def()
    cursors = dict[str, str | None]()

    def sensor(name: str, tick: Callable[[dg.SensorEvaluationContext], dg.SensorResult]) -> str:
        context = dg.build_sensor_context(
            instance=instance, cursor=cursors.get(name), repository_def=repository
        )
        with context:
            result = tick(context)
        cursors[name] = result.cursor
        return f"asked for {len(result.run_requests or [])}"

    def gaps(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        return gap_sensor.fill(context, exports, datetime.now(UTC))

    def alerts(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now = datetime.now(UTC)
        return alert_sensor.tick(context, exports, {}, now, None, str)

    def pauses(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        return pause_sensor.tick(context, exports)

    moments = {
        "the first tick": NOW,
        "a minute later": NOW + timedelta(minutes=1),
        "an hour later, in which nothing was delivered": NOW + timedelta(hours=1, minutes=1),
        # The last month of the year is looked through by then.
        "when that is found": NOW + timedelta(hours=1, minutes=1 + _LOOKS),
    }
    for when, moment in moments.items():
        if when == "when that is found":
            for minutes in range(2, _LOOKS + 1):
                daemon.clock.move_to(NOW + timedelta(hours=1, minutes=minutes))
                sensor("fill_gaps", gaps)
        daemon.clock.move_to(moment)
        with _timed(told, f"schedules, {when}"):
            daemon.schedules()
        for name, tick in {"fill_gaps": gaps, "alerts": alerts, "pauses": pauses}.items():
            with _timed(told, f"{name}, {when}"):
                asked = sensor(name, tick)
            told(f"            {asked}")


def _pages(
    daemon: Daemon, instance: dg.DagsterInstance, export: Export, told: Callable[[str], None]
) -> None:
    newest = export.partitions.get_last_partition_key()
    variables = {"key": {"path": list(export.key.path)}, "one": [newest]}

    def ask(name: str, query: str) -> None:
        with _timed(told, f"GraphQL: {name}"):
            context = daemon.context.create_request_context()
            result = execute_dagster_graphql(context, query, variables)
        assert result.data and result.data["assetNodeOrError"], result.errors

    ask("partitions of the 5-minute export, the first time", _PARTITIONS)
    ask("the same again", _PARTITIONS)
    instance.report_runless_asset_event(dg.AssetMaterialization(export.key, partition=newest))
    ask("the same after one more delivery", _PARTITIONS)
    ask("all of its keys", _KEYS)
    ask("the newest delivery of one", _LATEST)


def _deliver(instance: dg.DagsterInstance, export: Export) -> None:
    """As if each partition that is due had been delivered by a run of its own."""
    keys = export.partitions.get_partition_keys(current_time=NOW)
    first = dg.AssetMaterialization(export.key, partition=keys[0], metadata={"source_rows": 7})
    instance.report_runless_asset_event(first)
    path = Path(instance.root_directory) / "history" / "runs" / "index.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        columns = "run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition"
        row = connection.execute(
            f"SELECT {columns} FROM event_logs ORDER BY id DESC LIMIT 1"
        ).fetchone()
        connection.executemany(
            f"INSERT INTO event_logs ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                (row[0], row[1].replace(f'"{keys[0]}"', f'"{key}"'), *row[2:6], key)
                for key in keys[1:-1]
            ),
        )
    # So that Dagster knows up to where it has counted.
    instance.report_runless_asset_event(dg.AssetMaterialization(export.key, partition=keys[-1]))


@contextmanager
def _instance(folder: Path, exports: int) -> Iterator[dg.DagsterInstance]:
    home, defs = folder / "home", folder / "defs" / "a"
    home.mkdir(parents=True)
    defs.mkdir(parents=True)
    (home / "dagster.yaml").write_text(_SETTINGS)
    text = "".join(
        _EXPORT.format(name=f"export_{number:03}", interval="day" if number else "every 5 minutes")
        for number in range(exports)
    )
    (defs / "defs.yaml").write_text(_BASE + text + _ALERTS)
    variables = {"DAGSTER_HOME": str(home), "BATCH_EXPORTS_DEFS": str(defs.parent)}
    with patch.dict(os.environ, variables), dg.DagsterInstance.get() as instance:
        yield instance


@contextmanager
def _timed(told: Callable[[str], None], name: str) -> Iterator[None]:
    began = time.process_time()
    yield
    told(f"{time.process_time() - began:8.2f} s  {name}")
