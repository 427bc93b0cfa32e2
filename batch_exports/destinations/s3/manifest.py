"""The record of a delivery on S3: which objects belong to it, and what is in them."""

import hashlib
import json
from datetime import datetime
from typing import Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from batch_exports.errors import Terminal
from batch_exports.models import type_name


class ManifestObject(BaseModel):
    """One data object. `etag` is what S3 answered when it was completed."""

    model_config = ConfigDict(extra="forbid")

    key: str
    rows: int
    bytes: int
    sha256: str
    etag: str
    membership_min: datetime | None
    membership_max: datetime | None


class ManifestColumn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    type: str
    nullable: bool


class Manifest(BaseModel):
    """Written last, when every object is in place: where it stands, the interval is complete.

    `files` are the data objects' keys, as in PostHog's manifests; `objects` tells more of each.
    An interval without rows has a manifest without files. `rejects` is the object that keeps the
    originals of rejected and replaced rows, if there are any.
    """

    model_config = ConfigDict(extra="forbid")

    version: Literal[1] = 1
    files: list[str]
    objects: list[ManifestObject]
    rows: int
    rejected: int
    replaced: int
    rejects: ManifestObject | None
    export: str
    model: str
    membership: str
    data_interval_start: datetime
    data_interval_end: datetime
    file_format: str
    compression: str
    columns: list[ManifestColumn]
    schema_fingerprint: str
    run_id: str
    delivered_at: datetime

    def body(self) -> bytes:
        return self.model_dump_json(indent=1).encode()

    @classmethod
    def parse(cls, body: bytes, where: str) -> "Manifest":
        """Raises `Terminal` naming the place where it is no manifest of ours."""
        try:
            return cls.model_validate_json(body)
        except ValueError as error:
            raise Terminal(
                f"{where} is not a manifest of this version: {error}.",
                remedy="Materialize the partition again, which writes it anew.",
            ) from error


def columns_of(schema: pa.Schema) -> list[ManifestColumn]:
    return [
        ManifestColumn(name=f.name, type=type_name(f.type), nullable=f.nullable) for f in schema
    ]


def fingerprint(columns: list[ManifestColumn]) -> str:
    """The same for the same names, types and order of columns; another for any other."""
    names = json.dumps([[column.name, column.type] for column in columns])
    return hashlib.sha256(names.encode()).hexdigest()[:16]
