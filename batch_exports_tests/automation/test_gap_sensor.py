"""What is due and was not delivered is asked for: once, oldest first, bounded, and with pauses."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

from batch_exports.automation import gap_sensor
from batch_exports.automation.breaker import hold
from batch_exports.automation.gap_sensor import Cursor, build_gap_sensor, fill
from batch_exports.export import Export
from batch_exports_tests.automation.sensors import Ticks, at, exports
from batch_exports_tests.deployment import ASSET, Deployment

MINUTE = timedelta(minutes=1)
ALWAYS = "fill_gaps: 5000 weeks"


def hours(day: int, first: int, last: int) -> list[str]:
    return [f"2026-11-{day:02}-{hour:02}:00" for hour in range(first, last)]


class GapTicks(Ticks):
    """Ticks of the sensor, over the exports of the deployment."""

    watched: Mapping[str, Export]

    def tick(self, moment: datetime) -> tuple[list[str], str]:
        with self.context() as context, dg.partition_loading_context(effective_dt=moment):
            return self.take(fill(context, self.watched, moment))


@pytest.fixture
def ticks(deployment: Deployment) -> GapTicks:
    return defined(deployment)


def defined(deployment: Deployment, *lines: str) -> GapTicks:
    deployment.define(*lines)
    ticks = GapTicks(deployment.definitions, deployment.instance)
    ticks.watched = exports()
    return ticks


def export_of(ticks: GapTicks) -> Export:
    return ticks.watched["events_archive"]


def test_history_that_was_never_delivered_is_no_gap(ticks: GapTicks) -> None:
    """Of a new export, gaps begin with what becomes due after it was first seen."""
    assert ticks.tick(at("2026-11-03T10:30")) == ([], "There are no gaps.")
    assert ticks.tick(at("2026-11-03T10:34")) == ([], "There are no gaps.")
    # Its schedule has a quarter of an hour for it.
    assert ticks.tick(at("2026-11-03T11:02")) == ([], NO_LOOK)
    assert ticks.tick(at("2026-11-03T11:03")) == ([], "There are no gaps.")
    ticks.tick(at("2026-11-03T11:16"))
    assert ticks.tick(at("2026-11-03T11:17"))[0] == ["2026-11-03-10:00"]


NO_LOOK = (
    "Nothing has been looked at for 28 min. Schedules catch up first; gaps are filled from the "
    "next tick on."
)


def test_three_days_without_a_run(deployment: Deployment) -> None:
    ticks = defined(deployment, "catch_up_runs: 20")
    export, now = export_of(ticks), at("2026-11-04T09:20")
    ticks.deliver(export, ["2026-11-01-08:00"])
    assert ticks.tick(at("2026-11-01T09:20")) == ([], "There are no gaps.")
    missing = hours(1, 9, 24) + hours(2, 0, 24) + hours(3, 0, 24) + hours(4, 0, 9)
    assert ticks.tick(now)[0] == []
    # What schedules have caught up with meanwhile is delivered or has a run.
    ticks.deliver(export, missing[-3:])
    ticks.begin(export, missing[-4])
    found = list[str]()
    for _ in range(5):
        now += MINUTE
        keys, _ = ticks.tick(now)
        assert len(keys) <= 19
        assert [key for key in keys if key in found] == []
        found += keys
        # The next tick comes before they have run: what is under way counts.
        runs = [ticks.begin(export, key) for key in keys]
        now += MINUTE
        assert ticks.tick(now)[0] == []
        ticks.deliver(export, keys)
        for run in runs:
            deployment.instance.delete_run(run)
    assert found == missing[:-4]
    assert ticks.tick(now + MINUTE) == ([], "There are no gaps.")
    assert {request.tags["batch_exports/trigger"] for request in ticks.requested} == {"gap"}


def test_requests_run_and_are_not_repeated(deployment: Deployment) -> None:
    """Through the sensor as Dagster evaluates it."""
    ticks = defined(deployment, ALWAYS, 'end: "2026-11-01T04:00"')
    deployment.put_events("a", {"hour": 0.5}, {"hour": 1.5}, {"hour": 3.5})
    assert deployment.run("2026-11-01-00:00").success
    sensor = ticks.definitions.resolve_sensor_def("fill_gaps")
    requests = sensor.evaluate_tick(ticks.context()).run_requests or []
    assert [each.partition_key for each in requests] == hours(1, 1, 4)
    assert {each.job_name for each in requests} == {"events_archive_job"}
    for request in requests:
        assert ticks.run(request)
    after = sensor.evaluate_tick(ticks.context())
    assert (after.run_requests, after.skip_message) == ([], "There are no gaps.")
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING


def test_what_failed_is_asked_for_again_with_growing_pauses(deployment: Deployment) -> None:
    """The first run has no folder in the lake to read; the last one finds it."""
    ticks = defined(deployment, ALWAYS, 'end: "2026-11-01T02:00"', "pause_after: 0")
    ticks.deliver(export_of(ticks), ["2026-11-01-00:00"])
    now = datetime.now(UTC)
    keys, _ = ticks.tick(now)
    for pause in (15, 30):
        assert keys == ["2026-11-01-01:00"]
        assert not ticks.run(ticks.requested[-1])
        now = datetime.now(UTC)
        keys, reason = ticks.tick(now)
        assert keys == []
        assert "1 gap (2026-11-01-01:00)" in reason
        assert f"wait, until {now + MINUTE * pause:%Y-%m-%d %H:%M} UTC at least" in reason
        cursor = Cursor.read(ticks.cursor)
        later = now + MINUTE * (pause + 1)
        ticks.cursor = Cursor(later, cursor.progress, cursor.first).written()
        keys, _ = ticks.tick(later)
    deployment.put_events("a", {"hour": 1.5})
    assert ticks.run(ticks.requested[-1])
    assert len({request.run_key for request in ticks.requested}) == 3
    assert ticks.tick(later + MINUTE) == ([], "There are no gaps.")


def test_gaps_of_a_backfill_under_way_are_left_to_it(ticks: GapTicks) -> None:
    export, instance = export_of(ticks), ticks.instance
    ticks.deliver(export, ["2026-11-01-00:00"])
    graph = ticks.definitions.resolve_asset_graph()
    backfill = PartitionBackfill.from_asset_partitions(
        backfill_id="history",
        asset_graph=graph,
        partition_names=hours(1, 1, 3),
        asset_selection=[ASSET],
        backfill_timestamp=at("2026-11-02T00:00").timestamp(),
        tags={},
        dynamic_partitions_store=instance,
        all_partitions=False,
        title=None,
        description=None,
        run_config=None,
    )
    instance.add_backfill(backfill)
    assert ticks.tick(at("2026-11-01T05:20"))[0] == hours(1, 3, 5)
    instance.update_backfill(backfill.with_status(BulkActionStatus.CANCELED))
    assert ticks.tick(at("2026-11-01T05:21"))[0] == hours(1, 1, 3)


@pytest.mark.parametrize("why", ["stopped", "window", "paused"])
def test_nothing_is_asked_for_while_an_export_rests(deployment: Deployment, why: str) -> None:
    """The tick says why, and how it goes on."""
    lines = {
        "stopped": ["status: stopped"],
        "window": ['no_run_windows: [{from: "22:00", to: "06:00"}]'],
        "paused": [],
    }[why]
    ticks = defined(deployment, *lines)
    ticks.deliver(export_of(ticks), ["2026-11-01-00:00"])
    if why == "paused":
        hold(ticks.instance, "events_archive", "the bucket moves", at("2026-11-01T00:00"))
    keys, reason = ticks.tick(at("2026-11-02T05:00"))
    assert keys == []
    assert reason.startswith("events_archive: 27 gaps (2026-11-01-01:00, ")
    expected = {
        "stopped": "its schedule is stopped; start it",
        "window": "they start again at 2026-11-02 06:00 UTC",
        "paused": "the bucket moves `batch-exports resume events_archive`",
    }
    assert expected[why] in reason
    if why == "window":  # its schedule comes first
        assert ticks.tick(at("2026-11-02T05:04"))[0] == []
        ticks.cursor = Cursor(at("2026-11-02T06:09"), Cursor.read(ticks.cursor).progress).written()
        assert "its schedule asks for what" in ticks.tick(at("2026-11-02T06:10"))[1]
        ticks.cursor = Cursor(at("2026-11-02T06:15"), Cursor.read(ticks.cursor).progress).written()
        assert len(ticks.tick(at("2026-11-02T06:16"))[0]) == 10


def test_what_is_older_than_fill_gaps_is_left_to_people(deployment: Deployment) -> None:
    ticks = defined(deployment, "fill_gaps: 3 hours", "status: stopped")
    ticks.deliver(export_of(ticks), ["2026-11-01-00:00"])
    keys, reason = ticks.tick(at("2026-11-01T10:20"))
    assert keys == []
    assert "what ended before 2026-11-01 07:20 UTC was not looked at" in reason
    assert "2 gaps (2026-11-01-08:00, 2026-11-01-09:00); requested none" in reason
    ticks.cursor = Cursor(at("2026-11-01T11:59"), Cursor.read(ticks.cursor).progress).written()
    _, reason = ticks.tick(at("2026-11-01T12:00"))
    assert "2 gaps (2026-11-01-08:00, 2026-11-01-09:00); requested none" not in reason
    assert "1 gap (2026-11-01-08:00) left to you, being older than 3 h (fill_gaps)" in reason
    assert not build_gap_sensor([], []).has_jobs


def test_a_change_of_the_rhythm_begins_anew(deployment: Deployment) -> None:
    """What was missing by the old one's keys is forgotten; what becomes due is asked for."""
    ticks = defined(deployment)
    ticks.deliver(export_of(ticks), ["2026-11-01-00:00"])
    ticks.tick(at("2026-11-01T03:20"))
    daily = defined(deployment, "interval: day")
    daily.cursor = ticks.cursor
    assert daily.tick(at("2026-11-01T03:21")) == ([], "There are no gaps.")
    daily.cursor = Cursor(at("2026-11-03T00:19"), Cursor.read(daily.cursor).progress).written()
    assert daily.tick(at("2026-11-03T00:20"))[0] == ["2026-11-02"]


def test_exports_take_turns(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a tick cannot ask for all, the next one begins with the others."""
    monkeypatch.setattr(gap_sensor, "_MOST_REQUESTS", 3)
    ticks = defined(deployment, "catch_up_runs: 2")
    one = export_of(ticks)
    ticks.watched = {name: replace(one, name=name, key=dg.AssetKey(name)) for name in "abc"}
    for export in ticks.watched.values():
        ticks.deliver(export, ["2026-11-01-00:00"])
    asked = list[list[str]]()
    for minute in range(3):
        ticks.tick(at("2026-11-02T00:20") + MINUTE * minute)
        asked.append([str(each.job_name)[0] for each in ticks.requested])
        ticks.requested.clear()
    assert asked == [["a", "a", "b"], ["c", "c", "a"], ["b", "b", "c"]]
