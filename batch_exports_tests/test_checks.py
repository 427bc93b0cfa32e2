"""Each check passes on what is right, fails on what is wrong, and can be run alone."""

import json
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from batch_exports.checks import CHECKS, Examination, Outcome
from batch_exports.checks.keys import check_keys
from batch_exports.errors import Transient
from batch_exports_tests.deployment import ASSET, KEY, Deployment, check_key

LINES = ("file_format: jsonlines", "compression: none")
NEXT = "2026-11-01-01:00"


def values(evaluation: dg.AssetCheckEvaluation) -> dict[str, Any]:
    return {name: value.value for name, value in evaluation.metadata.items()}


def test_all_pass_and_are_of_the_partition(deployment: Deployment) -> None:
    deployment.define()
    deployment.put_events("a", {}, {})
    evaluations = deployment.run().get_asset_check_evaluations()
    assert {e.check_name for e in evaluations} == set(CHECKS)
    assert all(e.passed and e.partition == KEY for e in evaluations)


def test_each_runs_alone(deployment: Deployment) -> None:
    deployment.define()
    deployment.put_events("a", {}, {})
    job = deployment.definitions.resolve_implicit_global_asset_job_def()
    export = job.get_subset(asset_selection={ASSET}, asset_check_selection=set())
    assert export.execute_in_process(partition_key=KEY, instance=deployment.instance).success
    for name in CHECKS:
        assert deployment.check(name).passed


def test_what_was_never_delivered_fails_with_a_remedy(deployment: Deployment) -> None:
    deployment.define()
    deployment.put_events("a", {})
    for name in CHECKS:
        evaluation = deployment.check(name)
        assert not evaluation.passed
        assert evaluation.severity is dg.AssetCheckSeverity.ERROR
        assert "Nothing was delivered" in (evaluation.description or "")
        assert values(evaluation)["remedy"] == "Materialize the partition."


def test_a_row_that_comes_late_fails_row_count(deployment: Deployment) -> None:
    deployment.define()
    deployment.put_events("a", {}, {})
    assert deployment.run().success
    deployment.put_events("late", {})
    evaluation = deployment.check("row_count")
    assert not evaluation.passed
    assert "The source has 3 rows; 2 were delivered" in (evaluation.description or "")
    assert values(evaluation) == {
        "source_rows": 3,
        "delivered_rows": 2,
        "rejected_rows": 0,
        "landed_rows": 2,
    }
    assert deployment.run().success
    assert deployment.check("row_count").passed


def test_an_object_that_is_gone_fails_row_count(deployment: Deployment) -> None:
    deployment.define()
    deployment.put_events("a", {})
    assert deployment.run().success
    (data,) = (key for key in deployment.objects() if "manifest" not in key)
    deployment.server.client().delete_object(Bucket=deployment.bucket, Key=data)
    evaluation = deployment.check("row_count")
    assert not evaluation.passed
    assert f"{data} is in the manifest, and not in the bucket." in (evaluation.description or "")
    assert values(evaluation)["landed_rows"] == 0


def test_a_uuid_that_stands_twice_fails_keys(deployment: Deployment) -> None:
    deployment.define()
    deployment.put_events("a", {"uuid": "twin"}, {"uuid": "twin"}, {})
    assert deployment.run().success
    evaluation = deployment.check("keys")
    assert not evaluation.passed
    assert "Rows that repeat a key: 1, such as" in (evaluation.description or "")
    assert "twin" in (evaluation.description or "")
    assert values(evaluation)["duplicate_keys"] == 1


def test_a_column_that_is_not_as_it_should_be_fails_schema(deployment: Deployment) -> None:
    deployment.define("columns: [uuid, event]")
    deployment.put_events("a", {})
    assert deployment.run().success
    deployment.define("columns: [uuid, event, timestamp]")
    evaluation = deployment.check("schema")
    assert not evaluation.passed
    assert "timestamp" in (evaluation.description or "")


def test_rejected_rows_fail_values_and_count_as_accounted_for(deployment: Deployment) -> None:
    deployment.define(*LINES, "on_unrepresentable: reject")
    deployment.put_events("a", {}, {"properties": "{broken"})
    assert deployment.run().success
    evaluation = deployment.check("values")
    assert not evaluation.passed
    assert evaluation.severity is dg.AssetCheckSeverity.ERROR
    assert "Rows rejected: 1." in (evaluation.description or "")
    assert values(evaluation)["originals"].endswith("_rejects.arrow")
    assert deployment.check("row_count").passed


def test_replaced_values_are_a_warning(deployment: Deployment) -> None:
    deployment.define(*LINES)
    deployment.put_events("a", {}, {"properties": json.dumps({"nul": "\ud800"})})
    assert deployment.run().success
    evaluation = deployment.check("values")
    assert not evaluation.passed
    assert evaluation.severity is dg.AssetCheckSeverity.WARN
    assert "Rows with a replaced value: 1." in (evaluation.description or "")


