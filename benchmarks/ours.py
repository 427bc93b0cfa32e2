"""Our exports of the benchmark's lake to the benchmark's S3 server."""

import os
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.stopwatch import Lap, stopwatch

START, END = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)

DEFS = """\
type: batch_exports.S3Connection
attributes:
  name: s3
  region: us-east-1
  endpoint_url: "{{{{ env.BENCH_S3_ENDPOINT }}}}"
  allow_http: true
  aws_access_key_id: {{env: BENCH_S3_KEY}}
  aws_secret_access_key: {{env: BENCH_S3_SECRET}}
---
type: batch_exports.LakeSource
attributes:
  name: lake
  path: "{lake}"
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
_COMPRESSIONS = {"parquet": "zstd", "jsonlines": "gzip"}


def run(lake: Path, file_format: str) -> Lap:
    """One Dagster run with all checks; raises where one does not pass."""
    import dagster as dg

    from batch_exports.definitions import load_definitions

    _use_definitions(lake, file_format)
    job = load_definitions().resolve_job_def("bench_job")
    with dg.DagsterInstance.ephemeral() as instance, stopwatch() as lap:
        result = job.execute_in_process(partition_key="2026-11-01", instance=instance)
    for check in result.get_asset_check_evaluations():
        if not check.passed and check.severity is dg.AssetCheckSeverity.ERROR:
            raise RuntimeError(f"{check.check_name}: {check.description}")
    return lap


def pipeline(lake: Path, file_format: str) -> Lap:
    """Source, transforms and destination alone."""
    import dagster as dg

    from batch_exports.components.s3_batch_export import S3BatchExport
    from batch_exports.definitions import component_tree, load_definitions
    from batch_exports.interval import DataInterval
    from batch_exports.memory import return_freed_memory

    _use_definitions(lake, file_format)
    tree = component_tree()
    resources = load_definitions(tree).resources or {}
    export = tree.get_all_components(S3BatchExport)[0].export()
    return_freed_memory()
    with ExitStack() as stack:
        built = stack.enter_context(
            dg.build_resources({name: resources[name] for name in export.resources})
        )
        destination, source = export.destination(built), export.reader(built)
        interval = DataInterval(START, END)
        with stopwatch() as lap, source.read(export.selection, interval) as batches:
            destination.write(batches, interval, "bench")
    return lap


def _use_definitions(lake: Path, file_format: str) -> None:
    folder = lake.parent / f"defs-{file_format}"
    folder.mkdir(exist_ok=True)
    text = DEFS.format(lake=lake, file_format=file_format, compression=_COMPRESSIONS[file_format])
    (folder / "defs.yaml").write_text(text)
    os.environ["BATCH_EXPORTS_DEFS"] = str(folder)
