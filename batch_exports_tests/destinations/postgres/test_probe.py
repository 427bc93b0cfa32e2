"""A PostgreSQL destination tried step by step: whatever is wrong is found by its step and told with
its remedy, and nothing of the trial stays."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, LiteralString

import pytest
import trustme
from psycopg import sql

from batch_exports.components.postgres_session import PostgresConnectionResource
from batch_exports.destinations.postgres.attempt import Attempt
from batch_exports.destinations.postgres.destination import PostgresDestination
from batch_exports.destinations.postgres.preparation import WriteMode
from batch_exports.destinations.postgres.probe import STEPS
from batch_exports.destinations.postgres.table import TableName
from batch_exports.local.ports import free_ports
from batch_exports.local.postgres_server import Server
from batch_exports.models import Projection
from batch_exports.probe import Finding, probe
from batch_exports_tests.components.certificates import show_own_certificate
from batch_exports_tests.destinations.postgres.administered import (
    BY_KEY,
    BY_RANGE,
    MERGED,
    PASSWORD,
    Database,
    administered,
    unique,
)

EXPORTS: list[Any] = [
    pytest.param("replace", BY_RANGE, id="replace-by-range"),
    pytest.param("replace", BY_KEY, id="replace-by-key"),
    pytest.param("merge", MERGED, id="merge"),
    pytest.param("append", BY_RANGE, id="append-by-range"),
    pytest.param("append", BY_KEY, id="append"),
]
GOOD = {"passed", "skipped"}
Findings = dict[str, Finding]


class Place:
    """A schema of a database, and a user who has the rights that an export needs there."""

    def __init__(self, database: Database, *, with_tables: bool = False, **settings: Any) -> None:
        self.database = database
        self.user = unique()
        self.name = TableName(unique(), "events")
        self.settings = settings
        database.set_up(self.destination(), self.user, with_tables=with_tables)

    def destination(self, **settings: Any) -> PostgresDestination:
        usual: dict[str, Any] = {"mode": "replace", "projection": BY_KEY, "name": self.name}
        return self.database.destination(self.user, **usual | self.settings | settings)

    def tried(self, **settings: Any) -> Findings:
        """What the steps find, and that they leave nothing; settings of the destination."""
        before = self.contents()
        connection = self.database.connection(user=self.user)
        found = findings(connection, self.destination(**settings))
        assert self.contents() == before
        return found

    def contents(self) -> list[Any]:
        """Each relation of the schema, with the rows of tables, and the locks of exports."""
        relations = self.database.admin.execute(
            "SELECT relname, relkind::text, oid, relnatts FROM pg_class "
            "WHERE relnamespace = to_regnamespace(quote_ident(%s)) ORDER BY relname",
            [self.name.schema],
        ).fetchall()
        tables = [sql.Identifier(self.name.schema, n) for n, kind, *_ in relations if kind == "r"]
        rows = [
            self.database.admin.execute(sql.SQL("TABLE {}").format(t)).fetchall() for t in tables
        ]
        locks = "SELECT objid FROM pg_locks WHERE locktype = 'advisory'"
        return [relations, rows, self.database.admin.execute(locks).fetchall()]

    def execute(self, statement: LiteralString) -> None:
        """`{table}`, `{schema}`, `{database}` and `{user}` stand for these."""
        names = {
            "table": self.name.sql,
            "schema": sql.Identifier(self.name.schema),
            "database": sql.Identifier(self.database.name),
            "user": sql.Identifier(self.user),
        }
        self.database.admin.execute(sql.SQL(statement).format(**names))


def findings(connection: PostgresConnectionResource, destination: PostgresDestination) -> Findings:
    attempt = Attempt(
        replace(destination, connect=connection.connect, address=connection.uri),
        connection.host,
        connection.port,
        connection.ssl_mode,
        connection.ssl_root_cert,
        connection.connect_timeout_seconds,
    )
    with closing(attempt):
        found = {result.step: result.finding for result in probe(STEPS, attempt)}
    assert list(found) == [step.name for step in STEPS]
    assert PASSWORD not in str(found)
    return found


def failure(found: Findings, step: str) -> Finding:
    """That of the step: none before it fails, and all after it are skipped."""
    verdicts = {name: finding.verdict for name, finding in found.items()}
    assert [name for name, verdict in verdicts.items() if verdict == "failed"] == [step], found
    later = list(verdicts.values())[list(verdicts).index(step) + 1 :]
    assert set(later) <= {"skipped"}
    assert found[step].remedy
    return found[step]


@pytest.fixture(scope="module")
def database(postgres_server: Server) -> Iterator[Database]:
    with administered(postgres_server) as database:
        yield database


@pytest.fixture(scope="module")
def place(database: Database) -> Place:
    """One for tests that change nothing there."""
    return Place(database)


@pytest.fixture
def own(database: Database) -> Place:
    return Place(database)


@pytest.mark.parametrize(("mode", "projection"), EXPORTS)
def test_a_place_without_tables(place: Place, mode: WriteMode, projection: Projection) -> None:
    found = place.tried(mode=mode, projection=projection)
    assert {finding.verdict for finding in found.values()} == GOOD
    told = {name: finding.text for name, finding in found.items()}
    assert told["host name"] == "127.0.0.1 is no name"
    assert told["network"] == f"127.0.0.1, port {place.database.server.port} answers"
    assert told["TLS"].startswith("TLSv1.3, certificate for localhost, 127.0.0.1 by trustme")
    assert told["TLS"].endswith("; verified (verify-full): authority and name")
    assert f"database {place.database.name!r}, PostgreSQL " in told["log in"]
    assert told["make tables"].startswith("tables may be made; the first delivery makes ")
    assert told["use tables"] == "none is there yet"
    assert told["columns"] == f"{place.name} is not there yet"
    assert told["delivery"] == "2 made-up rows went into the table, and were undone"


@pytest.mark.parametrize("with_tables", [False, True])
@pytest.mark.parametrize(("mode", "projection"), EXPORTS)
def test_a_place_with_rows(
    database: Database, mode: WriteMode, projection: Projection, with_tables: bool
) -> None:
    place = Place(database, with_tables=with_tables, mode=mode, projection=projection)
    database.deliver(place.destination())
    found = place.tried()
    assert {finding.verdict for finding in found.values()} <= GOOD
    assert found["columns"].text == f"{place.name} has all {len(projection.columns)} columns"
    assert found["use tables"].verdict == "passed"
    assert ("none needs to be" in found["make tables"].text) == with_tables


def test_several_connections(place: Place) -> None:
    """They would leave stages to be seen by others."""
    assert {finding.verdict for finding in place.tried(parallelism=2).values()} == GOOD


@pytest.mark.parametrize(
    ("connection", "step", "text", "remedy"),
    [
        ({"host": "nowhere.invalid"}, "host name", "'nowhere.invalid'", "connection's host"),
        ({"password": "another"}, "log in", "password authentication", "environment variable"),
        ({"user": "nobody"}, "log in", 'user "nobody"', "connection's user"),
        ({"database": "nowhere"}, "log in", '"nowhere" does not exist', "connection's database"),
        ({"ssl_mode": "disable"}, "log in", "no encryption", "leave out local: true"),
        ({"ssl_root_cert": "/not/there"}, "TLS", "/not/there", "Correct ssl_root_cert"),
    ],
)
def test_what_the_connection_has_wrong(
    place: Place, connection: dict[str, Any], step: str, text: str, remedy: str
) -> None:
    settings = {"user": place.user, **connection}
    found = findings(place.database.connection(**settings), place.destination())
    failed = failure(found, step)
    assert text in failed.text
    assert remedy in failed.remedy
    if step == "log in":
        assert found["TLS"].verdict == ("skipped" if "ssl_mode" in connection else "passed")


def test_a_folder_of_sockets(place: Place, tmp_path: Path) -> None:
    connection = place.database.connection(
        user=place.user, host=str(tmp_path), ssl_mode="disable", ssl_root_cert=None
    )
    found = findings(connection, place.destination())
    assert [found[step].verdict for step in ("host name", "network", "TLS")] == ["skipped"] * 3
    assert str(tmp_path) in failure(found, "log in").text


def test_a_port_on_which_nothing_listens(place: Place) -> None:
    [port] = free_ports(1)
    connection = place.database.connection(user=place.user, port=port)
    failed = failure(findings(connection, place.destination()), "network")
    assert failed.text == f"127.0.0.1, port {port}: refused, so nothing listens there."
    assert "listen_addresses" in failed.remedy


def test_a_port_that_lets_nothing_through(place: Place) -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port = listener.getsockname()[1]
        for _ in range(4):  # when nobody is let in any more, who knocks gets no answer
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        connection = place.database.connection(
            user=place.user, port=port, connect_timeout_seconds=1
        )
        failed = failure(findings(connection, place.destination()), "network")
    assert failed.text == f"127.0.0.1, port {port}: no answer within 1 s."
    assert "firewall" in failed.remedy


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """The port of a server that has one answer to whatever it is sent."""

    def serve() -> None:
        while True:
            line, _ = listener.accept()
            with line:
                if line.recv(1024) == b"end":
                    return
                line.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        with socket.create_connection(listener.getsockname()) as line:
            line.sendall(b"end")
        thread.join()


@pytest.mark.parametrize(
    ("answer", "text", "remedy"),
    [
        (b"N", "server does not support SSL", "Turn TLS on at the server"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "", "host and port"),
    ],
)
def test_a_server_that_does_not_encrypt(
    place: Place, answer: bytes, text: str, remedy: str
) -> None:
    with answering(answer) as port:
        connection = place.database.connection(user=place.user, port=port)
        failed = failure(findings(connection, place.destination()), "TLS")
    assert text in failed.text
    assert remedy in failed.remedy


def test_a_certificate_of_another_authority(place: Place, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    connection = place.database.connection(user=place.user, ssl_root_cert=str(other))
    failed = failure(findings(connection, place.destination()), "TLS")
    assert "certificate verify failed" in failed.text
    assert "ssl_root_cert" in failed.remedy


def test_a_certificate_for_another_name(start_postgres: Callable[..., Server]) -> None:
    server = start_postgres()
    pinned = show_own_certificate(server, host="other.example.com")

    def found(ssl_mode: str, root: Path | None) -> Findings:
        connection = PostgresConnectionResource(
            user=server.admin.user,
            password=server.admin.password,
            host=server.host,
            port=server.port,
            database=server.database,
            ssl_mode=ssl_mode,
            ssl_root_cert=str(root) if root else None,
        )
        return findings(
            connection,
            PostgresDestination(
                connect=connection.connect,
                address=connection.uri,
                name=TableName("exports", "events"),
                export="e",
                projection=BY_KEY,
            ),
        )

    failed = failure(found("verify-full", pinned), "TLS")
    assert 'certificate for "other.example.com"' in failed.text
    assert "does not match host name" in failed.text
    assert "a name that the certificate is for" in failed.remedy
    assert found("verify-ca", pinned)["TLS"] == Finding(
        "passed",
        "TLSv1.3, certificate for other.example.com by other.example.com; verified (verify-ca): "
        "authority, not the name",
    )
    unproven = found("require", None)
    assert unproven["TLS"].verdict == "warning"
    assert unproven["TLS"].text.startswith("TLSv1.3, but the server has not proven who it is")
    assert "ssl_root_cert" in unproven["TLS"].remedy
    assert unproven["delivery"].verdict == "passed"


@pytest.mark.parametrize(
    ("statement", "step", "text", "granted"),
    [
        (
            "REVOKE USAGE ON SCHEMA {schema} FROM {user}",
            "schema",
            "may not be used",
            "GRANT USAGE ON SCHEMA {schema} TO {user};",
        ),
        (
            "REVOKE CREATE ON SCHEMA {schema} FROM {user}",
            "make tables",
            "there is no",
            "GRANT CREATE ON SCHEMA {schema} TO {user};",
        ),
        (
            "REVOKE TEMPORARY ON DATABASE {database} FROM {user}",
            "temporary tables",
            "No temporary table may be made",
            "GRANT TEMPORARY ON DATABASE {database} TO {user};",
        ),
    ],
)
def test_a_right_that_is_missing(
    own: Place,
    statement: LiteralString,
    step: str,
    text: str,
    granted: LiteralString,
) -> None:
    own.execute(statement)
    failed = failure(own.tried(), step)
    assert text in failed.text
    assert failed.remedy.startswith("Let an administrator run: GRANT ")
    own.execute(granted)
    assert {finding.verdict for finding in own.tried().values()} == GOOD


def test_a_right_on_tables_that_is_missing(database: Database) -> None:
    place = Place(database, with_tables=True)
    place.execute("REVOKE SELECT, DELETE ON {table} FROM {user}")
    place.execute("REVOKE INSERT ON {schema}._batch_exports_ledger FROM {user}")
    failed = failure(place.tried(), "use tables")
    prefix, _, grants = failed.remedy.partition(": ")
    assert prefix == "Let an administrator run"
    assert grants.count("GRANT ") == 2
    assert "GRANT SELECT, DELETE ON TABLE" in grants
    database.execute(grants)
    assert {finding.verdict for finding in place.tried().values()} == {"passed", "skipped"}


def test_what_makes_tables_in_any_case(database: Database) -> None:
    place = Place(database, with_tables=True)
    failed = failure(place.tried(parallelism=2), "make tables")
    assert "parallelism: 2" in failed.text
    assert "or set parallelism: 1" in failed.remedy


def test_a_schema_that_is_not_there(place: Place) -> None:
    failed = failure(place.tried(name=TableName("nowhere", "events")), "schema")
    assert failed.text == "There is no schema 'nowhere' in the database."
    assert "`batch-exports setup-sql e` prints the SQL." in failed.remedy


@pytest.mark.parametrize(
    ("statement", "mode", "text", "remedy"),
    [
        ("ALTER TABLE {table} ALTER ip TYPE int USING 1", "replace", "'ip' is integer", "Change"),
        ("ALTER TABLE {table} ADD extra int NOT NULL", "replace", "'extra' takes no", "Change"),
        ("ALTER TABLE {table} DROP COLUMN uuid", "replace", "no column 'uuid'", "ADD COLUMN"),
        ("DROP TABLE {table}; CREATE VIEW {table} AS SELECT 1", "replace", "not a table", "Name"),
    ],
)
def test_a_table_that_does_not_fit(
    database: Database, statement: LiteralString, mode: WriteMode, text: str, remedy: str
) -> None:
    place = Place(database, with_tables=True, mode=mode)
    place.execute(statement)
    place.execute("GRANT ALL ON {table} TO {user}")
    failed = failure(place.tried(), "columns")
    assert text in failed.text
    assert remedy in failed.remedy


def test_a_table_without_the_key_to_merge_by(database: Database) -> None:
    place = Place(database, with_tables=True, mode="append", projection=MERGED)
    place.execute("GRANT ALL ON {table} TO {user}")
    failed = failure(place.tried(mode="merge"), "columns")
    assert "no unique index" in failed.text
    assert "ADD PRIMARY KEY" in failed.remedy


def test_a_column_that_is_missing(database: Database) -> None:
    place = Place(database, with_tables=True)
    place.execute("ALTER TABLE {table} DROP COLUMN ip")
    ignored = place.tried()
    assert ignored["columns"].verdict == "warning"
    assert "lacks 'ip'" in ignored["columns"].text
    assert ignored["delivery"].verdict == "passed"
    failed = failure(place.tried(on_missing_column="fail"), "columns")
    assert 'ADD COLUMN IF NOT EXISTS "ip" VARCHAR(200);' in failed.remedy
    failed = failure(place.tried(on_missing_column="add"), "columns")
    place.database.execute(failed.remedy.removeprefix("Let an administrator run: "))
    added = place.tried(on_missing_column="add")
    assert added["columns"].text.endswith("lacks 'ip': the next delivery adds it")
    assert added["delivery"].verdict == "passed"


def test_a_table_of_another_export(database: Database) -> None:
    place = Place(database)
    database.deliver(place.destination(export="other"))
    failed = failure(place.tried(), "delivery")
    assert "has deliveries of the export 'other'" in failed.text
    assert "a table of its own" in failed.remedy


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("ALTER TABLE {table} ADD CHECK (team_id > 0)", "23514"),
        (
            "CREATE TABLE {schema}.teams (id int PRIMARY KEY); ALTER TABLE {table} ADD FOREIGN KEY "
            "(team_id) REFERENCES {schema}.teams DEFERRABLE INITIALLY DEFERRED",
            "23503",
        ),
    ],
)
def test_what_only_a_delivery_meets(
    database: Database, statement: LiteralString, text: str
) -> None:
    place = Place(database, with_tables=True)
    place.execute(statement)
    assert text in failure(place.tried(), "delivery").text


def test_a_column_that_is_narrow(database: Database) -> None:
    place = Place(database, with_tables=True)
    place.execute("ALTER TABLE {table} ALTER ip TYPE varchar(1)")
    found = place.tried()["delivery"]
    assert found.verdict == "warning"
    assert found.text == "1 of 2 made-up rows would have been rejected."


def test_a_database_that_cannot_hold_every_character(postgres_server: Server) -> None:
    with ExitStack() as stack:
        admin = stack.enter_context(postgres_server.connect(autocommit=True))
        admin.execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
        stack.callback(admin.execute, "DROP DATABASE latin WITH (FORCE)")
        connection = Database(postgres_server, admin, "latin").connection(
            user=postgres_server.exporter.user, password=postgres_server.exporter.password
        )
        destination = PostgresDestination(
            connect=connection.connect,
            address=connection.uri,
            name=TableName("public", "events"),
            export="e",
            projection=BY_KEY,
        )
        failed = failure(findings(connection, destination), "log in")
    assert failed.text.startswith("The database 'latin' is encoded in LATIN1")


def test_no_session_stays(place: Place) -> None:
    place.tried()
    query = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s"
    while place.database.admin.execute(query, [place.user]).fetchone() != (0,):
        pass
