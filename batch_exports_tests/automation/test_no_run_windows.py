"""Whether runs may start at a moment, and when they may again, held against the clock on a wall."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batch_exports.automation.no_run_windows import (
    DAYS,
    NoRunWindow,
    find_hold,
    held_until,
    last_hold,
)

BERLIN = "Europe/Berlin"
TIMES = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30]))
# Around the changes of clocks in Berlin (29 March, 25 October) and New York (8 March, 1 November).
MOMENTS = st.sampled_from([(3, 7), (3, 28), (10, 24), (10, 31), (6, 1)]).flatmap(
    lambda day: st.integers(0, 3 * 24 * 4).map(
        lambda quarters: datetime(2026, *day, tzinfo=UTC) + timedelta(minutes=15 * quarters)
    )
)


def window(text: str, days: str = "", timezone: str = BERLIN) -> NoRunWindow:
    begin, end = (time.fromisoformat(part) for part in text.split("-"))
    return NoRunWindow(begin, end, tuple(days.split()), timezone)


def local(text: str, timezone: str = BERLIN) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(timezone))


# 2026-11-07 is a Saturday.
@pytest.mark.parametrize(
    ("text", "days", "moment", "until"),
    [
        ("22:00-06:00", "", "2026-11-04T21:59", None),
        ("22:00-06:00", "", "2026-11-04T22:00", "2026-11-05T06:00"),
        ("22:00-06:00", "", "2026-11-05T05:59", "2026-11-05T06:00"),
        ("22:00-06:00", "", "2026-11-05T06:00", None),
        ("22:00-06:00", "sat sun", "2026-11-06T23:00", None),
        ("22:00-06:00", "sat sun", "2026-11-07T03:00", None),
        ("22:00-06:00", "sat sun", "2026-11-08T03:00", "2026-11-08T06:00"),
        ("22:00-06:00", "sat sun", "2026-11-09T05:00", "2026-11-09T06:00"),
        ("08:00-18:00", "mon", "2026-11-09T07:59", None),
        ("08:00-18:00", "mon", "2026-11-09T08:00", "2026-11-09T18:00"),
        ("08:00-18:00", "mon", "2026-11-10T09:00", None),
        ("00:00-00:00", "sat sun", "2026-11-07T12:00", "2026-11-09T00:00"),
        ("12:00-12:00", "sat", "2026-11-08T11:59", "2026-11-08T12:00"),
        # The clock goes from 02:00 to 03:00 on 29 March, and from 03:00 to 02:00 on 25 October.
        ("22:00-02:30", "", "2026-03-29T01:59", "2026-03-29T03:00"),
        ("02:15-02:45", "", "2026-03-29T03:00", None),
        ("22:00-02:30", "", "2026-10-25T02:29", "2026-10-25T02:30+01:00"),
        ("02:30-05:00", "", "2026-10-25T02:30+02:00", "2026-10-25T05:00"),
    ],
)
def test_until_when_runs_are_held(text: str, days: str, moment: str, until: str | None) -> None:
    at = local(moment) if "+" not in moment else datetime.fromisoformat(moment)
    ends = until and (datetime.fromisoformat(until) if "+" in until else local(until))
    assert held_until([window(text, days)], at) == ends


WINDOWS = st.lists(
    st.builds(
        NoRunWindow,
        TIMES,
        TIMES,
        st.lists(st.sampled_from(DAYS), min_size=1, max_size=3, unique=True).map(tuple),
        st.sampled_from([BERLIN, "America/New_York", "UTC"]),
    ),
    max_size=3,
)


@given(WINDOWS, MOMENTS)
@example([window("22:00-06:00"), window("05:00-09:00", timezone="America/New_York")],
         datetime(2026, 3, 8, 4, tzinfo=UTC))  # fmt: skip
def test_a_hold_ends_at_the_first_moment_that_no_window_has(
    windows: list[NoRunWindow], moment: datetime
) -> None:
    until = held_until(windows, moment)
    if until is None:
        assert not any(on_the_wall(each, moment) for each in windows)
        return
    assert until > moment
    assert held_until(windows, until) is None
    while moment < until:
        assert find_hold(windows, moment)
        moment += timedelta(minutes=15)


def on_the_wall(window: NoRunWindow, moment: datetime) -> bool:
    """Whether the clock on a wall shows a time of the window, which wraps midnight or not."""
    shown = moment.astimezone(ZoneInfo(window.timezone))
    now, today, yesterday = shown.time(), shown.weekday(), (shown.weekday() - 1) % 7
    begins_today = not window.days or DAYS[today] in window.days
    began_yesterday = not window.days or DAYS[yesterday] in window.days
    if window.end > window.begin:
        return begins_today and window.begin <= now < window.end
    return (begins_today and now >= window.begin) or (began_yesterday and now < window.end)


def test_a_run_that_has_to_wait_starts_only_if_it_is_done_waiting_before_a_window() -> None:
    ten = timedelta(minutes=10)
    night, last = [window("22:00-06:00")], local("2026-11-04T21:49")
    assert held_until(night, last, wait=ten) is None
    assert held_until(night, last + timedelta(minutes=1), wait=ten) == local("2026-11-05T06:00")
    # The ten minutes between these two are too short.
    both = [window("22:00-06:00"), window("06:10-07:00")]
    assert held_until(both, local("2026-11-05T01:00")) == local("2026-11-05T06:00")
    assert held_until(both, local("2026-11-05T01:00"), wait=ten) == local("2026-11-05T07:00")


@given(WINDOWS.filter(bool), MOMENTS)
def test_the_window_that_was_over_last(windows: list[NoRunWindow], moment: datetime) -> None:
    over = last_hold(windows, moment)
    assert over
    assert over.begin < over.end <= moment
    assert find_hold([over.window], over.end - timedelta(minutes=15))
    later = over.end
    while later < moment:
        # What begins later has not ended yet.
        hold = find_hold(windows, later)
        assert hold is None or hold.end > moment
        later += timedelta(minutes=15)
