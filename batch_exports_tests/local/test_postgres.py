"""The server lets in whom it should, over TLS alone, and comes back however it ended."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from psycopg import errors, sql

from batch_exports.local import postgres, postgres_server
from batch_exports.local.errors import LocalError
from batch_exports.local.postgres_cluster import SCHEMA, Login
from batch_exports.local.postgres_processes import kill_processes
from batch_exports.local.postgres_programs import find_programs
from batch_exports.local.postgres_server import Server

StartPostgres = Callable[..., Server]
# Busy for as long as anyone waits, and never looking whether its server is still there.
COMPUTE = "SELECT count(*) FROM generate_series(1, 1000000000000)"


def value(connection: psycopg.Connection, query: str) -> object:
    row = connection.execute(query).fetchone()
    assert row
    return row[0]


def test_server_speaks_tls_and_unicode(postgres_server: Server) -> None:
    with postgres_server.connect() as connection:
        query = "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        assert value(connection, query) == "TLSv1.3"
        assert value(connection, "SHOW server_encoding") == "UTF8"
        assert value(connection, "SHOW unix_socket_directories") == ""
        assert value(connection, "SHOW listen_addresses") == "127.0.0.1"


def test_plain_connections_and_wrong_passwords_are_refused(postgres_server: Server) -> None:
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        postgres_server.connect(sslmode="disable")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        postgres_server.connect(Login("exporter", "guess"))


def test_certificate_is_for_this_server_alone(
    postgres_server: Server, start_postgres: StartPostgres
) -> None:
    another = start_postgres()
    for host in ("127.0.0.1", "localhost"):
        postgres_server.connect(host=host).close()
        with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
            postgres_server.connect(host=host, sslrootcert=str(another.root_certificate))


def test_exporter_has_the_documented_rights(postgres_server: Server) -> None:
    with postgres_server.connect(postgres_server.exporter, autocommit=True) as connection:
        connection.execute(f"CREATE TABLE {SCHEMA}.mine (id int PRIMARY KEY, name text)")
        connection.execute(f"INSERT INTO {SCHEMA}.mine VALUES (1, 'a')")
        connection.execute(f"UPDATE {SCHEMA}.mine SET name = 'b'")
        assert value(connection, f"SELECT name FROM {SCHEMA}.mine") == "b"


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE public.t ()",
        "CREATE SCHEMA another",
        "CREATE DATABASE another",
        "CREATE ROLE another",
        "CREATE EXTENSION pgcrypto",
        f"TABLE {SCHEMA}.others",
        f"DROP TABLE {SCHEMA}.others",
        f"DROP SCHEMA {SCHEMA}",
        "TABLE pg_authid",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT pg_read_file('PG_VERSION')",
        "ALTER SYSTEM SET ssl = off",
        "SET ROLE admin",
    ],
)
def test_exporter_may_do_nothing_else(postgres_server: Server, statement: str) -> None:
    with postgres_server.connect() as connection:
        connection.execute(f"CREATE TABLE IF NOT EXISTS {SCHEMA}.others ()")
    with (
        postgres_server.connect(postgres_server.exporter, autocommit=True) as connection,
        pytest.raises(errors.InsufficientPrivilege),
    ):
        connection.execute(statement)


def test_exporter_is_granted_two_things(start_postgres: StartPostgres) -> None:
    with start_postgres().connect() as connection:
        grants = connection.execute(
            "SELECT nspname, privilege_type FROM pg_namespace, aclexplode(nspacl)"
            " WHERE grantee = 'exporter'::regrole ORDER BY 2"
        ).fetchall()
        assert grants == [(SCHEMA, "CREATE"), (SCHEMA, "USAGE")]
        # Whatever else it owned or were granted would be here as well.
        depends = "SELECT count(*) FROM pg_shdepend WHERE refobjid = 'exporter'::regrole"
        assert value(connection, depends) == 1
        assert value(connection, "SELECT count(*) FROM pg_auth_members WHERE member > 16383") == 0


def test_schema_of_a_test_is_granted_likewise(
    postgres_server: Server, postgres_schema: str
) -> None:
    table = sql.Identifier(postgres_schema, "t")
    with postgres_server.connect(postgres_server.exporter) as connection:
        connection.execute(sql.SQL("CREATE TABLE {} ()").format(table))


def test_stopped_server_comes_back_as_it_was(start_postgres: StartPostgres) -> None:
    before = start_postgres(max_prepared_transactions="5")
    assert postgres_server.start(before.folder) == before
    with before.connect() as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS id")
    postgres_server.stop(before.folder)
    postgres_server.stop(before.folder)
    stopped = postgres_server.find(before.folder)
    assert stopped
    assert not postgres_server.is_running(stopped)

    after = postgres_server.start(before.folder)
    assert (after.port, after.admin, after.exporter) == (
        before.port,
        before.admin,
        before.exporter,
    )
    with before.connect() as connection:
        assert value(connection, "SELECT id FROM kept") == 1
        assert value(connection, "SHOW max_prepared_transactions") == "5"


def test_port_taken_meanwhile(start_postgres: StartPostgres) -> None:
    before = start_postgres()
    postgres_server.stop(before.folder)
    with socket.create_server((before.host, before.port)):
        after = postgres_server.start(before.folder)
        assert after.port != before.port
        after.connect(after.exporter).close()


def test_other_settings_start_it_again(start_postgres: StartPostgres) -> None:
    folder = start_postgres().folder
    with pytest.raises(LocalError, match=r"its process ended(.|\n)*shared_buffers"):
        postgres_server.start(folder, {"shared_buffers": "plenty"})
    server = postgres_server.start(folder, {"log_statement": "all"})
    with server.connect() as connection:
        connection.execute("SELECT 'this very query'")
    assert "this very query" in server.log.read_text()


def test_killed_server_recovers(start_postgres: StartPostgres) -> None:
    server = start_postgres()
    with server.connect() as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS id")
        connection.commit()
        postgres_server.kill(server.folder)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    postgres_server.start(server.folder)
    with server.connect() as connection:
        assert value(connection, "SELECT id FROM kept") == 1


@pytest.mark.parametrize("end", [postgres_server.stop, postgres_server.start])
def test_session_that_outlived_its_server_is_ended(
    start_postgres: StartPostgres, end: Callable[[Path], object]
) -> None:
    server = start_postgres()
    assert server.process
    client = server.connect(autocommit=True)
    session = client.info.backend_pid
    client.pgconn.send_query(COMPUTE.encode())
    with server.connect(autocommit=True) as watch:
        while not value(watch, "SELECT count(*) FROM pg_stat_activity WHERE query ~ '^SELECT co'"):
            time.sleep(0.01)
    os.kill(server.process.pid, signal.SIGKILL)
    while server.process.alive:
        time.sleep(0.01)
    assert _lives(session)
    end(server.folder)
    assert not _lives(session)
    client.close()


def _lives(pid: int) -> bool:
    try:
        # Empty, where one that has ended was not reaped.
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("end", [postgres_server.stop, postgres_server.kill])
def test_ended_server_leaves_no_shared_memory(
    start_postgres: StartPostgres, end: Callable[[Path], None]
) -> None:
    server = start_postgres()
    assert server.process
    lock = (server.folder / "data" / "cluster" / "postmaster.pid").read_text().splitlines()
    number = lock[6].split()[1]
    assert number in _shared_memory()
    assert "/dev/shm" not in Path(f"/proc/{server.process.pid}/maps").read_text()
    end(server.folder)
    assert number not in _shared_memory()


def _shared_memory() -> set[str]:
    rows = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    return {row.split()[1] for row in rows}


def test_stale_lock_of_a_living_process_is_no_obstacle(start_postgres: StartPostgres) -> None:
    server = start_postgres()
    postgres_server.stop(server.folder)
    cluster = server.folder / "data" / "cluster"
    (cluster / "postmaster.pid").write_text(f"{os.getpid()}\n{cluster}\n")
    postgres_server.start(server.folder).connect().close()


def test_start_that_was_killed_half_way_is_repaired(tmp_path: Path) -> None:
    folder = tmp_path / "half"
    script = "import sys, pathlib; from batch_exports.local import postgres_server as server; "
    command = [sys.executable, "-c", f"{script} server.start(pathlib.Path(sys.argv[1]))"]
    with subprocess.Popen([*command, str(folder)], start_new_session=True) as half:
        while not list(folder.glob("data/draft-*/base")):
            assert half.poll() is None
            time.sleep(0.001)
        os.killpg(half.pid, signal.SIGKILL)
    kill_processes(str(folder))  # waits for its initdb
    try:
        server = postgres_server.start(folder)
        server.connect(server.exporter).close()
        assert [path.name for path in (folder / "data").iterdir()] == ["cluster"]
    finally:
        postgres_server.stop(folder)


def test_full_disk_is_an_error_that_the_server_survives(start_postgres: StartPostgres) -> None:
    server = start_postgres(disk_mib=128)
    with server.connect(server.exporter, autocommit=True) as connection:
        connection.execute(f"CREATE UNLOGGED TABLE {SCHEMA}.big (text text)")
        with pytest.raises(errors.DiskFull):
            connection.execute(
                f"INSERT INTO {SCHEMA}.big SELECT repeat('x', 1000) FROM generate_series(1, 200000)"
            )
        assert value(connection, f"SELECT count(*) FROM {SCHEMA}.big") == 0
    assert postgres_server.start(server.folder) == server


def test_credentials_are_private(start_postgres: StartPostgres) -> None:
    server = start_postgres(log_statement="all")
    server.connect(server.exporter).close()
    with pytest.raises(psycopg.OperationalError):
        server.connect(server.exporter, dbname="absent")
    assert server.process
    process = Path("/proc") / str(server.process.pid)
    shown = [(process / name).read_bytes().decode() for name in ("cmdline", "environ")]
    for login in (server.admin, server.exporter):
        for text in (*shown, server.log.read_text(), repr(server)):
            assert login.password not in text
    assert server.folder.stat().st_mode & 0o777 == 0o700
    files = {path.name: path for path in server.folder.iterdir() if path.is_file()}
    assert set(files) == {"log", "root.crt", "server.crt", "server.json", "server.key"}
    assert {path.stat().st_mode & 0o777 for path in files.values()} == {0o600}
    assert (server.folder / "data" / "cluster").stat().st_mode & 0o777 == 0o700


def test_state_that_cannot_be_read_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "server.json").write_text("{}")
    with pytest.raises(LocalError, match=r"server\.json.*Remove"):
        postgres_server.find(tmp_path)


def test_data_without_credentials_are_not_thrown_away(start_postgres: StartPostgres) -> None:
    server = start_postgres()
    postgres_server.stop(server.folder)
    state = server.folder / "server.json"
    kept = state.read_text()
    state.unlink()
    with pytest.raises(LocalError, match=r"server\.json, are gone: remove"):
        postgres_server.start(server.folder)
    state.write_text(kept)
    postgres_server.start(server.folder).connect().close()


def test_part_tells_how_to_reach_it(tmp_path: Path) -> None:
    state = tmp_path / "it's here"
    assert postgres.status(state).text == "never started"
    with pytest.raises(LocalError, match="local up"):
        postgres.environment(state)
    try:
        postgres.start(state)
        told = {
            name.removeprefix("BATCH_EXPORTS_LOCAL_POSTGRES_"): value
            for name, value in postgres.environment(state).items()
        }
        assert told["PORT"] in postgres.status(state).text
        psql = [str(find_programs().folder / "psql"), told["URL"], "-Atc"]
        table = f"CREATE TABLE {told['SCHEMA']}.t (); SELECT current_user"
        shown = subprocess.run([*psql, table], capture_output=True, text=True, check=True)
        assert shown.stdout.splitlines()[-1] == told["USER"] == "exporter"
        psycopg.connect(
            host=told["HOST"],
            port=told["PORT"],
            dbname=told["DATABASE"],
            user=told["USER"],
            password=told["PASSWORD"],
            sslmode="verify-full",
            sslrootcert=told["ROOT_CERT"],
        ).close()
    finally:
        postgres.stop(state)
    assert "not running" in postgres.status(state).text
    assert not postgres.status(state).up
