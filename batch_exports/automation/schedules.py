"""The schedule of an export: each interval once, as soon as it may be read."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from batch_exports.automation.breaker import pause_of
from batch_exports.export import Export

# How far the clock on the wall, by which ticks are shifted, may be off in a day that changes it.
_CHANGE_OF_CLOCKS = timedelta(hours=1)


def build_schedule(export: Export, job_name: str, *, running: bool) -> dg.ScheduleDefinition:
    """Ticks `delay` after each interval's end, where the rhythm lets its cron be shifted.

    What the shift leaves of the delay (seconds; all of it for a user's own cron) is waited for in
    the run itself.
    """
    ticks = _ticks(export)

    @dg.schedule(
        name=f"{export.name}_schedule",
        job_name=job_name,
        cron_schedule=ticks.cron_schedule,
        execution_timezone=export.rhythm.timezone,
        description=f"Delivers each interval {export.delay.total_seconds():.0f} s after its end.",
        default_status=(
            dg.DefaultScheduleStatus.RUNNING if running else dg.DefaultScheduleStatus.STOPPED
        ),
    )
    def schedule(
        context: dg.ScheduleEvaluationContext,
    ) -> list[dg.RunRequest] | dg.SkipReason:
        keys = newly_due(export, ticks, context.scheduled_execution_time)
        if not keys:
            return dg.SkipReason("No interval of this export has become due.")
        if pause := pause_of(context.instance, export):
            return dg.SkipReason(str(pause))
        return [dg.RunRequest(run_key=key, partition_key=key) for key in keys]

    return schedule


def newly_due(
    export: Export, ticks: dg.TimeWindowPartitionsDefinition, tick: datetime
) -> list[str]:
    """The keys of the intervals that became due after the tick before this one, oldest first.

    That gives each interval to one tick, whatever the clocks do between them.
    """
    before = ticks.get_prev_partition_window(tick, respect_bounds=False)
    lag, keys = _lag(export), list[str]()
    # In UTC, as a zone's own times are added up by the clock on the wall.
    window = export.partitions.get_prev_partition_window(
        tick.astimezone(UTC) - lag, respect_bounds=False
    )
    while before and window and window.end.astimezone(UTC) + lag > before.start.astimezone(UTC):
        if _is_within(window, export.partitions):
            keys.append(export.partitions.get_partition_key_range_for_time_window(window).start)
        window = export.partitions.get_prev_partition_window(window.start, respect_bounds=False)
    return keys[::-1]


def _ticks(export: Export) -> dg.TimeWindowPartitionsDefinition:
    """The times between the schedule's ticks, told as Dagster's own scheduler tells them."""
    rhythm = export.rhythm
    return dg.TimeWindowPartitionsDefinition(
        start=export.partitions.start,
        timezone=rhythm.timezone,
        cron_schedule=rhythm.shifted_cron(export.delay),
        fmt=rhythm.key_format,
    )


def _lag(export: Export) -> timedelta:
    """How long after an interval's end its tick comes at the earliest."""
    if export.rhythm.unit is None:
        return timedelta(0)
    shift = export.delay - export.delay % timedelta(minutes=1)
    if export.rhythm.unit == "minute" or (export.rhythm.unit, export.rhythm.every) == ("hour", 1):
        return shift
    return max(shift - _CHANGE_OF_CLOCKS, timedelta(0))


def _is_within(window: dg.TimeWindow, partitions: dg.TimeWindowPartitionsDefinition) -> bool:
    begins = window.start.timestamp() >= partitions.start.timestamp()
    ends = not partitions.end or window.end.timestamp() <= partitions.end.timestamp()
    return begins and ends
