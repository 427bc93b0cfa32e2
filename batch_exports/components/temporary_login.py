"""A user and password that AWS gives for some minutes, in exchange for its own credentials.

https://docs.aws.amazon.com/redshift/latest/mgmt/generating-user-credentials.html
"""

import json
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, NoRegionError

from batch_exports.destinations.s3.errors import error_code, s3_errors
from batch_exports.errors import BatchExportError, Terminal, Transient

# The shortest that AWS gives: a login needs seconds.
_SECONDS = 900
_ATTEMPTS = 5
_NOT_FOUND = {
    "ClusterNotFound": "Correct iam.cluster_identifier and iam.region.",
    "ResourceNotFoundException": "Correct iam.workgroup_name and iam.region.",
}
_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized")
_TRANSIENT = ("Throttling", "ThrottlingException", "RequestLimitExceeded", "ServiceUnavailable")


@dataclass(frozen=True)
class Login:
    """A user as the server wants it, such as IAM:exporter, and the password."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Cluster:
    """A provisioned cluster. Without `user`, the user is the one of the AWS identity itself, which
    is made when it first logs in."""

    identifier: str
    user: str | None
    groups: tuple[str, ...] = ()
    create: bool = False

    @property
    def action(self) -> str:
        return (
            "redshift:GetClusterCredentials"
            if self.user
            else "redshift:GetClusterCredentialsWithIAM"
        )

    def __str__(self) -> str:
        return f"the cluster {self.identifier}"

    def fetch(self, client: Any, database: str) -> Login:
        common = {
            "ClusterIdentifier": self.identifier,
            "DbName": database,
            "DurationSeconds": _SECONDS,
        }
        if self.user is None:
            given = client.get_cluster_credentials_with_iam(**common)
        else:
            groups = {"DbGroups": list(self.groups)} if self.groups else {}
            given = client.get_cluster_credentials(
                DbUser=self.user, AutoCreate=self.create, **groups, **common
            )
        return Login(given["DbUser"], given["DbPassword"])

    def policy(self, region: str, database: str) -> dict[str, Any]:
        """What the AWS identity has to be allowed.

        https://docs.aws.amazon.com/redshift/latest/mgmt/generating-iam-credentials-role-permissions.html
        """
        of = f"arn:aws:redshift:{region}:<account>"
        if self.user is None:
            return _allow([self.action], [f"{of}:dbname:{self.identifier}/{database}"])
        names = [f"dbuser:{self.identifier}/{self.user}", f"dbname:{self.identifier}/{database}"]
        names += [f"dbgroup:{self.identifier}/{group}" for group in self.groups]
        actions = [self.action]
        actions += ["redshift:CreateClusterUser"] if self.create else []
        actions += ["redshift:JoinGroup"] if self.groups else []
        return _allow(actions, [f"{of}:{name}" for name in names])


@dataclass(frozen=True)
class Workgroup:
    """A serverless workgroup. The user is the one of the AWS identity itself, which is made when it
    first logs in."""

    name: str

    action = "redshift-serverless:GetCredentials"

    def __str__(self) -> str:
        return f"the workgroup {self.name}"

    def fetch(self, client: Any, database: str) -> Login:
        given = client.get_credentials(
            workgroupName=self.name, dbName=database, durationSeconds=_SECONDS
        )
        return Login(given["dbUser"], given["dbPassword"])

    def policy(self, region: str, database: str) -> dict[str, Any]:
        """What the AWS identity has to be allowed.

        https://docs.aws.amazon.com/redshift/latest/mgmt/redshift-iam-access-control-identity-based.html
        """
        of = f"arn:aws:redshift-serverless:{region}:<account>:workgroup/<workgroup ID>"
        return _allow([self.action], [of])


def temporary_login(
    session: boto3.Session, of: Cluster | Workgroup, region: str | None, database: str
) -> Login:
    """A login that lasts a quarter of an hour; a connection lives on when it has ended.

    Raises `Terminal` or `Transient`, with the policy that is missing.
    """
    service = of.action.partition(":")[0]
    with s3_errors(f"{of}, {of.action}"):
        config = Config(
            retries={"mode": "standard", "max_attempts": _ATTEMPTS},
            connect_timeout=10,
            read_timeout=30,
        )
        try:
            client: Any = session.client(  # type: ignore[call-overload]  # stubs are of S3 alone
                service, region_name=region, config=config
            )
            return of.fetch(client, database)
        except NoRegionError as error:
            raise Terminal(
                f"The region of {of} is not known.", remedy="Give iam.region, such as us-east-1."
            ) from error
        except ClientError as error:
            found = _translate(error, of, region or session.region_name or "<region>", database)
            if found is None:
                raise
            raise found from error


def _translate(
    error: ClientError, of: Cluster | Workgroup, region: str, database: str
) -> BatchExportError | None:
    """None for what is not of Redshift, such as wrong keys and a role that may not be assumed."""
    code = error_code(error)
    message = error.response.get("Error", {}).get("Message") or code
    text = f"No temporary password for {of}: {error.operation_name} was refused with {code} "
    text += f"({message.rstrip('.')})."
    if code in _TRANSIENT:
        return Transient(text, remedy="It is tried again.")
    if error.operation_name == "AssumeRole":
        return None
    if remedy := next((r for c, r in _NOT_FOUND.items() if code.startswith(c)), None):
        return Terminal(text, remedy=remedy)
    if code in _DENIED:
        policy = json.dumps(of.policy(region, database))
        return Terminal(text, remedy=f"Allow the AWS identity: {policy}.")
    return None


def _allow(actions: list[str], resources: list[str]) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": actions, "Resource": resources}
    return {"Version": "2012-10-17", "Statement": [statement]}
