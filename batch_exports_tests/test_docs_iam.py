"""The documented IAM policy lets an export deliver, and holds no action that it could do
without."""

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from batch_exports.destinations.s3.attempt import Attempt, place_of
from batch_exports.destinations.s3.probe import STEPS
from batch_exports.errors import Terminal
from batch_exports.probe import probe
from batch_exports_tests.aws import Aws, account
from batch_exports_tests.destinations.rows import HOUR, PROJECTION, make_rows, stream
from batch_exports_tests.destinations.s3.adapter import S3Adapter

PAGE = Path(__file__).parent.parent / "docs" / "howto" / "iam.md"
_BUCKET = "my-exports"


@pytest.fixture
def aws() -> Iterator[Aws]:
    with account(_BUCKET) as aws:
        yield aws


def documented() -> dict[str, Any]:
    policy: dict[str, Any] = json.loads(re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.S)[0])
    return policy


def actions() -> list[str]:
    return [action for part in documented()["Statement"] for action in part["Action"]]


def deliver_twice(aws: Aws) -> None:
    """Deliver, leave an upload as a killed run does, deliver less in other files, and inspect."""
    adapter = S3Adapter(aws.user, _BUCKET, "events/")
    split = adapter.destination(PROJECTION, max_file_bytes=1, lease_seconds=1.0)
    split.write(stream(make_rows(range(20))), HOUR, "first run")
    key = split.template.keys(HOUR).data(0)
    adapter.client.create_multipart_upload(Bucket=_BUCKET, Key=key)
    whole = adapter.destination(PROJECTION, lease_seconds=1.0)
    whole.write(stream(make_rows(range(10))), HOUR, "second run")
    assert whole.inspect(HOUR, deep=True).problems == ()


def test_documented_policy_is_enough(aws: Aws) -> None:
    aws.allow(documented())
    aws.enforce()
    deliver_twice(aws)


def test_documented_policy_is_enough_to_try_it(aws: Aws) -> None:
    aws.allow(documented())
    aws.enforce()
    destination = S3Adapter(aws.user, _BUCKET, "events/").destination(PROJECTION)
    with closing(Attempt(lambda: place_of(destination))) as attempt:
        verdicts = {result.finding.verdict for result in probe(STEPS, attempt)}
    assert verdicts == {"passed", "skipped"}


@pytest.mark.parametrize("action", actions())
def test_each_documented_action_is_needed(aws: Aws, action: str) -> None:
    policy = documented()
    for part in policy["Statement"]:
        part["Action"] = [name for name in part["Action"] if name != action]
    aws.allow(policy)
    aws.enforce()
    with pytest.raises(Terminal, match="AccessDenied"):
        deliver_twice(aws)
