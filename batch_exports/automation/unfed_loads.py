"""Loads whose files are not there yet: their runs would only fail."""

from collections.abc import Collection, Sequence

import dagster as dg

from batch_exports.export import Export


def unfed(
    instance: dg.DagsterInstance,
    repository: dg.RepositoryDefinition | None,
    load: Export,
    keys: Sequence[str],
    *,
    under_way: bool = False,
) -> Collection[str]:
    """The keys of intervals for which the export that is loaded has not delivered a part; with
    `under_way`, and has no run of it either. None of an export that loads nothing.

    After a standstill schedules ask for the newest interval alone, and the parts of a load's are
    gaps themselves.
    """
    if load.loads_from is None or repository is None or not keys:
        return ()
    loaded = repository.asset_graph.get(load.loads_from).partitions_def
    assert isinstance(loaded, dg.TimeWindowPartitionsDefinition)
    parts = {
        key: loaded.get_partition_keys_in_time_window(
            load.partitions.time_window_for_partition_key(key)
        )
        for key in keys
    }
    wanted = sorted({part for each in parts.values() for part in each})
    status = instance.get_status_by_partition(load.loads_from, wanted, loaded) or {}
    enough = {dg.AssetPartitionStatus.MATERIALIZED}
    if under_way:
        enough.add(dg.AssetPartitionStatus.IN_PROGRESS)
    return {
        key for key, each in parts.items() if any(status.get(part) not in enough for part in each)
    }
