"""Times of the day as users write them, and the moments they are on a day that changes clocks."""

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from batch_exports.errors import ConfigurationError

_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_MINUTE = timedelta(minutes=1)


def parse_time_of_day(field: str, text: str | int) -> time:
    """Read `HH:MM`, 00:00 to 23:59.

    Raises `ConfigurationError` for anything else; so for a number, which is what YAML makes of
    22:00 without quotes (https://yaml.org/type/int.html, base 60).
    """
    if isinstance(text, int):
        problem = f"{text!r} is a number, as YAML reads 22:00 without quotes."
        raise ConfigurationError(field, problem, remedy='Write it in quotes, such as "22:00".')
    if (found := _TIME.fullmatch(text)) is None:
        raise ConfigurationError(
            field,
            f"{text!r} is not a time of day.",
            remedy="Write hours and minutes, 00:00 to 23:59; midnight is 00:00.",
        )
    return time(int(found[1]), int(found[2]))


def moment_of(day: date, at: time, timezone: str, *, later: bool = True) -> datetime:
    """When the clock shows that time on that day, in UTC.

    A time that the clock skips is the first moment after it. One that it shows twice is the
    `later` of both, else the earlier. Dagster's cron does the same, and takes the later one
    (https://docs.dagster.io/guides/automate/schedules/customizing-execution-timezone).
    """
    zone = ZoneInfo(timezone)
    local = datetime.combine(day, at, zone).replace(fold=int(later))
    moment = local.astimezone(UTC)
    if moment.astimezone(zone).time() == at:
        return moment
    # By the clock as it goes after the change, a skipped time lies before the change.
    moment = local.replace(fold=1).astimezone(UTC)
    before = moment.astimezone(zone).utcoffset()
    while moment.astimezone(zone).utcoffset() == before:
        moment += _MINUTE
    return moment
