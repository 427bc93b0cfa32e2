"""A server that may be broken in any way, and an interval on its way to it."""

from collections.abc import Callable, Iterator

import pytest

from batch_exports.local import postgres_server
from batch_exports.local.postgres_server import Server
from batch_exports_tests.conftest import _reaped
from batch_exports_tests.destinations.postgres.adapter import PostgresAdapter
from batch_exports_tests.destinations.postgres.faults.fragile import (
    allow_plain_connections,
    new_schema,
)
from batch_exports_tests.destinations.postgres.faults.trial import Trial
from batch_exports_tests.destinations.postgres.faults.ways import Way
from batch_exports_tests.faults import FaultProxy

_SETTINGS = {
    "deadlock_timeout": "50ms",
    # What commits without waiting for its log stays in memory for so long.
    "wal_writer_delay": "10s",
}


@pytest.fixture(scope="session")
def fragile_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("fragile")
    with _reaped(postgres_server.__name__, folder):
        postgres_server.start(folder, _SETTINGS)
        yield allow_plain_connections(folder)


@pytest.fixture
def server(fragile_server: Server) -> Server:
    """For tests to kill: whatever one did to it, it runs again for the next."""
    return postgres_server.start(fragile_server.folder)


@pytest.fixture
def adapter(server: Server) -> PostgresAdapter:
    return new_schema(server)


@pytest.fixture
def try_out(server: Server, adapter: PostgresAdapter) -> Callable[[Way], Trial]:
    """An interval that is to take one of the ways."""
    return lambda way: Trial(server, adapter, way)


@pytest.fixture
def proxy(server: Server) -> Iterator[FaultProxy]:
    with FaultProxy((server.host, server.port)) as proxy:
        yield proxy
