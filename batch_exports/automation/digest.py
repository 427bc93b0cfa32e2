"""What exports did in a day, for people who do not look at the UI each day."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import dagster as dg

from batch_exports.automation.alerts.message import Message
from batch_exports.automation.breaker import EXPORT_TAG, WILL_RETRY_TAG, pause_of
from batch_exports.automation.gaps import Progress, first_look
from batch_exports.export import Export

# What is read at a time of records that a day has many of.
_PAGE = 1000
# Keys of intervals that gaps are looked for among, the newest.
_MOST_KEYS = 10_000


@dataclass(frozen=True)
class Day:
    """One export's. `delivered` are partitions, each counted once, with what their last deliveries
    hold; `failed` are runs that failed, and `gaps` intervals that are due and not there now."""

    export: str
    delivered: int
    rows: int
    bytes: int
    rejected: int
    replaced: int
    failed: int
    gaps: int
    paused: bool

    @property
    def is_quiet(self) -> bool:
        return not (self.delivered or self.failed or self.gaps or self.paused)

    def __str__(self) -> str:
        parts = [f"{_number(self.delivered, 'partition')} delivered"]
        if self.delivered:
            parts += [_number(self.rows, "row"), _number(self.bytes, "byte")]
        for count, told in (
            (self.rejected, f"{_number(self.rejected, 'row')} rejected"),
            (self.replaced, f"{_number(self.replaced, 'row')} with replaced values"),
            (self.failed, f"{_number(self.failed, 'run')} failed"),
            (self.gaps, f"{_number(self.gaps, 'gap')} open"),
        ):
            if count:
                parts.append(told)
        return ", ".join([*parts, *(["PAUSED"] if self.paused else [])])


def read_day(instance: dg.DagsterInstance, export: Export, begin: datetime, end: datetime) -> Day:
    """What the instance has recorded of the export from `begin` to `end`; pauses and gaps are
    those of `end`."""
    delivered = _deliveries(instance, export, begin, end)

    def total(name: str) -> int:
        return sum(_count(metadata, name) for metadata in delivered.values())

    return Day(
        export.name,
        delivered=len(delivered),
        rows=total("dagster/partition_row_count"),
        bytes=total("bytes"),
        rejected=total("rejected_rows"),
        replaced=total("replaced_rows"),
        failed=_failed(instance, export, begin, end),
        gaps=_gaps(instance, export, end),
        paused=pause_of(instance, export) is not None,
    )


def digest(days: Sequence[Day], begin: datetime, end: datetime, ui_url: str | None) -> Message:
    """Times are told in the zone of `end`. Of a day without anything, that is told too: otherwise
    nobody would know quiet from broken."""
    span = f"{begin.astimezone(end.tzinfo):%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M %Z}"
    quiet = [day for day in days if day.is_quiet]
    lines = [(day.export, str(day)) for day in days if not day.is_quiet]
    if quiet and lines:
        lines.append(("Quiet", ", ".join(day.export for day in quiet)))
    if not lines:
        lines = [("All quiet", "nothing ran, nothing failed, and nothing is open.")]
    return Message(
        title=f"Exports, {span}",
        lines=tuple(lines),
        link=ui_url,
        data={
            "type": "digest",
            "begin": begin.isoformat(),
            "end": end.isoformat(),
            "exports": [asdict(day) for day in days],
        },
    )


def _deliveries(
    instance: dg.DagsterInstance, export: Export, begin: datetime, end: datetime
) -> Mapping[str, Mapping[str, dg.MetadataValue[Any]]]:
    """The metadata of each partition's last delivery in that time."""
    asked = dg.AssetRecordsFilter(
        export.key, after_timestamp=begin.timestamp(), before_timestamp=end.timestamp()
    )
    found = dict[str, Mapping[str, dg.MetadataValue[Any]]]()
    cursor, more = None, True
    while more:  # newest first
        page = instance.fetch_materializations(asked, limit=_PAGE, cursor=cursor)
        for record in page.records:
            materialization = record.asset_materialization
            assert materialization
            found.setdefault(materialization.partition or "", materialization.metadata)
        cursor, more = page.cursor, page.has_more
    return found


def _failed(instance: dg.DagsterInstance, export: Export, begin: datetime, end: datetime) -> int:
    asked = dg.RunsFilter(
        tags={EXPORT_TAG: export.name},
        statuses=[dg.DagsterRunStatus.FAILURE],
        updated_after=begin,
        updated_before=end,
    )
    count, cursor = 0, None
    while runs := instance.get_runs(asked, cursor=cursor, limit=_PAGE):
        count += sum(run.tags.get(WILL_RETRY_TAG) != "true" for run in runs)
        cursor = runs[-1].run_id
    return count


def _gaps(instance: dg.DagsterInstance, export: Export, now: datetime) -> int:
    """Intervals that are due by `now`, from the first that was ever delivered on, and are not
    there: whoever fills them, and whether a run is under way."""
    start: Progress = first_look(instance, export, now)
    cut, there, missing = export.partitions, instance.get_materialized_partitions(export.key), 0
    window = cut.get_prev_partition_window(
        min(now - export.delay, cut.end) if cut.end else now - export.delay, respect_bounds=False
    )
    for _ in range(_MOST_KEYS):
        if window is None or window.end.timestamp() <= start.reached.timestamp():
            break
        key = cut.get_partition_key_range_for_time_window(window, respect_bounds=False).start
        missing += key not in there
        window = cut.get_prev_partition_window(window.start, respect_bounds=False)
    return missing


def _count(metadata: Mapping[str, dg.MetadataValue[Any]], name: str) -> int:
    value = metadata.get(name)
    return int(value.value) if value is not None else 0


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
