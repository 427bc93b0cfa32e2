"""A folder of Parquet and JSON lines files for each model."""

from collections.abc import Generator, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager
from typing import Any

import pyarrow as pa
from pyarrow import fs

from batch_exports.errors import Terminal
from batch_exports.interval import DataInterval
from batch_exports.models import Model, Table
from batch_exports.sources.counting import Pieces
from batch_exports.sources.description import Description, sizes
from batch_exports.sources.lake import json_files, parquet_files
from batch_exports.sources.lake.ahead import prepared_ahead
from batch_exports.sources.membership import ALWAYS
from batch_exports.sources.projection import project
from batch_exports.sources.source import Selection
from batch_exports.sources.storage_errors import storage_errors

_READERS = {
    ".parquet": parquet_files,
    ".jsonl": json_files,
    ".jsonl.gz": json_files,
    ".jsonl.zst": json_files,
}


class Lake:
    """Reads `<root>/<folder>/**` from a file system, with a folder for each model.

    Names that begin with `.` or `_` are passed over, as is the custom of lakes.
    """

    def __init__(self, filesystem: fs.FileSystem, root: str, *, shown_as: str) -> None:
        """`shown_as` is the root as the user wrote it, for messages."""
        self._filesystem = filesystem
        self._root = root.rstrip("/")
        self._shown_as = shown_as.rstrip("/")
        self._newest: dict[str, str | None] = {}

    @contextmanager
    def read(
        self, selection: Selection, interval: DataInterval
    ) -> Generator[pa.RecordBatchReader, None, None]:
        files = self.files(selection.model)
        batches = self._batches(files, selection, interval)
        with closing(batches):
            yield pa.RecordBatchReader.from_batches(selection.schema, batches)

    def count(self, selection: Selection, interval: DataInterval) -> int:
        rows = 0
        with closing(self._prepared(self.files(selection.model))) as files:
            for path, file in files:
                where = self.shown(path)
                with storage_errors(where):
                    rows += _reader(path).count(file.result(), where, selection, interval)
        return rows

    def counts(self, selection: Selection, intervals: Sequence[DataInterval]) -> list[int]:
        """The rows of each interval, by one pass over the files; see `CountingSource`."""
        if not intervals:
            return []
        pieces = Pieces(intervals)
        with closing(self._prepared(self.files(selection.model))) as files:
            for path, file in files:
                where = self.shown(path)
                with storage_errors(where):
                    _reader(path).count_pieces(file.result(), where, selection, pieces)
        return pieces.counts()

    def describe(self, selection: Selection, interval: DataInterval) -> Description:
        folder = f"{self._shown_as}/{folder_of(selection.model)}/"
        files = {path: self.shown(path) for path in self.files(selection.model)}
        with storage_errors(folder):
            return Description(
                folder,
                files=sizes(self._filesystem, files),
                note="Of a Parquet file no more is read than its footer and the row groups that "
                "may have rows of the interval.",
            )

    def _batches(
        self, paths: list[str], selection: Selection, interval: DataInterval
    ) -> Generator[pa.RecordBatch, None, None]:
        with closing(self._prepared(paths)) as files:
            for path, file in files:
                yield from self._rows(path, file, selection, interval)

    def _rows(
        self, path: str, file: Future[Any], selection: Selection, interval: DataInterval
    ) -> Generator[pa.RecordBatch, None, None]:
        where = self.shown(path)
        with (
            storage_errors(where),
            closing(_reader(path).read(file.result(), where, selection, interval)) as rows,
        ):
            for batch in rows:
                yield project(batch, selection, where)

    def _prepared(self, paths: list[str]) -> Generator[tuple[str, Future[Any]], None, None]:
        return prepared_ahead(lambda path: _reader(path).prepare(self._filesystem, path), paths)

    def head(self, path: str, selection: Selection) -> pa.RecordBatch | None:
        """The first rows of one of the `files`, of whatever interval; None where it has none."""
        with closing(self._batches([path], selection, ALWAYS)) as batches:
            return next(batches, None)

    @property
    def filesystem(self) -> fs.FileSystem:
        return self._filesystem

    def files(self, model: Model) -> list[str]:
        """Paths of a model's files, in order. Raises `Terminal` where there is no folder of them,
        and for a file of no known kind."""
        return [entry.path for entry in self._entries(model)]

    def newest(self, model: Model) -> str | None:
        """The path of the file that was written last, as of the last listing, since one of many
        files takes long; None where there is none. Raises as `files` does."""
        name = folder_of(model)
        if name not in self._newest:
            self._entries(model)
        return self._newest[name]

    def _entries(self, model: Model) -> list[fs.FileInfo]:
        name = folder_of(model)
        folder = f"{self._root}/{name}"
        with storage_errors(self.shown(folder)):
            if self._filesystem.get_file_info(folder).type is not fs.FileType.Directory:
                raise Terminal(
                    f"The lake {self._shown_as} has no folder {name!r}.",
                    remedy=f"Put the files of this model under {self.shown(folder)}/, or correct "
                    "the source's path.",
                )
            entries = self._filesystem.get_file_info(fs.FileSelector(folder, recursive=True))
        files = sorted((e for e in entries if e.is_file), key=lambda entry: entry.path)
        visible = [entry for entry in files if not _is_hidden(entry.path[len(folder) :])]
        for entry in visible:
            if not entry.path.endswith(tuple(_READERS)):
                raise Terminal(
                    f"The lake's file {self.shown(entry.path)} is of no known kind.",
                    remedy=f"Files end in {', '.join(_READERS)}; one that is no data begins with "
                    ". or _.",
                )
        last = max(visible, key=lambda one: (one.mtime_ns or 0, one.path), default=None)
        self._newest[name] = last.path if last else None
        return visible

    def shown(self, path: str) -> str:
        return f"{self._shown_as}{path[len(self._root) :]}"


def folder_of(model: Model) -> str:
    """Where a model's files are, under the root of the lake."""
    return model.origin.name if isinstance(model.origin, Table) else model.name


def _reader(path: str):  # type: ignore[no-untyped-def]
    return next(reader for ending, reader in _READERS.items() if path.endswith(ending))


def _is_hidden(path: str) -> bool:
    return any(part.startswith((".", "_")) for part in path.split("/"))
