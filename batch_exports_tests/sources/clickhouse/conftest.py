"""Fixtures for ClickHouse: one server a session, its own engine behind its HTTP interface."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from batch_exports.local.clickhouse import server
from batch_exports.local.clickhouse.posthog import create_tables, insert_sample
from batch_exports.local.lake import lay_lake
from batch_exports_tests.conftest import _reaped


@pytest.fixture(scope="session")
def clickhouse_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[server.Server]:
    """A ClickHouse with PostHog's tables, empty."""
    folder = tmp_path_factory.mktemp("clickhouse")
    with _reaped(server.__name__, folder):
        started = server.start(folder)
        create_tables(started.run)
        yield started


@pytest.fixture(scope="session")
def sample_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lake") / "lake"
    lay_lake(folder)
    return folder


@pytest.fixture(scope="session")
def sample(clickhouse_server: server.Server, sample_lake: Path) -> server.Server:
    """The server with the sample lake in PostHog's tables, unmerged."""
    insert_sample(clickhouse_server.run, sample_lake)
    return clickhouse_server
