"""The same time of past weeks: the intervals that an interval can be compared with."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from batch_exports.export import Export
from batch_exports.interval import DataInterval

WEEKS = 8
"""How many weeks back."""


def past_weeks(export: Export, interval: DataInterval) -> list[DataInterval]:
    """The export's intervals that began on the same weekday at the same time of the clock, in its
    time zone, in each of the last `WEEKS` weeks; the newest first.

    Weeks before the export's start have none, nor have those in which clocks skipped that time, or
    in which a cron expression of the user's own had no tick then.
    """
    zone = ZoneInfo(export.rhythm.timezone)
    local = interval.start.astimezone(zone)
    moments = (local - timedelta(weeks=week) for week in range(1, WEEKS + 1))
    found = (_beginning(export, moment) for moment in moments)
    return [each for each in found if each is not None]


def _beginning(export: Export, moment: datetime) -> DataInterval | None:
    """The interval that begins just then."""
    wanted = moment.astimezone(UTC)
    if wanted.astimezone(moment.tzinfo).replace(tzinfo=None) != moment.replace(tzinfo=None):
        return None  # of a time that clocks skip there is no interval
    cut = export.partitions
    window = cut.get_next_partition_window(wanted, respect_bounds=False)
    if window is None or window.start.timestamp() != wanted.timestamp():
        return None
    if wanted.timestamp() < cut.start.timestamp():
        return None
    return DataInterval.of(window.start, window.end)
