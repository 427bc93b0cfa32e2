"""The printed policies let an export deliver by COPY, and hold no action that it could do
without."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest

from batch_exports.destinations.redshift.authorization import DefaultRole, Keys, Role
from batch_exports.destinations.redshift.policies import policies, stage_policy
from batch_exports.destinations.redshift.stage_area import StageArea
from batch_exports.errors import Terminal
from batch_exports.local import postgres_server as postgres
from batch_exports.local.redshift.server import serving
from batch_exports_tests.aws import Aws, account
from batch_exports_tests.conftest import ROLE_ARN
from batch_exports_tests.destinations.redshift.adapter import RedshiftAdapter
from batch_exports_tests.destinations.rows import HOUR, PROJECTION, make_rows, stream

BUCKET = "my-stages"


@pytest.fixture
def aws() -> Iterator[Aws]:
    with account(BUCKET) as aws:
        yield aws


def area(aws: Aws, authorization: Any = None) -> StageArea:
    return StageArea(
        client=boto3.client("s3", **aws.user),
        bucket=BUCKET,
        key_prefix="batch_exports/",
        authorization=authorization or Role(ROLE_ARN),
    )


def actions(aws_policy: Any) -> list[str]:
    return [action for part in aws_policy["Statement"] for action in part["Action"]]


def stage(aws: Aws) -> None:
    """As a delivery does, after a run that was killed."""
    folder = area(aws).folder("events_table", HOUR)
    root = boto3.client("s3", **aws.root)
    root.put_object(Bucket=BUCKET, Key=f"{folder.prefix}killed/0000.parquet", Body=b"left")
    root.create_multipart_upload(Bucket=BUCKET, Key=f"{folder.prefix}killed/0001.parquet")
    batches = make_rows(range(20)).to_batches()
    aws.enforce()
    with folder.held("run-1"), folder.upload("rows", batches, 2) as files:
        assert files
        assert files[1].rows == 20
    aws.relax()
    assert root.list_objects_v2(Bucket=BUCKET).get("Contents", []) == []
    assert root.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []) == []


def test_the_stage_policy_is_enough(aws: Aws) -> None:
    aws.allow(stage_policy(area(aws)))
    stage(aws)


@pytest.mark.parametrize(
    "action",
    [
        *("s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:PutObject", "s3:GetObject"),
        *("s3:DeleteObject", "s3:AbortMultipartUpload"),
    ],
)
def test_each_action_of_the_stage_policy_is_needed(aws: Aws, action: str) -> None:
    policy: Any = json.loads(json.dumps(stage_policy(area(aws))))
    assert action in actions(policy)
    for part in policy["Statement"]:
        part["Action"] = [name for name in part["Action"] if name != action]
    aws.allow(policy)
    with pytest.raises(Terminal, match="AccessDenied"):
        stage(aws)


def test_the_cluster_policy_is_enough_and_told_when_it_is_missing(
    aws: Aws, postgres_server: postgres.Server, by_copy: RedshiftAdapter
) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-access-permissions.html"""
    keys = (aws.user["aws_access_key_id"], aws.user["aws_secret_access_key"])
    with serving(postgres_server, aws.endpoint, {ROLE_ARN: aws.other_user("cluster")}) as emulator:
        adapter = replace(
            by_copy,
            connection={**by_copy.connection, "port": emulator.port},
            endpoint=aws.endpoint,
            keys=keys,
            bucket=BUCKET,
        )
        destination = adapter.destination(PROJECTION)
        assert destination.copy_from
        needed = policies(destination.copy_from)
        aws.allow(needed["stage"].document)
        aws.enforce()
        with pytest.raises(Terminal) as raised:
            destination.write(stream(make_rows(range(20))), HOUR, "run-1")
        assert json.dumps(needed["cluster"].document) in raised.value.remedy
        aws.relax()
        aws.allow(needed["cluster"].document, "cluster")
        aws.enforce()
        assert destination.write(stream(make_rows(range(20))), HOUR, "run-1").rows == 20


@pytest.mark.parametrize(
    ("authorization", "names"),
    [
        (Role(ROLE_ARN), ["stage", "cluster", "trust"]),
        (DefaultRole(), ["stage", "cluster", "trust"]),
        (Keys("AKIA0000000000000000", "secret"), ["stage", "cluster"]),
    ],
)
def test_which_policies_are_needed(aws: Aws, authorization: Any, names: list[str]) -> None:
    assert list(policies(area(aws, authorization))) == names


def test_the_trust_policy(aws: Aws) -> None:
    """https://docs.aws.amazon.com/redshift/latest/mgmt/authorizing-redshift-service.html"""
    iam = boto3.client("iam", **aws.root)
    trust = policies(area(aws))["trust"]
    iam.create_role(RoleName="batch-exports-copy", AssumeRolePolicyDocument=trust.text)
    made = iam.get_role(RoleName="batch-exports-copy")["Role"]["AssumeRolePolicyDocument"]
    assert made == trust.document
