"""Processes of runs killed: all of a delivery is there, or nothing, and the next run is good."""

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.process import BaseProcess

import pyarrow as pa
import pytest

from batch_exports_tests.destinations.redshift.adapter import RedshiftAdapter
from batch_exports_tests.destinations.redshift.faults.statements import (
    COMMIT,
    LEDGER,
    STAGE,
    upon,
)
from batch_exports_tests.destinations.redshift.faults.trial import Trial, to
from batch_exports_tests.destinations.redshift.faults.ways import (
    APPEND,
    FEW_WAYS,
    KEY,
    MERGE,
    RANGE,
    Way,
)
from batch_exports_tests.destinations.rows import HOUR, stream
from batch_exports_tests.faults import FaultProxy, HttpFault

TryOut = Callable[[Way], Trial]


@contextmanager
def another_process(trial: Trial, adapter: RedshiftAdapter | None = None) -> Iterator[BaseProcess]:
    """It is to deliver, and is there to be killed."""
    # Forked from a process without threads, whose locks it might inherit, that has all imported.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    arguments = (adapter or trial.adapter, trial.way, trial.latest)
    process = context.Process(target=_deliver, args=arguments, daemon=True)
    try:
        yield process
    finally:
        process.kill()
        process.join()


def _deliver(adapter: RedshiftAdapter, way: Way, rows: pa.Table) -> None:
    to(adapter, way).write(stream(rows), HOUR, "run-latest")


def kill_upon(trial: Trial, pattern: str) -> None:
    """When the statement has arrived; the server obeys it still."""
    with another_process(trial) as process:

        def kill() -> None:
            process.kill()
            process.join()

        with upon(trial.emulator, pattern, kill) as met:
            process.start()
            process.join(60)
            trial.await_end()
            assert met


@pytest.mark.parametrize(
    ("request_line", "forward"),
    [(r"^PUT .*/0000\.parquet\?.*partNumber=1", False), ("^PUT .*/manifest$", True)],
    ids=["uploading", "manifest"],
)
def test_a_run_killed_before_its_copy(
    try_out: TryOut, s3_line: FaultProxy, request_line: str, forward: bool
) -> None:
    trial = try_out(RANGE)
    hang = s3_line.add(HttpFault(request=request_line, do="hang", forward=forward))
    with another_process(trial, replace(trial.adapter, endpoint=s3_line.endpoint)) as process:
        process.start()
        hang.wait(60)
    s3_line.heal()
    trial.assert_unchanged()
    assert trial.adapter.leftovers() != []
    trial.deliver()
    trial.assert_delivered()


@pytest.mark.parametrize(
    ("way", "pattern"),
    [
        (RANGE, STAGE),
        (RANGE.by("INSERT"), STAGE),
        (RANGE, LEDGER),
        (KEY.by("INSERT"), LEDGER),
        (MERGE, LEDGER),
        (APPEND.by("INSERT"), LEDGER),
    ],
    ids=str,
)
def test_a_run_killed_before_its_commit(try_out: TryOut, way: Way, pattern: str) -> None:
    trial = try_out(way)
    kill_upon(trial, pattern)
    trial.assert_unchanged()
    trial.deliver()
    trial.assert_delivered()


@pytest.mark.parametrize("way", FEW_WAYS, ids=str)
def test_a_run_killed_before_it_learns_of_its_commit(try_out: TryOut, way: Way) -> None:
    """All is there; the same run, tried again, adds nothing."""
    trial = try_out(way)
    kill_upon(trial, COMMIT)
    assert trial.state()["rows"] == trial.expected()
    trial.deliver()
    trial.assert_delivered()
