"""Persons and sessions of the sample lake on S3, as an independent reader finds them."""

from pathlib import Path

import dagster as dg
import duckdb
import pytest

from batch_exports.checks import CHECKS
from batch_exports.local import seaweedfs
from batch_exports.local.lake import lay_lake
from batch_exports.local.person_schema import PERSONS
from batch_exports.local.session_schema import SESSIONS
from batch_exports.models import MODELS
from batch_exports_tests.deployment import load

DEFS = """\
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
"""
EXPORT = """\
---
type: batch_exports.S3BatchExport
attributes:
  name: {model}_{file_format}
  source: lake
  model: {model}
  interval: day
  start: "2026-11-01"
  end: "2026-11-04"
  connection: archive
  bucket_name: {bucket}
  key_prefix: "{{table}}/"
  file_format: {file_format}
  compression: none
  verify: deep
"""
DAYS = {
    "dagster/asset_partition_range_start": "2026-11-01",
    "dagster/asset_partition_range_end": "2026-11-03",
}
SCHEMAS = {"persons": PERSONS, "sessions": SESSIONS}
# DuckDB's names of the types in which JSON lines are read.
TYPES = {
    "string": "VARCHAR",
    "int64": "BIGINT",
    "bool": "BOOLEAN",
    "double": "DOUBLE",
    "timestamp[us, tz=UTC]": "TIMESTAMPTZ",
    "list<item: string>": "VARCHAR[]",
}


@pytest.mark.parametrize("file_format", ["parquet", "jsonlines"])
@pytest.mark.parametrize("model", ["persons", "sessions"])
def test_every_version_lands_as_it_is(
    model: str,
    file_format: str,
    tmp_path: Path,
    s3_server: seaweedfs.Server,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lay_lake(tmp_path / "lake")
    monkeypatch.setenv("TEST_S3_ENDPOINT", s3_server.endpoint)
    monkeypatch.setenv("TEST_S3_KEY_ID", s3_server.admin.access_key_id)
    monkeypatch.setenv("TEST_S3_SECRET", s3_server.admin.secret_access_key)
    monkeypatch.setenv("TEST_LAKE", str(tmp_path / "lake"))
    export = EXPORT.format(model=model, file_format=file_format, bucket=bucket)
    definitions = load(tmp_path / "defs", {"a/defs.yaml": DEFS + export}, monkeypatch)

    job = definitions.resolve_job_def(f"{model}_{file_format}_job")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(tags=DAYS, instance=instance)
    checks = result.get_asset_check_evaluations()
    assert {check.check_name for check in checks} == {*CHECKS}
    assert [check.description for check in checks if not check.passed] == []

    folder = download(s3_server, bucket, tmp_path / "landed")
    with duckdb.connect() as reader:
        reader.sql("SET TimeZone = 'UTC'")
        landed = reader.sql(f"SELECT * FROM {read(folder, model, file_format)}")
        laid = reader.sql(f"SELECT {columns_of(model)} FROM '{tmp_path}/lake/{model}/*/*.parquet'")
        assert landed.columns == laid.columns
        assert len(landed) == len(laid)
        assert landed.types == laid.types
        sql = "SELECT count(*) FROM (SELECT * FROM {} EXCEPT ALL SELECT * FROM {})"
        assert reader.sql(sql.format("landed", "laid")).fetchall() == [(0,)]
        assert reader.sql(sql.format("laid", "landed")).fetchall() == [(0,)]


def columns_of(model: str) -> str:
    """The lake's columns under the names of the model, in its order, with JSON as such."""
    return ", ".join(
        f'"{column.source_name}"{"::JSON" if column.is_json else ""} AS "{column.name}"'
        for column in MODELS[model].columns
    )


def download(server: seaweedfs.Server, bucket: str, folder: Path) -> Path:
    client = server.client()
    for item in client.list_objects_v2(Bucket=bucket)["Contents"]:
        path = folder / item["Key"]
        path.parent.mkdir(parents=True, exist_ok=True)
        client.download_file(bucket, item["Key"], str(path))
    return folder


def read(folder: Path, model: str, file_format: str) -> str:
    if file_format == "parquet":
        return f"read_parquet('{folder}/{model}/*.parquet')"
    types = {
        column.name: "JSON"
        if column.is_json
        else TYPES[str(SCHEMAS[model].field(column.source_name).type)]
        for column in MODELS[model].columns
    }
    return f"read_json('{folder}/{model}/*.jsonl', columns={types!r})"
