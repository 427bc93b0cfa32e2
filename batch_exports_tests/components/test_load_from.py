"""Exports that load what another one has delivered, as users define and run them."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from batch_exports.components import batch_export
from batch_exports.components.errors import InvalidComponent
from batch_exports.local.event_schema import EVENTS
from batch_exports.local.postgres_server import Server as PostgresServer
from batch_exports.local.redshift.server import Emulator
from batch_exports.local.seaweedfs import Server
from batch_exports.lookup import find_export
from batch_exports.models import TIMESTAMP
from batch_exports.trial import try_source
from batch_exports_tests.components.postgres_warehouse import event
from batch_exports_tests.components.redshift_warehouse import CONNECTIONS, Warehouse
from batch_exports_tests.conftest import ROLE_ARN
from batch_exports_tests.deployment import KEY, START, errors_of

FILES = """\
type: batch_exports.S3BatchExport
attributes:
  name: events_files
  source: lake
  model: events
  interval: every 5 minutes
  start: "2026-11-01"
  delay_seconds: 0
  connection: archive
  bucket_name: "{{ env.TEST_BUCKET }}"
---
"""
POSTGRES = """type: batch_exports.PostgresConnection
attributes:
  name: postgres
  host: 127.0.0.1
  port: "{{ env.TEST_PG_PORT }}"
  database: analytics
  user: exporter
  password: {env: TEST_PG_PASSWORD}
  ssl_root_cert: "{{ env.TEST_PG_ROOT }}"
---
type: batch_exports.PostgresBatchExport
attributes:
  name: events_copy
  load_from: events_files
  interval: every 10 minutes
  start: "2026-11-01"
  delay_seconds: 120
  connection: postgres
  schema: "{{ env.TEST_PG_SCHEMA }}"
  columns: [event, uuid]
  exclude_events: [other]
---
"""
MERGED = """type: batch_exports.RedshiftBatchExport
attributes:
  name: merged_ids
  source: lake
  model: amplitude_merged_ids
  start: "2026-11-01"
  connection: warehouse
  schema: "{{ env.TEST_SCHEMA }}"
  mode: INSERT
  resolved_view: resolved_ids
---
"""
MERGES = pa.schema(
    [
        ("amplitude_id", pa.int64()),
        ("merge_time", TIMESTAMP),
        ("merge_server_time", TIMESTAMP),
        ("merged_amplitude_id", pa.int64()),
    ]
)
TABLE_KEY = dg.AssetKey(["redshift", "events_table"])
FILES_KEY = dg.AssetKey(["s3", "events_files"])
TEN = "interval: every 10 minutes"


def at(minute: float) -> dict[str, Any]:
    return event(f"at {minute}", hour=minute / 60)


def merge(merged: int, into: int, *, hour: float) -> dict[str, Any]:
    moment = START + timedelta(hours=hour)
    return {
        "amplitude_id": merged,
        "merge_time": moment,
        "merge_server_time": moment,
        "merged_amplitude_id": into,
    }


class Lane(Warehouse):
    """Files of the lake's events, and a table that is loaded from them."""

    def lay(self, *lines: str, files: str = FILES) -> dg.Definitions:
        """The definitions, with these lines in the load's YAML."""
        self.monkeypatch.setenv("TEST_BUCKET", self.bucket)
        role = f"authorization: {{role_arn: {ROLE_ARN}}}"
        return self.define(
            "load_from: events_files", self.stage, role, *lines, connections=CONNECTIONS + files
        )

    def deliver(
        self, definitions: dg.Definitions, job: str, first: str, last: str | None = None
    ) -> dg.ExecuteInProcessResult:
        """One partition by its time of day, and its checks; or several, unchecked, in one run."""
        tags = {
            "dagster/asset_partition_range_start": f"2026-11-01-{first}",
            "dagster/asset_partition_range_end": f"2026-11-01-{last or first}",
        }
        run = definitions.resolve_job_def(f"{job}_job")
        given: dict[str, Any] = {"partition_key": f"2026-11-01-{first}"}
        if last is not None:
            [key] = run.asset_layer.selected_asset_keys
            run = run.get_subset(asset_selection={key}, asset_check_selection=set())
            given = {"tags": tags}
        return run.execute_in_process(instance=self.instance, raise_on_error=False, **given)

    def landed(self) -> list[str]:
        return [uuid for (uuid,) in self.rows("SELECT uuid FROM events ORDER BY uuid")]


