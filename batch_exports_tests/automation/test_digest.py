"""The digest says of each export what it did in a day, whatever the clocks do in it."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from batch_exports.automation import digest_schedule
from batch_exports.automation.digest import Day, digest
from batch_exports_tests.automation.alerts.receiver import Receiver
from batch_exports_tests.automation.sensors import exports
from batch_exports_tests.deployment import ASSET, CONNECTION, EXPORT, LAKE, load

ALERTS = """\
type: batch_exports.Alerts
attributes:
  name: oncall
  webhook: {url: "{{ env.TEST_WEBHOOK }}"}
  digest: "08:00"
  timezone: Europe/Berlin
"""
OTHER = EXPORT.replace("events_archive", "other_archive")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with closing(Receiver()) as receiver:
        yield receiver


@pytest.fixture
def definitions(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> dg.Definitions:
    monkeypatch.setenv("TEST_WEBHOOK", receiver.address)
    monkeypatch.setattr(digest_schedule, "_WAIT_SECONDS", 0)
    documents = [CONNECTION, LAKE, EXPORT, OTHER, ALERTS]
    return load(tmp_path, {"a/defs.yaml": "---\n".join(documents)}, monkeypatch)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def deliver(instance: dg.DagsterInstance, key: str, **metadata: int) -> None:
    told = {name.replace("__", "/"): value for name, value in metadata.items()}
    instance.report_runless_asset_event(
        dg.AssetMaterialization(ASSET, partition=key, metadata=told)
    )


def send(
    definitions: dg.Definitions, instance: dg.DagsterInstance, end: datetime
) -> dg.ExecuteInProcessResult:
    job = definitions.resolve_job_def("oncall_digest_job")
    tags = {digest_schedule.END_TAG: end.isoformat()}
    return job.execute_in_process(instance=instance, tags=tags, raise_on_error=False)


def test_a_day(
    definitions: dg.Definitions, instance: dg.DagsterInstance, receiver: Receiver
) -> None:
    deliver(instance, "2026-11-01-00:00", dagster__partition_row_count=5, bytes=10)
    deliver(
        instance, "2026-11-01-02:00", dagster__partition_row_count=7, bytes=20, rejected_rows=3,
        replaced_rows=2,
    )  # fmt: skip
    # Delivered again: what is there now counts, and it is one partition.
    deliver(instance, "2026-11-01-00:00", dagster__partition_row_count=6, bytes=11)
    job = definitions.resolve_job_def("events_archive_job")
    for status in (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS):
        tags = {"batch_exports/export": "events_archive"}
        instance.create_run_for_job(job, status=status, tags=tags)
    export = exports()["events_archive"]
    # By then hours 0 to 4 are due, of which 1, 3 and 4 are missing; the deliveries are of now.
    now = datetime.now(UTC)
    day = digest_schedule.read_day(instance, export, datetime(2026, 1, 1, tzinfo=UTC), now)
    assert (day.delivered, day.rows, day.bytes) == (2, 13, 31)
    assert (day.rejected, day.replaced, day.failed) == (3, 2, 1)
    assert not day.paused
    earlier = datetime(2026, 11, 1, 5, 2, tzinfo=UTC)
    then = digest_schedule.read_day(instance, export, datetime(2026, 1, 1, tzinfo=UTC), earlier)
    assert (then.gaps, then.delivered) == (3, 0)
    assert send(definitions, instance, now).success
    ((_, _, body),) = receiver.posted
    told = json.loads(body)
    assert told["type"] == "digest"
    named = {each["export"]: each for each in told["exports"]}
    assert named["events_archive"]["rows"] == 13
    assert named["other_archive"]["delivered"] == 0


def test_in_words() -> None:
    begin, end = (datetime(2026, 11, day, 8, tzinfo=ZoneInfo("Europe/Berlin")) for day in (1, 2))
    busy = Day("events", 24, 1200, 1, 3, 0, 1, 2, True)
    quiet = Day("persons", 0, 0, 0, 0, 0, 0, 0, False)
    message = digest([busy, quiet], begin, end, "https://ui")
    assert message.text == (
        "Exports, 2026-11-01 08:00 to 2026-11-02 08:00 CET\n\n"
        "events: 24 partitions delivered, 1,200 rows, 1 byte, 3 rows rejected, 1 run failed, "
        "2 gaps open, PAUSED\n"
        "Quiet: persons\n\n"
        "https://ui"
    )
    assert "All quiet: nothing ran" in digest([quiet], begin, end, None).text


def test_each_way_is_tried_and_a_digest_that_is_not_sent_is_seen(
    definitions: dg.Definitions, instance: dg.DagsterInstance, receiver: Receiver
) -> None:
    receiver.status, receiver.text = 500, b"no"
    result = send(definitions, instance, datetime.now(UTC))
    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    data: Any = failure.step_failure_data.user_failure_data
    assert data.description == "The digest was not sent. webhook: The answer was 500: no"


@pytest.mark.parametrize(
    ("tick", "hours"),
    [
        (datetime(2026, 11, 5, 7, tzinfo=UTC), 24),
        (datetime(2026, 10, 25, 7, tzinfo=UTC), 25),  # the clocks went back in that night
        (datetime(2026, 3, 29, 6, tzinfo=UTC), 23),
    ],
)
def test_the_schedule(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    receiver: Receiver,
    tick: datetime,
    hours: int,
) -> None:
    schedule = definitions.resolve_schedule_def("oncall_digest")
    assert isinstance(schedule, dg.ScheduleDefinition)
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 8 * * *", "Europe/Berlin")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    context = dg.build_schedule_context(
        instance=instance,
        scheduled_execution_time=tick.astimezone(ZoneInfo("Europe/Berlin")),
        repository_def=definitions.get_repository_def(),
    )
    (request,) = schedule.evaluate_tick(context).run_requests or []
    job = definitions.resolve_job_def("oncall_digest_job")
    assert job.execute_in_process(instance=instance, tags=dict(request.tags)).success
    told = json.loads(receiver.posted[0][2])
    begin, end = (datetime.fromisoformat(told[name]) for name in ("begin", "end"))
    assert end == tick
    assert (end - begin).total_seconds() == hours * 3600
