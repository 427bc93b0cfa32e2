"""What a server lets nobody do, or not now: locks, limits of time, isolation, full disks."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from batch_exports.components import postgres_session
from batch_exports.errors import Terminal, Transient
from batch_exports_tests.destinations.postgres.faults.trial import Trial
from batch_exports_tests.destinations.postgres.faults.ways import (
    FEW_WAYS,
    KEY,
    MERGE,
    RANGE,
    Way,
)
from batch_exports_tests.destinations.suite import wait_until

TryOut = Callable[[Way], Trial]


def test_a_table_that_another_session_holds(try_out: TryOut) -> None:
    trial = try_out(RANGE)
    with trial.other_session() as execute:
        execute("LOCK TABLE {table}")
        with pytest.raises(Transient, match=r"lock timeout.*pg_stat_activity"):
            trial.deliver("run-waited", lock_timeout_seconds=1)
    trial.assert_unchanged()
    trial.deliver()
    trial.assert_delivered()


def test_a_table_taken_while_rows_are_staged(try_out: TryOut) -> None:
    """As by one who makes an index: the run waits no longer than it may."""
    trial = try_out(MERGE.with_connections(2))
    with trial.other_session() as execute:

        def take() -> None:
            trial.await_copy()
            execute("LOCK TABLE {table} IN SHARE MODE")

        with pytest.raises(Transient, match=r"lock timeout.*pg_stat_activity"):
            trial.deliver("run-waited", amid=take, lock_timeout_seconds=1)
    trial.assert_unchanged()
    trial.deliver()
    trial.assert_delivered()


def test_a_deadlock_with_another_session(try_out: TryOut) -> None:
    trial = try_out(RANGE)
    with trial.other_session() as execute, ThreadPoolExecutor(1) as thread:
        execute("SET deadlock_timeout = '1h'")  # the run is the one to be given up

        def cross() -> None:
            trial.await_copy()
            execute("LOCK TABLE {rejects}")
            thread.submit(execute, "LOCK TABLE {table}")
            trial.await_blocked(trial.server.admin.user)

        with pytest.raises(Transient, match="40P01"):
            trial.deliver("run-crossed", amid=cross)
        thread.shutdown()
    trial.assert_unchanged()
    trial.deliver()
    trial.assert_delivered()


def test_a_statement_that_takes_too_long(try_out: TryOut) -> None:
    trial = try_out(KEY.with_connections(2))
    query = (
        "SELECT pid FROM pg_stat_progress_copy JOIN pg_stat_activity USING (pid) "
        "WHERE clock_timestamp() - query_start > '1100 ms'"
    )

    def dawdle() -> None:
        wait_until(lambda: bool(trial.execute(query)))

    with pytest.raises(Terminal, match=r"57014.*statement_timeout_seconds"):
        trial.deliver("run-slow", amid=dawdle, statement_timeout_seconds=1)
    trial.assert_unchanged()
    trial.deliver()
    trial.assert_delivered()


def test_a_source_that_takes_long(try_out: TryOut, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection that waits for others to load is not given up as one that hangs."""
    monkeypatch.setattr(postgres_session, "_IDLE_IN_TRANSACTION_SECONDS", 1)
    trial = try_out(MERGE.with_connections(2))
    query = (
        "SELECT pid FROM pg_stat_activity WHERE usename = %s AND xact_start IS NOT NULL "
        "AND clock_timestamp() - state_change > '1500 ms'"
    )
    user = trial.server.exporter.user
    trial.deliver(amid=lambda: wait_until(lambda: bool(trial.execute(query, user))))
    trial.assert_delivered()


def test_sessions_that_idle_while_rows_are_moved(try_out: TryOut) -> None:
    """Those that have loaded are idle from then on, and not given up; their tables go."""
    trial = try_out(MERGE.with_connections(2))
    user = trial.server.exporter.user
    idle = (
        "SELECT pid FROM pg_stat_activity WHERE usename = %s AND state = 'idle' "
        "AND clock_timestamp() - state_change > '1500 ms'"
    )
    with (
        trial.with_default("idle_session_timeout", "1s"),
        trial.other_session() as execute,
        ThreadPoolExecutor(1) as thread,
    ):

        def take() -> None:
            trial.await_copy()
            execute("LOCK TABLE {table} IN SHARE MODE")

        run = thread.submit(trial.deliver, amid=take)
        trial.await_blocked(user)
        wait_until(lambda: bool(trial.execute(idle, user)))
        execute("ROLLBACK")
        run.result()
    trial.assert_delivered()


@pytest.mark.parametrize("way", FEW_WAYS, ids=str)
def test_a_database_whose_transactions_are_serializable(try_out: TryOut, way: Way) -> None:
    trial = try_out(way)
    with trial.with_default("default_transaction_isolation", "serializable"):
        trial.deliver()
        trial.assert_delivered()


def test_a_database_that_nobody_may_write_to(try_out: TryOut) -> None:
    trial = try_out(RANGE)
    with (
        trial.with_default("default_transaction_read_only", "on"),
        pytest.raises(Transient, match=r"read-only.*primary's host"),
    ):
        trial.deliver("run-refused")
    trial.assert_unchanged()
    trial.deliver()
    trial.assert_delivered()
