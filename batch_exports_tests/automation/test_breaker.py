"""An export whose runs fail one after the other is paused, says so everywhere, and goes on."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.schedule_definition import ScheduleExecutionData

from batch_exports.automation import pause_sensor
from batch_exports.automation.breaker import hold, pause_of, resume
from batch_exports.local import seaweedfs
from batch_exports_tests.automation.failing import NAME, FailingExport, failing_export
from batch_exports_tests.automation.sensors import Ticks
from batch_exports_tests.deployment import ASSET


@pytest.fixture
def failing(
    tmp_path: Path, s3_server: seaweedfs.Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FailingExport]:
    with failing_export(tmp_path, s3_server, bucket, monkeypatch) as found:
        found.define("pause_after: 2")
        yield found


def scheduled(failing: FailingExport) -> ScheduleExecutionData:
    """The schedule's tick of an hour's end."""
    schedule = failing.definitions.resolve_schedule_def(f"{NAME}_schedule")
    assert isinstance(schedule, dg.ScheduleDefinition)
    context = dg.build_schedule_context(
        instance=failing.instance,
        scheduled_execution_time=datetime(2026, 11, 1, 5, 1, tzinfo=UTC),
        repository_def=failing.definitions.get_repository_def(),
    )
    return schedule.evaluate_tick(context)


def test_failures_in_a_row_pause_it_and_a_delivery_by_hand_resumes_it(
    failing: FailingExport,
) -> None:
    failing.broken(0, 1, 2)
    failing.mended(3)
    # A success between them starts the row anew.
    assert failing.runs(0, 3, 1) == [False, True, False]
    assert pause_of(failing.instance, failing.export) is None
    assert scheduled(failing).run_requests
    assert failing.runs(2) == [False]
    pause = pause_of(failing.instance, failing.export)
    assert pause
    assert pause.failures == 2
    tick = scheduled(failing)
    assert not tick.run_requests
    assert tick.skip_message == str(pause)
    assert "events_archive is paused: its last 2 runs failed, since 20" in str(pause)
    assert "materialize any partition of it" in str(pause)
    # It is in the instance's storage: another process sees it.
    with dg.DagsterInstance.from_ref(failing.instance.get_ref()) as other:
        assert pause_of(other, failing.export) == pause
    # From the asset's page in the UI, which has a job of its own.
    job = failing.definitions.resolve_implicit_global_asset_job_def()
    by_hand = job.get_subset(asset_selection={ASSET}, asset_check_selection=set())
    result = by_hand.execute_in_process(partition_key="2026-11-01-03:00", instance=failing.instance)
    assert result.success
    assert pause_of(failing.instance, failing.export) is None
    assert scheduled(failing).run_requests


def test_what_does_not_count(failing: FailingExport) -> None:
    failing.broken(0)
    failing.define("pause_after: 1")
    for tags in (
        {"dagster/will_retry": "true"},  # Dagster tries it again by itself
        {"dagster/backfill": "abcdefgh"},
    ):
        assert not failing.run(tags=tags).success
        assert pause_of(failing.instance, failing.export) is None
    assert failing.runs(0) == [False]
    assert pause_of(failing.instance, failing.export)
    failing.define("pause_after: 0")
    assert pause_of(failing.instance, failing.export) is None


def test_people_pause_and_resume_it(failing: FailingExport) -> None:
    now = datetime.now(UTC)
    hold(failing.instance, NAME, "The warehouse moves.", now)
    pause = pause_of(failing.instance, failing.export)
    assert pause
    assert "paused by hand since" in str(pause)
    assert "The warehouse moves. `batch-exports resume events_archive` ends" in str(pause)
    failing.mended(0)
    assert failing.runs(0) == [True]
    assert pause_of(failing.instance, failing.export)  # a delivery is no word
    resume(failing.instance, NAME, datetime.now(UTC))
    assert pause_of(failing.instance, failing.export) is None
    failing.broken(1)
    assert failing.runs(1, 1) == [False, False]
    assert pause_of(failing.instance, failing.export)
    resume(failing.instance, NAME, datetime.now(UTC))
    assert pause_of(failing.instance, failing.export) is None


def test_it_is_noted_on_the_asset_once(failing: FailingExport) -> None:
    ticks = Ticks(failing.definitions, failing.instance)

    def tick() -> tuple[str, list[str | None]]:
        context = ticks.context()
        before = ticks.cursor
        result = pause_sensor.tick(context, {NAME: failing.export})
        _, reason = ticks.take(result)
        assert before is None or ticks.cursor
        return reason, [event.description for event in result.asset_events]

    assert tick() == ("No export is paused.", [])
    failing.broken(0)
    assert failing.runs(0, 0) == [False, False]
    pause = pause_of(failing.instance, failing.export)
    assert tick() == (str(pause), [str(pause)])
    observed = failing.instance.fetch_observations(ASSET, limit=1).records[0].asset_observation
    assert observed
    assert observed.metadata["failed_runs"].value == 2
    assert failing.runs(0) == [False]
    reason, noted = tick()
    assert "is paused" in reason
    assert noted == []
    failing.mended(0)
    assert failing.runs(0) == [True]
    reason, (noted_over,) = tick()
    assert reason == "No export is paused."
    assert "events_archive goes on, after a pause since" in str(noted_over)
    hold(failing.instance, NAME, "The warehouse moves.", datetime.now(UTC))
    assert "by hand" in str(tick()[1][0])
    assert tick()[1] == []


def test_every_deployment_has_the_sensor(failing: FailingExport) -> None:
    sensor = failing.definitions.resolve_sensor_def("pauses")
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    context = Ticks(failing.definitions, failing.instance).context()
    assert sensor.evaluate_tick(context).skip_message == "No export is paused."
