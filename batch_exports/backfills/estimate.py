"""What a backfill will take, before it is launched."""

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from batch_exports.backfills.history import History
from batch_exports.errors import BatchExportError
from batch_exports.export import Export
from batch_exports.sources.counting import CountingSource
from batch_exports.sources.source import Source

_MOST_COUNTED = 24
_BACKFILL_TAG = "dagster/backfill"


@dataclass(frozen=True)
class Rows:
    """How many there are, and in words where that is known from. None where nothing tells."""

    number: int | None
    told_by: str


@dataclass(frozen=True)
class Estimate:
    """Each is None where nothing tells it. `at_once` runs are in progress together at the most."""

    rows: Rows
    bytes: int | None
    files: int | None
    minutes: float | None
    at_once: int


def count_rows(export: Export, source: Source, keys: Sequence[str], past: History) -> Rows:
    """By one query where the source can, else by a sample of the partitions; by past deliveries
    where it cannot be asked."""
    if not keys:
        return Rows(0, "nothing is to be delivered")
    intervals = [export.interval(key) for key in keys]
    try:
        if (why := source.describe(export.selection, intervals[0]).uncounted) is not None:
            return _as_before(len(keys), past, why)
        if isinstance(source, CountingSource):
            return Rows(sum(source.counts(export.selection, intervals)), "counted at the source")
        sample = intervals[:: -(-len(intervals) // _MOST_COUNTED)]
        counted = sum(source.count(export.selection, interval) for interval in sample)
    except BatchExportError as error:
        return _as_before(len(keys), past, error.message)
    if len(sample) == len(intervals):
        return Rows(counted, "counted at the source")
    return Rows(
        round(counted * len(intervals) / len(sample)),
        f"counted in {len(sample)} of the {len(intervals)} partitions",
    )


def estimate(
    rows: Rows, past: History, *, partitions: int, runs: int, instance: dg.DagsterInstance
) -> Estimate:
    """By what past deliveries took for each row, each partition and each run."""
    at_once = _at_once(instance)
    together = max(1, min(at_once, runs))
    if not past.deliveries:
        return Estimate(rows, None, None, None, together)
    share = partitions / past.deliveries
    if rows.number is not None and past.rows:
        share = rows.number / past.rows
    begin = past.other_seconds / past.runs * runs if past.runs else 0.0
    return Estimate(
        rows,
        round(past.bytes * share),
        None if past.files is None else round(past.files / past.deliveries * partitions),
        (past.seconds * share + begin) / together / 60,
        together,
    )


def _as_before(partitions: int, past: History, why: str) -> Rows:
    if not past.deliveries:
        return Rows(None, why)
    number = round(past.rows / past.deliveries * partitions)
    return Rows(number, f"as in the last {past.deliveries} deliveries: {why}")


def _at_once(instance: dg.DagsterInstance) -> int:
    """How many runs of backfills the instance has in progress together. A connection's pool may
    allow fewer."""
    config = instance.get_concurrency_config().run_queue_config
    if config is None:
        return 1
    limits = [
        int(limit["limit"])
        for limit in config.tag_concurrency_limits or []
        if limit.get("key") == _BACKFILL_TAG and "value" not in limit
    ]
    if config.max_concurrent_runs > 0:
        limits.append(config.max_concurrent_runs)
    return min(limits, default=1)
