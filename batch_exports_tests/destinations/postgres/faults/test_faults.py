"""Sources, sessions and lines that break while rows are on their way, and around the commit."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import pytest

from batch_exports.components import postgres_session
from batch_exports.errors import Transient
from batch_exports_tests.destinations.postgres.faults.trial import COMMIT, Trial
from batch_exports_tests.destinations.postgres.faults.ways import (
    FEW_WAYS,
    KEY,
    MERGE,
    RANGE,
    WAYS,
    Way,
)
from batch_exports_tests.destinations.rows import HOUR, stream
from batch_exports_tests.destinations.suite import SourceFailed, fail
from batch_exports_tests.faults import FaultProxy, TcpFault

TryOut = Callable[[Way], Trial]


@pytest.mark.parametrize("way", FEW_WAYS, ids=str)
def test_a_source_that_fails_halfway(try_out: TryOut, way: Way) -> None:
    trial = try_out(way)
    with pytest.raises(SourceFailed):
        trial.deliver("run-failed", amid=fail)
    trial.assert_unchanged()
    assert trial.adapter.leftovers() == []
    trial.deliver()
    trial.assert_delivered()


@pytest.mark.parametrize("way", FEW_WAYS, ids=str)
def test_a_copy_that_an_administrator_ends(try_out: TryOut, way: Way) -> None:
    trial = try_out(way)

    def end() -> None:
        for pid in trial.await_copy():
            trial.execute("SELECT pg_terminate_backend(%s)", pid)

    with pytest.raises(Transient, match="terminating connection due to administrator command"):
        trial.deliver("run-ended", amid=end)
    trial.assert_unchanged()
    assert trial.adapter.leftovers() == []
    trial.deliver()
    trial.assert_delivered()


@pytest.mark.parametrize(
    "way", [RANGE, KEY, MERGE, *(w.with_connections(2) for w in (KEY, MERGE))], ids=str
)
def test_a_replacement_that_an_administrator_ends(try_out: TryOut, way: Way) -> None:
    """It waits for another session that has changed one of the rows, and is ended there."""
    trial = try_out(way)
    column = way.projection.model.key[-1]
    with trial.other_session() as execute, ThreadPoolExecutor(1) as thread:
        execute(f"SELECT FROM {{table}} ORDER BY {column} FOR UPDATE")
        run = thread.submit(trial.deliver, "run-ended")
        pid = trial.await_blocked(trial.server.exporter.user)
        trial.execute("SELECT pg_terminate_backend(%s)", pid)
        with pytest.raises(Transient, match="57P01"):
            run.result()
    trial.assert_unchanged()
    trial.deliver()
    trial.assert_delivered()


@pytest.mark.parametrize(
    ("way", "do"),
    [*((way, "reset") for way in FEW_WAYS), (RANGE, "close"), (KEY, "close")],
    ids=str,
)
def test_a_line_cut_amid_a_copy(
    try_out: TryOut, proxy: FaultProxy, way: Way, do: Literal["reset", "close"]
) -> None:
    trial = try_out(way)
    cut = proxy.add(TcpFault(direction="up", do=do, after=40_000))
    with pytest.raises(Transient, match="server closed the connection"):
        trial.deliver("run-cut", port=proxy.port)
    assert cut.hits == 1
    trial.assert_unchanged()
    trial.deliver()
    trial.assert_delivered()


@pytest.mark.parametrize("way", FEW_WAYS, ids=str)
def test_a_commit_that_never_arrives(try_out: TryOut, proxy: FaultProxy, way: Way) -> None:
    trial = try_out(way)
    cut = proxy.add(TcpFault(direction="up", do="reset", match=COMMIT, skip=1))
    with pytest.raises(Transient, match="server closed the connection"):
        trial.deliver(port=proxy.port)
    assert cut.hits == 1
    trial.assert_unchanged()
    trial.deliver()
    trial.assert_delivered()


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_commit_whose_answer_is_lost(try_out: TryOut, proxy: FaultProxy, way: Way) -> None:
    """The run fails though all is there; trying it again adds nothing."""
    trial = try_out(way)
    cut = proxy.add(TcpFault(direction="up", do="reset", match=COMMIT, skip=1, forward=True))
    with pytest.raises(Transient, match="server closed the connection"):
        trial.deliver(port=proxy.port)
    assert cut.hits == 1
    trial.assert_delivered()
    trial.deliver()
    trial.assert_delivered()


def test_a_network_that_swallows_all(
    try_out: TryOut, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run gives up; its session, and the locks, stay until the server does so as well."""
    monkeypatch.setattr(postgres_session, "_UNREAD_SECONDS", 1)
    trial = try_out(MERGE.with_connections(2))
    proxy.add(TcpFault(direction="up", do="hang", after=40_000))
    many = trial.way.rows(range(12_000), lambda _: 3)  # more than fits on the way
    destination = trial.destination(port=proxy.port, lock_timeout_seconds=1)
    with pytest.raises(Transient, match="server closed the connection"):
        destination.write(stream(many, batch_rows=1000), HOUR, "run-lost")
    trial.assert_unchanged()
    with pytest.raises(Transient, match=r"Another run is delivering|see in pg_stat_activity"):
        trial.deliver(lock_timeout_seconds=1)
    proxy.heal()
    trial.deliver()
    trial.assert_delivered()
