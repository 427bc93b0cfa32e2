"""Whether the newest interval of an export was delivered in time, whatever old ones were since."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Literal

import dagster as dg

from batch_exports.automation.gaps import window_of
from batch_exports.automation.no_run_windows import NoRunWindow, find_hold, held_until
from batch_exports.export import Export

FRESHNESS = "freshness"
"""The name of the check. It is of the export as a whole, and not of a partition."""

Verdict = Literal["fresh", "late", "idle"]

# Intervals that one look takes in: at first those among which the newest delivery mostly is.
_FEW_INTERVALS = 8
_MOST_INTERVALS = 500
_STEP = timedelta(hours=1)
_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Freshness:
    """What is known of one export; times are in UTC.

    `reached` is the end of the newest interval that was delivered; where none was, of the newest
    that was due when the export was first looked at. What was due before `since` counts as due
    then. `verdict` is that of the last look.
    """

    since: datetime
    reached: datetime
    verdict: Verdict = "fresh"


def look(
    instance: dg.DagsterInstance,
    export: Export,
    before: Freshness | None,
    now: datetime,
    *,
    idle: bool,
) -> Freshness:
    """Of an export that was not looked at `before`, what is due counts as due `now`. Of one that is
    `idle` nobody expects deliveries.

    One small query is made where an interval has become due that was not delivered yet, and none
    otherwise.
    """
    newest = newest_due(export, now)
    if before is None:
        before = Freshness(now, _first_reached(instance, export, newest))
    if idle:
        return replace(before, since=now, verdict="idle")
    reached = _reached(instance, export, before.reached, newest)
    waits = following(export, reached)
    late = waits is not None and now >= deadline(export, waits, before.since)
    return Freshness(before.since, reached, "late" if late else "fresh")


def look_anew(instance: dg.DagsterInstance, export: Export, now: datetime) -> Freshness:
    """As of an export that was looked at since its first delivery. Where the newest is long ago,
    all that were delivered are asked for."""
    newest = newest_due(export, now)
    reached = newest and _delivered_until(instance, export, None, newest)
    if reached is None:
        delivered = sorted(instance.get_materialized_partitions(export.key), reverse=True)
        windows = (window for key in delivered if (window := window_of(export, key)))
        reached = next((window.end.astimezone(UTC) for window in windows), None)
    before = Freshness(_ALWAYS, reached or _first_reached(instance, export, newest))
    return look(instance, export, before, now, idle=False)


def newest_due(export: Export, now: datetime) -> dg.TimeWindow | None:
    """The newest interval that may be read by `now`; None before the first."""
    cut, moment = export.partitions, now.astimezone(UTC) - export.delay
    window = cut.get_prev_partition_window(
        min(moment, cut.end.astimezone(UTC)) if cut.end else moment, respect_bounds=False
    )
    if window is None or window.start.timestamp() < cut.start.timestamp():
        return None
    return window


def following(export: Export, reached: datetime) -> dg.TimeWindow | None:
    """The interval that begins there, or after; None where the export has ended."""
    cut = export.partitions
    window = cut.get_next_partition_window(reached, respect_bounds=False)
    if window is None or (cut.end and window.end.timestamp() > cut.end.timestamp()):
        return None
    return window


def due(export: Export, window: dg.TimeWindow) -> datetime:
    return window.end.astimezone(UTC) + export.delay


def deadline(export: Export, window: dg.TimeWindow, since: datetime) -> datetime:
    """By when an interval must be delivered. The time of windows without runs does not count."""
    assert export.fresh_within is not None, "an export without it has no deadlines"
    return _free_time_after(
        export.no_run_windows, max(due(export, window), since), export.fresh_within
    )


def key_of(export: Export, window: dg.TimeWindow) -> str:
    cut = export.partitions
    return cut.get_partition_key_range_for_time_window(window, respect_bounds=False).start


def _first_reached(
    instance: dg.DagsterInstance, export: Export, newest: dg.TimeWindow | None
) -> datetime:
    """Nobody expects the history of an export that was never delivered."""
    if newest is None:
        return export.partitions.start.astimezone(UTC)
    return _delivered_until(instance, export, None, newest) or newest.end.astimezone(UTC)


def _reached(
    instance: dg.DagsterInstance, export: Export, reached: datetime, newest: dg.TimeWindow | None
) -> datetime:
    if newest is None or newest.end.timestamp() <= reached.timestamp():
        return reached
    return _delivered_until(instance, export, reached, newest) or reached


def _delivered_until(
    instance: dg.DagsterInstance, export: Export, after: datetime | None, newest: dg.TimeWindow
) -> datetime | None:
    """The end of the newest interval that was delivered, of those that begin `after` a time."""
    first = max(after or export.partitions.start, export.partitions.start).timestamp()
    windows = _back_from(export, newest, first)
    for most in (_FEW_INTERVALS, _MOST_INTERVALS):
        ends = {key_of(export, each): each.end for each in islice(windows, most)}
        found = ends and instance.get_latest_storage_id_by_partition(
            export.key, dg.DagsterEventType.ASSET_MATERIALIZATION, {*ends}
        )
        if last := next((end for key, end in ends.items() if key in found), None):
            return last.astimezone(UTC)
    return None


def _back_from(export: Export, newest: dg.TimeWindow, first: float) -> Iterator[dg.TimeWindow]:
    """Intervals that begin at the `first` moment or later, the newest first."""
    window: dg.TimeWindow | None = newest
    while window and window.start.timestamp() >= first:
        yield window
        window = export.partitions.get_prev_partition_window(window.start, respect_bounds=False)


def _free_time_after(
    windows: Sequence[NoRunWindow], moment: datetime, length: timedelta
) -> datetime:
    """When so much time has passed in which runs may start."""
    if not windows:
        return moment + length
    while True:
        moment = held_until(windows, moment) or moment
        step = min(length, _STEP)
        hold = find_hold(windows, moment, wait=step)
        # Until the window begins, which is within the step.
        free = max(hold.begin - moment, timedelta(0)) if hold else step
        if free == length:
            return moment + length
        moment, length = hold.end if hold else moment + free, length - free
