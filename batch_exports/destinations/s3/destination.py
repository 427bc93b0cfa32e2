"""Deliveries to a bucket: data files, then the manifest that makes them a delivery."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import pyarrow as pa
from botocore.exceptions import ClientError

from batch_exports.destinations.delivery import (
    DeliveredFile,
    Delivery,
    KeyReader,
    Landed,
    LandedColumns,
    LandedKeys,
    Recorded,
)
from batch_exports.destinations.receipts import as_json, check_receipts, content_of, header
from batch_exports.destinations.s3 import inspection
from batch_exports.destinations.s3.aside import Aside
from batch_exports.destinations.s3.at_once import read_at_once
from batch_exports.destinations.s3.contents import Contents, Written, contents_of
from batch_exports.destinations.s3.errors import error_code, s3_errors
from batch_exports.destinations.s3.files import write_files
from batch_exports.destinations.s3.keys import Keys, KeyTemplate
from batch_exports.destinations.s3.lock import LEASE_SECONDS, IntervalLock, held
from batch_exports.destinations.s3.manifest import (
    Manifest,
    PostHogManifest,
    columns_of,
    entries_of,
    fingerprint,
)
from batch_exports.destinations.s3.objects import list_objects, list_unfinished
from batch_exports.destinations.s3.staged import (
    S3Receipt,
    complete_staged,
    identity,
    marking,
    new_mark,
    refuse_overtaken,
)
from batch_exports.destinations.s3.upload import Uploads, uploading
from batch_exports.destinations.sift import Sift
from batch_exports.errors import Terminal, Transient
from batch_exports.interval import DataInterval
from batch_exports.interval_files import IntervalFile, IntervalFiles
from batch_exports.models import Projection
from batch_exports.transform.block import FileFormat
from batch_exports.transform.capabilities import Capabilities, OnUnrepresentable
from batch_exports.transform.jsonlines import BLOCK_BYTES, JsonLinesFormat
from batch_exports.transform.parquet import ROW_GROUP_BYTES, ParquetFormat
from batch_exports.transform.prefetch import prefetch
from batch_exports.transform.shard import Shard

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

COMPRESSIONS: Mapping[str, tuple[str, ...]] = {
    "parquet": ("none", "zstd", "lz4", "snappy", "gzip", "brotli"),
    "jsonlines": ("none", "gzip", "brotli", "zstd"),
}
"""The codecs of each file format, by the names that the configuration gives them."""

_COMPARED = "the files are those that the record names, by size and ETag"

# JSON lines' readers parse JSON columns with the line, and DuckDB refuses a Parquet file in which
# one value of a column marked as JSON is none. ISO 8601 has years of four digits, and JSON's
# numbers are finite.
_CAPABILITIES = {
    "parquet": Capabilities(parses_json=True),
    "jsonlines": Capabilities(parses_json=True, holds_nan=False, years=(1, 9999)),
}


@dataclass(frozen=True, kw_only=True)
class S3Destination:
    """Where one export's files go, and in what form.

    `max_file_bytes` 0 means one file an interval. `headers` go with each object that is written,
    such as those of encryption. An interval's lock goes stale `lease_seconds` after its holder
    fell silent.
    """

    client: "S3Client"
    bucket: str
    template: KeyTemplate
    export: str
    projection: Projection
    file_format: Literal["parquet", "jsonlines"]
    compression: str
    max_file_bytes: int = 0
    headers: Mapping[str, Any]
    on_unrepresentable: OnUnrepresentable = OnUnrepresentable.REPLACE
    lease_seconds: float = LEASE_SECONDS

    @property
    def capabilities(self) -> Capabilities:
        return _CAPABILITIES[self.file_format]

    def uri(self, interval: DataInterval) -> str:
        return f"s3://{self.bucket}/{self.template.keys(interval).stem}"

    def write(self, batches: pa.RecordBatchReader, interval: DataInterval, run_id: str) -> Delivery:
        """Upload the interval's files, then make them a delivery.

        Nothing is visible until every byte is on S3. Then the files are completed one right after
        the other, the manifest is put, and objects of earlier deliveries that it does not name
        are deleted. Unfinished uploads of killed runs are swept away first.
        """
        keys = self.template.keys(interval)
        with self._alone(interval, run_id) as lock:
            self._refuse_others(keys)
            self._sweep_unfinished(keys)
            with uploading(self.client, self.bucket, self.headers) as uploads:
                written = self._upload(batches, uploads, keys)
                lock.check()
                uploads.complete()
            manifest = self._publish(written.contents, interval, run_id)
        return self._delivery(manifest, interval)

    def stage(
        self, batches: pa.RecordBatchReader, interval: DataInterval, run_id: str, shard: Shard
    ) -> Mapping[str, Any]:
        """Upload the shard's files, and leave them to be completed.

        No lock is held: keys are the shard's own, and of several uploads of one key any may become
        the object. One that nobody completes is swept by the interval's next commit.
        """
        keys, mark = self.template.keys(interval, shard), new_mark()
        with s3_errors(self.uri(interval)):
            before = self._refuse_others(keys)
            with uploading(self.client, self.bucket, marking(self.headers, mark)) as uploads:
                written = self._upload(batches, uploads, keys, hold_last=False)
            files, rejects = written.staged(mark)
        receipt = S3Receipt(
            **header(self.export, interval, run_id, shard, self._form),
            rows=sum(file.rows for file in files),
            rejected=written.rejected,
            replaced=written.replaced,
            bytes=sum(file.bytes for file in files),
            sha256=content_of(files),
            files=files,
            rejects=rejects,
            before=identity(before),
        )
        return as_json(receipt)

    def commit(
        self, receipts: Sequence[Mapping[str, Any]], interval: DataInterval, run_id: str
    ) -> Delivery:
        """Complete the shards' files one right after the other, then make them a delivery."""
        parts = check_receipts(receipts, S3Receipt, self.export, interval, self._form)
        keys = self.template.keys(interval)
        with self._alone(interval, run_id) as lock:
            refuse_overtaken(parts, self._refuse_others(keys), interval)
            done = complete_staged(self.client, self.bucket, keys.stem, parts, interval, lock)
            manifest = self._publish(contents_of(parts, done), interval, run_id)
        return self._delivery(manifest, interval)

    def delivery(self, interval: DataInterval) -> Delivery:
        with self._delivered(interval) as manifest:
            return self._delivery(manifest, interval)

    def recorded(self, intervals: Sequence[DataInterval]) -> Mapping[DataInterval, Recorded]:
        """By the intervals' manifests, of which some are read at a time."""

        def read(interval: DataInterval) -> Manifest | None:
            with s3_errors(self.uri(interval)):
                return self._own_manifest(self.template.keys(interval))

        return {
            interval: Recorded(manifest.rows + manifest.rejected, manifest.delivered_at)
            for interval, manifest in read_at_once(read, intervals)
        }

    def inspect(
        self,
        interval: DataInterval,
        *,
        deep: bool = False,
        source_keys: KeyReader | None = None,
    ) -> Landed:
        with self._delivered(interval) as manifest:
            rows, problems = inspection.inspect(self.client, self.bucket, manifest, deep=deep)
            strays = self._strays(self.template.keys(interval), manifest)
            problems += tuple(f"{key} is in the bucket, and not in the manifest." for key in strays)
            return Landed(self._delivery(manifest, interval), rows, problems, _COMPARED)

    def columns(self, interval: DataInterval, expected: pa.Schema) -> LandedColumns:
        with self._delivered(interval) as manifest:
            return inspection.inspect_columns(
                self.client, self.bucket, manifest, columns_of(expected)
            )

    def keys(self, interval: DataInterval, source_keys: KeyReader) -> LandedKeys:
        with self._delivered(interval) as manifest:
            return inspection.inspect_keys(
                self.client, self.bucket, manifest, self.projection.identity
            )

    def files(self, interval: DataInterval) -> IntervalFiles | None:
        """What an export that loads from this one reads; None where nothing was delivered yet.

        Raises `Transient` while the files are not those of the manifest: they are replaced one
        after the other, and the manifest last.
        """
        keys = self.template.keys(interval)
        with s3_errors(self.uri(interval)):
            manifest = self._own_manifest(keys)
            if manifest is None:
                return None
            if changed := inspection.changed(self.client, self.bucket, manifest):
                raise Transient(
                    f"{self.uri(interval)} is being delivered again: {changed[0]}",
                    remedy="It is tried again. If it stays, materialize that partition of "
                    f"{self.export}.",
                )
        return self._interval_files(manifest, interval)

    def _interval_files(self, manifest: Manifest, interval: DataInterval) -> IntervalFiles:
        at = f"s3://{self.bucket}/"
        return IntervalFiles(
            interval,
            manifest=at + self.template.keys(interval).manifest,
            copyable=bool(manifest.entries),
            files=tuple(
                IntervalFile(at + item.key, item.rows, item.bytes, item.sha256, item.etag)
                for item in manifest.objects
            ),
            file_format=manifest.file_format,
            compression=manifest.compression,
            columns={column.name: column.type for column in manifest.columns},
        )

    @contextmanager
    def _alone(self, interval: DataInterval, run_id: str) -> Generator[IntervalLock, None, None]:
        """With the interval's lock, and S3's errors as ours."""
        keys = self.template.keys(interval)
        with (
            s3_errors(self.uri(interval)),
            held(
                self.client,
                self.bucket,
                keys.lock,
                self.headers,
                run_id=run_id,
                lease_seconds=self.lease_seconds,
            ) as lock,
        ):
            yield lock

    def _upload(
        self,
        batches: pa.RecordBatchReader,
        uploads: Uploads,
        keys: Keys,
        *,
        hold_last: bool = True,
    ) -> Written:
        aside = Aside(uploads, keys.aside, self.projection.schema)
        sift = Sift(
            self.capabilities, self.on_unrepresentable, self.projection.model.key, aside.keep
        )
        file_format = self._format()
        # Reading, preparing and encoding each have a thread of their own.
        with (
            prefetch(batches, ahead=2) as read,
            prefetch(file_format.blocks(sift.clean(read)), ahead=1) as blocks,
        ):
            files = write_files(
                blocks, file_format, uploads, keys, self.max_file_bytes, hold_last=hold_last
            )
        aside.seal()
        return Written(files, aside, sift.rejected, sift.replaced)

    def _format(self) -> FileFormat[Any]:
        membership = self.projection.membership_column
        if self.file_format == "jsonlines":
            return JsonLinesFormat(
                self.compression,
                membership=membership,
                max_block_bytes=self.max_file_bytes or BLOCK_BYTES,
            )
        return ParquetFormat(
            self.projection.schema,
            self.compression,
            order=self.projection.model.order,
            membership=membership,
            max_block_bytes=self.max_file_bytes or ROW_GROUP_BYTES,
        )

    def _publish(self, contents: Contents, interval: DataInterval, run_id: str) -> Manifest:
        """Put the manifest, and delete what it does not name: objects of earlier deliveries, and
        uploads that nobody completes, such as those whose begin was answered to nobody."""
        keys = self.template.keys(interval)
        manifest = self._manifest(contents, interval, run_id)
        self.client.put_object(
            Bucket=self.bucket, Key=keys.manifest, Body=manifest.body(), **self.headers
        )
        for key in self._strays(keys, manifest):
            self.client.delete_object(Bucket=self.bucket, Key=key)
        self._sweep_unfinished(keys)
        return manifest

    def _manifest(self, contents: Contents, interval: DataInterval, run_id: str) -> Manifest:
        columns = columns_of(self.projection.schema)
        return Manifest(
            files=[item.key for item in contents.objects],
            objects=contents.objects,
            entries=entries_of(self.bucket, contents.objects),
            rows=sum(item.rows for item in contents.objects),
            rejected=contents.rejected,
            replaced=contents.replaced,
            rejects=contents.rejects[0] if contents.rejects else None,
            more_rejects=contents.rejects[1:],
            export=self.export,
            model=self.projection.model.name,
            membership=self.projection.membership,
            data_interval_start=interval.start,
            data_interval_end=interval.end,
            file_format=self.file_format,
            compression=self.compression,
            columns=columns,
            schema_fingerprint=fingerprint(columns),
            run_id=run_id,
            delivered_at=datetime.now(UTC),
        )

    def _delivery(self, manifest: Manifest, interval: DataInterval) -> Delivery:
        at = f"s3://{self.bucket}/"
        return Delivery(
            uri=self.uri(interval),
            record=at + self.template.keys(interval).manifest,
            rows=manifest.rows,
            rejected=manifest.rejected,
            replaced=manifest.replaced,
            bytes=sum(item.bytes for item in manifest.objects),
            files=tuple(
                DeliveredFile(at + item.key, item.rows, item.bytes, item.sha256)
                for item in manifest.objects
            ),
            aside=self._aside(manifest),
        )

    def _aside(self, manifest: Manifest) -> str | None:
        """Where the originals are: an object, or several that a pattern names."""
        if not manifest.rejects:
            return None
        key = manifest.rejects.key
        if manifest.more_rejects:
            key = f"{key[: key.rindex('_')]}_*.arrow"
        return f"s3://{self.bucket}/{key}"

    @property
    def _form(self) -> str:
        """All that the shards' files and the manifest that names them must have in common."""
        columns = fingerprint(columns_of(self.projection.schema))
        place = f"s3://{self.bucket}/{self.template.prefix}"
        return f"{self.file_format}, {self.compression}, columns {columns}, to {place}"

    @contextmanager
    def _delivered(self, interval: DataInterval) -> Generator[Manifest, None, None]:
        """The interval's manifest. Raises `Terminal` where there is none, and in the block where
        an object is not what the manifest calls it."""
        keys = self.template.keys(interval)
        with s3_errors(self.uri(interval)):
            manifest = self._read_manifest(keys)
            if manifest is None:
                raise Terminal(
                    f"Nothing was delivered for {interval}: s3://{self.bucket}/{keys.manifest} "
                    "does not exist.",
                    remedy="Materialize the partition.",
                )
            try:
                yield manifest
            except (pa.ArrowException, msgspec.MsgspecError, UnicodeError, OSError) as error:
                raise Terminal(
                    f"{self.uri(interval)} cannot be read as {manifest.file_format}: {error}.",
                    remedy="It was changed after its delivery: materialize the partition again.",
                ) from error

    def _read_manifest(self, keys: Keys) -> Manifest | None:
        try:
            answer = self.client.get_object(Bucket=self.bucket, Key=keys.manifest)
        except ClientError as error:
            if error_code(error) in ("NoSuchKey", "404"):
                return None
            raise
        return Manifest.parse(answer["Body"].read(), f"s3://{self.bucket}/{keys.manifest}")

    def _own_manifest(self, keys: Keys) -> Manifest | None:
        """None where PostHog delivered the interval: that is no delivery of the export's."""
        try:
            return self._read_manifest(keys)
        except PostHogManifest:
            return None

    def _refuse_others(self, keys: Keys) -> Manifest | None:
        """The manifest of the interval's last delivery, if there is one. Two exports that write the
        same keys would destroy each other's deliveries: raises `Terminal`."""
        try:
            manifest = self._read_manifest(keys)
        except Terminal:
            return None  # not ours to read, or broken: this delivery puts a good one in its place
        if manifest is not None and manifest.export != self.export:
            raise Terminal(
                f"The export {manifest.export!r} delivers to s3://{self.bucket}/{keys.stem} too.",
                remedy=f"Give {self.export!r} a key_prefix of its own, or delete "
                f"s3://{self.bucket}/{keys.manifest} if the other export is gone.",
            )
        return manifest

    def _sweep_unfinished(self, keys: Keys) -> None:
        for key, upload_id in list(list_unfinished(self.client, self.bucket, keys.stem)):
            if keys.is_ours(key):
                self.client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload_id)

    def _strays(self, keys: Keys, manifest: Manifest) -> list[str]:
        """Objects of the interval that its manifest does not name, from deliveries before it."""
        named = {*manifest.files, keys.manifest, keys.lock}
        named |= {item.key for item in manifest.all_rejects}
        found = list_objects(self.client, self.bucket, keys.stem)
        return [key for key in found if key not in named and keys.is_ours(key)]
