"""Amplitude's events and merged IDs, from archives and from the API to S3 and PostgreSQL."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
from click.testing import CliRunner
from psycopg.rows import dict_row

from batch_exports.cli import main
from batch_exports.local import lake, seaweedfs
from batch_exports.local.postgres_server import Server
from batch_exports_tests.deployment import load
from batch_exports_tests.sources.amplitude.rows import event, name, packed
from batch_exports_tests.sources.amplitude.test_api import Amplitude
from batch_exports_tests.test_persons_and_sessions import DEFS, download

PLACES = (
    DEFS
    + """\
---
type: batch_exports.AmplitudeSource
attributes:
  name: archives
  path: "{{ env.TEST_AMPLITUDE }}"
---
type: batch_exports.AmplitudeSource
attributes:
  name: api
  api_key: {env: TEST_API_KEY}
  secret_key: {env: TEST_SECRET_KEY}
  endpoint_url: "{{ env.TEST_API }}"
---
type: batch_exports.PostgresConnection
attributes:
  name: warehouse
  user: exporter
  password: {env: TEST_PASSWORD}
  host: 127.0.0.1
  port: "{{ env.TEST_PORT }}"
  database: analytics
  ssl_root_cert: "{{ env.TEST_ROOT }}"
---
"""
)
TO_S3 = """\
type: batch_exports.S3BatchExport
attributes:
  name: {name}
  source: {source}
  model: {model}
  interval: {interval}
  start: "2026-11-01"
  delay_seconds: 10500
  connection: archive
  bucket_name: {bucket}
  key_prefix: "{name}/"
  file_format: {file_format}
  compression: none
  verify: deep
---
"""
TO_POSTGRES = """\
type: batch_exports.PostgresBatchExport
attributes:
  name: amplitude_table
  source: archives
  model: amplitude_events
  start: "2026-11-01"
  delay_seconds: 3600
  connection: warehouse
  schema: {schema}
