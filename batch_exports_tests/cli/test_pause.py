"""An export is paused and resumed on the command line."""

from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner

from batch_exports.automation.breaker import pause_of
from batch_exports.cli import main
from batch_exports_tests.automation.sensors import exports
from batch_exports_tests.deployment import CONNECTION, EXPORT, LAKE, load


def test_pause_and_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "dagster"
    home.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    documents = "---\n".join([CONNECTION, LAKE, EXPORT])
    load(tmp_path / "defs", {"a/defs.yaml": documents}, monkeypatch)

    def invoke(*words: str) -> str:
        result = CliRunner().invoke(main, words)
        return f"{result.exit_code} {result.output}"

    said = invoke("pause", "events_archive", "--reason", "The warehouse moves.")
    assert said.startswith("0 events_archive is paused. `batch-exports resume events_archive` ends")
    with dg.DagsterInstance.get() as instance:
        pause = pause_of(instance, exports()["events_archive"])
        assert pause
        assert pause.held == "The warehouse moves."
        assert "0 events_archive goes on." in invoke("resume", "events_archive")
        assert pause_of(instance, exports()["events_archive"]) is None
    assert "was not paused" in invoke("resume", "events_archive")
    assert invoke("pause", "event_archive", "--reason", "x").startswith("1 Error: export: there is")
