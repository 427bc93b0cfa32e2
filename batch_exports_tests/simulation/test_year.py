"""The simulated year, of which there is time here for a day and a night without S3."""

from pathlib import Path

from simulation.report import report
from simulation.year import live


def test_night_without_s3(tmp_path: Path) -> None:
    outcome = live(tmp_path, days=1, seed=1, progress=lambda _: None)
    assert not outcome.wrong, "\n".join(report(outcome))
    (incident,) = outcome.incidents
    assert incident.name == "S3 down"
    # Two exports to S3, whose schedules and gaps fail until the server is there.
    assert outcome.runs[0]["gap"] == 2
    assert outcome.runs[0]["schedule, failed"] == 2
    assert outcome.totals["partitions"] == 4
    assert outcome.totals["alerts"] == 4
