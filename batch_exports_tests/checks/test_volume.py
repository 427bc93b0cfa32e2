"""What is usual is told by past weeks, and what is not is a warning."""

from collections.abc import Sequence
from typing import Any

import dagster as dg
import pytest

from batch_exports.checks.registry import checks_of
from batch_exports.checks.volume import usual_rows
from batch_exports.components.errors import InvalidComponent
from batch_exports_tests import deployment as deployments
from batch_exports_tests.automation.scheduled import make_export
from batch_exports_tests.checks.evaluations import metadata_of
from batch_exports_tests.deployment import Deployment

NEVER = [0] * 8
WEEKS = ["2026-08-02", "2026-08-09", "2026-08-16", "2026-08-23", "2026-08-30"]


@pytest.mark.parametrize(
    ("history", "rows", "usual"),
    [
        ([100, 100, 100], 100, True),
        ([100, 100, 100], 70, True),  # counts are never more alike than that
        ([100, 100, 100], 60, False),
        ([1_000_000] * 8, 900_000, True),
        ([1_000_000] * 8, 800_000, False),
        # One week of an outage, and one of a flood, make nothing usual.
        ([980, 1000, 1020, 990, 1010, 1005, 0, 50_000], 1000, True),
        ([980, 1000, 1020, 990, 1010, 1005, 0, 50_000], 0, False),
        ([980, 1000, 1020, 990, 1010, 1005, 0, 50_000], 2000, False),
        # Where weeks differ much, much is usual: none at all only where some week had none.
        ([10, 400, 90, 250], 0, False),
        ([0, 400, 90, 250], 0, True),
        ([1, 1, 1], 0, False),
        (NEVER, 0, True),
        (NEVER, 3, True),
        (NEVER, 4, False),
    ],
)
def test_what_is_usual(history: Sequence[int], rows: int, usual: bool) -> None:
    found = usual_rows(history, 3.5)
    assert found
    assert found.allows(rows) is usual


def test_a_smaller_tolerance_warns_sooner() -> None:
    wide, narrow = usual_rows([90, 100, 110], 5), usual_rows([90, 100, 110], 1)
    assert wide
    assert narrow
    assert wide.allows(120)
    assert not narrow.allows(120)


def test_two_weeks_tell_nothing() -> None:
    assert usual_rows([100, 100], 3.5) is None


def weekly(deployment: Deployment, monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    export = deployments.EXPORT.replace("2026-11-01", WEEKS[0])
    monkeypatch.setattr(deployments, "EXPORT", export)
    deployment.define("interval: week", *lines)


def put(deployment: Deployment, numbers: Sequence[int]) -> None:
    """So many events of each week."""
    for week, number in enumerate(numbers):
        hour = (week - 13) * 7 * 24 + 1
        deployment.put_events(f"week-{week}", *[{"hour": hour}] * number)


def test_weeks_of_a_real_export(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    weekly(deployment, monkeypatch, "volume: {}", "partitions_per_run: 8")
    put(deployment, [10, 12, 0, 11, 0])
    assert deployment.run_range(WEEKS[0], WEEKS[-1], checked=False).success
    early = deployment.check("volume", WEEKS[2])
    assert early.passed
    assert "Too little history" in (early.description or "")
    assert metadata_of(early)["weeks"] == 2
    gone = deployment.check("volume", WEEKS[4])
    assert gone.passed, "one of the weeks before had none either"
    put(deployment, [10, 12, 9, 11, 0])
    redo: Any = deployment.run_range(WEEKS[2], WEEKS[2], checked=False)
    assert redo.success
    gone = deployment.check("volume", WEEKS[4])
    assert not gone.passed
    assert gone.severity is dg.AssetCheckSeverity.WARN
    assert "of which none had no rows" in (gone.description or "")
    told = metadata_of(gone)
    assert (told["rows"], told["usual_rows"], told["weeks"]) == (0, 10.5, 4)
    assert told["deviations"] < 0 < told["highest_usual_rows"]
    assert "| 2026-08-23 00:00 | 11 |\n| 2026-08-16 00:00 | 9 |" in told["history"]
    never = deployment.check("volume", "2026-09-06")
    assert not never.passed
    assert never.severity is dg.AssetCheckSeverity.ERROR
    assert "Nothing was delivered" in (never.description or "")


def test_nobody_who_did_not_ask_has_the_check() -> None:
    assert "volume" not in checks_of(make_export())
    asked = make_export(volume={"tolerance": 5})
    assert "volume" in checks_of(asked)
    assert asked.volume_tolerance == 5


@pytest.mark.parametrize("tolerance", [0, -1, float("nan"), float("inf")])
def test_a_tolerance_that_is_none_is_refused(tolerance: float) -> None:
    with pytest.raises(InvalidComponent, match=r"volume.tolerance: .* is no tolerance"):
        make_export(volume={"tolerance": tolerance})
