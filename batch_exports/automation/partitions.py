"""A rhythm as Dagster's partitions."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import dagster as dg

from batch_exports.errors import ConfigurationError
from batch_exports.interval import Rhythm


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
