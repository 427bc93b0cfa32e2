"""An answer is whole, or it is an error: never fewer rows that look like all."""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pytest
import urllib3

from batch_exports.errors import BatchExportError, Terminal, Transient
from batch_exports.sources.clickhouse.statement import Statement
from batch_exports.sources.clickhouse.stream import BATCH_BYTES, stream

SCHEMA = pa.schema([("number", pa.int64()), ("text", pa.string())])
END = b"\xff\xff\xff\xff\x00\x00\x00\x00"
LIMIT = b"Code: 241. DB::Exception: (total) memory limit exceeded: 21 GiB. (MEMORY_LIMIT_EXCEEDED)"
THROWN = b"Code: 395. DB::Exception: Value passed to 'throwIf' is non-zero. (FUNCTION_THROW_IF)"


class Canned:
    """What answers any query with the same bytes, as a server that ends its answer well."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    @contextmanager
    def answer(self, statement: Statement, settings: Mapping[str, Any]) -> Iterator[Any]:
        yield urllib3.HTTPResponse(io.BytesIO(self._body), preload_content=False)


def batch(rows: int, first: int = 0, text: str = "x" * 50) -> pa.RecordBatch:
    numbers = pa.array(range(first, first + rows), pa.int64())
    return pa.RecordBatch.from_arrays([numbers, pa.array([text] * rows)], schema=SCHEMA)


def parts(*batches: pa.RecordBatch) -> list[bytes]:
    """The messages of a stream: its schema, each batch, its end."""
    sink, found = io.BytesIO(), list[bytes]()
    writer = pa.ipc.new_stream(sink, SCHEMA)
    for one in (*batches, None):
        if one is None:
            writer.close()
        else:
            writer.write_batch(one)
        found.append(sink.getvalue()[sum(map(len, found)) :])
    return found


FIRST, SECOND, LAST = parts(batch(100), batch(100, 100))


def read(body: bytes) -> list[pa.RecordBatch]:
    return list(stream(Canned(body), Statement("SELECT"), {}, "here"))  # type: ignore[arg-type]


def test_all_rows_and_before_them_the_schema() -> None:
    found = read(FIRST + SECOND + LAST)
    assert [one.num_rows for one in found] == [0, 100, 100]
    assert pa.Table.from_batches(found).column("number").to_pylist() == list(range(200))
    assert LAST == END


def tagged(message: bytes) -> bytes:
    """As servers from 25.11 on write it."""
    tag = b"abcdefghijklmnop"
    return b"\r\n__exception__\r\n%b\r\n%b\n%d %b\r\n__exception__\r\n" % (
        tag,
        message,
        len(message),
        tag,
    )


@pytest.mark.parametrize("write", [bytes, tagged], ids=["plain", "tagged"])
@pytest.mark.parametrize(
    ("before", "after"),
    [(FIRST, b""), (FIRST + SECOND[:300], b""), (FIRST + SECOND, b""), (FIRST[:20], b"")],
    ids=["between batches", "amid a batch", "before the end", "amid the schema"],
)
@pytest.mark.parametrize(("message", "kind"), [(LIMIT, Transient), (THROWN, Terminal)])
def test_an_error_in_the_answer_itself(
    before: bytes, after: bytes, write: Any, message: bytes, kind: type[BatchExportError]
) -> None:
    """https://clickhouse.com/docs/interfaces/http#http_response_codes_caveats"""
    with pytest.raises(kind, match="here: ") as raised:
        read(before + write(message) + after)
    assert raised.type is kind
    assert "__exception__" not in str(raised.value)


@pytest.mark.parametrize(
    "body",
    [FIRST + SECOND, FIRST, FIRST + SECOND[:-1], FIRST + SECOND[:300], FIRST[:30], b""],
    ids=["no end", "one batch", "a byte less", "amid a batch", "amid the schema", "nothing"],
)
def test_an_answer_that_ends_too_soon(body: bytes) -> None:
    """As a proxy may end it that has lost the server, and says that all is well."""
    with pytest.raises(Transient):
        read(body)


def test_something_behind_the_end() -> None:
    with pytest.raises(Transient):
        read(FIRST + SECOND + LAST + b"more")
    with pytest.raises(Terminal, match="code 395"):
        read(FIRST + SECOND + LAST + THROWN)


def test_batches_are_bounded_in_bytes() -> None:
    found = read(b"".join(parts(batch(24, text="x" * 2**20))))
    assert [one.num_rows for one in found] == [0, 6, 6, 6, 6]
    assert max(one.nbytes for one in found) < BATCH_BYTES
