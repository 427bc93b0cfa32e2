"""One JSON lines file of a lake, plain or compressed."""

from collections.abc import Callable, Generator
from functools import partial

import pyarrow as pa
from pyarrow import fs

from batch_exports.interval import DataInterval
from batch_exports.models import TIMESTAMP
from batch_exports.sources.counting import Pieces
from batch_exports.sources.json_lines import count_lines, read_lines
from batch_exports.sources.projection import conform
from batch_exports.sources.source import Selection

_CODECS = {".gz": "gzip", ".zst": "zstd"}


Opener = Callable[[], pa.NativeFile]


def prepare(filesystem: fs.FileSystem, path: str) -> Opener:
    """How the file is opened: nothing of it is looked up before."""
    return partial(opened, filesystem, path)


def read(
    opener: Opener, where: str, selection: Selection, interval: DataInterval
) -> Generator[pa.RecordBatch, None, None]:
    """The interval's rows, with the source's columns that the selection needs."""
    with opener() as stream:
        yield from read_lines(stream, where, selection, interval)


def count(opener: Opener, where: str, selection: Selection, interval: DataInterval) -> int:
    """Count the interval's rows in a pass of its own over the filtered members alone."""
    with opener() as stream:
        return count_lines(stream, where, selection, interval)


def count_pieces(opener: Opener, where: str, selection: Selection, pieces: Pieces) -> None:
    """Add the file's rows to the pieces of time that they lie in."""
    counted = Selection(selection.model, (), selection.membership, selection.filters)
    with opener() as stream:
        for batch in read_lines(stream, where, counted, pieces.span):
            moments = batch.column(selection.membership)
            pieces.add(conform(moments, TIMESTAMP, selection.membership, where))


def opened(filesystem: fs.FileSystem, path: str) -> pa.NativeFile:
    """The file's lines as they are without compression."""
    codec = next((name for ending, name in _CODECS.items() if path.endswith(ending)), None)
    return filesystem.open_input_stream(path, compression=codec)
