"""Objects that a shard has uploaded without completing them, and their completion by others."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import ClientError

from batch_exports.destinations.receipts import Receipt, gone, overtaken
from batch_exports.destinations.s3.errors import error_code
from batch_exports.destinations.s3.lock import IntervalLock
from batch_exports.destinations.s3.manifest import Manifest, ManifestObject
from batch_exports.destinations.s3.objects import list_unfinished
from batch_exports.destinations.s3.upload import ObjectUpload, complete_upload
from batch_exports.interval import DataInterval

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MARK = "batch-exports-shard"


class StagedObject(msgspec.Struct, frozen=True):
    """An upload with all its parts on S3. `first` and `last` are the bounds of the membership
    column. The object has `mark` among its metadata once it is completed, and no other has."""

    key: str
    upload_id: str
    mark: str
    part_etags: list[str]
    rows: int
    bytes: int
    sha256: str
    first: datetime | None = None
    last: datetime | None = None


class S3Receipt(Receipt, frozen=True, kw_only=True):
    """`rejects` is the object of originals, where there are any; `before` tells the delivery that
    was there when the shard began."""

    files: list[StagedObject]
    rejects: StagedObject | None
    before: str

    @property
    def objects(self) -> list[StagedObject]:
        return [*self.files, self.rejects] if self.rejects else self.files


def new_mark() -> str:
    return secrets.token_hex(8)


def marking(headers: Mapping[str, Any], mark: str) -> dict[str, Any]:
    """The headers with those that mark an object as this one."""
    return {**headers, "Metadata": {_MARK: mark}}


def staged_object(
    upload: ObjectUpload, mark: str, rows: int, moments: Sequence[datetime] = ()
) -> StagedObject:
    """A sealed upload, all of which is on S3."""
    assert upload.upload_id, "sealed with last=False"
    return StagedObject(
        upload.key,
        upload.upload_id,
        mark,
        upload.part_etags,
        rows,
        upload.bytes,
        upload.sha256,
        moments[0] if moments else None,
        moments[-1] if moments else None,
    )


def identity(manifest: Manifest | None) -> str:
    """What tells one delivery of an interval from all others."""
    return f"{manifest.run_id} {manifest.delivered_at.isoformat()}" if manifest else "none"


def refuse_overtaken(
    receipts: Sequence[S3Receipt], manifest: Manifest | None, interval: DataInterval
) -> None:
    """Raises `Terminal` where the manifest is neither that which all shards have seen, nor that of
    an earlier try of their commit."""
    own = [(item.key, item.sha256) for receipt in receipts for item in receipt.files]
    if manifest and [(item.key, item.sha256) for item in manifest.objects] == own:
        return
    if any(receipt.before != identity(manifest) for receipt in receipts):
        raise overtaken(interval)


def complete_staged(
    client: "S3Client",
    bucket: str,
    stem: str,
    receipts: Sequence[S3Receipt],
    interval: DataInterval,
    lock: IntervalLock,
) -> Mapping[str, ManifestObject]:
    """Make all objects of the receipts visible, one right after the other; by key what became of
    them. Those that an earlier try has completed stay.

    Raises `Terminal` where uploads are gone, and nothing has been made visible then.
    """
    unfinished = set(list_unfinished(client, bucket, stem))
    etags: dict[str, str] = {}
    waiting, missing = list[StagedObject](), set[int]()
    for receipt in receipts:
        for item in receipt.objects:
            # Some stores list the uploads of a whole key alone.
            if (item.key, item.upload_id) in unfinished or (item.key, item.upload_id) in set(
                list_unfinished(client, bucket, item.key)
            ):
                waiting.append(item)
            elif etag := _completed(client, bucket, item):
                etags[item.key] = etag
            else:
                missing.add(receipt.shard)
    if missing:
        raise gone(interval, sorted(missing))
    lock.check()
    for item in waiting:
        etags[item.key] = _complete(client, bucket, item)
    items = [item for receipt in receipts for item in receipt.objects]
    return {item.key: _told(item, etags[item.key]) for item in items}


def _complete(client: "S3Client", bucket: str, item: StagedObject) -> str:
    try:
        return complete_upload(client, bucket, item.key, item.upload_id, item.part_etags)
    except ClientError as error:
        # So it is answered when the answer to an earlier try of the request was lost.
        if error_code(error) == "NoSuchUpload" and (etag := _completed(client, bucket, item)):
            return etag
        raise


def _completed(client: "S3Client", bucket: str, item: StagedObject) -> str | None:
    """The ETag of the object that the upload has become; None if it has not."""
    try:
        head = client.head_object(Bucket=bucket, Key=item.key)
    except ClientError as error:
        if error_code(error) in ("NoSuchKey", "404"):
            return None
        raise
    own = head["Metadata"].get(_MARK) == item.mark and head["ContentLength"] == item.bytes
    return head["ETag"] if own else None


def _told(item: StagedObject, etag: str) -> ManifestObject:
    return ManifestObject(
        key=item.key,
        rows=item.rows,
        bytes=item.bytes,
        sha256=item.sha256,
        etag=etag,
        membership_min=item.first,
        membership_max=item.last,
    )
