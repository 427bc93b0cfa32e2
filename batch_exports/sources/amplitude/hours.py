"""Amplitude exports by the hour: which hours an interval touches, and since when they are whole."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from batch_exports.errors import Transient
from batch_exports.interval import DataInterval

HOUR = timedelta(hours=1)


def hours_of(interval: DataInterval) -> Iterator[datetime]:
    """The beginnings of the hours, in UTC, that the interval lies in, in order."""
    hour = interval.start.replace(minute=0, second=0, microsecond=0)
    while hour < interval.end:
        yield hour
        hour += HOUR


def whole_from(interval: DataInterval, lag: timedelta) -> datetime:
    """When the interval's last hour is there, which Amplitude gives `lag` after its end."""
    *_, last = hours_of(interval)
    return last + HOUR + lag


def refuse_early(interval: DataInterval, lag: timedelta, where: str) -> None:
    """Raises `Transient` for an interval of which rows may still be to come."""
    since = whole_from(interval, lag)
    if datetime.now(UTC) < since:
        raise Transient(
            f"{where} has all rows of {interval} from {since:%Y-%m-%d %H:%M} UTC on.",
            remedy="It is tried again. Raise delay_seconds of the export, so that it waits.",
        )
