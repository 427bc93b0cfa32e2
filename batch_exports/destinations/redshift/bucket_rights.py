"""What a cluster may not do with S3, as the policy that allows it."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import sql

from batch_exports.destinations.redshift.authorization import Authorization
from batch_exports.destinations.redshift.messages import Meaning
from batch_exports.errors import Terminal

# Such as "User arn:aws:redshift:...:dbuser:... is not authorized to assume IAM Role arn:aws:..."
# of provisioned clusters, "Not authorized to get credentials of role arn:aws:..." of serverless.
_ROLE = re.compile(
    r"not authorized to (?:assume IAM Role|get credentials of role):? *(arn:[^\s,]*[^\s,.])?", re.I
)
_NO_DEFAULT_ROLE = re.compile(r"default (IAM )?role.*(not|no )|no default (IAM )?role", re.I)
# https://docs.aws.amazon.com/redshift/latest/dg/r_GRANT-usage-notes.html
_NOT_GRANTED = re.compile(r'User (.+) does not have ASSUMEROLE permission on IAM role "([^"]+)"')
_DENIED = re.compile(
    r"AccessDenied|Access Denied|AllAccessDisabled|Status 403|response error code: 403"
    # What Redshift says when it may not read the manifest.
    r"|requires full path of an S3 object"
)
# S3 names who may not do what where both are of one account.
_ACTION = re.compile(r"not authorized to perform: ([a-z0-9]+:\w+)")
_BUCKET = re.compile(r"s3://([^\s/'\"]+)/")
# https://docs.aws.amazon.com/redshift/latest/mgmt/redshift-serverless-iam.html
_SERVICES = ("redshift.amazonaws.com", "redshift-serverless.amazonaws.com")


def bucket_rights(said: str, authorization: Authorization | None, stage: str) -> Meaning | None:
    """The remedy for a cluster that may not assume its role, or not read with it or with keys.

    `stage` is the prefix that it should read, as s3://bucket/prefix; empty where it is not known.
    None for an error about something else.
    """
    if found := _NOT_GRANTED.search(said):
        user, role = sql.Identifier(found[1]).as_string(), found[2]
        grant = f"GRANT ASSUMEROLE ON '{role}' TO {user} FOR COPY;"
        return Meaning(Terminal, f"Let an administrator run: {grant}")
    if found := _ROLE.search(said):
        return Meaning(Terminal, _let_assume(found[1] or "the role"))
    if _NO_DEFAULT_ROLE.search(said):
        return Meaning(
            Terminal,
            "Make one of the cluster's roles its default, or name one: "
            "authorization: {role_arn: ...}.",
        )
    # Of keys that are wrong S3 says so with 403 as well, and then not by this name.
    if _DENIED.search(said) and not re.search("InvalidAccessKey|Signature|Token", said):
        return Meaning(Terminal, _let_read(said, authorization, stage))
    return None


def copy_policy(stage: str) -> Mapping[str, Any]:
    """What COPY needs, as an IAM policy; `stage` is s3://bucket/prefix.

    https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-access-permissions.html
    """
    bucket, _, prefix = stage.removeprefix("s3://").partition("/")
    return _policy(
        {"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/{prefix}*"},
        {"Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{bucket}"},
    )


def trust_policy() -> Mapping[str, Any]:
    """Who may assume a role that COPY names: provisioned clusters and serverless ones.

    https://docs.aws.amazon.com/redshift/latest/mgmt/authorizing-redshift-service.html
    """
    return _policy({"Principal": {"Service": list(_SERVICES)}, "Action": "sts:AssumeRole"})


def _let_assume(role: str) -> str:
    return (
        f"Associate {role} with the cluster or namespace (its IAM roles), let the role trust it: "
        f"{json.dumps(trust_policy())}, and where ASSUMEROLE was revoked from PUBLIC, grant it to "
        "the user for COPY."
    )


def _let_read(said: str, authorization: Authorization | None, stage: str) -> str:
    whom = str(authorization) if authorization else "the role or the keys that COPY is given"
    named = _BUCKET.search(said)
    place = stage or (f"s3://{named[1]}/" if named else "s3://<bucket>/<prefix>")
    action = _ACTION.search(said)
    lacking = f"It lacks {action[1]}. " if action else ""
    return (
        f"{lacking}Allow {whom} to read the stage: {json.dumps(copy_policy(place))}; where the "
        "bucket is encrypted with a KMS key, kms:Decrypt too."
    )


def _policy(*statements: Mapping[str, Any]) -> Mapping[str, Any]:
    allowed: Sequence[Mapping[str, Any]] = [{"Effect": "Allow", **each} for each in statements]
    return {"Version": "2012-10-17", "Statement": allowed}
