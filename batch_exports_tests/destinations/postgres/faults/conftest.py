"""A server that may be broken in any way, and an interval on its way to it."""

import uuid
from collections.abc import Callable, Iterator

import pytest
from psycopg import sql

from batch_exports.local import postgres_server
from batch_exports.local.postgres_server import Server
from batch_exports_tests.conftest import _reaped
from batch_exports_tests.destinations.postgres.adapter import PostgresAdapter
from batch_exports_tests.destinations.postgres.faults.trial import Trial
from batch_exports_tests.destinations.postgres.faults.ways import Way
from batch_exports_tests.faults import FaultProxy

_SETTINGS = {
    "deadlock_timeout": "50ms",
    # What commits without waiting for its log stays in memory for so long.
    "wal_writer_delay": "10s",
}


@pytest.fixture(scope="session")
def _fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("fragile")
    with _reaped(postgres_server.__name__, folder):
        postgres_server.start(folder, _SETTINGS)
        # Without TLS the bytes on the wire are known, and a fault can strike at one of them.
        with (folder / "data/cluster/pg_hba.conf").open("a") as hba:
            hba.write("host all all 127.0.0.1/32 scram-sha-256\n")
        postgres_server.stop(folder)
        yield postgres_server.start(folder)


@pytest.fixture
def server(_fragile: Server) -> Server:
    """For tests to kill: whatever one did to it, it runs again for the next."""
    return postgres_server.start(_fragile.folder)


@pytest.fixture
def adapter(server: Server) -> PostgresAdapter:
    """A fresh schema, reached as the exporter, without TLS."""
    schema = f"test_{uuid.uuid4().hex[:12]}"
    with server.connect(autocommit=True) as admin:
        names = sql.Identifier(schema), sql.Identifier(server.exporter.user)
        admin.execute(sql.SQL("CREATE SCHEMA {}").format(names[0]))
        admin.execute(sql.SQL("GRANT CREATE, USAGE ON SCHEMA {} TO {}").format(*names))
    plain = {"ssl_mode": "disable", "ssl_root_cert": None}
    tls = PostgresAdapter.to(server, schema)
    return PostgresAdapter({**tls.connection, **plain}, schema)


@pytest.fixture
def try_out(server: Server, adapter: PostgresAdapter) -> Callable[[Way], Trial]:
    """An interval that is to take one of the ways, on the server that may be broken."""
    return lambda way: Trial(server, adapter, way)


@pytest.fixture
def proxy(server: Server) -> Iterator[FaultProxy]:
    with FaultProxy((server.host, server.port)) as proxy:
        yield proxy
