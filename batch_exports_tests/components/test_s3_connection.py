"""The client that runs get: its credentials, and how it speaks to stores."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.credentials import AssumeRoleCredentialFetcher
from moto.server import ThreadedMotoServer

from batch_exports.components.s3_connection import S3ConnectionResource
from batch_exports.destinations.s3.errors import s3_errors
from batch_exports.errors import Terminal

BUCKET = "exports"
EXTERNAL_ID = "an-external-id"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"},
        ],
    }
)


@dataclass(frozen=True)
class Aws:
    """S3, STS and IAM that refuse what is not allowed. `role` may write; `user` may be it."""

    endpoint: str
    role: str
    user: dict[str, str]
    stranger: dict[str, str]


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    root: dict[str, Any] = {
        "endpoint_url": endpoint,
        "region_name": "us-east-1",
        "aws_access_key_id": "root",
        "aws_secret_access_key": "root",
    }
    iam: Any = boto3.client("iam", **root)
    role = iam.create_role(RoleName="exports", AssumeRolePolicyDocument=TRUST)["Role"]
    iam.put_role_policy(RoleName="exports", PolicyName="p", PolicyDocument=allow("s3:*"))
    boto3.client("s3", **root).create_bucket(Bucket=BUCKET)
    user, stranger = new_user(iam, "user"), new_user(iam, "stranger")
    iam.put_user_policy(
        UserName="user", PolicyName="p", PolicyDocument=allow("sts:AssumeRole", role["Arn"])
    )
    _post(f"{endpoint}/moto-api/reset-auth", b"0")  # from now on everything is checked
    yield Aws(endpoint, role["Arn"], user, stranger)
    _post(f"{endpoint}/moto-api/reset-auth", b"Infinity")
    server.stop()


def allow(action: str, resource: str = "*") -> str:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def new_user(iam: Any, name: str) -> dict[str, str]:
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {
        "aws_access_key_id": key["AccessKeyId"],
        "aws_secret_access_key": key["SecretAccessKey"],
    }


def _post(url: str, body: bytes) -> None:
    with urlopen(Request(url, body, {"Content-Type": "text/plain"})) as answer:
        assert answer.status == 200


def resource(aws: Aws, **settings: Any) -> S3ConnectionResource:
    given: dict[str, Any] = {"region_name": "us-east-1", "endpoint_url": aws.endpoint, **settings}
    return S3ConnectionResource(**given)


@pytest.fixture
def sts_requests(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Roles are assumed at this machine's STS."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", aws.endpoint)


@pytest.mark.usefixtures("sts_requests")
def test_a_role_is_assumed_with_its_external_id(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Terminal, match="Allow"), s3_errors("s3://exports"):
        resource(aws, **aws.user).client().put_object(Bucket=BUCKET, Key="k", Body=b"")
    sent = list[dict[str, Any]]()
    monkeypatch.setattr(
        "batch_exports.components.s3_connection.AssumeRoleCredentialFetcher",
        _recording(sent),
    )
    connection = resource(aws, **aws.user, role_arn=aws.role, external_id=EXTERNAL_ID)
    client: Any = connection.client()
    client.put_object(Bucket=BUCKET, Key="k", Body=b"by the role")
    assert client.get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"by the role"
    assert [(call["RoleArn"], call["ExternalId"]) for call in sent] == [(aws.role, EXTERNAL_ID)]
    credentials = client._get_credentials()
    assert credentials.access_key != aws.user["aws_access_key_id"]
    assert credentials.token


def _recording(sent: list[dict[str, Any]]) -> Any:
    class Recording(AssumeRoleCredentialFetcher):
        def _assume_role_kwargs(self) -> dict[str, Any]:
            sent.append(super()._assume_role_kwargs())  # type: ignore[misc]  # stubs lack it
            return sent[-1]

    return Recording


@pytest.mark.usefixtures("sts_requests")
def test_a_role_that_may_not_be_assumed_is_terminal(aws: Aws) -> None:
    client = resource(aws, **aws.stranger, role_arn=aws.role, external_id=EXTERNAL_ID).client()
    with pytest.raises(Terminal, match="AssumeRole") as failure, s3_errors("s3://exports"):
        client.put_object(Bucket=BUCKET, Key="k", Body=b"")
    assert "role_arn" in failure.value.remedy
    assert aws.stranger["aws_secret_access_key"] not in str(failure.value)


@pytest.mark.usefixtures("sts_requests")
def test_a_role_without_any_credentials_is_terminal(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(Terminal, match="no AWS credentials"), s3_errors("s3://exports"):
        resource(aws, role_arn=aws.role).client().put_object(Bucket=BUCKET, Key="k", Body=b"")


@pytest.mark.parametrize(
    ("style", "url"),
    [
        ("path", "https://store.example.com/my-bucket/k"),
        ("virtual", "https://my-bucket.store.example.com/k"),
        ("auto", "https://store.example.com/my-bucket/k"),
    ],
)
def test_addressing_styles(style: str, url: str) -> None:
    connection = S3ConnectionResource(
        region_name="us-east-1",
        endpoint_url="https://store.example.com",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        addressing_style=style,
    )
    assert sent_by(connection).url == url


def test_third_party_stores_get_signed_payloads_and_no_newer_checksums(aws: Aws) -> None:
    headers = sent_by(resource(aws, **aws.user)).headers
    assert len(headers["x-amz-content-sha256"]) == 64
    assert not any(name.lower().startswith("x-amz-checksum") for name in headers)


def test_amazon_gets_checksums_that_it_verifies(aws: Aws) -> None:
    headers = sent_by(resource(aws, endpoint_url=None, **aws.user)).headers
    assert any(name.lower().startswith("x-amz-checksum") for name in headers) or (
        "x-amz-trailer" in {name.lower() for name in headers}
    )


def sent_by(connection: S3ConnectionResource) -> Any:
    """The request that a put makes, caught before it leaves."""
    caught = list[Any]()

    class Stop(Exception):
        pass

    def catch(request: Any, **_: Any) -> None:
        caught.append(request)
        raise Stop

    client = connection.client()
    client.meta.events.register("before-send.s3.PutObject", catch)
    with pytest.raises(Stop):
        client.put_object(Bucket="my-bucket", Key="k", Body=b"value")
    return caught[0]
