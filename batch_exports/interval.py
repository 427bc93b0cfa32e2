"""Data intervals, and the rhythms ("hour", "every 5 minutes", cron) that cut time into them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from batch_exports.errors import ConfigurationError

_EVERY = re.compile(r"every (\d+) (minute|hour)s?")
_DAY_KEY = "%Y-%m-%d"
_MINUTE_KEY = "%Y-%m-%d-%H:%M"
_MINUTES = {"minute": 1, "hour": 60, "day": 24 * 60, "week": 7 * 24 * 60}


@dataclass(frozen=True, order=True)
class DataInterval:
    """Half-open `[start, end)` in UTC: it has the rows whose membership column lies in it."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.utcoffset() != timedelta(0) or self.end.utcoffset() != timedelta(0):
            raise ValueError(f"A data interval takes UTC times, not {self.start} and {self.end}.")
        if self.start >= self.end:
            raise ValueError(f"The data interval {self} ends before it starts.")

    @classmethod
    def of(cls, start: datetime, end: datetime) -> "DataInterval":
        """The interval between two times of any time zone."""
        return cls(start.astimezone(UTC), end.astimezone(UTC))

    def __str__(self) -> str:
        return f"[{self.start:%Y-%m-%dT%H:%M:%SZ}, {self.end:%Y-%m-%dT%H:%M:%SZ})"


@dataclass(frozen=True)
class Rhythm:
    """How time is cut into data intervals: each tick of `cron` in `timezone` ends one, starts one.

    `every` and `unit` repeat the same rhythm as a number of minutes, hours, days or weeks; they
    are absent for a cron expression of the user's own, whose ticks cannot be shifted by rule.
    """

    cron: str
    timezone: str
    key_format: str
    every: int = 1
    unit: str | None = None

    def divides(self, other: "Rhythm") -> bool:
        """Whether each interval of the other one is made of whole ones of this.

        A cron expression of the user's own divides itself alone.
        """
        if self.timezone != other.timezone:
            return False
        if self.unit is None or other.unit is None:
            return self.cron == other.cron
        # Both begin at midnight, and within the hour or day they divide at its begin.
        return _MINUTES[other.unit] * other.every % (_MINUTES[self.unit] * self.every) == 0

    def shifted_cron(self, delay: timedelta) -> str:
        """The cron expression that ticks `delay` (whole minutes of it) after each interval's end.

        A cron expression of the user's own is returned as it is.
        """
        minutes = int(delay.total_seconds()) // 60
        hours, minute = divmod(minutes, 60)
        days, hour = divmod(hours, 24)
        match self.unit:
            case "minute":
                return self.cron if minutes % self.every == 0 else self._minutes_from(minutes)
            case "hour" if self.every == 1:
                return f"{minute} * * * *"
            case "hour":
                ticks = sorted((hours + step) % 24 for step in range(0, 24, self.every))
                return f"{minute} {','.join(map(str, ticks))} * * *"
            case "day":
                return f"{minute} {hour} * * *"
            case "week":
                return f"{minute} {hour} * * {days % 7}"
            case _:
                return self.cron

    def _minutes_from(self, offset: int) -> str:
        ticks = range(offset % self.every, 60, self.every)
        return f"{','.join(map(str, ticks))} * * * *"


def parse_rhythm(interval: str | Mapping[str, str], timezone: str = "UTC") -> Rhythm:
    """Read `hour`, `day`, `week`, `every N minutes`, `every N hours` or `{cron: "..."}`.

    Weeks start on Sunday, as PostHog's and Dagster's do. Raises `ConfigurationError` for anything
    else, and for an unknown time zone.
    """
    _check_timezone(timezone)
    if isinstance(interval, Mapping):
        return _parse_cron(interval, timezone)
    match interval:
        case "hour":
            return Rhythm("0 * * * *", timezone, _MINUTE_KEY, 1, "hour")
        case "day":
            return Rhythm("0 0 * * *", timezone, _DAY_KEY, 1, "day")
        case "week":
            return Rhythm("0 0 * * 0", timezone, _DAY_KEY, 1, "week")
    if (every := _EVERY.fullmatch(interval)) is None:
        raise ConfigurationError(
            "interval",
            f"{interval!r} is not an interval.",
            remedy="Use hour, day, week, 'every N minutes', 'every N hours' or {cron: \"...\"}.",
        )
    return _parse_every(int(every[1]), every[2], timezone)


def _parse_every(count: int, unit: str, timezone: str) -> Rhythm:
    whole = 60 if unit == "minute" else 24
    if count == 0 or whole % count or count == whole:
        fitting = ", ".join(str(n) for n in range(1, whole) if whole % n == 0)
        larger = "hour" if unit == "minute" else "day"
        raise ConfigurationError(
            "interval",
            f"'every {count} {unit}s' does not divide the {larger} into equal parts.",
            remedy=f"Use one of {fitting} {unit}s, or {larger}.",
        )
    cron = f"*/{count} * * * *" if unit == "minute" else f"0 */{count} * * *"
    return Rhythm(cron, timezone, _MINUTE_KEY, count, unit)


def _parse_cron(interval: Mapping[str, str], timezone: str) -> Rhythm:
    if set(interval) != {"cron"} or not isinstance(interval["cron"], str):
        raise ConfigurationError(
            "interval",
            f"{dict(interval)!r} is not an interval.",
            remedy='A cron interval has the one key cron: {cron: "30 6 * * 1-5"}.',
        )
    if len(interval["cron"].split()) != 5:
        raise ConfigurationError(
            "interval",
            f"{interval['cron']!r} is not a cron expression.",
            remedy="Write five fields: minute, hour, day of month, month, day of week.",
        )
    return Rhythm(interval["cron"], timezone, _MINUTE_KEY)


def _check_timezone(timezone: str) -> None:
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigurationError(
            "timezone",
            f"{timezone!r} is not a time zone.",
            remedy="Use an IANA name such as UTC or Europe/Berlin.",
        ) from error
