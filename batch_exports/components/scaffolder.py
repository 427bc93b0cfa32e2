"""What `dg scaffold defs batch_exports.S3BatchExport my_export` writes."""

from typing import ClassVar

import dagster as dg

_S3 = """\
# An export: one model, from one source, to one bucket, one partition a data interval.
# The three documents may stand in files of their own; they refer to one another by name.

type: batch_exports.S3Connection
attributes:
  name: {name}_s3
  region: us-east-1
  # endpoint_url: https://minio.example.com:9000   # MinIO, R2, GCS; leave out for Amazon S3
  # Without keys, AWS's default chain is used. Secrets stand in the environment only:
  # aws_access_key_id: {{env: {upper}_ACCESS_KEY_ID}}
  # aws_secret_access_key: {{env: {upper}_SECRET_ACCESS_KEY}}
  # role_arn: arn:aws:iam::123456789012:role/exports
---
type: batch_exports.LakeSource
attributes:
  name: {name}_lake
  path: s3://my-lake/            # or a local folder; read as <path>/<model>/**
  connection: {name}_s3
---
type: batch_exports.S3BatchExport
attributes:
  name: {name}
  source: {name}_lake
  model: events
  interval: hour                 # day, week, every N minutes, every N hours, {{cron: "..."}}
  start: "2026-11-01"            # the first data interval
  status: stopped                # running: the schedule delivers each interval as it ends
  connection: {name}_s3
  bucket_name: my-exports
  key_prefix: "{{table}}/{{year}}/{{month}}/{{day}}/"
  file_format: parquet           # or jsonlines
  compression: zstd
  max_file_size_mib: 100         # 0: one file an interval
  # exclude_events: ["$feature_flag_called"]
  # filters: [{{key: $browser, type: event, operator: exact, value: Chrome}}]
  # columns: [uuid, event, timestamp, properties]
"""


_POSTGRES = """\
# An export: one model, from one source, to one table, one partition a data interval.
# The three documents may stand in files of their own; they refer to one another by name.

type: batch_exports.PostgresConnection
attributes:
  name: {name}_postgres
  host: postgres.example.com
  port: 5432
  database: analytics
  user: batch_exports
  password: {{env: {upper}_PASSWORD}}      # secrets stand in the environment only
  # ssl_root_cert: /etc/ssl/rds.pem       # of an authority that this machine does not trust
---
type: batch_exports.LakeSource
attributes:
  name: {name}_lake
  path: /var/lib/events          # or s3://my-lake/ with a connection; read as <path>/<model>/**
---
type: batch_exports.PostgresBatchExport
attributes:
  name: {name}
  source: {name}_lake
  model: events                  # or persons, sessions
  interval: hour                 # day, week, every N minutes, every N hours, {{cron: "..."}}
  start: "2026-11-01"            # the first data interval
  status: stopped                # running: the schedule delivers each interval as it ends
  connection: {name}_postgres
  schema: exports                # batch-exports setup-sql {name} prints the SQL that makes it
  table: events
  # exclude_events: ["$feature_flag_called"]
  # columns: [uuid, event, timestamp, properties, _inserted_at]
"""

_REDSHIFT = """\
# An export: one model, from one source, to one table, one partition a data interval.
# The four documents may stand in files of their own; they refer to one another by name.

type: batch_exports.RedshiftConnection
attributes:
  name: {name}_redshift
  host: my-cluster.abc123xyz789.us-east-1.redshift.amazonaws.com
  port: 5439
  database: analytics
  user: batch_exports
  password: {{env: {upper}_PASSWORD}}      # secrets stand in the environment only
  # Instead of password, temporary ones of AWS; a serverless workgroup has no user either:
  # iam: {{cluster_identifier: my-cluster}}  # or {{workgroup_name: my-workgroup}}
---
type: batch_exports.S3Connection
attributes:
  name: {name}_s3
  region: us-east-1              # the cluster's own
---
type: batch_exports.LakeSource
attributes:
  name: {name}_lake
  path: /var/lib/events          # or s3://my-lake/ with a connection; read as <path>/<model>/**
---
type: batch_exports.RedshiftBatchExport
attributes:
  name: {name}
  source: {name}_lake
  model: events                  # or persons, sessions
  interval: hour                 # day, week, every N minutes, every N hours, {{cron: "..."}}
  start: "2026-11-01"            # the first data interval
  status: stopped                # running: the schedule delivers each interval as it ends
  connection: {name}_redshift
  schema: exports
  table: events
  mode: COPY                     # INSERT needs neither stage nor authorization, and is slow
  stage: {{connection: {name}_s3, bucket_name: my-stage, key_prefix: redshift/}}
  authorization: {{role_arn: default}}     # or the ARN of another role of the cluster
  semi_structured_type: SUPER    # or VARCHAR(65535)
  # dist_key: distinct_id
  # sort_key: [timestamp]
  # exclude_events: ["$feature_flag_called"]
  # columns: [uuid, event, distinct_id, timestamp, properties]
"""


class _ExportScaffolder(dg.Scaffolder):
    """Writes a commented `defs.yaml` that loads as it is, once its secrets are set."""

    template: ClassVar[str]

    def scaffold(self, request: dg.ScaffoldRequest) -> None:
        name = request.target_path.stem.replace("-", "_")
        text = self.template.format(name=name, upper=name.upper())
        if request.append:
            with request.target_path.open("a") as file:
                file.write(f"---\n{text}")
        else:
            (request.target_path / "defs.yaml").write_text(text)


class S3BatchExportScaffolder(_ExportScaffolder):
    template = _S3


class PostgresBatchExportScaffolder(_ExportScaffolder):
    template = _POSTGRES


class RedshiftBatchExportScaffolder(_ExportScaffolder):
    template = _REDSHIFT
