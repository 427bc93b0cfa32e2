"""The asset of an export, with the IO managers that deliver what it extracts."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from batch_exports.export import Export, Extraction, wait_until_due
from batch_exports.io_manager import BatchExportIOManager
from batch_exports.sharding.asset import build_sharded_asset
from batch_exports.sharding.receipts import ReceiptsIOManager


def build_asset(
    export: Export, *, described: Mapping[str, Any], pool: str, retry_policy: dg.RetryPolicy
) -> dg.AssetsDefinition:
    """`described` is what the asset is told to be, as `dg.asset` and `dg.graph_asset` take it.

    It has its IO managers itself, and not from the deployment: Dagster goes through all of a
    deployment's resources for each asset.
    """
    io_manager_key = f"{export.name}_io_manager"
    managers = {io_manager_key: _io_manager(export)}
    if export.shards == 1:
        return _whole(
            export,
            described={**described, "resource_defs": managers},
            io_manager_key=io_manager_key,
            pool=pool,
            retry_policy=retry_policy,
        )
    receipts_key = f"{export.name}_receipts_io_manager"
    return build_sharded_asset(
        export,
        described={**described, "resource_defs": {**managers, receipts_key: _receipts}},
        io_manager_key=io_manager_key,
        receipts_key=receipts_key,
        pool=pool,
        retry_policy=retry_policy,
    )


def _whole(
    export: Export,
    *,
    described: Mapping[str, Any],
    io_manager_key: str,
    pool: str,
    retry_policy: dg.RetryPolicy,
) -> dg.AssetsDefinition:
    """An asset of one step, which reads an interval and delivers it."""

    @dg.asset(
        deps=[export.dependency],
        required_resource_keys={export.source},
        io_manager_key=io_manager_key,
        pool=pool,
        retry_policy=retry_policy,
        **described,
    )  # type: ignore[untyped-decorator]  # as it takes anything
    def deliver(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Extraction]:
        wait_until_due(context.op_execution_context, export)
        source = export.reader(context.resources)
        return dg.MaterializeResult(value=Extraction(source, export.selection))

    whole: dg.AssetsDefinition = deliver
    return whole


def _io_manager(export: Export) -> dg.IOManagerDefinition:
    @dg.io_manager(required_resource_keys=set(export.destination_resources))
    def io_manager(context: dg.InitResourceContext) -> BatchExportIOManager:
        return BatchExportIOManager(export, export.destination(context.resources))

    return io_manager


@dg.io_manager
def _receipts(context: dg.InitResourceContext) -> ReceiptsIOManager:
    assert context.instance
    return ReceiptsIOManager(context.instance)
