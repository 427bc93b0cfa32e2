"""Deliveries to a batch API: calls that are sent, then the record that makes them a delivery."""

import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from botocore.exceptions import ClientError

from batch_exports import __version__
from batch_exports.destinations.delivery import (
    Delivery,
    KeyReader,
    Landed,
    LandedColumns,
    LandedKeys,
    Recorded,
)
from batch_exports.destinations.http import inspection
from batch_exports.destinations.http.delivering import Delivering
from batch_exports.destinations.http.endpoint import Endpoint
from batch_exports.destinations.http.manifest import HttpManifest, MessageIds
from batch_exports.destinations.http.sending import IN_FLIGHT, send
from batch_exports.destinations.http.tries import Pace, Tries
from batch_exports.destinations.s3.aside import Aside
from batch_exports.destinations.s3.at_once import read_at_once
from batch_exports.destinations.s3.errors import error_code, s3_errors
from batch_exports.destinations.s3.keys import Keys, KeyTemplate
from batch_exports.destinations.s3.lock import LEASE_SECONDS, held
from batch_exports.destinations.s3.manifest import ManifestObject, columns_of, fingerprint
from batch_exports.destinations.s3.objects import list_objects, list_unfinished
from batch_exports.destinations.s3.upload import ObjectUpload, uploading
from batch_exports.destinations.sift import Sift
from batch_exports.errors import Terminal
from batch_exports.interval import DataInterval
from batch_exports.models import Projection
from batch_exports.transform.capabilities import Capabilities, OnUnrepresentable
from batch_exports.transform.identify_calls import Job

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PATIENCE_SECONDS = 300.0
_COMPARED = "the message IDs of the source's keys are those in the record"


