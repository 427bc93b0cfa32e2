"""Deliveries of made-up identifies to a receiver, with their record on the real S3 server."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any

import boto3
import pyarrow as pa

from batch_exports.destinations.delivery import Delivery
from batch_exports.destinations.http.destination import HttpDestination
from batch_exports.destinations.s3.keys import KeyTemplate
from batch_exports.interval import DataInterval
from batch_exports.local.seaweedfs import Server
from batch_exports.models import IDENTIFIES, JSON, Projection
from batch_exports_tests.destinations.http.receiver import Receiver
from batch_exports_tests.destinations.rows import HOUR

PROJECTION = Projection(IDENTIFIES, IDENTIFIES.select((), "http"), "data_interval_start")


def identifies(
    records: Sequence[Any], interval: DataInterval = HOUR, **given: Sequence[Any]
) -> pa.RecordBatch:
    """A row for each record ID; `given` columns take the place of made-up values, and raw bytes
    may stand for text that is not UTF-8."""
    count = len(records)
    made: dict[str, Sequence[Any]] = {
        "record_id": records,
        "operation": ["insert"] * count,
        "user_id": [f"user-{each}" for each in records],
        "traits": [json.dumps({"plan": "pro", "n": n}) for n in range(count)],
        "batch_id": ["sync-1"] * count,
        "sent_at": [interval.start + timedelta(minutes=5)] * count,
        "data_interval_start": [interval.start] * count,
        **given,
    }
    nothing = [None] * count
    return pa.RecordBatch.from_arrays(
        [_column(field.type, made.get(field.name, nothing)) for field in PROJECTION.schema],
        schema=PROJECTION.schema,
    )


def _column(type_: pa.DataType, values: Sequence[Any]) -> pa.Array:
    if pa.types.is_timestamp(type_):
        return pa.array(values, type_)
    raw = [value.encode() if isinstance(value, str) else value for value in values]
    text = pa.array(raw, pa.binary()).view(pa.string())
    return pa.ExtensionArray.from_storage(JSON, text) if type_.equals(JSON) else text


def stream(
    *batches: pa.RecordBatch, then: Callable[[], object] | None = None
) -> pa.RecordBatchReader:
    """The batches; `then` is called when the last has been taken, and may raise or wait."""

    def read() -> Iterator[pa.RecordBatch]:
        yield from batches
        if then:
            then()

    return pa.RecordBatchReader.from_batches(PROJECTION.schema, read())


def keys_of(*batches: pa.RecordBatch) -> Callable[[], AbstractContextManager[pa.RecordBatchReader]]:
    """What reads the keys of these rows at the source."""

    @contextmanager
    def read() -> Iterator[pa.RecordBatchReader]:
        names = list(PROJECTION.identity)
        keys = [batch.select(names) for batch in batches]
        yield pa.RecordBatchReader.from_batches(keys[0].schema, iter(keys))

    return read


@dataclass
class Place:
    """A prefix for records, and a receiver for calls."""

    server: Server
    bucket: str
    prefix: str
    receiver: Receiver

    @cached_property
    def client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.server.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.server.admin.access_key_id,
            aws_secret_access_key=self.server.admin.secret_access_key,
        )

    def destination(self, **settings: Any) -> HttpDestination:
        template = KeyTemplate.parse(
            self.prefix,
            table="identifies",
            style="safe",
            file_extension="json",
            compression="none",
            codec_suffix=False,
            numbered=False,
        )
        given: dict[str, Any] = {
            "endpoint": self.receiver.endpoint(),
            "client": self.client,
            "export": "users",
            "projection": PROJECTION,
            **settings,
        }
        return HttpDestination(bucket=self.bucket, template=template, **given)

    def listed(self) -> list[str]:
        """Keys under the prefix, without what all of them begin with."""
        found = self.client.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix)
        return [item["Key"].rpartition("Z")[2] for item in found.get("Contents", [])]

    def record(self, delivery: Delivery) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self._body(delivery.record))
        return read

    def rejects(self, delivery: Delivery) -> list[dict[str, Any]]:
        assert delivery.aside
        rows: list[dict[str, Any]] = (
            pa.ipc.open_file(self._body(delivery.aside)).read_all().to_pylist()
        )
        return rows

    def _body(self, uri: str) -> bytes:
        key = uri.removeprefix(f"s3://{self.bucket}/")
        body: bytes = self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return body
