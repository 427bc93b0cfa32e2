"""The command `verify` as a user types it: what differs is named, and kept for the UI."""

from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner

from batch_exports.cli import main
from batch_exports_tests.checks.evaluations import last, metadata_of
from batch_exports_tests.deployment import EXPORT, KEY, Deployment, check_key

NEXT = "2026-11-01-01:00"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(folder))


def verify(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["verify", "events_archive", *words])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def test_what_somebody_changed_is_named(deployment: Deployment) -> None:
    deployment.define("file_format: jsonlines", "compression: none", "partitions_per_run: 24")
    deployment.put_events("a", {}, {}, {"hour": 1.5})
    assert deployment.run_range(KEY, NEXT, checked=False).success
    both = ("--from", "2026-11-01", "--to", "2026-11-01T02:00")
    code, said = verify(*both)
    assert code == 0, said
    assert said.splitlines()[0].startswith(f"ok       {KEY}  As it was delivered. Compared: 1 data")
    assert said.splitlines()[-1] == "2 of 2 partitions are as they were delivered."

    client, bucket = deployment.server.client(), deployment.bucket
    data = next(key for key in deployment.objects() if "manifest" not in key)
    body = client.get_object(Bucket=bucket, Key=data)["Body"].read()
    client.put_object(Bucket=bucket, Key=data, Body=body.replace(b"someone", b"another"))
    code, said = verify(*both[:-1], "2026-11-01T03:00")
    assert code == 1
    first, second, third, last_line = said.splitlines()
    assert first.startswith(f"DIFFERS  {KEY}  {data} has the ETag")
    assert second.startswith(f"ok       {NEXT}")
    assert third.startswith("DIFFERS  2026-11-01-02:00  Nothing was delivered")
    assert last_line == "1 of 3 partitions are as they were delivered."
    with dg.DagsterInstance.get() as instance:
        told = last(instance, check_key("content"))
    assert (told[KEY].passed, told[NEXT].passed) == (False, True)
    assert metadata_of(told[KEY])["differences"] == 1

    client.delete_object(Bucket=bucket, Key=data)
    code, said = verify("--partition", KEY)
    assert code == 1
    assert f"{data} is in the manifest, and not in the bucket." in said


def test_among_exports_of_other_intervals(deployment: Deployment) -> None:
    deployment.define()
    deployment.put_events("a", {})
    assert deployment.run(KEY).success
    other = EXPORT.replace("name: events_archive", "name: days_archive\n  interval: day")
    (deployment.folder / "defs" / "b").mkdir()
    (deployment.folder / "defs" / "b" / "defs.yaml").write_text(other)
    code, said = verify("--partition", KEY)
    assert code == 0, said
    with dg.DagsterInstance.get() as instance:
        assert last(instance, check_key("content"))[KEY].passed


def test_a_partition_or_bounds() -> None:
    done = CliRunner().invoke(main, ["verify", "events_archive", "--from", "2026-11-01"])
    assert done.exit_code == 2
    assert "Give --partition, or both --from and --to." in done.output
