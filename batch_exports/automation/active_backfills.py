"""Partitions that a backfill under way will still ask for."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg
from dagster._core.definitions.partitions.subset import PartitionsSubset
from dagster._core.errors import DagsterDefinitionChangedDeserializationError
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus, PartitionBackfill

_UNDER_WAY = [BulkActionStatus.REQUESTED, BulkActionStatus.CANCELING, BulkActionStatus.FAILING]


@dataclass(frozen=True)
class ActiveBackfills:
    """The partitions of each asset, and of each job."""

    of_assets: Mapping[dg.AssetKey, Sequence[PartitionsSubset[str]]]
    of_jobs: Mapping[str, Collection[str]]

    def hold(self, asset: dg.AssetKey, job_name: str, key: str) -> bool:
        """Whether one of them has this partition."""
        return key in self.of_jobs.get(job_name, ()) or any(
            key in subset for subset in self.of_assets.get(asset, ())
        )


def active_backfills(
    instance: dg.DagsterInstance, repository: dg.RepositoryDefinition
) -> ActiveBackfills:
    of_assets = dict[dg.AssetKey, list[PartitionsSubset[str]]]()
    of_jobs = dict[str, set[str]]()
    for backfill in instance.get_backfills(filters=BulkActionsFilter(statuses=_UNDER_WAY)):
        if backfill.is_asset_backfill:
            for key, subset in _subsets(backfill, repository):
                of_assets.setdefault(key, []).append(subset)
        else:
            named = of_jobs.setdefault(backfill.job_name or "", set())
            named.update(backfill.partition_names or ())
    return ActiveBackfills(of_assets, of_jobs)


def _subsets(
    backfill: PartitionBackfill, repository: dg.RepositoryDefinition
) -> Iterator[tuple[dg.AssetKey, PartitionsSubset[str]]]:
    try:
        data = backfill.get_asset_backfill_data(repository.asset_graph)
    except DagsterDefinitionChangedDeserializationError:
        return  # of assets that are gone, or cut in another way: Dagster fails it
    yield from data.target_subset.partitions_subsets_by_asset_key.items()
