"""Our exports of the benchmark's lake to the benchmark's servers."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.stopwatch import Lap, stopwatch

START, END = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)

_LAKE = """\
type: batch_exports.LakeSource
attributes:
  name: lake
  path: "{lake}"
"""
_S3 = """\
---
type: batch_exports.S3Connection
attributes:
  name: s3
  region: us-east-1
  endpoint_url: "{{{{ env.BENCH_S3_ENDPOINT }}}}"
  allow_http: true
  aws_access_key_id: {{env: BENCH_S3_KEY}}
  aws_secret_access_key: {{env: BENCH_S3_SECRET}}
---
type: batch_exports.S3BatchExport
attributes:
  name: bench
  source: lake
  model: events
  interval: day
  start: "2026-11-01"
  end: "2026-11-02"
  connection: s3
  bucket_name: bench
  key_prefix: "{file_format}/"
  file_format: {file_format}
  compression: {compression}
"""
_POSTGRES = """\
---
type: batch_exports.PostgresConnection
attributes:
  name: postgres
  host: "{{{{ env.BENCH_POSTGRES_HOST }}}}"
  port: "{{{{ env.BENCH_POSTGRES_PORT }}}}"
  database: "{{{{ env.BENCH_POSTGRES_DATABASE }}}}"
  user: "{{{{ env.BENCH_POSTGRES_USER }}}}"
  password: {{env: BENCH_POSTGRES_PASSWORD}}
  ssl_root_cert: "{{{{ env.BENCH_POSTGRES_ROOT_CERT }}}}"
---
type: batch_exports.PostgresBatchExport
attributes:
  name: bench
  source: lake
  model: {model}
  interval: day
  start: "2026-11-01"
  end: "2026-11-02"
  connection: postgres
  schema: bench
  table: {model}
  parallelism: {parallelism}
"""
COMPRESSIONS = {"parquet": "zstd", "jsonlines": "gzip"}


def run(lake: Path, **settings: Any) -> Lap:
    """One Dagster run with all checks; raises where one does not pass."""
    import dagster as dg

    from batch_exports.definitions import load_definitions

    _use_definitions(lake, settings)
    job = load_definitions().resolve_job_def("bench_job")
    with dg.DagsterInstance.ephemeral() as instance, stopwatch() as lap:
        result = job.execute_in_process(partition_key="2026-11-01", instance=instance)
    for check in result.get_asset_check_evaluations():
        if not check.passed and check.severity is dg.AssetCheckSeverity.ERROR:
            raise RuntimeError(f"{check.check_name}: {check.description}")
    return lap


def pipeline(lake: Path, **settings: Any) -> Lap:
    """Source, transforms and destination alone."""
    from batch_exports.interval import DataInterval

    interval = DataInterval(START, END)
    with (
        export(lake, **settings) as (selection, source, destination),
        stopwatch() as lap,
        source.read(selection, interval) as batches,
    ):
        destination.write(batches, interval, "bench")
    return lap


@contextmanager
def export(lake: Path, **settings: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Selection, source and destination of the export."""
    import dagster as dg

    from batch_exports.components.batch_export import BatchExport
    from batch_exports.definitions import component_tree, load_definitions
    from batch_exports.memory import return_freed_memory

    _use_definitions(lake, settings)
    tree = component_tree()
    resources = load_definitions(tree).resources or {}
    [component] = tree.get_all_components(BatchExport)  # type: ignore[type-abstract]
    found = component.export()
    return_freed_memory()
    with ExitStack() as stack:
        built = stack.enter_context(
            dg.build_resources({name: resources[name] for name in found.resources})
        )
        yield found.selection, found.reader(built), found.destination(built)


def _use_definitions(lake: Path, settings: dict[str, Any]) -> None:
    template = _S3 if "file_format" in settings else _POSTGRES
    folder = lake.parent / f"defs-{'-'.join(map(str, settings.values()))}"
    folder.mkdir(exist_ok=True)
    text = (_LAKE + template).format(lake=lake, **settings)
    (folder / "defs.yaml").write_text(text)
    os.environ["BATCH_EXPORTS_DEFS"] = str(folder)
