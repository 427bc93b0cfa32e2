"""From when to when: the bounds of intervals that a user names, and the partitions between them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import dagster as dg

from batch_exports.errors import ConfigurationError

_OPTIONS = ("--from", "--to")


@dataclass(frozen=True)
class Bounds:
    """Half-open, in UTC."""

    start: datetime
    end: datetime


def read_bounds(
    partitions: dg.TimeWindowPartitionsDefinition, start: str, end: str, now: datetime
) -> Bounds:
    """Times as users write them, `start` inclusive and `end` exclusive.

    A date, a time in the partitions' zone, a time with an offset, or a partition's key, which means
    where it begins. Raises `ConfigurationError` for what is none, for one that lies within an
    interval or before the first, and for an end that is still to come.
    """
    first, last = (
        _moment(partitions, option, text)
        for option, text in zip(_OPTIONS, (start, end), strict=True)
    )
    if last <= first:
        raise ConfigurationError(
            "--to", f"{end!r} is not after {start!r}.", remedy="Name a later one: it is exclusive."
        )
    begin = partitions.start.astimezone(UTC)
    if first < begin:
        raise ConfigurationError(
            "--from",
            f"{start!r} is before the first interval.",
            remedy=f"It begins at {_shown(partitions, begin)}; set an earlier start in the "
            "export's YAML to have more.",
        )
    for option, text, moment in zip(_OPTIONS, (start, end), (first, last), strict=True):
        _check_bound(partitions, option, text, moment)
    _check_is_over(partitions, end, last, now)
    return Bounds(first, last)


def keys_within(partitions: dg.TimeWindowPartitionsDefinition, bounds: Bounds) -> list[str]:
    """The keys of the intervals between the bounds, oldest first."""
    return list(
        partitions.get_partition_keys_in_time_window(dg.TimeWindow(bounds.start, bounds.end))
    )


def _moment(partitions: dg.TimeWindowPartitionsDefinition, option: str, text: str) -> datetime:
    return _begin_of_key(partitions, text) or _time(partitions, option, text)


def _begin_of_key(partitions: dg.TimeWindowPartitionsDefinition, text: str) -> datetime | None:
    """Where the interval of this key begins; None for what is no key of one, whenever it is."""
    try:
        window = partitions.time_window_for_partition_key(text)
    except ValueError:
        return None
    # What is no key may be read as the next one.
    (key, *_) = partitions.get_partition_keys_in_time_window(window)
    return window.start.astimezone(UTC) if key == text else None


def _time(partitions: dg.TimeWindowPartitionsDefinition, option: str, text: str) -> datetime:
    try:
        given = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(
            option,
            f"{text!r} is not a time.",
            remedy="Write a date like 2026-11-01, a time like 2026-11-01T06:00, or a partition's "
            "key.",
        ) from error
    if given.tzinfo:
        return given.astimezone(UTC)
    zone = ZoneInfo(partitions.timezone)
    # Of an hour that comes twice, the first one; the other can be told by its offset.
    moment = given.replace(tzinfo=zone).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) != given:
        raise ConfigurationError(
            option,
            f"{text!r} does not exist in {partitions.timezone}: clocks were put forward.",
            remedy=f"Write {_shown(partitions, moment)}.",
        )
    return moment


def _check_bound(
    partitions: dg.TimeWindowPartitionsDefinition, option: str, text: str, moment: datetime
) -> None:
    after = partitions.get_next_partition_window(moment, respect_bounds=False)
    before = partitions.get_prev_partition_window(moment, respect_bounds=False)
    assert after
    assert before
    if after.start.timestamp() == moment.timestamp():
        return
    raise ConfigurationError(
        option,
        f"{text!r} lies within an interval, of which no part can be delivered.",
        remedy=f"The bounds next to it are {_shown(partitions, before.end)} and "
        f"{_shown(partitions, after.start)}.",
    )


def _check_is_over(
    partitions: dg.TimeWindowPartitionsDefinition, text: str, end: datetime, now: datetime
) -> None:
    limit = min(now, partitions.end) if partitions.end else now
    last = partitions.get_prev_partition_window(limit, respect_bounds=False)
    assert last
    if end > last.end.astimezone(UTC):
        what = "is after the export's end" if limit != now else "is still to come"
        raise ConfigurationError(
            "--to",
            f"{text!r} {what}.",
            remedy=f"The last interval that is over ends at {_shown(partitions, last.end)}.",
        )


def _shown(partitions: dg.TimeWindowPartitionsDefinition, moment: datetime) -> str:
    """A time as `read_bounds` takes it, with its offset where there is one."""
    text = moment.astimezone(ZoneInfo(partitions.timezone)).isoformat(timespec="minutes")
    return text.removesuffix("+00:00") if partitions.timezone == "UTC" else text
