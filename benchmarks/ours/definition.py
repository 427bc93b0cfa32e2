"""The YAML of each hop's export, and the export that is loaded from it."""

import os
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Any

from batch_exports.local.redshift.roles import ROLE_ARN
from benchmarks.task import BUCKET, SCHEMA, Task

NAME = "bench"
_LAKE = """\
type: batch_exports.LakeSource
attributes:
  name: rows
  path: "{lake}"
---
"""
_S3 = """\
type: batch_exports.S3Connection
attributes:
  name: s3
  region: us-east-1
  endpoint_url: "{{{{ env.BENCH_S3_ENDPOINT }}}}"
  allow_http: true
  aws_access_key_id: {{env: BENCH_S3_KEY}}
  aws_secret_access_key: {{env: BENCH_S3_SECRET}}
---
"""
_DATABASE = """\
type: batch_exports.{kind}Connection
attributes:
  name: database
  host: "{{{{ env.BENCH_HOST }}}}"
  port: "{{{{ env.BENCH_PORT }}}}"
  database: "{{{{ env.BENCH_DATABASE }}}}"
  user: "{{{{ env.BENCH_USER }}}}"
  password: {{env: BENCH_PASSWORD}}
  ssl_root_cert: "{{{{ env.BENCH_ROOT_CERT }}}}"
---
"""
_CLICKHOUSE = """\
type: batch_exports.ClickHouseConnection
attributes:
  name: clickhouse
  host: localhost
  port: "{{{{ env.BENCH_CLICKHOUSE_PORT }}}}"
  local: true
  user: "{{{{ env.BENCH_CLICKHOUSE_USER }}}}"
  password: {{env: BENCH_CLICKHOUSE_PASSWORD}}
  database: {database}
---
type: batch_exports.ClickHouseSource
attributes:
  name: rows
  connection: clickhouse
  team_id: 1
---
"""
_POSTGRES_SOURCE = """\
type: batch_exports.PostgresSource
attributes:
  name: rows
  connection: database
  schema: {schema}
---
"""
_EXPORT = """\
type: batch_exports.{kind}BatchExport
attributes:
  name: bench
  source: rows
  model: {model}
  interval: {interval}
  start: "2026-11-01"
  end: "2026-11-02"
"""
_FILES = """\
  connection: s3
  bucket_name: {bucket}
  key_prefix: "{prefix}"
  file_format: {file_format}
  compression: {compression}
"""
_TABLE = """\
  connection: database
  schema: {schema}
  table: {model}
"""
_STAGE = """\
  stage: {{connection: s3, bucket_name: {bucket}, key_prefix: "{prefix}"}}
  authorization: {{role_arn: "{role}"}}
"""


def partitions(task: Task) -> list[str]:
    """What the export delivers, in order; the last one is what is measured."""
    if task.hop == "persons":
        return ["2026-11-01-00:00", "2026-11-01-12:00"]
    return ["2026-11-01"] * (2 if task.hop == "postgres-rerun" else 1)


def yaml(task: Task, settings: str = "") -> str:
    """All that the hop's export needs; `settings` are lines more of it."""
    file_format, compression = (
        ("jsonlines", "gzip") if "jsonlines" in task.hop else ("parquet", "zstd")
    )
    values = {
        "lake": task.lake,
        "bucket": BUCKET,
        "prefix": task.prefix,
        "schema": SCHEMA,
        "role": ROLE_ARN,
        "file_format": file_format,
        "compression": compression,
        "model": "persons" if task.hop == "persons" else "events",
        "interval": "every 12 hours" if task.hop == "persons" else "day",
        "database": task.clickhouse.database if task.clickhouse else "",
    }
    match task.hop:
        case "s3-parquet" | "s3-jsonlines":
            text, kind = _LAKE + _S3 + _EXPORT + _FILES, "S3"
        case "postgres-to-s3":
            text, kind = _DATABASE + _POSTGRES_SOURCE + _S3 + _EXPORT + _FILES, "S3"
            text = text.replace("{kind}Connection", "PostgresConnection")
        case "clickhouse-to-s3":
            text, kind = _CLICKHOUSE + _S3 + _EXPORT + _FILES, "S3"
        case "redshift-copy":
            text, kind = _LAKE + _S3 + _DATABASE + _EXPORT + _TABLE + _STAGE, "Redshift"
        case "redshift-insert":
            text, kind = _LAKE + _DATABASE + _EXPORT + _TABLE + "  mode: INSERT\n", "Redshift"
        case _:
            text, kind = _LAKE + _DATABASE + _EXPORT + _TABLE, "Postgres"
    return text.format(kind=kind, **values) + settings


@contextmanager
def export(task: Task, settings: str = "") -> Generator[tuple[Any, Any, Any], None, None]:
    """Selection, source and destination of the export, without a run."""
    import dagster as dg

    from batch_exports.components.batch_export import BatchExport
    from batch_exports.definitions import component_tree, load_definitions
    from batch_exports.memory import return_freed_memory

    use(task, settings)
    tree = component_tree()
    resources = {
        name: resource
        for name, resource in (load_definitions(tree).resources or {}).items()
        if not name.endswith("io_manager")
    }
    [component] = tree.get_all_components(BatchExport)  # type: ignore[type-abstract]
    found = component.export()
    return_freed_memory()
    with ExitStack() as stack:
        built = stack.enter_context(dg.build_resources(resources))
        yield found.selection, found.reader(built), found.destination(built)


def use(task: Task, settings: str = "") -> None:
    """Write the YAML, and set what it reads of the environment."""
    os.environ |= _written(task, yaml(task, settings))


def definitions_folder(task: Task, export: str) -> dict[str, str]:
    """Write an export of the lake to S3, and give the variables of the environment that tell where
    it is and what it reads."""
    text = (_LAKE + _S3).format(lake=task.lake) + export
    return _written(task, text)


def _written(task: Task, text: str) -> dict[str, str]:
    folder = task.folder / "defs"
    folder.mkdir(exist_ok=True)
    (folder / "defs.yaml").write_text(text)
    variables = {"BATCH_EXPORTS_DEFS": str(folder)}
    if task.s3:
        variables |= {
            "BENCH_S3_ENDPOINT": task.s3.endpoint,
            "BENCH_S3_KEY": task.s3.key_id,
            "BENCH_S3_SECRET": task.s3.secret,
        }
    if database := task.redshift or task.postgres:
        variables |= {
            "BENCH_HOST": database.host,
            "BENCH_PORT": str(database.port),
            "BENCH_DATABASE": database.name,
            "BENCH_USER": database.user,
            "BENCH_PASSWORD": database.password,
            "BENCH_ROOT_CERT": database.root_certificate,
        }
    if task.clickhouse:
        variables |= {
            "BENCH_CLICKHOUSE_PORT": str(task.clickhouse.port),
            "BENCH_CLICKHOUSE_USER": task.clickhouse.user,
            "BENCH_CLICKHOUSE_PASSWORD": task.clickhouse.password,
        }
    return variables
