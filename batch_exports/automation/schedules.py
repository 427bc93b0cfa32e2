"""The schedule of an export: each interval once, as soon as it may be read."""

from datetime import datetime, timedelta

import dagster as dg

from batch_exports.export import Export


def build_schedule(export: Export, job_name: str, *, running: bool) -> dg.ScheduleDefinition:
    """Ticks `delay` after each interval's end, where the rhythm lets its cron be shifted.

    What the shift leaves of the delay (seconds; all of it for a user's own cron) is waited for in
    the run itself.
    """
    cron = export.rhythm.shifted_cron(export.delay)
    shift = timedelta(0) if cron == export.rhythm.cron else export.delay

    @dg.schedule(
        name=f"{export.name}_schedule",
        job_name=job_name,
        cron_schedule=cron,
        execution_timezone=export.rhythm.timezone,
        description=f"Delivers each interval {export.delay} after its end.",
        default_status=(
            dg.DefaultScheduleStatus.RUNNING if running else dg.DefaultScheduleStatus.STOPPED
        ),
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        key = latest_partition(export, context.scheduled_execution_time - shift)
        if key is None:
            return dg.SkipReason("No interval of this export ends here.")
        return dg.RunRequest(run_key=key, partition_key=key)

    return schedule


def latest_partition(export: Export, moment: datetime) -> str | None:
    """The key of the last interval that had ended by then; None before the first one's end, and
    after the export's own."""
    moment = moment.replace(second=59)  # the tick is of that minute
    window = export.partitions.get_prev_partition_window(moment)
    if window is None or moment >= window.end + (window.end - window.start):
        return None
    return export.partitions.get_partition_key_range_for_time_window(window).start
