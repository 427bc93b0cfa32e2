"""What a run of an export would do for one partition: looked up at both ends, nothing written."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from batch_exports.destinations.delivery import Destination, Recorded
from batch_exports.destinations.http import plan as http
from batch_exports.destinations.http.destination import HttpDestination
from batch_exports.destinations.planned import Planned
from batch_exports.destinations.postgres import plan as postgres
from batch_exports.destinations.postgres.destination import PostgresDestination
from batch_exports.destinations.redshift import plan as redshift
from batch_exports.destinations.redshift.destination import RedshiftDestination
from batch_exports.destinations.s3 import plan as s3
from batch_exports.destinations.s3.destination import S3Destination
from batch_exports.errors import BatchExportError, ConfigurationError
from batch_exports.export import Export
from batch_exports.interval import DataInterval
from batch_exports.lookup import Found
from batch_exports.models import type_name
from batch_exports.sources.description import Description
from batch_exports.transform.filters import RowFilter

_PLANS: Mapping[type[Any], Callable[[Any, DataInterval], Planned]] = {
    HttpDestination: http.plan,
    PostgresDestination: postgres.plan,
    RedshiftDestination: redshift.plan,
    S3Destination: s3.plan,
}


@dataclass(frozen=True)
class Plan:
    """`source`, `rows`, `destination` and `before` are None where they could not be told, of which
    `problems` say why. `rows` is also None where counting is not worth it, as `source` says, and
    `before` where nothing was delivered."""

    export: Export
    partition: str
    interval: DataInterval
    source: Description | None
    rows: int | None
    destination: Planned | None
    before: Recorded | None
    problems: Sequence[str] = field(default=())

    @property
    def due(self) -> datetime:
        return self.export.due(self.interval)

    @property
    def local(self) -> tuple[datetime, datetime]:
        """The bounds in the export's time zone."""
        zone = ZoneInfo(self.export.rhythm.timezone)
        return self.interval.start.astimezone(zone), self.interval.end.astimezone(zone)

    @property
    def columns(self) -> list[dict[str, str]]:
        """Each with its type in the model, and at the destination where that is known."""
        there = self.destination.columns if self.destination else {}
        return [
            {"name": c.name, "type": type_name(c.type), "destination_type": there.get(c.name, "")}
            for c in self.export.selection.columns
        ]


def plan(found: Found, partition: str | None) -> Plan:
    """By default of the newest partition that may be read.

    Raises `ConfigurationError` for a partition that the export has not. What cannot be reached is
    one of the problems.
    """
    export = found.export
    key = partition_of(export, partition)
    interval = export.interval(key)
    problems: list[str] = []

    def tried(look: Callable[[], Any]) -> Any:
        try:
            return look()
        except BatchExportError as error:
            if str(error) not in problems:
                problems.append(str(error))
            return None

    description, rows = tried(lambda: _look_at_source(found, interval)) or (None, None)
    planned, before = tried(lambda: _look_at_destination(found, interval)) or (None, None)
    if planned and planned.obstacle:
        problems.append(planned.obstacle)
    return Plan(export, key, interval, description, rows, planned, before, tuple(problems))


def _look_at_source(found: Found, interval: DataInterval) -> tuple[Description, int | None]:
    export = found.export
    with found.resources({export.source}) as resources:
        source = export.reader(resources)
        description = source.describe(export.selection, interval)
        counted = description.uncounted is None
        return description, source.count(export.selection, interval) if counted else None


def _look_at_destination(found: Found, interval: DataInterval) -> tuple[Planned, Recorded | None]:
    export = found.export
    with found.resources(export.destination_resources) as resources:
        destination: Destination = export.destination(resources)
        planned = _PLANS[type(destination)](destination, interval)
        return planned, destination.recorded([interval]).get(interval)


def partition_of(export: Export, partition: str | None) -> str:
    """The one of this key; without one the newest that may be read. Raises `ConfigurationError`."""
    key = partition or _newest(export)
    _check(export, key)
    return key


def _newest(export: Export) -> str:
    newest = export.newest
    window = export.partitions.get_prev_partition_window(newest.end, respect_bounds=False)
    assert window
    (key, *_) = export.partitions.get_partition_keys_in_time_window(window)
    return key


def _check(export: Export, key: str) -> None:
    if export.partitions.has_partition_key(key):
        return
    keys = export.partitions.get_partition_keys()
    there = f"They go from {keys[0]} to {keys[-1]}" if keys else "There is none yet"
    raise ConfigurationError(
        "--partition", f"{export.name} has no partition {key!r}.", remedy=f"{there}."
    )


def filters_in_words(filters: RowFilter) -> list[str]:
    """All of which a row must meet."""
    told = []
    if filters.include_events:
        told.append(f"event is one of {', '.join(filters.include_events)}")
    if filters.exclude_events:
        told.append(f"event is none of {', '.join(filters.exclude_events)}")
    for one in filters.properties:
        value = "" if one.value is None else f" {one.value!r}"
        told.append(f"{one.type} property {one.key} {one.operator}{value}")
    return told


def as_json(plan: Plan) -> dict[str, Any]:
    """For machines; None where something is not known."""
    source, there = plan.source, plan.destination
    selection = plan.export.selection
    start, end = plan.local
    return {
        "export": plan.export.name,
        "partition": plan.partition,
        "interval": {
            "start": plan.interval.start.isoformat(),
            "end": plan.interval.end.isoformat(),
            "local_start": start.isoformat(),
            "local_end": end.isoformat(),
            "due": plan.due.isoformat(),
        },
        "model": selection.model.name,
        "membership": selection.membership,
        "filters": filters_in_words(selection.filters),
        "columns": plan.columns,
        "source": source
        and {
            "place": source.place,
            "query": source.query,
            "files": [{"uri": file.uri, "bytes": file.bytes} for file in source.files],
            "note": source.note,
            "rows": plan.rows,
            "uncounted": source.uncounted,
        },
        "destination": there
        and {
            "place": there.place,
            "way": there.way,
            "differences": list(there.differences),
            "steps": [{"what": step.what, "text": step.text} for step in there.steps],
        },
        "before": plan.before
        and {
            "source_rows": plan.before.source_rows,
            "delivered_at": plan.before.delivered_at.astimezone(UTC).isoformat(),
        },
        "problems": list(plan.problems),
    }
