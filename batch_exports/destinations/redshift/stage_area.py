"""Where rows wait on S3 for COPY: a folder an interval, empty before and after its delivery."""

import hashlib
import json
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
from botocore.exceptions import BotoCoreError, ClientError

from batch_exports.destinations.redshift.authorization import Authorization
from batch_exports.destinations.redshift.dealing import deal
from batch_exports.destinations.redshift.loading import Loaded
from batch_exports.destinations.s3.errors import s3_errors
from batch_exports.destinations.s3.lock import LEASE_SECONDS, held
from batch_exports.destinations.s3.objects import list_objects, list_unfinished
from batch_exports.destinations.s3.upload import uploading
from batch_exports.interval import DataInterval

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_LOCK = "lock.json"


class StagedFile(msgspec.Struct, frozen=True):
    """A Parquet file in the folder."""

    key: str
    bytes: int


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
    def held(self, run_id: str, keep: Collection[str] = ()) -> Generator[None, None, None]:
        """Keep other runs out of the folder, which is swept before and after.

        What a killed run left is found by the next one of the interval. The objects that `keep`
        names stay until the block is left without an error. Raises `Transient` while another run
        proves alive.
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
            self._sweep(keep)
            try:
                yield
                keep = ()
            finally:
                # What cannot be deleted now is by the next run; the error under way goes first.
                with suppress(ClientError, BotoCoreError):
                    self._sweep(keep)

    @contextmanager
    def upload(
        self, name: str, batches: Iterable[pa.RecordBatch], files: int
    ) -> Generator[tuple[str, Loaded] | None, None, None]:
        """Rows as Parquet files under `name`: their manifest's S3 URI, and what is in them; None
        for no rows.

        They are gone when the block is left.
        """
        put, loaded = self.put(name, batches, files)
        manifest = self.put_manifest(name, put) if put else ""
        try:
            yield (manifest, loaded) if put else None
        finally:
            with suppress(ClientError, BotoCoreError):
                self._delete(f"{self.prefix}{name}/")

    def put(
        self, name: str, batches: Iterable[pa.RecordBatch], files: int
    ) -> tuple[list[StagedFile], Loaded]:
        """Rows as Parquet files under `name`, which stay; none without rows. The SHA-256 of all is
        that of the files' own, in their order."""
        area, prefix = self.area, f"{self.prefix}{name}/"
        with s3_errors(self.uri), uploading(area.client, area.bucket, {}) as uploads:
            rows = deal(batches, files, lambda number: uploads.open(f"{prefix}{number:04}.parquet"))
            uploads.complete()
        put = [StagedFile(file.key, file.bytes) for file in uploads.objects]
        hashes = "".join(file.sha256 for file in uploads.objects)
        sha256 = hashlib.sha256(hashes.encode()).hexdigest() if rows else ""
        return put, Loaded(rows, sum(file.bytes for file in put), sha256)

    def put_manifest(self, name: str, files: Sequence[StagedFile]) -> str:
        """The S3 URI of a manifest of files under `name`, from which COPY loads them."""
        area, key = self.area, f"{self.prefix}{name}/manifest"
        with s3_errors(self.uri):
            area.client.put_object(Bucket=area.bucket, Key=key, Body=_manifest(area.bucket, files))
        return f"s3://{area.bucket}/{key}"

    def sizes(self) -> Mapping[str, int]:
        """The bytes of each object in the folder, by its key."""
        pages = self.area.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.area.bucket, Prefix=self.prefix
        )
        return {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", [])}

    def _sweep(self, keep: Collection[str] = ()) -> None:
        """Delete all but the lock and what is kept, and drop uploads that were never completed."""
        area = self.area
        for key, upload_id in list(list_unfinished(area.client, area.bucket, self.prefix)):
            area.client.abort_multipart_upload(Bucket=area.bucket, Key=key, UploadId=upload_id)
        self._delete(self.prefix, keep)

    def _delete(self, prefix: str, keep: Collection[str] = ()) -> None:
        area = self.area
        for key in list(list_objects(area.client, area.bucket, prefix)):
            if key != self.prefix + _LOCK and key not in keep:
                area.client.delete_object(Bucket=area.bucket, Key=key)


def _manifest(bucket: str, files: Iterable[StagedFile]) -> bytes:
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
