"""What users write about gaps and late rows."""

from datetime import timedelta

from batch_exports.automation.recovery import Recovery
from batch_exports.duration import parse_duration
from batch_exports.errors import ConfigurationError

_SOONEST = timedelta(minutes=5)


def read_recovery(*, fill_gaps: str, lookback: str, every: str, runs: int) -> Recovery:
    """Raises `ConfigurationError`, naming the field, for what is no length of time, or too short
    a one."""
    look_every = parse_duration("late_data_every", every)
    if look_every < _SOONEST:
        raise ConfigurationError(
            "late_data_every",
            f"{every!r} is too short: each look counts the source's rows anew.",
            remedy="Give 5 minutes or more.",
        )
    return Recovery(
        fill_gaps=parse_duration("fill_gaps", fill_gaps),
        lookback=parse_duration("lookback", lookback),
        look_every=look_every,
        runs=runs,
    )


def refuse_append(recovery: Recovery) -> None:
    """Raises `ConfigurationError` where what is delivered again would be there twice."""
    if recovery.lookback:
        raise ConfigurationError(
            "lookback",
            "an interval that has late rows is delivered again, and write_mode append would add "
            "all of its rows once more.",
            remedy="Use write_mode: replace, or leave lookback out.",
        )
