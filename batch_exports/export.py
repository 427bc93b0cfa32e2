"""One export as it runs: where rows come from, which, and how the destination is reached."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pyarrow as pa

from batch_exports.automation.no_run_windows import NoRunWindow
from batch_exports.automation.recovery import Recovery
from batch_exports.destinations.delivery import Delivery, Destination
from batch_exports.errors import Terminal
from batch_exports.interval import DataInterval, Rhythm
from batch_exports.sources.source import Selection, Source
from batch_exports.transform.shard import Shard, rows_of


@dataclass(frozen=True)
class Export:
    """What the asset, its IO manager and its checks share.

    `source` is the name of the resource that reads. `destination` makes the one that writes out
    of the run's resources, of which it needs those named in `destination_resources`. It keeps
    only the newest row of each key where the export `merges`, and resolves merged IDs in a view
    where it `resolves` them. An export that loads what another
    one delivered has that one's asset in `loads_from`. What asks for its runs starts none in
    `no_run_windows`, nor after `pause_after` failures in a row (0: never pause). `recovery` is what
    of it is asked for again. Numbers of rows are unusual that are more than `volume_tolerance`
    deviations from the median of past weeks; None where nobody asks. With more than one of `shards`
    so many steps stage parts of an interval, and another one commits them.
    Where an interval is to be delivered within a time after it is due, `fresh_within` tells it.
    """

    name: str
    key: dg.AssetKey
    source: str
    selection: Selection
    rhythm: Rhythm
    partitions: dg.TimeWindowPartitionsDefinition
    delay: timedelta
    destination: Callable[[Any], Destination]
    destination_resources: frozenset[str]
    merges: bool = False
    resolves: bool = False
    loads_from: dg.AssetKey | None = None
    pause_after: int = 5
    no_run_windows: tuple[NoRunWindow, ...] = ()
    recovery: Recovery = field(default_factory=Recovery)
    volume_tolerance: float | None = None
    fresh_within: timedelta | None = None
    shards: int = 1

    @property
    def job_name(self) -> str:
        return f"{self.name}_job"

    @property
    def source_key(self) -> dg.AssetKey:
        """The asset that stands for the model's rows at the source."""
        return self.loads_from or dg.AssetKey([self.source, self.selection.model.name])

    @property
    def dependency(self) -> dg.AssetDep:
        """On the source's asset. Of another export's, on the partitions within the same time."""
        mapping = dg.TimeWindowPartitionMapping() if self.loads_from else None
        return dg.AssetDep(self.source_key, partition_mapping=mapping)

    @property
    def resources(self) -> set[str]:
        return {self.source, *self.destination_resources}

    def reader(self, resources: Any) -> Source:
        reader: Source = getattr(resources, self.source)
        return reader

    def interval(self, partition_key: str) -> DataInterval:
        window = self.partitions.time_window_for_partition_key(partition_key)
        return DataInterval.of(window.start, window.end)

    @property
    def newest(self) -> DataInterval:
        """The last interval that may be read by now; the first one where none may be."""
        cut, moment = self.partitions, datetime.now(UTC) - self.delay
        window = cut.get_prev_partition_window(
            min(moment, cut.end) if cut.end else moment, respect_bounds=False
        )
        if window is None or window.start.timestamp() < cut.start.timestamp():
            window = cut.get_next_partition_window(cut.start, respect_bounds=False)
        assert window
        return DataInterval.of(window.start, window.end)

    def due(self, interval: DataInterval) -> datetime:
        """When the interval may be read: rows of its last moments may arrive that late."""
        return interval.end + self.delay


@dataclass(frozen=True)
class Extraction:
    """What an export's asset hands to its IO manager: rows that are read when they are written.

    A run may deliver several intervals; each is opened, streamed and closed in its turn. With a
    `shard` only the rows are streamed that belong to it.
    """

    source: Source
    selection: Selection
    shard: Shard | None = None

    @contextmanager
    def open(self, interval: DataInterval) -> Generator[pa.RecordBatchReader, None, None]:
        with self.source.read(self.selection, interval) as batches:
            key = self.selection.model.key
            yield rows_of(batches, key, self.shard) if self.shard else batches

    def deliver(self, destination: Destination, interval: DataInterval, run_id: str) -> Delivery:
        with self.open(interval) as batches:
            return destination.write(batches, interval, run_id)


def wait_until_due(context: dg.OpExecutionContext, export: Export) -> None:
    """Rows of an interval's last moments may still be on their way when it ends."""
    last: DataInterval = max(export.interval(key) for key in context.partition_keys)
    seconds = (export.due(last) - datetime.now(UTC)).total_seconds()
    if seconds > 0:
        context.log.info(f"Waiting {seconds:.0f} s: {last} is read {export.delay} after its end.")
        time.sleep(seconds)


@contextmanager
def failures_for_dagster() -> Generator[None, None, None]:
    """Terminal errors end the step at once, with the remedy in the UI; others may be retried."""
    try:
        yield
    except Terminal as error:
        raise dg.Failure(
            description=str(error),
            metadata={"error": error.message, "remedy": dg.MetadataValue.md(error.remedy)},
            allow_retries=False,
        ) from error
