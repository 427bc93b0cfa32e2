"""Which partitions a backfill has, and which it leaves out, with the reason."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import dagster as dg

from batch_exports.backfills.under_way import under_way
from batch_exports.export import Export


@dataclass(frozen=True)
class Choice:
    """Partitions, oldest first. Those left out are under way, or not due yet, as `left_out` says of
    each; or `delivered`, where only missing ones were asked for. `again` are delivered already and
    are among the `keys` all the same."""

    keys: Sequence[str]
    left_out: dict[str, str] = field(default_factory=dict)
    delivered: int = 0
    again: int = 0


def choose(
    instance: dg.DagsterInstance,
    export: Export,
    keys: Sequence[str],
    *,
    only_missing: bool,
    now: datetime,
) -> Choice:
    """`only_missing` leaves those out of which the last delivery succeeded."""
    left_out = {key: why for key, why in under_way(instance, export).items() if key in set(keys)}
    for key in reversed(keys):
        due = export.due(export.interval(key))
        if due <= now:
            break
        left_out.setdefault(key, f"not due before {due:%Y-%m-%dT%H:%M:%SZ}")
    free = [key for key in keys if key not in left_out]
    there = _delivered(instance, export, free)
    if only_missing:
        return Choice([key for key in free if key not in there], left_out, delivered=len(there))
    return Choice(free, left_out, again=len(there))


def in_runs(
    partitions: dg.TimeWindowPartitionsDefinition, keys: Sequence[str], most: int | None
) -> list[list[str]]:
    """The keys as those of runs: `most` a run, without a limit where that is None. Between those of
    one run none is missing."""
    stretches = _stretches(partitions, keys)
    if most is None:
        return stretches
    return [
        stretch[first : first + most]
        for stretch in stretches
        for first in range(0, len(stretch), most)
    ]


def _delivered(instance: dg.DagsterInstance, export: Export, keys: Sequence[str]) -> frozenset[str]:
    """Those that are delivered, and of which no later run failed."""
    if not keys:
        return frozenset()
    states = instance.get_status_by_partition(export.key, keys, export.partitions) or {}
    return frozenset(key for key, state in states.items() if state and state.value == _DELIVERED)


def _stretches(
    partitions: dg.TimeWindowPartitionsDefinition, keys: Sequence[str]
) -> list[list[str]]:
    if not keys:
        return []
    wanted = set(keys)
    window = dg.PartitionKeyRange(keys[0], keys[-1])
    stretches: list[list[str]] = [[]]
    for key in partitions.get_partition_keys_in_range(window):
        if key in wanted:
            stretches[-1].append(key)
        elif stretches[-1]:
            stretches.append([])
    return stretches


_DELIVERED = "MATERIALIZED"
