"""An attempt to use a bucket: what is tried there, and what has to be cleared away after it."""

import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from batch_exports.destinations.s3.destination import S3Destination
from batch_exports.interval import DataInterval

# Long before the first interval of any export, whose readers do not meet the object.
_INTERVAL = DataInterval(datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, 1, tzinfo=UTC))


@dataclass
class Attempt:
    """`reach` makes the destination, for which it takes credentials. `put` and `upload_id` tell of
    an object and an upload that may be there; whatever is left of them goes on closing."""

    reach: Callable[[], S3Destination]
    put: bool = field(default=False, init=False)
    upload_id: str | None = field(default=None, init=False)

    @cached_property
    def destination(self) -> S3Destination:
        return self.reach()

    @cached_property
    def key(self) -> str:
        """Where the export's keys are, with an ending that no reader takes for data."""
        return f"{self.stem}_test_{uuid.uuid4().hex}.tmp"

    @property
    def stem(self) -> str:
        return self.destination.template.keys(_INTERVAL).stem

    @property
    def place(self) -> dict[str, Any]:
        return {"Bucket": self.destination.bucket, "Key": self.key}

    @property
    def where(self) -> str:
        return f"s3://{self.destination.bucket}/{self.key}"

    def close(self) -> None:
        client = self.destination.client if self.put or self.upload_id else None
        with suppress(BotoCoreError, ClientError):
            if client and self.upload_id:
                client.abort_multipart_upload(**self.place, UploadId=self.upload_id)
        with suppress(BotoCoreError, ClientError):
            if client and self.put:
                client.delete_object(**self.place)
