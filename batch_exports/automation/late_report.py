"""What is told of late rows: how many, of which intervals, and how late."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import dagster as dg

from batch_exports.automation.late_data import Late
from batch_exports.duration import spoken
from batch_exports.export import Export

AGES = {
    "1 hour": timedelta(hours=1),
    "6 hours": timedelta(hours=6),
    "1 day": timedelta(days=1),
    "7 days": timedelta(days=7),
    "longer": timedelta.max,
}
"""Rows are summed up by how late they were at the most."""


@dataclass(frozen=True)
class Sums:
    """Late rows of an export since it was first looked at, by age, and the intervals that had
    some. Rows that were gone count for an interval, and not among the rows."""

    intervals: int = 0
    rows: Mapping[str, int] = field(default_factory=dict)

    def with_more(self, found: Sequence[Late]) -> "Sums":
        rows = dict(self.rows)
        for late in found:
            age = next(name for name, most in AGES.items() if late.most_age <= most)
            rows[age] = rows.get(age, 0) + max(late.rows, 0)
        return Sums(self.intervals + len(found), rows)


def observation(export: Export, found: Sequence[Late], sums: Sums) -> dg.AssetObservation:
    """What a look found for the first time, as the asset's page shows it, beside the sums."""
    rows = sum(max(late.rows, 0) for late in found)
    gone = -sum(min(late.rows, 0) for late in found)
    return dg.AssetObservation(
        export.key,
        description=_described(found, rows, gone),
        metadata={
            "late_rows": rows,
            "gone_rows": gone,
            "late_intervals": len(found),
            "late_by_hours_at_most": round(_hours(max(late.most_age for late in found)), 2),
            "intervals": dg.MetadataValue.table([_record(late) for late in found]),
            "late_rows_in_all": sum(sums.rows.values()),
            "late_intervals_in_all": sums.intervals,
            "late_rows_in_all_by_age": dg.MetadataValue.table(
                [
                    dg.TableRecord({"late by up to": age, "rows": sums.rows.get(age, 0)})
                    for age in AGES
                ]
            ),
        },
    )


def run_tags(late: Late) -> dict[str, str]:
    """What the run of a changed interval is for."""
    return {
        "batch_exports/late_rows": str(late.rows),
        "batch_exports/late_by": _late_by(late),
        SOURCE_ROWS_TAG: str(late.source_rows),
    }


SOURCE_ROWS_TAG = "batch_exports/source_rows"


def told(late: Late) -> str:
    """One line of a tick's log."""
    return (
        f"{late.key}: {late.source_rows} rows in the source, {late.delivered_rows} delivered; "
        f"found {_late_by(late)} after its end"
    )


def _described(found: Sequence[Late], rows: int, gone: int) -> str:
    parts = [f"{rows} rows came late"] if rows or not gone else []
    parts += [f"{gone} rows are gone from the source"] if gone else []
    intervals = "interval" if len(found) == 1 else "intervals"
    return f"{' and '.join(parts)}, in {len(found)} {intervals}, to be delivered again."


def _record(late: Late) -> dg.TableRecord:
    return dg.TableRecord(
        {
            "interval": late.key,
            "rows in the source": late.source_rows,
            "rows delivered": late.delivered_rows,
            "difference": late.rows,
            "late by": _late_by(late),
            "delivered at": late.delivered_at.isoformat(timespec="seconds"),
        }
    )


def _late_by(late: Late) -> str:
    return f"{spoken(late.least_age)} to {spoken(late.most_age)}"


def _hours(length: timedelta) -> float:
    return length.total_seconds() / 3600
