"""Sensors, evaluated at a time of the test's choosing, and the runs that they ask for."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import dagster as dg

from batch_exports.definitions import component_tree, load_definitions
from batch_exports.export import Export
from batch_exports.lookup import find_exports


def exports() -> dict[str, Export]:
    """Those of the deployment that was loaded last, by name."""
    tree = component_tree()
    found = find_exports(tree, load_definitions(tree))
    return {each.export.name: each.export for each in found}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass
class Ticks:
    """One sensor's, each going on from the cursor of the one before."""

    definitions: dg.Definitions
    instance: dg.DagsterInstance
    cursor: str | None = None
    requested: list[dg.RunRequest] = field(default_factory=list)

    def context(self) -> dg.SensorEvaluationContext:
        """With the resources that the daemon gives."""
        return dg.build_sensor_context(
            resources=dict(self.definitions.resources or {}),
            instance=self.instance,
            cursor=self.cursor,
            repository_def=self.definitions.get_repository_def(),
        )

    def take(self, result: dg.SensorResult) -> tuple[list[str], str]:
        """The keys of what was asked for, and the reason where nothing was.

        What has a run of the same run key is not asked for, as the daemon does.
        """
        self.cursor = result.cursor
        known = {request.run_key for request in self.requested}
        new = [each for each in result.run_requests or [] if each.run_key not in known]
        self.requested += new
        for event in result.asset_events:
            self.instance.report_runless_asset_event(event)
        reason = result.skip_reason.skip_message if result.skip_reason else ""
        return [str(each.partition_key) for each in new], reason or ""

    def run(self, request: dg.RunRequest, job_name: str | None = None) -> bool:
        """Whether the request's run succeeds."""
        job = self.definitions.resolve_job_def(job_name or str(request.job_name))
        result = job.execute_in_process(
            partition_key=request.partition_key,
            instance=self.instance,
            tags=dict(request.tags),
            raise_on_error=False,
        )
        return result.success

    def begin(self, export: Export, key: str) -> str:
        """The ID of a run that is under way."""
        job = self.definitions.resolve_job_def(f"{export.name}_job")
        run = self.instance.create_run_for_job(
            job, status=dg.DagsterRunStatus.STARTED, tags={"dagster/partition": key}
        )
        return run.run_id

    def deliver(self, export: Export, keys: Sequence[str]) -> None:
        """Record deliveries, and nothing else."""
        for key in keys:
            event = dg.AssetMaterialization(export.key, partition=key)
            self.instance.report_runless_asset_event(event)
