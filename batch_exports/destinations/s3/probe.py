"""The steps by which an S3 destination is tried: each request of a delivery, on an object of its
own."""

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from batch_exports.destinations.s3.attempt import Attempt
from batch_exports.destinations.s3.errors import s3_errors
from batch_exports.destinations.s3.objects import list_objects, list_unfinished
from batch_exports.errors import BatchExportError, Terminal
from batch_exports.probe import Finding, Step, passed, skipped, warning

_BODY = b"batch-exports test"
_NO_SUCH_ETAG = '"00000000000000000000000000000000"'
_REGION = "Set the connection's region to the bucket's."


def find_credentials(attempt: Attempt) -> Finding:
    """Signing takes them, and assumes the role if there is one."""
    bucket = attempt.at.bucket
    with s3_errors(f"s3://{bucket}"):
        attempt.at.client.generate_presigned_url("head_bucket", {"Bucket": bucket})
    return passed("there are some; whether they are right shows below")


def find_bucket(attempt: Attempt) -> Finding:
    client, bucket = attempt.at.client, attempt.at.bucket
    with s3_errors(f"s3://{bucket}"):
        try:
            answer = client.head_bucket(Bucket=bucket)
        except ClientError as error:
            status = _status(error)
            if status == 404:
                raise Terminal(
                    f"There is no bucket {bucket!r} at {client.meta.endpoint_url}.",
                    remedy="Create it, or correct bucket_name.",
                ) from error
            if status in (400, 403):
                return skipped(f"S3 answers {status} without a reason; the next step asks for it")
            raise
    lies, said = answer.get("BucketRegion"), client.meta.region_name
    if lies and lies != said:
        return warning(
            f"The bucket is in {lies}, and the connection's region is {said}.",
            remedy=f"{_REGION} Until then requests may take two tries, or fail.",
        )
    return passed(f"{bucket} is there")


def list_prefix(attempt: Attempt) -> Finding:
    place = attempt.at
    with s3_errors(attempt.where):
        next(list_objects(place.client, place.bucket, attempt.at.stem), None)
    return passed(f"keys that begin with {attempt.at.stem} can be listed")


def put(attempt: Attempt) -> Finding:
    place = attempt.at
    attempt.put = True
    with s3_errors(attempt.where):
        place.client.put_object(**attempt.object, **place.headers, Body=_BODY)
        listed = list_objects(place.client, place.bucket, attempt.at.stem)
        if attempt.key not in listed:
            raise Terminal(
                f"{attempt.where} was put, and is not listed.",
                remedy="The store lists what was put some time ago, which deliveries cannot work "
                "with: use another.",
            )
    return passed("an object was put there, and is listed")


def read_back(attempt: Attempt) -> Finding:
    client = attempt.at.client
    with s3_errors(attempt.where):
        client.head_object(**attempt.object)
        body = client.get_object(**attempt.object)["Body"].read()
    if body != _BODY:
        raise Terminal(
            f"{attempt.where} holds other bytes than were put.",
            remedy="Look for what changes objects on the way: a proxy, a gateway.",
        )
    return passed("the object holds what was put")


def encrypt(attempt: Attempt) -> Finding:
    wanted = attempt.at.headers.get("ServerSideEncryption")
    if wanted is None:
        return skipped("the export sets none, so that the bucket's own counts")
    with s3_errors(attempt.where):
        found = attempt.at.client.head_object(**attempt.object).get("ServerSideEncryption")
    if found != wanted:
        raise Terminal(
            f"{attempt.where} was put with encryption {wanted}, and has {found or 'none'}.",
            remedy="The store does not offer it: leave encryption out, or use another store.",
        )
    return passed(f"the object is encrypted with {found}")


def upload_in_parts(attempt: Attempt) -> Finding:
    place, client = attempt.at, attempt.at.client
    with s3_errors(attempt.where):
        begun = client.create_multipart_upload(**attempt.object, **place.headers)
        attempt.upload_id = begun["UploadId"]
        client.upload_part(**attempt.object, UploadId=begun["UploadId"], PartNumber=1, Body=_BODY)
        unfinished = list_unfinished(client, place.bucket, attempt.at.stem)
        if (attempt.key, begun["UploadId"]) not in unfinished:
            raise Terminal(
                f"An upload of {attempt.where} was begun, and is not listed.",
                remedy="What killed runs leave could not be found: use another store.",
            )
        client.abort_multipart_upload(**attempt.object, UploadId=begun["UploadId"])
        attempt.upload_id = None
    return passed("an upload was begun, listed and aborted")


def write_on_condition(attempt: Attempt) -> Finding:
    """By conditions that the object does not meet."""
    for name, value in (("IfNoneMatch", "*"), ("IfMatch", _NO_SUCH_ETAG)):
        if not _refuses(attempt, {name: value}):
            return warning(
                f"The store writes whether the condition {name} is met or not.",
                remedy="Start no two runs of one partition in the same moment: on this store the "
                "lock cannot keep them apart.",
            )
    return passed("the store keeps to conditions: the lock is strict")


def _refuses(attempt: Attempt, condition: dict[str, Any]) -> bool:
    place = attempt.at
    try:
        with s3_errors(attempt.where):
            place.client.put_object(**attempt.object, **place.headers, **condition, Body=_BODY)
    except BatchExportError as error:
        status = _status(error.__cause__)
        if status not in (409, 412, 501):
            raise
        return status != 501
    return False


def delete(attempt: Attempt) -> Finding:
    try:
        with s3_errors(attempt.where):
            attempt.at.client.delete_object(**attempt.object)
    except BatchExportError as error:
        raise type(error)(f"{error.message} It stays there.", remedy=error.remedy) from error
    attempt.put = False
    return passed("the object is gone")


STEPS: Sequence[Step[Attempt]] = (
    Step("credentials", find_credentials),
    Step("bucket", find_bucket),
    Step("list", list_prefix),
    Step("put", put),
    Step("read", read_back),
    Step("encryption", encrypt),
    Step("upload in parts", upload_in_parts),
    Step("conditional writes", write_on_condition),
    Step("delete", delete),
)


def _status(error: BaseException | None) -> int:
    response = error.response if isinstance(error, ClientError) else {}
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
