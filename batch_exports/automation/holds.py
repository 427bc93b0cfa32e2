"""Why nothing of an export is to be started unasked."""

from collections.abc import Collection
from datetime import datetime

import dagster as dg
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, InstigatorType

from batch_exports.automation.breaker import pause_of
from batch_exports.automation.no_run_windows import find_hold
from batch_exports.export import Export


def why_held(
    instance: dg.DagsterInstance, export: Export, moment: datetime, stopped: Collection[str]
) -> str | None:
    """In words, with the way back; None where runs may start. `stopped` are the names of schedules
    that do not run."""
    if schedule_name(export) in stopped:
        return "its schedule is stopped; start it, and gaps are filled"
    if hold := find_hold(export.no_run_windows, moment):
        return f"no runs from {hold.window}; they start again at {hold.end:%Y-%m-%d %H:%M} UTC"
    pause = pause_of(instance, export)
    return str(pause) if pause else None


def schedule_name(export: Export) -> str:
    return f"{export.name}_schedule"


def stopped_schedules(context: dg.SensorEvaluationContext) -> Collection[str]:
    """The schedules of the code location that do not run, by what was said in the UI last, and
    where nothing was, by the definitions."""
    assert context.repository_def
    instance = context.instance
    # Instances in memory keep nothing of what was said.
    states = instance.all_instigator_state() if instance.schedule_storage else ()
    said = {
        state.instigator_name: state.status
        for state in states
        if state.instigator_type is InstigatorType.SCHEDULE and _is_of(context, state)
    }
    by_default = {
        schedule.name
        for schedule in context.repository_def.schedule_defs
        if schedule.default_status is dg.DefaultScheduleStatus.STOPPED
    }
    stopped = {name for name, status in said.items() if status is InstigatorStatus.STOPPED}
    running = {name for name, status in said.items() if status is InstigatorStatus.RUNNING}
    return stopped | (by_default - running)


def _is_of(context: dg.SensorEvaluationContext, state: InstigatorState) -> bool:
    """Whether it is of the code location that the sensor is in; tests have none."""
    here, there = context.code_location_origin, state.origin.repository_origin
    return here is None or here.location_name == there.code_location_origin.location_name
