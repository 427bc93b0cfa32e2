"""Whether rows can be staged for COPY: each request of a delivery to the bucket, on an object of
its own."""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from batch_exports.destinations.postgres.permission import setup_sql
from batch_exports.destinations.redshift.attempt import Attempt
from batch_exports.destinations.redshift.stage_area import StageArea
from batch_exports.destinations.s3 import probe as s3
from batch_exports.destinations.s3.attempt import Attempt as S3Attempt
from batch_exports.destinations.s3.errors import error_code, s3_errors
from batch_exports.errors import Terminal
from batch_exports.probe import Finding, Step, passed, skipped

_DENIED = ("AccessDenied", "403")
_REGION = "x-amz-bucket-region"


def find_region(attempt: Attempt) -> Finding:
    """COPY reads Parquet in the cluster's own region alone.

    https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html
    """
    lies = _region(attempt.area)
    if lies is None or attempt.region is None:
        what = "the bucket's" if lies is None else "the cluster's"
        return skipped(f"{what} region is not told; the delivery shows whether it reaches it")
    if lies != attempt.region:
        raise Terminal(
            f"The bucket {attempt.area.bucket} is in {lies}, and the cluster in {attempt.region}: "
            "COPY reads Parquet in its own region alone.",
            remedy=f"Stage in a bucket in {attempt.region}.",
        )
    return passed(f"bucket and cluster are in {lies}")


def _region(area: StageArea) -> str | None:
    """S3 tells it of every bucket, also to those who may not use it."""
    with s3_errors(f"s3://{area.bucket}"):
        try:
            answer: Any = area.client.head_bucket(Bucket=area.bucket)
        except ClientError as error:
            answer = error.response
            if answer["ResponseMetadata"]["HTTPStatusCode"] not in (301, 400, 403):
                raise
    region: str | None = answer["ResponseMetadata"]["HTTPHeaders"].get(_REGION)
    return region


def _on_stage(run: Callable[[S3Attempt], Finding]) -> Callable[[Attempt], Finding]:
    def on_stage(attempt: Attempt) -> Finding:
        try:
            return run(attempt.stage)
        except Terminal as error:
            cause = error.__cause__
            if isinstance(cause, ClientError) and error_code(cause) in _DENIED:
                policy = setup_sql(attempt, "--policy", "stage").replace("SQL", "policy")
                raise Terminal(error.message, remedy=f"{error.remedy} {policy}") from cause
            raise

    return on_stage


STEPS = (
    Step("stage credentials", _on_stage(s3.find_credentials)),
    Step("stage bucket", _on_stage(s3.find_bucket)),
    Step("stage region", find_region),
    Step("stage list", _on_stage(s3.list_prefix)),
    Step("stage put", _on_stage(s3.put)),
    Step("stage read", _on_stage(s3.read_back)),
    Step("stage parts", _on_stage(s3.upload_in_parts)),
    Step("stage conditions", _on_stage(s3.write_on_condition)),
    Step("stage delete", _on_stage(s3.delete)),
)
