"""Lengths of time, as users write them: "7 days"."""

import re
from datetime import timedelta

from batch_exports.errors import ConfigurationError

_WRITTEN = re.compile(r"(\d{1,5}) (minute|hour|day|week)s?")


def parse_duration(field: str, text: str) -> timedelta:
    """Raises `ConfigurationError`, naming the field, for what is no length of time."""
    written = _WRITTEN.fullmatch(text)
    if written is None:
        raise ConfigurationError(
            field,
            f"{text!r} is not a length of time.",
            remedy="Write it as N minutes, N hours, N days or N weeks, such as 7 days.",
        )
    return timedelta(**{f"{written[2]}s": int(written[1])})


def spoken(length: timedelta) -> str:
    """A length of time for people, in one or two units: "3 h 20 min"."""
    minutes = max(0, round(length.total_seconds() / 60))
    days, hours = divmod(minutes // 60, 24)
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    return f"{minutes} min"