@pytest.fixture
def lane(
    tmp_path: Path,
    redshift: Emulator,
    s3_server: Server,
    bucket: str,
    redshift_schema: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Lane]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Lane(tmp_path, redshift, s3_server, bucket, redshift_schema, monkeypatch, instance)


def test_ten_minutes_of_two_fives(lane: Lane) -> None:
    lane.put("events", EVENTS, at(1), at(4.9), at(5), at(10))
    definitions = lane.lay(TEN, "delay_seconds: 120")
    assert lane.deliver(definitions, "events_files", "00:00", "00:05").success
    result = lane.deliver(definitions, "events_table", "00:00")
    assert result.success
    assert all(check.passed for check in result.get_asset_check_evaluations())
    [materialization] = result.asset_materializations_for_node("redshift__events_table")
    assert materialization.metadata["way"].value == "straight"
    assert materialization.metadata["dagster/partition_row_count"].value == 3
    assert lane.landed() == ["at 1", "at 4.9", "at 5"]


def test_the_load_descends_from_the_files(lane: Lane) -> None:
    graph = lane.lay(TEN, "delay_seconds: 120", "columns: [uuid, event]").resolve_asset_graph()
    node, files = graph.get(TABLE_KEY), graph.get(FILES_KEY)
    assert node.parent_keys == {FILES_KEY}
    assert node.partitions_def
    assert files.partitions_def
    mapping = node.partition_mappings[FILES_KEY]
    mapped = mapping.get_upstream_mapped_partitions_result_for_partitions(
        node.partitions_def.subset_with_partition_keys([KEY]),
        node.partitions_def,
        files.partitions_def,
    )
    assert set(mapped.partitions_subset.get_partition_keys()) == {KEY, "2026-11-01-00:05"}
    lineage = node.metadata["dagster/column_lineage"].deps_by_column
    assert lineage == {name: [dg.TableColumnDep(FILES_KEY, name)] for name in ("uuid", "event")}


def test_what_is_not_delivered_yet_is_awaited(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_export, "_RETRIES", dg.RetryPolicy(max_retries=0))
    lane.put("events", EVENTS, at(1))
    definitions = lane.lay(TEN, "delay_seconds: 120")
    assert lane.deliver(definitions, "events_files", "00:00").success
    result = lane.deliver(definitions, "events_table", "00:00")
    assert not result.success
    assert any(
        "events_files has not delivered [2026-11-01T00:05:00Z, 2026-11-01T00:10:00Z) yet" in error
        for error in errors_of(result)
    )


def test_a_backfill_over_what_the_schedule_delivered(lane: Lane) -> None:
    """Also where the rhythm was another one then: nothing is there twice."""
    files = FILES.replace("every 5 minutes", "every 10 minutes").replace(
        "  start:", "  partitions_per_run: 6\n  start:"
    )
    lane.put("events", EVENTS, *(at(minute) for minute in range(5, 60, 10)))
    hourly = lane.lay("delay_seconds: 120", files=files)
    assert lane.deliver(hourly, "events_files", "00:00", "00:50").success
    assert lane.deliver(hourly, "events_table", "00:00").success
    delivered = lane.landed()
    assert len(delivered) == 6

    by_tens = lane.lay(TEN, "delay_seconds: 120", "partitions_per_run: 6", files=files)
    assert lane.deliver(by_tens, "events_table", "00:20", "00:20").success
    assert lane.deliver(by_tens, "events_table", "00:00", "00:50").success
    assert lane.landed() == delivered
    result = lane.deliver(by_tens, "events_table", "00:30")
    assert result.success
    assert all(check.passed for check in result.get_asset_check_evaluations())