@dataclass(frozen=True, kw_only=True)
class HttpDestination:
    """Where one export's calls go, and where on S3 the record of them is kept.

    An endpoint shows nothing of what it was sent, and takes nothing back: a run that ends half way
    has sent half. All the same a call has the same message ID whenever it is sent, by which its
    receiver drops it if it had it before.
    """

    endpoint: Endpoint
    client: "S3Client"
    bucket: str
    template: KeyTemplate
    export: str
    projection: Projection
    operations: frozenset[str] = frozenset({"insert", "update"})
    skip_deletes: bool = False
    on_unrepresentable: OnUnrepresentable = OnUnrepresentable.REPLACE
    requests_per_second: float | None = None
    timeout_seconds: float = 30.0
    patience_seconds: float = PATIENCE_SECONDS
    lease_seconds: float = LEASE_SECONDS

    @property
    def capabilities(self) -> Capabilities:
        limit = self.endpoint.form.id_characters
        ids = dict.fromkeys(("user_id", "anonymous_id"), limit.most) if limit else {}
        return Capabilities(parses_json=True, years=(1, 9999), characters=ids)

    def uri(self, interval: DataInterval) -> str:
        """The same for all intervals."""
        return self.endpoint.url

    def write(self, batches: pa.RecordBatchReader, interval: DataInterval, run_id: str) -> Delivery:
        """Send the interval's calls, then put the record in the place of the one before.

        Raises `Transient` and `Terminal` where the endpoint does not take them: some may have been
        sent by then.
        """
        keys = self.template.keys(interval)
        with (
            s3_errors(self._at(keys.stem)),
            held(
                self.client,
                self.bucket,
                keys.lock,
                {},
                run_id=run_id,
                lease_seconds=self.lease_seconds,
            ) as lock,
        ):
            self._refuse_others(keys)
            self._sweep_unfinished(keys)
            with uploading(self.client, self.bucket, {}) as uploads:
                aside = Aside(uploads, keys.aside, _identified(self.projection.schema))
                delivering = self._send(batches, aside, run_id)
                aside.seal()
                lock.check()
                uploads.complete()
            manifest = self._manifest(delivering, interval, run_id)
            self.client.put_object(Bucket=self.bucket, Key=keys.manifest, Body=manifest.body())
            for key in self._strays(keys, manifest):
                self.client.delete_object(Bucket=self.bucket, Key=key)
        return self._delivery(manifest, interval)

    def delivery(self, interval: DataInterval) -> Delivery:
        with self._delivered(interval) as manifest:
            return self._delivery(manifest, interval)

    def recorded(self, intervals: Sequence[DataInterval]) -> Mapping[DataInterval, Recorded]:
        """By the intervals' records, of which some are read at a time."""

        def read(interval: DataInterval) -> HttpManifest | None:
            where = self._at(self.template.keys(interval).manifest)
            with s3_errors(where):
                body = self._read_record(self.template.keys(interval))
            return HttpManifest.parse(body, where) if body is not None else None

        return {
            interval: Recorded(
                manifest.rows + manifest.rejected + manifest.skipped, manifest.delivered_at
            )
            for interval, manifest in read_at_once(read, intervals)
        }

    def inspect(
        self,
        interval: DataInterval,
        *,
        deep: bool = False,
        source_keys: KeyReader | None = None,
    ) -> Landed:
        """Compare the record with the objects on S3, and with the keys at the source.

        What arrived is known to the endpoint alone: no rows are counted, `deep` or not.
        """
        with self._delivered(interval) as manifest:
            problems = inspection.rejects(self.client, self.bucket, manifest, deep=deep)
            strays = self._strays(self.template.keys(interval), manifest)
            problems += tuple(f"{key} is in the bucket, and not in the record." for key in strays)
            if source_keys is not None:
                problems += inspection.messages(manifest, source_keys)
            return Landed(self._delivery(manifest, interval), None, problems, _COMPARED)

    def columns(self, interval: DataInterval, expected: pa.Schema) -> LandedColumns:
        with self._delivered(interval) as manifest:
            return inspection.columns(manifest, columns_of(expected))

    def keys(self, interval: DataInterval, source_keys: KeyReader) -> LandedKeys:
        """Keys are those at the source, which message IDs are made of."""
        with self._delivered(interval) as manifest:
            return inspection.keys(manifest, source_keys, self.projection.identity)

    def _send(self, batches: pa.RecordBatchReader, aside: Aside, run_id: str) -> Delivering:
        form = self.endpoint.form
        sift = Sift(
            self.capabilities, self.on_unrepresentable, self.projection.model.key, aside.keep
        )
        delivering = Delivering(
            form,
            Job(self.export, run_id, __version__),
            form.envelope(self.endpoint.write_key),
            self.operations,
            self.skip_deletes,
            sift,
            aside,
        )
        with self.endpoint.connected(self.timeout_seconds, IN_FLIGHT) as connections:
            tries = Tries(connections, Pace(self.requests_per_second), self.patience_seconds)
            packets = delivering.packets(batches)
            with closing(packets), closing(send(packets, tries, delivering.envelope)) as sending:
                for sent in sending:
                    delivering.account(sent)
        delivering.check()
        return delivering

    def _manifest(self, done: Delivering, interval: DataInterval, run_id: str) -> HttpManifest:
        columns = columns_of(self.projection.schema)
        aside = done.aside
        return HttpManifest(
            endpoint=self.endpoint.url,
            form=self.endpoint.form.name,
            rows=done.acknowledged.rows,
            rejected=done.rejected.rows,
            skipped=done.skipped.rows,
            replaced=done.sift.replaced,
            requests=done.requests,
            body_bytes=done.body_bytes,
            message_ids=MessageIds(
                acknowledged=str(done.acknowledged),
                rejected=str(done.rejected),
                skipped=str(done.skipped),
            ),
            rejects=_object(aside.upload, aside.kept) if aside.upload else None,
            export=self.export,
            model=self.projection.model.name,
            membership=self.projection.membership,
            data_interval_start=interval.start,
            data_interval_end=interval.end,
            columns=columns,
            schema_fingerprint=fingerprint(columns),
            run_id=run_id,
            delivered_at=datetime.now(UTC),
        )

    def _delivery(self, manifest: HttpManifest, interval: DataInterval) -> Delivery:
        return Delivery(
            uri=manifest.endpoint,
            record=self._at(self.template.keys(interval).manifest),
            rows=manifest.rows,
            rejected=manifest.rejected,
            replaced=manifest.replaced,
            bytes=manifest.body_bytes,
            aside=self._at(manifest.rejects.key) if manifest.rejects else None,
            skipped=manifest.skipped,
        )

    @contextmanager
    def _delivered(self, interval: DataInterval) -> Generator[HttpManifest, None, None]:
        """The interval's record. Raises `Terminal` where there is none."""
        where = self._at(self.template.keys(interval).manifest)
        with s3_errors(where):
            body = self._read_record(self.template.keys(interval))
            if body is None:
                raise Terminal(
                    f"Nothing was delivered for {interval}: {where} does not exist.",
                    remedy="Materialize the partition.",
                )
            yield HttpManifest.parse(body, where)

    def _read_record(self, keys: Keys) -> bytes | None:
        try:
            return self.client.get_object(Bucket=self.bucket, Key=keys.manifest)["Body"].read()
        except ClientError as error:
            if error_code(error) in ("NoSuchKey", "404"):
                return None
            raise

    def _refuse_others(self, keys: Keys) -> None:
        """Two exports that keep their records in one place would destroy each other's."""
        body = self._read_record(keys)
        try:
            there: Any = json.loads(body) if body else {}
        except ValueError:
            return  # broken: this delivery puts a good one in its place
        other = there.get("export", self.export) if isinstance(there, dict) else self.export
        if other != self.export:
            raise Terminal(
                f"The export {other!r} keeps its record at {self._at(keys.manifest)} too.",
                remedy=f"Give {self.export!r} a record.key_prefix of its own, or delete that "
                "object if the other export is gone.",
            )

    def _sweep_unfinished(self, keys: Keys) -> None:
        for key, upload_id in list(list_unfinished(self.client, self.bucket, keys.stem)):
            if keys.is_ours(key):
                self.client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload_id)

    def _strays(self, keys: Keys, manifest: HttpManifest) -> list[str]:
        """Objects of the interval that its record does not name, from deliveries before it."""
        named = {keys.manifest, keys.lock, *([manifest.rejects.key] if manifest.rejects else [])}
        found = list_objects(self.client, self.bucket, keys.stem)
        return [key for key in found if key not in named and keys.is_ours(key)]

    def _at(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"


def _identified(schema: pa.Schema) -> pa.Schema:
    return schema.append(pa.field("message_id", pa.string()))


def _object(upload: ObjectUpload, rows: int) -> ManifestObject:
    return ManifestObject(
        key=upload.key,
        rows=rows,
        bytes=upload.bytes,
        sha256=upload.sha256,
        etag=upload.etag,
        membership_min=None,
        membership_max=None,
    )
