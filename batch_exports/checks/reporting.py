"""What a check found of each partition, where its run has several."""

from collections.abc import Mapping

import dagster as dg

from batch_exports.checks.examination import Outcome
from batch_exports.export import Export


def report(
    context: dg.AssetCheckExecutionContext,
    export: Export,
    name: str,
    outcomes: Mapping[str, Outcome],
) -> None:
    """Each partition's outcome, as the check's evaluation of that partition in this run.

    A check's result has no partition of its own in a run of several: Dagster would show each as
    skipped. An evaluation that belongs to no run is no way out, since Dagster keeps one alone of
    each check and partition, and refuses the second.
    """
    for key, outcome in outcomes.items():
        evaluation = dg.AssetCheckEvaluation(
            asset_key=export.key,
            check_name=name,
            passed=outcome.passed,
            severity=outcome.severity,
            description=outcome.description,
            metadata=outcome.metadata,
            partition=key,
        )
        context.instance.report_dagster_event(
            dg.DagsterEvent(
                event_type_value=dg.DagsterEventType.ASSET_CHECK_EVALUATION.value,
                job_name=context.run.job_name,
                event_specific_data=evaluation,
            ),
            run_id=context.run.run_id,
        )