"""
CHECKS = {"row_count", "schema", "schema_drift", "keys", "values"}
# The clock of the device is two minutes behind, and event_time is not adjusted.
BREAKS_THE_RULE = event(
    1,
    uuid="broken",
    client_upload_time="2026-10-31 23:59:00.000000",
    sample_rate=0.25,
    event_properties={"price": 12.5},
    adid="a",
)


@pytest.fixture
def api() -> Iterator[Amplitude]:
    played = Amplitude()
    yield played
    played.server.shutdown()
    played.server.server_close()


@pytest.fixture
def definitions(
    tmp_path: Path,
    s3_server: seaweedfs.Server,
    bucket: str,
    postgres_server: Server,
    postgres_schema: str,
    api: Amplitude,
    monkeypatch: pytest.MonkeyPatch,
) -> dg.Definitions:
    variables = {
        "TEST_S3_ENDPOINT": s3_server.endpoint,
        "TEST_S3_KEY_ID": s3_server.admin.access_key_id,
        "TEST_S3_SECRET": s3_server.admin.secret_access_key,
        "TEST_LAKE": str(tmp_path),
        "TEST_AMPLITUDE": str(tmp_path / "amplitude"),
        "TEST_API": api.endpoint,
        "TEST_API_KEY": "key",
        "TEST_SECRET_KEY": "secret",
        "TEST_PASSWORD": postgres_server.exporter.password,
        "TEST_PORT": str(postgres_server.port),
        "TEST_ROOT": str(postgres_server.root_certificate),
    }
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    exports = [
        ("events_s3", "archives", "amplitude_events", "every 6 hours", "parquet"),
        ("lines_s3", "archives", "amplitude_events", "hour", "jsonlines"),
        ("merged_s3", "archives", "amplitude_merged_ids", "day", "parquet"),
        ("api_s3", "api", "amplitude_events", "every 5 minutes", "parquet"),
    ]
    written = "".join(
        TO_S3.format(name=name, source=source, model=model, interval=interval,
                     file_format=file_format, bucket=bucket)
        for name, source, model, interval, file_format in exports
    )  # fmt: skip
    text = PLACES + written + TO_POSTGRES.format(schema=postgres_schema)
    return load(tmp_path / "defs", {"a/defs.yaml": text}, monkeypatch)


def run(definitions: dg.Definitions, export: str, key: str) -> dict[str, dg.AssetCheckEvaluation]:
    """The checks of a partition after its delivery."""
    job = definitions.resolve_job_def(f"{export}_job")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(partition_key=key, instance=instance)
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


def rows(sql: str) -> list[dict[str, Any]]:
    with duckdb.connect() as reader:
        reader.sql("SET TimeZone = 'UTC'")
        table: list[dict[str, Any]] = reader.sql(sql).to_arrow_table().to_pylist()
    return table


def test_the_sample_to_s3(
    definitions: dg.Definitions, tmp_path: Path, s3_server: seaweedfs.Server, bucket: str
) -> None:
    lake.lay_archives(tmp_path / "amplitude")
    (tmp_path / "amplitude" / "187520_2026-11-04_0_complete").touch()
    for export, key, expected in (
        ("events_s3", "2026-11-02-18:00", {*CHECKS, "event_time"}),
        ("merged_s3", "2026-11-02", CHECKS),
    ):
        checks = run(definitions, export, key)
        assert set(checks) == expected
        assert [check.description for check in checks.values() if not check.passed] == []
    landed = download(s3_server, bucket, tmp_path / "landed")
    (found,) = rows(
        "SELECT count(*) AS events, count(DISTINCT e.amplitude_id) AS ids, "
        "count(DISTINCT coalesce(m.merged_amplitude_id, e.amplitude_id)) AS people, "
        "count(m.amplitude_id) AS of_merged, max(length(event_properties)) > 100 AS told "
        f"FROM '{landed}/events_s3/*.parquet' e LEFT JOIN '{landed}/merged_s3/*.parquet' m "
        "USING (amplitude_id)"
    )
    assert found["told"]
    assert found["events"] == 2_911
    assert found["of_merged"] == 65
    assert found["people"] < found["ids"]


def test_to_postgres_with_a_row_that_breaks_the_rule(
    definitions: dg.Definitions, tmp_path: Path, postgres_server: Server, postgres_schema: str
) -> None:
    put(tmp_path)
    checks = run(definitions, "amplitude_table", "2026-11-01-00:00")
    assert all(checks[check].passed for check in CHECKS)
    warning = checks["event_time"]
    assert not warning.passed
    assert warning.severity is dg.AssetCheckSeverity.WARN
    assert warning.description == "Rows that break the rule: 1 of 2, such as broken."
    assert warning.metadata["broken_rows"].value == 1
    table = f'"{postgres_schema}".amplitude_events'
    with postgres_server.connect() as connection:
        found = connection.cursor(row_factory=dict_row).execute(
            f"SELECT * FROM {table} WHERE uuid = 'broken'"
        )
        row = found.fetchone()
    assert row
    assert len(row) == 46
    assert row["sample_rate"] == Decimal("0.250000000")
    assert row["event_properties"] == {"price": 12.5}
    assert row["adid"] == "a"


def test_decimals_to_json_lines(
    definitions: dg.Definitions, tmp_path: Path, s3_server: seaweedfs.Server, bucket: str
) -> None:
    put(tmp_path)
    checks = run(definitions, "lines_s3", "2026-11-01-00:00")
    assert all(checks[check].passed for check in CHECKS)
    (path,) = download(s3_server, bucket, tmp_path / "landed").glob("lines_s3/*.jsonl")
    lines = [json.loads(line, parse_float=Decimal) for line in path.read_text().splitlines()]
    (row,) = (line for line in lines if line["uuid"] == "broken")
    assert row["sample_rate"] == Decimal("0.25")
    assert '"event_properties":{"price": 12.5}' in path.read_text()


def test_five_minutes_of_the_api(
    definitions: dg.Definitions, tmp_path: Path, s3_server: seaweedfs.Server, bucket: str
) -> None:
    checks = run(definitions, "api_s3", "2026-11-01-01:30")
    assert [check.description for check in checks.values() if not check.passed] == []
    landed = download(s3_server, bucket, tmp_path / "landed")
    (row,) = rows(f"SELECT uuid FROM '{landed}/api_s3/*.parquet'")
    assert row["uuid"] == "00090.0"


@pytest.mark.parametrize(
    ("export", "words"),
    [
        (
            "events_s3",
            ["1 archives of amplitude_events, the newest of 2026-11-01 00 h UTC", "rows"],
        ),
        ("api_s3", ["answers", "the keys are taken; yesterday's hour has no events"]),
    ],
)
def test_sources_are_tried(
    definitions: dg.Definitions, tmp_path: Path, export: str, words: list[str]
) -> None:
    put(tmp_path)
    done = CliRunner().invoke(main, ["test", export])
    assert done.exit_code == 0, done.output
    assert all(word in done.output for word in words)
    assert "secret" not in done.output


def put(folder: Path) -> None:
    (folder / "amplitude").mkdir()
    (folder / "amplitude" / name(0)).write_bytes(packed([BREAKS_THE_RULE, event(2)]))
