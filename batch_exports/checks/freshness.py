"""The check `freshness`: run by hand, or told by the sensor of the same name."""

from datetime import UTC, datetime

import dagster as dg

from batch_exports.automation.freshness import FRESHNESS, look_anew
from batch_exports.automation.freshness_report import evaluation
from batch_exports.export import Export


def build_freshness_check(export: Export) -> list[dg.AssetChecksDefinition]:
    """None for an export that says nothing of when it is to be fresh."""
    if export.fresh_within is None:
        return []

    @dg.asset_check(
        asset=export.key,
        name=FRESHNESS,
        description="The newest interval that is due was delivered in time, or may be yet.",
    )
    def freshness(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        now = datetime.now(UTC)
        found = look_anew(context.instance, export, now)
        told = evaluation(context.instance, export, found, now, None)
        return dg.AssetCheckResult(
            passed=told.passed, description=told.description, metadata=told.metadata
        )

    return [freshness]
