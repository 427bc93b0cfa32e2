"""A session with Redshift: how it is reached, kept alive, and set up."""

import re
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
from psycopg import sql
from pydantic import Field

from batch_exports.components.postgres_session import shortened
from batch_exports.components.s3_connection import S3ConnectionResource
from batch_exports.components.temporary_login import Cluster, Login, Workgroup, temporary_login
from batch_exports.destinations.redshift.errors import redshift_errors
from batch_exports.errors import ConfigurationError

AMAZON_AUTHORITIES = Path(__file__).with_name("amazon_authorities.pem")

# A silent peer is asked after 20 seconds, and given up for dead 30 seconds later: firewalls of AWS
# forget a connection that is idle for 350 seconds.
# https://docs.aws.amazon.com/redshift/latest/mgmt/connecting-firewall-guidance.html
_IDLE, _ASK_EVERY, _ASK_TIMES = 20, 10, 3
# So long may a peer that answers leave what it was sent unread. Clients send statements alone,
# which a server reads whole before it waits for a lock.
_UNREAD_SECONDS = 60


class RedshiftConnectionResource(dg.ConfigurableResource[None]):
    """A Redshift connection as runs use it. `ssl_mode` is libpq's.

    With a `cluster_identifier` or a `workgroup_name` the password is a temporary one, for which
    the credentials of `aws` are given; `user` may be None then.
    """

    user: str | None = None
    password: str | None = Field(None, repr=False)
    host: str
    port: int
    database: str
    ssl_mode: str = "verify-full"
    ssl_root_cert: str | None = None
    connect_timeout_seconds: int = 30
    statement_timeout_seconds: int = 0
    region: str | None = None
    cluster_identifier: str | None = None
    workgroup_name: str | None = None
    db_groups: list[str] = Field([])
    auto_create: bool = False
    aws: S3ConnectionResource

    @property
    def uri(self) -> str:
        """Where it leads, for people to read."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"redshift://{host}:{self.port}/{self.database}"

    @property
    def trusted(self) -> str | None:
        """The path of the PEM file of the authorities that it trusts; None where it verifies
        nothing."""
        if self.ssl_mode == "require":
            return None
        return self.ssl_root_cert or str(AMAZON_AUTHORITIES)

    def connect(self, application_name: str) -> psycopg.Connection:
        """A new connection, outside of any transaction.

        `application_name` says whose it is, in sys_connection_log and as the query group, by which
        workload management may give exports a queue of their own: batch_exports*. Of what is longer
        than 63 bytes, the longest words lose their ends. Times are UTC, names need their schema.
        Raises `Terminal` or `Transient`, never with a password.
        """
        login = self._login()
        name = shortened(application_name)
        with redshift_errors(self.uri, user=self.user or login.user):
            connection = psycopg.connect(
                autocommit=True,
                prepare_threshold=None,  # Redshift knows no DEALLOCATE ALL
                **self._parameters(name, login),
            )
            try:
                for setting, value in self._settings(name).items():
                    connection.execute(sql.SQL("SET {} TO {}").format(sql.SQL(setting), value))
                connection.autocommit = False
            except BaseException:
                connection.close()
                raise
        return connection

    def _login(self) -> Login:
        """A temporary password is asked for anew each time: nothing keeps it."""
        of: Cluster | Workgroup
        if self.cluster_identifier:
            groups = tuple(self.db_groups)
            of = Cluster(self.cluster_identifier, self.user, groups, self.auto_create)
        elif self.workgroup_name:
            of = Workgroup(self.workgroup_name)
        elif self.user is not None and self.password is not None:
            return Login(self.user, self.password)
        else:
            raise ConfigurationError("password", "it is missing.", remedy="Give it, or iam.")
        return temporary_login(self.aws.session(), of, self.region, self.database)

    def _parameters(self, name: str, login: Login) -> dict[str, Any]:
        """Libpq's: what is given here comes before what the environment says.

        The server is told no `options`: it refuses a connection that begins with a setting it does
        not know. Nor is it asked whether it can be written to, which libpq does in words of
        PostgreSQL's.
        """
        return {
            "sslmode": self.ssl_mode,
            "sslrootcert": self.trusted,
            "gssencmode": "disable",
            "channel_binding": "prefer",
            # A server that has not proven who it is gets no password to read.
            "require_auth": "!password" if self.ssl_mode == "require" else None,
            "target_session_attrs": "any",
            "options": "",
            "host": self.host,
            "port": self.port,
            "dbname": self.database,
            "user": login.user,
            "password": login.password,
            "application_name": name,
            "client_encoding": "UTF8",
            "connect_timeout": self.connect_timeout_seconds,
            "keepalives": 1,
            "keepalives_idle": _IDLE,
            "keepalives_interval": _ASK_EVERY,
            "keepalives_count": _ASK_TIMES,
            "tcp_user_timeout": 1000 * _UNREAD_SECONDS,
        }

    def _settings(self, name: str) -> dict[str, sql.Composable]:
        """Redshift's, whatever the cluster and the user have as their own.

        https://docs.aws.amazon.com/redshift/latest/dg/cm_chap_ConfigurationRef.html
        """
        return {
            "query_group": sql.Literal(re.sub(r"['\\]", "?", name)),
            "statement_timeout": sql.Literal(1000 * self.statement_timeout_seconds),
            "timezone": sql.Literal("UTC"),
            "datestyle": sql.Literal("ISO, YMD"),
            # Of a key that recurs in an object the last value counts, as in PostgreSQL's jsonb;
            # otherwise JSON_PARSE fails, and with it the delivery.
            # https://docs.aws.amazon.com/redshift/latest/dg/super-configurations.html
            "json_parse_dedup_attributes": sql.Literal("on"),
            # pg_temp last: otherwise a temporary table stands before Redshift's own.
            # https://docs.aws.amazon.com/redshift/latest/dg/r_search_path.html
            "search_path": sql.SQL("pg_catalog, pg_temp"),
        }
