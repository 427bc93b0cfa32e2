"""Which partitions of an export somebody is delivering already, or has asked for."""

from collections.abc import Iterable

import dagster as dg

from batch_exports.backfills.dagster_backfill import ongoing, undelivered
from batch_exports.export import Export

PARTITION = "dagster/partition"
RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
_UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def under_way(instance: dg.DagsterInstance, export: Export) -> dict[str, str]:
    """By partition, what has it: a run that is not finished, or a backfill that is to start one.

    Those of all who start runs: schedules, sensors, the UI, other backfills.
    """
    partitions = export.partitions
    found = {
        key: f"backfill {backfill.backfill_id}"
        for backfill in ongoing(instance)
        for key in undelivered(backfill, export.key, export.job_name)
    }
    runs = instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED))
    for run in runs:
        if delivers(run, export):
            found |= dict.fromkeys(keys_of(run, partitions), f"run {run.run_id[:8]}")
    return found


def delivers(run: dg.DagsterRun, export: Export) -> bool:
    """Whether the export's asset is among those of a run; the export's own job has no other."""
    if run.asset_selection is None:
        return run.job_name == export.job_name
    return export.key in run.asset_selection


def keys_of(run: dg.DagsterRun, partitions: dg.TimeWindowPartitionsDefinition) -> Iterable[str]:
    """The partitions of a run, of one or of a range."""
    if key := run.tags.get(PARTITION):
        return [key]
    first, last = (run.tags.get(tag) for tag in RANGE)
    if first is None or last is None:
        return []
    return partitions.get_partition_keys_in_range(dg.PartitionKeyRange(first, last))
