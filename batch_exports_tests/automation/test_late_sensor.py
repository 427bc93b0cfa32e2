"""Rows that come late are found by counting, and only their intervals are delivered again."""

import shutil
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from batch_exports.automation import late_search
from batch_exports.automation.late_data import find_late, within_lookback
from batch_exports.automation.late_sensor import Cursor, look
from batch_exports.export import Export
from batch_exports.sources.lake import Lake
from batch_exports_tests.automation.sensors import Ticks, at, exports
from batch_exports_tests.deployment import ASSET, Deployment

HOURS = [f"2026-11-01-{hour:02}:00" for hour in range(4)]
MINUTE = timedelta(minutes=1)


class LateTicks(Ticks):
    export: Export

    def tick(self, moment: datetime) -> tuple[list[str], str]:
        with self.context() as context:
            return self.take(look(context, self.export, moment))


@pytest.fixture
def ticks(deployment: Deployment) -> LateTicks:
    """Three hours are delivered; the fourth never was."""
    deployment.define("lookback: 5000 weeks", 'end: "2026-11-01T04:00"')
    deployment.put_events("a", {"hour": 0.5}, {"hour": 1.5}, {"hour": 1.6}, {"hour": 3.5})
    assert deployment.run_range(HOURS[0], HOURS[2], checked=False).success
    ticks = LateTicks(deployment.definitions, deployment.instance)
    ticks.export = exports()["events_archive"]
    return ticks


def observed(instance: dg.DagsterInstance) -> list[dict[str, Any]]:
    """Metadata of the observations, newest first."""
    records = instance.fetch_observations(ASSET, limit=10).records
    found = [record.asset_observation for record in records]
    return [{name: value.value for name, value in each.metadata.items()} for each in found if each]


def test_only_intervals_with_late_rows_are_delivered_again(
    deployment: Deployment, ticks: LateTicks
) -> None:
    now = datetime.now(UTC)
    assert ticks.tick(now) == ([], "4 intervals counted at both ends; 0 differ.")
    deployment.put_events("late", {"hour": 0.7}, {"hour": 1.7}, {"hour": 1.8}, {"hour": 3.7})
    keys, reason = ticks.tick(now + MINUTE)
    assert (keys, reason) == ([], f"The next look is at {now + 60 * MINUTE:%Y-%m-%d %H:%M} UTC.")
    now += 61 * MINUTE
    keys, _ = ticks.tick(now)
    assert keys == HOURS[:2]
    first, second = ticks.requested
    assert first.tags["batch_exports/trigger"] == "late data"
    assert second.tags["batch_exports/late_rows"] == "2"
    assert second.tags["batch_exports/late_by"].endswith(" h")
    (seen,) = observed(deployment.instance)
    assert (seen["late_rows"], seen["late_intervals"], seen["late_rows_in_all"]) == (3, 2, 3)
    assert [record.data["difference"] for record in seen["intervals"].records] == [1, 2]
    assert seen["late_rows_in_all_by_age"].records[-1].data["rows"] == 3
    # What is asked for is not told, nor counted, again while it has not run.
    assert ticks.tick(now + 61 * MINUTE)[0] == []
    for request in ticks.requested:
        assert ticks.run(request, "events_archive_job")
    assert deployment.metadata(HOURS[1])["source_rows"] == 4
    assert ticks.tick(now + 122 * MINUTE) == ([], "4 intervals counted at both ends; 0 differ.")
    assert len(observed(deployment.instance)) == 2


def test_the_sensor_has_what_it_needs(ticks: LateTicks) -> None:
    """Its resources, and a rhythm; exports without a look-back have no such sensor."""
    sensor = ticks.definitions.resolve_sensor_def("events_archive_late_data")
    found = sensor.evaluate_tick(ticks.context())
    assert found.skip_message == "4 intervals counted at both ends; 0 differ."
    assert sensor.required_resource_keys == {"lake", "archive"}
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING


def test_runs_under_way_and_their_limit(deployment: Deployment, ticks: LateTicks) -> None:
    ticks.export = replace(ticks.export, recovery=replace(ticks.export.recovery, runs=2))
    deployment.put_events("late", {"hour": 0.7}, {"hour": 1.7}, {"hour": 2.7})
    run = ticks.begin(ticks.export, HOURS[0])
    now = datetime.now(UTC)
    assert ticks.tick(now)[0] == [HOURS[1]]
    deployment.instance.report_run_canceled(_run(deployment, run))
    # What was cancelled waits, and the limit left something to do: the next tick looks at once.
    assert ticks.tick(now + MINUTE)[0] == [HOURS[2]]
    assert ticks.tick(now + 3 * MINUTE)[1].startswith("The next look is at")
    assert ticks.tick(now + 100 * MINUTE)[0] == [HOURS[0]]


