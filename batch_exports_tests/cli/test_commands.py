"""The commands about one export, as a user types them: with the demo's, and with broken ones."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from batch_exports.cli import main
from batch_exports.local import parts, postgres_server, seaweedfs
from batch_exports.local.ports import free_ports
from batch_exports.local.postgres_server import Server
from batch_exports_tests.deployment import EXPORT, LAKE

Command = Callable[..., Result]

DEMO = ("events_archive", "purchases_daily", "events_table", "persons_table", "sessions_table")
TABLE = """\
type: batch_exports.PostgresConnection
attributes:
  name: warehouse
  user: "{{ env.TEST_USER }}"
  password: {env: TEST_PASSWORD}
  host: 127.0.0.1
  port: "{{ env.TEST_PORT }}"
  database: analytics
  ssl_root_cert: "{{ env.TEST_ROOT }}"
---
type: batch_exports.PostgresBatchExport
attributes:
  name: events_table
  source: lake
  model: events
  start: "2026-11-01"
  connection: warehouse
  schema: exports
"""


@pytest.fixture
def run() -> Iterator[Command]:
    """The command with these variables, and no others of ours; it sets some, which go again."""
    saved = dict(os.environ)
    for name in [name for name in saved if name.startswith("BATCH_EXPORTS")]:
        del os.environ[name]

    def run(*words: str, **variables: str) -> Result:
        return CliRunner().invoke(main, words, env=variables)

    yield run
    os.environ.clear()
    os.environ.update(saved)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The state of parts that are up."""
    state = tmp_path_factory.mktemp("demo")
    try:
        parts.up(state)
        yield state
    finally:
        parts.down(state)


def contents(state: Path) -> list[Any]:
    """All that stands in the bucket and in the schema of the demo."""
    s3, postgres = seaweedfs.find(state / "s3"), postgres_server.find(state / "postgres")
    assert s3
    assert postgres
    client = s3.client()
    objects = client.list_objects_v2(Bucket="batch-exports").get("Contents", [])
    uploads = client.list_multipart_uploads(Bucket="batch-exports").get("Uploads", [])
    query = "SELECT relname FROM pg_class WHERE relnamespace = 'exports'::regnamespace"
    with postgres.connect() as connection:
        return [objects, uploads, connection.execute(query).fetchall()]


@pytest.mark.parametrize("export", DEMO)
def test_every_export_of_the_demo_passes(demo: Path, run: Command, export: str) -> None:
    before = contents(demo)
    done = run("test", export, BATCH_EXPORTS_LOCAL_DIR=str(demo))
    assert done.exit_code == 0, done.output
    assert contents(demo) == before
    *lines, summary = done.output.splitlines()
    assert {line.split()[0] for line in lines} <= {"passed", "skipped"}
    assert lines[0].split()[:3] == ["passed", "source", "files"]
    assert " passed, " in summary
    for name, value in parts.environment(demo).items():
        if "SECRET" in name or "PASSWORD" in name:
            assert value not in done.output


def test_the_demos_parts_have_to_be_there(run: Command, tmp_path: Path) -> None:
    done = run("test", "events_table", BATCH_EXPORTS_LOCAL_DIR=str(tmp_path))
    assert done.exit_code == 1
    assert "run `batch-exports local up` first" in done.output


