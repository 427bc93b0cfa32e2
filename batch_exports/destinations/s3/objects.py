"""Objects of a delivery, read back: as a stream, at random places, or listed."""

import io
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
from isal import igzip

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Enough for the footer of most Parquet files in one request.
_TAIL_BYTES = 64 * 2**10


class SupportsRead(Protocol):
    """A stream of bytes; an empty answer is its end."""

    def read(self, size: int, /) -> bytes: ...


class ObjectFile(io.RawIOBase):
    """An object as a file that can seek. Its end, where Parquet keeps the footer, is kept.

    Its size is what S3 says, since the object may not be the one that was delivered.
    """

    def __init__(self, client: "S3Client", bucket: str, key: str) -> None:
        self._client, self._bucket, self._key = client, bucket, key
        self._position = 0
        answer = client.get_object(Bucket=bucket, Key=key, Range=f"bytes=-{_TAIL_BYTES}")
        self._size = int(answer["ContentRange"].rpartition("/")[2])
        self._tail = answer["Body"].read()
        self._tail_start = self._size - len(self._tail)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def size(self) -> int:
        return self._size

    def read(self, size: int = -1) -> bytes:
        stop = self._size if size < 0 else min(self._position + size, self._size)
        start, self._position = self._position, max(stop, self._position)
        if start >= stop:
            return b""
        if start >= self._tail_start:
            return self._tail[start - self._tail_start : stop - self._tail_start]
        return self._fetch(start, stop)

    def _fetch(self, start: int, stop: int) -> bytes:
        answer = self._client.get_object(
            Bucket=self._bucket, Key=self._key, Range=f"bytes={start}-{stop - 1}"
        )
        return answer["Body"].read()


@contextmanager
def open_parquet(
    client: "S3Client", bucket: str, key: str
) -> Generator[pq.ParquetFile, None, None]:
    file = pa.PythonFile(ObjectFile(client, bucket, key), "r")
    with pq.ParquetFile(file) as parquet:
        yield parquet


def parquet_batches(
    file: pq.ParquetFile, rows: int, columns: Sequence[str] | None = None
) -> Generator[pa.RecordBatch, None, None]:
    """All rows, so many at a time. A reader of several row groups would hold what it has read of
    each until it is done with all."""
    for group in range(file.num_row_groups):
        yield from file.iter_batches(
            rows, row_groups=[group], columns=None if columns is None else list(columns)
        )


@contextmanager
def open_lines(
    client: "S3Client", bucket: str, key: str, compression: str
) -> Generator[SupportsRead, None, None]:
    """The uncompressed bytes of a JSON lines object."""
    body = client.get_object(Bucket=bucket, Key=key)["Body"]
    try:
        match compression:
            case "none":
                yield body
            case "gzip":  # ISA-L reads it back several times as fast as zlib
                yield igzip.IGzipFile(fileobj=body, mode="rb")  # type: ignore[no-untyped-call]
            case _:
                yield pa.CompressedInputStream(pa.PythonFile(body, "r"), compression)
    finally:
        body.close()


def list_objects(client: "S3Client", bucket: str, prefix: str) -> Iterator[str]:
    """Keys that begin with the prefix."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        for item in page.get("Contents", []):
            yield item["Key"]


def list_unfinished(client: "S3Client", bucket: str, prefix: str) -> Iterator[tuple[str, str]]:
    """Key and id of each multipart upload that was begun under the prefix, and never ended."""
    pages = client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        for item in page.get("Uploads", []):
            yield item["Key"], item["UploadId"]
