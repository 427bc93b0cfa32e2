"""Where an export's rows wait on S3 for Redshift's COPY, and how the cluster may read them."""

import re

from pydantic import Field

from batch_exports.components.s3_connection import S3Connection, S3ConnectionResource
from batch_exports.components.yaml_component import YamlModel
from batch_exports.destinations.redshift.authorization import (
    Authorization,
    ConnectionKeys,
    DefaultRole,
    Keys,
    Role,
)
from batch_exports.destinations.s3.errors import s3_errors
from batch_exports.errors import ConfigurationError, Terminal

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns
_ROLE = r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=.@/-]+"
_ROLE_ARNS = re.compile(f"{_ROLE}(?:,{_ROLE})*", re.ASCII)
# More than the slices of any cluster.
_MOST_FILES = 4096


class StageModel(YamlModel):
    """A folder on S3 that is empty before and after each delivery."""

    connection: str = Field(description="The name of the S3Connection to write with.")
    bucket_name: str = Field(description="The bucket; it must exist, in the cluster's region.")
    key_prefix: str = Field(
        "batch_exports/", description="The folder; what lies in it is written and deleted here."
    )
    files: int | None = Field(
        None,
        description="Into how many files an interval goes, which the cluster loads at once; "
        "without it, as many as the cluster has slices.",
    )

    def check(self) -> None:
        """Raises `ConfigurationError`, whose fields begin with `stage`."""
        if not self.bucket_name:
            raise ConfigurationError("stage.bucket_name", "it is empty.", remedy="Name a bucket.")
        parts = self.folder.removesuffix("/").split("/") if self.folder else []
        if not self.folder.isprintable() or any(p in ("", ".", "..") for p in parts):
            raise ConfigurationError(
                "stage.key_prefix",
                f"{self.key_prefix!r} is not a folder.",
                remedy="Write it as folder/folder/, without a slash at its beginning.",
            )
        if set(self.folder) & set("{}*'\\"):
            raise ConfigurationError(
                "stage.key_prefix",
                f"{self.key_prefix!r} holds a character of {{ }} * ' \\.",
                remedy="Leave it out: a stage has no variables, and each interval its own folder.",
            )
        if self.files is not None and not 1 <= self.files <= _MOST_FILES:
            raise ConfigurationError(
                "stage.files", f"{self.files} is out of range.", remedy=f"Give 1 to {_MOST_FILES}."
            )

    @property
    def folder(self) -> str:
        """The prefix with a slash at its end; empty for the whole bucket."""
        return f"{self.key_prefix.removesuffix('/')}/" if self.key_prefix else ""


class AuthorizationModel(YamlModel):
    """By what the cluster may read the stage."""

    role_arn: str | None = Field(
        None,
        description="A role that is associated with the cluster, or default for its default one; "
        "several, with commas between, are a chain.",
    )
    connection: str | None = Field(
        None, description="The name of an S3Connection whose keys the cluster is given."
    )

    def check(self) -> None:
        """Raises `ConfigurationError`, whose fields begin with `authorization`."""
        if (self.role_arn is None) == (self.connection is None):
            raise ConfigurationError(
                "authorization",
                "it has to name one role or one connection.",
                remedy="Give role_arn or connection.",
            )
        if self.role_arn not in (None, "default") and not _ROLE_ARNS.fullmatch(self.role_arn or ""):
            raise ConfigurationError(
                "authorization.role_arn",
                f"{self.role_arn!r} is not the ARN of a role.",
                remedy="Write it as arn:aws:iam::123456789012:role/name, or default.",
            )


def check_lent_keys(authorization: AuthorizationModel | None, written: S3Connection) -> None:
    """Without an authorization the cluster gets keys of the stage's connection, which must have
    some. Raises `ConfigurationError`."""
    if authorization is None and not (written.aws_access_key_id or written.role_arn):
        raise ConfigurationError(
            "authorization",
            f"it is missing, and the connection {written.name} has no keys of its own.",
            remedy="Give {role_arn: ...} of a role that is associated with the cluster, or "
            "{role_arn: default}.",
        )


def authorized(
    written: AuthorizationModel | None, name: str, keys: S3ConnectionResource
) -> Authorization:
    """What COPY is told; `keys` are of the S3Connection `name`, for what names no role."""
    if written is None or written.role_arn is None:
        return ConnectionKeys(name, lambda: _keys(name, keys))
    return DefaultRole() if written.role_arn == "default" else Role(written.role_arn)


def _keys(name: str, connection: S3ConnectionResource) -> Keys:
    with s3_errors(f"the connection {name}"):
        found = connection.session().get_credentials()
        frozen = found.get_frozen_credentials() if found else None
        if frozen is None or frozen.access_key is None or frozen.secret_key is None:
            raise Terminal(
                f"The connection {name} has no keys that Redshift could read with.",
                remedy="Give it keys or role_arn, or give the export's authorization a role_arn.",
            )
    return Keys(frozen.access_key, frozen.secret_key, frozen.token)
