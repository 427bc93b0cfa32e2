"""Lengths of time as users write and read them."""

from datetime import timedelta

import pytest

from batch_exports.duration import parse_duration, spoken
from batch_exports.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("0 days", timedelta(0)),
        ("1 hour", timedelta(hours=1)),
        ("90 minutes", timedelta(minutes=90)),
        ("7 days", timedelta(days=7)),
        ("2 weeks", timedelta(days=14)),
    ],
)
def test_written(text: str, length: timedelta) -> None:
    assert parse_duration("lookback", text) == length


@pytest.mark.parametrize(
    "text", ["", "7", "days", "-1 days", "7 d", "1.5 hours", "7 days ago", "7\n"]
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_duration("lookback", text)
    assert caught.value.field == "lookback"
    assert "such as 7 days" in caught.value.remedy


@pytest.mark.parametrize(
    ("minutes", "told"),
    [(-3, "0 min"), (0.4, "0 min"), (59, "59 min"), (60, "1 h"), (200, "3 h 20 min"),
     (24 * 60, "1 d"), (50 * 60 + 9, "2 d 2 h")],
)  # fmt: skip
def test_spoken(minutes: float, told: str) -> None:
    assert spoken(timedelta(minutes=minutes)) == told
