"""Which intervals have a run, or will have one of a backfill."""

from collections.abc import Sequence

import dagster as dg

from batch_exports.automation.active_backfills import active_backfills
from batch_exports.export import Export


def not_under_way(
    context: dg.SensorEvaluationContext, export: Export, keys: Sequence[str]
) -> tuple[list[str], int]:
    """The intervals that have no run, nor wait for one of a backfill, and how many have one."""
    assert context.repository_def
    backfills = active_backfills(context.instance, context.repository_def)
    found = context.instance.get_status_by_partition(export.key, keys, export.partitions)
    status = found or {}
    running = {key for key in keys if status.get(key) is dg.AssetPartitionStatus.IN_PROGRESS}
    free = [
        key
        for key in keys
        if key not in running and not backfills.hold(export.key, export.job_name, key)
    ]
    return free, len(running)
