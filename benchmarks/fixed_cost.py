"""What a run costs that has next to nothing to deliver, and how many such runs go in a minute.

Through Dagster's daemon, as in production, beside an asset that does nothing.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import dagster as dg

from batch_exports.backfills.dagster_backfill import Asked, launch
from batch_exports.local.generator import write_lake
from batch_exports.memory import return_freed_memory
from benchmarks.daemon import ROOT, Dagster, Ended, dagster
from benchmarks.empty_asset import PARTITIONS
from benchmarks.ours.definition import definitions_folder
from benchmarks.servers import Servers, clear_prefix, serving
from benchmarks.task import Task

_START = datetime(2024, 1, 1, tzinfo=UTC)
_INTERVAL = timedelta(minutes=5)
_EXPORT = """\
type: batch_exports.S3BatchExport
attributes:
  name: bench
  source: rows
  model: events
  interval: every 5 minutes
  start: "2024-01-01"
  end: "2024-01-05"
  status: stopped
  connection: s3
  bucket_name: bench
  key_prefix: "fixed-cost/"
"""
_OURS, _EMPTY = dg.AssetKey(["s3", "bench"]), dg.AssetKey("empty")
_RUN_SECONDS = 60.0


def measure(folder: Path, *, runs: int, intervals: int) -> dict[str, Any]:
    """Seconds and CPU seconds of a run with one row, by median of `runs` that go one at a time; and
    runs a minute of a backfill of as many `intervals`, a run each and all in one run."""
    keys = list(PARTITIONS.get_partition_keys())[: max(intervals, runs + 1)]
    lake = _lay(folder, len(keys))
    with serving(folder / "servers", frozenset({"s3"})) as servers:
        clear_prefix(servers, "fixed-cost/")
        alone = _one_at_a_time(folder, lake, servers, keys[: runs + 1])
        many = _at_once(folder, lake, servers, keys[:intervals])
    return {"runs": alone, "backfills": many}


def _one_at_a_time(
    folder: Path, lake: Path, servers: Servers, keys: Sequence[str]
) -> dict[str, dict[str, float]]:
    """The first run of each warms what caches there are, and does not count."""
    settings = _settings().replace("max_concurrent_runs: 4", "max_concurrent_runs: 1")
    told = {}
    with _fresh(folder, lake, servers, settings) as dagster_:
        ended = 0
        for name, asset in (("Dagster's own, of an empty asset", _EMPTY), ("an export's", _OURS)):
            _launch(dagster_, asset, [[keys[0]]])
            ended += 1
            dagster_.await_runs(ended, _RUN_SECONDS * 3)
            cpu = dagster_.cpu()
            _launch(dagster_, asset, [[key] for key in keys[1:]])
            ended += len(keys) - 1
            found = dagster_.await_runs(ended, _RUN_SECONDS * len(keys))[: len(keys) - 1]
            told[name] = {
                "seconds": median(one.seconds for one in found),
                "cpu": (dagster_.cpu() - cpu) / len(found),
            }
    own, ours = told.values()
    told["beyond Dagster's own"] = {name: ours[name] - own[name] for name in own}
    return told


def _at_once(
    folder: Path, lake: Path, servers: Servers, keys: Sequence[str]
) -> dict[str, dict[str, float]]:
    ways: Mapping[str, Callable[[], list[list[str]]]] = {
        "a run each, as many at once as dagster.yaml allows": lambda: [[key] for key in keys],
        "all in one run": lambda: [list(keys)],
    }
    told = {}
    for name, runs in ways.items():
        with _fresh(folder, lake, servers, _settings()) as dagster_:
            asked = runs()
            _launch(dagster_, _OURS, asked)
            found = dagster_.await_runs(len(asked), _RUN_SECONDS + 15 * len(keys))
            told[name] = {
                "intervals": len(keys),
                "a_minute": 60 * len(keys) / _elapsed(found),
            }
    return told


def _elapsed(runs: Sequence[Ended]) -> float:
    """From the launch of the first to the end of the last."""
    return max(run.ended for run in runs) - min(run.launched for run in runs)


def _launch(dagster_: Dagster, asset: dg.AssetKey, runs: Sequence[Sequence[str]]) -> None:
    # Backfills, so that the daemon starts them: what is measured begins with a run's process.
    tags = {"dagster/priority": "-10"}
    launch(dagster_.instance, Asked(asset, PARTITIONS, runs, "fixed cost", tags))


@contextmanager
def _fresh(folder: Path, lake: Path, servers: Servers, settings: str) -> Iterator[Dagster]:
    home = folder / "home"
    shutil.rmtree(home, ignore_errors=True)
    (folder / "fixed-cost").mkdir(exist_ok=True)
    task = Task("s3-parquet", lake, folder / "fixed-cost", "fixed-cost/", servers.s3)
    environment = definitions_folder(task, export=_EXPORT)
    with dagster(home, settings, environment) as started:
        yield started
    return_freed_memory()


def _settings() -> str:
    return (ROOT / "dagster.yaml").read_text()


def _lay(folder: Path, intervals: int) -> Path:
    """A row in each interval."""
    lake = folder / f"intervals-{intervals}"
    if not lake.exists():
        end = _START + intervals * _INTERVAL
        write_lake(lake, intervals, start=_START, end=end, hostile_share=0)
    return lake
