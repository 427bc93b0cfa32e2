"""Windows without runs: nothing starts within, nothing is lost, nothing is requested twice."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from batch_exports.automation.breaker import hold
from batch_exports.automation.no_run_windows import held_until
from batch_exports.automation.schedules import evaluate
from batch_exports.automation.ticks import build_ticks
from batch_exports.export import Export
from batch_exports_tests.automation.scheduled import make_export, requested
from batch_exports_tests.deployment import CONNECTION, EXPORT, LAKE, load

BERLIN = "Europe/Berlin"
NIGHTS: dict[str, Any] = {"no_run_windows": [{"from": "22:00", "to": "06:00"}]}
SPRING, AUTUMN = ("2026-03-27", "2026-03-31"), ("2026-10-23", "2026-10-27")


@pytest.mark.parametrize(("first", "last"), [SPRING, AUTUMN], ids=["spring", "autumn"])
@pytest.mark.parametrize(
    "windows",
    [
        [{"from": "22:00", "to": "02:30"}],
        [{"from": "00:30", "to": "02:30"}, {"from": "02:30", "to": "04:10"}],
        [{"from": "00:00", "to": "00:00", "days": ["sat", "sun"]}],
        [{"from": "20:00", "to": "23:45", "timezone": "America/New_York"}],
    ],
    ids=lambda windows: windows[0]["to"],
)
@pytest.mark.parametrize(
    "fields",
    [
        {"interval": "every 30 minutes"},
        {"interval": "every 2 hours", "delay_seconds": 3600},
        {"interval": "day", "offset": "02:30"},
        {"interval": {"cron": "0 */3 * * *"}, "delay_seconds": 600},
    ],
    ids=str,
)
def test_each_interval_is_requested_once_after_the_window_that_held_it_back(
    fields: dict[str, Any], windows: list[dict[str, Any]], first: str, last: str
) -> None:
    at = "T02:30" if "offset" in fields else ""
    fields = {**fields, "start": first + at, "end": last + at, "timezone": BERLIN}
    usual = dict(key_and_tick(make_export(**fields)))
    export = make_export(**fields, no_run_windows=windows)
    found = key_and_tick(export)
    assert [key for key, _ in found] == export.partitions.get_partition_keys()
    held = 0
    for key, tick in found:
        free = held_until(export.no_run_windows, usual[key])
        assert held_until(export.no_run_windows, tick) is None
        # At the end of the window; what ticks each hour, within the hour after it. A cron of the
        # user's own that would wait into a window is held back as well.
        held += free is not None
        assert tick >= (free or usual[key])
        late = tick - (free or usual[key])
        assert late <= timedelta(hours=1) or fields["interval"] == {"cron": "0 */3 * * *"}
    assert held or fields["interval"] == "day"


def key_and_tick(export: Export) -> list[tuple[str, datetime]]:
    return [(key, tick) for tick, key in requested(export)]


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


def tick(
    export: Export, instance: dg.DagsterInstance, at: str, *, evaluated: str | None = None
) -> list[str] | str:
    """The partitions that a tick requests, or why it requests none; times are those of Berlin."""
    moments = [moment(at), moment(evaluated or at)]
    context = dg.build_schedule_context(instance=instance, scheduled_execution_time=moments[0])
    context._instance = instance
    result = evaluate(export, build_ticks(export), "events_archive_job", context, *moments)
    if isinstance(result, dg.SkipReason):
        return result.skip_message or ""
    return [request.partition_key or "" for request in result]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(BERLIN)).astimezone(UTC)


def deliver(export: Export, instance: dg.DagsterInstance, *keys: str) -> None:
    for key in keys:
        instance.report_runless_asset_event(dg.AssetMaterialization(export.key, partition=key))


def night(hours: str) -> list[str]:
    """Keys of hours of the second of November, those of the evening before it."""
    return [f"2026-11-0{1 if int(hour) > 12 else 2}-{hour}:00" for hour in hours.split()]


def test_a_tick_in_a_window_names_it_and_the_first_after_it_requests_what_waited(
    instance: dg.DagsterInstance,
) -> None:
    export = make_export(timezone=BERLIN, **NIGHTS)
    assert tick(export, instance, "2026-11-01T21:01") == night("20")
    assert tick(export, instance, "2026-11-02T00:01") == (
        "No runs from 22:00 to 06:00 (Europe/Berlin): 3 intervals wait (2026-11-01-21:00 to "
        "2026-11-01-23:00) until 2026-11-02 06:00 (Europe/Berlin)."
    )
    deliver(export, instance, *night("19 20"))
    held = night("21 22 23 00 01 02 03 04 05")
    assert tick(export, instance, "2026-11-02T06:01") == held
    deliver(export, instance, *held)
    assert tick(export, instance, "2026-11-02T07:01") == night("06")


def test_a_tick_that_is_missed_after_a_window_is_made_good_by_the_next(
    instance: dg.DagsterInstance,
) -> None:
    export = make_export(timezone=BERLIN, **NIGHTS)
    deliver(export, instance, *night("19 20 21 22"))  # two of them by hand
    held = night("23 00 01 02 03 04 05")
    # The daemon was down until eight: of the ticks that it missed, it evaluates the last.
    assert tick(export, instance, "2026-11-02T08:01") == [*held, "2026-11-02-07:00"]
    deliver(export, instance, *held, "2026-11-02-07:00")
    assert tick(export, instance, "2026-11-02T09:01") == ["2026-11-02-08:00"]


def test_a_new_export_is_not_given_what_was_due_before_it_ran(
    instance: dg.DagsterInstance,
) -> None:
    export = make_export(timezone=BERLIN, **NIGHTS)
    assert tick(export, instance, "2026-11-02T08:01") == night("07")
    deliver(export, instance, *night("07"))
    assert tick(export, instance, "2026-11-02T09:01") == night("08")


def test_a_tick_that_is_late_into_a_window_is_held_back_as_well(
    instance: dg.DagsterInstance,
) -> None:
    export = make_export(interval="day", timezone=BERLIN, offset="21:00", start="2026-10-01T21:00",
                         **NIGHTS)  # fmt: skip
    deliver(export, instance, "2026-10-30-21:00")
    key = "2026-10-31-21:00"
    late = tick(export, instance, "2026-11-01T21:01", evaluated="2026-11-01T22:30")
    assert "22:00 to 06:00" in late
    assert key in late
    assert tick(export, instance, "2026-11-02T06:00") == [key]
    deliver(export, instance, key)
    again = tick(export, instance, "2026-11-02T06:00")
    assert again == "No interval of this export has become due."


def test_a_run_that_failed_is_not_requested_again_and_a_pause_is_kept(
    instance: dg.DagsterInstance,
) -> None:
    export = make_export(timezone=BERLIN, **NIGHTS)
    deliver(export, instance, *night("19 20 21 22 23 00 01 02 03 05"))
    job = "events_archive_job"
    instance.add_run(
        dg.DagsterRun(job, tags={"dagster/partition": "2026-11-02-04:00"},
                      status=dg.DagsterRunStatus.FAILURE)
    )  # fmt: skip
    assert tick(export, instance, "2026-11-02T07:01") == night("06")
    hold(instance, export.name, "the table is being rebuilt", moment("2026-11-02T06:00"))
    assert "the table is being rebuilt" in tick(export, instance, "2026-11-02T07:01")


def test_a_cron_of_the_user_is_held_back_where_its_run_would_wait_into_a_window(
    instance: dg.DagsterInstance,
) -> None:
    export = make_export(
        interval={"cron": "55 21 * * *"}, start="2026-11-01T21:55", timezone=BERLIN,
        delay_seconds=600, **NIGHTS
    )  # fmt: skip
    assert "No runs from 22:00" in tick(export, instance, "2026-11-02T21:55")
    assert tick(export, instance, "2026-11-03T06:00") == ["2026-11-01-21:55"]


def test_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def schedule(lines: str) -> dg.ScheduleDefinition:
        export = f"{EXPORT.replace('2026-11-01', '2026-11-04T02:00')}{lines}"
        files = {"a/defs.yaml": "---\n".join([CONNECTION, LAKE, export])}
        found = load(tmp_path, files, monkeypatch).resolve_schedule_def("events_archive_schedule")
        assert isinstance(found, dg.ScheduleDefinition)
        return found

    week = (
        "  interval: week\n  week_starts_on: wednesday\n  offset: 02:00\n"
        "  timezone: Europe/Berlin\n  no_run_windows:\n"
    )
    found = schedule(week + '    - {from: "22:00", to: "06:00", days: [sat, sun]}\n')
    assert found.cron_schedule == ["1 2 * * 3", "0 6 * * 0,1"]
    assert "22:00 to 06:00 on sat, sun (Europe/Berlin)" in (found.description or "")
    for line, told in [
        ("{from: 22:00, to: 06:00}", "no_run_windows.0.from: 1320 is a number"),
        ('{from: "22:00", to: 6am}', "no_run_windows.0.to: '6am' is not a time of day"),
        ('{from: "22:00", to: "06:00", timezone: MEZ+1}', "no_run_windows.0.timezone: 'MEZ+1'"),
        ('{from: "22:00", to: "06:00", days: [saturday]}', "'saturday' does not fit"),
        ('{from: "22:00", to: "22:00"}', "leave no time to run"),
    ]:
        with pytest.raises(Exception, match=r"defs\.yaml:2") as caught:
            schedule(f"{week}    - {line}\n")
        assert told in str(caught.value)
