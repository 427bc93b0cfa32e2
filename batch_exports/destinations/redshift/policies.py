"""What an export by COPY needs to be allowed on AWS, as IAM policies to paste."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from batch_exports.destinations.redshift.authorization import DefaultRole, Role
from batch_exports.destinations.redshift.bucket_rights import copy_policy, trust_policy
from batch_exports.destinations.redshift.stage_area import StageArea

# https://docs.aws.amazon.com/redshift/latest/mgmt/authorizing-redshift-service-database-users.html
_ONLY = (
    'For one user of one cluster alone: add "Condition": {"StringEquals": {"sts:ExternalId": '
    '"arn:aws:redshift:<region>:<account>:dbuser:<cluster>/<user>"}}.'
)


@dataclass(frozen=True)
class Policy:
    """`whose` says in words what it is attached to, and `hint` how to make it stricter."""

    whose: str
    document: Mapping[str, Any]
    hint: str = ""

    @property
    def text(self) -> str:
        return json.dumps(self.document, indent=2)


def policies(area: StageArea, delivered: str | None = None) -> dict[str, Policy]:
    """By name: of who stages the files (`stage`), of who reads them (`cluster`), and where that is
    a role, who may assume it (`trust`). `delivered` is where another export's files lie that are
    loaded straight, as s3://bucket/prefix."""
    reader, authorization = str(area.authorization), area.authorization
    found = {
        "stage": Policy("for the identity that stages the files", stage_policy(area)),
        "cluster": Policy(
            f"for {reader}, by which the cluster reads them", _reading(area.uri, delivered)
        ),
    }
    if isinstance(authorization, Role | DefaultRole):
        found["trust"] = Policy(f"of trust for {reader}: who may assume it", trust_policy(), _ONLY)
    return found


def _reading(*places: str | None) -> Mapping[str, Any]:
    allowed = [copy_policy(place) for place in places if place is not None]
    statements = [statement for policy in allowed for statement in policy["Statement"]]
    return {**allowed[0], "Statement": statements}


def stage_policy(area: StageArea) -> Mapping[str, Any]:
    """What staging needs for all exports below one key prefix.

    Listing has no condition on the prefix: with one, S3 would answer 403 for a lock that another
    run has just given back, and not that there is none.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
    """
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "FindWhatKilledRunsLeft",
                "Effect": "Allow",
                "Action": ["s3:ListBucket", "s3:ListBucketMultipartUploads"],
                "Resource": f"arn:aws:s3:::{area.bucket}",
            },
            {
                "Sid": "StageAndClear",
                "Effect": "Allow",
                "Action": [
                    "s3:PutObject",
                    "s3:GetObject",
                    "s3:DeleteObject",
                    "s3:AbortMultipartUpload",
                ],
                "Resource": f"arn:aws:s3:::{area.bucket}/{area.key_prefix}*",
            },
        ],
    }
