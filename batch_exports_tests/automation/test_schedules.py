"""Each interval is requested exactly once and in order, as soon as it may be read."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.schedule_definition import ScheduleExecutionData
from dagster._utils.schedules import cron_string_iterator

from batch_exports_tests.deployment import CONNECTION, EXPORT, LAKE, load

NEW_YORK = "America/New_York"
BERLIN = "Europe/Berlin"
# From a Saturday to a Tuesday; the clocks change in the night to the Sunday between them.
CHANGES = [
    pytest.param(NEW_YORK, ("2026-03-07", "2026-03-10"), id="New York, spring"),
    pytest.param(NEW_YORK, ("2026-10-31", "2026-11-03"), id="New York, autumn"),
    pytest.param(BERLIN, ("2026-03-28", "2026-03-31"), id="Berlin, spring"),
    pytest.param(BERLIN, ("2026-10-24", "2026-10-27"), id="Berlin, autumn"),
]


def define(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    interval: str,
    *,
    start: str,
    end: str,
    timezone: str = "UTC",
    delay: int = 60,
    status: str = "running",
) -> dg.Definitions:
    export = EXPORT.replace('start: "2026-11-01"', f'start: "{start}"')
    export += (
        f'  interval: {interval}\n  timezone: {timezone}\n  end: "{end}"\n'
        f"  delay_seconds: {delay}\n  status: {status}\n"
    )
    return load(folder, {"a/defs.yaml": "---\n".join([CONNECTION, LAKE, export])}, monkeypatch)


def schedule_of(definitions: dg.Definitions) -> dg.ScheduleDefinition:
    schedule = definitions.resolve_schedule_def("events_archive_schedule")
    assert isinstance(schedule, dg.ScheduleDefinition)
    return schedule


def partitions_of(definitions: dg.Definitions) -> dg.TimeWindowPartitionsDefinition:
    partitions = definitions.resolve_job_def("events_archive_job").partitions_def
    assert isinstance(partitions, dg.TimeWindowPartitionsDefinition)
    return partitions


def ticks(schedule: dg.ScheduleDefinition, first: datetime, last: datetime) -> Iterator[datetime]:
    """When Dagster's daemon would evaluate the schedule, as its own cron iterator says."""
    zone = schedule.execution_timezone
    cron = schedule.cron_schedule
    assert isinstance(cron, str)
    for tick in cron_string_iterator(first.timestamp(), cron, zone):
        if tick > last:
            return
        yield tick


def evaluate(
    definitions: dg.Definitions, instance: dg.DagsterInstance, tick: datetime
) -> ScheduleExecutionData:
    context = dg.build_schedule_context(
        instance=instance,
        scheduled_execution_time=tick,
        repository_def=definitions.get_repository_def(),
    )
    context._instance = instance  # it would open one of its own for each tick
    return schedule_of(definitions).evaluate_tick(context)


def requested(
    definitions: dg.Definitions, instance: dg.DagsterInstance
) -> list[tuple[datetime, str]]:
    """What the ticks request, from well before the first interval to well after the last."""
    schedule, partitions = schedule_of(definitions), partitions_of(definitions)
    assert partitions.end
    first, last = partitions.start - timedelta(hours=8), partitions.end + timedelta(hours=32)
    found = []
    for tick in ticks(schedule, first, last):
        for request in evaluate(definitions, instance, tick).run_requests or []:
            assert request.partition_key
            found.append((tick, request.partition_key))
    return found


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("dagster"))) as instance:
        yield instance


@pytest.mark.parametrize(("timezone", "days"), CHANGES)
@pytest.mark.parametrize(
    ("interval", "delay", "time"),
    [
        ("hour", 60, ""),
        ("hour", 90 * 60, ""),
        ("every 2 hours", 60, ""),
        ("every 2 hours", 2 * 3600, ""),
        ("day", 60, ""),
        ("day", 150 * 60, ""),  # 02:30 on the clock, which comes twice, or not at all
        ("day", 26 * 3600, ""),
        ("{cron: '30 6 * * 0,2,6'}", 600, "T06:30"),
        ("{cron: '30 2 * * *'}", 0, "T02:30"),
    ],
)
def test_each_interval_once_in_order_across_the_change_of_clocks(
    interval: str,
    delay: int,
    time: str,
    timezone: str,
    days: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    instance: dg.DagsterInstance,
) -> None:
    first, last = (f"{day}{time}" for day in days)
    definitions = define(
        tmp_path, monkeypatch, interval, start=first, end=last, timezone=timezone, delay=delay
    )
    assert_each_once(definitions, instance, timedelta(seconds=delay))


def assert_each_once(
    definitions: dg.Definitions, instance: dg.DagsterInstance, delay: timedelta
) -> None:
    found, partitions = requested(definitions, instance), partitions_of(definitions)
    assert len(found) > 1
    assert [key for _, key in found] == partitions.get_partition_keys()
    for tick, key in found:
        ended = partitions.time_window_for_partition_key(key).end
        wait = tick.astimezone(UTC) - ended.astimezone(UTC)
        # Never before its end. The run waits for what the tick leaves of the delay, and a change
        # of clocks may make the tick late by what is no more than that.
        assert timedelta(0) <= wait <= delay + timedelta(hours=1)


@pytest.mark.parametrize("delay", [60, 30 * 3600])
def test_weeks(
    delay: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance
) -> None:
    definitions = define(
        tmp_path, monkeypatch, "week", start="2026-03-01", end="2026-04-05",
        timezone=BERLIN, delay=delay,
    )  # fmt: skip
    assert_each_once(definitions, instance, timedelta(seconds=delay))


def test_five_minutes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance
) -> None:
    definitions = define(
        tmp_path, monkeypatch, "every 5 minutes", start="2026-11-01T00:00", end="2026-11-01T03:00",
        timezone=NEW_YORK, delay=120,
    )  # fmt: skip
    found = requested(definitions, instance)
    assert len(found) == 4 * 12  # from one o'clock to two comes twice
    assert_each_once(definitions, instance, timedelta(minutes=2))


def test_a_tick_without_an_interval_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance
) -> None:
    definitions = define(tmp_path, monkeypatch, "hour", start="2026-11-01", end="2026-11-02")
    for tick in (datetime(2026, 11, 1, 0, 1, tzinfo=UTC), datetime(2026, 11, 2, 1, 1, tzinfo=UTC)):
        result = evaluate(definitions, instance, tick)
        assert not result.run_requests
        assert result.skip_message == "No interval of this export has become due."


def test_the_first_and_the_last_interval(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance
) -> None:
    definitions = define(tmp_path, monkeypatch, "hour", start="2026-11-01", end="2026-11-02")
    for tick, key in [
        (datetime(2026, 11, 1, 1, 1, tzinfo=UTC), "2026-11-01-00:00"),
        (datetime(2026, 11, 2, 0, 1, tzinfo=UTC), "2026-11-01-23:00"),
    ]:
        (request,) = evaluate(definitions, instance, tick).run_requests or []
        assert (request.partition_key, request.run_key) == (key, key)


@pytest.mark.parametrize("status", ["running", "stopped"])
def test_it_runs_unless_told_otherwise(
    status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    definitions = define(
        tmp_path, monkeypatch, "hour", start="2026-11-01", end="2026-11-02", status=status
    )
    assert schedule_of(definitions).default_status.value == status.upper()
