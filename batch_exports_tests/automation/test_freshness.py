"""The newest interval that is due tells whether an export is fresh, whatever old ones are run."""

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from batch_exports.automation import freshness_sensor
from batch_exports.automation.alerts import watch
from batch_exports.automation.alerts.endings import read_endings
from batch_exports.automation.alerts.lateness import newest_expected
from batch_exports.automation.breaker import hold, resume
from batch_exports.automation.freshness import FRESHNESS, look, look_anew
from batch_exports.automation.freshness_report import evaluation
from batch_exports.components.errors import InvalidComponent
from batch_exports.export import Export
from batch_exports_tests.automation.scheduled import make_export
from batch_exports_tests.automation.sensors import Ticks, at, exports
from batch_exports_tests.checks.evaluations import metadata_of
from batch_exports_tests.deployment import ASSET, CONNECTION, EXPORT, LAKE, check_key, load

BERLIN = {"interval": "day", "timezone": "Europe/Berlin"}
NIGHT = {"no_run_windows": [{"from": "22:00", "to": "06:00"}]}
WORKDAYS = {"interval": {"cron": "30 6 * * 1-5"}}
FIRST, SECOND, THIRD, FOURTH = (f"2026-11-01-0{hour}:00" for hour in range(4))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def deliver(instance: dg.DagsterInstance, export: Export, *keys: str) -> None:
    for key in keys:
        instance.report_runless_asset_event(dg.AssetMaterialization(export.key, partition=key))


# Each has the export, keys that are delivered, the first look, and the first moment at which the
# export is late: a minute before it is fresh. Intervals are due a minute after their end.
@pytest.mark.parametrize(
    ("fields", "delivered", "first", "late"),
    [
        pytest.param({}, [FIRST], "2026-11-01T01:05", "2026-11-01T04:01", id="hours"),
        # What is old, or is delivered again, makes nothing fresh.
        pytest.param(
            {}, [SECOND, FIRST, FIRST], "2026-11-01T02:05", "2026-11-01T05:01", id="backfill"
        ),
        # That one is missing is the matter of gaps where a newer one is there.
        pytest.param({}, [FIRST, THIRD], "2026-11-01T03:05", "2026-11-01T06:01", id="gap"),
        # Nobody expects the history of an export that was never delivered.
        pytest.param({}, [], "2026-11-03T09:30", "2026-11-03T12:01", id="never delivered"),
        pytest.param({}, [], "2026-10-20T00:00", "2026-11-01T03:01", id="not yet begun"),
        pytest.param(
            {"delay_seconds": 1800}, [FIRST], "2026-11-01T01:05", "2026-11-01T04:30", id="delay"
        ),
        pytest.param(
            {"interval": "every 5 minutes", "fresh_within": "10 minutes"},
            ["2026-11-01-00:00"], "2026-11-01T00:07", "2026-11-01T00:21", id="minutes",
        ),
        # The day that ends on 25 October has 25 hours, that of 29 March 23.
        pytest.param(
            {**BERLIN, "start": "2026-10-20"}, ["2026-10-24"],
            "2026-10-25T00:00", "2026-10-26T01:01", id="clocks go back",
        ),
        pytest.param(
            {**BERLIN, "start": "2026-03-20"}, ["2026-03-28"],
            "2026-03-29T00:00", "2026-03-30T00:01", id="clocks go forward",
        ),
        pytest.param(
            {"interval": "week", "week_starts_on": "monday", "start": "2026-11-02"}, ["2026-11-02"],
            "2026-11-09T00:05", "2026-11-16T02:01", id="weeks",
        ),
        # From Friday to Monday is one interval.
        pytest.param(
            {**WORKDAYS, "start": "2026-11-02T06:30"}, ["2026-11-05-06:30"],
            "2026-11-06T07:00", "2026-11-09T08:31", id="workdays",
        ),
        # Nothing is delivered from 22:00 to 06:00: an hour before, and one after.
        pytest.param(
            NIGHT, ["2026-11-01-19:00"], "2026-11-01T20:10", "2026-11-02T07:01", id="into the night"
        ),
        pytest.param(
            NIGHT, ["2026-11-01-20:00"], "2026-11-01T21:10", "2026-11-02T08:00", id="in the night"
        ),
        pytest.param(
            {**NIGHT, "delay_seconds": 0}, ["2026-11-01-18:00"],
            "2026-11-01T19:10", "2026-11-01T22:00", id="until the night",
        ),
        pytest.param(
            {"end": "2026-11-01T02:00"}, [FIRST], "2026-11-01T01:05", "2026-11-01T04:01", id="end"
        ),
    ],
)  # fmt: skip
def test_when_it_is_late(
    instance: dg.DagsterInstance, fields: Mapping[str, Any], delivered: list[str],
    first: str, late: str,
) -> None:  # fmt: skip
    export = make_export(**{"fresh_within": "2 hours", **fields})
    deliver(instance, export, *delivered)
    found = look(instance, export, None, at(first), idle=False)
    assert found.verdict == "fresh"
    moment = at(late)
    found = look(instance, export, found, moment - timedelta(minutes=1), idle=False)
    assert found.verdict == "fresh", "a minute before"
    deliver(instance, export, *delivered[:1])
    assert look(instance, export, found, moment, idle=False).verdict == "late"
    # Who looks for the first time, and excuses nothing, finds the same.
    if delivered:
        assert look_anew(instance, export, moment).verdict == "late"
        assert look_anew(instance, export, moment - timedelta(minutes=1)).verdict == "fresh"


