"""Times of the day: how they are written, and the moments they are where clocks change."""

from datetime import UTC, date, datetime, time

import pytest

from batch_exports.errors import ConfigurationError
from batch_exports.time_of_day import moment_of, parse_time_of_day


@pytest.mark.parametrize("text", ["00:00", "02:05", "23:59"])
def test_what_is_a_time_of_day(text: str) -> None:
    assert parse_time_of_day("offset", text) == time.fromisoformat(text)


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("24:00", "midnight is 00:00"),
        ("2:00", "hours and minutes"),
        ("02:60", "hours and minutes"),
        ("02:00:00", "hours and minutes"),
        ("-02:00", "hours and minutes"),
        ("2am", "hours and minutes"),
        ("", "hours and minutes"),
        (1320, 'in quotes, such as "22:00"'),
    ],
)
def test_what_is_none(text: str | int, remedy: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_time_of_day("offset", text)
    assert caught.value.field == "offset"
    assert repr(text) in caught.value.problem
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    ("zone", "day", "at", "earlier", "later"),
    [
        ("Europe/Berlin", "2026-11-01", "02:30", "2026-11-01T01:30", "2026-11-01T01:30"),
        # Skipped: the clock goes from 02:00 to 03:00.
        ("Europe/Berlin", "2026-03-29", "02:30", "2026-03-29T01:00", "2026-03-29T01:00"),
        ("Europe/Berlin", "2026-03-29", "03:00", "2026-03-29T01:00", "2026-03-29T01:00"),
        # Twice: from 03:00 to 02:00.
        ("Europe/Berlin", "2026-10-25", "02:30", "2026-10-25T00:30", "2026-10-25T01:30"),
        ("America/New_York", "2026-11-01", "01:00", "2026-11-01T05:00", "2026-11-01T06:00"),
        # Half an hour, and one that begins the day.
        ("Australia/Lord_Howe", "2026-10-04", "02:15", "2026-10-03T15:30", "2026-10-03T15:30"),
        ("America/Havana", "2026-03-08", "00:30", "2026-03-08T05:00", "2026-03-08T05:00"),
    ],
)
def test_moments_where_clocks_change(
    zone: str, day: str, at: str, earlier: str, later: str
) -> None:
    def moment(later: bool) -> datetime:
        return moment_of(date.fromisoformat(day), time.fromisoformat(at), zone, later=later)

    assert moment(False) == datetime.fromisoformat(earlier).replace(tzinfo=UTC)
    assert moment(True) == datetime.fromisoformat(later).replace(tzinfo=UTC)
