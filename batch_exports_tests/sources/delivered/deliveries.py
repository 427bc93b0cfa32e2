"""Deliveries to a bucket, and the source that reads them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import pyarrow as pa
from pyarrow import fs

from batch_exports.components.s3_connection import S3ConnectionResource
from batch_exports.destinations.s3.destination import S3Destination
from batch_exports.interval import DataInterval
from batch_exports.sources.delivered import DeliveredFiles
from batch_exports.sources.source import Selection
from batch_exports_tests.destinations.rows import HOUR, PROJECTION, make_rows
from batch_exports_tests.destinations.s3.adapter import S3Adapter

MIDDLE = HOUR.start + timedelta(minutes=30)
HALVES = (DataInterval(HOUR.start, MIDDLE), DataInterval(MIDDLE, HOUR.end))
SELECTION = Selection(PROJECTION.model, PROJECTION.columns, PROJECTION.membership)


@dataclass(frozen=True)
class Deliveries:
    """An export of half hours, and a source that makes hours of them."""

    destination: S3Destination
    filesystem: fs.FileSystem

    @classmethod
    def to(cls, adapter: S3Adapter, **settings: object) -> "Deliveries":
        reached = S3ConnectionResource(**adapter.connection)
        return cls(adapter.destination(PROJECTION, **settings), reached.filesystem())

    def deliver(self, half: int, rows: int = 20, label: str = "") -> pa.Table:
        first = 1000 * half
        made = make_rows(range(first, first + rows), HALVES[half], label=label)
        self.destination.write(made.to_reader(), HALVES[half], f"run-{half}")
        return made

    @property
    def source(self) -> DeliveredFiles:
        return DeliveredFiles(self.filesystem, "events_files", self.parts, self.destination.files)

    def watched(self, before: Callable[[DataInterval], None]) -> DeliveredFiles:
        """The source, with something that happens before it looks for a delivery."""

        def find(interval: DataInterval):  # type: ignore[no-untyped-def]
            before(interval)
            return self.destination.files(interval)

        return replace(self.source, find=find)

    def parts(self, interval: DataInterval) -> Sequence[DataInterval]:
        return [half for half in HALVES if interval.start <= half.start < interval.end]
