"""The command `approve` as a user types it: the diff is shown, taken, and marks are taken back."""

from pathlib import Path

import dagster as dg
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from batch_exports.cli import main
from batch_exports.drift.approved_schema import approved_schema
from batch_exports_tests.checks.evaluations import last
from batch_exports_tests.deployment import ASSET, KEY, Deployment, check_key

NEXT = "2026-11-01-01:00"


def approve(*words: str, says: str = "") -> tuple[int, str]:
    done = CliRunner().invoke(main, ["approve", "events_archive", *words], input=says)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def test_a_drift_is_shown_and_approved(
    deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.setenv("LOGNAME", "jo")
    deployment.define("columns: [uuid, event]")
    code, said = approve()
    assert code == 1
    assert "Error: events_archive was never delivered. Materialize a partition" in said
    with dg.DagsterInstance.get() as instance:
        deployment.instance = instance
        deployment.put_events("a", {}, {"hour": 1.5})
        assert deployment.run(KEY).success
        code, said = approve()
        assert (code, said.splitlines()[-1]) == (0, "Nothing differs.")

        newest = tmp_path / "lake" / "events" / "b.parquet"
        rows = pq.read_table(tmp_path / "lake" / "events" / "a.parquet").slice(0, 0)
        pq.write_table(rows.append_column("note", [[]]), newest)
        deployment.define("columns: [uuid, event, team_id]")
        assert deployment.run(NEXT).success
        assert not deployment.check("schema_drift", KEY).passed
        code, said = approve(says="n\n")
        assert code == 1
        first, second, *diff, asked, aborted = said.splitlines()
        assert first == f"events_archive, by the partition {NEXT}"
        assert second.endswith("by the first delivery")
        assert diff == [
            "+ source       note  null  (added, not exported)",
            "+ destination  team_id  int64  (added)",
        ]
        assert asked.startswith("Approve the columns as they are? [y/N]")
        assert aborted == "Aborted!"
        kept = approved_schema(instance, "events_archive")
        assert kept
        assert kept.by == "the first delivery"

        # The partition of before has not the column that is exported now.
        code, said = approve("--yes")
        assert code == 0
        assert said.splitlines()[-2:] == [
            "They are approved.",
            "Checked again: 2 partitions, of which 1 pass.",
        ]
        told = last(instance, check_key("schema_drift"))
        assert (told[KEY].passed, told[NEXT].passed) == (False, True)
        approved = approved_schema(instance, "events_archive")
        assert approved
        assert approved.by == "jo"
        (noted,) = instance.fetch_observations(ASSET, limit=9).records
        assert noted.asset_observation
        assert noted.asset_observation.metadata["approved_by"].value == "jo"
        assert "`team_id`" in str(noted.asset_observation.metadata["drift"].value)
