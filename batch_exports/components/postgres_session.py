"""A session with PostgreSQL: how it is reached, kept alive, and set up."""

import re
from contextlib import suppress
from typing import Any

import dagster as dg
import psycopg
from psycopg import errors
from pydantic import Field

from batch_exports.components.authorities import system_authorities
from batch_exports.destinations.postgres.errors import postgres_errors

# A silent peer is asked after 20 seconds, and given up for dead 30 seconds later.
_IDLE, _ASK_EVERY, _ASK_TIMES = 20, 10, 3
# So long may a peer that answers leave what it was sent unread: a server that waits for a lock amid
# a COPY reads nothing, and a client that writes elsewhere what it reads here may pause as well.
_UNREAD_SECONDS = 60
_UNREAD_BY_CLIENT_SECONDS = 300
# A run that hangs between two statements gives its locks back.
_IDLE_IN_TRANSACTION_SECONDS = 3600
_APPLICATION_NAME_BYTES = 63
# By a statement, since PgBouncer refuses connections that set more than a few as they start; and
# those that the server has, since transaction_timeout came with PostgreSQL 17.
_SET = """
SELECT pg_catalog.set_config(name, wanted.value, false)
FROM unnest(%s::text[], %s::text[]) AS wanted (name, value)
JOIN pg_catalog.pg_settings USING (name)
"""
# Amid a long statement too. PostgreSQL 14 and newer can, on most systems.
_NOTICE_LOST_CLIENT = f"SET client_connection_check_interval = '{_ASK_EVERY}s'"


class PostgresConnectionResource(dg.ConfigurableResource[None]):
    """A PostgreSQL connection as runs use it. `ssl_mode` is libpq's, `disable` on this machine."""

    user: str
    password: str = Field(repr=False)
    host: str
    port: int
    database: str
    ssl_mode: str
    ssl_root_cert: str | None = None
    connect_timeout_seconds: int = 30
    statement_timeout_seconds: int = 0
    lock_timeout_seconds: int = 30

    @property
    def uri(self) -> str:
        """Where it leads, for people to read."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"postgres://{host}:{self.port}/{self.database}"

    def connect(self, application_name: str, *, reads_only: bool = False) -> psycopg.Connection:
        """A new connection, outside of any transaction, to a server that can be written to, unless
        it `reads_only`: then a standby is as good.

        `application_name` says in pg_stat_activity whose it is; of what is longer than
        PostgreSQL's 63 bytes, the longest words lose their ends. A network that died is noticed
        within two minutes at both ends, and the server then frees the locks. Times are UTC, names
        need their schema. Raises `Terminal` or `Transient`, never with the password.

        Behind PgBouncer's transaction pooling, what is set for this session may be left to others
        of the same user and database, who are exports as well.
        """
        with postgres_errors(self.uri, user=self.user):
            connection = psycopg.connect(
                autocommit=True,
                prepare_threshold=None,  # PgBouncer may not know a statement of another server
                target_session_attrs="any" if reads_only else "read-write",
                **self._parameters(application_name),
            )
            try:
                settings = self._settings()
                connection.execute(_SET, [list(settings), list(settings.values())])
                with suppress(errors.InvalidParameterValue, errors.UndefinedObject):
                    connection.execute(_NOTICE_LOST_CLIENT)
                connection.autocommit = False
            except BaseException:
                connection.close()
                raise
        return connection

    def _parameters(self, application_name: str) -> dict[str, Any]:
        """Libpq's: what is given here comes before what the environment says."""
        root = self.ssl_root_cert
        if root is None and self.ssl_mode == "verify-full":
            root = system_authorities("ssl_root_cert")
        return {
            "sslmode": self.ssl_mode,
            "sslrootcert": root,
            "gssencmode": "disable",
            "channel_binding": "prefer",
            # A server that has not proven who it is gets no password to read.
            "require_auth": "!password" if self.ssl_mode == "require" else None,
            "host": self.host,
            "port": self.port,
            "dbname": self.database,
            "user": self.user,
            "password": self.password,
            "application_name": shortened(application_name),
            "client_encoding": "UTF8",
            "connect_timeout": self.connect_timeout_seconds,
            "keepalives": 1,
            "keepalives_idle": _IDLE,
            "keepalives_interval": _ASK_EVERY,
            "keepalives_count": _ASK_TIMES,
            "tcp_user_timeout": 1000 * (_UNREAD_SECONDS + self.lock_timeout_seconds),
        }

    def _settings(self) -> dict[str, str]:
        """PostgreSQL's, whatever the database and the user have as their own."""
        return {
            "statement_timeout": f"{self.statement_timeout_seconds}s",
            "transaction_timeout": "0",
            "lock_timeout": f"{self.lock_timeout_seconds}s",
            "idle_session_timeout": "0",
            "idle_in_transaction_session_timeout": f"{_IDLE_IN_TRANSACTION_SECONDS}s",
            "tcp_keepalives_idle": f"{_IDLE}s",
            "tcp_keepalives_interval": f"{_ASK_EVERY}s",
            "tcp_keepalives_count": f"{_ASK_TIMES}",
            "tcp_user_timeout": f"{_UNREAD_BY_CLIENT_SECONDS}s",
            "TimeZone": "UTC",
            "DateStyle": "ISO, YMD",
            # pg_temp last: otherwise a temporary table stands before PostgreSQL's own.
            "search_path": "pg_catalog, pg_temp",
        }


def shortened(name: str) -> str:
    """An application's name in printable ASCII, as PostgreSQL keeps it; the longest words lose
    their ends."""
    words = re.sub(r"[^ -~]", "?", name).split()
    while len(shorter := " ".join(filter(None, words))) > _APPLICATION_NAME_BYTES:
        longest = max(range(len(words)), key=lambda number: (len(words[number]), number))
        words[longest] = words[longest][:-1]
    return shorter
