"""Data intervals, and the rhythms that cut time into them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_exports.errors import ConfigurationError
from batch_exports.interval import DataInterval, parse_rhythm

ZONES = st.integers(-12, 14).map(lambda hours: timezone(timedelta(hours=hours)))
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=ZONES)


@given(MOMENTS, MOMENTS)
def test_intervals_are_utc_and_never_empty(start: datetime, end: datetime) -> None:
    if start >= end:
        with pytest.raises(ValueError, match="ends before it starts"):
            DataInterval.of(start, end)
        return
    interval = DataInterval.of(start, end)
    assert (interval.start, interval.end) == (start, end)
    assert interval.start.tzinfo is UTC
    assert interval.end.tzinfo is UTC
    assert str(interval).startswith(f"[{start.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}, ")


def test_times_of_other_zones_are_refused() -> None:
    noon = datetime(2026, 11, 1, 12)
    berlin = noon.replace(tzinfo=timezone(timedelta(hours=1)))
    for start in (noon, berlin):
        with pytest.raises(ValueError, match="takes UTC times"):
            DataInterval(start, datetime(2026, 11, 2, tzinfo=UTC))


@pytest.mark.parametrize(
    ("interval", "cron", "key_format", "every", "unit"),
    [
        ("hour", "0 * * * *", "%Y-%m-%d-%H:%M", 1, "hour"),
        ("day", "0 0 * * *", "%Y-%m-%d", 1, "day"),
        ("week", "0 0 * * 0", "%Y-%m-%d", 1, "week"),
        ("every 5 minutes", "*/5 * * * *", "%Y-%m-%d-%H:%M", 5, "minute"),
        ("every 1 minute", "*/1 * * * *", "%Y-%m-%d-%H:%M", 1, "minute"),
        ("every 6 hours", "0 */6 * * *", "%Y-%m-%d-%H:%M", 6, "hour"),
        ({"cron": "30 6 * * 1-5"}, "30 6 * * 1-5", "%Y-%m-%d-%H:%M", 1, None),
    ],
)
def test_forms(
    interval: str | Mapping[str, str], cron: str, key_format: str, every: int, unit: str | None
) -> None:
    rhythm = parse_rhythm(interval, "Europe/Berlin")
    assert rhythm.cron == cron
    assert rhythm.key_format == key_format
    assert (rhythm.every, rhythm.unit) == (every, unit)
    assert rhythm.timezone == "Europe/Berlin"
    assert rhythm.begins == 0


@pytest.mark.parametrize(
    ("interval", "offset", "week_starts_on", "cron", "key_format", "told"),
    [
        ("day", "02:00", "sunday", "0 2 * * *", "%Y-%m-%d-%H:%M", "day from 02:00"),
        ("day", "00:00", "sunday", "0 0 * * *", "%Y-%m-%d", "day"),
        ("week", None, "wednesday", "0 0 * * 3", "%Y-%m-%d", "week from Wednesday"),
        ("week", "06:30", "sunday", "30 6 * * 0", "%Y-%m-%d-%H:%M", "week from 06:30"),
        ("week", "06:30", "saturday", "30 6 * * 6", "%Y-%m-%d-%H:%M", "week from Saturday 06:30"),
        # The grid begins anew each day at that time: any of its times tells the same one.
        ("every 3 hours", "01:30", "sunday", "30 1,4,7,10,13,16,19,22 * * *", "%Y-%m-%d-%H:%M",
         "every 3 hours from 01:30"),
        ("every 3 hours", "10:30", "sunday", "30 1,4,7,10,13,16,19,22 * * *", "%Y-%m-%d-%H:%M",
         "every 3 hours from 01:30"),
        ("every 3 hours", "09:00", "sunday", "0 */3 * * *", "%Y-%m-%d-%H:%M", "every 3 hours"),
        ("hour", "00:30", "sunday", "30 * * * *", "%Y-%m-%d-%H:%M", "hour from 00:30"),
        ("every 15 minutes", "00:05", "sunday", "5,20,35,50 * * * *", "%Y-%m-%d-%H:%M",
         "every 15 minutes from 00:05"),
    ],
)  # fmt: skip
def test_intervals_that_begin_at_another_time(
    interval: str, offset: str | None, week_starts_on: str, cron: str, key_format: str, told: str
) -> None:
    rhythm = parse_rhythm(interval, "Europe/Berlin", offset=offset, week_starts_on=week_starts_on)
    assert (rhythm.cron, rhythm.key_format) == (cron, key_format)
    assert str(rhythm) == f"{told}, Europe/Berlin"


@pytest.mark.parametrize(
    ("interval", "offset", "week_starts_on", "field", "shown", "remedy"),
    [
        ("day", "2:00", "sunday", "offset", "'2:00'", "00:00 to 23:59"),
        ("day", "24:00", "sunday", "offset", "'24:00'", "midnight is 00:00"),
        ("day", 630, "sunday", "offset", "630", "in quotes"),
        ({"cron": "0 0 * * *"}, "02:00", "sunday", "offset", "cron", "into the expression"),
        ("week", None, "Wednesday", "week_starts_on", "'Wednesday'", "wednesday"),
        ("day", None, "wednesday", "week_starts_on", "'day'", "Leave it out"),
        ({"cron": "0 0 * * *"}, None, "monday", "week_starts_on", "'monday'", "Leave it out"),
    ],
)
def test_offsets_that_do_not_fit(
    interval: str | Mapping[str, str],
    offset: str | int | None,
    week_starts_on: str,
    field: str,
    shown: str,
    remedy: str,
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_rhythm(interval, offset=offset, week_starts_on=week_starts_on)
    assert caught.value.field == field
    assert shown in caught.value.problem
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    ("part", "whole", "divides"),
    [
        ("every 5 minutes", "every 10 minutes", True),
        ("every 5 minutes", "hour", True),
        ("every 4 hours", "every 12 hours", True),
        ("hour", "week", True),
        ("day", "week", True),
        ("every 10 minutes", "every 15 minutes", False),
        ("every 10 minutes", "every 5 minutes", False),
        ("every 8 hours", "every 12 hours", False),
        ({"cron": "0 6 * * *"}, {"cron": "0 6 * * *"}, True),
        ({"cron": "0 6 * * *"}, "week", False),
        ("every 1 minute", {"cron": "0 6 * * *"}, False),
    ],
)
def test_intervals_made_of_whole_ones(
    part: str | Mapping[str, str], whole: str | Mapping[str, str], divides: bool
) -> None:
    assert parse_rhythm(part).divides(parse_rhythm(whole)) is divides
    assert not parse_rhythm(part).divides(parse_rhythm(whole, "Europe/Berlin"))


@pytest.mark.parametrize(
    ("part", "whole", "divides"),
    [
        (("hour", "00:00"), ("day", "02:00"), True),
        (("hour", "00:00"), ("day", "02:30"), False),
        (("every 30 minutes", "00:00"), ("day", "02:30"), True),
        (("every 3 hours", "02:30"), ("day", "05:30"), True),
        (("every 3 hours", "02:30"), ("day", "05:00"), False),
        (("day", "02:00"), ("week", "02:00"), True),
        (("day", "02:00"), ("week", "00:00"), False),
        (("every 15 minutes", "00:05"), ("hour", "00:05"), True),
        (("every 15 minutes", "00:05"), ("hour", "00:00"), False),
        # In a zone whose clocks change, such a day begins at 03:00 where 02:35 is skipped.
        (("every 15 minutes", "00:05"), ("day", "02:35"), None),
    ],
)
def test_intervals_with_offsets_made_of_whole_ones(
    part: tuple[str, str], whole: tuple[str, str], divides: bool | None
) -> None:
    for zone in ("UTC", "Europe/Berlin"):
        small, large = (parse_rhythm(text, zone, offset=at) for text, at in (part, whole))
        assert small.divides(large) is (zone == "UTC" if divides is None else divides)


NO_FORM = "Use hour, day, week, 'every N minutes'"
MINUTES = "Use one of 1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30 minutes, or hour"
HOURS = "Use one of 1, 2, 3, 4, 6, 8, 12 hours, or day"
CRON_KEY = "has the one key cron"
CRON_FIELDS = "Write five fields"


@pytest.mark.parametrize(
    ("interval", "shown", "remedy"),
    [
        ("minute", "'minute'", NO_FORM),
        ("Hour", "'Hour'", NO_FORM),
        ("", "''", NO_FORM),
        ("every 5 days", "'every 5 days'", NO_FORM),
        ("every -5 minutes", "'every -5 minutes'", NO_FORM),
        ("every 1.5 hours", "'every 1.5 hours'", NO_FORM),
        ("@daily", "'@daily'", NO_FORM),
        ("0 * * * *", "'0 * * * *'", NO_FORM),
        ("every 0 minutes", "every 0 minutes", MINUTES),
        ("every 7 minutes", "every 7 minutes", MINUTES),
        ("every 60 minutes", "every 60 minutes", MINUTES),
        ("every 90 minutes", "every 90 minutes", MINUTES),
        ("every 5 hours", "every 5 hours", HOURS),
        ("every 24 hours", "every 24 hours", HOURS),
        ({}, "{}", CRON_KEY),
        ({"crom": "0 * * * *"}, "crom", CRON_KEY),
        ({"cron": "0 * * * *", "unit": "hour"}, "unit", CRON_KEY),
        ({"cron": 5}, "5", CRON_KEY),
        ({"cron": ""}, "''", CRON_FIELDS),
        ({"cron": "@daily"}, "@daily", CRON_FIELDS),
        ({"cron": "0 0 * * * *"}, "'0 0 * * * *'", CRON_FIELDS),
    ],
)
def test_wrong_forms(interval: str | Mapping[str, str], shown: str, remedy: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_rhythm(interval)
    assert caught.value.field == "interval"
    assert shown in caught.value.problem
    assert remedy in caught.value.remedy


@pytest.mark.parametrize("name", ["Berlin", "", "UTC+1", "+02:00", "../etc/passwd", "/etc", "a\0b"])
def test_unknown_time_zones(name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_rhythm("day", name)
    assert caught.value.field == "timezone"
    assert repr(name) in caught.value.problem
    assert "Europe/Berlin" in caught.value.remedy


@pytest.mark.parametrize(
    ("interval", "minutes", "cron"),
    [
        ("every 5 minutes", 0, "*/5 * * * *"),
        ("every 5 minutes", 10, "*/5 * * * *"),
        ("every 20 minutes", 7, "7,27,47 * * * *"),
        ("every 20 minutes", 67, "7,27,47 * * * *"),
        ("hour", 0, "0 * * * *"),
        ("hour", 1, "1 * * * *"),
        ("hour", 125, "5 * * * *"),
        ("every 6 hours", 0, "0 0,6,12,18 * * *"),
        ("every 6 hours", 61, "1 1,7,13,19 * * *"),
        ("every 8 hours", 25 * 60, "0 1,9,17 * * *"),
        ("day", 0, "0 0 * * *"),
        ("day", 90, "30 1 * * *"),
        ("day", 25 * 60, "0 1 * * *"),
        ("week", 0, "0 0 * * 0"),
        ("week", 90, "30 1 * * 0"),
        ("week", 24 * 60, "0 0 * * 1"),
        ("week", 8 * 24 * 60 + 61, "1 1 * * 1"),
        ({"cron": "30 6 * * 1-5"}, 90, "30 6 * * 1-5"),
    ],
)
def test_shifted_cron(interval: str | Mapping[str, str], minutes: int, cron: str) -> None:
    delay = timedelta(minutes=minutes)
    assert parse_rhythm(interval).shifted_cron(delay) == cron
    # Seconds are left to the run itself.
    assert parse_rhythm(interval).shifted_cron(delay + timedelta(seconds=59)) == cron
