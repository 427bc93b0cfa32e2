"""What a delivery to S3 consists of: files and rejects, while they are uploaded and once they are
there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from batch_exports.destinations.s3.aside import Aside
from batch_exports.destinations.s3.files import WrittenFile
from batch_exports.destinations.s3.manifest import ManifestObject
from batch_exports.destinations.s3.staged import S3Receipt, StagedObject, staged_object
from batch_exports.destinations.s3.upload import ObjectUpload


@dataclass(frozen=True)
class Contents:
    """All objects, visible."""

    objects: list[ManifestObject]
    rejects: list[ManifestObject]
    rejected: int
    replaced: int


@dataclass(frozen=True)
class Written:
    """What became of the rows of an interval, or of a shard: uploads that wait for their
    completion."""

    files: list[WrittenFile]
    aside: Aside
    rejected: int
    replaced: int

    @property
    def contents(self) -> Contents:
        """Known once the uploads are completed."""
        aside = self.aside
        return Contents(
            [_object(file.upload, file.rows, file.moments) for file in self.files],
            [_object(aside.upload, aside.kept, [])] if aside.upload else [],
            self.rejected,
            self.replaced,
        )

    def staged(self, mark: str) -> tuple[list[StagedObject], StagedObject | None]:
        """The files, and the rejects where there are any, for others to complete."""
        aside = self.aside
        return (
            [staged_object(file.upload, mark, file.rows, file.moments) for file in self.files],
            staged_object(aside.upload, mark, aside.kept) if aside.upload else None,
        )


def contents_of(receipts: Sequence[S3Receipt], done: Mapping[str, ManifestObject]) -> Contents:
    """What shards have staged, out of the objects that it has become, by their keys."""
    return Contents(
        [done[file.key] for receipt in receipts for file in receipt.files],
        [done[receipt.rejects.key] for receipt in receipts if receipt.rejects],
        sum(receipt.rejected for receipt in receipts),
        sum(receipt.replaced for receipt in receipts),
    )


def _object(upload: ObjectUpload, rows: int, moments: list[datetime]) -> ManifestObject:
    return ManifestObject(
        key=upload.key,
        rows=rows,
        bytes=upload.bytes,
        sha256=upload.sha256,
        etag=upload.etag,
        membership_min=moments[0] if moments else None,
        membership_max=moments[-1] if moments else None,
    )
