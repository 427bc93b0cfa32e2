"""The same time of past weeks, where clocks change and where exports begin."""

from datetime import UTC, datetime, timedelta

import pytest

from batch_exports.checks.past_weeks import WEEKS, past_weeks
from batch_exports.interval import DataInterval
from batch_exports_tests.automation.scheduled import make_export

BERLIN = {"timezone": "Europe/Berlin", "start": "2026-01-01"}


def began(key: str, **fields: object) -> list[str]:
    """When the intervals began that this one is compared with, in UTC."""
    export = make_export(**fields)
    return [f"{each.start:%m-%d %H:%M}" for each in past_weeks(export, export.interval(key))]


@pytest.mark.parametrize(
    ("fields", "key", "first", "last"),
    [
        ({"start": "2026-01-01"}, "2026-04-15-09:00", "04-08 09:00", "02-18 09:00"),
        (
            {"interval": "every 5 minutes", **BERLIN},
            "2026-04-15-09:05",
            "04-08 07:05",
            "02-18 08:05",
        ),
        # Clocks were put forward on 29 March: 09:00 is 07:00 UTC since then, and was 08:00.
        (BERLIN, "2026-04-15-09:00", "04-08 07:00", "02-18 08:00"),
        ({"interval": "day", **BERLIN}, "2026-04-15", "04-07 22:00", "02-17 23:00"),
        ({"interval": "week", "start": "2026-01-04"}, "2026-04-12", "04-05 00:00", "02-15 00:00"),
        (
            {"interval": {"cron": "30 6 * * 1-5"}, "start": "2026-01-01T06:30"},
            "2026-04-15-06:30",
            "04-08 06:30",
            "02-18 06:30",
        ),
    ],
)
def test_same_weekday_and_time(fields: dict[str, object], key: str, first: str, last: str) -> None:
    found = began(key, **fields)
    assert (found[0], found[-1], len(found)) == (first, last, WEEKS)


def test_a_time_that_clocks_skipped_has_no_past() -> None:
    found = began("2026-04-05-02:00", **BERLIN)
    assert found[0] == "03-22 01:00"
    assert len(found) == WEEKS - 1


def test_nothing_is_before_the_start() -> None:
    assert began("2026-11-20-09:00", start="2026-11-06T09:00") == ["11-13 09:00", "11-06 09:00"]
    assert began("2026-11-20-08:00", start="2026-11-06T09:00") == ["11-13 08:00"]


def test_what_has_no_weeks_has_no_past() -> None:
    assert began("2026-09-01-00:00", interval={"cron": "0 0 1 * *"}, start="2026-01-01") == []


def test_an_hour_that_comes_twice_is_compared_with_the_one_of_other_weeks() -> None:
    export = make_export(**BERLIN)
    first = datetime(2026, 10, 25, 0, tzinfo=UTC)
    both = [
        DataInterval(moment, moment + timedelta(hours=1))
        for moment in (first, first + timedelta(hours=1))
    ]
    assert {past_weeks(export, each)[0].start for each in both} == {first - timedelta(weeks=1)}
