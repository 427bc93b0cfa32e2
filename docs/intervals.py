"""Data intervals as the code cuts them."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from batch_exports.automation.partitions import build_partitions
from batch_exports.interval import parse_rhythm
from docs.fields import code, table

_DELAY = timedelta(seconds=60)
# Partitions are those that have ended: whenever this is run, the same.
_NOW = datetime(2026, 12, 1, tzinfo=UTC)
_EXAMPLES: tuple[tuple[str | dict[str, str], str], ...] = (
    ("hour", "UTC"),
    ("every 5 minutes", "UTC"),
    ("every 6 hours", "UTC"),
    ("day", "Europe/Berlin"),
    ("week", "UTC"),
    ({"cron": "30 6 * * 1-5"}, "UTC"),
)


def interval_table() -> str:
    """Each kind of interval with a partition of it, and when the schedule runs."""
    head = ("`interval`", "`timezone`", "second partition", "its data interval", "schedule")
    return table(head, (_row(*example) for example in _EXAMPLES))


def _row(interval: str | dict[str, str], timezone: str) -> tuple[str, ...]:
    rhythm = parse_rhythm(interval, timezone)
    first = "2026-11-02T06:30" if isinstance(interval, dict) else "2026-11-01"
    partitions = build_partitions(rhythm, first, None)
    with dg.partition_loading_context(effective_dt=_NOW):
        key = partitions.get_partition_keys()[1]
        window = partitions.time_window_for_partition_key(key)
    written = f'{{cron: "{interval["cron"]}"}}' if isinstance(interval, dict) else interval
    return (
        code(written),
        timezone,
        code(key),
        f"{window.start.isoformat()} to {window.end.isoformat()}",
        code(rhythm.shifted_cron(_DELAY)),
    )
