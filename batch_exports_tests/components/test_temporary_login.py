"""Temporary passwords: asked of AWS for each connection, with the policy where it refuses."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

import boto3
import dagster as dg
import pytest
from moto.server import ThreadedMotoServer

from batch_exports.components.redshift_connection import RedshiftConnection, TemporaryPassword
from batch_exports.components.redshift_session import RedshiftConnectionResource
from batch_exports.components.s3_connection import S3Connection
from batch_exports.components.secret import Secret
from batch_exports.components.temporary_login import Cluster, temporary_login
from batch_exports.errors import BatchExportError, Terminal, Transient
from batch_exports.local.redshift.server import Emulator

PLANTED = "planted-5ecret"
XML = """\
<{0}Response xmlns="http://redshift.amazonaws.com/doc/2012-12-01/"><{0}Result>
<DbUser>{1}</DbUser><DbPassword>{2}</DbPassword><Expiration>2026-11-01T00:15:00Z</Expiration>
</{0}Result></{0}Response>"""
XML_ERROR = """\
<ErrorResponse><Error><Type>Sender</Type><Code>{}</Code><Message>{}</Message></Error>
<RequestId>1</RequestId></ErrorResponse>"""


class Aws(ThreadingHTTPServer):
    """Redshift's two services that give passwords, as their API references describe them:

    https://docs.aws.amazon.com/redshift/latest/APIReference/API_GetClusterCredentials.html
    https://docs.aws.amazon.com/redshift/latest/APIReference/API_GetClusterCredentialsWithIAM.html
    https://docs.aws.amazon.com/redshift-serverless/latest/APIReference/API_GetCredentials.html
    """

    def __init__(self, emulator: Emulator) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.login = emulator.exporter
        self.asked = list[dict[str, Any]]()
        self.refusal: tuple[int, str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answer(BaseHTTPRequestHandler):
    server: Aws

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        key = self.headers["Authorization"].partition("Credential=")[2].partition("/")[0]
        if target := self.headers["X-Amz-Target"]:
            asked = {"Action": target.rpartition(".")[2], **json.loads(body)}
        else:
            asked = {name: value for name, [value] in parse_qs(body).items()}
        self.server.asked.append({"key": key, **asked})
        self._answer(asked["Action"], as_json=bool(target))

    def _answer(self, action: str, *, as_json: bool) -> None:
        login, status = self.server.login, 200
        if self.server.refusal:
            status, code = self.server.refusal
            says = f"{code} it is"
            text = (
                json.dumps({"__type": code, "message": says})
                if as_json
                else XML_ERROR.format(code, says)
            )
        elif as_json:
            text = json.dumps({"dbUser": login.user, "dbPassword": login.password})
        else:
            text = XML.format(action, login.user, login.password)
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def aws(redshift: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    with Aws(redshift) as server:
        Thread(target=server.serve_forever, args=(0.01,)).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_REDSHIFT", server.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_REDSHIFT_SERVERLESS", server.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "chain")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", PLANTED)
        monkeypatch.setattr(f"{temporary_login.__module__}._ATTEMPTS", 1)
        yield server
        server.shutdown()


@contextmanager
def resource(
    emulator: Emulator, user: str | None = None, keys: S3Connection | None = None, **iam: Any
) -> Iterator[RedshiftConnectionResource]:
    component = RedshiftConnection(
        name="warehouse",
        user=user,
        iam=TemporaryPassword(**{"region": "eu-west-1", **iam}),
        host=emulator.host,
        port=emulator.port,
        database=emulator.database,
        ssl_root_cert=str(emulator.root_certificate),
    )
    component.check()
    given = component.resource(keys.resource() if keys else None)
    with dg.build_resources({"warehouse": given}) as resources:
        yield resources.warehouse


@pytest.mark.parametrize(
    ("settings", "asked"),
    [
        (
            {"user": "exporter", "cluster_identifier": "c"},
            {"Action": "GetClusterCredentials", "DbUser": "exporter", "AutoCreate": "false"},
        ),
        (
            {
                "user": "exporter",
                "cluster_identifier": "c",
                "db_groups": ["loaders"],
                "auto_create": True,
            },
            {"DbGroups.DbGroup.1": "loaders", "AutoCreate": "true", "ClusterIdentifier": "c"},
        ),
        (
            {"cluster_identifier": "c"},
            {"Action": "GetClusterCredentialsWithIAM", "DbName": "dev", "DurationSeconds": "900"},
        ),
        (
            {"workgroup_name": "wgr"},
            {"Action": "GetCredentials", "workgroupName": "wgr", "dbName": "dev"},
        ),
    ],
)
def test_each_connection_gets_a_password_of_its_own(
    redshift: Emulator, aws: Aws, settings: dict[str, Any], asked: dict[str, str]
) -> None:
    with resource(redshift, **settings) as connection:
        for number in (1, 2):
            with connection.connect("a test") as connected:
                assert connected.info.user == redshift.exporter.user
            assert len(aws.asked) == number
        assert redshift.exporter.password not in repr(connection)
    assert {**aws.asked[0], **asked, "key": "chain"} == aws.asked[0]


def test_the_keys_of_an_s3_connection_are_used(
    redshift: Emulator, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_KEY_ID", "of-the-connection")
    monkeypatch.setenv("TEST_SECRET", PLANTED)
    keys = S3Connection(
        name="archive",
        aws_access_key_id=Secret(env="TEST_KEY_ID"),
        aws_secret_access_key=Secret(env="TEST_SECRET"),
    )
    with resource(redshift, keys=keys, workgroup_name="wgr") as connection:
        connection.connect("a test").close()
    assert [asked["key"] for asked in aws.asked] == ["of-the-connection"]


@pytest.mark.parametrize(
    ("settings", "refusal", "kind", "words"),
    [
        (
            {"user": "u", "cluster_identifier": "c", "auto_create": True, "db_groups": ["g"]},
            (403, "AccessDenied"),
            Terminal,
            [
                '"redshift:GetClusterCredentials", "redshift:CreateClusterUser"',
                '"redshift:JoinGroup"',
                "arn:aws:redshift:eu-west-1:<account>:dbuser:c/u",
                ":dbname:c/dev",
                ":dbgroup:c/g",
            ],
        ),
        (
            {"cluster_identifier": "c"},
            (403, "AccessDenied"),
            Terminal,
            ["redshift:GetClusterCredentialsWithIAM", "dbname:c/dev"],
        ),
        (
            {"workgroup_name": "wgr"},
            (400, "AccessDeniedException"),
            Terminal,
            ["redshift-serverless:GetCredentials", "<workgroup ID>"],
        ),
        ({"cluster_identifier": "c"}, (404, "ClusterNotFound"), Terminal, ["cluster_identifier"]),
        (
            {"workgroup_name": "wgr"},
            (404, "ResourceNotFoundException"),
            Terminal,
            ["iam.workgroup_name", "iam.region"],
        ),
        ({"cluster_identifier": "c"}, (400, "Throttling"), Transient, ["tried again"]),
        ({"cluster_identifier": "c"}, (503, "ServiceUnavailable"), Transient, ["tried again"]),
        ({"workgroup_name": "wgr"}, (500, "InternalServerException"), Transient, ["tried again"]),
        ({"cluster_identifier": "c"}, (403, "InvalidClientTokenId"), Terminal, ["access_key_id"]),
        (
            {"workgroup_name": "wgr"},
            (403, "SignatureDoesNotMatch"),
            Terminal,
            ["aws_secret_access"],
        ),
    ],
)
def test_what_aws_refuses(
    redshift: Emulator,
    aws: Aws,
    settings: dict[str, Any],
    refusal: tuple[int, str],
    kind: type[BatchExportError],
    words: list[str],
) -> None:
    aws.refusal = refusal
    with resource(redshift, **settings) as connection, pytest.raises(kind) as raised:
        connection.connect("a test")
    assert refusal[1] in raised.value.message
    for word in words:
        assert word in raised.value.remedy
    assert PLANTED not in str(raised.value)


def test_a_region_that_nobody_tells(
    redshift: Emulator, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with (
        resource(redshift, cluster_identifier="c", region=None) as connection,
        pytest.raises(Terminal, match=r"The region of the cluster c is not known.*iam\.region"),
    ):
        connection.connect("a test")


def test_aws_that_is_not_reached(
    redshift: Emulator, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_REDSHIFT", "http://127.0.0.1:1")
    with (
        resource(redshift, cluster_identifier="c") as connection,
        pytest.raises(Transient, match="does not answer"),
    ):
        connection.connect("a test")


def test_a_cluster_of_another_implementation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Moto knows GetClusterCredentials of provisioned clusters alone."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL_REDSHIFT", f"http://{host}:{port}")
    session = boto3.Session("id", "secret", region_name="eu-west-1")
    client: Any = session.client("redshift")  # type: ignore[call-overload]  # stubs are of S3 alone
    client.create_cluster(
        ClusterIdentifier="c",
        NodeType="ra3.large",
        MasterUsername="admin",
        MasterUserPassword="Passw0rd",
    )
    try:
        login = temporary_login(session, Cluster("c", "exporter"), "eu-west-1", "dev")
        assert (login.user, len(login.password)) == ("IAM:exporter", 32)
        assert login.password not in repr(login)
        with pytest.raises(Terminal, match="ClusterNotFound") as raised:
            temporary_login(session, Cluster("other", "exporter"), "eu-west-1", "dev")
        assert "iam.cluster_identifier" in raised.value.remedy
    finally:
        server.stop()
