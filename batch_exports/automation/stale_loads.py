"""Loads of files that were delivered anew since."""

from collections.abc import Sequence

import dagster as dg

from batch_exports.export import Export


def find_stale(
    instance: dg.DagsterInstance,
    load: Export,
    loaded: dg.TimeWindowPartitionsDefinition,
    keys: Sequence[str],
) -> list[str]:
    """The keys of loads that are older than a delivery of the export that they load, which has the
    partitions `loaded`. By two queries of what the instance recorded; the files are not looked at.
    """
    assert load.loads_from
    parts = {
        key: loaded.get_partition_keys_in_time_window(
            load.partitions.time_window_for_partition_key(key)
        )
        for key in keys
    }
    own = _newest(instance, load.key, set(keys))
    theirs = _newest(instance, load.loads_from, {part for each in parts.values() for part in each})
    return [
        key
        for key in keys
        if key in own and any(theirs.get(part, 0) > own[key] for part in parts[key])
    ]


def _newest(instance: dg.DagsterInstance, asset: dg.AssetKey, keys: set[str]) -> dict[str, int]:
    """The number of each partition's last delivery: the later, the higher."""
    materialization = dg.DagsterEventType.ASSET_MATERIALIZATION
    return dict(instance.get_latest_storage_id_by_partition(asset, materialization, keys))
