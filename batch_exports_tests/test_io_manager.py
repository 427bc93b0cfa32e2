"""A partition that a run hands over is one delivery, told in Dagster's metadata."""

from collections.abc import Mapping

import dagster as dg
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from batch_exports.destinations.delivery import Landed
from batch_exports_tests.deployment import ASSET, KEY, Deployment

PREFIX = "events/2026/11/01/20261101T000000Z-20261101T010000Z"


def test_metadata_of_a_partition(deployment: Deployment) -> None:
    deployment.define()
    deployment.put_events("a", {}, {}, {"hour": 1})
    assert deployment.run().success
    metadata = deployment.metadata()
    (file,) = metadata.pop("file_list").records
    key = f"{PREFIX}.parquet.zst"
    stored = deployment.server.client().get_object(Bucket=deployment.bucket, Key=key)
    assert file.data["uri"] == f"s3://{deployment.bucket}/{key}"
    assert file.data["rows"] == 2
    assert file.data["bytes"] == stored["ContentLength"]
    seconds = metadata.pop("duration_s")
    # The seconds are rounded to milliseconds, the rows by seconds that are not.
    assert metadata.pop("rows_per_second") == pytest.approx(2 / seconds, rel=0.05, abs=1)
    assert metadata == {
        "dagster/partition_row_count": 2,
        "dagster/uri": f"s3://{deployment.bucket}/{PREFIX}",
        "source_rows": 2,
        "rejected_rows": 0,
        "replaced_rows": 0,
        "bytes": stored["ContentLength"],
        "files": 1,
        "record": f"s3://{deployment.bucket}/{PREFIX}_manifest.json",
    }
    assert deployment.objects() == [key, f"{PREFIX}_manifest.json"]


def test_what_landed_is_what_the_lake_holds(deployment: Deployment) -> None:
    deployment.define()
    deployment.put_events("a", {"uuid": "1"}, {"uuid": "2", "hour": 0.9}, {"uuid": "3", "hour": 2})
    assert deployment.run().success
    admin = deployment.server.admin
    store = fs.S3FileSystem(
        access_key=admin.access_key_id,
        secret_key=admin.secret_access_key,
        endpoint_override=deployment.server.endpoint,
        scheme="http",
    )
    landed = pq.read_table(f"{deployment.bucket}/{PREFIX}.parquet.zst", filesystem=store)
    assert sorted(landed["uuid"].to_pylist()) == ["1", "2"]


def test_an_interval_without_rows_is_delivered_too(deployment: Deployment) -> None:
    deployment.define()
    deployment.put_events("a", {"hour": 5})
    assert deployment.run().success
    metadata = deployment.metadata()
    assert metadata["dagster/partition_row_count"] == metadata["bytes"] == metadata["files"] == 0
    assert "file_list" not in metadata
    assert deployment.objects() == [f"{PREFIX}_manifest.json"]


def test_what_is_put_aside_is_told(deployment: Deployment) -> None:
    deployment.define("file_format: jsonlines", "compression: none", "on_unrepresentable: reject")
    deployment.put_events("a", {}, {"properties": "{broken"})
    assert deployment.run().success
    metadata = deployment.metadata()
    assert metadata["dagster/partition_row_count"] == 1
    assert metadata["rejected_rows"] == 1
    assert metadata["source_rows"] == 2
    assert metadata["rejects"] == f"s3://{deployment.bucket}/{PREFIX}_rejects.arrow"


def test_a_run_of_many_partitions_tells_each_its_own(deployment: Deployment) -> None:
    deployment.define("partitions_per_run: 24")
    deployment.put_events("a", *({"hour": hour + 0.5} for hour in range(24) for _ in range(hour)))
    result = deployment.run_range(KEY, "2026-11-01-23:00", checked=False)
    assert result.success
    assert len(result.get_asset_materialization_events()) == 24
    for hour in range(24):
        key = f"2026-11-01-{hour:02}:00"
        metadata = deployment.metadata(key)
        assert metadata["dagster/partition_row_count"] == hour
        assert f"20261101T{hour:02}0000Z-" in metadata["dagster/uri"]
    assert len([key for key in deployment.objects() if "manifest" in key]) == 24


def test_downstream_assets_load_what_landed(deployment: Deployment) -> None:
    deployment.define()
    deployment.put_events("a", {}, {})
    assert deployment.run().success
    export = deployment.definitions.resolve_assets_def(ASSET)
    seen: list[Mapping[str, Landed]] = []

    @dg.asset(ins={"events": dg.AssetIn(ASSET)}, partitions_def=export.partitions_def)
    def report(events: dict[str, Landed]) -> None:
        seen.append(events)

    extended = dg.Definitions.merge(deployment.definitions, dg.Definitions(assets=[report]))
    job = extended.resolve_implicit_global_asset_job_def()
    selected = job.get_subset(asset_selection={report.key}, asset_check_selection=set())
    assert selected.execute_in_process(partition_key=KEY, instance=deployment.instance).success
    assert seen[0][KEY].rows == seen[0][KEY].delivery.rows == 2
    assert not seen[0][KEY].problems
