"""Credentials and address of a PostgreSQL database, defined once and shared by name."""

from typing import Literal

import dagster as dg
from pydantic import Field

from batch_exports.components.authorities import named_authorities
from batch_exports.components.postgres_session import PostgresConnectionResource
from batch_exports.components.secret import Secret
from batch_exports.components.server_fields import (
    LONGEST_SECONDS,
    address,
    check_host,
    check_most,
    check_text,
)
from batch_exports.components.yaml_component import YamlComponent
from batch_exports.errors import ConfigurationError


class PostgresConnection(YamlComponent):
    """Credentials and address of a PostgreSQL database.

    Connections are encrypted, and the server has to prove with its certificate that it is the host
    that is meant. A server on this machine may do without, with `local: true`.

    For a certificate that no public authority signed, as at RDS, give the authority's in
    `ssl_root_cert`. For one that no authority signed at all, set `self_signed_certificate: true`
    and give the server's own: no other server is accepted then. Without it the connection is
    encrypted, but to whoever answers.
    """

    name: str = Field(description="The name that exports and sources give as their connection.")
    user: str = Field(description="The user to log in as.")
    password: Secret = Field(description="The user's password, as {env: NAME}.")
    host: str = Field(
        description="Name or address of the server; with local: true also a folder of sockets."
    )
    port: int = Field(5432, description="The server's port.")
    database: str = Field(description="The database that holds the tables.")
    ssl_mode: Literal["require", "verify-ca", "verify-full"] = Field(
        "verify-full",
        description="What the server has to prove: nothing, a certificate of ssl_root_cert's "
        "authority, or also that it is the host.",
    )
    ssl_root_cert: str | None = Field(
        None,
        description="A PEM file of the certificates to trust; without it, the authorities that "
        "the machine trusts.",
    )
    self_signed_certificate: bool = Field(
        False, description="The server's certificate is of no authority: trust ssl_root_cert alone."
    )
    local: bool = Field(
        False, description="Connect without TLS, which only a server on this machine may be."
    )
    connect_timeout_seconds: int = Field(30, description="How long connecting may take.")
    statement_timeout_seconds: int = Field(
        0,
        description="How long one statement may take; 0 is without end, since one COPY may load "
        "for hours.",
    )
    lock_timeout_seconds: int = Field(
        30, description="How long to wait for a lock that others hold, before a later retry."
    )

    def check(self) -> None:
        super().check()
        for field in ("user", "host", "database", "ssl_root_cert"):
            check_text(field, getattr(self, field))
        self._check_host()
        self._check_numbers()
        if self.local:
            self._check_local()
        else:
            self._check_tls()

    def _check_host(self) -> None:
        if not self._is_socket:
            check_host(self.host)
        elif not self.local:
            raise ConfigurationError(
                "host",
                f"connections in the folder {self.host!r} are not encrypted.",
                remedy="Set local: true to allow that.",
            )

    def _check_numbers(self) -> None:
        bounds = {
            "port": (1, 65535),
            "connect_timeout_seconds": (1, LONGEST_SECONDS),
            "statement_timeout_seconds": (0, LONGEST_SECONDS),
            "lock_timeout_seconds": (1, LONGEST_SECONDS // 2),
        }
        for field, (least, most) in bounds.items():
            self.check_least(field, least)
            check_most(field, getattr(self, field), most)

    def _check_local(self) -> None:
        known = address(self.host)
        loopback = known.is_loopback if known else self.host == "localhost"
        if not loopback and not self._is_socket:
            raise ConfigurationError(
                "local",
                f"{self.host!r} is not this machine.",
                remedy="Leave it out: connections to other machines are encrypted.",
            )
        for field in ("ssl_mode", "ssl_root_cert", "self_signed_certificate"):
            if field in self.model_fields_set and getattr(self, field):
                raise ConfigurationError(
                    field,
                    f"{getattr(self, field)!r} is of no use with local: true.",
                    remedy="Leave one of the two out.",
                )

    def _check_tls(self) -> None:
        if self.self_signed_certificate and "ssl_mode" in self.model_fields_set:
            raise ConfigurationError(
                "ssl_mode",
                f"{self.ssl_mode!r} contradicts self_signed_certificate: true.",
                remedy="Leave one of the two out.",
            )
        if self.ssl_root_cert is not None:
            if self.ssl_mode == "require":
                raise ConfigurationError(
                    "ssl_mode",
                    "'require' verifies nothing, and needs no ssl_root_cert.",
                    remedy="Set verify-full, or verify-ca where the name cannot fit.",
                )
            named_authorities("ssl_root_cert", self.ssl_root_cert)
        elif self.ssl_mode == "verify-ca":
            raise ConfigurationError(
                "ssl_mode",
                "'verify-ca' would accept any certificate of a public authority, which all have.",
                remedy="Set verify-full, or give the authority's certificate in ssl_root_cert.",
            )

    @property
    def _is_socket(self) -> bool:
        return self.host.startswith("/")

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        return dg.Definitions(resources={self.name: self.resource()})

    def resource(self) -> PostgresConnectionResource:
        ssl_mode: str = self.ssl_mode
        root = self.ssl_root_cert
        if self.local:
            ssl_mode = "disable"
        elif self.self_signed_certificate:
            ssl_mode = "verify-ca" if root else "require"
        return PostgresConnectionResource(
            user=self.user,
            password=self.password.variable(),
            host=self.host,
            port=self.port,
            database=self.database,
            ssl_mode=ssl_mode,
            ssl_root_cert=named_authorities("ssl_root_cert", root) if root else None,
            connect_timeout_seconds=self.connect_timeout_seconds,
            statement_timeout_seconds=self.statement_timeout_seconds,
            lock_timeout_seconds=self.lock_timeout_seconds,
        )
