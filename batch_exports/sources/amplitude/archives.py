"""A folder of archives that Amplitude has exported: files of its export to S3, or API's zips."""

import io
from collections.abc import Generator
from contextlib import closing, contextmanager
from datetime import timedelta

import pyarrow as pa
from pyarrow import fs

from batch_exports.errors import Terminal
from batch_exports.interval import DataInterval
from batch_exports.models import AMPLITUDE_MERGED_IDS
from batch_exports.sources.amplitude.hours import HOUR, refuse_early
from batch_exports.sources.amplitude.members import (
    Request,
    count_file,
    count_zip,
    read_file,
    read_zip,
    sample_file,
    sample_zip,
)
from batch_exports.sources.amplitude.names import Archive, archive
from batch_exports.sources.description import Description, sizes
from batch_exports.sources.found_columns import FoundColumns
from batch_exports.sources.membership import ALWAYS
from batch_exports.sources.source import Selection
from batch_exports.sources.storage_errors import storage_errors

# "The export finishes within one hour after the currently exported hour":
# https://amplitude.com/docs/data/destination-catalog/amazon-s3
LAG = timedelta(hours=1)
_BUFFER_BYTES = 8 * 2**20


class Archives:
    """Reads the archives under `root` of a file system, in whatever folders they lie.

    Names that begin with `.` or `_`, and markers of complete hours, are passed over.
    """

    def __init__(self, filesystem: fs.FileSystem, root: str, *, shown_as: str) -> None:
        """`shown_as` is the root as the user wrote it, for messages."""
        self._filesystem = filesystem
        self._root = root.rstrip("/")
        self._shown_as = shown_as.rstrip("/")

    @contextmanager
    def read(
        self, selection: Selection, interval: DataInterval
    ) -> Generator[pa.RecordBatchReader, None, None]:
        refuse_early(interval, LAG, self._shown_as)
        batches = self._batches(Request(selection, interval, _margin(selection)))
        with closing(batches):
            yield pa.RecordBatchReader.from_batches(selection.schema, batches)

    def count(self, selection: Selection, interval: DataInterval) -> int:
        """Looks into the archives of the hours before and after as well: rows in an archive of
        another hour than its own are not read, and do not go unnoticed."""
        request = Request(selection, interval, HOUR)
        return sum(self._count(found, request) for found in self._wanted(request))

    def describe(self, selection: Selection, interval: DataInterval) -> Description:
        wanted = self._wanted(Request(selection, interval, _margin(selection)))
        files = {found.path: self.shown(found.path) for found in wanted}
        with storage_errors(self._shown_as):
            return Description(self._shown_as, files=sizes(self._filesystem, files))

    def sample(self, selection: Selection, interval: DataInterval) -> FoundColumns | None:
        """The members of lines, by the last archive that may have rows of the interval; None where
        there is none."""
        request = Request(selection, interval, _margin(selection))
        wanted = self._wanted(request)
        if not wanted:
            return None
        where = self.shown(wanted[-1].path)
        with storage_errors(where), self._opened(wanted[-1]) as file:
            if wanted[-1].is_zip:
                return sample_zip(file, where, request)
            return sample_file(file, where)

    def archives(self, model: str) -> list[Archive]:
        """Those of a model, oldest first. Raises `Terminal` where there is no such folder, and
        for a file of no known kind."""
        with storage_errors(self._shown_as):
            if self._filesystem.get_file_info(self._root).type is not fs.FileType.Directory:
                raise Terminal(
                    f"There is no folder {self._shown_as}.", remedy="Correct the source's path."
                )
            entries = self._filesystem.get_file_info(fs.FileSelector(self._root, recursive=True))
        found = [archive(e.path, self.shown(e.path)) for e in entries if e.is_file]
        own = [one for one in found if one and one.model == model]
        return sorted(own, key=lambda one: (str(one.hour or ""), one.path))

    def head(self, found: Archive, selection: Selection) -> pa.RecordBatch | None:
        """The first rows of an archive, of whatever time; None where it has none."""
        with closing(self._rows(found, Request(selection, ALWAYS))) as batches:
            return next(batches, None)

    def shown(self, path: str) -> str:
        return f"{self._shown_as}{path[len(self._root) :]}"

    def _wanted(self, request: Request) -> list[Archive]:
        archives = self.archives(request.selection.model.name)
        return [one for one in archives if one.may_hold(request.interval, request.margin)]

    def _batches(self, request: Request) -> Generator[pa.RecordBatch, None, None]:
        for found in self._wanted(request):
            yield from self._rows(found, request)

    def _rows(self, found: Archive, request: Request) -> Generator[pa.RecordBatch, None, None]:
        where = self.shown(found.path)
        with storage_errors(where), self._opened(found) as file:
            rows = (read_zip if found.is_zip else read_file)(file, where, request)
            with closing(rows):
                yield from rows

    def _count(self, found: Archive, request: Request) -> int:
        where = self.shown(found.path)
        with storage_errors(where), self._opened(found) as file:
            return (count_zip if found.is_zip else count_file)(file, where, request)

    def _opened(self, found: Archive) -> io.BufferedReader:
        """A zip is read from its end, and then in small pieces: a buffer makes these few."""
        return io.BufferedReader(self._filesystem.open_input_file(found.path), _BUFFER_BYTES)


def _margin(selection: Selection) -> timedelta:
    """Merges are named by the hour at which they were handed over, which may be the next one."""
    return HOUR if selection.model is AMPLITUDE_MERGED_IDS else timedelta(0)
