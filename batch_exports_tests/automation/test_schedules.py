"""Each interval is requested exactly once and in order, as soon as it may be read."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.schedule_definition import ScheduleExecutionData
from dagster._core.remote_representation.external import RemoteSchedule
from dagster._core.remote_representation.external_data import ScheduleSnap
from dagster._core.remote_representation.handle import RepositoryHandle

from batch_exports.export import Export
from batch_exports_tests.automation.scheduled import make_export, requested
from batch_exports_tests.deployment import CONNECTION, EXPORT, LAKE, load

HANDLE = RepositoryHandle.for_test()
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
    status: str = "running",
) -> dg.Definitions:
    export = EXPORT.replace('start: "2026-11-01"', f'start: "{start}"')
    export += f'  interval: {interval}\n  end: "{end}"\n  status: {status}\n'
    return load(folder, {"a/defs.yaml": "---\n".join([CONNECTION, LAKE, export])}, monkeypatch)


def schedule_of(definitions: dg.Definitions) -> dg.ScheduleDefinition:
    schedule = definitions.resolve_schedule_def("events_archive_schedule")
    assert isinstance(schedule, dg.ScheduleDefinition)
    return schedule


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


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("dagster"))) as instance:
        yield instance


@pytest.mark.parametrize(("timezone", "days"), CHANGES)
@pytest.mark.parametrize(
    ("interval", "offset", "delay", "time"),
    [
        ("hour", None, 60, ""),
        ("hour", None, 90 * 60, ""),
        ("hour", "00:30", 45 * 60, "T00:30"),
        ("every 2 hours", None, 60, ""),
        ("every 2 hours", None, 2 * 3600, ""),
        ("every 3 hours", "01:30", 60, "T01:30"),
        ("every 12 hours", "02:30", 45 * 60, "T02:30"),
        ("day", None, 60, ""),
        ("day", None, 150 * 60, ""),  # 02:30 on the clock, which comes twice, or not at all
        ("day", None, 26 * 3600, ""),
        ("day", "02:00", 60, "T02:00"),
        ("day", "02:30", 0, "T02:30"),
        ("day", "01:30", 60 * 60, "T01:30"),
        ({"cron": "30 6 * * 0,2,6"}, None, 600, "T06:30"),
        ({"cron": "30 2 * * *"}, None, 0, "T02:30"),
    ],
    ids=str,
)
def test_each_interval_once_in_order_across_the_change_of_clocks(
    interval: str | dict[str, str],
    offset: str | None,
    delay: int,
    time: str,
    timezone: str,
    days: tuple[str, str],
) -> None:
    first, last = (f"{day}{time}" for day in days)
    assert_each_once(
        make_export(
            interval=interval,
            offset=offset,
            start=first,
            end=last,
            timezone=timezone,
            delay_seconds=delay,
        )
    )


def assert_each_once(export: Export) -> None:
    found = requested(export)
    assert len(found) > 1
    assert [key for _, key in found] == export.partitions.get_partition_keys()
    for tick, key in found:
        # Never before its end. The run waits for what the tick leaves of the delay, and a change
        # of clocks may make the tick late by what is no more than that.
        assert timedelta(0) <= tick - export.interval(key).end <= export.delay + timedelta(hours=1)


@pytest.mark.parametrize(
    ("fields", "start", "end"),
    [
        ({}, "2026-03-01", "2026-04-05"),
        ({"week_starts_on": "wednesday"}, "2026-03-04", "2026-04-08"),
        ({"week_starts_on": "friday", "offset": "02:30"}, "2026-03-06T02:30", "2026-04-10T02:30"),
    ],
)
@pytest.mark.parametrize("delay", [60, 30 * 3600])
def test_weeks(fields: dict[str, str], start: str, end: str, delay: int) -> None:
    assert_each_once(
        make_export(
            interval="week", start=start, end=end, timezone=BERLIN, delay_seconds=delay, **fields
        )
    )


def test_five_minutes() -> None:
    export = make_export(
        interval="every 5 minutes", start="2026-11-01T00:00", end="2026-11-01T03:00",
        timezone=NEW_YORK, delay_seconds=120,
    )  # fmt: skip
    assert len(requested(export)) == 4 * 12  # from one o'clock to two comes twice
    assert_each_once(export)


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


def test_status_of_the_yaml_goes_over_to_a_running_deployment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance
) -> None:
    """As long as nobody has stopped or started the schedule in the UI: then that is what counts."""

    def deployed(status: str) -> RemoteSchedule:
        definitions = define(
            tmp_path, monkeypatch, "hour", start="2026-11-01", end="2026-11-02", status=status
        )
        snap = ScheduleSnap.from_def(schedule_of(definitions), definitions.get_repository_def())
        return RemoteSchedule(snap, HANDLE)

    def runs(schedule: RemoteSchedule) -> bool:
        stored = instance.get_instigator_state(
            schedule.get_remote_origin_id(), schedule.selector_id
        )
        return schedule.get_current_instigator_state(stored).is_running

    running, stopped = deployed("running"), deployed("stopped")
    # The daemon writes this for each schedule that runs by its definition.
    instance.add_instigator_state(running.get_current_instigator_state(None))
    assert runs(running)
    assert not runs(stopped)
    # Stopped and started in the UI.
    instance.stop_schedule(running.get_remote_origin_id(), running.selector_id, running)
    assert not runs(running)
    instance.start_schedule(running)
    assert runs(stopped)
    # Reset in the UI to what the definition says.
    instance.reset_schedule(stopped)
    assert not runs(stopped)
    assert runs(running)
