"""The columns of an export that were approved last, kept by Dagster's instance.

They are in its key-value store, where pauses are kept as well: runs, and whatever is deleted with
them, are no part of it, and to look them up costs one small query.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import dagster as dg

from batch_exports.drift.both_ends import BothEnds
from batch_exports.sources.found_columns import FoundColumn, FoundColumns

FIRST = "the first delivery"
"""Who approved what nobody was asked about."""


@dataclass(frozen=True)
class ApprovedSchema:
    """`by` is a user's name on the machine where it was approved, or `FIRST`."""

    ends: BothEnds
    at: datetime
    by: str

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} UTC by {self.by}"


def approved_schema(instance: dg.DagsterInstance, export: str) -> ApprovedSchema | None:
    """None of an export that was never delivered since schemas are looked at."""
    key = _key(export)
    text = instance.daemon_cursor_storage.get_cursor_values({key}).get(key)
    if text is None:
        return None
    told = json.loads(text)
    source = told["source"] and _read(told["source"])
    ends = BothEnds(source, _read(told["destination"]))
    return ApprovedSchema(ends, datetime.fromisoformat(told["at"]), told["by"])


def keep_approved(instance: dg.DagsterInstance, export: str, approved: ApprovedSchema) -> None:
    """In the place of what was approved before."""
    source = approved.ends.source
    told = {
        "at": approved.at.isoformat(),
        "by": approved.by,
        "source": source and _written(source),
        "destination": _written(approved.ends.destination),
    }
    text = json.dumps(told, separators=(",", ":"))
    instance.daemon_cursor_storage.set_cursor_values({_key(export): text})


def _key(export: str) -> str:
    return f"batch_exports/approved_schema/{export}"


def _written(found: FoundColumns) -> dict[str, Any]:
    columns = [[one.name, one.type, one.nullable] for one in found.columns]
    return {"sampled": found.sampled, "columns": columns}


def _read(told: dict[str, Any]) -> FoundColumns:
    columns: Sequence[Any] = told["columns"]
    return FoundColumns(tuple(FoundColumn(*one) for one in columns), told["sampled"])
