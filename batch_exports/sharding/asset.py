"""The asset of an export whose intervals come in shards: steps side by side, and one that commits.

Each shard reads the interval, keeps its part of the rows, and stages that at the destination. What
it staged goes to the last step as a receipt; rows never pass between steps.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from batch_exports.destinations.delivery import ShardedDestination
from batch_exports.export import Export, Extraction, failures_for_dagster, wait_until_due
from batch_exports.interval import DataInterval
from batch_exports.memory import return_freed_memory
from batch_exports.sharding.staged_partitions import StagedPartitions, StagedShard
from batch_exports.transform.shard import Shard

SHARD_TAG = "batch_exports/shard"
"""Of the steps that are shards: which one."""


def build_sharded_asset(
    export: Export,
    *,
    described: Mapping[str, Any],
    io_manager_key: str,
    receipts_key: str,
    pool: str,
    retry_policy: dg.RetryPolicy,
) -> dg.AssetsDefinition:
    """`described` is what the asset is told to be, as `graph_asset` takes it; receipts go by the IO
    manager `receipts_key`. Its steps are `shard_0` and so on, and `commit`."""
    of_export = f"of_{export.key.to_python_identifier()}"

    @dg.op(
        name=f"commit_{of_export}",
        description="Makes what all shards staged a delivery, at once.",
        out=dg.Out(io_manager_key=io_manager_key),
        pool=pool,
        retry_policy=retry_policy,
    )
    def commit(context: dg.OpExecutionContext, shards: list[Any]) -> StagedPartitions:
        return _collected(export, context.partition_keys, shards)

    def stage(shard: Shard) -> dg.OpDefinition:
        @dg.op(
            name=f"shard_{shard.index}_{of_export}",
            description=f"Stages {shard} at the destination, where nobody sees it.",
            ins={"rows": dg.In(dg.Nothing)},
            out=dg.Out(io_manager_key=receipts_key),
            required_resource_keys=export.resources,
            tags={SHARD_TAG: str(shard.index)},
            pool=pool,
            retry_policy=retry_policy,
        )
        def stage(context: dg.OpExecutionContext) -> dict[str, Any]:
            return_freed_memory()
            wait_until_due(context, export)
            rows = Extraction(export.reader(context.resources), export.selection, shard)
            destination: Any = export.destination(context.resources)
            return {
                key: _stage(context, rows, destination, export.interval(key))
                for key in context.partition_keys
            }

        return stage

    shards = [stage(Shard(index, export.shards)) for index in range(export.shards)]
    read = dg.AssetIn(export.source_key, dagster_type=dg.Nothing)

    @dg.graph_asset(ins={"rows": read}, **described)
    def deliver(rows: Any) -> Any:
        staged = [shard.alias(f"shard_{index}")(rows) for index, shard in enumerate(shards)]
        return commit.alias("commit")(staged)

    return deliver


def _stage(
    context: dg.OpExecutionContext,
    rows: Extraction,
    destination: ShardedDestination,
    interval: DataInterval,
) -> dict[str, Any]:
    """Plain data, as a receipt is: `StagedShard` is made of it."""
    assert rows.shard
    context.log.info(f"Staging {rows.shard} of {interval} for {destination.uri(interval)}")
    # Shards of a run that goes on from a failed step belong together with those of its parent.
    run_id = context.run.root_run_id or context.run_id
    began = time.monotonic()
    with failures_for_dagster(), rows.open(interval) as batches:
        receipt = destination.stage(batches, interval, run_id, rows.shard)
    seconds = time.monotonic() - began
    context.log.info(f"Staged {receipt['rows']} rows of {interval}")
    return {"seconds": round(seconds, 3), "receipt": receipt}


def _collected(
    export: Export, keys: Sequence[str], shards: Sequence[Mapping[str, Any]]
) -> StagedPartitions:
    return StagedPartitions(
        {
            export.interval(key): [
                StagedShard(staged[key]["seconds"], staged[key]["receipt"]) for staged in shards
            ]
            for key in keys
        }
    )
