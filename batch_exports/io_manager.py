"""The IO manager of exports: each partition that a run hands over is one delivery."""

import time
from collections.abc import Sequence
from typing import Any

import dagster as dg

from batch_exports.destinations.delivery import Delivery, Destination, Landed
from batch_exports.export import Export, Extraction, failures_for_dagster
from batch_exports.memory import return_freed_memory
from batch_exports.sharding.staged_partitions import StagedPartitions, StagedShard


class BatchExportIOManager(dg.IOManager):
    """Writes what an export extracts; loads what the destination then says of it."""

    def __init__(self, export: Export, destination: Destination) -> None:
        self._export = export
        self._destination = destination

    def handle_output(self, context: dg.OutputContext, obj: Extraction | StagedPartitions) -> None:
        return_freed_memory()
        keys = list(context.asset_partition_keys)
        for key in keys:
            interval = self._export.interval(key)
            context.log.info(f"Delivering {interval} to {self._destination.uri(interval)}")
            shards = obj.staged(interval) if isinstance(obj, StagedPartitions) else ()
            # Shards are staged side by side: as a whole they take as long as the slowest one.
            began = time.monotonic() - max((shard.seconds for shard in shards), default=0)
            with failures_for_dagster():
                delivery = obj.deliver(self._destination, interval, context.run_id)
            metadata = delivery_metadata(delivery, time.monotonic() - began)
            if shards:
                metadata |= shards_metadata(shards)
            context.log.info(f"Delivered {delivery.rows} rows of {interval} to {delivery.uri}")
            if len(keys) == 1:
                context.add_output_metadata(metadata)
            else:  # output metadata would be copied to every partition of the run
                context.step_context.add_asset_metadata(
                    metadata, asset_key=context.asset_key, partition_key=key
                )

    def load_input(self, context: dg.InputContext) -> dict[str, Landed]:
        """What landed, by partition: the record of each delivery, and the data's own count."""
        with failures_for_dagster():
            return {
                key: self._destination.inspect(self._export.interval(key))
                for key in context.asset_partition_keys
            }


def delivery_metadata(delivery: Delivery, seconds: float) -> dict[str, Any]:
    """A delivery in the terms of Dagster's metadata."""
    metadata: dict[str, Any] = {
        "dagster/partition_row_count": delivery.rows,
        "dagster/uri": delivery.uri,
        "source_rows": delivery.source_rows,
        "rejected_rows": delivery.rejected,
        "replaced_rows": delivery.replaced,
        "bytes": delivery.bytes,
        "duration_s": round(seconds, 3),
        "rows_per_second": round(delivery.rows / seconds) if seconds else 0,
        "record": dg.MetadataValue.path(delivery.record),
    }
    if delivery.skipped:
        metadata["skipped_rows"] = delivery.skipped
    if delivery.changed is not None:
        metadata["changed_rows"] = delivery.changed
    if delivery.way is not None:
        metadata["way"] = delivery.way
    if delivery.files is not None:
        metadata["files"] = len(delivery.files)
    if delivery.files:
        metadata["file_list"] = dg.MetadataValue.table(
            [
                dg.TableRecord({"uri": f.uri, "rows": f.rows, "bytes": f.bytes})
                for f in delivery.files
            ]
        )
    if delivery.aside:
        metadata["rejects"] = dg.MetadataValue.path(delivery.aside)
    return metadata


def shards_metadata(shards: Sequence[StagedShard]) -> dict[str, Any]:
    """How an interval was dealt out."""
    records = [
        dg.TableRecord({"shard": s.index, "rows": s.rows, "bytes": s.bytes, "seconds": s.seconds})
        for s in shards
    ]
    return {"shards": len(shards), "shard_list": dg.MetadataValue.table(records)}
