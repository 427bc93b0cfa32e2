"""What a client of the emulator meets: logins, transactions, both forms of the protocol."""

import ssl
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
import redshift_connector
from psycopg import errors
from psycopg.pq import TransactionStatus
from psycopg.types.json import Json, Jsonb

from batch_exports.local.postgres_cluster import Login
from batch_exports.local.redshift.refusal import Refusal
from batch_exports.local.redshift.server import Emulator


@pytest.fixture
def connection(redshift: Emulator) -> Iterator[psycopg.Connection]:
    with redshift.connect(redshift.exporter) as connection:
        yield connection


def value(connection: psycopg.Connection, query: str) -> object:
    row = connection.execute(query).fetchone()
    assert row
    return row[0]


def test_tls_is_required_and_verified(redshift: Emulator) -> None:
    """https://docs.aws.amazon.com/redshift/latest/mgmt/connecting-ssl-support.html"""
    for host in ("127.0.0.1", "localhost"):
        redshift.connect(host=host).close()
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        redshift.connect(sslmode="disable")


@pytest.mark.parametrize("login", [Login("redshift_exporter", "guess"), Login("admin", "guess")])
def test_wrong_passwords_are_refused(redshift: Emulator, login: Login) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        redshift.connect(login)


def test_there_is_one_database(redshift: Emulator) -> None:
    with pytest.raises(psycopg.OperationalError, match='database "analytics" does not exist'):
        redshift.connect(dbname="analytics")


def test_administrator_creates_users_who_can_log_in(redshift: Emulator) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_USER.html"""
    with redshift.connect(autocommit=True) as connection:
        connection.execute("DROP USER IF EXISTS reader")
        connection.execute("CREATE USER reader PASSWORD 'Secret123' NOCREATEUSER")
        with redshift.connect(Login("reader", "Secret123")) as reader:
            assert value(reader, "SELECT current_user") == "reader"
        connection.execute("ALTER USER reader PASSWORD DISABLE")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            redshift.connect(Login("reader", "Secret123"))


def test_it_says_what_redshift_says_of_itself(connection: psycopg.Connection) -> None:
    """psycopg#122 has what a cluster reports."""
    reported = connection.info.parameter_status
    assert reported("server_version") == "8.0.2"
    assert reported("client_encoding") == "UNICODE"
    assert reported("standard_conforming_strings") is None
    assert "Redshift" in str(value(connection, "SELECT version()"))
    assert value(connection, r"SELECT 'a\\b'") == r"a\b"


def test_exporter_may_do_what_was_granted(redshift: Emulator, redshift_schema: str) -> None:
    with redshift.connect(redshift.exporter, autocommit=True) as connection:
        connection.execute(f"CREATE TABLE {redshift_schema}.t (a int)")
        connection.execute("CREATE TEMP TABLE t (a int)")
        for statement in ("CREATE TABLE public.t (a int)", "CREATE USER x PASSWORD 'Secret123'"):
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(statement)


def test_redshift_connector_reads_with_certificate(
    redshift: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(redshift.root_certificate))
    assert ssl.get_default_verify_paths().cafile == str(redshift.root_certificate)
    login = redshift.exporter
    with closing(
        redshift_connector.connect(
            host="localhost",
            port=redshift.port,
            database=redshift.database,
            user=login.user,
            password=login.password,
            sslmode="verify-full",
        )
    ) as connection:
        cursor = connection.cursor()
        cursor.execute("CREATE TEMP TABLE t (id bigint, doc super)")
        cursor.execute("INSERT INTO t SELECT %s, JSON_PARSE(%s)", (1, '{"a": 1.50}'))
        cursor.execute("SELECT * FROM t")
        assert cursor.fetchall() == ([1, '{"a":1.50}'],)
        with pytest.raises(redshift_connector.ProgrammingError, match="syntax error"):
            cursor.execute("INSERT INTO t VALUES (2) ON CONFLICT DO NOTHING")
        connection.rollback()
        cursor.execute("SELECT 1")
        assert cursor.fetchall() == ([1],)


@pytest.mark.parametrize("statement", ["SELECT DISTINCT ON (a) a FROM t", "SELECT E'x'"])
@pytest.mark.parametrize("parameters", [None, (1, "x")], ids=["simple", "extended"])
def test_a_refused_statement_fails_its_transaction(
    connection: psycopg.Connection, statement: str, parameters: tuple[object, ...] | None
) -> None:
    more = ", %s, %s" if parameters else ""
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(statement + more, parameters)
    assert caught.value.sqlstate in ("0A000", "42601")
    with pytest.raises(errors.InFailedSqlTransaction):
        connection.execute("SELECT 1")
    connection.rollback()
    assert value(connection, "SELECT 1") == 1


