"""Times in which no run is started unasked: whether a moment lies in one, and when it is over."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from batch_exports.time_of_day import moment_of

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""As `date.weekday()` counts them."""

_DAY = timedelta(days=1)
# Windows repeat each week. What has not ended after two never does.
_LONGEST = timedelta(days=14)


@dataclass(frozen=True)
class NoRunWindow:
    """From `begin` to the next `end` on the clock of `timezone`, on each of `days`.

    `days` are those on which it begins (as in `DAYS`; empty means every day): one that wraps
    midnight ends on the day after. Where `end` is `begin` it lasts until the same time a day later.
    On a day that changes the clock, it begins at the earlier and ends at the later of two moments
    with the same time, and a time that is skipped is the first moment after it.
    """

    begin: time
    end: time
    days: tuple[str, ...]
    timezone: str

    def on(self, day: date) -> tuple[datetime, datetime] | None:
        """Its begin and end (exclusive) in UTC where it begins on that day."""
        if self.days and DAYS[day.weekday()] not in self.days:
            return None
        last = day if self.end > self.begin else day + _DAY
        begins = moment_of(day, self.begin, self.timezone, later=False)
        ends = moment_of(last, self.end, self.timezone)
        return (begins, ends) if begins < ends else None

    def __str__(self) -> str:
        days = f" on {', '.join(self.days)}" if self.days else ""
        return f"{self.begin:%H:%M} to {self.end:%H:%M}{days} ({self.timezone})"


@dataclass(frozen=True)
class Hold:
    """What keeps a run from starting: the window, and its begin and end in UTC."""

    window: NoRunWindow
    begin: datetime
    end: datetime


def find_hold(
    windows: Sequence[NoRunWindow], moment: datetime, *, wait: timedelta = timedelta(0)
) -> Hold | None:
    """The window in which `moment` lies, or in which it would after a `wait`; of several, the one
    that ends last.
    """
    holds = (_hold(window, moment, wait) for window in windows)
    return max((hold for hold in holds if hold), key=lambda hold: hold.end, default=None)


def held_until(
    windows: Sequence[NoRunWindow], moment: datetime, *, wait: timedelta = timedelta(0)
) -> datetime | None:
    """When runs may start again, in UTC; None for a moment at which they may.

    Windows that touch or overlap are one. Raises `ValueError` for windows that never end.
    """
    free = moment.astimezone(UTC)
    while hold := find_hold(windows, free, wait=wait):
        free = hold.end
        if free - moment > _LONGEST:
            raise ValueError("The windows leave no time to run.")
    return free if free > moment else None


def last_hold(windows: Sequence[NoRunWindow], moment: datetime) -> Hold | None:
    """The window that was over last, until that moment; None where there are no windows."""
    return max(
        (_last(window, moment.astimezone(UTC)) for window in windows),
        key=lambda hold: hold.end,
        default=None,
    )


def _last(window: NoRunWindow, moment: datetime) -> Hold:
    day = moment.astimezone(ZoneInfo(window.timezone)).date()
    while (span := window.on(day)) is None or span[1] > moment:
        day -= _DAY
    return Hold(window, *span)


def _hold(window: NoRunWindow, moment: datetime, wait: timedelta) -> Hold | None:
    """A window lasts no longer than a day, so one that holds began on that day or the one before,
    or begins soon."""
    zone = ZoneInfo(window.timezone)
    first = moment.astimezone(zone).date() - _DAY
    last = (moment.astimezone(UTC) + wait).astimezone(zone).date()
    for ordinal in range(last.toordinal(), first.toordinal() - 1, -1):
        span = window.on(date.fromordinal(ordinal))
        if span and span[0] - wait <= moment < span[1]:
            return Hold(window, *span)
    return None
