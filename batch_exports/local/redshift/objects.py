"""S3 as COPY and UNLOAD reach it: with the rights that the statement names, and no others."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from batch_exports.local.redshift.authorization import AccessKeys, Authorization
from batch_exports.local.redshift.internal_errors import internal_error, s3_error

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# A session costs as much as the loading of S3's model. One may not make clients in two threads.
_SESSION = boto3.Session()
_MAKING = Lock()

# Answers to HEAD have no body, and so no message.
_BODILESS = {
    "403": ("Access Denied", "AccessDenied"),
    "404": ("The specified key does not exist.", "NoSuchKey"),
}


@dataclass(frozen=True)
class Storage:
    """Where the emulator finds S3, and what its cluster has been given.

    `roles` are the IAM roles of the cluster by ARN, each with the key pair (id, secret) that it
    stands for; `default_role` is the ARN that `IAM_ROLE default` means. All buckets are in
    `region`. `large_strings` lifts the limit of strings in SUPER, as an account may opt for.
    """

    endpoint_url: str | None
    region: str
    roles: Mapping[str, tuple[str, str]] = field(default_factory=dict, repr=False)
    default_role: str | None = None
    large_strings: bool = False

    def keys_for(self, authorization: Authorization) -> AccessKeys:
        """The keys to use. Raises Refusal for a role that the cluster does not have."""
        if isinstance(authorization, AccessKeys):
            return authorization
        arn = authorization.arn or self.default_role
        if arn is None:
            raise internal_error("There is no default IAM role associated with the cluster.", 8001)
        if arn not in self.roles:
            message = f"User is not authorized to assume IAM Role {arn}."
            raise internal_error(message, 8001, f"IAM Role={arn}")
        return AccessKeys(*self.roles[arn])


class Objects:
    """The objects that one statement may reach. All methods raise Refusal for S3's errors."""

    def __init__(
        self, storage: Storage, authorization: Authorization, region: str | None = None
    ) -> None:
        keys = storage.keys_for(authorization)
        if region and region.lower() != storage.region:
            message = "The S3 bucket addressed by the query is in a different region"
            raise s3_error(f"{message} from this cluster.", 301, "PermanentRedirect")
        self._client = _client(storage, keys)

    def keys(self, bucket: str, prefix: str) -> list[str]:
        """The keys that begin with `prefix`, as S3 lists them: in order of their bytes."""
        with _refusals(f"Listing bucket={bucket} prefix={prefix}"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=bucket, Prefix=prefix
            )
            # Some stores like S3 list in another order.
            return sorted(item["Key"] for page in pages for item in page.get("Contents", []))

    def size(self, bucket: str, key: str) -> int | None:
        """The bytes of an object; None where there is none."""
        with _refusals(f"bucket={bucket} key={key}"):
            try:
                return self._client.head_object(Bucket=bucket, Key=key)["ContentLength"]
            except ClientError as error:
                if error.response["Error"]["Code"] in ("404", "NoSuchKey", "NotFound"):
                    return None
                raise

    def read(self, bucket: str, key: str) -> bytes:
        with _refusals(f"bucket={bucket} key={key}"):
            return self._client.get_object(Bucket=bucket, Key=key)["Body"].read()

    def write(self, bucket: str, key: str, content: bytes) -> None:
        with _refusals(f"bucket={bucket} key={key}"):
            self._client.put_object(Bucket=bucket, Key=key, Body=content)

    def delete(self, bucket: str, keys: list[str]) -> None:
        with _refusals(f"bucket={bucket}"):
            for key in keys:
                self._client.delete_object(Bucket=bucket, Key=key)


def _client(storage: Storage, keys: AccessKeys) -> "S3Client":
    with _MAKING:
        return _SESSION.client(
            "s3",
            endpoint_url=storage.endpoint_url,
            region_name=storage.region,
            aws_access_key_id=keys.access_key_id,
            aws_secret_access_key=keys.secret_access_key,
            aws_session_token=keys.session_token,
            # proxies: one named in the environment cannot reach this machine's loopback.
            config=Config(
                s3={"addressing_style": "path"}, proxies={}, retries={"total_max_attempts": 2}
            ),
        )


@contextmanager
def _refusals(context: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        found = error.response["Error"]
        message, name = _BODILESS.get(found["Code"], (found.get("Message", ""), found["Code"]))
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        raise s3_error(message, status, name, context) from error
    except BotoCoreError as error:
        # The text of some holds an address, none a key.
        raise internal_error(f"S3CurlException: {error}", 8001, context) from error
