"""What checks have told of partitions."""

from typing import Any

import dagster as dg


def metadata_of(evaluation: dg.AssetCheckEvaluation) -> dict[str, Any]:
    """As plain values."""
    return {name: value.value for name, value in evaluation.metadata.items()}


def last(
    instance: dg.DagsterInstance, check: dg.AssetCheckKey
) -> dict[str, dg.AssetCheckEvaluation]:
    """The last evaluation of each partition that the instance has."""
    records = instance.event_log_storage.get_asset_check_execution_history(check, limit=100)
    found: dict[str, dg.AssetCheckEvaluation] = {}
    for record in records:  # the newest first
        event = record.event.dagster_event if record.event else None
        if event and event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            evaluation = event.asset_check_evaluation_data
            found.setdefault(str(evaluation.partition), evaluation)
    return found