def test_an_export_that_has_ended_is_complete(instance: dg.DagsterInstance) -> None:
    export = make_export(fresh_within="2 hours", end="2026-11-01T02:00")
    deliver(instance, export, FIRST, SECOND)
    later = at("2027-11-01T00:00")
    told = evaluation(instance, export, look_anew(instance, export, later), later, None)
    assert told.passed
    assert (told.description or "").endswith("It was the last one.")


def test_what_is_told(instance: dg.DagsterInstance) -> None:
    export = make_export(fresh_within="2 hours", start="2020-01-01")
    deliver(instance, export, "2020-01-01-00:00")
    found = look(instance, export, None, at("2020-01-01T01:30"), idle=False)
    fresh = evaluation(instance, export, found, at("2020-01-01T01:30"), None)
    assert fresh.passed
    told = metadata_of(fresh)
    assert told["newest_delivered"] == told["newest_due"] == "2020-01-01-00:00"
    assert told["lag_seconds"] > 0
    assert told["fresh_until"] == at("2020-01-01T04:01").timestamp()
    now = at("2020-01-01T05:01")
    late = evaluation(instance, export, look(instance, export, found, now, idle=False), now, None)
    assert (late.passed, late.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert late.description == (
        "2020-01-01-01:00 was due at 2020-01-01 02:01 UTC, and neither it nor a newer one is "
        "delivered, 3 h later; 2 h are allowed (fresh_within)."
    )
    assert metadata_of(late) == {
        "newest_due": "2020-01-01-04:00",
        "late": "2020-01-01-01:00",
        "due": at("2020-01-01T02:01").timestamp(),
        "lag_seconds": 3 * 3600,
    }


class FreshTicks(Ticks):
    """Ticks of the sensor, and what the check is told by them."""

    def tick(self, text: str) -> list[tuple[bool, str]]:
        context = self.context()
        result = freshness_sensor.tick(context, exports(), at(text))
        self.take(result)
        told = [
            event for event in result.asset_events if isinstance(event, dg.AssetCheckEvaluation)
        ]
        return [(each.passed, each.description or "") for each in told]


@pytest.fixture
def ticks(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> FreshTicks:
    export = f"{EXPORT}  fresh_within: 2 hours\n"
    files = {"a/defs.yaml": "---\n".join([CONNECTION, LAKE, export])}
    return FreshTicks(load(tmp_path / "defs", files, monkeypatch), instance)


def evaluations(instance: dg.DagsterInstance) -> list[tuple[bool, str | None]]:
    """All that the instance has of the check, oldest first."""
    records = instance.event_log_storage.get_asset_check_execution_history(
        check_key(FRESHNESS), limit=99
    )
    found = [r.evaluation for r in reversed(records)]
    return [(each.passed, each.partition) for each in found if each]


def test_each_change_is_told_once(ticks: FreshTicks, instance: dg.DagsterInstance) -> None:
    export = exports()["events_archive"]
    deliver(instance, export, FIRST)
    ((passed, said),) = ticks.tick("2026-11-01T01:05")
    assert passed
    assert said.startswith(f"{FIRST} was delivered")
    assert ticks.tick("2026-11-01T02:30") == [], "the next is due, and not late yet"
    deliver(instance, export, SECOND)
    assert [passed for passed, _ in ticks.tick("2026-11-01T02:31")] == [True]
    assert ticks.tick("2026-11-01T05:00") == []
    assert [passed for passed, _ in ticks.tick("2026-11-01T05:01")] == [False]
    deliver(instance, export, FIRST)
    assert ticks.tick("2026-11-01T06:00") == []
    ((passed, said),) = ticks.tick("2026-11-01T06:01")
    assert said.startswith(f"{THIRD} was due at 2026-11-01 03:01 UTC"), "once an hour"
    deliver(instance, export, FOURTH)
    assert [passed for passed, _ in ticks.tick("2026-11-01T06:02")] == [True]
    # None is of a partition, and none is kept but once.
    expected = [True, True, False, False, True]
    assert evaluations(instance) == [(passed, None) for passed in expected]
    assert json.loads(ticks.cursor or "")["exports"].keys() == {"events_archive"}


def test_who_stops_an_export_expects_nothing(
    ticks: FreshTicks, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(instance, exports()["events_archive"], FIRST)
    ticks.tick("2026-11-01T01:05")
    hold(instance, "events_archive", "The warehouse moves.", at("2026-11-01T01:10"))
    assert ticks.tick("2026-11-01T03:00") == [(True, "Not judged: it is paused by hand.")]
    assert ticks.tick("2026-11-01T12:00") == []
    resume(instance, "events_archive", at("2026-11-01T12:00"))
    # What was due meanwhile is due now.
    assert [passed for passed, _ in ticks.tick("2026-11-01T12:01")] == [True]
    assert ticks.tick("2026-11-01T13:59") == []
    assert [passed for passed, _ in ticks.tick("2026-11-01T14:00")] == [False]
    stopped = {"events_archive_schedule"}
    monkeypatch.setattr(freshness_sensor, "stopped_schedules", lambda context: stopped)
    assert ticks.tick("2026-11-01T14:01") == [(True, "Not judged: its schedule is stopped.")]


def test_an_export_that_paused_itself_is_late_all_the_same(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = make_export(fresh_within="2 hours")
    monkeypatch.setattr(
        "batch_exports.automation.freshness_report.pause_of", lambda *_: "It is paused: mend it."
    )
    deliver(instance, export, FIRST)
    now = at("2026-11-01T09:00")
    told = evaluation(instance, export, look_anew(instance, export, now), now, None)
    assert (told.description or "").endswith("(fresh_within). It is paused: mend it.")


def test_the_check_itself(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the UI runs it, alone or with a partition; a red one is told by `late` alone."""
    export = EXPORT.replace("2026-11-01", "2020-01-01") + "  interval: day\n  fresh_within: 1 day\n"
    files = {"a/defs.yaml": "---\n".join([CONNECTION, LAKE, export])}
    definitions = load(tmp_path / "defs", files, monkeypatch)
    deliver(instance, exports()["events_archive"], "2020-01-01")
    job = definitions.resolve_implicit_global_asset_job_def()
    alone = job.get_subset(asset_selection=set(), asset_check_selection={check_key(FRESHNESS)})
    for options in ({}, {"partition_key": "2020-01-02"}):
        result = alone.execute_in_process(instance=instance, **options)
        (told,) = result.get_asset_check_evaluations()
        assert (told.passed, told.partition) == (False, None)
        assert metadata_of(told)["late"] == "2020-01-02"
    endings, _ = read_endings(instance, exports(), 0)
    assert endings
    assert not [check for ending in endings for check in ending.checks]
    delivering = definitions.resolve_job_def("events_archive_job")
    assert [each.name for each in delivering.nodes if FRESHNESS in each.name] == []
    sensor = definitions.resolve_sensor_def("freshness")
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING


def test_people_are_told_once(instance: dg.DagsterInstance) -> None:
    """And once more when a newer interval is there, even if the one that was late never is."""
    export, cursor = make_export(fresh_within="2 hours"), None
    deliver(instance, export, FIRST)
    told = []
    moments: dict[str, list[str]] = {
        "2026-11-01T01:05": [],
        "2026-11-01T04:00": [],
        "2026-11-01T04:02": [FIRST],
        "2026-11-01T05:02": [],
        "2026-11-01T05:03": [THIRD],
        "2026-11-01T05:04": [],
    }
    for moment, delivered in moments.items():
        deliver(instance, export, *delivered)
        found = watch.look(instance, {export.name: export}, cursor, at(moment), ())
        told += [(moment[-5:], alert.kind, alert.partitions) for alert in found.alerts]
        cursor = found.cursor
    assert told == [("04:02", "late", (SECOND,)), ("05:03", "recovered", (SECOND,))]


def test_late_is_told_to_people_when_the_check_is_red() -> None:
    export = make_export(fresh_within="30 minutes")
    expected = newest_expected(export, at("2026-11-01T03:31"))
    assert expected
    assert expected[:2] == (THIRD, at("2026-11-01T03:01"))
    usual = newest_expected(make_export(), at("2026-11-01T03:31"))
    assert usual
    assert usual[0] == SECOND


@pytest.mark.parametrize("text", ["0 hours", "soon"])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidComponent, match="fresh_within"):
        make_export(fresh_within=text)


def test_nobody_who_did_not_ask_is_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"a/defs.yaml": "---\n".join([CONNECTION, LAKE, EXPORT])}
    definitions = load(tmp_path / "defs", files, monkeypatch)
    assert "freshness" not in {sensor.name for sensor in definitions.sensors or ()}
    graph = definitions.resolve_asset_graph()
    assert FRESHNESS not in {key.name for key in graph.get_check_keys_for_assets({ASSET})}
