"""The commands about an export to Redshift, as a user types them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from batch_exports.cli import main
from batch_exports.local import seaweedfs
from batch_exports.local.redshift.server import Emulator
from batch_exports_tests.conftest import ROLE_ARN
from batch_exports_tests.deployment import LAKE

EXPORT = """\
type: batch_exports.RedshiftConnection
attributes:
  name: warehouse
  {login}
  host: {host}
  port: {port}
  database: dev
  {root}
---
type: batch_exports.S3Connection
attributes:
  name: stages
  region: us-east-1
  endpoint_url: {endpoint}
  allow_http: true
  aws_access_key_id: {{env: TEST_KEY_ID}}
  aws_secret_access_key: {{env: TEST_SECRET}}
---
type: batch_exports.RedshiftBatchExport
attributes:
  name: events_redshift
  source: lake
  model: events
  start: "2026-11-01"
  connection: warehouse
  schema: {schema}
  stage: {{connection: stages, bucket_name: {bucket}}}
  authorization: {{role_arn: "{role}"}}
---
type: batch_exports.S3BatchExport
attributes:
  name: files
  source: lake
  model: events
  columns: [uuid, event, _inserted_at]
  start: "2026-11-01"
  connection: stages
  bucket_name: files
  key_prefix: "events/{{table}}/{{year}}"
---
type: batch_exports.RedshiftBatchExport
attributes:
  name: loads
  load_from: files
  start: "2026-11-01"
  delay_seconds: 600
  connection: warehouse
  schema: {schema}
  stage: {{connection: stages, bucket_name: {bucket}}}
  authorization: {{role_arn: "{role}"}}
"""
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """The command with an export that differs in these settings."""

    def run(*words: str, login: str, password: str = "x", **settings: str) -> Result:
        given = {
            "host": "c.abc123.us-east-1.redshift.amazonaws.com",
            "port": "5439",
            "root": "",
            "endpoint": "http://127.0.0.1:1",
            "schema": "exports",
            "bucket": "my-stages",
            "role": ROLE_ARN,
        }
        text = EXPORT.format(login=login, **given | settings)
        folder = tmp_path / "defs" / "exports"
        folder.mkdir(parents=True, exist_ok=True)
        (tmp_path / "lake" / "events").mkdir(parents=True, exist_ok=True)
        lake = LAKE.replace("path: lake", f"path: {tmp_path}/lake")
        (folder / "defs.yaml").write_text(f"{lake}---\n{text}")
        variables = {
            "BATCH_EXPORTS_DEFS": str(tmp_path / "defs"),
            "TEST_PASSWORD": password,
            "TEST_KEY_ID": settings.get("key_id", "AKIA0000000000000000"),
            "TEST_SECRET": settings.get("secret", "a-secret"),
        }
        done = CliRunner().invoke(main, words, env=variables)
        for secret in (variables["TEST_SECRET"], *([password] if len(password) > 1 else [])):
            assert secret not in done.output
        return done

    return run


PASSWORD = "user: exporter\n  password: {env: TEST_PASSWORD}"
TEMPORARY = "user: exporter\n  iam: {cluster_identifier: c}"
IDENTITY = "iam: {workgroup_name: w}"


@pytest.mark.parametrize(
    ("login", "created", "policies"),
    [
        (PASSWORD, "CREATE USER \"exporter\" PASSWORD '<password>';", 3),
        (TEMPORARY, 'CREATE USER "exporter" PASSWORD DISABLE;', 4),
        (IDENTITY, 'CREATE USER "IAMR:<role>" PASSWORD DISABLE;', 4),
    ],
)
def test_setup_sql(run: Run, login: str, created: str, policies: int) -> None:
    plain = run("setup-sql", "events_redshift", login=login)
    assert plain.exit_code == 0, plain.output
    assert created in plain.output
    assert "CREATE TABLE" not in plain.output
    assert plain.output.count("-- IAM policy ") == policies
    tables = run("setup-sql", "events_redshift", "--with-tables", login=login)
    assert tables.output.count("CREATE TABLE") == 3


@pytest.mark.parametrize(
    ("name", "action"),
    [
        ("stage", "s3:PutObject"),
        ("cluster", "s3:GetObject"),
        ("trust", "sts:AssumeRole"),
        ("login", "redshift:GetClusterCredentials"),
    ],
)
def test_a_policy(run: Run, name: str, action: str) -> None:
    done = run("setup-sql", "events_redshift", "--policy", name, login=TEMPORARY)
    assert done.exit_code == 0, done.output
    assert action in json.dumps(json.loads(done.output))


def test_the_cluster_reads_what_another_export_delivered(run: Run) -> None:
    done = run("setup-sql", "loads", "--policy", "cluster", login=PASSWORD)
    assert done.exit_code == 0, done.output
    resources = [statement["Resource"] for statement in json.loads(done.output)["Statement"]]
    assert resources == [
        "arn:aws:s3:::my-stages/batch_exports/*",
        "arn:aws:s3:::my-stages",
        "arn:aws:s3:::files/events/events/*",
        "arn:aws:s3:::files",
    ]


def test_a_policy_that_is_not_needed(run: Run) -> None:
    done = run("setup-sql", "events_redshift", "--policy", "login", login=PASSWORD)
    assert done.exit_code == 1
    assert "needs none that is called login. It needs: stage, cluster, trust." in done.output


def test_every_step(
    run: Run, redshift: Emulator, redshift_schema: str, s3_server: seaweedfs.Server, bucket: str
) -> None:
    exporter, keys = redshift.exporter, s3_server.admin
    done = run(
        "test",
        "events_redshift",
        login=f"user: {exporter.user}\n  password: {{env: TEST_PASSWORD}}",
        password=exporter.password,
        host=redshift.host,
        port=str(redshift.port),
        root=f"ssl_root_cert: {redshift.root_certificate}",
        endpoint=s3_server.endpoint,
        key_id=keys.access_key_id,
        secret=keys.secret_access_key,
        schema=redshift_schema,
        bucket=bucket,
    )
    assert done.exit_code == 0, done.output
    shown = [line.split("destination", 1) for line in done.output.splitlines()]
    steps = [line[1].strip() for line in shown if len(line) == 2]
    assert steps[-1].startswith("delivery            2 made-up rows went into the table")
    assert any(step.startswith("stage put ") for step in steps)
    assert s3_server.client().list_objects_v2(Bucket=bucket).get("Contents", []) == []
