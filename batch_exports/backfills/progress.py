"""How far a backfill is."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import dagster as dg

from batch_exports.backfills import dagster_backfill
from batch_exports.backfills.under_way import PARTITION, RANGE

_PAGE = 1000
_RUNNING = {
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
}
_WAITING = {dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.QUEUED}
_Partition = tuple[dg.AssetKey, str]


@dataclass(frozen=True)
class Progress:
    """Partitions are `done`, `failed`, `running`, or none of these: then they wait, or were
    cancelled. `rows` were delivered. `minutes_left` is by what those done took; None before the
    first, and after the end. `undone` are those that are not done, by asset, oldest first."""

    state: str
    has_ended: bool
    has_succeeded: bool
    partitions: int
    done: int
    failed: int
    running: int
    rows: int
    minutes_left: float | None
    undone: dict[dg.AssetKey, list[str]]
    tags: dict[str, str]

    @property
    def left(self) -> int:
        return self.partitions - self.done - self.failed - self.running


def progress(instance: dg.DagsterInstance, backfill_id: str, now: datetime) -> Progress:
    """By the runs that the backfill has started, and what these have materialized.

    Raises `ConfigurationError` for an ID that no backfill has.
    """
    backfill = dagster_backfill.find(instance, backfill_id)
    targets = dagster_backfill.targets(backfill)
    wanted = {(asset, key) for asset, keys in targets.items() for key in keys}
    runs = instance.get_runs(dg.RunsFilter(tags={"dagster/backfill": backfill_id}))
    rows = _delivered(instance, targets, {run.run_id for run in runs}, backfill.backfill_timestamp)
    done = wanted & rows.keys()
    waiting = _of(runs, targets, _WAITING)
    running = _of(runs, targets, _RUNNING) - done
    # A run that failed may have been started again.
    failed = _of(runs, targets, {dg.DagsterRunStatus.FAILURE}) - done - running - waiting
    ended = dagster_backfill.has_ended(backfill)
    elapsed = now.timestamp() - backfill.backfill_timestamp
    left = len(wanted) - len(done) - len(failed)
    return Progress(
        state=dagster_backfill.state_of(backfill),
        has_ended=ended,
        has_succeeded=dagster_backfill.has_succeeded(backfill),
        partitions=len(wanted),
        done=len(done),
        failed=len(failed),
        running=len(running),
        rows=sum(rows[one] for one in done),
        minutes_left=elapsed / len(done) * left / 60 if done and not ended else None,
        undone={
            asset: [key for key in keys if (asset, key) not in done]
            for asset, keys in targets.items()
        },
        tags=dict(backfill.tags),
    )


def _of(
    runs: Iterable[dg.DagsterRun],
    targets: Mapping[dg.AssetKey, Sequence[str]],
    statuses: Collection[dg.DagsterRunStatus],
) -> set[_Partition]:
    """The partitions of runs of these statuses, of those that the backfill has."""
    return {
        (asset, key)
        for run in runs
        if run.status in statuses
        for asset in run.asset_selection or ()
        for key in _keys(run, targets.get(asset, ()))
    }


def _keys(run: dg.DagsterRun, targets: Sequence[str]) -> Sequence[str]:
    """The partitions of a run, of which a range has none that the backfill has not."""
    first, last = (run.tags.get(tag, run.tags.get(PARTITION)) for tag in RANGE)
    if first not in targets or last not in targets:
        return ()
    return targets[targets.index(first) : targets.index(last) + 1]


def _delivered(
    instance: dg.DagsterInstance,
    assets: Iterable[dg.AssetKey],
    run_ids: set[str],
    since: float,
) -> dict[_Partition, int]:
    """How many rows these runs have delivered, by partition."""
    rows: dict[_Partition, int] = {}
    for asset in assets:
        for record in _materializations(instance, asset, since):
            told = record.asset_materialization
            if record.run_id in run_ids and told and told.partition:
                count = told.metadata.get("dagster/partition_row_count")
                value = count.value if count else 0
                rows[asset, told.partition] = value if isinstance(value, int) else 0
    return rows


def _materializations(
    instance: dg.DagsterInstance, asset: dg.AssetKey, since: float
) -> Iterator[dg.EventLogRecord]:
    """Since a time, oldest first."""
    wanted = dg.AssetRecordsFilter(asset, after_timestamp=since)
    cursor = None
    while True:
        found = instance.fetch_materializations(wanted, _PAGE, cursor, ascending=True)
        yield from found.records
        if not found.has_more:
            return
        cursor = found.cursor
