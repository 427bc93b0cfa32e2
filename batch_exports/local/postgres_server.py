"""A real PostgreSQL server on loopback, over TLS alone: start, stop, kill, find again.

Everything about a server stands in one folder: `server.json` (port, credentials, settings,
process), its certificate (`root.crt` is what clients trust), `data/` and `log`. Whoever has the
folder can find the running server, or start it again on the same address with the same credentials
and data.

It is for demos and tests: its data survives the end of its processes, however they end, but not
that of the machine.
"""

import json
import os
import secrets
import signal
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

import psycopg

from batch_exports.local import certificate, postgres_cluster
from batch_exports.local.errors import LocalError
from batch_exports.local.ports import free_ports
from batch_exports.local.postgres_cluster import DATABASE, Login
from batch_exports.local.postgres_processes import is_ready, kill_processes, remove_lock
from batch_exports.local.postgres_programs import ENVIRONMENT, Programs, find_programs
from batch_exports.local.private import make_private_folder, write_private
from batch_exports.local.process import Process

START_SECONDS = 60.0  # a first start takes one; one after a crash may have much to recover
_STOP_SECONDS = 5.0
_SETTINGS = {
    # None: over such a socket there is no TLS, and its path may have 107 bytes at most.
    "unix_socket_directories": "",
    "ssl": "on",
    "max_connections": "50",
    "shared_buffers": "128MB",
    # Without synchronous_commit as well, the end of its processes would take commits with it.
    "fsync": "off",
    "full_page_writes": "off",
    # In the data folder, so that a killed server leaves nothing in /dev/shm.
    "dynamic_shared_memory_type": "mmap",
    # The session of a client that vanished goes, and its locks with it.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "client_connection_check_interval": "5s",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@dataclass(frozen=True)
class Server:
    """One PostgreSQL server: how to reach it, and which process it is.

    What `admin` and `exporter` may do says `postgres_cluster.create`. `settings` are PostgreSQL's
    own, on top of those that every server here has. `mark` is in the titles of all its processes.
    """

    host: ClassVar[str] = "127.0.0.1"
    database: ClassVar[str] = DATABASE

    folder: Path
    port: int
    admin: Login
    exporter: Login
    settings: dict[str, str]
    mark: str
    process: Process | None = None

    @property
    def root_certificate(self) -> Path:
        """What a client has to trust."""
        return self.folder / certificate.ROOT

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def connect(self, login: Login | None = None, **parameters: Any) -> psycopg.Connection:
        """A connection to this server, as `admin` unless another `login` is given.

        `parameters` are those of psycopg.connect, and come before what would be used: another
        `dbname`, `sslmode` or `port`, `autocommit`. Raises psycopg.OperationalError.
        """
        login = login or self.admin
        usual: dict[str, Any] = {
            "host": self.host,
            "port": self.port,
            "dbname": self.database,
            "user": login.user,
            "password": login.password,
            "sslmode": "verify-full",
            "sslrootcert": str(self.root_certificate),
        }
        return psycopg.connect(**usual | parameters)

    def url(self, login: Login) -> str:
        """The address with credentials, as libpq's programs accept it."""
        tls = {"sslmode": "verify-full", "sslrootcert": str(self.root_certificate)}
        place = f"{self.host}:{self.port}/{self.database}?{urlencode(tls, quote_via=quote)}"
        return f"postgresql://{login.user}:{quote(login.password)}@{place}"


def find(folder: Path) -> Server | None:
    """The server of `folder`, running or not; None when none was ever started there.

    Raises LocalError when what stands in the folder cannot be read.
    """
    path = folder / "server.json"
    try:
        stored = json.loads(path.read_text())
        return Server(
            folder=folder.absolute(),
            port=stored["port"],
            admin=Login(**stored["admin"]),
            exporter=Login(**stored["exporter"]),
            settings=stored["settings"],
            mark=stored["mark"],
            process=Process(**stored["process"]) if stored["process"] else None,
        )
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise LocalError(
            f"cannot read the state of the PostgreSQL server in {path}: {error!r}. Remove {folder} "
            "to start with an empty server; a server that still runs has to be killed by hand"
        ) from error


def is_running(server: Server) -> bool:
    """Whether the server's process lives, and answers its own credentials."""
    return server.process is not None and server.process.alive and _refusal(server) is None


def start(folder: Path, settings: Mapping[str, str] | None = None) -> Server:
    """Start the server of `folder`, or find it running; it outlives the calling process.

    A server that ran before comes back with its data and credentials, on the same port unless
    somebody took it. `settings` are added to those of every server here, and kept for later starts;
    a server that runs with others is started again. Raises LocalError when there is no server
    program, or when the server does not answer within START_SECONDS, with the end of its log.
    """
    known = find(folder)
    if known and is_running(known) and settings in (None, known.settings):
        return known
    stop(folder)
    programs = find_programs()
    make_private_folder(folder)
    server = known or _new_server(folder)
    if settings is not None:
        server = replace(server, settings=dict(settings))
    _store(server)
    certificate.issue(folder)
    postgres_cluster.create(programs, _cluster(folder), server.host, server.admin, server.exporter)
    deadline = time.monotonic() + START_SECONDS
    for port in (server.port, *free_ports(2)):
        server = _launch(programs, replace(server, port=port))
        refusal = _await_answer(server, deadline)
        if refusal is None:
            return server
        stop(folder)
    raise LocalError(
        f"the PostgreSQL server did not start: {refusal}. Remove {folder} to start with an empty "
        f"one. The end of its log, {server.log}:\n{_tail(server.log)}"
    )


def stop(folder: Path) -> None:
    """Stop the server of `folder`; its data stays. Stopping a stopped server does nothing.

    Sessions are cut off, as by a crash. Raises LocalError when a process cannot be killed.
    """
    server = find(folder)
    if server is None:
        return
    if server.process and server.process.alive:
        os.kill(server.process.pid, signal.SIGQUIT)  # the "immediate" shutdown
        deadline = time.monotonic() + _STOP_SECONDS
        while server.process.alive and time.monotonic() < deadline:
            time.sleep(0.01)
    kill(folder)


def kill(folder: Path) -> None:
    """End all processes of the server of `folder` with SIGKILL, as a crash would; data stays.

    Raises LocalError when one of them is still there after five seconds.
    """
    server = find(folder)
    if server is None:
        return
    if server.process:
        server.process.kill()
    kill_processes(server.mark)
    remove_lock(_cluster(folder))
    _store(replace(server, process=None))


def _new_server(folder: Path) -> Server:
    if _cluster(folder).exists():
        raise LocalError(
            f"{_cluster(folder)} holds the data of a PostgreSQL server whose credentials, "
            f"{folder / 'server.json'}, are gone: remove {folder} to start with an empty one"
        )
    return Server(
        folder=folder.absolute(),
        port=free_ports(1)[0],
        admin=Login("admin", secrets.token_urlsafe(24)),
        exporter=Login("exporter", secrets.token_urlsafe(24)),
        settings={},
        mark=f"batch-exports-{secrets.token_hex(8)}",
    )


def _store(server: Server) -> None:
    stored = asdict(server)
    del stored["folder"]
    write_private(server.folder / "server.json", json.dumps(stored, indent=2))


def _cluster(folder: Path) -> Path:
    # Below data/ rather than there: data/ may be a disk of its own, and nothing can be renamed to
    # the name of one.
    return folder / "data" / "cluster"


def _launch(programs: Programs, server: Server) -> Server:
    """Start the process, and store it at once: whatever happens next, it can be found and ended."""
    _store(server)
    own = {
        "listen_addresses": server.host,
        "port": str(server.port),
        "cluster_name": server.mark,
        "ssl_cert_file": str(server.folder / certificate.CHAIN),
        "ssl_key_file": str(server.folder / certificate.KEY),
    }
    settings = (_SETTINGS | server.settings | own).items()
    arguments = [word for name, value in settings for word in ("-c", f"{name}={value}")]
    command = programs.command("postgres", "-D", str(_cluster(server.folder)), *arguments)
    launched = replace(server, process=Process.spawn(command, ENVIRONMENT, server.log))
    _store(launched)
    return launched


def _await_answer(server: Server, deadline: float) -> str | None:
    """Wait until the server is ready; return why it is not, when its process ends, `deadline`
    passes, or it refuses its own credentials."""
    while not is_ready(_cluster(server.folder)):
        if not (server.process and server.process.alive):
            return "its process ended"
        if time.monotonic() > deadline:
            return f"not ready within {START_SECONDS:g} s"
        time.sleep(0.01)
    return _refusal(server)


def _refusal(server: Server) -> str | None:
    """Why the server lets nobody in; None when it does."""
    # With password and certificate: another program on the same port would know neither.
    try:
        server.connect(connect_timeout=10).close()
    except psycopg.OperationalError as error:
        return str(error)
    return None


def _tail(log: Path, lines: int = 20) -> str:
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return "(there is none)"
