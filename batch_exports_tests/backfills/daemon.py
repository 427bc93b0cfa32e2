"""Dagster's own daemon of backfills, one look at a time, in this process; its runs too."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import dagster as dg
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster._daemon.backfill import execute_backfill_iteration

_HERE = {
    "module": "dagster._core.launcher.sync_in_memory_run_launcher",
    "class": "SyncInMemoryRunLauncher",
}
AT_ONCE = {
    "run_launcher": _HERE,
    "run_coordinator": {"module": "dagster.core.run_coordinator", "class": "DefaultRunCoordinator"},
}
"""An instance whose runs are done when they are submitted."""
QUEUED = {"run_launcher": _HERE}
"""An instance whose runs wait in its queue."""


@dataclass(frozen=True)
class Daemon:
    workspace: WorkspaceProcessContext

    def look(self) -> None:
        """Work off what can be of all backfills."""
        found = execute_backfill_iteration(self.workspace, logging.getLogger("daemon"))
        assert [error for error in found if error] == []

    def start(self, run: dg.DagsterRun) -> None:
        """Take a run out of the queue, and do it."""
        self.workspace.instance.launch_run(run.run_id, self.workspace.create_request_context())


@contextmanager
def daemon(instance: dg.DagsterInstance) -> Iterator[Daemon]:
    """The code location is that of the deployment, as BATCH_EXPORTS_DEFS tells."""
    # Dagster loads a module once for each working directory.
    target = LoadableTargetOrigin(
        executable_path=sys.executable,
        module_name="batch_exports.definitions",
        attribute="defs",
        working_directory=os.environ["BATCH_EXPORTS_DEFS"],
    )
    origin = InProcessCodeLocationOrigin(target, location_name="batch_exports")
    with WorkspaceProcessContext(instance, InProcessWorkspaceLoadTarget(origin)) as workspace:
        yield Daemon(workspace)
