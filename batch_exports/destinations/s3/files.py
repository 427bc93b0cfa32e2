"""Blocks into files: a new one whenever the last has grown to its limit."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from batch_exports.destinations.s3.keys import Keys
from batch_exports.destinations.s3.upload import ObjectUpload, Uploads
from batch_exports.transform.block import Block, FileFormat, FileWriter


@dataclass
class WrittenFile:
    """A file whose bytes are on their way, with what the manifest tells of it."""

    upload: ObjectUpload
    rows: int = 0
    moments: list[datetime] = field(default_factory=list)

    def add(self, block: Block[Any]) -> None:
        self.rows += block.rows
        bounds = [*self.moments, *(m for m in (block.first, block.last) if m is not None)]
        self.moments = [min(bounds), max(bounds)] if bounds else []


def write_files(
    blocks: Iterable[Block[Any]],
    file_format: FileFormat[Any],
    uploads: Uploads,
    keys: Keys,
    max_bytes: int,
    *,
    hold_last: bool = True,
) -> list[WrittenFile]:
    """Write all blocks and seal the files. No blocks, no files; `max_bytes` 0 means one file.

    With `hold_last` the last one, if small, is not sent before it is completed.

    A file is ended by the block that takes its stored bytes to the limit, and a next one is begun
    only when there is more to write: it overshoots by one block at the most, and none is empty.
    """
    files: list[WrittenFile] = []
    writer: FileWriter[Any] | None = None
    for block in blocks:
        if writer is None:
            files.append(WrittenFile(uploads.open(keys.data(len(files)))))
            writer = file_format.writer(files[-1].upload)
        writer.write(block.payload)
        files[-1].add(block)
        if max_bytes and files[-1].upload.bytes >= max_bytes:
            writer.close()
            files[-1].upload.seal(last=False)
            writer = None
    if writer is not None:
        writer.close()
        files[-1].upload.seal(last=hold_last)
    return files
