"""A rhythm as Dagster's partitions."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import dagster as dg

from batch_exports.errors import ConfigurationError
from batch_exports.interval import Rhythm

_HOUR = timedelta(hours=1)
# The rules by which clocks change stay for years: this one stands for all.
_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def build_partitions(
    rhythm: Rhythm, start: str, end: str | None
) -> dg.TimeWindowPartitionsDefinition:
    """One partition a data interval, from `start` to now, or to `end` (exclusive).

    Both are ISO 8601 dates or times in the rhythm's zone. Raises `ConfigurationError` for a
    bound that is no time, or lies within an interval.
    """
    first = _moment("start", start, rhythm)
    last = _moment("end", end, rhythm) if end else None
    # In UTC, as times of one zone compare by the clock on the wall, which goes back once a year.
    if last and last.astimezone(UTC) <= first.astimezone(UTC):
        raise ConfigurationError(
            "end", f"{end!r} is not after the start {start!r}.", remedy="Set a later end."
        )
    try:
        partitions = dg.TimeWindowPartitionsDefinition(
            start=first,
            end=last,
            timezone=rhythm.timezone,
            cron_schedule=rhythm.cron,
            fmt=rhythm.key_format,
        )
    except dg.DagsterInvalidDefinitionError as error:
        raise ConfigurationError(
            "interval", f"{rhythm.cron!r} is not a cron expression.", remedy="Correct it."
        ) from error
    if (changed := _torn(rhythm)) is not None:
        raise ConfigurationError(
            "interval",
            f"Dagster does not cut {rhythm} into intervals that follow each other where the clock "
            f"changes on {changed:%Y-%m-%d}.",
            remedy="Set another offset, or timezone: UTC.",
        )
    _check_bound("start", first, partitions)
    if last:
        _check_bound("end", last, partitions)
    return partitions


def _moment(field: str, text: str, rhythm: Rhythm) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(
            field,
            f"{text!r} is not a time.",
            remedy="Write a date like 2026-11-01, or a time like 2026-11-01T06:00.",
        ) from error
    zone = ZoneInfo(rhythm.timezone)
    return moment.astimezone(zone) if moment.tzinfo else moment.replace(tzinfo=zone)


def _check_bound(
    field: str, moment: datetime, partitions: dg.TimeWindowPartitionsDefinition
) -> None:
    window = partitions.get_next_partition_window(moment, respect_bounds=False)
    if window and window.start != moment:
        raise ConfigurationError(
            field,
            f"{moment.replace(tzinfo=None).isoformat()} ({partitions.timezone}) lies within an "
            f"interval of {partitions.cron_schedule!r}.",
            remedy=f"Set it to where one begins; the next does at {window.start:%Y-%m-%dT%H:%M}.",
        )


@cache
def _torn(rhythm: Rhythm) -> datetime | None:
    """The first change of clocks around which intervals leave time out, overlap or share a key.

    Dagster takes clocks to change by one hour, between 01:00 and 04:00. Where they change
    otherwise it goes wrong for some rhythms, and right for most: they are looked at.
    """
    if rhythm.repeats_hourly:
        return next((change for change, by in _changes(rhythm.timezone) if by % _HOUR), None)
    endless = dg.TimeWindowPartitionsDefinition(
        start=_YEAR,
        timezone=rhythm.timezone,
        cron_schedule=rhythm.cron,
        fmt=rhythm.key_format,
    )
    changes = (change for change, _ in _changes(rhythm.timezone))
    return next((change for change in changes if not _tile(endless, change)), None)


def _tile(partitions: dg.TimeWindowPartitionsDefinition, change: datetime) -> bool:
    """Whether the windows around it follow each other, and are the same however one comes by."""
    first = partitions.get_prev_partition_window(change - 3 * _HOUR, respect_bounds=False)
    assert first
    forward = [first]
    while forward[-1].end.timestamp() < (change + 3 * _HOUR).timestamp():
        after = partitions.get_next_partition_window(forward[-1].end, respect_bounds=False)
        assert after
        forward.append(after)
    backward = [forward[-1]]
    while backward[-1].start.timestamp() > first.start.timestamp():
        before = partitions.get_prev_partition_window(
            backward[-1].start.astimezone(UTC), respect_bounds=False
        )
        assert before
        backward.append(before)
    keys = [_key(partitions, each) for each in forward]
    named = [partitions.time_window_for_partition_key(key) for key in keys]
    return len(set(keys)) == len(keys) and _instants(forward) == _instants(named) == _instants(
        backward[::-1]
    )


def _key(partitions: dg.TimeWindowPartitionsDefinition, window: dg.TimeWindow) -> str:
    """Also of a window that is not over yet: the clock may show a time before _YEAR."""
    found = partitions.get_partition_key_range_for_time_window(window, respect_bounds=False)
    return found.start


def _instants(windows: Iterable[dg.TimeWindow]) -> list[tuple[float, float]]:
    return [(each.start.timestamp(), each.end.timestamp()) for each in windows]


@cache
def _changes(timezone: str) -> list[tuple[datetime, timedelta]]:
    """When clocks change, to within an hour before it, and by how much."""
    hours = (_YEAR + number * _HOUR for number in range(365 * 24))
    shown = [(hour, hour.astimezone(ZoneInfo(timezone)).utcoffset()) for hour in hours]
    return [
        (hour, after - before)
        for (hour, before), (_, after) in pairwise(shown)
        if before is not None and after is not None and before != after
    ]
