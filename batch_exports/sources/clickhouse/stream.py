"""An answer of ClickHouse's as record batches, and the proof that it is whole."""

from collections.abc import Generator, Mapping
from contextlib import suppress

import pyarrow as pa
import urllib3

from batch_exports.sources.clickhouse.errors import broken, exception_in, lost, received
from batch_exports.sources.clickhouse.server import Connected, Setting
from batch_exports.sources.clickhouse.statement import Statement

BATCH_BYTES = 8 * 2**20
# The server makes blocks of so many rows, which for events of a few KB is about BATCH_BYTES.
BLOCK_ROWS = 4096
_SPILL_BYTES = 2**30
_DAY_SECONDS = 24 * 60 * 60
# What a source may set otherwise.
DEFAULTS: Mapping[str, Setting] = {
    "max_block_size": BLOCK_ROWS,
    "max_joined_block_size_rows": BLOCK_ROWS,
    # Sorting and grouping go on on the server's disk from here on.
    "max_bytes_before_external_group_by": _SPILL_BYTES,
    "max_bytes_before_external_sort": _SPILL_BYTES,
    # A destination that is slow makes the query wait, which counts.
    "max_execution_time": _DAY_SECONDS,
}
# What the rows that are read depend on.
FIXED: Mapping[str, Setting] = {
    # Arrow's own compression, of each column by itself: the codec that costs the server least for
    # what it saves on the line.
    "output_format_arrow_compression_method": "zstd",
    "output_format_arrow_string_as_string": 1,
    "output_format_arrow_low_cardinality_as_dictionary": 0,
    "cancel_http_readonly_queries_on_client_close": 1,
    "join_use_nulls": 0,
    "final": 0,
    "limit": 0,
    "offset": 0,
}
# The end of an Arrow stream: https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format
_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"
_TAIL_BYTES = 2**16


def stream(
    connected: Connected, statement: Statement, settings: Mapping[str, Setting], where: str
) -> Generator[pa.RecordBatch, None, None]:
    """The rows of a query, in batches of at most about `BATCH_BYTES`; one without rows where there
    are none, for the schema.

    Once an answer has begun well, the server can tell of an error in its body alone, and may end
    it as if it were whole. It is whole if Arrow's mark of the end stands at its end: raises the
    error that the body tells of, or `Transient`, for any other.
    """
    with connected.answer(statement, {**DEFAULTS, **settings, **FIXED}) as response:
        body = _Body(response)
        try:
            reader = pa.ipc.open_stream(body)
            yield _empty(reader.schema)
            for batch in reader:
                yield from _sliced(batch)
            body.drain()
        except (pa.ArrowException, OSError) as error:  # Arrow's own are among both
            with suppress(urllib3.exceptions.HTTPError):
                body.drain()
            raise exception_in(body.tail, where) or broken(where, error) from None
        except urllib3.exceptions.HTTPError as error:
            raise exception_in(body.tail, where) or error from None
        if not body.tail.endswith(_END):
            raise exception_in(body.tail, where) or lost(where)


def _empty(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.nulls(0, f.type) for f in schema], schema=schema)


def _sliced(batch: pa.RecordBatch) -> Generator[pa.RecordBatch, None, None]:
    """The batch in parts of about BATCH_BYTES, by its rows' average."""
    parts = max(1, min(batch.num_rows, -(-batch.nbytes // BATCH_BYTES)))
    rows = max(1, -(-batch.num_rows // parts))
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)


class _Body:
    """The bytes of an answer as Arrow reads them, of which the last are kept."""

    closed = False

    def __init__(self, response: urllib3.HTTPResponse) -> None:
        self._response = response
        self.tail = b""

    def read(self, size: int = -1) -> bytes:
        try:
            data = self._response.read(size if size >= 0 else None)
        except urllib3.exceptions.HTTPError as error:
            self._keep(received(error))
            raise
        self._keep(data)
        return data

    def _keep(self, data: bytes) -> None:
        self.tail = (self.tail + data[-_TAIL_BYTES:])[-_TAIL_BYTES:]

    def drain(self) -> None:
        """Read what is left, which is nothing where all is well."""
        while self.read(_TAIL_BYTES):
            pass