def _run(deployment: Deployment, run_id: str) -> dg.DagsterRun:
    run = deployment.instance.get_run_by_id(run_id)
    assert run
    return run


def test_a_run_that_changes_nothing_is_not_repeated(
    ticks: LateTicks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a source that counts what it does not read."""
    counts, first = Lake.counts, ticks.export.interval(HOURS[0])

    def more(lake: Lake, selection: Any, intervals: Any) -> list[int]:
        found = counts(lake, selection, intervals)
        return [rows + (each == first) for each, rows in zip(intervals, found, strict=True)]

    monkeypatch.setattr(Lake, "counts", more)
    now = datetime.now(UTC)
    assert ticks.tick(now)[0] == HOURS[:1]
    assert ticks.run(ticks.requested[0], "events_archive_job")
    keys, reason = ticks.tick(now + 61 * MINUTE)
    assert keys == []
    assert f"Delivered again, and still different: {HOURS[0]}." in reason


def test_a_source_out_of_reach_is_told(deployment: Deployment, ticks: LateTicks) -> None:
    shutil.rmtree(deployment.folder / "lake" / "events")
    now = datetime.now(UTC)
    keys, reason = ticks.tick(now)
    assert keys == []
    assert "has no folder 'events'" in reason
    assert f"The next look goes on with {HOURS[3]}." in reason
    assert "The next look is at" in ticks.tick(now + MINUTE)[1]


def test_a_slow_count_is_given_up(ticks: LateTicks, monkeypatch: pytest.MonkeyPatch) -> None:
    """And tried with fewer intervals."""
    counts = Lake.counts

    def slow(lake: Lake, selection: Any, intervals: Any) -> list[int]:
        time.sleep(0.6 if len(intervals) > 2 else 0)
        return counts(lake, selection, intervals)

    monkeypatch.setattr(Lake, "counts", slow)
    monkeypatch.setattr(late_search, "_BUDGET_SECONDS", 0.4)
    monkeypatch.setattr(late_search, "MOST_AT_ONCE", 4)
    ticks.cursor = Cursor(at_once=4).written()
    now = datetime.now(UTC)
    keys, reason = ticks.tick(now)
    assert keys == []
    assert "Counting 4 intervals took longer than 0 s and was given up." in reason
    assert "an index on inserted_at" in reason
    monkeypatch.setattr(late_search, "_BUDGET_SECONDS", 45)
    # Not in an hour, but at the next tick.
    assert ticks.tick(now + 5 * MINUTE)[1] == "4 intervals counted at both ends; 0 differ."


def test_rows_that_are_gone(deployment: Deployment, ticks: LateTicks) -> None:
    """Where the newest row of each key is kept, rows move on to later intervals by themselves."""
    (deployment.folder / "lake" / "events" / "a.parquet").unlink()
    deployment.put_events("b", {"hour": 0.5}, {"hour": 1.5})
    now, export = datetime.now(UTC), ticks.export
    with ticks.context() as context:
        source, destination = (
            export.reader(context.resources),
            export.destination(context.resources),
        )
        intervals = {key: export.interval(key) for key in HOURS}
        (gone,) = find_late(export, source, destination, intervals, now)
        assert (gone.key, gone.rows) == (HOURS[1], -1)
        merging = replace(export, merges=True)
        assert find_late(merging, source, destination, intervals, now) == []
    assert ticks.tick(now)[0] == [HOURS[1]]
    assert observed(deployment.instance)[0]["gone_rows"] == 1


def test_what_lies_within_the_lookback(ticks: LateTicks) -> None:
    """What is due, and ended within it; newest first."""
    hours = replace(ticks.export.recovery, lookback=timedelta(hours=2))
    export = replace(ticks.export, recovery=hours)
    assert within_lookback(export, at("2026-11-01T03:30")) == [HOURS[2], HOURS[1]]
    assert within_lookback(export, at("2026-11-01T03:00:30")) == [HOURS[1]]
    assert within_lookback(export, at("2026-11-01T00:30")) == []
    assert within_lookback(export, at("2026-11-01T05:30")) == [HOURS[3]]
    assert within_lookback(export, at("2026-11-02T05:30")) == []
