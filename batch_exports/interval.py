"""Data intervals, and the rhythms ("hour", "every 5 minutes", cron) that cut time into them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from batch_exports.errors import ConfigurationError
from batch_exports.time_of_day import parse_time_of_day

WEEK_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
"""As cron counts them."""

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

    `every` and `unit` repeat the same rhythm as a number of minutes, hours, days or weeks, and
    `begins` tells when one begins, in minutes on the clock: after midnight, for weeks that of
    Sunday. They are absent for a cron expression of the user's own, whose ticks cannot be shifted
    by rule.
    """

    cron: str
    timezone: str
    key_format: str
    every: int = 1
    unit: str | None = None
    begins: int = 0

    @property
    def repeats_hourly(self) -> bool:
        """Whether its ticks are the same in each hour. Where clocks change, these go on, and those
        of others take the place of times that are skipped, and come once in an hour that comes
        twice."""
        return self.cron.split()[1] == "*"

    def divides(self, other: "Rhythm") -> bool:
        """Whether each interval of the other one is made of whole ones of this.

        A cron expression of the user's own divides itself alone.
        """
        if self.timezone != other.timezone:
            return False
        if self.unit is None or other.unit is None:
            return self.cron == other.cron
        length = _MINUTES[self.unit] * self.every
        skips = self.timezone != "UTC" and not other.repeats_hourly
        if skips and self.repeats_hourly and self.begins:
            # A skipped 02:30 is 03:00 for the other one, where this one has none that begins.
            return False
        # Within the hour, day or week that they divide, both begin at the same time of each.
        apart = other.begins - self.begins
        return _MINUTES[other.unit] * other.every % length == 0 and apart % length == 0

    def shifted_cron(self, delay: timedelta) -> str:
        """The cron expression that ticks `delay` (whole minutes of it) after each interval's end.

        A cron expression of the user's own is returned as it is.
        """
        if self.unit is None:
            return self.cron
        return _cron(self.every, self.unit, self.begins + int(delay.total_seconds()) // 60)

    def __str__(self) -> str:
        """As an engineer would say it: `day from 02:00, Europe/Berlin`."""
        if self.unit is None:
            return f"`{self.cron}`, {self.timezone}"
        name = self.unit if self.every == 1 else f"every {self.every} {self.unit}s"
        day, minutes = divmod(self.begins, _MINUTES["day"])
        begins = [WEEK_DAYS[day].capitalize()] if day else []
        begins += [f"{minutes // 60:02}:{minutes % 60:02}"] if minutes else []
        return f"{' '.join([name, *(begins and ['from', *begins])])}, {self.timezone}"


def parse_rhythm(
    interval: str | Mapping[str, str],
    timezone: str = "UTC",
    *,
    offset: str | int | None = None,
    week_starts_on: str = "sunday",
) -> Rhythm:
    """Read `hour`, `day`, `week`, `every N minutes`, `every N hours` or `{cron: "..."}`.

    `offset` is a time of the day, `HH:MM`, at which one of the intervals begins; without it
    midnight. Weeks start on Sunday, as PostHog's and Dagster's do, or on another of `WEEK_DAYS`.
    Raises `ConfigurationError` for anything else, for an unknown time zone, and for an offset or a
    day that does not go with the interval.
    """
    check_timezone("timezone", timezone)
    at = None if offset is None else parse_time_of_day("offset", offset)
    _check_week_start(interval, week_starts_on)
    if isinstance(interval, Mapping):
        if at is not None:
            raise ConfigurationError(
                "offset",
                "a cron expression says itself when its intervals begin.",
                remedy="Leave it out, and write the time into the expression.",
            )
        return _parse_cron(interval, timezone)
    every, unit = _parse_interval(interval)
    begins = at.hour * 60 + at.minute if at else 0
    # Such an interval begins at midnight or is told by its day alone; others need the time.
    key_format = _DAY_KEY if unit in ("day", "week") and not begins else _MINUTE_KEY
    if unit == "week":
        begins += WEEK_DAYS.index(week_starts_on) * _MINUTES["day"]
    begins %= every * _MINUTES[unit]
    return Rhythm(_grid(every, unit, begins), timezone, key_format, every, unit, begins)


def _parse_interval(interval: str) -> tuple[int, str]:
    """The number and the unit."""
    if interval in ("hour", "day", "week"):
        return 1, interval
    if (found := _EVERY.fullmatch(interval)) is None:
        raise ConfigurationError(
            "interval",
            f"{interval!r} is not an interval.",
            remedy="Use hour, day, week, 'every N minutes', 'every N hours' or {cron: \"...\"}.",
        )
    count, unit = int(found[1]), found[2]
    whole = 60 if unit == "minute" else 24
    if count == 0 or whole % count or count == whole:
        fitting = ", ".join(str(n) for n in range(1, whole) if whole % n == 0)
        larger = "hour" if unit == "minute" else "day"
        raise ConfigurationError(
            "interval",
            f"'every {count} {unit}s' does not divide the {larger} into equal parts.",
            remedy=f"Use one of {fitting} {unit}s, or {larger}.",
        )
    return count, unit


def _grid(every: int, unit: str, begins: int) -> str:
    """The cron expression of the intervals themselves; steps are shorter where they will do."""
    if begins == 0 and unit == "minute":
        return f"*/{every} * * * *"
    if begins == 0 and unit == "hour" and every > 1:
        return f"0 */{every} * * *"
    return _cron(every, unit, begins)


def _cron(every: int, unit: str, after: int) -> str:
    """Ticks that many minutes after each midnight (for weeks, that of Sunday) and from there on."""
    hours, minute = divmod(after, 60)
    days, hour = divmod(hours, 24)
    match unit:
        case "minute" if after % every == 0:
            return f"*/{every} * * * *"
        case "minute":
            return f"{','.join(map(str, range(after % every, 60, every)))} * * * *"
        case "hour" if every == 1:
            return f"{minute} * * * *"
        case "hour":
            ticks = sorted((hours + step) % 24 for step in range(0, 24, every))
            return f"{minute} {','.join(map(str, ticks))} * * *"
        case "day":
            return f"{minute} {hour} * * *"
        case _:
            return f"{minute} {hour} * * {days % 7}"


def _check_week_start(interval: str | Mapping[str, str], week_starts_on: str) -> None:
    if week_starts_on not in WEEK_DAYS:
        raise ConfigurationError(
            "week_starts_on",
            f"{week_starts_on!r} is not a day of the week.",
            remedy=f"Use one of {', '.join(WEEK_DAYS)}.",
        )
    if week_starts_on != "sunday" and interval != "week":
        raise ConfigurationError(
            "week_starts_on",
            f"{week_starts_on!r} goes with the interval week alone, and this one is {interval!r}.",
            remedy="Leave it out.",
        )


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


def check_timezone(field: str, timezone: str) -> None:
    """Raises `ConfigurationError` for what is no IANA name."""
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigurationError(
            field,
            f"{timezone!r} is not a time zone.",
            remedy="Use an IANA name such as UTC or Europe/Berlin.",
        ) from error
