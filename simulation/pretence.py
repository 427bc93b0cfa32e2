"""Runs that move no data: they begin, take as long as one would, and tell what one tells."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from dagster._core.launcher import LaunchRunContext
from dagster._serdes.config_class import ConfigurableClassData

from simulation.recording import Recording
from simulation.unconfigured import UnconfiguredLauncher

_JOB = "_job"


@dataclass(frozen=True)
class Run:
    """One that is under way, in time stamps."""

    id: str
    export: str
    key: str
    began: float
    ends: float


class PretendingLauncher(UnconfiguredLauncher):
    """`takes` tells how many seconds a run of an export and a partition takes."""

    recording: Recording
    takes: Callable[[str, str], float]

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(inst_data)
        self.under_way: list[Run] = []
        self.over: list[Run] = []
        self._new: list[Run] = []

    def launch_run(self, context: LaunchRunContext) -> None:
        run, now = context.dagster_run, time.time()
        export, key = run.job_name.removesuffix(_JOB), run.tags["dagster/partition"]
        launched = Run(run.run_id, export, key, now, now + self.takes(export, key))
        self.under_way.append(launched)
        self._new.append(launched)

    def tell(self, now: float) -> None:
        """What was launched has begun, and what is over by `now` tells all the rest."""
        for run in self._new:
            self._tell(run, slice(0, 1))
        self._new.clear()
        for run in [each for each in self.under_way if each.ends <= now]:
            self._tell(run, slice(1, None))
            self.under_way.remove(run)
            self.over.append(run)

    def _tell(self, run: Run, which: slice) -> None:
        names = {
            "run": run.id,
            "job": f"{run.export}{_JOB}",
            "export": run.export,
            "key": run.key,
        }
        seconds = run.ends - run.began
        for event in self.recording.told(which, names, run.began, seconds):
            self._instance.handle_new_event(event)
