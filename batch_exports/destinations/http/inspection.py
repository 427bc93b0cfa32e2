"""A delivery's record compared with what is on S3, and with the keys at the source."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
from botocore.exceptions import ClientError

from batch_exports.destinations.delivery import KeyReader, LandedColumns, LandedKeys
from batch_exports.destinations.duplicates import audit_keys
from batch_exports.destinations.http.manifest import HttpManifest
from batch_exports.destinations.s3.errors import error_code
from batch_exports.destinations.s3.manifest import ManifestColumn, ManifestObject
from batch_exports.transform.message_ids import digest, message_ids

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CHUNK_BYTES = 4 * 2**20


def rejects(
    client: "S3Client", bucket: str, manifest: HttpManifest, *, deep: bool
) -> tuple[str, ...]:
    """In words, where the object of rejects is not that of the record: by size and ETag, and by
    its checksum when `deep`."""
    item = manifest.rejects
    if item is None:
        return ()
    try:
        head = client.head_object(Bucket=bucket, Key=item.key)
    except ClientError as error:
        if error_code(error) in ("404", "NoSuchKey"):
            return (f"{item.key} is in the record, and not in the bucket.",)
        raise
    changed = (head["ContentLength"], head["ETag"]) != (item.bytes, item.etag)
    if changed or (deep and _checksum(client, bucket, item) != item.sha256):
        return (f"{item.key} is not the object that the record tells of.",)
    return ()


def messages(manifest: HttpManifest, source_keys: KeyReader) -> tuple[str, ...]:
    """In words, where the message IDs of the rows at the source are not those of the record."""
    found = rows = 0
    with source_keys() as batches:
        for batch in batches:
            found += digest(message_ids(manifest.export, batch))
            rows += batch.num_rows
    if found % 2**64 == manifest.message_ids.total:
        return ()
    return (
        f"The keys of the {rows} rows at the source make other message IDs than those that were "
        "sent, rejected and skipped. Rows came, or went, after the delivery: materialize again.",
    )


def columns(manifest: HttpManifest, expected: Sequence[ManifestColumn]) -> LandedColumns:
    """The columns that calls were made of."""
    sent = {column.name: column.type for column in manifest.columns}
    wanted = {column.name: column.type for column in expected}
    problems = [
        f"Calls were made of {name} as {sent.get(name, 'missing')}, not as {type_}."
        for name, type_ in wanted.items()
        if sent.get(name) != type_
    ]
    return LandedColumns(sent, tuple(problems))


def keys(manifest: HttpManifest, source_keys: KeyReader, key: Sequence[str]) -> LandedKeys:
    """Null and repeated keys among the rows at the source. A message ID that repeats is dropped."""

    def read() -> Iterator[pa.RecordBatch]:
        with source_keys() as batches:
            yield from batches

    rows = manifest.rows + manifest.rejected + manifest.skipped
    return audit_keys(read, key, rows)


def _checksum(client: "S3Client", bucket: str, item: ManifestObject) -> str:
    sha256 = hashlib.sha256()
    for chunk in client.get_object(Bucket=bucket, Key=item.key)["Body"].iter_chunks(_CHUNK_BYTES):
        sha256.update(chunk)
    return sha256.hexdigest()
