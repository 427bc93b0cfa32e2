"""Credentials and address of a ClickHouse, defined once and shared by name."""

import dagster as dg
from pydantic import Field

from batch_exports.components.authorities import named_authorities
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
from batch_exports.sources.clickhouse.server import Server, require_driver


class ClickHouseConnectionResource(dg.ConfigurableResource[None]):
    """A ClickHouse as runs use it."""

    host: str
    port: int
    user: str
    password: str = Field(repr=False)
    database: str
    secure: bool
    ca_cert: str | None = None
    connect_timeout_seconds: int = 30

    def server(self) -> Server:
        return Server(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            database=self.database,
            secure=self.secure,
            ca_cert=self.ca_cert,
            connect_timeout_seconds=self.connect_timeout_seconds,
        )


class ClickHouseConnection(YamlComponent):
    """Credentials and address of a ClickHouse, reached by its HTTP interface.

    Connections are encrypted, and the server has to prove with its certificate that it is the host
    that is meant. A server on this machine may do without, with `local: true`. Needs the package
    clickhouse-connect: `pip install 'batch-exports[clickhouse]'`.
    """

    name: str = Field(description="The name that sources give as their connection.")
    user: str = Field(description="The user to log in as; it may read, and change settings.")
    password: Secret = Field(description="The user's password, as {env: NAME}.")
    host: str = Field(description="Name or address of the server.")
    port: int = Field(8443, description="The port of the server's HTTP interface.")
    database: str = Field(description="The database that holds the tables.")
    ca_cert: str | None = Field(
        None,
        description="A PEM file of the certificates to trust; without it, the authorities that "
        "the machine trusts.",
    )
    local: bool = Field(
        False, description="Connect without TLS, which only a server on this machine may be."
    )
    connect_timeout_seconds: int = Field(30, description="How long connecting may take.")

    def check(self) -> None:
        super().check()
        require_driver()
        for field in ("user", "host", "database", "ca_cert"):
            check_text(field, getattr(self, field))
        check_host(self.host)
        for field, most in (("port", 65535), ("connect_timeout_seconds", LONGEST_SECONDS)):
            self.check_least(field, 1)
            check_most(field, getattr(self, field), most)
        if self.local:
            self._check_local()
        elif self.ca_cert is not None:
            named_authorities("ca_cert", self.ca_cert)

    def _check_local(self) -> None:
        known = address(self.host)
        if not (known.is_loopback if known else self.host == "localhost"):
            raise ConfigurationError(
                "local",
                f"{self.host!r} is not this machine.",
                remedy="Leave it out: connections to other machines are encrypted.",
            )
        if self.ca_cert is not None:
            raise ConfigurationError(
                "ca_cert",
                f"{self.ca_cert!r} is of no use with local: true.",
                remedy="Leave one of the two out.",
            )

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        return dg.Definitions(resources={self.name: self.resource()})

    def resource(self) -> ClickHouseConnectionResource:
        return ClickHouseConnectionResource(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password.variable(),
            database=self.database,
            secure=not self.local,
            ca_cert=named_authorities("ca_cert", self.ca_cert) if self.ca_cert else None,
            connect_timeout_seconds=self.connect_timeout_seconds,
        )
