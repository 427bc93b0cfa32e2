"""Credentials and address of a Redshift database, defined once and shared by name."""

import re
from typing import Literal

import dagster as dg
from pydantic import Field

from batch_exports.components.authorities import named_authorities
from batch_exports.components.redshift_session import RedshiftConnectionResource
from batch_exports.components.references import find
from batch_exports.components.s3_connection import S3Connection, S3ConnectionResource
from batch_exports.components.secret import Secret
from batch_exports.components.server_fields import (
    LONGEST_SECONDS,
    check_host,
    check_most,
    check_text,
)
from batch_exports.components.yaml_component import YamlComponent, YamlModel
from batch_exports.errors import ConfigurationError

# Endpoints name their region, of provisioned clusters and of serverless workgroups:
# https://docs.aws.amazon.com/redshift/latest/mgmt/connecting-from-psql.html
_REGION = re.compile(r"\.([a-z0-9-]+)\.redshift(?:-serverless)?\.amazonaws\.com(?:\.cn)?$")


class TemporaryPassword(YamlModel):
    """Whose temporary password to ask AWS for."""

    cluster_identifier: str | None = Field(
        None, description="The name of the cluster, where it is a provisioned one."
    )
    workgroup_name: str | None = Field(
        None, description="The name of the workgroup, where it is a serverless one."
    )
    region: str | None = Field(
        None, description="AWS region of the cluster; without it, the one that host names."
    )
    connection: str | None = Field(
        None,
        description="The name of an S3Connection whose keys and role_arn to use; AWS's default "
        "chain without it.",
    )
    db_groups: list[str] = Field(
        [], description="Groups of the database that the user joins for the session."
    )
    auto_create: bool = Field(False, description="Make the user where it does not exist.")


class RedshiftConnection(YamlComponent):
    """Credentials and address of a database in Amazon Redshift, provisioned or serverless.

    Log in with `user` and `password`, or let AWS give a temporary password for each connection,
    with `iam`: of a provisioned cluster for `user`, or without one for the user of the AWS identity
    itself, as always of a serverless workgroup.

    Connections are encrypted, and the server has to prove with a certificate of Amazon's that it is
    the host that is meant. Through a tunnel, where the name cannot fit, `ssl_mode: verify-ca`
    accepts any server with a certificate of Amazon's.

    Sessions are of the query group `batch_exports <export> <interval> <run>`: to workload
    management a queue for `batch_exports*` is that of all exports.
    """

    name: str = Field(description="The name that exports and sources give as their connection.")
    user: str | None = Field(None, description="The user to log in as.")
    password: Secret | None = Field(None, description="The user's password, as {env: NAME}.")
    iam: TemporaryPassword | None = Field(
        None, description="Log in with temporary passwords of AWS instead; see below."
    )
    host: str = Field(
        description="Endpoint of the cluster or workgroup, without port and database."
    )
    port: int = Field(5439, description="The server's port.")
    database: str = Field(description="The database that holds the tables.")
    ssl_mode: Literal["require", "verify-ca", "verify-full"] = Field(
        "verify-full",
        description="What the server has to prove: nothing, a certificate of ssl_root_cert's "
        "authority, or also that it is the host.",
    )
    ssl_root_cert: str | None = Field(
        None,
        description="A PEM file of the certificates to trust; without it, Amazon's own "
        "authorities.",
    )
    connect_timeout_seconds: int = Field(30, description="How long connecting may take.")
    statement_timeout_seconds: int = Field(
        0,
        description="How long one statement may take, with its time in a queue; 0 is without end, "
        "since one COPY may load for hours.",
    )

    def check(self) -> None:
        super().check()
        for field in ("user", "host", "database", "ssl_root_cert"):
            check_text(field, getattr(self, field))
        check_host(self.host)
        bounds = {
            "port": (1, 65535),
            "connect_timeout_seconds": (1, LONGEST_SECONDS),
            "statement_timeout_seconds": (0, LONGEST_SECONDS),
        }
        for field, (least, most) in bounds.items():
            self.check_least(field, least)
            check_most(field, getattr(self, field), most)
        self._check_login()
        if self.ssl_root_cert is not None:
            self._check_root(self.ssl_root_cert)

    def _check_login(self) -> None:
        if self.iam is not None:
            if self.password is not None:
                raise ConfigurationError(
                    "password",
                    "it is of no use with iam, which gets temporary ones.",
                    remedy="Leave one of the two out.",
                )
            _check_iam(self.iam, self.user)
            return
        for field in ("user", "password"):
            if getattr(self, field) is None:
                raise ConfigurationError(
                    field, "it is missing.", remedy="Give user and password, or iam."
                )

    def _check_root(self, root: str) -> None:
        if self.ssl_mode == "require":
            raise ConfigurationError(
                "ssl_mode",
                "'require' verifies nothing, and needs no ssl_root_cert.",
                remedy="Set verify-full, or verify-ca where the name cannot fit.",
            )
        named_authorities("ssl_root_cert", root)

    @property
    def region(self) -> str | None:
        """The cluster's region, where it is written or its endpoint's name tells it."""
        if self.iam is not None and self.iam.region:
            return self.iam.region
        named = _REGION.search(self.host)
        return named[1] if named else None

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        aws = None
        if self.iam is not None and self.iam.connection is not None:
            with self.located():
                found = find(context, S3Connection, "iam.connection", self.iam.connection)
            aws = found.resource()
        return dg.Definitions(resources={self.name: self.resource(aws)})

    def resource(self, aws: S3ConnectionResource | None = None) -> RedshiftConnectionResource:
        """`aws` is what `iam.connection` names."""
        iam = self.iam or TemporaryPassword()
        root = self.ssl_root_cert
        return RedshiftConnectionResource(
            user=self.user,
            password=self.password.variable() if self.password else None,
            host=self.host,
            port=self.port,
            database=self.database,
            ssl_mode=self.ssl_mode,
            ssl_root_cert=named_authorities("ssl_root_cert", root) if root else None,
            connect_timeout_seconds=self.connect_timeout_seconds,
            statement_timeout_seconds=self.statement_timeout_seconds,
            region=self.region,
            cluster_identifier=iam.cluster_identifier,
            workgroup_name=iam.workgroup_name,
            db_groups=iam.db_groups,
            auto_create=iam.auto_create,
            aws=aws or S3ConnectionResource(),
        )


def _check_iam(iam: TemporaryPassword, user: str | None) -> None:
    if bool(iam.cluster_identifier) == bool(iam.workgroup_name):
        raise ConfigurationError(
            "iam",
            "it has to name one cluster or one workgroup.",
            remedy="Give cluster_identifier of a provisioned cluster, or workgroup_name of a "
            "serverless one.",
        )
    if iam.workgroup_name and user is not None:
        raise ConfigurationError(
            "user",
            f"{user!r} is of no use with a workgroup, whose user is that of the AWS identity.",
            remedy="Leave it out.",
        )
    for field in ("db_groups", "auto_create"):
        if getattr(iam, field) and user is None:
            raise ConfigurationError(
                f"iam.{field}",
                "it needs a user, whom a provisioned cluster makes or puts into groups.",
                remedy="Give user, or leave it out.",
            )
