"""Backfills as Dagster keeps them, which its daemon works off and its UI shows.

Dagster has no public way to launch one but the UI's. What is used here is what the UI uses, and is
in no other file. A backfill's runs are given with it, in order, as Dagster itself keeps those that
it is about to submit: so its daemon submits these, one after the other, and makes none of its own.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph_subset import AssetGraphSubset
from dagster._core.execution.backfill import (
    BULK_ACTION_TERMINAL_STATUSES,
    BulkActionsFilter,
    BulkActionStatus,
    PartitionBackfill,
)
from dagster._core.utils import make_new_backfill_id, make_new_run_id

from batch_exports.errors import ConfigurationError

_ONGOING = [BulkActionStatus.REQUESTED, BulkActionStatus.CANCELING]
_ENDED = {
    BulkActionStatus.COMPLETED_SUCCESS: "completed",
    BulkActionStatus.COMPLETED: "completed",
    BulkActionStatus.COMPLETED_FAILED: "completed, with failures",
    BulkActionStatus.FAILED: "failed",
    BulkActionStatus.CANCELED: "cancelled",
}
_GOING = {
    BulkActionStatus.REQUESTED: "under way",
    BulkActionStatus.CANCELING: "being cancelled",
    BulkActionStatus.FAILING: "failing",
}


@dataclass(frozen=True)
class Asked:
    """One backfill: the partitions of each of its runs, in the order in which these are to start.
    Those of one run follow one another in time."""

    asset: dg.AssetKey
    partitions: dg.TimeWindowPartitionsDefinition
    runs: Sequence[Sequence[str]]
    title: str
    tags: Mapping[str, str]


def launch(instance: dg.DagsterInstance, asked: Asked) -> str:
    """Keep the backfill for the daemon, which starts it; its ID."""
    keys = [key for run in asked.runs for key in run]
    subset = asked.partitions.subset_with_partition_keys(keys)
    target = AssetGraphSubset.create_empty_subset()._replace(
        partitions_subsets_by_asset_key={asked.asset: subset}
    )
    requests = [_request(asked, run) for run in asked.runs]
    backfill = PartitionBackfill.from_asset_graph_subset(
        backfill_id=make_new_backfill_id(),
        backfill_timestamp=time.time(),
        tags=asked.tags,
        dynamic_partitions_store=instance,
        asset_graph_subset=target,
        title=asked.title,
        description=None,
        run_config=None,
    )
    data = backfill.asset_backfill_data
    assert data
    # What was materialized until now was not by this backfill.
    data = data.with_requested_runs_for_target_roots(True).with_latest_storage_id(
        instance.event_log_storage.get_maximum_record_id() or 0
    )
    reserved = [make_new_run_id() for _ in requests]
    instance.add_backfill(
        backfill._replace(asset_backfill_data=data).with_submitting_run_requests(requests, reserved)
    )
    return str(backfill.backfill_id)


def find(instance: dg.DagsterInstance, backfill_id: str) -> PartitionBackfill:
    """Raises `ConfigurationError` for an ID that no backfill of assets has."""
    backfill = instance.get_backfill(backfill_id)
    if backfill is None or backfill.asset_backfill_data is None:
        recent = [one.backfill_id for one in instance.get_backfills(limit=5)]
        raise ConfigurationError(
            "backfill",
            f"there is no backfill of an asset {backfill_id!r}.",
            remedy=f"The last ones are: {', '.join(recent) or 'none'}. DAGSTER_HOME tells of which "
            "Dagster.",
        )
    return backfill


def ongoing(instance: dg.DagsterInstance) -> Sequence[PartitionBackfill]:
    return instance.get_backfills(filters=BulkActionsFilter(statuses=_ONGOING))


def targets(backfill: PartitionBackfill) -> dict[dg.AssetKey, list[str]]:
    """The partitions that it is to deliver, by asset, oldest first."""
    data = backfill.asset_backfill_data
    if data is None:
        return {}
    subsets = data.target_subset.partitions_subsets_by_asset_key
    return {asset: list(subset.get_partition_keys()) for asset, subset in subsets.items()}


def undelivered(backfill: PartitionBackfill, asset: dg.AssetKey, job_name: str) -> Sequence[str]:
    """The partitions of an asset that it has neither delivered nor given up; of a job's backfill,
    all."""
    if backfill.job_name == job_name:
        return backfill.partition_names or ()
    data = backfill.asset_backfill_data
    if data is None or asset not in data.target_subset.partitions_subsets_by_asset_key:
        return []
    left = data.target_subset - data.materialized_subset - data.failed_and_downstream_subset
    subset = left.partitions_subsets_by_asset_key.get(asset)
    return list(subset.get_partition_keys()) if subset else []


def state_of(backfill: PartitionBackfill) -> str:
    """In a word or two."""
    return {**_ENDED, **_GOING}[backfill.status]


def has_ended(backfill: PartitionBackfill) -> bool:
    return backfill.status in BULK_ACTION_TERMINAL_STATUSES


def has_succeeded(backfill: PartitionBackfill) -> bool:
    return _ENDED.get(backfill.status) == "completed"


def cancel(instance: dg.DagsterInstance, backfill: PartitionBackfill) -> None:
    """As the UI does: the daemon ends its runs, those in the queue first."""
    instance.update_backfill(backfill._replace(status=BulkActionStatus.CANCELING))


def _request(asked: Asked, keys: Sequence[str]) -> dg.RunRequest:
    """Without a selection of checks: it has all those of the asset."""
    if len(keys) == 1:
        tags = asked.partitions.get_tags_for_partition_key(keys[0])
        return dg.RunRequest(partition_key=keys[0], asset_selection=[asked.asset], tags=tags)
    return dg.RunRequest(
        asset_selection=[asked.asset],
        tags={
            "dagster/asset_partition_range_start": keys[0],
            "dagster/asset_partition_range_end": keys[-1],
        },
    )