def test_setup_sql(demo: Path, run: Command) -> None:
    plain = run("setup-sql", "persons_table", BATCH_EXPORTS_LOCAL_DIR=str(demo))
    assert plain.exit_code == 0, plain.output
    assert 'GRANT USAGE, CREATE ON SCHEMA "exports" TO "exporter";' in plain.output
    assert "CREATE TABLE" not in plain.output
    tables = run("setup-sql", "persons_table", "--with-tables", BATCH_EXPORTS_LOCAL_DIR=str(demo))
    assert "GRANT USAGE ON SCHEMA" in tables.output
    assert tables.output.count("CREATE TABLE") == 3
    password = parts.environment(demo)["BATCH_EXPORTS_LOCAL_POSTGRES_PASSWORD"]
    assert password not in plain.output + tables.output


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("setup-sql", "events_archive"), "'events_archive' is a S3BatchExport"),
        (("setup-sql", "nothing"), "there is no export 'nothing'. There is: amplitude_files, "),
        (("test", "nothing"), "there is no export 'nothing'. There is: amplitude_files, "),
    ],
)
def test_an_export_that_it_is_not_for(
    demo: Path, run: Command, words: tuple[str, ...], problem: str
) -> None:
    done = run(*words, BATCH_EXPORTS_LOCAL_DIR=str(demo))
    assert done.exit_code == 1
    assert done.output.startswith("Error: export: ")
    assert problem in done.output


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """Puts exports into a folder of a user's, with a lake; the variables that lead there."""

    def write(text: str) -> dict[str, str]:
        folder = tmp_path / "defs" / "exports"
        folder.mkdir(parents=True)
        (tmp_path / "lake" / "events").mkdir(parents=True)
        (folder / "defs.yaml").write_text(
            LAKE.replace("path: lake", f"path: {tmp_path}/lake") + text
        )
        return {"BATCH_EXPORTS_DEFS": str(tmp_path / "defs")}

    return write


def test_a_failure_comes_with_its_remedy(
    run: Command, written: Callable[[str], dict[str, str]], postgres_server: Server
) -> None:
    variables = {
        "TEST_USER": "exporter",
        "TEST_PASSWORD": "a-wrong-password",
        "TEST_PORT": str(postgres_server.port),
        "TEST_ROOT": str(postgres_server.root_certificate),
    }
    done = run("test", "events_table", **written(f"---\n{TABLE}"), **variables)
    assert done.exit_code == 1
    assert "a-wrong-password" not in done.output
    lines = [" ".join(line.split()) for line in done.output.splitlines()]
    assert lines[0].startswith("warning source files The lake has no file of events")
    assert lines[1].startswith("See that files are written there")
    failed = next(number for number, line in enumerate(lines) if line.startswith("FAILED"))
    assert lines[failed].startswith("FAILED destination log in postgres://127.0.0.1:")
    assert lines[failed + 1].startswith("Correct the connection's user, or the value of")
    assert all(line.startswith("skipped") for line in lines[failed + 2 : -1])
    assert lines[-1] == "2 passed, 1 warning, 1 failed, 9 skipped"


def test_a_source_out_of_reach_does_not_hide_the_destination(
    run: Command, written: Callable[[str], dict[str, str]]
) -> None:
    [port] = free_ports(1)
    text = f"""---
type: batch_exports.S3Connection
attributes:
  name: archive
  endpoint_url: http://127.0.0.1:{port}
  allow_http: true
  role_arn: arn:aws:iam::123456789012:role/exports
---
type: batch_exports.LakeSource
attributes: {{name: far, path: s3://far, connection: archive}}
---
{EXPORT.replace("source: lake", "source: far")}"""
    nobody = {
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    done = run("test", "events_archive", **written(text), **nobody)
    assert done.exit_code == 1
    failed = [line.split()[1:3] for line in done.output.splitlines() if line[:6] == "FAILED"]
    assert failed == [["source", "files"], ["destination", "credentials"]]
    assert done.output.count("There are no AWS credentials to assume arn:aws:iam::") == 2


@pytest.mark.parametrize("command", ["test", "setup-sql"])
def test_what_cannot_be_loaded(
    run: Command, written: Callable[[str], dict[str, str]], command: str
) -> None:
    done = run(command, "events_archive", **written(f"---\n{EXPORT}"))
    assert done.exit_code == 1
    assert "connection: there is no S3Connection named 'archive'" in done.output
    assert "Traceback" not in done.output
    nowhere = run(command, "events_archive", BATCH_EXPORTS_DEFS="/nowhere")
    assert nowhere.exit_code == 1
    assert "'/nowhere' is not a folder" in nowhere.output
