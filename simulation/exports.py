"""The exports of the simulated deployment, as YAML, and what its deployments change of them."""

from pathlib import Path

from simulation.parts import BUCKET, Parts

START = "2025-01-01"
FIRST_MONDAY = "2025-01-06"

_CONNECTIONS = """\
type: batch_exports.S3Connection
attributes:
  name: archive
  region: us-east-1
  endpoint_url: "{{ env.S3_ENDPOINT }}"
  allow_http: true
  aws_access_key_id: {env: S3_KEY_ID}
  aws_secret_access_key: {env: S3_SECRET}
---
type: batch_exports.PostgresConnection
attributes:
  name: app
  host: 127.0.0.1
  port: "{{ env.APP_PORT }}"
  database: analytics
  user: exporter
  password: {env: APP_PASSWORD}
  ssl_root_cert: "{{ env.APP_ROOT_CERT }}"
---
type: batch_exports.PostgresConnection
attributes:
  name: warehouse
  host: 127.0.0.1
  port: "{{ env.WAREHOUSE_PORT }}"
  database: analytics
  user: exporter
  password: {env: WAREHOUSE_PASSWORD}
  ssl_root_cert: "{{ env.WAREHOUSE_ROOT_CERT }}"
---
type: batch_exports.PostgresSource
attributes: {name: app_db, connection: app}
---
type: batch_exports.LakeSource
attributes: {name: lake, path: "{{ env.LAKE }}"}
---
type: batch_exports.Alerts
attributes:
  name: oncall
  webhook: {url: "{{ env.HOOK }}"}
"""
_EXPORTS = f"""\
type: batch_exports.S3BatchExport
attributes:
  name: events_archive
  source: app_db
  model: events
  interval: day
  start: "{START}"
  connection: archive
  bucket_name: {BUCKET}
  key_prefix: "archive/{{year}}/{{month}}/"
  lookback: 7 days
  late_data_every: 6 hours
---
type: batch_exports.PostgresBatchExport
attributes:
  name: events_table
  source: app_db
  model: events
  interval: day
  start: "{START}"
  columns: [uuid, event, distinct_id, properties, timestamp, _inserted_at]
  connection: warehouse
  schema: exports
  table: events
  lookback: 7 days
  late_data_every: 6 hours
---
type: batch_exports.PostgresBatchExport
attributes:
  name: persons_table
  source: app_db
  model: persons
  interval: day
  start: "{START}"
  connection: warehouse
  schema: exports
  table: persons
---
type: batch_exports.S3BatchExport
attributes:
  name: berlin_days
  source: app_db
  model: events
  interval: day
  offset: "02:30"
  timezone: Europe/Berlin
  start: "{START}T02:30"
  connection: archive
  bucket_name: {BUCKET}
  key_prefix: "berlin/"
  no_run_windows:
    - {{from: "02:00", to: "04:00"}}
  lookback: 8 days
  late_data_every: 6 hours
---
type: batch_exports.S3BatchExport
attributes:
  name: purchases_weekly
  source: lake
  model: events
  include_events: [purchase]
  interval: week
  week_starts_on: monday
  start: "{FIRST_MONDAY}"
  delay_seconds: 3600
  connection: archive
  bucket_name: {BUCKET}
  key_prefix: "purchases/"
  file_format: jsonlines
  compression: gzip
---
type: batch_exports.PostgresBatchExport
attributes:
  name: weeks_loaded
  load_from: events_archive
  interval: week
  week_starts_on: monday
  start: "{FIRST_MONDAY}"
  delay_seconds: 7200
  connection: warehouse
  schema: exports
  table: weeks
"""
_SOAKED = f"""\
type: batch_exports.S3BatchExport
attributes:
  name: fine_archive
  source: app_db
  model: events
  interval: every 5 minutes
  start: "{START}"
  connection: archive
  bucket_name: {BUCKET}
---
type: batch_exports.PostgresBatchExport
attributes:
  name: hours_table
  source: app_db
  model: events
  interval: hour
  start: "{START}"
  connection: warehouse
  schema: exports
"""
_IDENTIFIES = """\
---
type: batch_exports.S3BatchExport
attributes:
  name: identifies_weekly
  source: app_db
  model: events
  include_events: [$identify]
  interval: week
  week_starts_on: monday
  start: "{start}"
  connection: archive
  bucket_name: exports
  key_prefix: "identifies/"
"""


def write(folder: Path, *, version: int, new_from: str) -> None:
    """The YAML of a deployment: 1, the first; 2 has an export more, which begins with the day
    `new_from`, and one of another column and another delay; 3 has one of other codecs and limits.
    """
    text = _CONNECTIONS + "---\n" + _EXPORTS
    if version >= 2:
        text += _IDENTIFIES.format(start=new_from)
        text = text.replace("properties, timestamp, _ins", "properties, ip, timestamp, _ins")
        text = text.replace("table: events\n", "table: events\n  on_missing_column: add\n")
        text = text.replace("  table: persons\n", "  table: persons\n  delay_seconds: 10800\n")
    if version >= 3:
        text = text.replace("compression: gzip", "compression: zstd")
        text = text.replace("lookback: 8 days", "lookback: 8 days\n  max_file_size_mib: 100")
        text = text.replace("  name: oncall\n", '  name: oncall\n  digest: "06:00"\n')
    _write(folder, text)


def write_soaked(folder: Path) -> None:
    """One of five minutes, and one of hours."""
    _write(folder, _CONNECTIONS + "---\n" + _SOAKED)


def touch(folder: Path) -> None:
    """What the YAML names has changed: it is to be loaded again."""
    (folder / "exports" / "defs.yaml").touch()


def _write(folder: Path, text: str) -> None:
    path = folder / "exports" / "defs.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def environment(parts: Parts, defs: Path, lake: Path) -> dict[str, str]:
    """What the YAML names."""
    return {
        "BATCH_EXPORTS_DEFS": str(defs),
        "S3_ENDPOINT": parts.s3.endpoint,
        "S3_KEY_ID": parts.s3.admin.access_key_id,
        "S3_SECRET": parts.s3.admin.secret_access_key,
        "APP_PORT": str(parts.app.port),
        "APP_PASSWORD": parts.app.exporter.password,
        "APP_ROOT_CERT": str(parts.app.root_certificate),
        "WAREHOUSE_PORT": str(parts.warehouse.port),
        "WAREHOUSE_PASSWORD": parts.warehouse.exporter.password,
        "WAREHOUSE_ROOT_CERT": str(parts.warehouse.root_certificate),
        "LAKE": str(lake),
        "HOOK": parts.receiver.address,
    }
