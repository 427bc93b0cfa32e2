"""An S3 destination tried step by step: whatever is wrong is found by its step and told with its
remedy, and nothing of the trial stays."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from batch_exports.destinations.s3.attempt import Attempt, Place, place_of
from batch_exports.destinations.s3.probe import STEPS
from batch_exports.local.ports import free_ports
from batch_exports.local.seaweedfs import Keys, Server
from batch_exports.probe import Finding, probe
from batch_exports_tests.destinations.rows import PROJECTION
from batch_exports_tests.destinations.s3.adapter import S3Adapter, client
from batch_exports_tests.destinations.s3.conftest import connect
from batch_exports_tests.faults import FaultProxy, HttpFault

PLANTED = Keys("PLANTEDKEYPLANTEDKEY", "planted/secret+planted/secret+planted/s")
OBJECT = r"_test_[0-9a-f]+\.tmp"
Findings = dict[str, Finding]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between attempts boto3 waits by chance, up to seconds."""
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)


@pytest.fixture
def proxy(s3_server: Server) -> Iterator[FaultProxy]:
    with FaultProxy(("127.0.0.1", s3_server.ports["s3.port"])) as proxy:
        yield proxy


def tried(s3: S3Adapter, connection: dict[str, Any] | None = None, **settings: Any) -> Findings:
    """What the steps find, and that nothing is there after them."""

    def reach() -> Place:
        own = client(**connection or s3.connection)
        return place_of(s3.destination(PROJECTION, client=own, **settings))

    with closing(Attempt(reach)) as attempt:
        found = {result.step: result.finding for result in probe(STEPS, attempt)}
    assert list(found) == [step.name for step in STEPS]
    assert PLANTED.secret_access_key not in str(found)
    assert s3.listed() == []
    assert list(s3.unfinished()) == []
    return found


def failure(found: Findings, step: str) -> Finding:
    """That of the step: none before it fails, and all after it are skipped."""
    verdicts = {name: finding.verdict for name, finding in found.items()}
    assert [name for name, verdict in verdicts.items() if verdict == "failed"] == [step], found
    later = list(verdicts.values())[list(verdicts).index(step) + 1 :]
    assert set(later) <= {"skipped"}
    assert found[step].remedy
    return found[step]


@pytest.mark.parametrize("style", ["safe", "posthog"])
def test_a_bucket_that_serves(s3: S3Adapter, style: str) -> None:
    found = tried(s3, style=style)
    verdicts = {name: finding.verdict for name, finding in found.items()}
    assert verdicts.pop("encryption") == "skipped"
    assert set(verdicts.values()) == {"passed"}


@pytest.mark.parametrize(
    ("wanted", "headers"),
    [
        ("AES256", {"ServerSideEncryption": "AES256"}),
        ("aws:kms", {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "a-key"}),
    ],
)
def test_encryption(s3: S3Adapter, wanted: str, headers: dict[str, str]) -> None:
    found = tried(s3, headers=headers)
    assert found["encryption"] == Finding("passed", f"the object is encrypted with {wanted}")
    assert {finding.verdict for finding in found.values()} == {"passed"}


def test_encryption_that_the_store_passes_over(s3: S3Adapter, proxy: FaultProxy) -> None:
    """The second HEAD is of the object, and would tell of it."""
    proxy.add(HttpFault(request=f"^HEAD .*{OBJECT}", status=200, body=b"", times=None))
    connection = {**s3.connection, "endpoint_url": proxy.endpoint}
    failed = failure(
        tried(s3, connection, headers={"ServerSideEncryption": "AES256"}), "encryption"
    )
    assert failed.text.endswith("was put with encryption AES256, and has none.")


