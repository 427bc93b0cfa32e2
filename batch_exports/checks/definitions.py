"""Checks as Dagster runs them, a partition at a time."""

from collections.abc import Mapping, Sequence

import dagster as dg

from batch_exports.checks.examination import Check, Examination, Outcome, outcome_of
from batch_exports.checks.registry import ON_DEMAND, checks_of
from batch_exports.checks.reporting import report
from batch_exports.export import Export

_JUST_DELIVERED = (
    "This run has delivered it: nobody can have changed it yet. Run the check alone, or "
    "`batch-exports verify`, to compare what is there later."
)


def build_checks(
    export: Export, *, deep: bool, retry_policy: dg.RetryPolicy
) -> Sequence[dg.AssetChecksDefinition]:
    """One check definition each, so that each can be run alone."""
    checks = {**checks_of(export), **ON_DEMAND}
    return [_build(export, name, check, deep, retry_policy) for name, check in checks.items()]


def deliveries_of(export: Export) -> dg.AssetSelection:
    """The export's asset with the checks that belong to each delivery."""
    on_demand = (dg.AssetCheckKey(export.key, name) for name in ON_DEMAND)
    return dg.AssetSelection.assets(export.key) - dg.AssetSelection.checks(*on_demand)


def _build(
    export: Export, name: str, examine: Check, deep: bool, retry_policy: dg.RetryPolicy
) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=export.key,
        name=name,
        description=examine.__doc__,
        partitions_def=export.partitions,
        required_resource_keys=export.resources,
        retry_policy=retry_policy,
    )
    def check(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        keys = _partitions(context)
        if name in ON_DEMAND and _delivers(context, export):
            outcomes = dict.fromkeys(keys, Outcome(True, _JUST_DELIVERED))
        else:
            outcomes = _examined(context, export, examine, keys, deep)
        if len(keys) > 1:
            report(context, export, name, outcomes)
        return _combined(outcomes)

    return check


def _examined(
    context: dg.AssetCheckExecutionContext,
    export: Export,
    examine: Check,
    keys: Sequence[str],
    deep: bool,
) -> dict[str, Outcome]:
    source = export.reader(context.resources)
    destination = export.destination(context.resources)
    return {
        key: outcome_of(
            examine, Examination(export, source, destination, export.interval(key), deep)
        )
        for key in keys
    }


def _delivers(context: dg.AssetCheckExecutionContext, export: Export) -> bool:
    """Whether the run delivers what is checked. The UI and backfills run all checks of an asset."""
    return export.key in context.op_execution_context.job_def.asset_layer.selected_asset_keys


def _partitions(context: dg.AssetCheckExecutionContext) -> list[str]:
    """Those of the run. The UI's "Execute all" gives none, and Dagster takes no result without."""
    if not context.has_partition_key and not context.has_partition_key_range:
        raise dg.Failure(
            "The run has no partition to check.",
            metadata={"remedy": dg.MetadataValue.md("Materialize a partition: that checks it.")},
            allow_retries=False,
        )
    return list(context.partition_keys)


def _combined(outcomes: Mapping[str, Outcome]) -> dg.AssetCheckResult:
    """One partition's outcome as it is; of several, whether all passed, and the first that fail."""
    if len(outcomes) == 1:
        only = next(iter(outcomes.values()))
        return dg.AssetCheckResult(
            passed=only.passed,
            severity=only.severity,
            description=only.description,
            metadata=only.metadata,
        )
    failed = {key: outcome for key, outcome in outcomes.items() if not outcome.passed}
    warnings = failed and all(
        outcome.severity is dg.AssetCheckSeverity.WARN for outcome in failed.values()
    )
    return dg.AssetCheckResult(
        passed=not failed,
        severity=dg.AssetCheckSeverity.WARN if warnings else dg.AssetCheckSeverity.ERROR,
        description=f"{len(outcomes) - len(failed)} of {len(outcomes)} partitions pass.",
        metadata={key: outcome.description for key, outcome in list(failed.items())[:20]},
    )
