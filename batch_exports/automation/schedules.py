"""The schedule of an export: each interval once, as soon as it may be read."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg

from batch_exports.automation.breaker import pause_of
from batch_exports.automation.no_run_windows import find_hold, held_until, last_hold
from batch_exports.automation.partition_runs import attempts_of
from batch_exports.automation.ticks import Ticks, build_ticks, wait
from batch_exports.automation.unfed_loads import unfed
from batch_exports.export import Export

# How far the clock on the wall, by which ticks are shifted, may be off in a day that changes it.
_CHANGE_OF_CLOCKS = timedelta(hours=1)
# For so long after a window, ticks see to it that all it held back was asked for.
_AFTER_WINDOW = timedelta(days=1)


def build_schedule(export: Export, job_name: str, *, running: bool) -> dg.ScheduleDefinition:
    """Ticks `delay` after each interval's end, where the rhythm lets its cron be shifted, and
    where a window without runs ends.

    What the shift leaves of the delay (seconds; all of it for a user's own cron) is waited for in
    the run itself. Raises `ConfigurationError` for windows that leave no time to run.
    """
    ticks = build_ticks(export)

    @dg.schedule(
        name=f"{export.name}_schedule",
        job_name=job_name,
        cron_schedule=ticks.crons[0] if len(ticks.crons) == 1 else ticks.crons,
        execution_timezone=export.rhythm.timezone,
        description=_description(export),
        default_status=(
            dg.DefaultScheduleStatus.RUNNING if running else dg.DefaultScheduleStatus.STOPPED
        ),
    )
    def schedule(
        context: dg.ScheduleEvaluationContext,
    ) -> list[dg.RunRequest] | dg.SkipReason:
        tick, now = context.scheduled_execution_time, datetime.now(UTC)
        return evaluate(export, ticks, job_name, context, tick, now)

    return schedule


def evaluate(
    export: Export,
    ticks: Ticks,
    job_name: str,
    context: dg.ScheduleEvaluationContext,
    tick: datetime,
    now: datetime,
) -> list[dg.RunRequest] | dg.SkipReason:
    """What a tick requests that is evaluated `now`: in time, or late after a standstill.

    Neither lets a run start in a window: what became due then is requested by the first tick that
    lies in none.
    """
    tick = ticks.latest(tick)  # by hand it may be evaluated at any time
    keys = newly_due(export, ticks, tick)
    for moment in (tick, now):
        if hold := find_hold(export.no_run_windows, moment, wait=wait(export)):
            ends = held_until(export.no_run_windows, moment, wait=wait(export)) or hold.end
            return dg.SkipReason(
                f"No runs from {hold.window}: {_counted(keys)} until {_local(export, ends)}."
            )
    keys = [*_left_behind(export, ticks, job_name, context, tick), *keys]
    if not keys:
        return dg.SkipReason("No interval of this export has become due.")
    if pause := pause_of(context.instance, export):
        return dg.SkipReason(str(pause))
    fed = _fed(export, context, keys)
    if not fed:
        return dg.SkipReason(
            f"The files that it loads are not there: {_counted(keys)}. fill_gaps asks for it when "
            "they are."
        )
    return [dg.RunRequest(run_key=key, partition_key=key) for key in fed]


def _fed(
    export: Export, context: dg.ScheduleEvaluationContext, keys: Sequence[str]
) -> Sequence[str]:
    """All but loads of files that nothing is about to deliver, which gaps are filled with later."""
    if export.loads_from is None or not export.recovery.fill_gaps:
        return keys
    hungry = unfed(context.instance, context.repository_def, export, keys, under_way=True)
    return [key for key in keys if key not in hungry]


def newly_due(export: Export, ticks: Ticks, tick: datetime) -> list[str]:
    """The keys of the intervals that became due after the last tick before this one that lay in
    no window without runs, oldest first.

    That gives each interval to one tick, whatever the clocks do between them.
    """
    return _due_between(export, ticks, _last_free(export, ticks, tick), tick)


def _left_behind(
    export: Export,
    ticks: Ticks,
    job_name: str,
    context: dg.ScheduleEvaluationContext,
    tick: datetime,
) -> list[str]:
    """What the last window held back, and what was due before it, as far as it has no run.

    Of ticks that were missed Dagster evaluates the last alone. It may be late, and in a window; or
    the one that was missed may be the one after the window.
    """
    hold = last_hold(export.no_run_windows, tick)
    if hold is None or tick - hold.end > _AFTER_WINDOW:
        return []
    before = _last_free(export, ticks, hold.begin - wait(export))
    since = _last_free(export, ticks, before)
    until = min(_next_free(export, ticks, hold.end), _last_free(export, ticks, tick))
    keys = _due_between(export, ticks, since, until)
    earlier = _due_between(export, ticks, ticks.before(ticks.latest_due(since)), since)
    new = _never_tried(context.instance, export, job_name, [*earlier, *keys])
    # A schedule that began to run after the window has nothing to make good.
    return [key for key in keys if key in new] if set(earlier) - set(new) else []


def _never_tried(
    instance: dg.DagsterInstance, export: Export, job_name: str, keys: Sequence[str]
) -> list[str]:
    if not keys:
        return []
    status = instance.get_status_by_partition(export.key, keys, export.partitions) or {}
    attempts = attempts_of(instance, job_name, keys)
    return [key for key in keys if status.get(key) is None and not attempts[key].runs]


def _last_free(export: Export, ticks: Ticks, moment: datetime) -> datetime:
    """The last tick before that moment at which runs may start."""
    before = ticks.before(moment)
    while hold := find_hold(export.no_run_windows, before, wait=wait(export)):
        before = ticks.before(hold.begin - wait(export))
    return before


def _next_free(export: Export, ticks: Ticks, moment: datetime) -> datetime:
    after = ticks.next(moment)
    while free := held_until(export.no_run_windows, after, wait=wait(export)):
        after = ticks.next(free)
    return after


def _due_between(export: Export, ticks: Ticks, since: datetime, until: datetime) -> list[str]:
    """The keys of the intervals whose own tick came after `since`, by `until`; oldest first."""
    first, last = ticks.latest_due(since), ticks.latest_due(until)
    lag, keys = _lag(export), list[str]()
    # In UTC, as a zone's own times are added up by the clock on the wall.
    window = export.partitions.get_prev_partition_window(last - lag, respect_bounds=False)
    while window and window.end.astimezone(UTC) + lag > first:
        if _is_within(window, export.partitions):
            keys.append(export.partitions.get_partition_key_range_for_time_window(window).start)
        window = export.partitions.get_prev_partition_window(window.start, respect_bounds=False)
    return keys[::-1]


def _description(export: Export) -> str:
    told = f"Delivers each interval {export.delay.total_seconds():.0f} s after its end."
    if export.no_run_windows:
        told += f" No runs from {'; from '.join(map(str, export.no_run_windows))}: what is due "
        told += "then is delivered afterwards."
    return told


def _counted(keys: Sequence[str]) -> str:
    match keys:
        case []:
            return "nothing waits"
        case [key]:
            return f"1 interval waits ({key})"
    return f"{len(keys)} intervals wait ({keys[0]} to {keys[-1]})"


def _local(export: Export, moment: datetime) -> str:
    zone = ZoneInfo(export.rhythm.timezone)
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M} ({export.rhythm.timezone})"


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
