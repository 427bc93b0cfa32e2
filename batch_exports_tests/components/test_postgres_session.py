"""A session says whose it is, waits no longer than it may, and notices a network that died."""

import socket
import string
from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_exports.components import postgres_session
from batch_exports.components.postgres_session import PostgresConnectionResource
from batch_exports.destinations.postgres.errors import postgres_errors
from batch_exports.errors import ConfigurationError, Terminal, Transient
from batch_exports.local.ports import free_ports
from batch_exports.local.postgres_server import Server
from batch_exports_tests.components.postgres import failure, new_user, resource, trusted
from batch_exports_tests.faults import FaultProxy, TcpFault

UNIQUE = "events_archive 2026-11-01-00:00 5f1c3f6e-0000"


@pytest.fixture
def connection(postgres_server: Server) -> Iterator[PostgresConnectionResource]:
    with trusted(postgres_server) as connection:
        yield connection


@pytest.fixture
def proxy(postgres_server: Server) -> Iterator[FaultProxy]:
    with FaultProxy((postgres_server.host, postgres_server.port)) as proxy:
        yield proxy


def shown(connected: psycopg.Connection, setting: str) -> str:
    row = connected.execute("SELECT current_setting(%s)", [setting]).fetchone()
    assert row
    return str(row[0])


def test_what_a_session_has_set(connection: PostgresConnectionResource) -> None:
    expected = {
        "application_name": UNIQUE,
        "statement_timeout": "0",
        "lock_timeout": "30s",
        "idle_in_transaction_session_timeout": "1h",
        "tcp_keepalives_idle": "20",
        "tcp_keepalives_interval": "10",
        "tcp_keepalives_count": "3",
        "tcp_user_timeout": "300000",
        "client_connection_check_interval": "10s",
        "TimeZone": "UTC",
        "DateStyle": "ISO, YMD",
        "client_encoding": "UTF8",
        "search_path": "pg_catalog, pg_temp",
    }
    with connection.connect(UNIQUE) as connected:
        assert connected.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        assert not connected.autocommit
        assert connected.prepare_threshold is None
        assert {name: shown(connected, name) for name in expected} == expected
        connected.rollback()
        assert shown(connected, "TimeZone") == "UTC"
        # PgBouncer refuses connections that start with options.
        assert "options" not in connected.info.get_parameters()
        assert not connected.pgconn.used_gssapi


def test_the_settings_of_the_user_do_not_count(postgres_server: Server) -> None:
    user = new_user(postgres_server, "p", statement_timeout="9s", timezone="Asia/Tokyo")
    with (
        trusted(postgres_server, user=user, password="p") as connection,
        connection.connect("a test") as connected,
    ):
        assert shown(connected, "statement_timeout") == "0"
        assert shown(connected, "TimeZone") == "UTC"


def test_the_clients_end_notices_silence(connection: PostgresConnectionResource) -> None:
    with connection.connect("a test") as connected:
        line = socket.socket(fileno=socket.dup(connected.fileno()))
        with line:
            assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            options = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
            there = [getattr(socket, name) for name in options if hasattr(socket, name)]
            found = [line.getsockopt(socket.IPPROTO_TCP, option) for option in there]
    # A server that waits for a lock may read nothing for as long, and is not dead.
    assert found == [20, 10, 3, 1000 * (60 + connection.lock_timeout_seconds)][: len(found)]


