"""Runs that nothing is read from any more: their partition was delivered again since."""

from collections.abc import Iterator
from datetime import UTC

import dagster as dg
from dagster._core.event_api import PartitionKeyFilter

from batch_exports.automation.breaker import EXPORT_TAG
from batch_exports.automation.partition_runs import PARTITION_TAG

_PLANNED_CHECK = dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED
_CHECK = dg.DagsterEventType.ASSET_CHECK_EVALUATION
_OBSERVATION = dg.DagsterEventType.ASSET_OBSERVATION
_TOLD = {
    dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    _OBSERVATION,
    _PLANNED_CHECK,
    _CHECK,
}


def is_superseded(instance: dg.DagsterInstance, record: dg.RunRecord) -> bool:
    """Whether Dagster says the same of each partition, and of each check, without this run, which
    has ended.

    So other runs have delivered later what it delivered or was to deliver, and later made the same
    checks. A run that failed and was the last of its partition stays: by it the partition is shown
    as failed, and exports pause. A run of several partitions stays as well.

    What is deleted with a run are all of its events (`DagsterInstance.delete_run`), and with the
    last delivery of a partition that it is there.
    """
    run = record.dagster_run
    events = [
        entry.dagster_event
        for entry in instance.all_logs(run.run_id, of_type=_TOLD)
        if entry.dagster_event
    ]
    if not events:  # such as that of a digest
        return not run.asset_selection and not {EXPORT_TAG, PARTITION_TAG} & {*run.tags}
    partition = run.tags.get(PARTITION_TAG)
    if partition is None or any(event.event_type is _OBSERVATION for event in events):
        return False
    if any(event.partition not in (partition, None) for event in events):
        return False
    return all(
        _is_delivered_later(instance, asset, partition, record) for asset in {*_assets(events)}
    ) and all(_is_checked_later(instance, check, partition, record) for check in {*_checks(events)})


def _assets(events: list[dg.DagsterEvent]) -> Iterator[dg.AssetKey]:
    for event in events:
        if event.event_type not in (_PLANNED_CHECK, _CHECK) and event.asset_key:
            yield event.asset_key


def _checks(events: list[dg.DagsterEvent]) -> Iterator[dg.AssetCheckKey]:
    for event in events:
        if event.event_type is _PLANNED_CHECK:
            yield event.asset_check_planned_data.asset_check_key
        elif event.event_type is _CHECK:
            yield event.asset_check_evaluation_data.asset_check_key


def _is_delivered_later(
    instance: dg.DagsterInstance, asset: dg.AssetKey, partition: str, record: dg.RunRecord
) -> bool:
    found = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset, asset_partitions=[partition]), limit=1
    ).records
    return bool(found) and _is_later(found[0].run_id, found[0].timestamp, record)


def _is_checked_later(
    instance: dg.DagsterInstance, check: dg.AssetCheckKey, partition: str, record: dg.RunRecord
) -> bool:
    """Also where the later one was planned, and never made."""
    found = instance.event_log_storage.get_asset_check_execution_history(
        check, limit=1, partition_filter=PartitionKeyFilter(key=partition)
    )
    if not found or found[0].event is None:
        return False
    return _is_later(found[0].run_id, found[0].event.timestamp, record)


def _is_later(run: str, moment: float, record: dg.RunRecord) -> bool:
    ended = record.end_time or record.update_timestamp.replace(tzinfo=UTC).timestamp()
    return run != record.dagster_run.run_id and moment >= ended
