"""Bounds as users write them, in zones whose clocks change."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest

from batch_exports.automation.partitions import build_partitions
from batch_exports.backfills.bounds import keys_within, read_bounds
from batch_exports.errors import ConfigurationError
from batch_exports.interval import parse_rhythm

NOW = datetime(2026, 12, 1, 12, 30, tzinfo=UTC)


def partitions(
    interval: Any, timezone: str = "UTC", start: str = "2026-03-01", end: str | None = None
) -> dg.TimeWindowPartitionsDefinition:
    return build_partitions(parse_rhythm(interval, timezone), start, end)


@pytest.mark.parametrize(
    ("interval", "timezone", "start", "end", "first", "last", "number"),
    [
        ("hour", "UTC", "2026-11-01", "2026-11-03", "2026-11-01-00:00", "2026-11-02-23:00", 48),
        ("hour", "UTC", "2026-11-01T05:00+02:00", "2026-11-01-05:00", *["2026-11-01-03:00"], "", 2),
        ("hour", "Europe/Berlin", "2026-10-25", "2026-10-26", "2026-10-25-00:00", "", 25),
        ("hour", "Europe/Berlin", "2026-03-29", "2026-03-30", "2026-03-29-00:00", "", 23),
        # The second of the two hours that begin at two.
        ("hour", "Europe/Berlin", "2026-10-25T02:00+01:00", "2026-10-25T03:00",
         "2026-10-25-02:00+0100", "2026-10-25-02:00+0100", 1),
        ("hour", "Europe/Berlin", "2026-10-25T02:00", "2026-10-25T03:00",
         "2026-10-25-02:00", "2026-10-25-02:00+0100", 2),
        ("day", "America/New_York", "2026-11-01", "2026-11-02", "2026-11-01", "2026-11-01", 1),
        ("week", "UTC", "2026-10-04", "2026-10-18", "2026-10-04", "2026-10-11", 2),
        ({"cron": "30 6 * * 1-5"}, "UTC", "2026-10-02T06:30", "2026-10-05T06:30",
         "2026-10-02-06:30", "", 1),
        ("hour", "UTC", "2026-12-01T11:00", "2026-12-01T12:00", "2026-12-01-11:00", "", 1),
    ],
)  # fmt: skip
def test_intervals_between(
    interval: Any, timezone: str, start: str, end: str, first: str, last: str, number: int
) -> None:
    begin = "2026-03-02T06:30" if isinstance(interval, dict) else "2026-03-01"
    cut = partitions(interval, timezone, begin)
    keys = keys_within(cut, read_bounds(cut, start, end, NOW))
    assert (keys[0], len(keys)) == (first, number)
    assert not last or keys[-1] == last
    assert len(set(keys)) == number


@pytest.mark.parametrize(
    ("interval", "timezone", "start", "end", "told"),
    [
        ("hour", "UTC", "2026-11-01T00:30", "2026-11-02",
         "--from: '2026-11-01T00:30' lies within an interval, of which no part can be delivered. "
         "The bounds next to it are 2026-11-01T00:00 and 2026-11-01T01:00."),
        ("week", "UTC", "2026-11-01", "2026-11-14",
         "--to: '2026-11-14' lies within an interval, of which no part can be delivered. The "
         "bounds next to it are 2026-11-08T00:00 and 2026-11-15T00:00."),
        ("day", "Europe/Berlin", "2026-11-01", "2026-12-02",
         "--to: '2026-12-02' is still to come. The last interval that is over ends at "
         "2026-12-01T00:00+01:00."),
        ("hour", "UTC", "2026-12-01", "2026-12-01T13:00", "ends at 2026-12-01T12:00."),
        ("hour", "UTC", "2026-02-28", "2026-11-02",
         "--from: '2026-02-28' is before the first interval. It begins at 2026-03-01T00:00;"),
        ("hour", "UTC", "2026-11-02", "2026-11-02", "--to: '2026-11-02' is not after"),
        ("hour", "UTC", "yesterday", "2026-11-02", "--from: 'yesterday' is not a time."),
        ("hour", "Europe/Berlin", "2026-03-29T02:00", "2026-11-02",
         "does not exist in Europe/Berlin: clocks were put forward. Write 2026-03-29T03:00+02:00."),
        # Dagster would take it for the key of the week after.
        ("week", "UTC", "2026-11-04", "2026-11-15", "The bounds next to it are 2026-11-01T00:00"),
    ],
)  # fmt: skip
def test_refused(interval: Any, timezone: str, start: str, end: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        read_bounds(partitions(interval, timezone), start, end, NOW)
    assert told in str(error.value)


def test_the_exports_end_is_the_last() -> None:
    cut = partitions("day", end="2026-04-01")
    assert len(keys_within(cut, read_bounds(cut, "2026-03-01", "2026-04-01", NOW))) == 31
    with pytest.raises(ConfigurationError, match="is after the export's end"):
        read_bounds(cut, "2026-03-01", "2026-04-02", NOW)