@pytest.mark.parametrize("parameter", [uuid.uuid4(), Json({}), Jsonb({})])
def test_parameters_of_other_types_are_refused(
    connection: psycopg.Connection, parameter: object
) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/c_unsupported-postgresql-datatypes.html"""
    with pytest.raises(errors.UndefinedObject, match="does not exist"):
        connection.execute("SELECT %s", (parameter,))


def test_pipelines_go_through(connection: psycopg.Connection) -> None:
    with connection.pipeline():
        cursors = [connection.execute("SELECT %s::int", (number,)) for number in range(20)]
    assert [cursor.fetchone() for cursor in cursors] == [(number,) for number in range(20)]


def test_truncate_ends_the_transaction(
    connection: psycopg.Connection, redshift_schema: str
) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_TRUNCATE.html: it commits immediately."""
    connection.execute(f"CREATE TABLE {redshift_schema}.t AS SELECT 1 AS a")
    connection.execute(f"TRUNCATE {redshift_schema}.t")
    assert connection.info.transaction_status == TransactionStatus.IDLE
    connection.rollback()
    assert value(connection, f"SELECT count(*) FROM {redshift_schema}.t") == 0


def test_lock_comes_before_the_snapshot(redshift: Emulator, redshift_schema: str) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation.html: a transaction reads
    the snapshot that its first reading statement took."""
    table = f"{redshift_schema}.t"
    with redshift.connect(redshift.exporter) as one, redshift.connect(redshift.exporter) as other:
        one.execute(f"CREATE TABLE {table} AS SELECT 1 AS a")
        one.commit()
        assert value(other, f"SELECT count(*) FROM {table}") == 1
        one.execute(f"INSERT INTO {table} VALUES (2)")
        one.commit()
        assert value(other, f"SELECT count(*) FROM {table}") == 1
        other.rollback()
        other.execute(f"LOCK TABLE {table}")
        assert value(other, f"SELECT count(*) FROM {table}") == 2


def test_conflicting_writes_are_isolation_violations(
    redshift: Emulator, redshift_schema: str
) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation.html"""
    table = f"{redshift_schema}.t"
    with redshift.connect(redshift.exporter) as one, redshift.connect(redshift.exporter) as other:
        one.execute(f"CREATE TABLE {table} AS SELECT 1 AS a")
        one.commit()
        other.execute(f"SELECT * FROM {table}")
        one.execute(f"UPDATE {table} SET a = 2")
        one.commit()
        with pytest.raises(errors.InternalError_, match="1023"):
            other.execute(f"UPDATE {table} SET a = 3")


@pytest.mark.parametrize("pattern", [r"^\s*SELECT 7", "COMMIT"])
def test_errors_of_a_real_cluster_can_be_injected(
    redshift: Emulator, connection: psycopg.Connection, pattern: str
) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation.html"""
    redshift.inject(pattern)
    with pytest.raises(errors.InternalError_, match="1023") as caught:
        connection.execute("SELECT 7")
        connection.commit()
    assert "Serializable isolation violation" in str(caught.value.diag.message_detail)
    expected = TransactionStatus.IDLE if pattern == "COMMIT" else TransactionStatus.INERROR
    assert connection.info.transaction_status == expected
    connection.rollback()
    connection.execute("SELECT 7")
    connection.commit()


def test_an_injected_error_may_last(redshift: Emulator, connection: psycopg.Connection) -> None:
    redshift.inject("select 8", Refusal("57014", "Query cancelled on user's request"), None)
    for _ in range(3):
        with pytest.raises(errors.QueryCanceled):
            connection.execute("SELECT 8")
        connection.rollback()
    redshift.clear()
    assert value(connection, "SELECT 8") == 8


def test_statements_are_seen(redshift: Emulator, connection: psycopg.Connection) -> None:
    connection.execute("SELECT %s", (1,))
    assert redshift.statements == ["BEGIN", "SELECT $1"]


def test_statements_can_be_cancelled(connection: psycopg.Connection) -> None:
    timer = threading.Timer(0.3, connection.cancel_safe)
    timer.start()
    try:
        with pytest.raises(errors.QueryCanceled):
            connection.execute(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(i)"
                " FROM n"
            )
    finally:
        timer.join()


def test_long_statements_are_refused(connection: psycopg.Connection) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/c_redshift-sql.html: 16 MB."""
    with pytest.raises(psycopg.errors.ProgramLimitExceeded, match="too large"):
        connection.execute(f"SELECT '{'x' * 2**24}'")