def test_no_credentials(s3: S3Adapter, s3_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    bare = {"region_name": "us-east-1", "endpoint_url": s3_server.endpoint}
    for role in ({}, {"role_arn": "arn:aws:iam::123456789012:role/exports"}):
        failed = failure(tried(s3, {**bare, **role}), "credentials")
        assert "no AWS credentials" in failed.text
        assert "AWS's default chain" in failed.remedy


def test_a_bucket_that_is_not_there(s3: S3Adapter, s3_server: Server) -> None:
    failed = failure(tried(s3, bucket="not-there"), "bucket")
    assert failed.text == f"There is no bucket 'not-there' at {s3_server.endpoint}."
    assert "bucket_name" in failed.remedy


def test_a_host_that_is_not_reached(s3: S3Adapter, s3_server: Server) -> None:
    [port] = free_ports(1)
    for host in (f"127.0.0.1:{port}", "nowhere.invalid"):
        failed = failure(tried(s3, connect(f"http://{host}", s3_server.admin)), "bucket")
        assert host in failed.text
        assert failed.remedy == "Try again."


@pytest.mark.parametrize(
    ("keys", "step", "remedy"),
    [
        ("id", "list", "aws_access_key_id"),
        ("secret", "list", "aws_secret_access_key"),
        ("reader", "put", "s3:PutObject"),
    ],
)
def test_keys_that_are_wrong_or_may_not_write(
    s3: S3Adapter, s3_server: Server, keys: str, step: str, remedy: str
) -> None:
    given = {
        "id": PLANTED,
        "secret": Keys(s3_server.admin.access_key_id, PLANTED.secret_access_key),
        "reader": s3_server.reader,
    }[keys]
    found = tried(s3, connect(s3_server.endpoint, given))
    assert remedy in failure(found, step).remedy
    if step == "list":
        assert found["bucket"].text.startswith("S3 answers 403 without a reason")


@pytest.mark.parametrize(
    ("request_", "step"),
    [
        (f"^GET .*{OBJECT}", "read"),
        (f"^POST .*{OBJECT}.*uploads", "upload in parts"),
        (r"^GET .*\?.*uploads", "upload in parts"),
        (f"^DELETE .*{OBJECT}.*uploadId", "upload in parts"),
    ],
)
def test_one_request_that_is_denied(
    s3: S3Adapter, proxy: FaultProxy, request_: str, step: str
) -> None:
    denied = b"<Error><Code>AccessDenied</Code><Message>No.</Message></Error>"
    proxy.add(HttpFault(request=request_, status=403, body=denied))
    connection = {**s3.connection, "endpoint_url": proxy.endpoint}
    failed = failure(tried(s3, connection), step)
    assert "AccessDenied" in failed.text
    assert "Allow these actions" in failed.remedy


def test_an_object_that_may_not_be_deleted(s3: S3Adapter, proxy: FaultProxy) -> None:
    denied = b"<Error><Code>AccessDenied</Code><Message>No.</Message></Error>"
    proxy.add(HttpFault(request=rf"^DELETE .*{OBJECT}(\?x-id|$)", status=403, body=denied))
    connection = {**s3.connection, "endpoint_url": proxy.endpoint}
    failed = failure(tried(s3, connection), "delete")  # the second try is let through
    assert failed.text.endswith(" It stays there.")
    assert f"s3://{s3.bucket}/{s3.prefix}" in failed.text


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (501, b"<Error><Code>NotImplemented</Code><Message>None.</Message></Error>"),
        (200, b""),
    ],
)
def test_a_store_without_conditional_writes(
    s3: S3Adapter, proxy: FaultProxy, status: int, body: bytes
) -> None:
    proxy.add(
        HttpFault(request=f"^PUT .*{OBJECT}(?!.*partNumber)", skip=1, status=status, body=body)
    )
    connection = {**s3.connection, "endpoint_url": proxy.endpoint}
    found = tried(s3, connection)["conditional writes"]
    assert found.verdict == "warning"
    assert found.text == "The store writes whether the condition IfNoneMatch is met or not."
    assert "the lock cannot keep them apart" in found.remedy


def test_a_region_that_the_store_refuses(s3: S3Adapter, proxy: FaultProxy) -> None:
    body = b"<Error><Code>AuthorizationHeaderMalformed</Code><Message>A.</Message></Error>"
    proxy.add(HttpFault(request="^", status=400, body=body, times=None))
    connection = {**s3.connection, "endpoint_url": proxy.endpoint}
    found = tried(s3, connection)
    assert found["bucket"].text.startswith("S3 answers 400 without a reason")
    assert failure(found, "list").remedy == "Set the connection's region to the bucket's."


def test_a_bucket_in_another_region() -> None:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    keys = Keys("id", "secret")
    connection = connect(f"http://{host}:{port}", keys)
    boto3.client(
        "s3",
        endpoint_url=connection["endpoint_url"],
        region_name="eu-central-1",
        aws_access_key_id="id",
        aws_secret_access_key="secret",
    ).create_bucket(Bucket="far", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    found = tried(S3Adapter(connection, "far", "events/"))
    server.stop()
    assert found["bucket"].verdict == "warning"
    assert found["bucket"].text == (
        "The bucket is in eu-central-1, and the connection's region is us-east-1."
    )
    assert found["delete"].verdict == "passed"
