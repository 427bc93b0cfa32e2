"""People are told once of what is wrong, and once that it is over; a way that is broken costs
nothing but a try."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from batch_exports.automation.alerts import sensor as alerts
from batch_exports.automation.alerts.channel import Channel
from batch_exports.automation.alerts.outbox import MOST_TRIES
from batch_exports.automation.alerts.webhook import Webhook
from batch_exports.export import Export
from batch_exports.local import seaweedfs
from batch_exports_tests.automation.alerts.receiver import Receiver
from batch_exports_tests.automation.failing import (
    NAME,
    FailingExport,
    failing_export,
    hour_key,
)
from batch_exports_tests.automation.sensors import Ticks

ALERTS = """\
type: batch_exports.Alerts
attributes:
  name: oncall
  slack: {webhook_url: {env: TEST_SLACK}}
  webhook: {url: "{{ env.TEST_WEBHOOK }}", secret: {env: TEST_SHARED}}
  ui_url: https://dagster.example.com/
  digest: "08:00"
  timezone: Europe/Berlin
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with closing(Receiver()) as receiver:
        yield receiver


@pytest.fixture
def failing(
    tmp_path: Path,
    s3_server: seaweedfs.Server,
    bucket: str,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[FailingExport]:
    monkeypatch.setenv("TEST_SLACK", f"{receiver.address}/services/secret")
    monkeypatch.setenv("TEST_WEBHOOK", f"{receiver.address}/hook")
    monkeypatch.setenv("TEST_SHARED", "shared")
    folder = tmp_path / "defs" / "alerts"
    folder.mkdir(parents=True)
    (folder / "defs.yaml").write_text(ALERTS)
    with failing_export(tmp_path, s3_server, bucket, monkeypatch) as found:
        found.define("pause_after: 3")
        yield found


class Watch(Ticks):
    """The ticks of the sensor; `now` is when the next one is."""

    now: datetime
    export: Export
    channels: dict[str, Channel]

    def tick(self) -> str:
        """The tick's reason."""
        result = alerts.tick(
            self.context(), {NAME: self.export}, self.channels, self.now, "https://ui", str
        )
        return self.take(result)[1]


@pytest.fixture
def watch(failing: FailingExport, receiver: Receiver) -> Watch:
    watch = Watch(failing.definitions, failing.instance)
    watch.now, watch.export = datetime.now(UTC), failing.export
    watch.channels = {"webhook": Webhook(lambda: receiver.address)}
    watch.tick()
    return watch


def told(receiver: Receiver, path: str = "/") -> list[dict[str, Any]]:
    """What has arrived since one asked last."""
    posted = [json.loads(body) for to, _, body in receiver.posted if to == path]
    receiver.posted.clear()
    return posted


def kinds(receiver: Receiver) -> list[tuple[str, list[str]]]:
    return [(each["kind"], each["partitions"]) for each in told(receiver)]


def test_as_it_is_deployed(failing: FailingExport, receiver: Receiver) -> None:
    sensor = failing.definitions.resolve_sensor_def("oncall_alerts")
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    failing.broken(0)
    assert failing.runs(0) == [False]  # before anybody looked
    ticks = Ticks(failing.definitions, failing.instance)

    def tick() -> str:
        data = sensor.evaluate_tick(ticks.context())
        assert not data.run_requests
        ticks.cursor = data.cursor
        return str(data.skip_message)

    assert tick() == "Runs that ended: 0. Alerts: 0."
    result = failing.run(hour_key(0))
    reason = tick()
    assert "Runs that ended: 1. Alerts: 1.\nSent by slack: " in reason
    (alert,) = [json.loads(body) for path, _, body in receiver.posted if path == "/hook"]
    assert alert["title"] == "events_archive: a run failed"
    assert alert["partitions"] == [hour_key(0)]
    assert alert["run_url"] == f"https://dagster.example.com/runs/{result.run_id}"
    failure = alert["failure"]
    assert failure["kind"] == "Terminal"
    assert failure["message"]
    assert failure["remedy"]
    (slack,) = [json.loads(body) for path, _, body in receiver.posted if path != "/hook"]
    text = json.dumps(slack)
    assert f"/runs/{result.run_id}|Open the run>" in text
    assert "*Remedy*" in text
    assert "1 since 20" in text
    assert tick() == "Runs that ended: 0. Alerts: 0."


def test_once_when_it_begins_when_it_is_paused_and_when_it_is_over(
    failing: FailingExport, watch: Watch, receiver: Receiver
) -> None:
    failing.broken(0, 1, 2)
    assert failing.runs(0) == [False]
    watch.tick()
    assert kinds(receiver) == [("failed", [hour_key(0)])]
    assert failing.runs(1) == [False]
    watch.tick()
    assert kinds(receiver) == []  # people know
    assert failing.runs(2) == [False]
    watch.tick()
    (paused,) = told(receiver)
    assert (paused["kind"], paused["failures"]) == ("paused", 3)
    assert "materialize any partition" in paused["text"]
    assert paused["failure"]["kind"] == "Terminal"
    watch.tick()
    assert failing.runs(2) == [False]
    watch.tick()
    assert kinds(receiver) == []
    failing.mended(0)
    assert failing.runs(0) == [True]
    watch.tick()
    (over,) = told(receiver)
    assert over["kind"] == "recovered"
    assert over["text"].endswith(f"left: {hour_key(1)}, {hour_key(2)}.")
    # The next failure is news again.
    assert failing.runs(1) == [False]
    watch.tick()
    assert kinds(receiver) == [("failed", [hour_key(1)])]
    failing.mended(1)
    assert failing.runs(1) == [True]
    watch.tick()
    assert kinds(receiver) == [("recovered", [hour_key(1)])]


def test_a_check_that_turns_red(failing: FailingExport, watch: Watch, receiver: Receiver) -> None:
    failing.mended(0, 1)
    assert failing.runs(0, 1) == [True, True]
    late = {"hour": 0.6}
    failing.put_events("late", late)  # the row_count check of hour 0 is red from now on
    assert not failing.check("row_count", hour_key(0)).passed
    watch.tick()
    (red,) = told(receiver)
    assert (red["kind"], red["check"], red["partitions"]) == (
        "check_failed", "row_count", [hour_key(0)],
    )  # fmt: skip
    assert "Rows may have come late" in red["text"]
    assert failing.check("row_count", hour_key(1)).passed
    assert not failing.check("row_count", hour_key(0)).passed
    watch.tick()
    assert kinds(receiver) == []
    assert failing.runs(0) == [True]
    watch.tick()
    assert kinds(receiver) == [("check_passed", [hour_key(0)])]


def test_a_way_that_is_broken(failing: FailingExport, watch: Watch, receiver: Receiver) -> None:
    receiver.status, receiver.text = 503, b"not now"
    failing.broken(0)
    assert failing.runs(0) == [False]
    reasons = [watch.tick()]
    assert "webhook: The answer was 503: not now" in reasons[0]
    assert "is sent again in 30 s (try 1)" in reasons[0]
    assert "Waiting to be sent: 1." in reasons[0]
    assert "503" not in watch.tick()  # not before 30 s have passed
    for _ in range(MOST_TRIES - 2):
        watch.now += timedelta(hours=1)
        reasons.append(watch.tick())
    assert f"(try {MOST_TRIES - 1})" in reasons[-1]
    watch.now += timedelta(hours=2)
    assert f"is given up after {MOST_TRIES} tries" in watch.tick()
    watch.now += timedelta(hours=2)
    assert watch.tick() == "Runs that ended: 0. Alerts: 0."
    # What can be sent later is sent later.
    failing.mended(0)
    assert failing.runs(0) == [True]
    watch.tick()
    receiver.status = 200
    watch.now += timedelta(minutes=1)
    assert "Sent by webhook: events_archive delivers again." in watch.tick()
    assert kinds(receiver)[0] == ("recovered", [hour_key(0)])


def test_no_transport_fails_a_tick(failing: FailingExport, watch: Watch) -> None:
    class Broken:
        name = "webhook"

        def send(self, message: object) -> None:
            raise RuntimeError("https://hooks.example.com/secret")

    watch.channels = {"webhook": Broken()}
    failing.broken(0)
    assert failing.runs(0) == [False]
    reason = watch.tick()
    assert "webhook: RuntimeError." in reason
    assert "secret" not in reason


def test_what_an_error_repeats_of_a_secret_is_not_told(
    failing: FailingExport, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lake's path, which the error names, holds what is a password in this deployment."""
    sensor = failing.definitions.resolve_sensor_def("oncall_alerts")
    ticks = Ticks(failing.definitions, failing.instance)
    ticks.cursor = sensor.evaluate_tick(ticks.context()).cursor
    failing.broken(0)
    assert failing.runs(0) == [False]
    monkeypatch.setenv("TEST_S3_SECRET", "event")  # the message is of events
    data = sensor.evaluate_tick(ticks.context())
    (alert,) = [json.loads(body) for path, _, body in receiver.posted if path == "/hook"]
    assert "event" not in alert["failure"]["message"] + alert["failure"]["remedy"]
    assert data.cursor
    assert "shared" not in data.cursor + str(receiver.posted)


def test_lateness(failing: FailingExport, watch: Watch, receiver: Receiver) -> None:
    # Each hour is due a minute after its end, and an hour later it is late.
    watch.cursor = None
    watch.now = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    for hour in (5, 6, 7):
        watch.deliver(failing.export, [hour_key(hour)])
    watch.tick()
    watch.now = datetime(2026, 11, 1, 9, 59, tzinfo=UTC)
    watch.tick()
    assert kinds(receiver) == []  # hour 8 may come until 10:01
    watch.now = datetime(2026, 11, 1, 10, 2, tzinfo=UTC)
    watch.tick()
    (late,) = told(receiver)
    assert (late["kind"], late["partitions"]) == ("late", [hour_key(8)])
    assert late["text"].startswith("2026-11-01-08:00 was due at 2026-11-01 09:01 UTC")
    watch.now += timedelta(hours=3)
    watch.tick()
    assert kinds(receiver) == []
    watch.deliver(failing.export, [hour_key(hour) for hour in (8, 9, 10, 11, 12)])
    watch.tick()
    assert kinds(receiver) == [("recovered", [hour_key(8)])]
    watch.tick()
    assert kinds(receiver) == []


def test_a_stopped_schedule_is_not_late(
    failing: FailingExport, watch: Watch, receiver: Receiver
) -> None:
    failing.define("status: stopped")
    watch.definitions, watch.export, watch.cursor = failing.definitions, failing.export, None
    watch.now = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    watch.tick()
    watch.now = datetime(2026, 11, 1, 10, 2, tzinfo=UTC)
    watch.tick()
    assert kinds(receiver) == []
