"""Exports whose intervals come in shards, as Dagster runs them."""

import json
import os
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from batch_exports.definitions import load_definitions
from batch_exports.local.postgres_server import Server
from batch_exports.transform.shard import shards
from batch_exports_tests.deployment import ASSET, KEY, Deployment

TABLE = dg.AssetKey(["postgres", "events_table"])
WAREHOUSE = """\
type: batch_exports.PostgresConnection
attributes:
  name: warehouse
  user: exporter
  password: {env: TEST_WAREHOUSE_PASSWORD}
  host: "{{ env.TEST_WAREHOUSE_HOST }}"
  port: "{{ env.TEST_WAREHOUSE_PORT }}"
  database: "{{ env.TEST_WAREHOUSE_DATABASE }}"
  ssl_mode: verify-full
  ssl_root_cert: "{{ env.TEST_WAREHOUSE_CERTIFICATE }}"
---
type: batch_exports.PostgresBatchExport
attributes:
  name: events_table
  source: lake
  model: events
  start: "2026-11-01"
  connection: warehouse
  schema: "{{ env.TEST_WAREHOUSE_SCHEMA }}"
  shards: 2
  on_unrepresentable: fail
"""
OF_PARTITION = {"dagster/partition": KEY}
# A process that has imported everything makes children in a tenth of the time.
PREPARED = {"forkserver": {"preload_modules": ["batch_exports.definitions"]}}
TWO_AT_ONCE = {"execution": {"config": {"max_concurrent": 2, "start_method": PREPARED}}}


def both(variables: str) -> dg.JobDefinition:
    """The process that makes the children may have been started before the variables were set."""
    os.environ.update(json.loads(variables))
    job = dg.define_asset_job(
        "both", selection=dg.AssetSelection.assets(ASSET, TABLE).without_checks()
    )
    return dg.Definitions.merge(load_definitions(), dg.Definitions(jobs=[job])).resolve_job_def(
        "both"
    )


def test_shards_run_in_processes_and_go_on_from_a_failure(
    deployment: Deployment, postgres_server: Server, postgres_schema: str
) -> None:
    """PostgreSQL cannot hold one value: its shard fails. Once that is corrected at the source the
    shard is staged, and committed with the one of the run before."""
    define_both(deployment, postgres_server, postgres_schema)
    events: list[dict[str, Any]] = [{"uuid": f"event-{n}", "hour": n / 50} for n in range(40)]
    shard_of = shards_of([event["uuid"] for event in events])
    failing = shard_of[7]
    deployment.put_events("a", *events[:7], {**events[7], "distinct_id": "\0"}, *events[8:])
    with dg.instance_for_test() as instance:
        variables = {
            n: v for n, v in os.environ.items() if n.startswith(("TEST_", "BATCH_EXPORTS"))
        }
        job = dg.build_reconstructable_job(__name__, "both", (json.dumps(variables),))
        options: dict[str, Any] = {"run_config": TWO_AT_ONCE, "tags": OF_PARTITION}
        with dg.execute_job(job, instance, **options) as first:
            failed = [event.step_key for event in first.filter_events(lambda e: e.is_step_failure)]
            done = pids(first)
        assert failed == [f"postgres__events_table.shard_{failing}"]
        assert done.keys() == {
            f"postgres__events_table.shard_{1 - failing}",
            *(f"s3__events_archive.{step}" for step in ("shard_0", "shard_1", "commit")),
        }

        deployment.put_events("a", *events)
        again = dg.ReexecutionOptions.from_failure(first.run_id, instance)
        with dg.execute_job(job, instance, reexecution_options=again, **options) as second:
            assert second.success
            done_again = pids(second)
        assert done_again.keys() == {*failed, "postgres__events_table.commit"}
        assert len({*done.values(), *done_again.values()}) == len(done) + len(done_again)

        for asset in (ASSET, TABLE):
            metadata = metadata_of(instance, asset)
            assert metadata["dagster/partition_row_count"].value == 40
            assert metadata["shards"].value == 2
            rows = [record.data["rows"] for record in metadata["shard_list"].value.records]
            assert rows == [shard_of.count(0), shard_of.count(1)]
        assert_checks_pass(deployment, instance)
    assert deployment.unfinished() == []


