"""Streams that independent readers open: Python's gzip and zlib, Google's brotli, Arrow's zstd."""

import gzip
import io
import random
import zlib
from collections.abc import Callable

import brotli
import pyarrow as pa
import pytest

from batch_exports.transform.compression import COMPRESSORS

READERS: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gzip": gzip.decompress,
    "brotli": brotli.decompress,
    "zstd": lambda data: pa.CompressedInputStream(pa.BufferReader(data), "zstd").read(),
}
RANDOM = random.Random(1)
PIECES = {
    "none": [],
    "empty": [b""],
    "one": [b'{"a":1}\n'],
    "many": [b'{"a":%d}\n' % number * 1000 for number in range(300)],
    "incompressible": [RANDOM.randbytes(2**20) for _ in range(3)],
    "with empty ones between": [b"a", b"", b"b", b""],
}


def compress(codec: str, pieces: list[bytes]) -> bytes:
    sink = io.BytesIO()
    stream = COMPRESSORS[codec](sink)
    for piece in pieces:
        stream.write(pa.py_buffer(piece))
    stream.close()
    assert not sink.closed
    return sink.getvalue()


def test_each_codec_has_a_reader() -> None:
    assert COMPRESSORS.keys() == READERS.keys()


@pytest.mark.parametrize("pieces", PIECES)
@pytest.mark.parametrize("codec", COMPRESSORS)
def test_round_trip(codec: str, pieces: str) -> None:
    assert READERS[codec](compress(codec, PIECES[pieces])) == b"".join(PIECES[pieces])


@pytest.mark.parametrize("pieces", PIECES)
def test_gzip_is_one_member(pieces: str) -> None:
    """Readers that stop after the first member would lose rows."""
    reader = zlib.decompressobj(wbits=31)
    data = reader.decompress(compress("gzip", PIECES[pieces]))
    assert reader.eof
    assert reader.unused_data == b""
    assert data == b"".join(PIECES[pieces])


@pytest.mark.parametrize("codec", sorted(COMPRESSORS.keys() - {"none"}))
def test_repetition_is_compressed_away(codec: str) -> None:
    assert len(compress(codec, PIECES["many"])) < len(b"".join(PIECES["many"])) / 20
