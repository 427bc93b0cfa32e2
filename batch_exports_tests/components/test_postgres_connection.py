"""A connection is to the server that is meant, or none; what contradicts that is told at load."""

import subprocess
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg
import psycopg
import pytest
import trustme

from batch_exports.components.errors import InvalidComponent
from batch_exports.components.postgres_session import PostgresConnectionResource
from batch_exports.errors import Terminal
from batch_exports.local import postgres_server as postgres
from batch_exports.local.postgres_programs import ENVIRONMENT, find_programs
from batch_exports.local.postgres_server import Server
from batch_exports_tests.components.certificates import show, show_own_certificate
from batch_exports_tests.components.postgres import (
    DOCUMENT,
    PASSWORD,
    failure,
    new_user,
    resource,
    trusted,
)
from batch_exports_tests.components.test_secrets import files_with, snapshot
from batch_exports_tests.deployment import load

StartPostgres = Callable[..., Server]
PLANTED = "planted-5ecret"


def encrypted(resource: AbstractContextManager[PostgresConnectionResource]) -> bool:
    with resource as connection, connection.connect("a test") as connected:
        return connected.pgconn.ssl_in_use


def told(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> str:
    monkeypatch.setenv(PASSWORD, PLANTED)
    with pytest.raises(InvalidComponent) as error:
        load(folder, {"a/defs.yaml": text}, monkeypatch)
    assert PLANTED not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("ssl_mode", ["verify-full", "verify-ca"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_server_that_proves_who_it_is(postgres_server: Server, ssl_mode: str, host: str) -> None:
    assert encrypted(trusted(postgres_server, ssl_mode=ssl_mode, host=host))


def test_encryption_without_proof_has_to_be_asked_for(postgres_server: Server) -> None:
    assert encrypted(resource(postgres_server, ssl_mode="require"))
    assert encrypted(resource(postgres_server, self_signed_certificate=True))
    found = failure(resource(postgres_server))
    assert isinstance(found, Terminal)
    assert "certificate verify failed" in found.message
    assert "ssl_root_cert" in found.remedy


def test_the_authorities_of_the_machine_are_trusted(
    postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(postgres_server.root_certificate))
    assert encrypted(resource(postgres_server))


def test_a_certificate_of_another_name(start_postgres: StartPostgres) -> None:
    server, authority = start_postgres(), trustme.CA()
    issued = authority.issue_cert("db.example.com")
    show(server, issued.cert_chain_pems[0].bytes(), issued.private_key_pem.bytes())
    root = server.folder / "authority.pem"
    authority.cert_pem.write_to_path(str(root))
    found = failure(trusted(server, root))
    assert isinstance(found, Terminal)
    assert '"db.example.com" does not match host name "127.0.0.1"' in found.message
    assert "Give as host a name that the certificate is for" in found.remedy
    assert encrypted(trusted(server, root, ssl_mode="verify-ca"))


def test_a_pinned_certificate_is_the_only_one(start_postgres: StartPostgres) -> None:
    server = start_postgres()
    pinned = show_own_certificate(server, "whatever.example.com")
    assert encrypted(trusted(server, pinned, self_signed_certificate=True))
    another = show_own_certificate(server, "whatever.example.com")
    assert encrypted(trusted(server, another, self_signed_certificate=True))
    for ours in (pinned, server.root_certificate):
        found = failure(trusted(server, ours, self_signed_certificate=True))
        assert isinstance(found, Terminal)
        assert "certificate verify failed" in found.message
    assert "self_signed_certificate: true" in failure(resource(server)).remedy


def test_a_server_that_wants_to_read_the_password(start_postgres: StartPostgres) -> None:
    server = start_postgres()
    hba = server.folder / "data/cluster/pg_hba.conf"
    hba.write_text(f"hostssl all exporter 127.0.0.1/32 password\n{hba.read_text()}")
    (key, chain) = ((server.folder / name).read_bytes() for name in ("server.key", "server.crt"))
    show(server, chain, key)  # reads pg_hba.conf again as well
    found = failure(resource(server, self_signed_certificate=True))
    assert isinstance(found, Terminal)
    assert "asks for the password itself" in found.remedy
    assert encrypted(trusted(server))


@pytest.fixture
def sockets() -> Iterator[str]:
    """A folder whose name is short enough for sockets."""
    with TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o777)
        yield folder


def test_a_server_without_tls(start_postgres: StartPostgres, sockets: str) -> None:
    server = start_postgres()
    postgres.stop(server.folder)
    cluster = server.folder / "data/cluster"
    (cluster / "pg_hba.conf").write_text("local all all scram-sha-256\nhost all all all md5\n")
    settings = {
        "port": server.port,
        "listen_addresses": "127.0.0.1",
        "cluster_name": server.mark,
        "unix_socket_directories": sockets,
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    command = find_programs().command("postgres", "-D", str(cluster), *options)
    with subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.DEVNULL) as process:
        try:
            await_answer(server)
            for settings_of_tls in ({"ssl_mode": "require"}, {"self_signed_certificate": True}, {}):
                found = failure(resource(server, **settings_of_tls))
                assert isinstance(found, Terminal)
                assert "server does not support SSL" in found.message
                assert "Turn TLS on" in found.remedy
            assert not encrypted(resource(server, local=True))
            assert not encrypted(resource(server, local=True, host="localhost"))
            assert not encrypted(resource(server, local=True, host=sockets))
        finally:
            process.terminate()


def await_answer(server: Server) -> None:
    while True:
        try:
            server.connect(sslmode="disable").close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return


def test_a_server_that_demands_tls(postgres_server: Server) -> None:
    found = failure(resource(postgres_server, local=True))
    assert isinstance(found, Terminal)
    assert "no encryption" in found.message
    assert "leave out local: true" in found.remedy


@pytest.mark.parametrize(
    "password", [PLANTED, " ", "' \\ \" é = \t", "pass'word host=elsewhere sslmode=disable", "%s{}"]
)
def test_any_password_is_told_to_the_server_alone(postgres_server: Server, password: str) -> None:
    user = new_user(postgres_server, password)
    with trusted(postgres_server, user=user, password=password) as connection:
        with connection.connect("a test") as connected:
            shown = repr(connected) + connected.info.dsn + repr(connection) + str(connection)
        assert password == " " or password not in shown


def test_a_wrong_password_is_not_shown(postgres_server: Server) -> None:
    found = failure(trusted(postgres_server, password=PLANTED))
    assert isinstance(found, Terminal)
    assert 'password authentication failed for user "exporter"' in found.message
    assert "its password's environment variable" in found.remedy
    assert PLANTED not in "".join(traceback.format_exception(found)) + repr(found)


@pytest.mark.parametrize(
    ("lines", "field", "words"),
    [
        ("local: true", "local", ["'db.example.com' is not this machine", "are encrypted"]),
        ("host: 10.0.0.1\n  local: true", "local", ["'10.0.0.1' is not this machine"]),
        ("host: localhost.example.com\n  local: true", "local", ["is not this machine"]),
        ("host: 0.0.0.0\n  local: true", "local", ["is not this machine"]),
        ("host: /run/postgresql", "host", ["'/run/postgresql' are not encrypted", "local: true"]),
        ("host: db:5432", "host", ["'db:5432' is not a host", "their own fields"]),
        ("host: postgres://u@db/x", "host", ["is not a host"]),
        ("host: 127.0.0.1,db.example.com", "host", ["is not a host", "one name"]),
        ('host: ""', "host", ["is empty"]),
        ('user: "exporter\\0"', "user", ["'exporter\\x00'", "cannot be seen"]),
        ('database: "a\\nb"', "database", ["cannot be seen"]),
        ("port: 0", "port", ["0 is too small", "1 or more"]),
        ("port: 65536", "port", ["65536 is too large", "65535 or less"]),
        ("connect_timeout_seconds: 0", "connect_timeout_seconds", ["0 is too small"]),
        ("lock_timeout_seconds: 0", "lock_timeout_seconds", ["0 is too small"]),
        ("statement_timeout_seconds: -1", "statement_timeout_seconds", ["-1 is too small"]),
        ("statement_timeout_seconds: 9999999", "statement_timeout_seconds", ["is too large"]),
        ("ssl_mode: prefer", "ssl_mode", ["'prefer'", "'require', 'verify-ca' or 'verify-full'"]),
        ("ssl_mode: disable", "ssl_mode", ["'disable'"]),
        ("ssl_mode: verify-ca", "ssl_mode", ["any certificate of a public authority"]),
        (
            "ssl_mode: require\n  ssl_root_cert: ROOT",
            "ssl_mode",
            ["'require' verifies nothing", "Set verify-full"],
        ),
        (
            "ssl_mode: verify-full\n  self_signed_certificate: true",
            "ssl_mode",
            ["contradicts self_signed_certificate: true", "Leave one"],
        ),
        ("ssl_root_cert: /not/there", "ssl_root_cert", ["'/not/there' cannot be read: No such"]),
        ("ssl_root_cert: KEY", "ssl_root_cert", ["holds no certificate", "as PEM"]),
        ("ssl_root_cert: /", "ssl_root_cert", ["'/' cannot be read"]),
        ("host: ::1\n  local: true\n  ssl_mode: require", "ssl_mode", ["of no use with local"]),
        ("host: ::1\n  local: true\n  ssl_root_cert: ROOT", "ssl_root_cert", ["of no use"]),
        (
            "host: ::1\n  local: true\n  self_signed_certificate: true",
            "self_signed_certificate",
            ["True is of no use with local: true"],
        ),
        ("password: planted-5ecret", "password", ["write {env: ITS_NAME}"]),
        ("password: {env: NOT_THERE}", "password", ["NOT_THERE is not set"]),
    ],
)
def test_what_cannot_work_is_told_at_load(
    lines: str,
    field: str,
    words: list[str],
    postgres_server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = postgres_server.folder / "server.key"
    lines = lines.replace("ROOT", str(postgres_server.root_certificate)).replace("KEY", str(key))
    given = {line.strip().split(":")[0] for line in lines.splitlines()}
    kept = [line for line in DOCUMENT.splitlines() if line.strip().split(":")[0] not in given]
    message = told(tmp_path, monkeypatch, "\n".join([*kept, f"  {lines}", ""]))
    assert message.startswith(f"{tmp_path}/a/defs.yaml:")
    assert f" - attributes.{field}\n" in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("db.example.com", False),
        ("db-1_a.example.com", False),
        ("2001:db8::1", False),
        ("localhost", True),
        ("127.8.0.1", True),
        ('"::1"', True),
        ("/run/postgresql", True),
    ],
)
def test_hosts_that_load(
    host: str, local: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD, PLANTED)
    text = DOCUMENT.replace("db.example.com", host) + ("  local: true\n" if local else "")
    definitions = load(tmp_path, {"a/defs.yaml": text}, monkeypatch)
    assert definitions.resources
    uri = definitions.resources["warehouse"].uri
    assert uri.startswith("postgres://")
    assert uri.endswith(":5432/analytics")


def test_the_snapshot_and_a_failed_run_keep_the_password(
    postgres_server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    text = DOCUMENT.replace("db.example.com", f"127.0.0.1\n  port: {postgres_server.port}")
    text += f"  ssl_root_cert: {postgres_server.root_certificate}\n"
    monkeypatch.setenv(PASSWORD, PLANTED)

    @dg.op(required_resource_keys={"warehouse"})
    def connect(context: dg.OpExecutionContext) -> None:
        context.log.info(repr(context.resources.warehouse))
        context.resources.warehouse.connect("a test")

    @dg.job
    def connecting() -> None:
        connect()

    loaded = load(tmp_path / "defs", {"a/defs.yaml": text}, monkeypatch)
    definitions = dg.Definitions.merge(loaded, dg.Definitions(jobs=[connecting]))
    told = snapshot(definitions)
    assert PASSWORD in told
    assert PLANTED not in told
    home = tmp_path / "home"
    home.mkdir()
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        job = definitions.resolve_job_def("connecting")
        assert not job.execute_in_process(instance=instance, raise_on_error=False).success
    assert files_with("password authentication failed", home)
    assert files_with(PLANTED, home) == []
    assert PLANTED not in "".join(capfd.readouterr())
