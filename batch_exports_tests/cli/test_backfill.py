"""The command `backfill` as a user types it."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner, Result

from batch_exports.cli import main
from batch_exports_tests.deployment import Deployment

Command = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    shutil.copy(Path(__file__).parents[2] / "dagster.yaml", folder)
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    return folder


def run(*words: str, typed: str = "") -> Result:
    return CliRunner().invoke(main, ["backfill", *words], input=typed)


def test_from_the_estimate_to_the_end(deployment: Deployment, home: Path) -> None:
    deployment.put_events("a", *[{"hour": hour + 0.5} for hour in range(4)])
    deployment.define()
    words = ("events_archive", "--from", "2026-11-01", "--to", "2026-11-01T03:00")
    refused = run(*words, "--newest-first", typed="n\n")
    assert refused.exit_code == 1
    assert refused.output.splitlines()[:6] == [
        "partitions  3: 2026-11-01-00:00 to 2026-11-01-02:00",
        "runs        3, newest first, 3 at once",
        "rows        3 (counted at the source)",
        "bytes       unknown yet: nothing was delivered",
        "minutes     unknown yet: nothing was delivered",
        "Launch it? [y/N]: n",
    ]
    with dg.DagsterInstance.get() as instance:
        assert instance.get_backfills() == []
    launched = run("--newest-first", *words, "--yes")
    assert launched.exit_code == 0, launched.output
    assert "It waits for a daemon" in launched.output
    found = re.search(r"/runs/b/(\w+)", launched.output)
    assert found
    backfill = found[1]
    told = run("status", backfill)
    assert told.output == f"{backfill} under way: 0 of 3 partitions done, 3 left, 0 rows\n"
    nothing = run(*words, "--all")
    assert "2026-11-01-00:00 is left out: backfill" in nothing.output
    assert "There is nothing to deliver." in nothing.output
    assert "is being cancelled" in run("cancel", backfill).output
    assert "being cancelled" in run("status", backfill).output
    assert "is under way" in run("resume", backfill).output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("events_archive", "--from", "2026-11-01T00:30", "--to", "2026-11-02"), "next to it are"),
        (("none", "--from", "2026-11-01", "--to", "2026-11-02"), "there is no export 'none'"),
        (("events_archive", "--from", "2026-11-01"), "Missing option '--to'"),
        (("status", "none"), "there is no backfill of an asset 'none'"),
        (("cancel", "none"), "there is no backfill of an asset 'none'"),
        (("resume", "none"), "there is no backfill of an asset 'none'"),
    ],
)
def test_what_cannot_be(
    deployment: Deployment, home: Path, words: tuple[str, ...], told: str
) -> None:
    deployment.define()
    done = run(*words)
    assert done.exit_code != 0
    assert told in done.output
