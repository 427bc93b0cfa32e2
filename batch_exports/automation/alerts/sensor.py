"""The sensor that tells people what they should know of their exports."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import dagster as dg

from batch_exports.automation.alerts.alert import Alert
from batch_exports.automation.alerts.channel import Channel
from batch_exports.automation.alerts.outbox import Letter, Round, send
from batch_exports.automation.alerts.watch import Cursor, Look, look
from batch_exports.automation.holds import stopped_schedules
from batch_exports.export import Export

EVERY_SECONDS = 30
# A sensor that takes longer than 60 s is given up by Dagster. One try may take 20 s beyond this.
_SENDING_SECONDS = 20.0


def build_alert_sensor(
    name: str,
    exports: Callable[[], Mapping[str, Export]],
    channels: Sequence[Channel],
    *,
    ui_url: str | None,
    redactor: Callable[[], Callable[[str], str]],
) -> dg.SensorDefinition:
    """`exports` and `redactor` are asked for at each tick, when everything else is loaded."""
    by_name = {channel.name: channel for channel in channels}

    @dg.sensor(
        name=f"{name}_alerts",
        minimum_interval_seconds=EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells of failures, pauses, red checks and lateness of exports, once when they "
        f"begin and once when they are over: {', '.join(by_name)}.",
    )
    def alerts(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        return tick(context, exports(), by_name, datetime.now(UTC), ui_url, redactor())

    return alerts


def tick(
    context: dg.SensorEvaluationContext,
    exports: Mapping[str, Export],
    channels: Mapping[str, Channel],
    now: datetime,
    ui_url: str | None,
    redact: Callable[[str], str],
) -> dg.SensorResult:
    """One tick, at `now`. It asks for no run; its reason says what it found, sent, and could not
    send, which is tried again at the next ticks."""
    cursor = Cursor.read(context.cursor) if context.cursor else None
    found = look(context.instance, exports, cursor, now, stopped_schedules(context))
    news = [alert.redacted(redact) for alert in found.alerts]
    letters = [*found.cursor.letters, *_letters(news, channels)]
    done = send(letters, channels, now, ui_url=ui_url, seconds=_SENDING_SECONDS, redact=redact)
    for trouble in done.troubles:
        context.log.warning(trouble)
    return dg.SensorResult(
        skip_reason=_told(found, done),
        cursor=replace(found.cursor, letters=done.left).written(),
    )


def _letters(alerts: Sequence[Alert], channels: Mapping[str, Channel]) -> list[Letter]:
    return [Letter(alert, channel) for alert in alerts for channel in channels]


def _told(found: Look, done: Round) -> str:
    runs = len({ending.run for ending in found.endings})
    lines = [f"Runs that ended: {runs}. Alerts: {len(found.alerts)}."]
    lines += [f"Sent by {line}." for line in done.sent]
    lines += done.troubles
    if done.left:
        lines.append(f"Waiting to be sent: {len(done.left)}.")
    return "\n".join(lines)
