"""The record of a delivery on S3: which objects belong to it, and what is in them."""

import hashlib
import json
from datetime import datetime
from typing import Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from batch_exports.errors import Terminal
from batch_exports.models import type_name


class PostHogManifest(Terminal):
    """A manifest that PostHog's own export wrote, `{"files": [...]}`: nothing of ours is there."""


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


class EntryMeta(BaseModel):
    model_config = ConfigDict(extra="forbid")

    content_length: int


class ManifestEntry(BaseModel):
    """One data object as COPY of Amazon Redshift asks for it: its URL, and its bytes.

    https://docs.aws.amazon.com/redshift/latest/dg/loading-data-files-using-manifest.html
    """

    model_config = ConfigDict(extra="forbid")

    url: str
    mandatory: Literal[True] = True
    meta: EntryMeta


class Manifest(BaseModel):
    """Written last, when every object is in place: where it stands, the interval is complete.

    `files` are the data objects' keys, as in PostHog's manifests; `objects` tells more of each.
    `entries` names them as Redshift's COPY ... MANIFEST reads them, which passes over the rest, as
    over what UNLOAD writes beside its own; deliveries of earlier versions have none. An interval
    without rows has a manifest without files. `rejects` is the object that keeps the originals of
    rejected and replaced rows, if there are any; of an interval that came in shards there may be
    `more_rejects`.
    """

    model_config = ConfigDict(extra="forbid")

    version: Literal[1] = 1
    files: list[str]
    objects: list[ManifestObject]
    entries: list[ManifestEntry] = []
    rows: int
    rejected: int
    replaced: int
    rejects: ManifestObject | None
    more_rejects: list[ManifestObject] = []
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

    @property
    def all_rejects(self) -> list[ManifestObject]:
        return [self.rejects, *self.more_rejects] if self.rejects else []

    def body(self) -> bytes:
        return self.model_dump_json(indent=1).encode()

    @classmethod
    def parse(cls, body: bytes, where: str) -> "Manifest":
        """Raises `Terminal` naming the place where it is no manifest of ours."""
        try:
            return cls.model_validate_json(body)
        except ValueError as error:
            if _is_posthogs(body):
                raise PostHogManifest(
                    f"{where} is not a manifest of this project, but one of PostHog's.",
                    remedy="Materialize the partition, which replaces what PostHog delivered.",
                ) from None
            raise Terminal(
                f"{where} is not a manifest of this version: {error}.",
                remedy="Materialize the partition again, which writes it anew.",
            ) from error


def _is_posthogs(body: bytes) -> bool:
    try:
        return set(json.loads(body)) == {"files"}
    except (ValueError, TypeError):
        return False


def entries_of(bucket: str, objects: list[ManifestObject]) -> list[ManifestEntry]:
    return [
        ManifestEntry(url=f"s3://{bucket}/{o.key}", meta=EntryMeta(content_length=o.bytes))
        for o in objects
    ]


def columns_of(schema: pa.Schema) -> list[ManifestColumn]:
    return [
        ManifestColumn(name=f.name, type=type_name(f.type), nullable=f.nullable) for f in schema
    ]


def fingerprint(columns: list[ManifestColumn]) -> str:
    """The same for the same names, types and order of columns; another for any other."""
    names = json.dumps([[column.name, column.type] for column in columns])
    return hashlib.sha256(names.encode()).hexdigest()[:16]
