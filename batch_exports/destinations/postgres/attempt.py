"""An attempt to use a destination: what is tried, and how far it has come."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from batch_exports.destinations.postgres.destination import PostgresDestination
from batch_exports.destinations.postgres.errors import postgres_errors
from batch_exports.errors import BatchExportError
from batch_exports.interval import DataInterval


@dataclass
class Attempt:
    """`ssl_mode` is libpq's (`disable` on this machine), and `ssl_root_cert` the file of
    certificates that it trusts. Close it at the end."""

    destination: PostgresDestination
    host: str
    port: int
    ssl_mode: str
    ssl_root_cert: str | None
    connect_timeout_seconds: float
    _connected: psycopg.Connection[Any] | None = field(default=None, init=False)
    _refused: BatchExportError | None = field(default=None, init=False)

    def close(self) -> None:
        if self._connected:
            self._connected.close()

    @property
    def is_socket(self) -> bool:
        return self.host.startswith("/")

    def connect(self) -> BatchExportError | None:
        """Connect, unless that was tried before; why there is no connection."""
        if self._connected is None and self._refused is None:
            try:
                self._connected = self.destination.connect(
                    f"batch_exports {self.destination.export} test"
                )
                self._connected.autocommit = True
            except BatchExportError as error:
                self._refused = error
        return self._refused

    @contextmanager
    def session(self) -> Iterator[psycopg.Connection[Any]]:
        """The connection, with its errors in our terms."""
        assert self._connected
        where, user = self.destination.uri(moment()), self._connected.info.user
        with postgres_errors(where, user=user, schema=self.destination.name.schema):
            yield self._connected


def moment() -> DataInterval:
    """An interval that no export has, at a time that tables in partitions have a place for."""
    now = datetime.now(UTC)
    return DataInterval(now, now + timedelta(microseconds=1))
