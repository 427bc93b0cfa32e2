"""Runs within this process, one after the other; where one is to be killed, in one of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime

from dagster._core.execution.api import execute_run
from dagster._core.launcher import LaunchRunContext
from dagster._serdes.config_class import ConfigurableClassData
from dagster._utils.hosted_user_process import recon_job_from_origin

from simulation.one_run import NOW
from simulation.unconfigured import UnconfiguredLauncher

Kill = Callable[["subprocess.Popen[bytes]"], None]


class HereLauncher(UnconfiguredLauncher):
    """`kill`, where it is set, gets the process of the next run of the job `victim` to end it."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(inst_data)
        self.victim: str | None = None
        self.kill: Kill | None = None

    def launch_run(self, context: LaunchRunContext) -> None:
        if self.kill and context.dagster_run.job_name == self.victim:
            kill, self.kill = self.kill, None
            self._launch_and_kill(context, kill)
            return
        assert context.job_code_origin
        job = recon_job_from_origin(context.job_code_origin)
        execute_run(job, context.dagster_run, self._instance)

    def _launch_and_kill(self, context: LaunchRunContext, kill: Kill) -> None:
        """With what Dagster's own launcher reports of a process that is gone."""
        run = context.dagster_run
        command = [sys.executable, "-m", "simulation.one_run", run.run_id]
        environment = {**os.environ, NOW: datetime.now(UTC).isoformat()}
        with subprocess.Popen(command, env=environment) as process:
            kill(process)
            code = process.wait()
        assert code < 0, f"the run ended by itself, with {code}"
        message = (
            f"Run execution process for {run.run_id} unexpectedly exited with exit code {code}."
        )
        self._instance.report_engine_event(message, run, cls=self.__class__)
        self._instance.report_run_failed(run)
