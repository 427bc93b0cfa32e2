"""An export as its YAML makes it, and what its schedule requests tick by tick."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from dagster._utils.schedules import schedule_execution_time_iterator

from batch_exports.automation.no_run_windows import find_hold
from batch_exports.automation.schedules import newly_due
from batch_exports.automation.ticks import build_ticks, wait
from batch_exports.components.s3_batch_export import S3BatchExport
from batch_exports.export import Export


def make_export(**fields: Any) -> Export:
    attributes = {
        "name": "events_archive",
        "source": "lake",
        "model": "events",
        "start": "2026-11-01",
        "connection": "archive",
        "bucket_name": "exports",
        **fields,
    }
    return S3BatchExport.from_attributes_dict(attributes=attributes).export()


def ticks_of(export: Export, first: datetime, last: datetime) -> Iterator[datetime]:
    """When Dagster's daemon evaluates the schedule, as its own iterator says."""
    times = schedule_execution_time_iterator(
        first.timestamp(), build_ticks(export).crons, export.rhythm.timezone
    )
    for tick in times:
        if tick.timestamp() > last.timestamp():
            return
        yield tick


def requested(export: Export) -> list[tuple[datetime, str]]:
    """Each partition that the ticks request, from well before the first interval to well after the
    last; none at a tick that lies in a window without runs."""
    cut = export.partitions
    assert cut.end
    first, last = cut.start - timedelta(hours=8), cut.end + timedelta(days=4)
    ticks = build_ticks(export)
    return [
        (tick.astimezone(UTC), key)
        for tick in ticks_of(export, first, last)
        if not find_hold(export.no_run_windows, tick, wait=wait(export))
        for key in newly_due(export, ticks, tick)
    ]
