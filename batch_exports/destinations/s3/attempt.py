"""An attempt to use a bucket: what is tried there, and what has to be cleared away after it."""

import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from batch_exports.destinations.s3.destination import S3Destination
from batch_exports.interval import DataInterval

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Long before the first interval of any export, whose readers do not meet the object.
_INTERVAL = DataInterval(datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, 1, tzinfo=UTC))


@dataclass(frozen=True)
class Place:
    """Where keys begin with `stem`, and `headers` go with each object."""

    client: "S3Client"
    bucket: str
    stem: str
    headers: Mapping[str, Any]


def place_of(destination: S3Destination) -> Place:
    stem = destination.template.keys(_INTERVAL).stem
    return Place(destination.client, destination.bucket, stem, destination.headers)


@dataclass
class Attempt:
    """`reach` finds the place, for which it takes credentials. `put` and `upload_id` tell of an
    object and an upload that may be there; whatever is left of them goes on closing."""

    reach: Callable[[], Place]
    put: bool = field(default=False, init=False)
    upload_id: str | None = field(default=None, init=False)

    @cached_property
    def at(self) -> Place:
        return self.reach()

    @cached_property
    def key(self) -> str:
        """Where the export's keys are, with an ending that no reader takes for data."""
        return f"{self.at.stem}_test_{uuid.uuid4().hex}.tmp"

    @property
    def object(self) -> dict[str, Any]:
        return {"Bucket": self.at.bucket, "Key": self.key}

    @property
    def where(self) -> str:
        return f"s3://{self.at.bucket}/{self.key}"

    def close(self) -> None:
        client = self.at.client if self.put or self.upload_id else None
        with suppress(BotoCoreError, ClientError):
            if client and self.upload_id:
                client.abort_multipart_upload(**self.object, UploadId=self.upload_id)
        with suppress(BotoCoreError, ClientError):
            if client and self.put:
                client.delete_object(**self.object)
