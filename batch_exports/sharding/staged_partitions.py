"""Partitions whose rows wait at the destination, staged by shards, until one step commits them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batch_exports.destinations.delivery import Delivery, Destination, ShardedDestination
from batch_exports.interval import DataInterval


@dataclass(frozen=True)
class StagedShard:
    """What one shard staged of an interval, in how many seconds, with the destination's receipt."""

    seconds: float
    receipt: Mapping[str, Any]

    @property
    def index(self) -> int:
        return int(self.receipt["shard"])

    @property
    def rows(self) -> int:
        return int(self.receipt["rows"])

    @property
    def bytes(self) -> int:
        return int(self.receipt["bytes"])


@dataclass(frozen=True)
class StagedPartitions:
    """What the last step of a sharded export hands to its IO manager."""

    shards: Mapping[DataInterval, Sequence[StagedShard]]

    def deliver(self, destination: Destination, interval: DataInterval, run_id: str) -> Delivery:
        """Commit what the shards staged. The destination is one that takes shards."""
        sharded: ShardedDestination = destination  # type: ignore[assignment]
        receipts = [shard.receipt for shard in self.staged(interval)]
        return sharded.commit(receipts, interval, run_id)

    def staged(self, interval: DataInterval) -> Sequence[StagedShard]:
        return self.shards.get(interval, ())
