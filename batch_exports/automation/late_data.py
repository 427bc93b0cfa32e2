"""Rows that came after their interval was delivered, found by counting both ends."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg

from batch_exports.destinations.delivery import Destination
from batch_exports.export import Export
from batch_exports.interval import DataInterval
from batch_exports.sources.counting import count_each
from batch_exports.sources.source import Source


@dataclass(frozen=True)
class Late:
    """A delivered interval of which the source has another number of rows by now."""

    key: str
    interval: DataInterval
    source_rows: int
    delivered_rows: int
    delivered_at: datetime
    found_at: datetime

    @property
    def rows(self) -> int:
        """How many more there are; negative where some are gone."""
        return self.source_rows - self.delivered_rows

    @property
    def least_age(self) -> timedelta:
        """How late the first of them was at the least: it missed the delivery."""
        return max(self.delivered_at - self.interval.end, timedelta(0))

    @property
    def most_age(self) -> timedelta:
        """How late the last of them was at the most: now it is there."""
        return self.found_at - self.interval.end


def within_lookback(export: Export, now: datetime) -> list[str]:
    """The keys of the intervals that are due and ended within the look-back, newest first."""
    cut = export.partitions
    last = now.astimezone(UTC) - export.delay
    newest = cut.get_prev_partition_window(min(last, cut.end or last), respect_bounds=False)
    before = cut.get_prev_partition_window(
        now.astimezone(UTC) - export.recovery.lookback, respect_bounds=False
    )
    assert newest and before
    first = max(before.end, cut.start)
    if first.timestamp() >= newest.end.timestamp():
        return []
    return list(cut.get_partition_keys_in_time_window(dg.TimeWindow(first, newest.end)))[::-1]


def find_late(
    export: Export,
    source: Source,
    destination: Destination,
    intervals: Mapping[str, DataInterval],
    now: datetime,
) -> list[Late]:
    """Those of the intervals, by their keys, that are not delivered as the source has them.

    Of an interval that was never delivered nothing is said. Where only the newest row of each key
    is kept, rows move on to later intervals, and only those that came are late. Raises what source
    and destination raise.
    """
    recorded = destination.recorded(list(intervals.values()))
    delivered = {key: each for key, each in intervals.items() if each in recorded}
    counts = count_each(source, export.selection, list(delivered.values()))
    late = [
        Late(key, each, rows, recorded[each].source_rows, recorded[each].delivered_at, now)
        for (key, each), rows in zip(delivered.items(), counts, strict=True)
    ]
    return [each for each in late if (each.rows > 0 if export.merges else each.rows)]
