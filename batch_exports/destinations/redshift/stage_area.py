"""Where rows wait on S3 for COPY: a folder an interval, empty before and after its delivery."""

import hashlib
import json
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
from botocore.exceptions import BotoCoreError, ClientError

from batch_exports.destinations.redshift.authorization import Authorization
from batch_exports.destinations.redshift.dealing import deal
from batch_exports.destinations.s3.errors import s3_errors
from batch_exports.destinations.s3.lock import LEASE_SECONDS, held
from batch_exports.destinations.s3.objects import list_objects, list_unfinished
from batch_exports.destinations.s3.upload import ObjectUpload, uploading
from batch_exports.interval import DataInterval

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_LOCK = "lock.json"


@dataclass(frozen=True)
class StagedFiles:
    """Files that a manifest names. `manifest` is its S3 URI; `sha256` (in hex) is of the files'
    own, in their order."""

    manifest: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class StageArea:
    """A place on S3 for one or more exports' files on their way to Redshift.

    `key_prefix` ends in a slash, or is empty. Redshift reads with `authorization`. `files` is how
    many it reads at a time, where it does not tell its number of slices. A folder's lock goes stale
    `lease_seconds` after its holder fell silent.
    """

    client: "S3Client"
    bucket: str
    key_prefix: str
    authorization: Authorization
    files: int | None = None
    lease_seconds: float = LEASE_SECONDS

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key_prefix}"

    def folder(self, export: str, interval: DataInterval) -> "StageFolder":
        bounds = "-".join(f"{moment:%Y%m%dT%H%M%SZ}" for moment in (interval.start, interval.end))
        return StageFolder(self, f"{self.key_prefix}{export}/{bounds}/")


@dataclass(frozen=True)
class StageFolder:
    """The files of one interval, under one prefix."""

    area: StageArea
    prefix: str

    @property
    def authorization(self) -> Authorization:
        return self.area.authorization

    @property
    def uri(self) -> str:
        return f"s3://{self.area.bucket}/{self.prefix}"

    @contextmanager
    def held(self, run_id: str) -> Generator[None, None, None]:
        """Keep other runs out of the folder, which is swept before and after.

        What a killed run left is found by the next one of the interval. Raises `Transient` while
        another run proves alive.
        """
        area = self.area
        lock = held(
            area.client,
            area.bucket,
            self.prefix + _LOCK,
            {},
            run_id=run_id,
            lease_seconds=area.lease_seconds,
        )
        with s3_errors(self.uri), lock:
            self._sweep()
            try:
                yield
            finally:
                # What cannot be deleted now is by the next run; the error under way goes first.
                with suppress(ClientError, BotoCoreError):
                    self._sweep()

    @contextmanager
    def upload(
        self, name: str, batches: Iterable[pa.RecordBatch], files: int
    ) -> Generator[StagedFiles | None, None, None]:
        """Rows as Parquet files, and their manifest, under `name`; None for no rows.

        They are gone when the block is left.
        """
        with s3_errors(self.uri):
            staged = self._put(f"{self.prefix}{name}/", batches, files)
        try:
            yield staged
        finally:
            with suppress(ClientError, BotoCoreError):
                self._delete(f"{self.prefix}{name}/")

    def _put(
        self, prefix: str, batches: Iterable[pa.RecordBatch], files: int
    ) -> StagedFiles | None:
        area = self.area
        with uploading(area.client, area.bucket, {}) as uploads:
            rows = deal(batches, files, lambda number: uploads.open(f"{prefix}{number:04}.parquet"))
            if not rows:
                return None
            uploads.complete()
        objects = uploads.objects
        manifest = f"{prefix}manifest"
        area.client.put_object(
            Bucket=area.bucket, Key=manifest, Body=_manifest(area.bucket, objects)
        )
        return StagedFiles(
            f"s3://{area.bucket}/{manifest}",
            rows,
            sum(file.bytes for file in objects),
            hashlib.sha256("".join(file.sha256 for file in objects).encode()).hexdigest(),
        )

    def _sweep(self) -> None:
        """Delete all but the lock, and drop uploads that were never completed."""
        area = self.area
        for key, upload_id in list(list_unfinished(area.client, area.bucket, self.prefix)):
            area.client.abort_multipart_upload(Bucket=area.bucket, Key=key, UploadId=upload_id)
        self._delete(self.prefix)

    def _delete(self, prefix: str) -> None:
        area = self.area
        for key in list(list_objects(area.client, area.bucket, prefix)):
            if key != self.prefix + _LOCK:
                area.client.delete_object(Bucket=area.bucket, Key=key)


def _manifest(bucket: str, files: Iterable[ObjectUpload]) -> bytes:
    """For columnar files COPY asks for their length, to the byte:
    https://docs.aws.amazon.com/redshift/latest/dg/loading-data-files-using-manifest.html"""
    entries = [
        {
            "url": f"s3://{bucket}/{file.key}",
            "mandatory": True,
            "meta": {"content_length": file.bytes},
        }
        for file in files
    ]
    return json.dumps({"entries": entries}).encode()
