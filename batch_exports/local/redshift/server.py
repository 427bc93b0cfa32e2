"""The emulator as a server on loopback, and in a thread of this process."""

import asyncio
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import psycopg

from batch_exports.local import postgres_server
from batch_exports.local.postgres_cluster import EMULATED_DATABASE, Login
from batch_exports.local.redshift import installation
from batch_exports.local.redshift.cluster import Cluster, open_cluster
from batch_exports.local.redshift.faults import ISOLATION_VIOLATION
from batch_exports.local.redshift.objects import Storage
from batch_exports.local.redshift.refusal import Refusal
from batch_exports.local.redshift.session import Session
from batch_exports.local.redshift.settings import Settings

REGION = "us-east-1"


@dataclass(frozen=True)
class Emulator:
    """A running emulator: how to reach it, and what it has seen.

    `admin` is a superuser as the first user of a cluster is, `exporter` has the rights that the
    documentation of the Redshift destination asks for.
    """

    host: ClassVar[str] = postgres_server.Server.host
    database: ClassVar[str] = EMULATED_DATABASE

    port: int
    admin: Login
    exporter: Login
    root_certificate: Path
    cluster: Cluster

    @property
    def statements(self) -> Sequence[str]:
        """What clients have sent, oldest first; the last 10,000."""
        return list(self.cluster.statements)

    def inject(
        self, pattern: str, refusal: Refusal = ISOLATION_VIOLATION, times: int | None = 1
    ) -> None:
        """Fail the next `times` statements in which the regular expression `pattern` is found,
        whatever the case; None is all of them."""
        self.cluster.faults.inject(pattern, refusal, times)

    def clear(self) -> None:
        """Forget what was injected, and the statements."""
        self.cluster.faults.clear()
        self.cluster.statements.clear()

    def connect(self, login: Login | None = None, **parameters: Any) -> psycopg.Connection:
        """A connection, as `admin` unless another `login` is given.

        `parameters` are those of psycopg.connect, and come before what would be used.
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
            "client_encoding": "utf8",
            "prepare_threshold": None,
        }
        return psycopg.connect(**usual | parameters)


@contextmanager
def serving(
    database: postgres_server.Server,
    s3_endpoint: str | None,
    roles: Mapping[str, tuple[str, str]],
    *,
    default_role: str | None = None,
    isolation: Literal["snapshot", "serializable"] = "snapshot",
    large_strings: bool = False,
) -> Iterator[Emulator]:
    """An emulator in a thread of this process, before the PostgreSQL server `database`.

    `roles` are its IAM roles, as `Storage` has them. Raises LocalError, psycopg.Error.
    """
    storage = Storage(s3_endpoint, REGION, roles, default_role, large_strings)
    cluster = prepare(database, Settings(storage, isolation))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="redshift", daemon=True)
    thread.start()
    listener = asyncio.run_coroutine_threadsafe(listen(cluster, 0), loop).result()
    try:
        yield Emulator(
            port=listener.sockets[0].getsockname()[1],
            admin=installation.administrator(database),
            exporter=installation.exporter(database),
            root_certificate=database.root_certificate,
            cluster=cluster,
        )
    finally:
        asyncio.run_coroutine_threadsafe(_end(listener), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def prepare(database: postgres_server.Server, settings: Settings) -> Cluster:
    """Raises LocalError, psycopg.Error."""
    installation.install(database)
    return open_cluster(database, settings)


async def listen(cluster: Cluster, port: int) -> asyncio.Server:
    """Serve clients on loopback; port 0 is any. Raises OSError."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A client, the server behind, or the emulator itself may go at any time.
        gone = (asyncio.IncompleteReadError, OSError, ssl.SSLError, asyncio.CancelledError)
        with suppress(*gone):
            await Session(cluster, reader, writer).run()
        writer.close()

    return await asyncio.start_server(serve, Emulator.host, port)


async def _end(listener: asyncio.Server) -> None:
    listener.close()
    sessions = asyncio.all_tasks() - {asyncio.current_task()}
    for session in sessions:
        session.cancel()
    await asyncio.gather(*sessions, return_exceptions=True)