def test_trying_a_load(lane: Lane) -> None:
    """`batch-exports test` looks for the deliveries of its last interval."""
    end = 'end: "2026-11-01T00:10"'
    definitions = lane.lay(TEN, "delay_seconds: 120", "model: events", end)
    found = find_export("events_table")
    [before] = try_source(found)
    assert before.finding.verdict == "warning"
    assert "has not delivered [2026-11-01T00:00:00Z" in before.finding.text
    lane.put("events", EVENTS, at(1), at(6))
    assert lane.deliver(definitions, "events_files", "00:00", "00:05").success
    [after] = try_source(found)
    assert after.finding.verdict == "passed"
    assert after.finding.text.startswith("2 deliveries of [2026-11-01T00:00:00Z")


def test_any_export_loads_from_files(
    lane: Lane,
    postgres_server: PostgresServer,
    postgres_schema: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are only another source."""
    monkeypatch.setenv("TEST_PG_PORT", str(postgres_server.port))
    monkeypatch.setenv("TEST_PG_PASSWORD", postgres_server.exporter.password)
    monkeypatch.setenv("TEST_PG_ROOT", str(postgres_server.root_certificate))
    monkeypatch.setenv("TEST_PG_SCHEMA", postgres_schema)
    lane.put("events", EVENTS, at(1), at(6), event("other", hour=0.1, event="other"))
    definitions = lane.lay("delay_seconds: 120", files=FILES + POSTGRES)
    assert lane.deliver(definitions, "events_files", "00:00", "00:05").success
    result = lane.deliver(definitions, "events_copy", "00:00")
    assert result.success
    assert all(check.passed for check in result.get_asset_check_evaluations())
    with postgres_server.connect(postgres_server.exporter) as connection:
        rows = connection.execute(f"SELECT * FROM {postgres_schema}.events ORDER BY 2".encode())
        assert rows.fetchall() == [("seen", "at 1"), ("seen", "at 6")]


def test_merges_in_a_circle_fail_a_check(lane: Lane) -> None:
    monkeypatch, schema = lane.monkeypatch, lane.schema
    monkeypatch.setenv("TEST_SCHEMA", schema)
    lane.put("amplitude_merged_ids", MERGES, merge(9, 8, hour=0.5), merge(8, 3, hour=0.6),
             merge(3, 9, hour=1.5))  # fmt: skip
    definitions = lane.lay("delay_seconds: 120", files=FILES + MERGED)
    [resolved] = [
        check
        for check in lane.deliver(definitions, "merged_ids", "00:00").get_asset_check_evaluations()
        if check.check_name == "cycles"
    ]
    assert resolved.passed
    view = "SELECT amplitude_id, resolved_amplitude_id FROM resolved_ids ORDER BY 1"
    assert lane.rows(view) == [(8, 3), (9, 3)]
    [circle] = [
        check
        for check in lane.deliver(definitions, "merged_ids", "01:00").get_asset_check_evaluations()
        if check.check_name == "cycles"
    ]
    assert not circle.passed
    assert circle.description
    assert circle.description.endswith("merges lead in a circle: 3 → 9 → 8 → 3.")
    assert lane.rows(view) == [(3, None), (8, None), (9, None)]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["source: lake"], "source: load_from is given as well"),
        (["model: persons"], "model: events_files delivers events"),
        (["membership: timestamp"], "places rows in intervals by 'inserted_at'"),
        (["columns: [uuid, site_url]"], "columns: events_files does not deliver 'site_url'"),
        (["interval: every 2 minutes"], "interval: its intervals are not made of whole ones"),
        (['interval: {cron: "0 0 * * *"}'], "interval: its intervals are not made of whole"),
        (["timezone: Europe/Berlin"], "timezone: it is Europe/Berlin, and that of events_files"),
        (['start: "2026-10-01"'], "start: events_files begins with 2026-11-01T00:00"),
        (["delay_seconds: 0"], "delay_seconds: 0 leaves events_files no time to deliver"),
        (["load_from: events_table"], "load_from: the RedshiftBatchExport 'events_table'"),
        (["shards: 2"], "shards: what events_files delivered is loaded as a whole"),
        (["load_from: nowhere"], "there is no BatchExport named 'nowhere'"),
        (["resolved_view: resolved"], "resolved_view: the model events has no merges"),
    ],
)
def test_what_cannot_be_loaded(lane: Lane, lines: list[str], problem: str) -> None:
    with pytest.raises(InvalidComponent) as error:
        lane.lay(*lines)
    assert problem in str(error.value)
