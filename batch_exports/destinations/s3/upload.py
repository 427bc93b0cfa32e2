"""Objects that are uploaded while they are written, and become visible when they are told to."""

import hashlib
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from batch_exports.errors import Transient

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# S3 takes 10,000 parts an object. Parts double in size every thousand, which makes room for
# objects of terabytes and keeps those of megabytes in parts of megabytes.
FIRST_PART_BYTES = 5 * 2**20
_PARTS_OF_ONE_SIZE = 1000
_PARTS_IN_FLIGHT = 4


class Uploads:
    """The objects of one delivery. Use `uploading`, which leaves no part behind on failure."""

    def __init__(
        self,
        client: "S3Client",
        bucket: str,
        headers: Mapping[str, Any],
        workers: ThreadPoolExecutor,
    ) -> None:
        self.client = client
        self.bucket = bucket
        self.headers = headers
        self.workers = workers
        self.in_flight = BoundedSemaphore(_PARTS_IN_FLIGHT)
        self.objects: list[ObjectUpload] = []

    def open(self, key: str) -> "ObjectUpload":
        upload = ObjectUpload(self, key)
        self.objects.append(upload)
        return upload

    def complete(self) -> None:
        """Make all objects visible, one right after the other. All must be sealed.

        One that still has bytes to send goes first: where that fails, none is visible.
        """
        for upload in sorted(self.objects, key=lambda upload: upload.is_sent):
            upload.complete()


@contextmanager
def uploading(
    client: "S3Client", bucket: str, headers: Mapping[str, Any]
) -> Generator[Uploads, None, None]:
    """Uploads that are aborted on any error, so that nothing of them stays on S3.

    `headers` go with each object, such as those of encryption.
    """
    with ThreadPoolExecutor(_PARTS_IN_FLIGHT, thread_name_prefix="upload") as workers:
        uploads = Uploads(client, bucket, headers, workers)
        try:
            yield uploads
        except BaseException:
            for upload in uploads.objects:
                upload.abort()
            raise


def complete_upload(
    client: "S3Client", bucket: str, key: str, upload_id: str, part_etags: Sequence[str]
) -> str:
    """Make an object of its parts, in the place of one of the same key; its ETag."""
    parts = [
        {"PartNumber": number, "ETag": etag} for number, etag in enumerate(part_etags, start=1)
    ]
    completed = client.complete_multipart_upload(
        Bucket=bucket,
        Key=key,
        UploadId=upload_id,
        MultipartUpload={"Parts": parts},  # type: ignore[typeddict-item]  # a list of dicts is
    )
    return completed["ETag"]


class ObjectUpload:
    """A file's bytes on their way: write, then `seal`, then `complete`.

    Parts are sent in the background, a few of all objects at a time; `write` waits for room. A
    part that failed raises its error at the next call.
    """

    def __init__(self, uploads: Uploads, key: str) -> None:
        self.key = key
        self.bytes = 0
        self.etag = ""
        self._uploads = uploads
        self._buffer = bytearray()
        self._sha256 = hashlib.sha256()
        self._upload_id: str | None = None
        self._parts: list[Future[str]] = []

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    @property
    def upload_id(self) -> str | None:
        """The multipart upload that waits to be completed, where there is one."""
        return self._upload_id

    @property
    def part_etags(self) -> list[str]:
        """What S3 answered to each part of the sealed object."""
        return [part.result() for part in self._parts]

    @property
    def is_sent(self) -> bool:
        """Whether all bytes of the sealed object are on S3."""
        return self._upload_id is not None

    def write(self, data: bytes | pa.Buffer, /) -> int:
        view = memoryview(data)
        self._sha256.update(view)
        self.bytes += len(view)
        start = 0
        while start < len(view):
            room = self._part_bytes - len(self._buffer)
            self._buffer += view[start : start + room]
            start += room
            if len(self._buffer) >= self._part_bytes:
                self._send_part()
        return len(view)

    def seal(self, *, last: bool) -> None:
        """End the object: when this returns, all its bytes are on S3, not yet visible.

        The `last` object of a delivery, if small, waits in memory and is put in one request; that
        spares most deliveries the three requests of a multipart upload.
        """
        if self._buffer and (self._upload_id or not last):
            self._send_part()
        for part in self._parts:
            part.result()

    def complete(self) -> None:
        """Make the sealed object visible, in the place of one of the same key."""
        if self._upload_id is None:
            answer = self._uploads.client.put_object(
                Bucket=self._uploads.bucket,
                Key=self.key,
                Body=bytes(self._buffer),
                **self._uploads.headers,
            )
            self.etag = answer["ETag"]
            return
        self.etag = complete_upload(
            self._uploads.client, self._uploads.bucket, self.key, self._upload_id, self.part_etags
        )
        self._upload_id = None

    def abort(self) -> None:
        """Drop what was sent. Parts under way are waited for, since they would outlive an abort.

        An abort that fails itself is left to the next run's sweep.
        """
        for part in self._parts:
            part.cancel()
        for part in self._parts:
            if not part.cancelled():
                part.exception()
        if self._upload_id is None:
            return
        try:
            self._uploads.client.abort_multipart_upload(
                Bucket=self._uploads.bucket, Key=self.key, UploadId=self._upload_id
            )
        except Exception:  # the error under way is the one to report
            return

    @property
    def _part_bytes(self) -> int:
        return int(FIRST_PART_BYTES << (len(self._parts) // _PARTS_OF_ONE_SIZE))

    def _send_part(self) -> None:
        for part in self._parts:
            if part.done() and part.exception():
                part.result()
        if self._upload_id is None:
            self._upload_id = self._begin()
        body, self._buffer = bytes(self._buffer), bytearray()
        self._uploads.in_flight.acquire()
        number = len(self._parts) + 1
        part = self._uploads.workers.submit(self._put_part, self._upload_id, number, body)
        part.add_done_callback(lambda _: self._uploads.in_flight.release())
        self._parts.append(part)

    def _begin(self) -> str:
        answer = self._uploads.client.create_multipart_upload(
            Bucket=self._uploads.bucket, Key=self.key, **self._uploads.headers
        )
        # An answer that is cut off within its headers passes for an empty one.
        if not answer.get("UploadId"):
            raise Transient(
                f"The upload of {self.key} was begun without an answer.",
                remedy="It is tried again.",
            )
        return answer["UploadId"]

    def _put_part(self, upload_id: str, number: int, body: bytes) -> str:
        return self._uploads.client.upload_part(
            Bucket=self._uploads.bucket,
            Key=self.key,
            UploadId=upload_id,
            PartNumber=number,
            Body=body,
        )["ETag"]
