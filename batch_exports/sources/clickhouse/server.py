"""A ClickHouse server as it is reached: over HTTP, by ClickHouse's own client."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import urllib3

from batch_exports.errors import ConfigurationError
from batch_exports.sources.clickhouse.errors import clickhouse_errors
from batch_exports.sources.clickhouse.statement import Statement

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

Setting = str | int | float | bool
# Without a byte for so long, the connection is dead: a server that works tells of its progress.
_SILENT_SECONDS = 300


@dataclass(frozen=True)
class Server:
    """`secure` is with TLS, for which `ca_cert` has the authorities; without it, the system's."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    secure: bool = True
    ca_cert: str | None = None
    connect_timeout_seconds: int = 30

    @property
    def uri(self) -> str:
        """Where it leads, for people to read."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"clickhouse://{host}:{self.port}/{self.database}"

    @contextmanager
    def connected(self, where: str) -> Generator[Connected, None, None]:
        """Raises `Terminal` and `Transient`, which name `where`, here and for the driver's errors
        in the block."""
        require_driver()
        from clickhouse_connect import get_client  # noqa: PLC0415, optional
        from clickhouse_connect.driver.httputil import get_pool_manager_options  # noqa: PLC0415

        # Not the driver's own pool, which all of a process share and which goes through proxies
        # that the environment names.
        options = get_pool_manager_options(ca_cert=self.ca_cert, retries=False)
        pool = urllib3.PoolManager(**options)
        try:
            with clickhouse_errors(where):
                client = get_client(
                    host=self.host,
                    port=self.port,
                    username=self.user,
                    password=self.password,
                    database=self.database,
                    interface="https" if self.secure else "http",
                    pool_mgr=pool,
                    connect_timeout=self.connect_timeout_seconds,
                    send_receive_timeout=_SILENT_SECONDS,
                    autogenerate_session_id=False,
                    query_retries=0,
                    client_name="batch_exports",
                )
                yield Connected(client)
        finally:
            pool.clear()


@dataclass(frozen=True)
class Connected:
    client: Client

    @contextmanager
    def answer(
        self, statement: Statement, settings: Mapping[str, Setting]
    ) -> Generator[urllib3.HTTPResponse, None, None]:
        """The answer to a query as an Arrow stream. Leaving the block closes the line, upon which
        the server ends the query. Raises the driver's errors."""
        response: Any = self.client.raw_stream(
            statement.text, dict(statement.values), dict(settings), fmt="ArrowStream"
        )
        try:
            yield response
        finally:
            response.close()


def require_driver() -> None:
    """Raises `ConfigurationError` where the client is not installed."""
    try:
        import clickhouse_connect  # noqa: F401, PLC0415
    except ImportError:
        raise ConfigurationError(
            "type",
            "ClickHouse needs the package clickhouse-connect, which is not installed.",
            remedy="Install it: pip install 'batch-exports[clickhouse]'.",
        ) from None