def pids(result: dg.JobExecutionResult) -> dict[str | None, int | None]:
    """The process of each step that succeeded."""
    return {
        event.step_key: event.pid for event in result.filter_events(lambda e: e.is_step_success)
    }


def assert_checks_pass(deployment: Deployment, instance: dg.DagsterInstance) -> None:
    names = ("row_count", "schema", "keys")
    checks = {dg.AssetCheckKey(asset, name) for asset in (ASSET, TABLE) for name in names}
    job = deployment.definitions.resolve_implicit_global_asset_job_def()
    alone = job.get_subset(asset_selection=set(), asset_check_selection=checks)
    result = alone.execute_in_process(partition_key=KEY, instance=instance)
    evaluations = result.get_asset_check_evaluations()
    assert len(evaluations) == len(checks)
    assert all(evaluation.passed for evaluation in evaluations)


def test_a_run_of_many_partitions_commits_each_for_itself(deployment: Deployment) -> None:
    deployment.define("shards: 3", "partitions_per_run: 4")
    deployment.put_events("a", *({"hour": hour + 0.5} for hour in range(4) for _ in range(hour)))
    result = deployment.run_range(KEY, "2026-11-01-03:00")
    assert result.success
    assert all(evaluation.passed for evaluation in result.get_asset_check_evaluations())
    for hour in range(4):
        metadata = deployment.metadata(f"2026-11-01-{hour:02}:00")
        assert metadata["dagster/partition_row_count"] == hour
        assert f"20261101T{hour:02}0000Z-" in metadata["dagster/uri"]
        assert sum(record.data["rows"] for record in metadata["shard_list"].records) == hour


def test_the_asset_is_told_as_one_without_shards(deployment: Deployment) -> None:
    deployment.define()
    [plain] = deployment.definitions.resolve_assets_def(ASSET).specs
    deployment.define("shards: 3", 'asset_attributes: {owners: ["team:data"]}')
    asset = deployment.definitions.resolve_assets_def(ASSET)
    [sharded] = asset.specs
    assert sharded.owners == ["team:data"]
    for name in ("deps", "description", "group_name", "kinds", "tags", "partitions_def"):
        assert getattr(sharded, name) == getattr(plain, name), name
    differing = {n for n in plain.metadata if plain.metadata[n] != sharded.metadata.get(n)}
    assert differing <= {"dagster/code_references", "dagster/component_origin"}
    assert {op.pool for op in asset.node_def.iterate_op_defs()} == {"archive"}


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["shards: 0"], "shards: 0 is too small"),
        (["shards: 65"], "shards: 65 is too large.*each reads the whole interval"),
    ],
)
def test_what_cannot_be(deployment: Deployment, lines: list[str], told: str) -> None:
    with pytest.raises(Exception, match=f"(?s){told}"):
        deployment.define(*lines)


def define_both(deployment: Deployment, server: Server, schema: str) -> None:
    variables = {
        "PASSWORD": server.exporter.password,
        "HOST": server.host,
        "PORT": str(server.port),
        "DATABASE": server.database,
        "CERTIFICATE": str(server.root_certificate),
        "SCHEMA": schema,
    }
    for name, value in variables.items():
        deployment.monkeypatch.setenv(f"TEST_WAREHOUSE_{name}", value)
    file = deployment.folder / "defs" / "b" / "defs.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(WAREHOUSE)
    deployment.define("shards: 2")


def shards_of(keys: list[str]) -> list[int]:
    return [int(i) for i in shards(pa.record_batch({"uuid": keys}), ["uuid"], 2)]


def metadata_of(instance: dg.DagsterInstance, asset: dg.AssetKey) -> Any:
    event = instance.get_latest_materialization_event(asset)
    assert event
    assert event.asset_materialization
    return event.asset_materialization.metadata
