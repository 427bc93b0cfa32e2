"""A folder of YAML as a user keeps it, loaded as the code location loads it, and run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batch_exports.definitions import load_definitions
from batch_exports.local import seaweedfs
from batch_exports.local.event_schema import EVENTS

CONNECTION = """\
type: batch_exports.S3Connection
attributes:
  name: archive
  region: us-east-1
"""
LAKE = """\
type: batch_exports.LakeSource
attributes:
  name: lake
  path: lake
"""
EXPORT = """\
type: batch_exports.S3BatchExport
attributes:
  name: events_archive
  source: lake
  model: events
  start: "2026-11-01"
  connection: archive
  bucket_name: exports
"""
START = datetime(2026, 11, 1, tzinfo=UTC)
KEY = "2026-11-01-00:00"
ASSET = dg.AssetKey(["s3", "events_archive"])

_REACHABLE = """\
type: batch_exports.S3Connection
attributes:
  name: archive
  region: us-east-1
  endpoint_url: "{{ env.TEST_S3_ENDPOINT }}"
  allow_http: true
  aws_access_key_id: {env: TEST_S3_KEY_ID}
  aws_secret_access_key: {env: TEST_S3_SECRET}
---
type: batch_exports.LakeSource
attributes:
  name: lake
  path: "{{ env.TEST_LAKE }}"
---
"""


def load(folder: Path, files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dg.Definitions:
    """The definitions of a deployment whose folder holds these files."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setenv("BATCH_EXPORTS_DEFS", str(folder))
    definitions = load_definitions()
    dg.Definitions.validate_loadable(definitions)
    return definitions


@dataclass
class Deployment:
    """One export from a lake in a folder to a bucket on a real server: write events, run, look."""

    folder: Path
    server: seaweedfs.Server
    bucket: str
    instance: dg.DagsterInstance
    monkeypatch: pytest.MonkeyPatch
    definitions: dg.Definitions = field(init=False)

    def define(self, *lines: str, endpoint: str | None = None) -> None:
        """Load the export anew, with these lines more in its YAML."""
        variables = {
            "TEST_S3_ENDPOINT": endpoint or self.server.endpoint,
            "TEST_S3_KEY_ID": self.server.admin.access_key_id,
            "TEST_S3_SECRET": self.server.admin.secret_access_key,
            "TEST_LAKE": str(self.folder / "lake"),
        }
        for name, value in variables.items():
            self.monkeypatch.setenv(name, value)
        export = EXPORT.replace("bucket_name: exports", f"bucket_name: {self.bucket}")
        text = _REACHABLE + export + "".join(f"  {line}\n" for line in lines)
        self.definitions = load(self.folder / "defs", {"a/defs.yaml": text}, self.monkeypatch)

    def put_events(self, name: str, *events: Mapping[str, Any]) -> None:
        """A file of the lake; what an event leaves out is made up. Hours count from START."""
        folder = self.folder / "lake" / "events"
        folder.mkdir(parents=True, exist_ok=True)
        rows = [_event(f"{name}-{number}", **event) for number, event in enumerate(events)]
        pq.write_table(pa.Table.from_pylist(rows, schema=EVENTS), folder / f"{name}.parquet")

    def run(self, key: str = KEY, **options: Any) -> dg.ExecuteInProcessResult:
        """One partition by the export's job, as its schedule runs it."""
        job = self.definitions.resolve_job_def("events_archive_job")
        return job.execute_in_process(
            partition_key=key, instance=self.instance, raise_on_error=False, **options
        )

    def run_range(
        self, first: str, last: str, *, checked: bool = True
    ) -> dg.ExecuteInProcessResult:
        """Several partitions in one run, as a backfill of many a run does."""
        job = self.definitions.resolve_job_def("events_archive_job")
        if not checked:
            job = job.get_subset(asset_selection={ASSET}, asset_check_selection=set())
        tags = {
            "dagster/asset_partition_range_start": first,
            "dagster/asset_partition_range_end": last,
        }
        return job.execute_in_process(tags=tags, instance=self.instance, raise_on_error=False)

    def check(self, name: str, key: str = KEY) -> dg.AssetCheckEvaluation:
        """One check of a partition, in a run of nothing else."""
        job = self.definitions.resolve_implicit_global_asset_job_def()
        alone = job.get_subset(asset_selection=set(), asset_check_selection={check_key(name)})
        result = alone.execute_in_process(partition_key=key, instance=self.instance)
        (evaluation,) = result.get_asset_check_evaluations()
        assert not result.get_asset_materialization_events()
        assert evaluation.partition == key
        return evaluation

    def metadata(self, key: str = KEY) -> Mapping[str, Any]:
        """Of the partition's last materialization, as plain values."""
        records = self.instance.fetch_materializations(
            dg.AssetRecordsFilter(ASSET, asset_partitions=[key]), limit=1
        ).records
        materialization = records[0].asset_materialization
        assert materialization
        return {name: value.value for name, value in materialization.metadata.items()}

    def objects(self) -> list[str]:
        """The keys in the bucket, in order."""
        listed = self.server.client().list_objects_v2(Bucket=self.bucket)
        return [item["Key"] for item in listed.get("Contents", [])]

    def unfinished(self) -> list[str]:
        """The keys of uploads that were neither completed nor aborted."""
        listed = self.server.client().list_multipart_uploads(Bucket=self.bucket)
        return [item["Key"] for item in listed.get("Uploads", [])]


def check_key(name: str) -> dg.AssetCheckKey:
    return dg.AssetCheckKey(ASSET, name)


def errors_of(result: dg.ExecuteInProcessResult) -> Sequence[str]:
    """The messages of the steps that failed, with those of their causes."""
    failures = (event for event in result.all_events if event.is_step_failure)
    return [event.step_failure_data.error_display_string for event in failures]


def _event(name: str, *, hour: float = 0.5, **given: Any) -> dict[str, Any]:
    moment = START + timedelta(hours=hour)
    return {
        "uuid": name,
        "event": "$pageview",
        "distinct_id": "someone",
        "person_id": "p",
        "team_id": 1,
        "timestamp": moment,
        "created_at": moment,
        "inserted_at": moment,
        "properties": "{}",
        "person_properties": "{}",
        "elements_chain": "",
        **given,
    }
