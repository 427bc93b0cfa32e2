"""Sessions with Redshift: what is set for them, and how they end."""

import socket
from collections.abc import Iterator

import psycopg
import pytest

from batch_exports.components.redshift_session import RedshiftConnectionResource
from batch_exports.destinations.redshift.errors import redshift_errors
from batch_exports.errors import Terminal, Transient
from batch_exports.local.ports import free_ports
from batch_exports.local.redshift.faults import ISOLATION_VIOLATION
from batch_exports.local.redshift.refusal import Refusal
from batch_exports.local.redshift.server import Emulator
from batch_exports_tests.components.redshift import failure, resource, trusted
from batch_exports_tests.faults.proxy import FaultProxy
from batch_exports_tests.faults.rules import TcpFault

NAME = "batch_exports events 2026-11-01T00:00Z 5f1c3f6e"


@pytest.fixture
def connection(redshift: Emulator) -> Iterator[RedshiftConnectionResource]:
    with trusted(redshift) as connection:
        yield connection


def shown(connected: psycopg.Connection, setting: str) -> str:
    row = connected.execute(f"SHOW {setting}".encode()).fetchone()
    assert row
    return str(row[0])


def test_what_a_session_has_set(connection: RedshiftConnectionResource, redshift: Emulator) -> None:
    """No other than https://docs.aws.amazon.com/redshift/latest/dg/cm_chap_ConfigurationRef.html
    has: query_group (r_query_group.html), statement_timeout, timezone, datestyle, search_path, and
    json_parse_dedup_attributes, without which JSON_PARSE refuses a key that recurs in an object
    (https://docs.aws.amazon.com/redshift/latest/dg/super-configurations.html)."""
    expected = {
        "application_name": NAME,
        "query_group": NAME,
        "statement_timeout": "0",
        "timezone": "UTC",
        "datestyle": "ISO, YMD",
        "json_parse_dedup_attributes": "on",
        "search_path": "pg_catalog, pg_temp",
    }
    with connection.connect(NAME) as connected:
        assert connected.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        assert not connected.autocommit
        assert connected.prepare_threshold is None
        set_up = [statement.split()[:2] for statement in redshift.statements]
        assert set_up == [["SET", name] for name in expected if name != "application_name"]
        assert {name: shown(connected, name) for name in expected} == expected
        connected.rollback()
        assert shown(connected, "query_group") == NAME
        assert "options" not in connected.info.get_parameters()
        assert connected.info.encoding == "utf-8"
        assert not connected.pgconn.used_gssapi


def test_an_application_of_any_name(
    connection: RedshiftConnectionResource, redshift: Emulator
) -> None:
    """A backslash is an escape in Redshift's literals, and E'...' is none of them."""
    with connection.connect("it's a \\ ü") as connected:
        assert shown(connected, "query_group") == "it?s a ? ?"
    assert not [statement for statement in redshift.statements if "E'" in statement]


def test_what_the_environment_says_does_not_count(
    redshift: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {"PGOPTIONS": "-c geqo=off", "PGSSLMODE": "disable", "PGTARGETSESSIONATTRS": "any"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with trusted(redshift) as connection, connection.connect("a test") as connected:
        assert connected.pgconn.ssl_in_use
        assert not connected.pgconn.options
    assert not [statement for statement in redshift.statements if "read_only" in statement]


def test_the_clients_end_notices_silence(connection: RedshiftConnectionResource) -> None:
    """https://docs.aws.amazon.com/redshift/latest/mgmt/connecting-firewall-guidance.html"""
    with connection.connect("a test") as connected:
        line = socket.socket(fileno=socket.dup(connected.fileno()))
        with line:
            assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            options = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
            there = [getattr(socket, name) for name in options if hasattr(socket, name)]
            found = [line.getsockopt(socket.IPPROTO_TCP, option) for option in there]
    assert found == [20, 10, 3, 60_000][: len(found)]


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_server_that_does_not_answer(redshift: Emulator, direction: str) -> None:
    with FaultProxy((redshift.host, redshift.port)) as proxy:
        proxy.add(TcpFault(direction=direction, do="hang", after=200))  # type: ignore[arg-type]
        found = failure(trusted(redshift, port=proxy.port, connect_timeout_seconds=1))
    assert isinstance(found, Transient)
    assert f"redshift://127.0.0.1:{proxy.port}/{redshift.database}: " in found.message
    assert "connection timeout expired" in found.message
    assert "paused" in found.remedy


def test_a_host_that_is_not_reached(redshift: Emulator) -> None:
    """A cluster that is paused:
    https://docs.aws.amazon.com/redshift/latest/mgmt/rs-mgmt-pause-resume-cluster.html"""
    [port] = free_ports(1)
    found = failure(trusted(redshift, port=port))
    assert isinstance(found, Transient)
    assert "resume the cluster if it is paused" in found.remedy
    found = failure(trusted(redshift, host="nowhere.invalid"))
    assert isinstance(found, Transient)
    assert "host" in found.remedy


def test_a_statement_that_takes_too_long_ends(redshift: Emulator) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_statement_timeout.html"""
    with (
        trusted(redshift, statement_timeout_seconds=1) as connection,
        connection.connect("slow") as slow,
        pytest.raises(Terminal, match="57014") as raised,
        redshift_errors(connection.uri),
    ):
        assert shown(slow, "statement_timeout") in ("1s", "1000")
        tables = ", ".join(f"pg_attribute {name}" for name in "abcde")
        slow.execute(f"SELECT count(*) FROM {tables}".encode())
    assert "statement_timeout_seconds" in raised.value.remedy


def test_nothing_stays_open_when_setting_up_fails(
    connection: RedshiftConnectionResource, redshift: Emulator
) -> None:
    redshift.inject("SET datestyle", Refusal("22023", "invalid value for parameter"))
    with pytest.raises(Terminal, match="invalid value for parameter"):
        connection.connect("set up badly")
    redshift.inject("SET query_group", ISOLATION_VIOLATION)
    with pytest.raises(Transient, match="1023"):
        connection.connect("set up badly")
    count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'set up badly'"
    with redshift.connect(autocommit=True) as admin:
        while admin.execute(count).fetchone() != (0,):
            pass


def test_a_connection_without_a_password(redshift: Emulator) -> None:
    with resource(redshift) as connection:
        broken = connection.model_copy(update={"password": None})
        with pytest.raises(Terminal, match="password"):
            broken.connect("a test")
