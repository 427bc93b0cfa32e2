"""A run in a process of its own, to be killed in the middle of its data."""

import json
import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from batch_exports.transform.shard import Shard
from batch_exports_tests.destinations.rows import HOUR, PROJECTION, make_rows

if TYPE_CHECKING:
    from batch_exports_tests.destinations.suite import Adapter

_ROWS_A_BATCH = 20
_BATCHES = 4
_STRINGS_A_ROW = 32
_BYTES_A_STRING = 2**15


@contextmanager
def deliver_half(
    adapter: "Adapter", shard: Shard | None = None, **settings: Any
) -> Iterator[BaseProcess]:
    """The process delivers 80 MB that do not compress, and then waits for more that never come.

    With a `shard` these are all of it, and they are staged.
    """
    # Forked from a process without threads, whose locks it might inherit, that has all imported.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([type(adapter).__module__])
    process = context.Process(target=_deliver, args=(adapter, shard, settings), daemon=True)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


def _deliver(adapter: "Adapter", shard: Shard | None, settings: dict[str, Any]) -> None:
    destination: Any = adapter.destination(PROJECTION, **settings)
    batches = pa.RecordBatchReader.from_batches(PROJECTION.schema, _half())
    if shard:
        destination.stage(batches, HOUR, "run-killed", shard)
    else:
        destination.write(batches, HOUR, "run-killed")


def _noise() -> str:
    """A JSON array of strings that no destination finds too long."""
    strings = (os.urandom(_BYTES_A_STRING // 2).hex() for _ in range(_STRINGS_A_ROW))
    return json.dumps(list(strings))


def _half() -> Iterator[pa.RecordBatch]:
    for batch in range(_BATCHES):
        numbers = range(batch * _ROWS_A_BATCH, (batch + 1) * _ROWS_A_BATCH)
        noise = [_noise() for _ in numbers]
        rows = make_rows(numbers, label="killed", columns={"properties": noise})
        yield from rows.combine_chunks().to_batches()
    while True:
        time.sleep(60)
