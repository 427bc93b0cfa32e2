"""Intervals that come to PostgreSQL in shards."""

from dataclasses import replace
from typing import Any

import pytest

from batch_exports.errors import Terminal
from batch_exports.local.postgres_server import Server
from batch_exports.models import EVENTS
from batch_exports_tests.destinations.postgres.adapter import PostgresAdapter
from batch_exports_tests.destinations.rows import HOUR, PROJECTION, make_rows, stream
from batch_exports_tests.destinations.sharded import ShardedSuite, sharded, stage
from batch_exports_tests.destinations.suite import assert_sound


class TestSharded(ShardedSuite):
    @pytest.fixture
    def adapter(self, postgres: PostgresAdapter) -> PostgresAdapter:
        return postgres


def test_rows_are_appended_once_a_run(postgres: PostgresAdapter) -> None:
    destination = sharded(postgres, write_mode="append")
    for run in ("run-1", "run-2"):
        receipts = stage(destination, make_rows(range(30), label=run), run)
        delivery = destination.commit(receipts, HOUR, run)
        assert destination.commit(receipts, HOUR, run) == delivery
    [found] = postgres.execute("SELECT count(*) AS rows FROM {table}")
    assert found["rows"] == 60
    assert postgres.leftovers() == []


def test_the_newest_row_of_each_key_stays(postgres: PostgresAdapter) -> None:
    versioned = replace(PROJECTION, model=replace(EVENTS, versions=("team_id",)))
    destination: Any = postgres.destination(versioned, write_mode="merge")
    versions = [range(30), range(100, 130), [0, 200] * 15]
    for run, numbers in enumerate(versions):
        rows = make_rows(range(30), columns={"team_id": numbers})
        delivery = destination.commit(stage(destination, rows, f"run-{run}"), HOUR, f"run-{run}")
        assert delivery.changed == (15 if run == 2 else 30)
    found = postgres.execute("SELECT team_id FROM {table} ORDER BY team_id")
    assert [row["team_id"] for row in found] == [*range(100, 130, 2), *[200] * 15]


def test_rows_that_a_crash_of_the_server_took_are_missed(postgres: PostgresAdapter) -> None:
    """It empties unlogged tables: https://www.postgresql.org/docs/current/sql-createtable.html"""
    destination = sharded(postgres)
    receipts = stage(destination, make_rows(range(30)), "run-1")
    postgres.execute(f"TRUNCATE {{schema}}.{receipts[2]['table']}")
    with pytest.raises(Terminal, match=r"Shard 2 .* has crashed since"):
        destination.commit(receipts, HOUR, "run-1")
    destination.commit(stage(destination, make_rows(range(30)), "run-2"), HOUR, "run-2")
    assert_sound(destination, HOUR, 30)
    assert postgres.leftovers() == []


def test_a_table_that_was_changed_gets_nothing_of_before(postgres: PostgresAdapter) -> None:
    destination = sharded(postgres)
    receipts = stage(destination, make_rows(range(5)), "run-1")
    postgres.execute("ALTER TABLE {table} DROP COLUMN person_id")
    with pytest.raises(Terminal, match=r"person_id.*Materialize the partition again"):
        destination.commit(receipts, HOUR, "run-1")


def test_a_shard_needs_to_make_tables(postgres: PostgresAdapter, postgres_server: Server) -> None:
    """Also where all others are there."""
    destination = sharded(postgres)
    destination.write(stream(make_rows(range(5))), HOUR, "run-1")
    with postgres_server.connect(autocommit=True) as admin:
        user = postgres_server.exporter.user
        admin.execute(f'REVOKE CREATE ON SCHEMA "{postgres.schema}" FROM "{user}"'.encode())
    with pytest.raises(Terminal, match=r"GRANT USAGE, CREATE ON SCHEMA"):
        stage(destination, make_rows(range(5)), "run-2")
