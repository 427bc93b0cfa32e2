"""Credentials and endpoint of an S3 service, defined once and shared by name."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, cast

import boto3
import dagster as dg
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    DeferredRefreshableCredentials,
)
from botocore.loaders import Loader, create_loader
from botocore.session import Session as CoreSession
from botocore.session import get_session
from dagster_aws.s3 import S3Resource
from pyarrow import fs
from pydantic import Field, PrivateAttr

from batch_exports.components.secret import Secret
from batch_exports.components.yaml_component import YamlComponent
from batch_exports.errors import ConfigurationError, Terminal

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_SECRETS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")


class S3ConnectionResource(S3Resource):
    """An S3 connection as runs use it: Dagster's own resource, with roles and addressing."""

    role_arn: str | None = None
    external_id: str | None = None
    addressing_style: str = "auto"

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """For `repr`, which shows no key."""
        return [arg for arg in super().__repr_args__() if arg[0] not in _SECRETS]

    def get_object_to_set_on_execution_context(self) -> "S3ConnectionResource":
        """What steps find under the resource's name: this, and not the client of the base."""
        return self

    _client: Any = PrivateAttr(default=None)

    def client(self) -> "S3Client":
        """The run's one client, made when it is first asked for: that takes a tenth of a second."""
        if self._client is None:
            self._client = self._new_client()
        return cast("S3Client", self._client)

    def _new_client(self) -> "S3Client":
        """A client that retries what S3 asks to retry, and gives up on silence.

        Third-party endpoints get the checksums that they all know: signed payloads. Amazon's own
        gets the newer ones that it verifies.
        """
        third_party: Mapping[str, Any] = (
            {
                "request_checksum_calculation": "when_required",
                "response_checksum_validation": "when_required",
            }
            if self.endpoint_url
            else {}
        )
        addressing: Any = {"addressing_style": self.addressing_style}
        if self.endpoint_url:
            addressing["payload_signing_enabled"] = True
        config = Config(
            retries={"mode": "standard", "max_attempts": self.max_attempts},
            connect_timeout=10,
            read_timeout=60,
            max_pool_connections=10,
            s3=addressing,
            **third_party,
        )
        client: S3Client = self.session().client(
            "s3",
            region_name=self.region_name,
            endpoint_url=self.endpoint_url,
            use_ssl=self.use_ssl,
            verify=self.verify,
            config=config,
        )
        return client

    def filesystem(self) -> fs.S3FileSystem:
        """The same service as Arrow's file system, for reading lakes."""
        scheme, _, endpoint = (self.endpoint_url or "").rpartition("://")
        options: dict[str, Any] = {
            "region": self.region_name,
            "endpoint_override": endpoint or None,
            "scheme": scheme or "https",
            "force_virtual_addressing": self.addressing_style == "virtual",
            "connect_timeout": 10,
            "request_timeout": 60,
        }
        credentials = self.session().get_credentials()
        if credentials is not None:
            frozen = credentials.get_frozen_credentials()
            options |= {
                "access_key": frozen.access_key,
                "secret_key": frozen.secret_key,
                "session_token": frozen.token,
            }
        return fs.S3FileSystem(**{name: value for name, value in options.items() if value})

    def session(self) -> boto3.Session:
        """The connection's credentials, for any service; those of a role renew themselves.

        Raises `Terminal` where there are none to assume the role with.
        """
        session = boto3.Session(
            botocore_session=_core_session(),
            aws_access_key_id=self.aws_access_key_id,
            aws_secret_access_key=self.aws_secret_access_key,
            aws_session_token=self.aws_session_token,
            region_name=self.region_name,
            profile_name=self.profile_name,
        )
        return _with_role(session, self.role_arn, self.external_id) if self.role_arn else session


def _core_session() -> CoreSession:
    session = get_session()
    session.register_component(
        "data_loader", _descriptions(session.get_config_variable("data_path"))
    )
    return session


@cache
def _descriptions(data_path: str | None) -> Loader:
    """Botocore's descriptions of services, which take a tenth of a second to read: once for all
    connections of a process, which may deliver many intervals."""
    return create_loader(data_path)


