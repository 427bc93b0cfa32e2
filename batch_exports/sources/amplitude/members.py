"""Rows of an opened archive: lines of JSON, in gzip, perhaps of several files in a zip."""

import gzip
import zipfile
import zlib
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import IO, Any

import pyarrow as pa
from isal import igzip, isal_zlib

from batch_exports.errors import Terminal
from batch_exports.interval import DataInterval
from batch_exports.sources.amplitude.names import archive
from batch_exports.sources.amplitude.values import amplitude_column
from batch_exports.sources.found_columns import FoundColumns
from batch_exports.sources.json_lines import count_lines, read_lines
from batch_exports.sources.json_members import sample_members
from batch_exports.sources.projection import project
from batch_exports.sources.source import Selection

_DAMAGE: tuple[Any, ...] = (
    EOFError,
    gzip.BadGzipFile,
    zipfile.BadZipFile,
    zlib.error,
    isal_zlib.error,
)
_PIECE_BYTES = 2**20


@dataclass(frozen=True)
class Request:
    """What is asked of archives. `margin` is how far rows may lie from their archive's hour."""

    selection: Selection
    interval: DataInterval
    margin: timedelta = timedelta(0)


def read_file(file: Any, where: str, request: Request) -> Generator[pa.RecordBatch, None, None]:
    """The rows of a file of lines in gzip, or plain by its name, in the selection's schema."""
    lines = _lines(file, where)
    for batch in read_lines(
        lines, where, request.selection, request.interval, columns=amplitude_column
    ):
        yield project(batch, request.selection, where)


def count_file(file: Any, where: str, request: Request) -> int:
    """Count the rows of such a file by their times alone."""
    lines = _lines(file, where)
    return count_lines(lines, where, request.selection, request.interval, columns=amplitude_column)


def read_zip(file: Any, where: str, request: Request) -> Generator[pa.RecordBatch, None, None]:
    """The rows of a zip of such files; `file` must seek."""
    for member, shown in _members(file, where, request):
        with member:
            yield from read_file(member, shown, request)


def count_zip(file: Any, where: str, request: Request) -> int:
    rows = 0
    for member, shown in _members(file, where, request):
        with member:
            rows += count_file(member, shown, request)
    return rows


def sample_file(file: Any, where: str) -> FoundColumns:
    """The members of the first lines of such a file."""
    return sample_members(_lines(file, where), where)


def sample_zip(file: Any, where: str, request: Request) -> FoundColumns | None:
    """Of the first file in a zip that may have rows of the interval; None where there is none."""
    with closing(_members(file, where, request)) as members:
        for member, shown in members:
            with member:
                return sample_file(member, shown)
    return None


def _members(
    file: Any, where: str, request: Request
) -> Generator[tuple[IO[bytes], str], None, None]:
    """The opened files that may have rows of the interval, in order, each as it is shown."""
    with _damage_told(where), zipfile.ZipFile(file) as opened:
        for name in sorted(opened.namelist()):
            shown = f"{where}, {name}"
            found = None if name.endswith("/") else archive(name, shown)
            if (
                found
                and found.model == request.selection.model.name
                and found.may_hold(request.interval, request.margin)
            ):
                yield opened.open(name), shown


def _lines(file: Any, where: str) -> "_Lines":
    unpack: Any = igzip.IGzipFile
    return _Lines(file if where.endswith(".json") else unpack(fileobj=file), where)


class _Lines:
    """What a file unpacks to. Damage is told where it was met: after all that came before it."""

    def __init__(self, stream: Any, where: str) -> None:
        self._stream = stream
        self._where = where
        self._whole = 0
        self._damage: Exception | None = None

    def read(self, size: int, /) -> bytes:
        pieces: list[bytes] = []
        missing = size
        while missing and self._damage is None:
            try:
                piece = self._stream.read1(min(missing, _PIECE_BYTES))
            except _DAMAGE as error:
                self._damage = error
                break
            if not piece:
                break
            pieces.append(piece)
            missing -= len(piece)
            self._whole += piece.count(b"\n")
        if self._damage is not None and not pieces:
            raise _damaged(f"{self._where}, after line {self._whole}", self._damage)
        return b"".join(pieces)


@contextmanager
def _damage_told(where: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise _damaged(where, error) from error


def _damaged(where: str, error: Exception) -> Terminal:
    return Terminal(f"{where}: {error}.", remedy="The archive is damaged: fetch it again.")
