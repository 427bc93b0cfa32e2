"""Runs that have ended since one looked last, and what became of exports in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

import dagster as dg

from batch_exports.automation.alerts.failure import Failure, failure_of
from batch_exports.automation.breaker import EXPORT_TAG, WILL_RETRY_TAG
from batch_exports.automation.freshness import FRESHNESS
from batch_exports.export import Export

MOST_RUNS = 100
"""Endings that one look takes in; what is more is left to the next."""

_ENDS: tuple[Literal[dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.RUN_FAILURE], ...] = (
    dg.DagsterEventType.RUN_SUCCESS,
    dg.DagsterEventType.RUN_FAILURE,
)
_PARTITION = "dagster/partition"
_RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
_TOLD = {dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.ASSET_CHECK_EVALUATION}


@dataclass(frozen=True)
class CheckResult:
    """`reason` is what a check that is red says of a partition."""

    check: str
    partition: str
    red: bool
    reason: str


@dataclass(frozen=True)
class Ending:
    """What became of one export in one run: partitions that are `delivered` and well, those that
    `failed` with the reason, and what its checks say."""

    export: str
    run: str
    moment: datetime
    delivered: Sequence[str] = ()
    failed: Sequence[str] = ()
    failure: Failure | None = None
    checks: Sequence[CheckResult] = field(default_factory=list)


def newest_ending(instance: dg.DagsterInstance) -> int:
    """Where to look on from; 0 where no run has ended yet."""
    found = [
        record.storage_id
        for event in _ENDS
        for record in instance.fetch_run_status_changes(event, limit=1).records
    ]
    return max(found, default=0)


def read_endings(
    instance: dg.DagsterInstance, exports: Mapping[str, Export], after: int
) -> tuple[Sequence[Ending], int]:
    """In order, with where to look on from. Runs of other jobs are passed over, and runs that
    Dagster tries again by itself."""
    records = _records(instance, after)
    if not records:
        return [], after
    ids = [record.run_id for record in records]
    runs = {run.run_id: run for run in instance.get_runs(dg.RunsFilter(run_ids=ids))}
    by_key = {export.key: export for export in exports.values()}
    endings = list[Ending]()
    for record in records:
        run = runs.get(record.run_id)
        if run is None or run.tags.get(WILL_RETRY_TAG) == "true":
            continue
        told = [
            entry.dagster_event
            for entry in instance.all_logs(run.run_id, of_type=_TOLD)
            if entry.dagster_event
        ]
        if concerned := _exports_of(run, told, exports, by_key):
            endings += _endings(run, told, record, concerned)
    return endings, records[-1].storage_id


def _records(instance: dg.DagsterInstance, after: int) -> list[dg.EventLogRecord]:
    """Successes and failures are asked for one after the other: where one of the two has more, the
    other is taken no further than that."""
    found, until = list[dg.EventLogRecord](), None
    for event in _ENDS:
        asked = dg.RunStatusChangeRecordsFilter(event, after_storage_id=after)
        records = instance.fetch_run_status_changes(asked, limit=MOST_RUNS, ascending=True).records
        found += records
        if len(records) == MOST_RUNS:
            last = records[-1].storage_id
            until = last if until is None else min(until, last)
    kept = [each for each in found if until is None or each.storage_id <= until]
    return sorted(kept, key=lambda record: record.storage_id)


def _exports_of(
    run: dg.DagsterRun,
    told: Sequence[dg.DagsterEvent],
    exports: Mapping[str, Export],
    by_key: Mapping[dg.AssetKey, Export],
) -> list[Export]:
    """By the tag of an export's own job; else by the assets and checks that were selected, or that
    the run tells of."""
    if tagged := run.tags.get(EXPORT_TAG):
        return [exports[tagged]] if tagged in exports else []
    checked = {check.asset_key for check in run.asset_check_selection or ()}
    keys = {*(run.asset_selection or ()), *checked, *map(_asset_key, told)}
    return [export for key, export in by_key.items() if key in keys]


def _asset_key(event: dg.DagsterEvent) -> dg.AssetKey | None:
    if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        return event.asset_check_evaluation_data.asset_key
    return event.asset_key


def _endings(
    run: dg.DagsterRun,
    told: Sequence[dg.DagsterEvent],
    record: dg.EventLogRecord,
    exports: Sequence[Export],
) -> list[Ending]:
    moment = datetime.fromtimestamp(record.timestamp, UTC)
    event = record.event_log_entry.dagster_event
    failure = None if run.is_success else failure_of(event)
    found = list[Ending]()
    for export in exports:
        partitions = _partitions(run, export)
        delivered = [
            each.partition or ""
            for each in told
            if each.is_step_materialization and each.asset_key == export.key
        ]
        well = partitions if failure is None else delivered
        failed = [] if failure is None else [key for key in partitions if key not in {*delivered}]
        if failure and not failed and len(exports) == 1:
            failed, well = partitions, []  # delivered, and then a check could not be made
        evaluations = [
            each.asset_check_evaluation_data
            for each in told
            if each.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION
            and _asset_key(each) == export.key
            # That an export is late is told by itself, whichever partitions a run had.
            and each.asset_check_evaluation_data.check_name != FRESHNESS
        ]
        told_each = {each.check_name for each in evaluations if each.partition}
        checks = [
            result
            for each in evaluations
            # Of a run of several partitions, the check's own result is beside those of each.
            if each.partition or each.check_name not in told_each
            for result in _results(each, partitions)
        ]
        found.append(
            Ending(
                export.name, run.run_id, moment, well, failed, failure if failed else None, checks
            )
        )
    return found


def _partitions(run: dg.DagsterRun, export: Export) -> list[str]:
    if key := run.tags.get(_PARTITION):
        return [key]
    first, last = (run.tags.get(tag) for tag in _RANGE)
    if not first or not last:
        return [""]
    try:
        return list(
            export.partitions.get_partition_keys_in_range(dg.PartitionKeyRange(first, last))
        )
    except dg.DagsterInvalidInvocationError:  # of a rhythm that the export no longer has
        return [first, last]


def _results(
    evaluation: dg.AssetCheckEvaluation, partitions: Sequence[str]
) -> Sequence[CheckResult]:
    """One for each partition; in a run of several, the evaluation's metadata names the red ones."""
    red = not evaluation.passed and evaluation.severity is dg.AssetCheckSeverity.ERROR
    keys = [evaluation.partition] if evaluation.partition else partitions
    named = {key for key in keys if key in evaluation.metadata} or {*keys}
    reason = evaluation.description or ""
    return [
        CheckResult(evaluation.check_name, key, red and key in named, reason if red else "")
        for key in keys
    ]
