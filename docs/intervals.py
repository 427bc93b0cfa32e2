"""Data intervals as the code cuts them."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from batch_exports.automation.partitions import build_partitions
from batch_exports.interval import parse_rhythm
from docs.fields import code, table

_DELAY = timedelta(seconds=60)
# Partitions are those that have ended: whenever this is run, the same.
_NOW = datetime(2026, 12, 1, tzinfo=UTC)
_EXAMPLES: tuple[tuple[str | dict[str, str], str, dict[str, str], str], ...] = (
    ("hour", "UTC", {}, "2026-11-01"),
    ("every 5 minutes", "UTC", {}, "2026-11-01"),
    ("every 6 hours", "UTC", {}, "2026-11-01"),
    ("every 3 hours", "UTC", {"offset": "01:30"}, "2026-11-01T01:30"),
    ("day", "Europe/Berlin", {}, "2026-11-01"),
    ("day", "Europe/Berlin", {"offset": "02:00"}, "2026-11-01T02:00"),
    ("week", "UTC", {}, "2026-11-01"),
    ("week", "UTC", {"week_starts_on": "wednesday"}, "2026-11-04"),
    ({"cron": "30 6 * * 1-5"}, "UTC", {}, "2026-11-02T06:30"),
)


def interval_table() -> str:
    """Each kind of interval with a partition of it, and when the schedule runs."""
    head = ("`interval`", "`timezone`", "and", "second partition", "its data interval", "schedule")
    return table(head, (_row(*example) for example in _EXAMPLES))


def _row(
    interval: str | dict[str, str], timezone: str, fields: dict[str, str], first: str
) -> tuple[str, ...]:
    rhythm = parse_rhythm(interval, timezone, **fields)
    partitions = build_partitions(rhythm, first, None)
    with dg.partition_loading_context(effective_dt=_NOW):
        key = partitions.get_partition_keys()[1]
        window = partitions.time_window_for_partition_key(key)
    written = f'{{cron: "{interval["cron"]}"}}' if isinstance(interval, dict) else interval
    return (
        code(written),
        timezone,
        ", ".join(code(f'{field}: "{value}"') for field, value in fields.items()),
        code(key),
        f"{window.start.isoformat()} to {window.end.isoformat()}",
        code(rhythm.shifted_cron(_DELAY)),
    )
