"""One run of an interval, in this process or in one of its own."""

import multiprocessing
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection

import pyarrow as pa

from batch_exports.destinations.delivery import Delivery, Destination
from batch_exports.errors import BatchExportError
from batch_exports.models import Projection
from batch_exports_tests.destinations.property.source import INTERVALS
from batch_exports_tests.destinations.suite import Adapter, SourceFailed

Outcome = Delivery | BatchExportError | SourceFailed


@dataclass(frozen=True)
class Run:
    """Which interval it delivers, and how. Something may happen before its batch `moment`, or
    when all batches were read if there are no more."""

    interval: int
    parallelism: int = 1
    batch_rows: int = 3
    moment: int = 0


def write(
    run: Run,
    destination: Destination,
    rows: pa.Table,
    run_id: str,
    event: Callable[[], object] | None = None,
) -> Outcome:
    """How it ends. `event` is what happens, and may raise."""

    def batches() -> Iterator[pa.RecordBatch]:
        read = rows.to_batches(run.batch_rows)
        for number, batch in enumerate(read):
            if event and number == run.moment:
                event()
            yield batch
        if event and run.moment >= len(read):
            event()

    reader = pa.RecordBatchReader.from_batches(rows.schema, batches())
    try:
        return destination.write(reader, INTERVALS[run.interval], run_id)
    except (BatchExportError, SourceFailed) as error:
        return error


def write_and_die(
    run: Run,
    adapter: Adapter,
    projection: Projection,
    rows: pa.Table,
    run_id: str,
    delay: float,
) -> None:
    """In a process that SIGKILL ends so many seconds after the run's moment."""
    # Forked from a process without threads, whose locks it might inherit, that has all imported.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    here, there = context.Pipe(duplex=False)
    process = context.Process(
        target=_write_alone, args=(run, adapter, projection, rows, run_id, there), daemon=True
    )
    process.start()
    there.close()
    try:
        here.recv()
        time.sleep(delay)
    finally:
        process.kill()
        process.join()


def _write_alone(
    run: Run,
    adapter: Adapter,
    projection: Projection,
    rows: pa.Table,
    run_id: str,
    signal: Connection,
) -> None:
    write(run, adapter.destination(projection), rows, run_id, lambda: signal.send("now"))
