"""A table of a warehouse before it is synced: its columns, its first rows, and their event."""

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from batch_exports import __version__
from batch_exports.sources.warehouse.difference import REASONS
from batch_exports.sources.warehouse.kinds import TableColumn
from batch_exports.sources.warehouse.mapping import MappedTable
from batch_exports.sources.warehouse.sample import Sample
from batch_exports.transform.identify_calls import Job, identify_calls, unfit
from batch_exports.transform.json_objects import shown

_WIDEST = 60


def preview(source: str, found: Sample, search: str) -> str:
    """The columns whose name or type has the keyword, whatever its case; the rows, an event a line;
    and the first event as RudderStack gets it."""
    mapped = found.mapped
    keyword = search.lower()
    listed = [c for c in found.columns if keyword in c.name.lower() or keyword in c.type.lower()]
    filtered = f", {len(listed)} with {search!r}" if search else ""
    parts = [
        f"{len(mapped.traits)}/{len(found.columns)} selected{filtered}",
        _table([("column", "type", "trait", ""), *(_column(c, mapped) for c in listed)]),
        f"First rows ({found.events.num_rows}):",
        *(_row(row) for row in found.events.to_pylist()),
        *(f"left out: {REASONS[reason]}" for reason in found.invalid),
    ]
    if found.events.num_rows:
        parts += ["Event of the first, as RudderStack gets it:", event(source, found.events)]
    return "\n".join(parts)


def event(source: str, events: pa.RecordBatch) -> str:
    """The call of the first row; why there is none, where none can be made."""
    first = events.slice(0, 1)
    for _, column, why in unfit(first, "rudderstack"):
        return f"none: {column} {why}"
    named = first.append_column("message_id", pa.array(["<message ID>"]))
    job = Job(source, "<run ID>", __version__)
    (call,) = identify_calls(named, "rudderstack", job).to_pylist()
    return json.dumps(json.loads(call.removesuffix(",")), indent=2, ensure_ascii=False)


def _column(column: TableColumn, mapped: MappedTable) -> tuple[str, ...]:
    paths = [shown(path) for one, path in mapped.traits if one == column]
    told = [what for what, one in mapped.identifiers.items() if one == column]
    told += ["primary key"] if column in mapped.key else []
    told += [] if paths or column in mapped.identifiers.values() else ["not selected"]
    return (column.name, column.type, ", ".join(paths) or "-", ", ".join(told))


def _row(row: dict[str, Any]) -> str:
    known = [f"{name}={row[name]}" for name in ("user_id", "anonymous_id", "email") if row[name]]
    return f"{row['record_id']}  {' '.join(known)}  {row['traits']}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [min(_WIDEST, max(map(len, column))) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
    return "\n".join(lines)
