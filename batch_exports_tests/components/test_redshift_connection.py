"""A connection is to the server that is meant, or none; what contradicts that is told at load."""

import traceback
from contextlib import AbstractContextManager
from pathlib import Path

import certifi
import dagster as dg
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from batch_exports.components.errors import InvalidComponent
from batch_exports.components.redshift_session import (
    AMAZON_AUTHORITIES,
    RedshiftConnectionResource,
)
from batch_exports.errors import Terminal
from batch_exports.local.certificate import CHAIN, KEY
from batch_exports.local.redshift.server import Emulator
from batch_exports_tests.components.redshift import DOCUMENT, PASSWORD, failure, resource, trusted
from batch_exports_tests.components.test_secrets import files_with, snapshot
from batch_exports_tests.deployment import load

PLANTED = "planted-5ecret"
KEYS = f"""\
---
type: batch_exports.S3Connection
attributes:
  name: archive
  aws_access_key_id: {{env: {PASSWORD}}}
  aws_secret_access_key: {{env: {PASSWORD}}}
"""


def encrypted(resource: AbstractContextManager[RedshiftConnectionResource]) -> bool:
    with resource as connection, connection.connect("a test") as connected:
        return connected.pgconn.ssl_in_use


@pytest.mark.parametrize("ssl_mode", ["verify-full", "verify-ca"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_server_that_proves_who_it_is(
    redshift_emulator: Emulator, ssl_mode: str, host: str
) -> None:
    assert encrypted(trusted(redshift_emulator, ssl_mode=ssl_mode, host=host))


def test_a_server_whose_certificate_is_not_amazons(redshift_emulator: Emulator) -> None:
    """https://docs.aws.amazon.com/redshift/latest/mgmt/connecting-ssl-support.html"""
    for ssl_mode in ("verify-full", "verify-ca"):
        found = failure(resource(redshift_emulator, ssl_mode=ssl_mode))
        assert isinstance(found, Terminal)
        assert "certificate verify failed" in found.message
        assert "that Amazon did not sign" in found.remedy
    assert encrypted(resource(redshift_emulator, ssl_mode="require"))


def test_a_server_of_another_authority(redshift_emulator: Emulator, tmp_path: Path) -> None:
    root = tmp_path / "authority.pem"
    trustme.CA().cert_pem.write_to_path(str(root))
    found = failure(resource(redshift_emulator, ssl_root_cert=str(root)))
    assert isinstance(found, Terminal)
    assert "certificate verify failed" in found.message


def test_a_certificate_of_another_name(redshift_emulator: Emulator, tmp_path: Path) -> None:
    """As through a tunnel."""
    tls, server = redshift_emulator.cluster.tls, redshift_emulator.cluster.server
    authority = trustme.CA()
    root = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(root))
    authority.issue_cert("c.abc.eu-west-1.redshift.amazonaws.com").configure_cert(tls)
    try:
        found = failure(resource(redshift_emulator, ssl_root_cert=str(root)))
        assert isinstance(found, Terminal)
        assert 'redshift.amazonaws.com" does not match host name "127.0.0.1"' in found.message
        assert "ssl_mode: verify-ca" in found.remedy
        trusting = resource(redshift_emulator, ssl_root_cert=str(root), ssl_mode="verify-ca")
        assert encrypted(trusting)
    finally:
        tls.load_cert_chain(server.folder / CHAIN, server.folder / KEY)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_the_authorities_of_amazon_are_mozillas() -> None:
    """https://www.amazontrust.com/repository/"""
    ours = fingerprints(AMAZON_AUTHORITIES)
    assert sorted(ours.values()) == [
        *(f"Amazon Root CA {number}" for number in (1, 2, 3, 4)),
        "Starfield Services Root Certificate Authority - G2",
    ]
    assert ours.keys() <= fingerprints(Path(certifi.where())).keys()
    written = AMAZON_AUTHORITIES.read_text()
    assert all(f"# {name}\n# {digest}\n" in written for digest, name in ours.items())


def fingerprints(path: Path) -> dict[str, str]:
    """The SHA-256 of each certificate, with its common name."""
    return {
        certificate.fingerprint(SHA256()).hex(): str(name.value)
        for certificate in x509.load_pem_x509_certificates(path.read_bytes())
        for name in certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    }


def test_a_wrong_password_is_not_shown(redshift_emulator: Emulator) -> None:
    found = failure(trusted(redshift_emulator, password=PLANTED))
    assert isinstance(found, Terminal)
    assert "password authentication failed" in found.message
    assert "password's environment variable" in found.remedy
    assert PLANTED not in "".join(traceback.format_exception(found)) + repr(found)


def test_a_database_that_is_not_there(redshift_emulator: Emulator) -> None:
    found = failure(trusted(redshift_emulator, database="nowhere"))
    assert isinstance(found, Terminal)
    assert "database" in found.remedy


@pytest.mark.parametrize(
    ("lines", "field", "words"),
    [
        ("host: db:5439", "host", ["'db:5439' is not a host", "their own fields"]),
        ("host: redshift://u@db/x", "host", ["is not a host"]),
        ("host: /run/redshift", "host", ["is not a host"]),
        ("host: 127.0.0.1,db.example.com", "host", ["is not a host", "one name"]),
        ('host: ""', "host", ["is empty"]),
        ('user: "exporter\\0"', "user", ["'exporter\\x00'", "cannot be seen"]),
        ('database: "a\\nb"', "database", ["cannot be seen"]),
        ("port: 0", "port", ["0 is too small", "1 or more"]),
        ("port: 65536", "port", ["65536 is too large", "65535 or less"]),
        ("port: 5439x", "port", ["'5439x' does not fit", "integer"]),
        ("connect_timeout_seconds: 0", "connect_timeout_seconds", ["0 is too small"]),
        ("statement_timeout_seconds: -1", "statement_timeout_seconds", ["-1 is too small"]),
        ("statement_timeout_seconds: 9999999", "statement_timeout_seconds", ["is too large"]),
        ("ssl_mode: disable", "ssl_mode", ["'disable'", "'verify-ca' or 'verify-full'"]),
        ("ssl_mode: require\n  ssl_root_cert: ROOT", "ssl_mode", ["'require' verifies nothing"]),
        ("ssl_root_cert: /not/there", "ssl_root_cert", ["'/not/there' cannot be read: No such"]),
        ("password: planted-5ecret", "password", ["write {env: ITS_NAME}"]),
        ("password: {env: NOT_THERE}", "password", ["NOT_THERE is not set"]),
        ("password:", "password", ["it is missing", "Give user and password, or iam"]),
        ("user:", "user", ["it is missing"]),
        ("iam: {cluster_identifier: c}", "password", ["of no use with iam", "Leave one"]),
        ("password:\n  iam: {}", "iam", ["one cluster or one workgroup"]),
        (
            "password:\n  iam: {cluster_identifier: c, workgroup_name: w}",
            "iam",
            ["one cluster or one workgroup"],
        ),
        ("password:\n  iam: {workgroup_name: w}", "user", ["'exporter' is of no use", "Leave it"]),
        (
            "password:\n  user:\n  iam: {cluster_identifier: c, db_groups: [g]}",
            "iam.db_groups",
            ["it needs a user"],
        ),
        (
            "password:\n  user:\n  iam: {workgroup_name: w, auto_create: true}",
            "iam.auto_create",
            ["it needs a user"],
        ),
        (
            "password:\n  iam: {cluster_identifier: c, connection: nope}",
            "iam.connection",
            ["no S3Connection named 'nope'", "There is: none"],
        ),
        ("password:\n  iam: {cluster: planted-5ecret}", "iam", ["'cluster' is not a field"]),
        ("password:\n  iam: my-cluster", "iam", ["it is no mapping", "cluster_identifier"]),
    ],
)
def test_what_cannot_work_is_told_at_load(
    lines: str,
    field: str,
    words: list[str],
    redshift_emulator: Emulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = lines.replace("ROOT", str(redshift_emulator.root_certificate))
    given = {line.strip().split(":")[0] for line in lines.splitlines()}
    kept = [line for line in DOCUMENT.splitlines() if line.strip().split(":")[0] not in given]
    monkeypatch.setenv(PASSWORD, PLANTED)
    text = "\n".join([*kept, f"  {lines}", ""])
    with pytest.raises(InvalidComponent) as error:
        load(tmp_path, {"a/defs.yaml": text}, monkeypatch)
    message = str(error.value)
    assert message.startswith(f"{tmp_path}/a/defs.yaml:")
    assert f" - attributes.{field}\n" in message
    assert PLANTED not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("host", "region"),
    [
        # https://docs.aws.amazon.com/redshift/latest/mgmt/connecting-from-psql.html
        ("c.abc123xyz789.us-west-2.redshift.amazonaws.com", "us-west-2"),
        # https://docs.aws.amazon.com/redshift/latest/mgmt/serverless-connecting.html
        ("w.123456789012.eu-central-1.redshift-serverless.amazonaws.com", "eu-central-1"),
        ("c.abc.cn-north-1.redshift.amazonaws.com.cn", "cn-north-1"),
        ("warehouse.example.com", None),
        ('"2001:db8::1"', None),
    ],
)
def test_hosts_that_load(
    host: str, region: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD, PLANTED)
    text = DOCUMENT.replace("my-cluster.abc123.eu-west-1.redshift.amazonaws.com", host)
    definitions = load(tmp_path, {"a/defs.yaml": text}, monkeypatch)
    assert definitions.resources
    loaded = definitions.resources["warehouse"]
    assert loaded.uri.startswith("redshift://")
    assert loaded.uri.endswith(":5439/analytics")
    assert loaded.region == region


def test_the_snapshot_and_a_failed_run_keep_the_secrets(
    redshift_emulator: Emulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    place = f"127.0.0.1\n  port: {redshift_emulator.port}\n  ssl_root_cert: "
    place += str(redshift_emulator.root_certificate)
    text = DOCUMENT.replace("my-cluster.abc123.eu-west-1.redshift.amazonaws.com", place)
    text = text.replace("analytics", redshift_emulator.database)
    other = DOCUMENT.replace("warehouse", "temporary").replace(
        f"password: {{env: {PASSWORD}}}", "iam: {cluster_identifier: c, connection: archive}"
    )
    monkeypatch.setenv(PASSWORD, PLANTED)

    @dg.op(required_resource_keys={"warehouse", "temporary"})
    def connect(context: dg.OpExecutionContext) -> None:
        context.log.info(repr(context.resources.warehouse) + repr(context.resources.temporary))
        context.resources.warehouse.connect("a test")

    @dg.job
    def connecting() -> None:
        connect()

    files = {"a/defs.yaml": f"{text}---\n{other}{KEYS}"}
    loaded = load(tmp_path / "defs", files, monkeypatch)
    definitions = dg.Definitions.merge(loaded, dg.Definitions(jobs=[connecting]))
    told = snapshot(definitions)
    assert PASSWORD in told
    assert PLANTED not in told
    home = tmp_path / "home"
    home.mkdir()
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        job = definitions.resolve_job_def("connecting")
        assert not job.execute_in_process(instance=instance, raise_on_error=False).success
    assert files_with("password authentication failed", home)
    assert files_with(PLANTED, home) == []
    assert PLANTED not in "".join(capfd.readouterr())
