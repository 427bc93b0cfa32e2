"""Checks as Dagster runs them, a partition at a time."""

from collections.abc import Iterator, Mapping

import dagster as dg

from batch_exports.automation.freshness import FRESHNESS
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
) -> dg.AssetChecksDefinition:
    """All checks in one step, since a step costs more than most checks; each can be run alone."""
    checks = {**checks_of(export), **ON_DEMAND}
    specs = [
        dg.AssetCheckSpec(
            name,
            asset=export.key,
            description=check.__doc__,
            partitions_def=export.partitions,
        )
        for name, check in checks.items()
    ]

    @dg.multi_asset_check(
        name=f"{export.key.to_python_identifier()}_checks",
        specs=specs,
        can_subset=True,
        description="Reads what was delivered anew, and compares it with the source.",
        required_resource_keys=export.resources,
        retry_policy=retry_policy,
    )
    def check(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        asked = {key.name for key in context.selected_asset_check_keys}
        selected = {name: check for name, check in checks.items() if name in asked}
        yield from _results(context, export, selected, deep)

    return check


def deliveries_of(export: Export) -> dg.AssetSelection:
    """The export's asset with the checks that belong to each delivery."""
    others = [*ON_DEMAND, *([FRESHNESS] if export.fresh_within is not None else [])]
    keys = (dg.AssetCheckKey(export.key, name) for name in others)
    return dg.AssetSelection.assets(export.key) - dg.AssetSelection.checks(*keys)


def _results(
    context: dg.AssetCheckExecutionContext,
    export: Export,
    checks: Mapping[str, Check],
    deep: bool,
) -> Iterator[dg.AssetCheckResult]:
    """A result of each check; one that cannot be made out keeps back none of the others."""
    keys = _partitions(context)
    source, destination = export.reader(context.resources), export.destination(context.resources)
    looks = {
        key: Examination(export, source, destination, export.interval(key), deep, context.instance)
        for key in keys
    }
    errors: list[Exception] = []
    for name, check in checks.items():
        if name in ON_DEMAND and _delivers(context, export):
            outcomes = dict.fromkeys(keys, Outcome(True, _JUST_DELIVERED))
        else:
            try:
                outcomes = {key: outcome_of(check, look) for key, look in looks.items()}
            except Exception as error:  # such as Transient: the step is tried again
                context.log.warning(f"{name} could not be made out: {error}")
                errors.append(error)
                continue
        if context.has_partition_key_range:
            report(context, export, name, outcomes)
        yield _combined(export, name, outcomes)
    if errors:
        raise errors[0]


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


def _combined(export: Export, name: str, outcomes: Mapping[str, Outcome]) -> dg.AssetCheckResult:
    """One partition's outcome as it is; of several, whether all passed, and the first that fail."""
    if len(outcomes) == 1:
        only = next(iter(outcomes.values()))
        return dg.AssetCheckResult(
            asset_key=export.key,
            check_name=name,
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
        asset_key=export.key,
        check_name=name,
        passed=not failed,
        severity=dg.AssetCheckSeverity.WARN if warnings else dg.AssetCheckSeverity.ERROR,
        description=f"{len(outcomes) - len(failed)} of {len(outcomes)} partitions pass.",
        metadata={key: outcome.description for key, outcome in list(failed.items())[:20]},
    )
