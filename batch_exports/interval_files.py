"""An interval as files: what an export delivered, as other exports read it."""

from collections.abc import Mapping
from dataclasses import dataclass

from batch_exports.interval import DataInterval


@dataclass(frozen=True)
class IntervalFile:
    """`bytes` are those stored, `sha256` (in hex) is of them; `etag` is S3's."""

    uri: str
    rows: int
    bytes: int
    sha256: str
    etag: str


@dataclass(frozen=True)
class IntervalFiles:
    """One delivery. `manifest` is its URI; Redshift's COPY can read it where it is `copyable`.

    `columns` are those of the files, in their order, with the names of their types. Equal ones
    have the same files with the same contents.
    """

    interval: DataInterval
    manifest: str
    copyable: bool
    files: tuple[IntervalFile, ...]
    file_format: str
    compression: str
    columns: Mapping[str, str]

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)
