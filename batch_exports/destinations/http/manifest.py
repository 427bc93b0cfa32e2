"""The record of a delivery to an endpoint, which cannot be asked what it was sent."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from batch_exports.destinations.s3.manifest import ManifestColumn, ManifestObject
from batch_exports.errors import Terminal


class MessageIds(BaseModel):
    """Digests of message IDs, 16 hexadecimal digits each: the sum of the IDs' first 64 bits, modulo
    2**64. That of all rows of the source is the sum of the three."""

    model_config = ConfigDict(extra="forbid")

    acknowledged: str
    rejected: str
    skipped: str

    @property
    def total(self) -> int:
        parts = (self.acknowledged, self.rejected, self.skipped)
        return sum(int(part, 16) for part in parts) % 2**64


class HttpManifest(BaseModel):
    """Written last, when every call was acknowledged or rejected.

    `rows` were acknowledged by the endpoint, of which `replaced` hold a value in a changed form;
    `rejected` were not sent, or refused; `skipped` were left out as the export says. `body_bytes`
    are those of the bodies before compression, in so many `requests`; both leave out what was
    refused or not answered. `rejects` is the object that keeps the originals of rejected and
    replaced rows.
    """

    model_config = ConfigDict(extra="forbid")

    version: Literal[1] = 1
    endpoint: str
    form: str
    rows: int
    rejected: int
    skipped: int
    replaced: int
    requests: int
    body_bytes: int
    message_ids: MessageIds
    rejects: ManifestObject | None
    export: str
    model: str
    membership: str
    data_interval_start: datetime
    data_interval_end: datetime
    columns: list[ManifestColumn]
    schema_fingerprint: str
    run_id: str
    delivered_at: datetime

    def body(self) -> bytes:
        return self.model_dump_json(indent=1).encode()

    @classmethod
    def parse(cls, body: bytes, where: str) -> "HttpManifest":
        """Raises `Terminal` naming the place where it is no such record."""
        try:
            return cls.model_validate_json(body)
        except ValueError as error:
            raise Terminal(
                f"{where} is no record of a delivery over HTTP: {error}.",
                remedy="Materialize the partition again, which writes it anew.",
            ) from error
