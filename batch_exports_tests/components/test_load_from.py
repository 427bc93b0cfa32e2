"""Exports that load what another one has delivered, as users define and run them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from batch_exports.components import batch_export
from batch_exports.components.errors import InvalidComponent
from batch_exports.local.event_schema import EVENTS
from batch_exports.local.redshift.server import Emulator
from batch_exports.local.seaweedfs import Server
from batch_exports.lookup import find_export
from batch_exports_tests.components.redshift_warehouse import CONNECTIONS, Warehouse
from batch_exports_tests.components.test_postgres_batch_export import event
from batch_exports_tests.conftest import ROLE_ARN
from batch_exports_tests.deployment import KEY, errors_of

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
TABLE_KEY = dg.AssetKey(["redshift", "events_table"])
FILES_KEY = dg.AssetKey(["s3", "events_files"])
TEN = "interval: every 10 minutes"


def at(minute: float) -> dict[str, Any]:
    return event(f"at {minute}", hour=minute / 60)


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
        """Partitions by their time of day, in one run."""
        tags = {
            "dagster/asset_partition_range_start": f"2026-11-01-{first}",
            "dagster/asset_partition_range_end": f"2026-11-01-{last or first}",
        }
        one = {"partition_key": f"2026-11-01-{first}"} if last is None else {"tags": tags}
        return definitions.resolve_job_def(f"{job}_job").execute_in_process(
            instance=self.instance, raise_on_error=False, **one
        )

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
    assert lane.deliver(by_tens, "events_table", "00:20").success
    assert lane.deliver(by_tens, "events_table", "00:00", "00:50").success
    assert lane.landed() == delivered
    result = lane.deliver(by_tens, "events_table", "00:30")
    assert result.success
    assert all(check.passed for check in result.get_asset_check_evaluations())


def test_a_load_is_found_by_its_name(lane: Lane) -> None:
    lane.lay(TEN, "delay_seconds: 120", "model: events")
    found = find_export("events_table")
    assert found.source.name == "events_files"
    with found.resources({found.export.source}) as resources:
        assert found.export.reader(resources).export == "events_files"  # type: ignore[attr-defined]


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
        (["load_from: nowhere"], "there is no BatchExport named 'nowhere'"),
        (["resolved_view: resolved"], "resolved_view: the model events has no merges"),
    ],
)
def test_what_cannot_be_loaded(lane: Lane, lines: list[str], problem: str) -> None:
    with pytest.raises(InvalidComponent) as error:
        lane.lay(*lines)
    assert problem in str(error.value)
