"""Results of chDB as one Arrow stream, as ClickHouse's HTTP interface sends them."""

import io
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pyarrow as pa

_CODECS = {"lz4_frame": "lz4", "zstd": "zstd", "none": None}


def framed(
    chunks: Iterator[Any], empty: Callable[[], bytes], settings: Mapping[str, str]
) -> Iterator[tuple[bytes, int]]:
    """Bytes of the stream, and how many rows they hold.

    Each of chDB's chunks is a whole stream of its own, and without rows there is none: `empty`
    gives that stream. Buffers are compressed as the setting output_format_arrow_compression_method
    asks for; ClickHouse's default is lz4_frame.
    """
    codec = _CODECS[settings.get("output_format_arrow_compression_method", "lz4_frame")]
    options = pa.ipc.IpcWriteOptions(compression=codec)
    sink, writer = io.BytesIO(), None
    for chunk in chunks:
        for batch in pa.ipc.open_stream(chunk.bytes()):
            writer = writer or pa.ipc.new_stream(sink, batch.schema, options=options)
            writer.write_batch(batch)
            yield _taken(sink), batch.num_rows
    if writer is None:
        yield empty(), 0
    else:
        writer.close()
        yield _taken(sink), 0


def _taken(sink: io.BytesIO) -> bytes:
    data = sink.getvalue()
    sink.seek(0)
    sink.truncate()
    return data
