"""Whether columns changed, at the source or where they were delivered, since they were approved."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from batch_exports.checks.examination import Examination, Outcome
from batch_exports.drift.approved_schema import (
    FIRST,
    ApprovedSchema,
    approved_schema,
    keep_approved,
)
from batch_exports.drift.both_ends import BothEnds, drift, look_at_both_ends
from batch_exports.drift.diff import Difference, table


def check_schema_drift(it: Examination) -> Outcome:
    """Columns at both ends are as they were approved (else a warning; an error where one that is
    exported is gone, or of another type)."""
    export = it.export
    now = look_at_both_ends(export, it.source, it.landed_columns, it.interval)
    approved = approved_schema(it.instance, export.name)
    if approved is None:
        approved = ApprovedSchema(now, datetime.now(UTC), FIRST)
        keep_approved(it.instance, export.name, approved)
    elif approved.ends.source is None and now.source is not None:
        # What a source tells for the first time is taken as it is, as at the first delivery.
        approved = replace(approved, ends=BothEnds(now.source, approved.ends.destination))
        keep_approved(it.instance, export.name, approved)
    found = drift(export, it.source, approved.ends, now)
    broken = any(difference.breaks for difference in found)
    return Outcome(
        not found,
        _told(found, approved, export.name),
        _metadata(found, now, approved),
        dg.AssetCheckSeverity.ERROR if broken else dg.AssetCheckSeverity.WARN,
    )


def _told(found: list[Difference], approved: ApprovedSchema, export: str) -> str:
    if not found:
        return f"Columns at both ends are those that were approved {approved}."
    first = found[0]
    which = f" {first.column!r}" if first.column else ""
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    return (
        f"Columns differ from those approved {approved}: at the {first.end}{which}, {first.what}"
        f"{more}. `batch-exports approve {export}` shows all, and takes them as they are."
    )


def _metadata(found: list[Difference], now: BothEnds, approved: ApprovedSchema) -> dict[str, Any]:
    ends = [difference.end for difference in found]
    metadata: dict[str, Any] = {
        "source_changes": ends.count("source"),
        "destination_changes": ends.count("destination"),
        "destination_columns": len(now.destination.columns),
        "approved": str(approved),
    }
    if now.source is not None:
        metadata["source_columns"] = len(now.source.columns)
    if found:
        metadata["drift"] = dg.MetadataValue.md(table(found))
    return metadata
