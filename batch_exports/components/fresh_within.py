"""What users write about by when an interval must be delivered."""

from datetime import timedelta

from batch_exports.duration import parse_duration
from batch_exports.errors import ConfigurationError


def read_fresh_within(text: str | None) -> timedelta | None:
    """Raises `ConfigurationError` for what is no length of time, or none at all."""
    if text is None:
        return None
    length = parse_duration("fresh_within", text)
    if not length:
        raise ConfigurationError(
            "fresh_within",
            f"{text!r} leaves no time to deliver: every interval would be late.",
            remedy="Give the time that a delivery may take, such as 2 hours, or leave it out.",
        )
    return length