class S3Connection(YamlComponent):
    """Credentials and endpoint of an S3 service: Amazon S3, MinIO, R2, GCS, SeaweedFS.

    Exports and lakes refer to it by name. Without keys it uses AWS's default chain.
    """

    name: str = Field(description="The name that exports and sources give as their connection.")
    region: str | None = Field(None, description="AWS region of the buckets, such as us-east-1.")
    endpoint_url: str | None = Field(
        None, description="URL of an S3-compatible store; leave it out for Amazon S3."
    )
    aws_access_key_id: Secret | None = Field(None, description="Access key ID, as {env: NAME}.")
    aws_secret_access_key: Secret | None = Field(
        None, description="Secret access key, as {env: NAME}."
    )
    aws_session_token: Secret | None = Field(
        None, description="Session token of temporary keys, as {env: NAME}."
    )
    role_arn: str | None = Field(
        None, description="Role to assume, with the keys given or with AWS's default chain."
    )
    external_id: str | None = Field(None, description="External ID that the role's trust demands.")
    addressing_style: Literal["auto", "path", "virtual"] = Field(
        "auto", description="Bucket in the path or in the host name; auto suits most stores."
    )
    allow_http: bool = Field(
        False, description="Allow an endpoint_url without TLS, as on a machine's own loopback."
    )

    def check(self) -> None:
        super().check()
        if (self.aws_access_key_id is None) != (self.aws_secret_access_key is None):
            missing = "aws_secret_access_key" if self.aws_access_key_id else "aws_access_key_id"
            raise ConfigurationError(
                missing, "it is missing, while its counterpart is given.", remedy="Give both."
            )
        if self.external_id and not self.role_arn:
            raise ConfigurationError(
                "external_id", "there is no role_arn to use it with.", remedy="Give role_arn."
            )
        if self.endpoint_url is not None:
            self._check_endpoint(self.endpoint_url)

    def _check_endpoint(self, url: str) -> None:
        if not url.startswith(("https://", "http://")):
            raise ConfigurationError(
                "endpoint_url", f"{url!r} is not a URL.", remedy="Begin it with https://."
            )
        if url.startswith("http://") and not self.allow_http:
            raise ConfigurationError(
                "endpoint_url",
                f"{url!r} is not encrypted.",
                remedy="Use https://, or set allow_http: true for a store on this machine.",
            )

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        return dg.Definitions(resources={self.name: self.resource()})

    def resource(self) -> S3ConnectionResource:
        return S3ConnectionResource(
            region_name=self.region,
            endpoint_url=self.endpoint_url,
            aws_access_key_id=_variable(self.aws_access_key_id),
            aws_secret_access_key=_variable(self.aws_secret_access_key),
            aws_session_token=_variable(self.aws_session_token),
            role_arn=self.role_arn,
            external_id=self.external_id,
            addressing_style=self.addressing_style,
        )


def _variable(secret: Secret | None) -> dg.EnvVar | None:
    return secret.variable() if secret else None


def _with_role(session: boto3.Session, role_arn: str, external_id: str | None) -> boto3.Session:
    """A session whose credentials are the role's, renewed before they expire.

    Raises `Terminal` where there are none to assume the role with.
    """
    own = session.get_credentials()
    if own is None:
        raise Terminal(
            f"There are no AWS credentials to assume {role_arn} with.",
            remedy="Give the connection keys, or provide AWS's default chain.",
        )
    fetcher = AssumeRoleCredentialFetcher(
        client_creator=session._session.create_client,
        source_credentials=own,
        role_arn=role_arn,
        extra_args={
            "RoleSessionName": "batch-exports",
            **({"ExternalId": external_id} if external_id else {}),
        },
    )
    assumed = _core_session()
    # botocore has no public way to give a session credentials that renew themselves.
    assumed._credentials = DeferredRefreshableCredentials(  # type: ignore[attr-defined]
        method="assume-role", refresh_using=fetcher.fetch_credentials
    )
    return boto3.Session(botocore_session=assumed, region_name=session.region_name)
