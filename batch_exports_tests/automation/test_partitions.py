"""Partitions tile time: no gap, no overlap, no key twice, also where the clock is changed."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import dagster as dg
import pytest
from dagster._core.test_utils import freeze_time
from hypothesis import given, settings
from hypothesis import strategies as st

from batch_exports.automation.partitions import build_partitions
from batch_exports.errors import ConfigurationError
from batch_exports.interval import WEEK_DAYS, DataInterval, Rhythm, parse_rhythm

ZONES = ("UTC", "Europe/Berlin", "America/New_York")
# Weeks around each change of the clock in Berlin (30 March, 26 October) and New York (9 March,
# 2 November), each beginning and ending on a Sunday.
SPRING, AUTUMN = ("2025-03-02", "2025-04-06"), ("2025-10-19", "2025-11-09")


def partitions(
    interval: str | Mapping[str, str],
    zone: str,
    start: str,
    end: str | None = None,
    **fields: str,
) -> dg.TimeWindowPartitionsDefinition:
    return build_partitions(parse_rhythm(interval, zone, **fields), start, end)


def intervals(definition: dg.TimeWindowPartitionsDefinition) -> dict[str, DataInterval]:
    windows = {
        key: definition.time_window_for_partition_key(key)
        for key in definition.get_partition_keys()
    }
    return {key: DataInterval.of(window.start, window.end) for key, window in windows.items()}


def lengths(definition: dg.TimeWindowPartitionsDefinition) -> dict[str, timedelta]:
    return {key: item.end - item.start for key, item in intervals(definition).items()}


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("season", [SPRING, AUTUMN])
@pytest.mark.parametrize(
    "interval",
    ["hour", "every 30 minutes", "every 6 hours", "day", "week", {"cron": "0 0 * * 0,2"}],
    ids=str,
)
def test_intervals_tile_time(
    interval: str | Mapping[str, str], season: tuple[str, str], zone: str
) -> None:
    assert_tiled(partitions(interval, zone, *season))


def assert_tiled(definition: dg.TimeWindowPartitionsDefinition) -> None:
    """Intervals follow each other from start to end, and each key leads to its own."""
    found = intervals(definition)
    assert len(found) == len(set(found.values()))
    assert all(before.end == after.start for before, after in pairwise(found.values()))
    assert next(iter(found.values())).start == definition.start.astimezone(UTC)
    assert list(found.values())[-1].end == definition.end.astimezone(UTC)  # type: ignore[union-attr]


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["hour", "every 30 minutes", "every 3 hours", "every 12 hours", "day", "week"]),
    st.builds("{:02}:{:02}".format, st.integers(0, 23), st.sampled_from([0, 5, 30])),
    st.sampled_from(WEEK_DAYS),
    # Among them clocks that change at midnight, the day before, and by half an hour.
    st.sampled_from([*ZONES, "America/Havana", "America/Nuuk", "Australia/Lord_Howe"]),
    st.sampled_from([SPRING, AUTUMN]),
)
def test_intervals_with_offsets_tile_time_or_are_refused(
    interval: str, offset: str, week_starts_on: str, zone: str, season: tuple[str, str]
) -> None:
    week_starts_on = week_starts_on if interval == "week" else "sunday"
    rhythm = parse_rhythm(interval, zone, offset=offset, week_starts_on=week_starts_on)
    first, last = (bound(rhythm, date.fromisoformat(day)) for day in season)
    try:
        definition = build_partitions(rhythm, first, last)
    except ConfigurationError as error:
        assert error.field == "interval"
        assert "where the clock changes" in error.problem
        assert zone not in ZONES
        return
    assert_tiled(definition)


def bound(rhythm: Rhythm, day: date) -> str:
    """A time at which an interval begins: the first on that day, for weeks on it or after it."""
    days, minutes = divmod(rhythm.begins, 24 * 60)
    if rhythm.unit == "week":
        day += timedelta(days=(days + 7 - day.isoweekday() % 7) % 7)
    return f"{day}T{minutes // 60:02}:{minutes % 60:02}"


@pytest.mark.parametrize(
    ("interval", "zone", "offset", "day"),
    [
        ("hour", "Australia/Lord_Howe", None, "2026-04-04"),  # by half an hour
        ("day", "America/Nuuk", "23:30", "2026-03-29"),  # at 23:00
        ("week", "Africa/Casablanca", "02:30", "2026-03-22"),  # back in spring
    ],
)
def test_what_dagster_does_not_tile_is_refused(
    interval: str, zone: str, offset: str | None, day: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        build_partitions(parse_rhythm(interval, zone, offset=offset), "2026-11-01", None)
    assert zone in caught.value.problem
    assert day in caught.value.problem
    assert "timezone: UTC" in caught.value.remedy


@pytest.mark.parametrize(
    ("interval", "start", "fields", "found"),
    [
        # From 02:30 on. The clock skips it: 03:00. It shows it twice: the second.
        ("day", "2026-03-28T02:30", {"offset": "02:30"},
         {"2026-03-28-02:30": 23.5, "2026-03-29-03:00": 23.5, "2026-03-30-02:30": 24}),
        ("day", "2026-10-24T02:30", {"offset": "02:30"},
         {"2026-10-24-02:30": 25, "2026-10-25-02:30": 24, "2026-10-26-02:30": 24}),
        ("every 3 hours", "2026-03-28T23:30", {"offset": "02:30"},
         {"2026-03-28-23:30": 2.5, "2026-03-29-03:00": 2.5, "2026-03-29-05:30": 3}),
        ("every 3 hours", "2026-10-24T23:30", {"offset": "02:30"},
         {"2026-10-24-23:30": 4, "2026-10-25-02:30": 3, "2026-10-25-05:30": 3}),
        ("week", "2026-03-25", {"week_starts_on": "wednesday"},
         {"2026-03-25": 167, "2026-04-01": 168, "2026-04-08": 168}),
        ("week", "2026-03-24T22:15", {"week_starts_on": "tuesday", "offset": "22:15"},
         {"2026-03-24-22:15": 167, "2026-03-31-22:15": 168, "2026-04-07-22:15": 168}),
    ],
)  # fmt: skip
def test_keys_are_the_local_times_at_which_intervals_begin(
    interval: str, start: str, fields: dict[str, str], found: dict[str, float]
) -> None:
    definition = partitions(interval, "Europe/Berlin", start, None, **fields)
    hours = {key: length / timedelta(hours=1) for key, length in lengths(definition).items()}
    assert dict(list(hours.items())[:3]) == found


WITH_OFFSETS = [
    (text, offset)
    for text in ("every 30 minutes", "hour", "every 3 hours", "every 12 hours", "day", "week")
    for offset in ("00:00", "00:30", "02:00", "02:30", "05:30")
]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
def test_what_divides_begins_wherever_the_other_does(zone: str) -> None:
    rhythms = [parse_rhythm(text, zone, offset=offset) for text, offset in WITH_OFFSETS]
    times = {rhythm: bounds(rhythm) for rhythm in set(rhythms)}
    divided = [(a, b) for a in times for b in times if a.divides(b)]
    assert len(divided) > len(times)
    for part, whole in divided:
        assert times[whole] <= times[part], f"{part} and {whole}"


def bounds(rhythm: Rhythm) -> set[datetime]:
    """When intervals begin in two nights in which both zones change their clocks, and around."""
    endless = build_partitions(rhythm, bound(rhythm, date(2025, 1, 5)), None)
    found = set()
    for month, day in ((3, 7), (3, 28), (10, 24), (10, 31)):
        moment = first = datetime(2026, month, day, tzinfo=UTC)
        while moment < first + timedelta(days=2):
            window = endless.get_next_partition_window(moment, respect_bounds=False)
            assert window
            found.add(window.start.astimezone(UTC))
            moment = window.end.astimezone(UTC)
    return found


@pytest.mark.parametrize(
    ("zone", "short", "long"),
    [
        ("UTC", None, None),
        ("Europe/Berlin", "2025-03-30", "2025-10-26"),
        ("America/New_York", "2025-03-09", "2025-11-02"),
    ],
)
def test_days_and_weeks_last_as_long_as_the_clock_says(
    zone: str, short: str | None, long: str | None
) -> None:
    days = lengths(partitions("day", zone, *SPRING)) | lengths(partitions("day", zone, *AUTUMN))
    unusual = {key: length for key, length in days.items() if length != timedelta(hours=24)}
    weeks = lengths(partitions("week", zone, *SPRING)) | lengths(partitions("week", zone, *AUTUMN))
    unusual_weeks = {key: length for key, length in weeks.items() if length != timedelta(days=7)}
    if short is None or long is None:
        assert unusual == unusual_weeks == {}
        return
    assert unusual == {short: timedelta(hours=23), long: timedelta(hours=25)}
    # Both days are Sundays, and weeks begin on Sunday.
    week = timedelta(days=7)
    assert unusual_weeks == {short: week - timedelta(hours=1), long: week + timedelta(hours=1)}


@pytest.mark.parametrize(
    ("zone", "day", "hour"),
    [("Europe/Berlin", "2025-10-26", "02"), ("America/New_York", "2025-11-02", "01")],
)
def test_repeated_hour_has_keys_of_its_own(zone: str, day: str, hour: str) -> None:
    found = lengths(partitions("hour", zone, day, f"{day}T04:00"))
    twice = [key for key in found if key.startswith(f"{day}-{hour}:00")]
    assert len(twice) == 2
    assert set(found.values()) == {timedelta(hours=1)}
    assert len(found) == 5
    five = lengths(partitions("every 5 minutes", zone, day, f"{day}T04:00"))
    assert len(five) == 5 * 12
    assert set(five.values()) == {timedelta(minutes=5)}


@pytest.mark.parametrize(
    ("zone", "day", "hour"),
    [("Europe/Berlin", "2025-03-30", "02"), ("America/New_York", "2025-03-09", "02")],
)
def test_skipped_hour_has_no_key(zone: str, day: str, hour: str) -> None:
    found = lengths(partitions("hour", zone, day, f"{day}T04:00"))
    assert len(found) == 3
    assert f"{day}-{hour}:00" not in found
    assert set(found.values()) == {timedelta(hours=1)}


def test_keys() -> None:
    def first(interval: str | Mapping[str, str], start: str) -> str:
        return partitions(interval, "UTC", start, "2026-12-06").get_partition_keys()[0]

    assert first("hour", "2026-11-01T06:00") == "2026-11-01-06:00"
    assert first("every 5 minutes", "2026-11-01T06:05") == "2026-11-01-06:05"
    assert first("day", "2026-11-01") == "2026-11-01"
    assert first("week", "2026-11-01") == "2026-11-01"
    assert first({"cron": "0 0 * * 0"}, "2026-11-01") == "2026-11-01-00:00"


def test_times_with_a_zone_of_their_own() -> None:
    berlin = partitions("hour", "Europe/Berlin", "2026-11-01T06:00Z", "2026-11-01T08:00Z")
    assert berlin.get_partition_keys() == ["2026-11-01-07:00", "2026-11-01-08:00"]


@pytest.mark.parametrize(
    ("interval", "start", "end", "field", "shown", "remedy"),
    [
        ("day", "2026-11-01T06:00", None, "start", "2026-11-01T06:00", "2026-11-02T00:00"),
        ("hour", "2026-11-01T06:30", None, "start", "2026-11-01T06:30", "2026-11-01T07:00"),
        ("hour", "2026-11-01T06:00:30", None, "start", "06:00:30", "2026-11-01T07:00"),
        ("week", "2026-11-02", None, "start", "2026-11-02", "2026-11-08T00:00"),
        ({"cron": "30 6 * * 1-5"}, "2026-11-01", None, "start", "2026-11-01", "2026-11-02T06:30"),
        ("day", "2026-11-01", "2026-11-03T01:00", "end", "2026-11-03T01:00", "2026-11-04T00:00"),
        ("day", "2026-11-01", "2026-11-01", "end", "not after the start", "later"),
        ("day", "2026-11-02", "2026-11-01", "end", "not after the start", "later"),
        ("day", "yesterday", None, "start", "'yesterday'", "2026-11-01T06:00"),
        ("day", "", None, "start", "''", "2026-11-01T06:00"),
        ("day", "2026-02-30", None, "start", "'2026-02-30'", "2026-11-01T06:00"),
        ("day", "2026-11-01", "soon", "end", "'soon'", "2026-11-01T06:00"),
        ({"cron": "61 * * * *"}, "2026-11-01", None, "interval", "'61 * * * *'", "Correct"),
        ({"cron": "a b c d e"}, "2026-11-01", None, "interval", "'a b c d e'", "Correct"),
    ],
)
def test_wrong_settings(
    interval: str | Mapping[str, str],
    start: str,
    end: str | None,
    field: str,
    shown: str,
    remedy: str,
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        partitions(interval, "UTC", start, end)
    assert caught.value.field == field
    assert shown in caught.value.problem
    assert remedy in caught.value.remedy


def test_hour_that_the_clock_skips_is_no_start() -> None:
    with pytest.raises(ConfigurationError) as caught:
        partitions("hour", "Europe/Berlin", "2025-03-30T02:00", None)
    assert "2025-03-30T03:00" in caught.value.remedy


def test_ends_are_compared_as_instants() -> None:
    """Where the clock goes back, 02:00 comes twice, an hour apart."""
    first, second = "2025-10-26T02:00+02:00", "2025-10-26T02:00+01:00"
    found = lengths(partitions("hour", "Europe/Berlin", first, second))
    assert list(found.values()) == [timedelta(hours=1)]
    with pytest.raises(ConfigurationError, match="not after the start"):
        partitions("every 30 minutes", "Europe/Berlin", second, "2025-10-26T02:30+02:00")


def test_half_open() -> None:
    found = intervals(partitions("day", "UTC", "2026-11-01", "2026-11-03"))
    edge = datetime(2026, 11, 2, tzinfo=UTC)
    assert [key for key, item in found.items() if item.start <= edge < item.end] == ["2026-11-02"]


def test_what_today_is_changes_nothing() -> None:
    """The rules of clocks are looked up in a year that may lie ahead of this machine's clock."""
    with freeze_time(datetime(2025, 1, 1, tzinfo=UTC)):
        cut = partitions("day", "Europe/Lisbon", "2024-12-30T02:30", offset="02:30")
        assert list(intervals(cut)) == ["2024-12-30-02:30"]
