"""A Dagster of its own: an instance on disk, its daemon and two code locations, as processes."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from benchmarks import processes

ROOT = Path(__file__).parent.parent
START_SECONDS = 120.0
_WORKSPACE = """\
load_from:
  - python_module: {module_name: batch_exports.definitions, location_name: exports}
  - python_module: {module_name: benchmarks.empty_asset, location_name: empty}
"""
_ENDS = {
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
}


@dataclass(frozen=True)
class Ended:
    """A run: seconds from the launch of its process to its end, and the moments of both."""

    launched: float
    ended: float
    asset: str

    @property
    def seconds(self) -> float:
        return self.ended - self.launched


@dataclass(frozen=True)
class Dagster:
    instance: dg.DagsterInstance
    daemon: int

    def cpu(self) -> float:
        """Seconds that the daemon, the code locations and all runs have used by now."""
        return processes.cpu(processes.tree([self.daemon]))

    def await_runs(self, count: int, patience: float) -> list[Ended]:
        """The newest `count` runs, when there are as many that have ended.

        Raises TimeoutError, and RuntimeError for a run that did not succeed.
        """
        deadline = time.monotonic() + patience
        while True:
            runs = self.instance.get_run_records(filters=dg.RunsFilter(statuses=list(_ENDS)))
            if len(runs) >= count:
                return [self._ended(one.dagster_run) for one in runs[:count]]
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(runs)} of {count} runs ended within {patience:.0f} s")
            time.sleep(0.2)

    def _ended(self, run: dg.DagsterRun) -> Ended:
        if run.status is not dg.DagsterRunStatus.SUCCESS:
            raise RuntimeError(f"run {run.run_id} of {run.asset_selection}: {run.status.value}")
        kinds = {dg.DagsterEventType.RUN_STARTING, dg.DagsterEventType.RUN_SUCCESS}
        moments = [log.timestamp for log in self.instance.all_logs(run.run_id, of_type=kinds)]
        [key] = run.asset_selection or [dg.AssetKey("none")]
        return Ended(min(moments), max(moments), key.path[-1])


@contextmanager
def dagster(home: Path, settings: str, environment: Mapping[str, str]) -> Iterator[Dagster]:
    """Start the daemon on a fresh instance with `settings`, its dagster.yaml; end it at last."""
    home.mkdir(parents=True)
    (home / "dagster.yaml").write_text(settings)
    workspace = home / "workspace.yaml"
    workspace.write_text(_WORKSPACE)
    variables = os.environ | dict(environment) | {"DAGSTER_HOME": str(home)}
    command: Sequence[str] = [
        str(Path(sys.executable).with_name("dagster-daemon")), "run", "-w", str(workspace)
    ]  # fmt: skip
    with dg.DagsterInstance.from_config(str(home)) as instance:
        # Its databases are made here: several processes that make them at once fail.
        instance.get_runs_count()
        instance.get_daemon_heartbeats()
        with (home / "log").open("w") as log:
            daemon = subprocess.Popen(
                command, cwd=ROOT, env=variables, stdout=log, stderr=log, start_new_session=True
            )
        try:
            _await_daemon(instance, home / "log")
            yield Dagster(instance, daemon.pid)
        finally:
            _end(daemon)


def _end(daemon: "subprocess.Popen[bytes]") -> None:
    left = processes.tree([daemon.pid]) - {daemon.pid}
    daemon.terminate()
    try:
        daemon.wait(20)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()
    processes.end(left)


def _await_daemon(instance: dg.DagsterInstance, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while "BACKFILL" not in instance.get_daemon_heartbeats():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the daemon did not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.2)
