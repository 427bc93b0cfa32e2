"""Errors say whether to act or to wait, with the remedy, and never show a secret."""

import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from batch_exports.destinations.s3.destination import S3Destination
from batch_exports.errors import BatchExportError, Terminal, Transient
from batch_exports.local.ports import free_ports
from batch_exports.local.seaweedfs import Keys, Server
from batch_exports_tests.destinations.rows import HOUR, PROJECTION, make_rows, stream
from batch_exports_tests.destinations.s3.adapter import S3Adapter, client
from batch_exports_tests.destinations.s3.conftest import connect
from batch_exports_tests.faults import FaultProxy, HttpFault

PLANTED = Keys("PLANTEDKEYPLANTEDKEY", "planted/secret+planted/secret+planted/s")


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between attempts boto3 waits by chance, up to seconds."""
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)


@pytest.fixture
def proxy(s3_server: Server) -> Iterator[FaultProxy]:
    with FaultProxy(("127.0.0.1", s3_server.ports["s3.port"])) as proxy:
        yield proxy


def failure(destination: S3Destination) -> BatchExportError:
    with pytest.raises(BatchExportError) as raised:
        destination.write(stream(make_rows(range(10))), HOUR, "run-1")
    return raised.value


def reached(s3: S3Adapter, connection: dict[str, Any], **settings: Any) -> S3Destination:
    return s3.destination(PROJECTION, client=client(**connection), **settings)


def error(code: str, more: str = "") -> bytes:
    return f"<Error><Code>{code}</Code><Message>A message.</Message>{more}</Error>".encode()


def test_a_bucket_that_is_not_there(s3: S3Adapter) -> None:
    found = failure(s3.destination(PROJECTION, bucket="not-there"))
    assert isinstance(found, Terminal)
    assert "s3://not-there/" in found.message
    assert "Create the bucket, or correct bucket_name" in found.remedy


@pytest.mark.parametrize(
    ("keys", "remedy"),
    [("id", "aws_access_key_id"), ("secret", "aws_secret_access_key"), ("reader", "s3:PutObject")],
)
def test_keys_that_are_wrong_or_may_not_write(
    s3: S3Adapter, s3_server: Server, keys: str, remedy: str
) -> None:
    given = {
        "id": PLANTED,
        "secret": Keys(s3_server.admin.access_key_id, PLANTED.secret_access_key),
        "reader": s3_server.reader,
    }[keys]
    found = failure(reached(s3, connect(s3_server.endpoint, given)))
    assert isinstance(found, Terminal)
    assert remedy in found.remedy
    assert_no_secret(found, given)


def test_no_credentials_at_all(
    s3: S3Adapter, s3_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    bare = {"region_name": "us-east-1", "endpoint_url": s3_server.endpoint}
    found = failure(reached(s3, bare))
    assert isinstance(found, Terminal)
    assert "no AWS credentials" in found.message
    assert "role_arn" in found.remedy


@pytest.mark.parametrize("break_", ["\n", "\r\n"])
def test_a_line_break_in_a_key_is_not_shown(s3: S3Adapter, s3_server: Server, break_: str) -> None:
    given = Keys(PLANTED.access_key_id + break_, PLANTED.secret_access_key + break_)
    found = failure(reached(s3, connect(s3_server.endpoint, given)))
    assert isinstance(found, Terminal)
    assert "aws_access_key_id" in found.remedy
    assert_no_secret(found, PLANTED)
    assert PLANTED.access_key_id not in "".join(traceback.format_exception(found))


@pytest.mark.parametrize(
    ("status", "code", "more"),
    [
        (400, "AuthorizationHeaderMalformed", "<Region>eu-central-1</Region>"),
        (301, "PermanentRedirect", "<Endpoint>bucket.s3.eu-central-1.amazonaws.com</Endpoint>"),
        (400, "IllegalLocationConstraintException", ""),
    ],
)
def test_the_wrong_region(
    s3: S3Adapter, s3_server: Server, proxy: FaultProxy, status: int, code: str, more: str
) -> None:
    # boto3 asks for the bucket's region by HEAD, which this server answers without one.
    proxy.add(HttpFault(request="^[^H]", status=status, body=error(code, more), times=None))
    found = failure(reached(s3, connect(proxy.endpoint, s3_server.admin)))
    assert isinstance(found, Terminal)
    assert "region" in found.remedy
    assert_no_secret(found, s3_server.admin)


@pytest.mark.parametrize(
    ("status", "code", "remedy"),
    [
        (400, "KMS.NotFoundException", "kms_key_id"),
        (400, "KMS.DisabledException", "Enable"),
        (400, "InvalidArgument", "kms_key_id"),
        (501, "NotImplemented", "encryption"),
        (403, "RequestTimeTooSkewed", "clock"),
        (400, "ExpiredToken", "Renew"),
        (403, "SomethingNew", "s3:PutObject"),
        (418, "Teapot", "documentation"),
    ],
)
def test_what_no_retry_cures(
    s3: S3Adapter, s3_server: Server, proxy: FaultProxy, status: int, code: str, remedy: str
) -> None:
    refusal = proxy.add(
        HttpFault(request=r"^PUT .*\.parquet", status=status, body=error(code), times=None)
    )
    found = failure(reached(s3, connect(proxy.endpoint, s3_server.admin)))
    assert isinstance(found, Terminal)
    assert remedy in found.remedy
    assert code in found.message
    assert refusal.hits == 1
    assert s3.listed() == []


@pytest.mark.parametrize(
    ("status", "code"),
    [(503, "SlowDown"), (500, "InternalError"), (502, "Bad Gateway"), (400, "RequestTimeout")],
)
def test_overload_for_ever_may_be_tried_again(
    s3: S3Adapter, s3_server: Server, proxy: FaultProxy, status: int, code: str
) -> None:
    rule = proxy.add(
        HttpFault(request=r"^PUT .*\.parquet", status=status, body=error(code), times=None)
    )
    found = failure(reached(s3, connect(proxy.endpoint, s3_server.admin)))
    assert isinstance(found, Transient)
    assert code in found.message
    assert rule.hits > 1
    assert s3.listed() == []


def test_a_line_that_breaks_may_be_tried_again(
    s3: S3Adapter, s3_server: Server, proxy: FaultProxy
) -> None:
    rule = proxy.add(HttpFault(request=r"^PUT .*\.parquet", do="reset", times=None))
    found = failure(reached(s3, connect(proxy.endpoint, s3_server.admin)))
    assert isinstance(found, Transient)
    assert "does not answer" in found.message
    assert rule.hits > 1


def test_a_host_that_is_not_reached_may_be_tried_again(s3: S3Adapter, s3_server: Server) -> None:
    [port] = free_ports(1)
    for host in (f"127.0.0.1:{port}", "nowhere.invalid"):
        found = failure(reached(s3, connect(f"http://{host}", s3_server.admin)))
        assert isinstance(found, Transient)
        assert host in found.message
        assert_no_secret(found, s3_server.admin)


@pytest.mark.parametrize("look", ["inspect", "keys", "columns"])
def test_reading_translates_errors_too(s3: S3Adapter, s3_server: Server, look: str) -> None:
    stranger = reached(s3, connect(s3_server.endpoint, PLANTED))
    arguments = {"keys": [["uuid"]], "columns": [PROJECTION.schema]}.get(look, [])
    with pytest.raises(Terminal, match="aws_access_key_id") as raised:
        getattr(stranger, look)(HOUR, *arguments)
    assert_no_secret(raised.value, PLANTED)


def assert_no_secret(error: BatchExportError, keys: Keys) -> None:
    """Not even in the errors behind it, which Dagster shows as well."""
    shown = "".join(traceback.format_exception(error)) + repr(error)
    assert keys.secret_access_key not in shown
    assert keys.access_key_id not in str(error)
