"""One run at a time delivers an interval: a lock that outlives no killed run.

The lock is an object that its holder renews. Whoever finds it waits for it to go; one that is no
longer renewed belonged to a run that died, and is taken over. Ages are told by S3's clock alone.
"""

import json
import threading
import time
import uuid
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from batch_exports.destinations.s3.errors import error_code
from batch_exports.errors import Transient

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LEASE_SECONDS = 20.0
_TAKEN = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}
_GONE = {"NoSuchKey", "404"}
# Stores that know no conditional writes say so; the lock is then read back, and good but for a
# race of runs that start within the same moment.
_NO_CONDITIONS = {"NotImplemented", "501"}


@dataclass(frozen=True)
class _Holder:
    token: str
    run_id: str
    etag: str
    renewed: datetime
    age: float


class IntervalLock:
    """The lock of one interval, held by one run. Use `held`."""

    def __init__(
        self,
        client: "S3Client",
        bucket: str,
        key: str,
        headers: Mapping[str, Any],
        run_id: str,
        lease_seconds: float,
    ) -> None:
        self._client = client
        self._object: dict[str, Any] = {"Bucket": bucket, "Key": key}
        self._headers = headers
        self._run_id = run_id
        self._lease = lease_seconds
        self._token = uuid.uuid4().hex
        self._etag = ""
        self._released = threading.Event()

    def acquire(self) -> None:
        """Take the lock, waiting while its holder may be dead.

        Raises `Transient` when another run proves alive.
        """
        first_seen: datetime | None = None
        while not self._put(IfNoneMatch="*"):
            holder = self._holder()
            if holder is None:
                continue
            if holder.token == self._token:
                # An earlier try of the same request had succeeded, its answer was lost.
                self._etag = holder.etag
                break
            first_seen = first_seen or holder.renewed
            if holder.renewed > first_seen:
                raise Transient(
                    f"Run {holder.run_id} is delivering this interval.",
                    remedy="Wait for it, or cancel it; this run is tried again.",
                )
            if holder.age > self._lease and self._put(IfMatch=holder.etag):
                break
            time.sleep(min(1.0, self._lease / 10))
        self.check()

    def check(self) -> None:
        """Raises `Transient` when the lock is no longer this run's, so it must not commit."""
        holder = self._holder()
        if holder is None or holder.token != self._token:
            raise Transient(
                f"Run {holder.run_id if holder else 'unknown'} took over this interval.",
                remedy="This run was silent for too long; it is tried again.",
            )

    def renew_until_released(self) -> None:
        while not self._released.wait(self._lease / 4):
            try:
                self._renew()
            except (ClientError, BotoCoreError):
                continue  # the next renewal may pass; `check` decides before the commit

    def stop_renewing(self) -> None:
        self._released.set()

    def release(self) -> None:
        """Give the lock back. A renewal still under way could bring it to life again."""
        try:
            holder = self._holder()
            if holder and holder.token == self._token:
                self._client.delete_object(**self._object)
        except (ClientError, BotoCoreError):
            return  # it goes stale by itself

    def _renew(self) -> None:
        if self._put(IfMatch=self._etag):
            return
        # Where only the answer to a renewal was lost, the lock is still this run's.
        holder = self._holder()
        if holder and holder.token == self._token:
            self._etag = holder.etag

    def _put(self, **condition: Any) -> bool:
        body = json.dumps({"token": self._token, "run_id": self._run_id}).encode()
        request: dict[str, Any] = {**self._object, **self._headers, "Body": body}
        try:
            answer = self._client.put_object(**request, **condition)
        except ClientError as error:
            code = error_code(error)
            if code in _TAKEN or code in _GONE:
                return False
            if code not in _NO_CONDITIONS:
                raise
            if "IfNoneMatch" in condition and self._holder() is not None:
                return False
            answer = self._client.put_object(**request)
        self._etag = answer["ETag"]
        return True

    def _holder(self) -> _Holder | None:
        try:
            answer = self._client.get_object(**self._object)
        except ClientError as error:
            if error_code(error) in _GONE:
                return None
            raise
        try:
            body = json.loads(answer["Body"].read())
        except ValueError:  # its holder was killed while it wrote: some stores keep what they got
            body = {"token": "", "run_id": "unknown"}
        now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        renewed = answer["LastModified"]
        return _Holder(
            body["token"],
            body["run_id"],
            answer["ETag"],
            renewed,
            (now - renewed).total_seconds(),
        )


@contextmanager
def held(
    client: "S3Client",
    bucket: str,
    key: str,
    headers: Mapping[str, Any],
    *,
    run_id: str,
    lease_seconds: float = LEASE_SECONDS,
) -> Generator[IntervalLock, None, None]:
    """Hold the lock within the block, renewing it in the background."""
    lock = IntervalLock(client, bucket, key, headers, run_id, lease_seconds)
    lock.acquire()
    renewal = threading.Thread(target=lock.renew_until_released, name="lock-renewal", daemon=True)
    renewal.start()
    try:
        yield lock
    finally:
        lock.stop_renewing()
        renewal.join()
        lock.release()
