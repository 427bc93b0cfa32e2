"""Values that could not be delivered as they were."""

from typing import Any

import dagster as dg

from batch_exports.checks.examination import Examination, Outcome


def check_values(it: Examination) -> Outcome:
    """No value was replaced (a warning), and no row rejected (an error)."""
    delivery = it.destination.delivery(it.interval)
    metadata: dict[str, Any] = {
        "replaced_rows": delivery.replaced,
        "rejected_rows": delivery.rejected,
    }
    if delivery.aside:
        metadata["originals"] = dg.MetadataValue.path(delivery.aside)
    if delivery.rejected:
        description = (
            f"Rows rejected: {delivery.rejected}. {delivery.aside} keeps them with the reason. "
            "Correct them at the source and materialize again."
        )
        return Outcome(False, description, metadata)
    if delivery.replaced:
        description = (
            f"Rows with a replaced value: {delivery.replaced}. "
            f"{delivery.aside} keeps the originals."
        )
        return Outcome(False, description, metadata, dg.AssetCheckSeverity.WARN)
    return Outcome(True, "Every value was delivered as it was.", metadata)
