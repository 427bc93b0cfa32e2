"""Rows dealt out to files of about one size, so that each slice of a cluster loads one.

AWS advises files of 1 MB to 1 GB, as many as a multiple of the slices:
https://docs.aws.amazon.com/redshift/latest/dg/c_best-practices-use-multiple-files.html
"""

from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

import pyarrow as pa

from batch_exports.destinations.s3.upload import ObjectUpload
from batch_exports.transform.block import FileWriter
from batch_exports.transform.parquet import ParquetFormat
from batch_exports.transform.prefetch import prefetch

# Each open file holds up to a part of an upload in memory.
MOST_OPEN_FILES = 32
_FILE_BYTES = 512 * 2**20


def deal(
    batches: Iterable[pa.RecordBatch], files: int, begin: Callable[[int], ObjectUpload]
) -> int:
    """Write all rows, a row group to each of `files` files in turn; how many rows.

    `begin` opens the file of a number. There are as many as row groups where those are fewer, none
    without rows, and a next round of files once the first of one has 512 MiB.
    """
    batches = iter(batches)
    first = next(batches, None)
    if first is None:
        return 0
    parquet = ParquetFormat(first.schema, "zstd")
    files = min(files, MOST_OPEN_FILES)
    rows = number = 0
    open_files: list[tuple[FileWriter[Any], ObjectUpload]] = []
    with prefetch(parquet.blocks(chain([first], batches)), ahead=1) as blocks:
        for turn, block in enumerate(blocks):
            place = turn % files
            if place == 0 and open_files and open_files[0][1].bytes >= _FILE_BYTES:
                _close(open_files)
                open_files = []
            if place == len(open_files):
                upload = begin(number)
                open_files.append((parquet.writer(upload), upload))
                number += 1
            open_files[place][0].write(block.payload)
            rows += block.rows
    _close(open_files)
    return rows


def _close(files: list[tuple[FileWriter[Any], ObjectUpload]]) -> None:
    for writer, upload in files:
        writer.close()
        upload.seal(last=False)
