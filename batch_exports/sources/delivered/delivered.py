"""The rows of intervals that another export has delivered to files."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

import pyarrow as pa
from pyarrow import fs

from batch_exports.errors import Transient
from batch_exports.interval import DataInterval
from batch_exports.interval_files import IntervalFile, IntervalFiles
from batch_exports.sources.delivered.columns import as_delivered
from batch_exports.sources.description import Description, SourceFile
from batch_exports.sources.json_lines import count_lines, read_lines
from batch_exports.sources.lake import parquet_files
from batch_exports.sources.projection import project
from batch_exports.sources.source import Selection
from batch_exports.sources.storage_errors import storage_errors

_SCHEME = "s3://"


@dataclass(frozen=True)
class DeliveredFiles:
    """Reads what `export` has delivered, by the manifests of the intervals in the one asked for.

    `parts` tells these intervals, and `find` the files of one: None where it was not delivered.
    """

    filesystem: fs.FileSystem
    export: str
    parts: Callable[[DataInterval], Sequence[DataInterval]]
    find: Callable[[DataInterval], IntervalFiles | None]

    def deliveries(self, interval: DataInterval) -> Sequence[IntervalFiles]:
        """Those that make up the interval. Raises `Transient` where one is not there yet."""
        return [self._delivered(part) for part in self.parts(interval)]

    @contextmanager
    def read(
        self, selection: Selection, interval: DataInterval
    ) -> Generator[pa.RecordBatchReader, None, None]:
        """Raises `Transient` where files were delivered again while they were read."""
        batches = self._batches(self.deliveries(interval), selection)
        with closing(batches):
            yield pa.RecordBatchReader.from_batches(selection.schema, batches)

    def count(self, selection: Selection, interval: DataInterval) -> int:
        wanted = as_delivered(selection)
        return sum(
            self._count_file(file, delivery, wanted)
            for delivery in self.deliveries(interval)
            for file in delivery.files
        )

    def describe(self, selection: Selection, interval: DataInterval) -> Description:
        deliveries = self.deliveries(interval)
        return Description(
            f"what {self.export} has delivered",
            files=[SourceFile(file.uri, file.bytes) for one in deliveries for file in one.files],
            note=f"By {', '.join(one.manifest for one in deliveries)}.",
        )

    def _delivered(self, part: DataInterval) -> IntervalFiles:
        found = self.find(part)
        if found is None:
            raise Transient(
                f"{self.export} has not delivered {part} yet.",
                remedy=f"It is tried again. If it stays, materialize that partition of "
                f"{self.export}, or give a larger delay_seconds.",
            )
        return found

    def _batches(
        self, deliveries: Sequence[IntervalFiles], selection: Selection
    ) -> Generator[pa.RecordBatch, None, None]:
        wanted = as_delivered(selection)
        for delivery in deliveries:
            for file in delivery.files:
                rows = self._read_file(file, delivery, wanted)
                with self._unchanged(delivery), storage_errors(file.uri), closing(rows):
                    for batch in rows:
                        yield project(batch, wanted, file.uri)
            self._check_unchanged(delivery)

    def _read_file(
        self, file: IntervalFile, delivery: IntervalFiles, wanted: Selection
    ) -> Generator[pa.RecordBatch, None, None]:
        path = file.uri.removeprefix(_SCHEME)
        if delivery.file_format == "parquet":
            prepared = parquet_files.prepare(self.filesystem, path)
            yield from parquet_files.read(prepared, file.uri, wanted, delivery.interval)
        else:
            with self._lines(path, delivery) as stream:
                yield from read_lines(stream, file.uri, wanted, delivery.interval)

    def _count_file(self, file: IntervalFile, delivery: IntervalFiles, wanted: Selection) -> int:
        path = file.uri.removeprefix(_SCHEME)
        with self._unchanged(delivery), storage_errors(file.uri):
            if delivery.file_format == "parquet":
                prepared = parquet_files.prepare(self.filesystem, path)
                return parquet_files.count(prepared, file.uri, wanted, delivery.interval)
            with self._lines(path, delivery) as stream:
                return count_lines(stream, file.uri, wanted, delivery.interval)

    def _lines(self, path: str, delivery: IntervalFiles) -> pa.NativeFile:
        codec = None if delivery.compression == "none" else delivery.compression
        return self.filesystem.open_input_stream(path, compression=codec)

    @contextmanager
    def _unchanged(self, delivery: IntervalFiles) -> Iterator[None]:
        """A file that breaks while it is read may be one that was replaced meanwhile."""
        try:
            yield
        except Exception:
            self._check_unchanged(delivery)
            raise

    def _check_unchanged(self, delivery: IntervalFiles) -> None:
        if self.find(delivery.interval) != delivery:
            raise Transient(
                f"{self.export} delivered {delivery.interval} again while its files were read.",
                remedy="It is tried again.",
            )
