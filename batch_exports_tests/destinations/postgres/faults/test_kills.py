"""Processes killed, of a run and of the server: all of a delivery is there, or nothing."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import Any

import pytest

from batch_exports.errors import Transient
from batch_exports.local import postgres_server
from batch_exports_tests.destinations.postgres.faults.trial import COMMIT, Trial
from batch_exports_tests.destinations.postgres.faults.ways import FEW_WAYS, KEY, MERGE, RANGE, Way
from batch_exports_tests.destinations.suite import wait_until
from batch_exports_tests.faults import FaultProxy, TcpFault

TryOut = Callable[[Way], Trial]


@contextmanager
def another_process(
    trial: Trial, amid: Callable[[], object] | None = None, **connection: Any
) -> Iterator[BaseProcess]:
    """It delivers, and is there to be killed."""
    # Forked from a process without threads, whose locks it might inherit, that has all imported.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    arguments = ("run-killed", amid)
    process = context.Process(target=trial.deliver, args=arguments, kwargs=connection, daemon=True)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


@pytest.mark.parametrize("way", FEW_WAYS, ids=str)
def test_a_run_killed_amid_its_copy(try_out: TryOut, way: Way) -> None:
    trial = try_out(way)
    with another_process(trial, amid=signal.pause):
        trial.await_copy()
    trial.assert_unchanged()
    trial.deliver()
    trial.assert_delivered()


@pytest.mark.parametrize("way", [KEY, MERGE.with_connections(2)], ids=str)
def test_a_run_killed_before_its_commit(try_out: TryOut, proxy: FaultProxy, way: Way) -> None:
    """The server does not learn of it at once; until then it holds the interval's lock."""
    trial = try_out(way)
    hang = proxy.add(TcpFault(direction="up", do="hang", match=COMMIT, skip=1))
    with another_process(trial, port=proxy.port):
        hang.wait()
    trial.assert_unchanged()
    with pytest.raises(Transient, match="Another run is delivering"):
        trial.deliver(lock_timeout_seconds=1)
    proxy.heal()
    trial.deliver()
    trial.assert_delivered()


@pytest.mark.parametrize("way", [RANGE, KEY.with_connections(2), MERGE], ids=str)
def test_a_session_of_the_server_killed(try_out: TryOut, way: Way) -> None:
    """The server then ends all others, and recovers."""
    trial = try_out(way)

    def crash() -> None:
        os.kill(trial.await_copy()[0], signal.SIGKILL)

    with pytest.raises(Transient):
        trial.deliver("run-crashed", amid=crash)
    wait_until(lambda: postgres_server.is_running(trial.server))
    trial.assert_unchanged()
    trial.deliver()
    trial.assert_delivered()


@pytest.mark.parametrize("way", [RANGE, KEY.with_connections(2), MERGE], ids=str)
def test_the_server_killed_amid_a_copy(try_out: TryOut, way: Way) -> None:
    trial = try_out(way)

    def kill() -> None:
        trial.await_copy()
        postgres_server.kill(trial.server.folder)

    with pytest.raises(Transient):
        trial.deliver("run-crashed", amid=kill)
    with pytest.raises(Transient, match="Is the server running"):
        trial.deliver("run-refused")
    postgres_server.start(trial.server.folder)
    trial.assert_unchanged()
    trial.deliver()
    trial.assert_delivered()


@pytest.mark.parametrize("way", [RANGE, KEY.with_connections(2), MERGE], ids=str)
def test_the_server_killed_before_it_commits(try_out: TryOut, proxy: FaultProxy, way: Way) -> None:
    trial = try_out(way)
    hang = proxy.add(TcpFault(direction="up", do="hang", match=COMMIT, skip=1))
    with ThreadPoolExecutor(1) as thread:
        run = thread.submit(trial.deliver, "run-crashed", port=proxy.port)
        hang.wait()
        postgres_server.kill(trial.server.folder)
        postgres_server.start(trial.server.folder)
        proxy.heal()
        with pytest.raises(Transient, match="server closed the connection"):
            run.result()
    trial.assert_unchanged()
    trial.deliver()
    trial.assert_delivered()


def test_the_server_killed_once_tables_are_made(try_out: TryOut, proxy: FaultProxy) -> None:
    trial = try_out(RANGE)
    trial.execute("DROP TABLE {table}, {rejects}, {ledger}")
    hang = proxy.add(TcpFault(direction="up", do="hang", match=b"BEGIN", skip=1))
    with ThreadPoolExecutor(1) as thread:
        run = thread.submit(trial.deliver, "run-crashed", port=proxy.port)
        hang.wait()
        postgres_server.kill(trial.server.folder)
        postgres_server.start(trial.server.folder)
        proxy.heal()
        with pytest.raises(Transient, match="server closed the connection"):
            run.result()
    assert trial.state() == {"rows": [], "ledger": [], "rejects": []}
    trial.deliver_neighbour()
    trial.deliver()
    trial.assert_delivered()


def test_the_server_killed_once_it_has_committed(try_out: TryOut) -> None:
    """What is told as delivered is there, even where commits do not wait for the server's log."""
    trial = try_out(RANGE)
    with trial.with_default("synchronous_commit", "off"):
        trial.deliver()
        postgres_server.kill(trial.server.folder)
        postgres_server.start(trial.server.folder)
    trial.assert_delivered()
