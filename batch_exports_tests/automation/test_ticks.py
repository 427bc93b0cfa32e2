"""Ticks at the ends of windows, in the time zone of the schedule."""

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Any

import pytest

from batch_exports.automation.no_run_windows import NoRunWindow
from batch_exports.automation.ticks import build_ticks, end_crons
from batch_exports.errors import ConfigurationError
from batch_exports_tests.automation.scheduled import make_export, ticks_of

BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("begin", "end", "days", "timezone", "crons"),
    [
        ("22:00", "06:00", "", BERLIN, ["0 6 * * *"]),
        ("22:00", "06:00", "sat sun", BERLIN, ["0 6 * * 0,1"]),
        ("08:00", "18:30", "mon fri", BERLIN, ["30 18 * * 1,5"]),
        ("00:00", "00:00", "sat", BERLIN, ["0 0 * * 0"]),
        # Berlin is ahead of UTC by one hour or by two, of New York by six or, for weeks, five.
        ("22:00", "23:00", "sun", "UTC", ["0 0 * * 1", "0 1 * * 1"]),
        ("01:00", "06:00", "", "America/New_York", ["0 11 * * *", "0 12 * * *"]),
        ("01:00", "03:00", "sun", "Asia/Kolkata", ["30 22 * * 6", "30 23 * * 6"]),
    ],
)
def test_crons_at_the_ends_of_windows(
    begin: str, end: str, days: str, timezone: str, crons: list[str]
) -> None:
    times = time.fromisoformat(begin), time.fromisoformat(end)
    assert end_crons([NoRunWindow(*times, tuple(days.split()), timezone)], BERLIN) == crons


def test_what_ticks_each_hour_has_no_others() -> None:
    windows = [{"from": "22:00", "to": "06:30"}]
    assert build_ticks(make_export(no_run_windows=windows)).crons == ["1 * * * *"]
    own = make_export(interval={"cron": "0 */2 * * *"}, no_run_windows=windows)
    assert build_ticks(own).crons == ["0 */2 * * *", "30 6 * * *"]


@pytest.mark.parametrize("day", ["2026-03-28", "2026-10-24"])
def test_they_are_found_from_any_moment(day: str) -> None:
    windows = [{"from": "22:00", "to": "02:30"}, {"from": "05:00", "to": "06:00"}]
    export = make_export(interval="every 2 hours", timezone=BERLIN, no_run_windows=windows)
    first = datetime.fromisoformat(day).replace(tzinfo=UTC)
    found = [t.astimezone(UTC) for t in ticks_of(export, first, first + timedelta(days=2))]
    assert found == sorted(set(found))
    ticks = build_ticks(export)
    for before, tick in pairwise(found):
        between = before + (tick - before) / 2
        assert (ticks.before(tick), ticks.latest(tick)) == (before, tick)
        assert (ticks.latest(between), ticks.next(between)) == (before, tick)
        assert ticks.next(tick) == tick


@pytest.mark.parametrize(
    ("fields", "windows"),
    [
        ({}, [("00:00", "00:00", [])]),
        ({}, [("22:00", "06:00", []), ("06:00", "22:00", [])]),
        ({}, [("00:00", "00:00", ["mon", "tue", "wed"]), ("22:00", "22:00", ["wed", "thu", "fri"]),
              ("12:00", "12:00", ["sat", "sun"])]),
        # The schedule ticks at the full hour and a minute, when none of them is free.
        ({}, [("06:30", "06:15", [])]),
        # What becomes due in the ten minutes is read a quarter of an hour later, and not at all.
        ({"interval": {"cron": "0 6 * * *"}, "start": "2026-11-01T06:00", "delay_seconds": 900},
         [("06:10", "06:00", [])]),
    ],
)  # fmt: skip
def test_windows_that_leave_no_time_are_refused(
    fields: dict[str, Any], windows: list[tuple[str, str, list[str]]]
) -> None:
    given = [{"from": begin, "to": end, "days": days} for begin, end, days in windows]
    with pytest.raises(ConfigurationError, match="leave no time to run") as caught:
        build_ticks(make_export(no_run_windows=given, **fields))
    assert caught.value.field == "no_run_windows"
    build_ticks(make_export(no_run_windows=[{"from": "06:30", "to": "05:30"}], **fields))
