"""The sensor of an export that loads another one's files: loads again what was delivered anew."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg

from batch_exports.automation.holds import stopped_schedules, why_held
from batch_exports.automation.late_data import within_lookback
from batch_exports.automation.partition_runs import attempts_of
from batch_exports.automation.recovery import PRIORITY, TICK_SECONDS, TRIGGER_TAG
from batch_exports.automation.stale_loads import find_stale
from batch_exports.automation.under_way import not_under_way
from batch_exports.duration import spoken
from batch_exports.export import Export


def build_load_sensor(export: Export, job: Any) -> dg.SensorDefinition:
    """Looks for stale loads of an export whose job this is."""
    back = spoken(export.recovery.lookback)

    @dg.sensor(
        name=f"{export.name}_late_data",
        job=job,
        minimum_interval_seconds=TICK_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Loads intervals of the last {back} again whose files were delivered anew "
        "since.",
    )
    def late_data(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        return look(context, export, datetime.now(UTC))

    return late_data


def look(context: dg.SensorEvaluationContext, export: Export, now: datetime) -> dg.SensorResult:
    """One tick, at `now`: which loads within the look-back are older than their files."""
    assert context.repository_def and export.loads_from
    if held := why_held(context.instance, export, now, stopped_schedules(context)):
        return dg.SensorResult(skip_reason=f"Not looked at: {held}")
    keys = within_lookback(export, now)
    free, running = not_under_way(context, export, keys)
    loaded = context.repository_def.asset_graph.get(export.loads_from).partitions_def
    assert isinstance(loaded, dg.TimeWindowPartitionsDefinition)
    stale = find_stale(context.instance, export, loaded, free)[::-1]
    tried = attempts_of(context.instance, export.job_name, stale)
    ready = [key for key in stale if not tried[key].waits(now)]
    wanted = ready[: max(0, export.recovery.runs - running)]
    reason = (
        f"{len(keys)} intervals looked at; {len(stale)} were loaded before their files were "
        f"delivered again; requested {len(wanted)}."
    )
    context.log.info(reason)
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(
                run_key=f"stale {export.name} {key} after {tried[key].last}",
                partition_key=key,
                tags={TRIGGER_TAG: "stale load", **PRIORITY},
            )
            for key in wanted
        ],
        skip_reason=None if wanted else reason,
    )
