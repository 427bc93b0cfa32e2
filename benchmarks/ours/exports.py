"""Our exports as contenders: as a Dagster run with all its checks, and as the bare pipeline."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

from batch_exports.interval import DataInterval
from benchmarks.lake import END, NOON, START
from benchmarks.ours.definition import NAME, export, partitions, use
from benchmarks.stopwatch import Lap, stage, stopwatch
from benchmarks.task import Task

_DAY = DataInterval(START, END)
_HALVES = (DataInterval(START, NOON), DataInterval(NOON, END))
_TWICE = "  parallelism: 2\n"


def run(task: Task) -> Lap:
    """The export as its user runs it: one Dagster run, checks included, on an instance on disk."""
    import dagster as dg

    from batch_exports.definitions import load_definitions

    use(task)
    job = load_definitions().resolve_job_def(f"{NAME}_job")
    home = task.folder / "dagster"
    home.mkdir()
    with dg.DagsterInstance.local_temp(str(home), {"telemetry": {"enabled": False}}) as instance:
        *before, measured = partitions(task)
        for key in before:
            job.execute_in_process(partition_key=key, instance=instance)
        with stopwatch() as lap:
            result = job.execute_in_process(partition_key=measured, instance=instance)
        lap.stages |= _stages(result)
    for check in result.get_asset_check_evaluations():
        if not check.passed and check.severity is dg.AssetCheckSeverity.ERROR:
            raise RuntimeError(f"{check.check_name}: {check.description}")
    return _told(task, lap)


def pipeline(task: Task, settings: str = "") -> Lap:
    """Source, transforms and destination alone."""
    with export(task, settings) as (selection, source, destination):
        if task.hop == "persons":
            _deliver(selection, source, destination, _HALVES[0])
        if task.hop == "postgres-rerun":
            _deliver(selection, source, destination, _DAY)
        interval = _HALVES[1] if task.hop == "persons" else _DAY
        with stopwatch() as lap, _copy_apart(task, lap):
            _deliver(selection, source, destination, interval)
    return _told(task, lap)


def _deliver(selection: Any, source: Any, destination: Any, interval: DataInterval) -> None:
    with source.read(selection, interval) as batches:
        destination.write(batches, interval, "bench")


def _told(task: Task, lap: Lap) -> Lap:
    if "s3" not in task.hop:
        lap.table = "persons" if task.hop == "persons" else "events"
    return lap


def _stages(result: Any) -> Mapping[str, float]:
    """Seconds of the run's steps: what delivers, and what checks."""
    import dagster as dg

    seconds: dict[str, float] = {}
    for event in result.all_events:
        if event.event_type is dg.DagsterEventType.STEP_SUCCESS:
            name = "check" if "check" in event.step_key else "deliver"
            seconds[name] = seconds.get(name, 0.0) + event.step_success_data.duration_ms / 1000
    return seconds


@contextmanager
def _copy_apart(task: Task, lap: Lap) -> Generator[None, None, None]:
    """Tell how long staging took, and the statement COPY; what remains is settling the rows."""
    if task.hop != "redshift-copy":
        yield
        return
    from batch_exports.destinations.redshift import copy
    from batch_exports.destinations.redshift.stage_area import StageFolder

    copying, putting = copy.copy_files, StageFolder.put

    def timed_copy(*arguments: Any) -> None:
        with stage(lap, "COPY"):
            copying(*arguments)

    def timed_put(*arguments: Any) -> Any:
        with stage(lap, "read, encode, stage"):
            return putting(*arguments)

    with patch.object(copy, "copy_files", timed_copy), patch.object(StageFolder, "put", timed_put):
        yield


_RUN = "batch_exports, a Dagster run with all checks"
_PIPELINE = "batch_exports, the pipeline alone"
_BOTH: Mapping[str, Callable[[Task], Lap]] = {_RUN: run, _PIPELINE: pipeline}
CAN: Mapping[str, Mapping[str, Callable[[Task], Lap]]] = {
    "s3-parquet": _BOTH,
    "s3-jsonlines": _BOTH,
    "postgres": {
        **_BOTH,
        "batch_exports, the pipeline with two connections": partial(pipeline, settings=_TWICE),
    },
    "postgres-rerun": _BOTH,
    "persons": _BOTH,
    "redshift-copy": _BOTH,
    "redshift-insert": _BOTH,
    "postgres-to-s3": _BOTH,
    "clickhouse-to-s3": _BOTH,
}
