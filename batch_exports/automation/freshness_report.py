"""What the check `freshness` tells of an export."""

from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from batch_exports.automation.breaker import pause_of
from batch_exports.automation.freshness import (
    FRESHNESS,
    Freshness,
    deadline,
    due,
    following,
    key_of,
    newest_due,
)
from batch_exports.duration import spoken
from batch_exports.export import Export


def evaluation(
    instance: dg.DagsterInstance, export: Export, found: Freshness, now: datetime, idle: str | None
) -> dg.AssetCheckEvaluation:
    """`idle` says why nobody expects deliveries, where that is so.

    `lag_seconds` is how long after it was due the newest interval was delivered; of an export that
    is late, for how long the first that is missing has been due.
    """
    newest = newest_due(export, now)
    metadata: dict[str, Any] = {"newest_due": key_of(export, newest)} if newest else {}
    match found.verdict:
        case "idle":
            told = f"Not judged: {idle}."
        case "late":
            told, more = _late(instance, export, found, now)
            metadata |= more
        case "fresh":
            told, more = _fresh(instance, export, found)
            metadata |= more
    return dg.AssetCheckEvaluation(
        asset_key=export.key,
        check_name=FRESHNESS,
        passed=found.verdict != "late",
        description=told,
        metadata=metadata,
    )


def _late(
    instance: dg.DagsterInstance, export: Export, found: Freshness, now: datetime
) -> tuple[str, dict[str, Any]]:
    missing = following(export, found.reached)
    assert missing, "an export that has ended is never late"
    key, was_due = key_of(export, missing), due(export, missing)
    allowed = spoken(export.fresh_within) if export.fresh_within else ""
    told = (
        f"{key} was due at {was_due:%Y-%m-%d %H:%M} UTC, and neither it nor a newer one is "
        f"delivered, {spoken(now - was_due)} later; {allowed} are allowed (fresh_within)."
    )
    if pause := pause_of(instance, export):
        told += f" {pause}"
    return told, {
        "late": key,
        "due": dg.MetadataValue.timestamp(was_due),
        "lag_seconds": int((now - was_due).total_seconds()),
    }


def _fresh(
    instance: dg.DagsterInstance, export: Export, found: Freshness
) -> tuple[str, dict[str, Any]]:
    metadata: dict[str, Any] = {}
    told = "Nothing that is due was delivered yet."
    last = export.partitions.get_prev_partition_window(found.reached, respect_bounds=False)
    if last and (delivered := _delivered_at(instance, export, key_of(export, last))):
        key, was_due = key_of(export, last), due(export, last)
        lag = max(delivered - was_due, timedelta(0))
        told = f"{key} was delivered {spoken(lag)} after it was due; nothing newer is late."
        metadata = {
            "newest_delivered": key,
            "delivered": dg.MetadataValue.timestamp(delivered),
            "lag_seconds": int(lag.total_seconds()),
        }
    if upcoming := following(export, found.reached):
        until = deadline(export, upcoming, found.since)
        metadata["fresh_until"] = dg.MetadataValue.timestamp(until)
        told += (
            f" {key_of(export, upcoming)}, the next, is late from {until:%Y-%m-%d %H:%M} UTC on."
        )
    else:
        told += " It was the last one."
    return told, metadata


def _delivered_at(instance: dg.DagsterInstance, export: Export, key: str) -> datetime | None:
    """When the interval was delivered first."""
    found = instance.fetch_materializations(
        dg.AssetRecordsFilter(export.key, asset_partitions=[key]), limit=1, ascending=True
    ).records
    return datetime.fromtimestamp(found[0].timestamp, UTC) if found else None
