"""How a COPY or an UNLOAD says with whose rights it reaches S3.

https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-authorization.html
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from batch_exports.local.redshift.refusal import Refusal
from batch_exports.local.redshift.tokens import Tokens


@dataclass(frozen=True)
class Role:
    """An IAM role by its ARN; None is the one that the cluster has as its default."""

    arn: str | None


@dataclass(frozen=True)
class AccessKeys:
    """A pair of keys, with the token of temporary ones."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


Authorization: TypeAlias = Role | AccessKeys

PARAMETERS = ("IAM_ROLE", "WITH", "CREDENTIALS", "ACCESS_KEY_ID")
"""The words with which an authorization begins."""


def parse_authorization(tokens: Tokens, parameter: str) -> Authorization:
    """What follows one of `PARAMETERS`, which is already read."""
    if parameter == "IAM_ROLE":
        return Role(None) if tokens.take("DEFAULT") else _role(tokens.string())
    if parameter == "ACCESS_KEY_ID":
        return _keys(tokens)
    if parameter == "WITH":
        tokens.expect("CREDENTIALS")
    tokens.take("AS")
    return _credentials(tokens.string())


def _role(arn: str) -> Role:
    # Chained roles are written with commas and no spaces.
    if not all(part.startswith("arn:aws") for part in arn.split(",")):
        raise Refusal("XX000", "Invalid IAM role: it is no ARN")
    return Role(arn)


def _keys(tokens: Tokens) -> AccessKeys:
    tokens.take("AS")
    access_key_id = tokens.string()
    tokens.expect("SECRET_ACCESS_KEY")
    tokens.take("AS")
    secret = tokens.string()
    token = None
    if tokens.take("SESSION_TOKEN"):
        tokens.take("AS")
        token = tokens.string()
    return AccessKeys(access_key_id, secret, token)


def _credentials(arguments: str) -> Authorization:
    given = dict(part.split("=", 1) for part in arguments.split(";") if "=" in part)
    if set(given) == {"aws_iam_role"}:
        return _role(given["aws_iam_role"])
    if {"aws_access_key_id", "aws_secret_access_key"} <= set(given) and " " not in arguments:
        return AccessKeys(
            given["aws_access_key_id"], given["aws_secret_access_key"], given.get("token")
        )
    raise Refusal(
        "XX000",
        "Invalid credentials. Must be of the format: credentials 'aws_iam_role=...' or "
        "'aws_access_key_id=...;aws_secret_access_key=...[;token=...]'",
    )
