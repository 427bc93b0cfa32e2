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
