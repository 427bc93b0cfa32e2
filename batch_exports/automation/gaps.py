"""Gaps: intervals that are due, and were neither delivered nor are about to be."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import dagster as dg

from batch_exports.automation.active_backfills import ActiveBackfills
from batch_exports.automation.partition_runs import attempts_of
from batch_exports.automation.unfed_loads import unfed
from batch_exports.export import Export

GRACE = timedelta(minutes=15)
"""How long after an interval is due its schedule has for it."""

# Keys that one look takes in, and that may be missing at a time.
_MOST_KEYS = 500


@dataclass(frozen=True)
class Progress:
    """How far an export was looked through: every interval that ends until `reached` (UTC) was
    delivered, or is among `missing`, by its key."""

    reached: datetime
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Gaps:
    """What a look found. `missing` are gaps, oldest first. Of these `wanted` may be asked for now,
    each with its last run, and `waiting` failed and are not asked for before a time. `under_way`
    are intervals that have a run, `unfed` those that load files which are not there. `left` became
    too old to be filled, and everything before `unseen`, where that is given, was too old to be
    looked at.
    """

    progress: Progress
    missing: Sequence[str] = ()
    wanted: Mapping[str, str] = field(default_factory=dict)
    waiting: Mapping[str, datetime] = field(default_factory=dict)
    under_way: int = 0
    unfed: Collection[str] = ()
    left: Sequence[str] = ()
    unseen: datetime | None = None


def first_look(instance: dg.DagsterInstance, export: Export, now: datetime) -> Progress:
    """Where gaps begin to count: with the first interval that was ever delivered, and where none
    was, with the first that becomes due from now on."""
    delivered = sorted(instance.get_materialized_partitions(export.key))
    for key in delivered:
        if window := window_of(export, key):
            return Progress(window.end.astimezone(UTC))
    window = export.partitions.get_prev_partition_window(
        now.astimezone(UTC) - export.delay, respect_bounds=False
    )
    assert window
    return Progress(max(window.end, export.partitions.start).astimezone(UTC))


def find_gaps(
    instance: dg.DagsterInstance,
    export: Export,
    progress: Progress,
    now: datetime,
    backfills: ActiveBackfills,
    repository: dg.RepositoryDefinition,
) -> Gaps:
    """Look on from where the last look ended; the work is bounded, however long that is ago.

    Intervals before `fill_gaps` are left to people.
    """
    oldest = now - export.recovery.fill_gaps
    begin = max(progress.reached, oldest)
    known = {key: window for key in progress.missing if (window := window_of(export, key))}
    left = [key for key, window in known.items() if window.start < oldest]
    due, reached = _newly_due(export, begin, now, room=_MOST_KEYS - len(known))
    missing = _undelivered(instance, export, [*(key for key in known if key not in left), *due])
    running = _under_way(instance, export, missing)
    gaps = [
        key
        for key in missing
        if key not in running and not backfills.hold(export.key, export.job_name, key)
    ]
    attempts = attempts_of(instance, export.job_name, gaps)
    again = {key: attempts[key].again_at for key in gaps}
    waiting = {key: moment for key, moment in again.items() if moment and moment > now}
    free = [key for key in gaps if key not in waiting]
    hungry = unfed(instance, repository, export, free)
    free = [key for key in free if key not in hungry]
    return Gaps(
        Progress(reached, tuple(missing)),
        gaps,
        {key: attempts[key].last for key in free[: max(0, export.recovery.runs - len(running))]},
        waiting,
        len(running),
        hungry,
        left,
        oldest if _lies_between(export, progress.reached, oldest) else None,
    )


def window_of(export: Export, key: str) -> dg.TimeWindow | None:
    """The interval of a partition key; None for one of a rhythm that the export no longer has."""
    if not export.partitions.has_partition_key(key):
        return None
    return export.partitions.time_window_for_partition_key(key)


def _newly_due(
    export: Export, begin: datetime, now: datetime, *, room: int
) -> tuple[list[str], datetime]:
    """The keys of intervals that start from `begin` on and are due, and until when these reach."""
    cut, keys, reached = export.partitions, list[str](), begin
    last = now - export.delay - GRACE
    window = cut.get_next_partition_window(max(begin, cut.start), respect_bounds=False)
    while window and window.end <= last and len(keys) < room:
        if cut.end and window.end > cut.end:
            break
        keys.append(cut.get_partition_key_range_for_time_window(window, respect_bounds=False).start)
        reached = window.end.astimezone(UTC)
        window = cut.get_next_partition_window(window.end, respect_bounds=False)
    return keys, reached


def _undelivered(instance: dg.DagsterInstance, export: Export, keys: Sequence[str]) -> list[str]:
    if not keys:
        return []
    delivered = instance.get_latest_storage_id_by_partition(
        export.key, dg.DagsterEventType.ASSET_MATERIALIZATION, set(keys)
    )
    return [key for key in keys if key not in delivered]


def _under_way(instance: dg.DagsterInstance, export: Export, keys: Sequence[str]) -> list[str]:
    """What Dagster has to work out anew for each asset, and which most looks can do without."""
    if not keys:
        return []
    found = instance.get_status_by_partition(export.key, keys, export.partitions)
    status = found or {}
    return [key for key in keys if status.get(key) is dg.AssetPartitionStatus.IN_PROGRESS]


def _lies_between(export: Export, first: datetime, last: datetime) -> bool:
    """Whether a whole interval does."""
    window = export.partitions.get_next_partition_window(first, respect_bounds=False)
    return bool(window and window.end <= last)
