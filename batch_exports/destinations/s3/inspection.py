"""A delivery's objects compared with its manifest: each function reads S3 anew."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
from botocore.exceptions import ClientError

from batch_exports.destinations.delivery import LandedColumns, LandedKeys
from batch_exports.destinations.duplicates import audit_keys
from batch_exports.destinations.s3.errors import error_code
from batch_exports.destinations.s3.manifest import (
    Manifest,
    ManifestColumn,
    ManifestObject,
    columns_of,
)
from batch_exports.destinations.s3.objects import open_lines, open_parquet, parquet_batches
from batch_exports.errors import Terminal
from batch_exports.transform.prefetch import prefetch

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CHUNK_BYTES = 4 * 2**20
_BATCH_ROWS = 16_384
_ANY_LINE = msgspec.json.Decoder(dict[str, msgspec.Raw])


def inspect(
    client: "S3Client", bucket: str, manifest: Manifest, *, deep: bool
) -> tuple[int | None, tuple[str, ...]]:
    """The rows found in the objects, and in words where they differ from the manifest.

    Sizes and ETags are compared for all objects. Parquet's rows are those of its footers. JSON
    lines' are only counted when `deep`, which reads every row and compares every checksum.
    """
    rows: int | None = 0
    problems: list[str] = []
    for item in [*manifest.objects, *manifest.all_rejects]:
        found = _compare_head(client, bucket, item)
        if not found and deep:
            found = _compare_checksum(client, bucket, item)
        problems += found
        if found or item in manifest.all_rejects:
            continue
        counted = _count_rows(client, bucket, item, manifest, deep=deep)
        rows = None if rows is None or counted is None else rows + counted
        if counted is not None and counted != item.rows:
            problems.append(f"{item.key} holds {counted} rows; the manifest says {item.rows}.")
    return rows, tuple(problems)


def changed(client: "S3Client", bucket: str, manifest: Manifest) -> tuple[str, ...]:
    """In words, data objects that are not those of the manifest, by their size and ETag."""
    return tuple(
        problem for item in manifest.objects for problem in _compare_head(client, bucket, item)
    )


def inspect_columns(
    client: "S3Client", bucket: str, manifest: Manifest, expected: list[ManifestColumn]
) -> LandedColumns:
    """The columns in the objects: of Parquet by its schema, of JSON lines by the first lines."""
    types: dict[str, str] = {column.name: column.type for column in manifest.columns}
    problems = _differences("the manifest", types, expected)
    for item in manifest.objects:
        if manifest.file_format == "parquet":
            with open_parquet(client, bucket, item.key) as file:
                found = {c.name: c.type for c in columns_of(file.schema_arrow)}
            problems += _differences(item.key, found, expected)
            types |= found
        else:
            problems += _line_problems(client, bucket, item, manifest, expected)
    return LandedColumns(types, tuple(dict.fromkeys(problems)))


def inspect_keys(
    client: "S3Client", bucket: str, manifest: Manifest, key: Sequence[str]
) -> LandedKeys:
    """Null and duplicate keys among all rows of the delivery.

    Raises `Terminal` where it was made without one of the key's columns.
    """
    delivered = {column.name for column in manifest.columns}
    if missing := [name for name in key if name not in delivered]:
        raise Terminal(
            f"The delivery has no column {missing[0]!r}, by which its rows are told apart.",
            remedy="Materialize the partition again, with the export's columns of today.",
        )
    return audit_keys(lambda: _read_keys(client, bucket, manifest, key), key, manifest.rows)


def _compare_head(client: "S3Client", bucket: str, item: ManifestObject) -> list[str]:
    try:
        head = client.head_object(Bucket=bucket, Key=item.key)
    except ClientError as error:
        if error_code(error) in ("404", "NoSuchKey"):
            return [f"{item.key} is in the manifest, and not in the bucket."]
        raise
    if head["ContentLength"] != item.bytes:
        return [f"{item.key} has {head['ContentLength']} bytes; the manifest says {item.bytes}."]
    if head["ETag"] != item.etag:
        return [f"{item.key} has the ETag {head['ETag']}; the manifest says {item.etag}."]
    return []


def _compare_checksum(client: "S3Client", bucket: str, item: ManifestObject) -> list[str]:
    sha256 = hashlib.sha256()
    for chunk in client.get_object(Bucket=bucket, Key=item.key)["Body"].iter_chunks(_CHUNK_BYTES):
        sha256.update(chunk)
    if sha256.hexdigest() == item.sha256:
        return []
    return [f"{item.key} has the SHA-256 {sha256.hexdigest()}; the manifest says {item.sha256}."]


def _count_rows(
    client: "S3Client", bucket: str, item: ManifestObject, manifest: Manifest, *, deep: bool
) -> int | None:
    if manifest.file_format == "parquet":
        with open_parquet(client, bucket, item.key) as file:
            if deep:
                return sum(int(b.num_rows) for b in parquet_batches(file, _BATCH_ROWS))
            return int(file.metadata.num_rows)
    if not deep:
        return None
    return sum(
        len(_ANY_LINE.decode_lines(block))
        for block in _line_blocks(client, bucket, item, manifest.compression)
    )


def _read_keys(
    client: "S3Client", bucket: str, manifest: Manifest, key: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    for item in manifest.objects:
        if manifest.file_format == "parquet":
            with open_parquet(client, bucket, item.key) as file:
                yield from parquet_batches(file, _BATCH_ROWS, key)
        else:
            types = {column.name: column.type for column in manifest.columns}
            # Decompression lets go of Python's lock: it goes on beside the decoding.
            lines = _line_blocks(client, bucket, item, manifest.compression)
            with prefetch(lines, ahead=1) as blocks:
                yield from _read_line_keys(blocks, {name: types[name] for name in key})


def _read_line_keys(blocks: Iterable[bytes], key: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
    """The columns named in `key`, with their types. Times are compared as they are written."""
    integers = [type_ == "int64" for type_ in key.values()]
    fields = [
        (f"c{i}", (int if integer else str) | None, msgspec.field(default=None, name=name))
        for i, (name, integer) in enumerate(zip(key, integers, strict=True))
    ]
    decoder = msgspec.json.Decoder(msgspec.defstruct("Key", fields))
    for block in blocks:
        rows = decoder.decode_lines(block)
        columns = [
            pa.array(list(map(attrgetter(f"c{i}"), rows)), pa.int64() if integer else pa.string())
            for i, integer in enumerate(integers)
        ]
        yield pa.RecordBatch.from_arrays(columns, names=list(key))


def _line_blocks(
    client: "S3Client", bucket: str, item: ManifestObject, compression: str
) -> Iterator[bytes]:
    """Whole lines, some megabytes at a time."""
    rest = b""
    with open_lines(client, bucket, item.key, compression) as stream:
        while data := stream.read(_CHUNK_BYTES):
            head, newline, tail = data.rpartition(b"\n")
            if newline:
                yield rest + head
                rest = tail
            else:
                rest += tail
    if rest:
        yield rest


def _line_problems(
    client: "S3Client",
    bucket: str,
    item: ManifestObject,
    manifest: Manifest,
    expected: list[ManifestColumn],
) -> list[str]:
    names = [column.name for column in expected]
    for block in _line_blocks(client, bucket, item, manifest.compression):
        for row in _ANY_LINE.decode_lines(block):
            if list(row) != names:
                return [f"{item.key} has lines with {', '.join(row)}, not {', '.join(names)}."]
        break
    return []


def _differences(where: str, found: dict[str, str], expected: list[ManifestColumn]) -> list[str]:
    problems = [
        f"{where} lacks the column {column.name}."
        for column in expected
        if column.name not in found
    ]
    problems += [
        f"{where} has {column.name} as {found[column.name]}, not {column.type}."
        for column in expected
        if found.get(column.name, column.type) != column.type
    ]
    names = {column.name for column in expected}
    return problems + [
        f"{where} has the column {name} as well." for name in found if name not in names
    ]