def test_only_deep_verification_reads_every_line(deployment: Deployment) -> None:
    deployment.define(*LINES)
    deployment.put_events("a", {}, {})
    assert deployment.run().success
    assert values(deployment.check("row_count"))["landed_rows"] == "not counted"
    deployment.define(*LINES, "verify: deep")
    assert values(deployment.check("row_count"))["landed_rows"] == 2


def test_a_run_of_several_partitions_records_each(deployment: Deployment) -> None:
    """Dagster itself would record nothing of them, and show them as skipped."""
    deployment.define("partitions_per_run: 24", 'end: "2026-11-02"')
    deployment.put_events("a", {"uuid": "twin"}, {"uuid": "twin"}, {"hour": 1.5})
    result = deployment.run_range(KEY, NEXT)
    assert result.success
    (keys,) = (e for e in result.get_asset_check_evaluations() if e.check_name == "keys")
    assert not keys.passed
    assert keys.description == "1 of 2 partitions pass."
    assert "repeat a key" in values(keys)[KEY]
    assert statuses(deployment, "keys") == {KEY: "FAILED", NEXT: "SUCCEEDED"}
    assert statuses(deployment, "row_count") == {KEY: "SUCCEEDED", NEXT: "SUCCEEDED"}


def test_a_range_of_one_partition_records_it(deployment: Deployment) -> None:
    """A backfill that the UI launches gives each run a range, of one partition too."""
    deployment.define('end: "2026-11-02"')
    deployment.put_events("a", {"uuid": "twin"}, {"uuid": "twin"})
    assert deployment.run_range(KEY, KEY).success
    assert statuses(deployment, "keys") == {KEY: "FAILED"}
    assert statuses(deployment, "row_count") == {KEY: "SUCCEEDED"}
    assert deployment.run_range(KEY, KEY).success
    assert statuses(deployment, "row_count") == {KEY: "SUCCEEDED"}


def test_a_run_of_the_same_partitions_records_each_again(deployment: Deployment) -> None:
    deployment.define("partitions_per_run: 24", 'end: "2026-11-02"')
    deployment.put_events("a", {"uuid": "twin"}, {"uuid": "twin"}, {"hour": 1.5})
    assert deployment.run_range(KEY, NEXT).success
    assert statuses(deployment, "keys") == {KEY: "FAILED", NEXT: "SUCCEEDED"}
    deployment.put_events("a", {"uuid": "one"}, {"uuid": "two"}, {"hour": 1.5})
    assert deployment.run_range(KEY, NEXT).success
    assert statuses(deployment, "keys") == {KEY: "SUCCEEDED", NEXT: "SUCCEEDED"}


def test_a_run_without_a_partition_says_so(deployment: Deployment) -> None:
    """As the UI's "Execute all" starts one."""
    deployment.define()
    job = deployment.definitions.resolve_job_def("events_archive_job")
    alone = job.get_subset(asset_selection=set(), asset_check_selection={check_key("keys")})
    result = alone.execute_in_process(instance=deployment.instance, raise_on_error=False)
    (failure,) = (e for e in result.all_events if e.is_step_failure)
    told = failure.step_failure_data.user_failure_data
    assert told
    assert told.description == "The run has no partition to check."
    assert told.metadata["remedy"].value == "Materialize a partition: that checks it."


@pytest.mark.parametrize(("failures", "told"), [(1, set(CHECKS)), (9, set(CHECKS) - {"keys"})])
def test_one_that_cannot_be_made_out_keeps_back_none_of_the_others(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, failures: int, told: set[str]
) -> None:
    """All checks are one step: it is tried again, and tells what it could make out."""
    left = iter([Transient("S3 is busy.", remedy="Wait.")] * failures)

    def busy(it: Examination) -> Outcome:
        if error := next(left, None):
            raise error
        return check_keys(it)

    policy = dg.RetryPolicy(max_retries=1, delay=0.01)
    monkeypatch.setattr("batch_exports.components.batch_export._RETRIES", policy)
    monkeypatch.setattr("batch_exports.checks.registry.CHECKS", {**CHECKS, "keys": busy})
    deployment.define()
    deployment.put_events("a", {}, {})
    result = deployment.run()
    assert result.success == (failures == 1)
    evaluations = result.get_asset_check_evaluations()
    assert {e.check_name for e in evaluations if e.passed} == told
    found = {name for name in CHECKS if statuses(deployment, name).get(KEY) == "SUCCEEDED"}
    assert found == told


def statuses(deployment: Deployment, name: str) -> dict[str, str]:
    """What the instance knows of a check, by partition: what the UI paints."""
    storage = deployment.instance.event_log_storage
    infos = storage.get_asset_check_partition_info([check_key(name)])
    found = {info.partition_key: info.latest_execution_status for info in infos}
    assert all(isinstance(s, AssetCheckExecutionRecordStatus) for s in found.values())
    return {key: status.name for key, status in found.items() if key}
