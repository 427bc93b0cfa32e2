"""When the schedule of an export is evaluated: as intervals become due, and as windows end."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg

from batch_exports.automation.no_run_windows import DAYS, NoRunWindow, find_hold, held_until
from batch_exports.errors import ConfigurationError
from batch_exports.export import Export

_MOMENT = timedelta(microseconds=1)
_DAY_MINUTES = 24 * 60
# Time zones are compared week by week, in a year that stands for all.
_NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
_WEEKS = 52
# Windows repeat each week, intervals at least each month: what is never free in two never is.
_MONTHS = timedelta(days=62)


@dataclass(frozen=True)
class Ticks:
    """The times between `due` are those between its ticks, told as Dagster's own scheduler tells
    them; so are those of each in `releases`, which tick where a window ends."""

    due: dg.TimeWindowPartitionsDefinition
    releases: tuple[dg.TimeWindowPartitionsDefinition, ...] = ()

    @property
    def crons(self) -> list[str]:
        return [each.cron_schedule for each in (self.due, *self.releases)]

    def latest_due(self, moment: datetime) -> datetime:
        """The last time until that moment at which intervals became due, in UTC."""
        return _latest(self.due, moment)

    def latest(self, moment: datetime) -> datetime:
        """The last tick until that moment, in UTC."""
        return max(_latest(each, moment) for each in (self.due, *self.releases))

    def before(self, moment: datetime) -> datetime:
        return self.latest(moment.astimezone(UTC) - _MOMENT)

    def next(self, moment: datetime) -> datetime:
        """The first tick from that moment on, in UTC."""
        return min(_next(each, moment) for each in (self.due, *self.releases))


def build_ticks(export: Export) -> Ticks:
    """Raises `ConfigurationError` where all ticks lie in windows without runs.

    What ticks in each hour needs none for the end of a window. Where clocks go back, Dagster would
    confuse the order of both.
    """
    cron = export.rhythm.shifted_cron(export.delay)
    hourly = cron.split()[1] == "*"
    ends = [] if hourly else end_crons(export.no_run_windows, export.rhythm.timezone)
    ticks = Ticks(_times(export, cron), tuple(_times(export, each) for each in ends))
    _refuse_endless(export, ticks)
    return ticks


def end_crons(windows: Sequence[NoRunWindow], timezone: str) -> list[str]:
    """Cron expressions that tick in `timezone` where the windows end.

    A window of another zone may have several, for each difference that both zones have in a year.
    """
    days = defaultdict[tuple[int, int], set[int]](set)
    for window in windows:
        later = 0 if window.end > window.begin else 1
        for apart in _differences(window.timezone, timezone):
            minutes = window.end.hour * 60 + window.end.minute + apart
            shift, of_day = divmod(minutes, _DAY_MINUTES)
            for day in window.days or DAYS:
                # Cron counts days from Sunday.
                days[divmod(of_day, 60)].add((DAYS.index(day) + 1 + later + shift) % 7)
    return [
        f"{minute} {hour} * * {'*' if len(on) == 7 else ','.join(map(str, sorted(on)))}"
        for (hour, minute), on in sorted(days.items())
    ]


def wait(export: Export) -> timedelta:
    """What a tick leaves of the delay, for the run itself to wait: all of it where a cron
    expression is the user's own."""
    if export.rhythm.unit is None:
        return export.delay
    return export.delay % timedelta(minutes=1)


def _refuse_endless(export: Export, ticks: Ticks) -> None:
    windows, moment, last = export.no_run_windows, _NOON, _NOON + _MONTHS
    try:
        while moment < last:
            moment = ticks.next(moment)
            if not find_hold(windows, moment, wait=wait(export)):
                return
            moment = held_until(windows, moment, wait=wait(export)) or moment
    except ValueError:
        pass
    raise ConfigurationError(
        "no_run_windows",
        f"{'; '.join(map(str, windows))} leave no time to run.",
        remedy="Leave an hour or more between them; to have no runs at all, set status: stopped.",
    )


def _times(export: Export, cron: str) -> dg.TimeWindowPartitionsDefinition:
    return dg.TimeWindowPartitionsDefinition(
        start=export.partitions.start,
        timezone=export.rhythm.timezone,
        cron_schedule=cron,
        fmt=export.rhythm.key_format,
    )


def _latest(times: dg.TimeWindowPartitionsDefinition, moment: datetime) -> datetime:
    window = times.get_prev_partition_window(moment.astimezone(UTC), respect_bounds=False)
    assert window
    return window.end.astimezone(UTC)


def _next(times: dg.TimeWindowPartitionsDefinition, moment: datetime) -> datetime:
    window = times.get_next_partition_window(moment.astimezone(UTC), respect_bounds=False)
    assert window
    return window.start.astimezone(UTC)


def _differences(one: str, other: str) -> set[int]:
    """By how many minutes the other zone's clock is ahead."""
    moments = [_NOON + timedelta(weeks=week) for week in range(_WEEKS)]
    clocks = [
        (each.astimezone(ZoneInfo(one)), each.astimezone(ZoneInfo(other))) for each in moments
    ]
    return {
        int((there.replace(tzinfo=None) - here.replace(tzinfo=None)).total_seconds()) // 60
        for here, there in clocks
    }
