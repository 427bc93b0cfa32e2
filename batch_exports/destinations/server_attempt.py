"""An attempt to use a database server: what is tried, and how far it has come."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, Protocol, TypeVar

import psycopg

from batch_exports.destinations.postgres.table import TableName
from batch_exports.errors import BatchExportError
from batch_exports.interval import DataInterval


class ServerDestination(Protocol):
    """What destinations on all servers have."""

    @property
    def connect(self) -> Callable[[str], psycopg.Connection[Any]]: ...

    @property
    def address(self) -> str: ...

    @property
    def name(self) -> TableName: ...

    @property
    def export(self) -> str: ...

    def uri(self, interval: DataInterval) -> str: ...


Tried = TypeVar("Tried", bound=ServerDestination)


@dataclass
class ServerAttempt(ABC, Generic[Tried]):
    """`ssl_mode` is libpq's (`disable` on this machine), and `ssl_root_cert` the file of
    certificates that it trusts. Close it at the end."""

    destination: Tried
    host: str
    port: int
    ssl_mode: str
    ssl_root_cert: str | None
    connect_timeout_seconds: float
    _connected: psycopg.Connection[Any] | None = field(default=None, init=False)
    _refused: BatchExportError | None = field(default=None, init=False)

    @abstractmethod
    def errors(self, where: str, user: str) -> AbstractContextManager[None]:
        """Raises the server's errors in our terms."""

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
        with self.errors(self.destination.uri(moment()), self._connected.info.user):
            yield self._connected


def moment() -> DataInterval:
    """An interval that no export has, at a time that tables in partitions have a place for."""
    now = datetime.now(UTC)
    return DataInterval(now, now + timedelta(microseconds=1))
