"""Whether the newest interval of an export is there by when it could be expected."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from batch_exports.automation.no_run_windows import find_hold
from batch_exports.export import Export

_LEAST_GRACE = timedelta(hours=1)


def newest_expected(export: Export, now: datetime) -> tuple[str, datetime, datetime] | None:
    """The newest partition that should be there by now, when it was due, and until when it is the
    newest that should: an interval may take as long to be delivered as the export's `fresh_within`
    says; without that as long as the next one, or an hour.

    None before the first, and where a window without runs has held it back.
    """
    cut = export.partitions
    window = cut.get_prev_partition_window(now.astimezone(UTC) - export.delay, respect_bounds=False)
    if window is None:
        return None
    length = window.end.astimezone(UTC) - window.start.astimezone(UTC)
    grace = export.fresh_within or max(length, _LEAST_GRACE)
    if any(find_hold(export.no_run_windows, moment) for moment in (now, now - grace)):
        return None
    moment = now.astimezone(UTC) - export.delay - grace
    window = cut.get_prev_partition_window(
        min(moment, cut.end.astimezone(UTC)) if cut.end else moment, respect_bounds=False
    )
    if window is None or window.start.timestamp() < cut.start.timestamp():
        return None
    key = cut.get_partition_key_range_for_time_window(window).start
    due = window.end.astimezone(UTC) + export.delay
    following = cut.get_next_partition_window(window.end, respect_bounds=False)
    until = following.end.astimezone(UTC) + export.delay + grace if following else now + grace
    return key, due, until


def is_delivered(instance: dg.DagsterInstance, export: Export, partition: str) -> bool:
    found = instance.fetch_materializations(
        dg.AssetRecordsFilter(export.key, asset_partitions=[partition]), limit=1
    )
    return bool(found.records)
