"""No secret reaches the code location's snapshot, a log, metadata or the instance's files."""

import json
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.repository_definition import RepositoryDefinition
from dagster._core.remote_representation.external_data import RepositorySnap
from dagster_shared.serdes import serialize_value

from batch_exports_tests.deployment import Deployment

SECRET = "planted-5ecret-access-key"
KEY_ID = "planted-5ecret-key-id"


@pytest.fixture
def on_disk(deployment: Deployment, tmp_path: Path) -> Iterator[Deployment]:
    """A deployment whose instance keeps all that it learns in files."""
    home = tmp_path / "home"
    home.mkdir()
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        deployment.instance = instance
        yield deployment


def files_with(text: str, folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file() and text.encode() in p.read_bytes()]


def snapshot(definitions: dg.Definitions) -> str:
    """What the code location tells the web server and the daemon."""
    repository = definitions.get_repository_def()
    assert isinstance(repository, RepositoryDefinition)
    return serialize_value(RepositorySnap.from_def(repository))


def test_the_snapshot_names_the_variable_alone(deployment: Deployment) -> None:
    deployment.define()
    told = snapshot(deployment.definitions)
    assert "TEST_S3_SECRET" in told
    assert deployment.server.admin.secret_access_key not in told
    assert deployment.server.admin.access_key_id not in told


def test_a_run_that_succeeds_and_one_that_fails_keep_it(
    on_disk: Deployment,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    on_disk.define()
    on_disk.put_events("a", {})
    assert on_disk.run().success
    admin = on_disk.server.admin
    monkeypatch.setenv("TEST_S3_SECRET", SECRET)
    wrong_secret = on_disk.run()
    monkeypatch.setenv("TEST_S3_KEY_ID", KEY_ID)
    wrong_id = on_disk.run()
    assert not wrong_secret.success
    assert not wrong_id.success
    # A file that is known to hold what each run was told: the search would find it.
    assert files_with("events_archive", tmp_path / "home")
    assert files_with("Correct the connection", tmp_path / "home")
    written = "".join(capfd.readouterr())
    for result in (wrong_secret, wrong_id):
        for record in on_disk.instance.all_logs(result.run_id):
            written += serialize_value(record)
    for secret in (SECRET, admin.secret_access_key):
        assert files_with(secret, tmp_path / "home") == []
        assert secret not in written
        assert json.dumps(secret)[1:-1] not in written