def test_a_line_that_dies_amid_a_copy(
    postgres_server: Server,
    proxy: FaultProxy,
    postgres_schema: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(postgres_session, "_UNREAD_SECONDS", 1)
    with trusted(postgres_server, port=proxy.port, lock_timeout_seconds=1) as connection:
        connected = connection.connect("a test")
        with pytest.raises(Transient), postgres_errors(connection.uri), connected:
            connected.execute(f"CREATE TABLE {postgres_schema}.t (a text)")
            proxy.add(TcpFault(direction="up", do="hang", after=1_000_000))
            with connected.cursor().copy(f"COPY {postgres_schema}.t FROM STDIN") as copy:
                for _ in range(1000):
                    copy.write(b"x" * 100_000 + b"\n")


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_server_that_does_not_answer(
    postgres_server: Server, proxy: FaultProxy, direction: str
) -> None:
    proxy.add(TcpFault(direction=direction, do="hang", after=200))  # type: ignore[arg-type]
    found = failure(trusted(postgres_server, port=proxy.port, connect_timeout_seconds=1))
    assert isinstance(found, Transient)
    assert f"postgres://127.0.0.1:{proxy.port}/analytics: " in found.message
    assert "connection timeout expired" in found.message
    assert "network" in found.remedy


def test_a_host_that_is_not_reached(postgres_server: Server) -> None:
    [port] = free_ports(1)
    for host in ("127.0.0.1", "nowhere.invalid"):
        found = failure(trusted(postgres_server, host=host, port=port))
        assert isinstance(found, Transient)
        assert host in found.message
        assert "host" in found.remedy


def test_a_machine_without_authorities(
    postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batch_exports.components.authorities._BUNDLES", ())
    monkeypatch.setenv("SSL_CERT_FILE", "/not/there")
    found = failure(resource(postgres_server))
    assert isinstance(found, ConfigurationError)
    assert found.field == "ssl_root_cert"
    assert "ca-certificates" in found.remedy


def test_waiting_for_a_lock_ends(postgres_server: Server, postgres_schema: str) -> None:
    with (
        trusted(postgres_server, lock_timeout_seconds=1) as connection,
        connection.connect("holder") as holder,
        connection.connect("waiter") as waiter,
    ):
        holder.execute(f"CREATE TABLE {postgres_schema}.t ()")
        holder.commit()
        holder.execute(f"LOCK TABLE {postgres_schema}.t")
        with pytest.raises(Transient, match="55P03") as raised, postgres_errors(connection.uri):
            waiter.execute(f"TABLE {postgres_schema}.t")
    assert "which other run or program holds the table" in raised.value.remedy


def test_a_statement_that_takes_too_long_ends(postgres_server: Server) -> None:
    with (
        trusted(postgres_server, statement_timeout_seconds=1) as connection,
        connection.connect("slow") as slow,
        pytest.raises(Terminal, match="57014") as raised,
        postgres_errors(connection.uri),
    ):
        slow.execute("SELECT pg_sleep(60)")
    assert "statement_timeout_seconds" in raised.value.remedy


def test_a_server_that_cannot_be_written_to(postgres_server: Server) -> None:
    """A standby says the same of itself. It is as good as another to read from."""
    user = new_user(postgres_server, "p", default_transaction_read_only="on")
    found = failure(trusted(postgres_server, user=user, password="p"))
    assert isinstance(found, Transient)
    assert "session is read-only" in found.message
    assert "give the primary's host" in found.remedy
    with (
        trusted(postgres_server, user=user, password="p") as connection,
        connection.connect("a reader", reads_only=True) as connected,
    ):
        assert shown(connected, "transaction_read_only") == "on"


def test_nothing_stays_open_when_setting_up_fails(
    connection: PostgresConnectionResource,
    postgres_server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(postgres_session, "_SET", "SELECT 1/0, %s::text[], %s::text[]")
    with pytest.raises(Terminal, match="division by zero"):
        connection.connect("set up badly")
    count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'set up badly'"
    with postgres_server.connect(autocommit=True) as admin:
        while admin.execute(count).fetchone() != (0,):
            pass


@given(st.text(max_size=200))
def test_names_fit_and_can_be_seen(name: str) -> None:
    short = postgres_session.shortened(name)
    assert len(short.encode()) <= 63
    assert set(short) <= set(string.printable) - set("\t\n\r\x0b\x0c")
    if name.isascii() and name.isprintable() and len(name) <= 63:
        assert short.split() == name.split()


def test_the_longest_words_lose_their_ends() -> None:
    run, interval = "5f1c3f6e-8a51-4a4e-9c0b-2b7f0c1d9e3a", "2026-11-01T00:00Z"
    short = postgres_session.shortened(f"batch_exports events_archive {interval} {run}")
    assert short == f"batch_exports events_archive {interval} {run[:16]}"
    short = postgres_session.shortened(f"batch_exports {'e' * 90} {interval} {run}")
    assert short == f"batch_exports {'e' * 16} {interval[:16]} {run[:15]}"
    assert postgres_session.shortened("a " * 99) == "a " * 31 + "a"
