"""Dagster's own daemons, an iteration at a time."""

import logging
from collections.abc import Iterable
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

import dagster as dg
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES
from dagster._core.test_utils import InProcessTestWorkspaceLoadTarget
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._daemon.auto_run_reexecution.event_log_consumer import EventLogConsumerDaemon
from dagster._daemon.backfill import execute_backfill_iteration
from dagster._daemon.monitoring import (
    execute_concurrency_slots_iteration,
    execute_run_monitoring_iteration,
)
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from dagster._daemon.sensor import execute_sensor_iteration
from dagster._scheduler.scheduler import launch_scheduled_runs
from dagster._time import get_current_datetime

from batch_exports import definitions
from simulation.clock import Clock

# As DagsterDaemonScheduler has it.
_CATCH_UP = 5
# Nothing in Dagster's daemons is rarer, save the sensors that say so themselves.
_TURN = timedelta(seconds=61)
_MOST_TURNS = 60


class Daemon:
    """What `dagster-daemon` is made of, for one deployment: a context manager."""

    def __init__(self, instance: dg.DagsterInstance, clock: Clock) -> None:
        self._instance = instance
        self.clock = clock
        self._log = logging.getLogger("dagster.daemon")
        self._start()

    def _start(self) -> None:
        self._queue = QueuedRunCoordinatorDaemon(interval_seconds=5)
        self._retries = EventLogConsumerDaemon()
        self._schedule_times: dict[str, Any] = {}
        target = LoadableTargetOrigin(module_name=definitions.__name__)
        origin = InProcessCodeLocationOrigin(target, location_name="batch_exports")
        self.context = WorkspaceProcessContext(
            self._instance, InProcessTestWorkspaceLoadTarget(origin)
        )
        self.context.__enter__()

    def restart(self) -> None:
        """A new process of it, and of the code location: what it knew by heart is gone."""
        self.context.__exit__(None, None, None)
        self._start()

    def work(self, *, turns: int = 2) -> None:
        """Turns of a minute each: as many, and on until no run is queued or under way."""
        for number in range(_MOST_TURNS):
            self._turn()
            self.clock.pass_(_TURN)
            if number + 1 >= turns and not self._busy():
                return
        raise TimeoutError("Runs are queued or under way for an hour.")

    def _busy(self) -> bool:
        unfinished = dg.RunsFilter(statuses=list(NOT_FINISHED_STATUSES))
        return bool(self._instance.get_run_ids(unfinished, limit=1))

    def _turn(self) -> None:
        self.schedules()
        self.sensors()
        _run(execute_backfill_iteration(self.context, self._log))
        self.queue()
        self.monitoring()

    def sensors(self) -> None:
        _run(execute_sensor_iteration(self.context, self._log, None, None))

    def queue(self) -> None:
        _run(self._queue.run_iteration(self.context))

    def monitoring(self) -> None:
        _run(execute_run_monitoring_iteration(self.context, self._log))
        _run(execute_concurrency_slots_iteration(self.context, self._log))
        _run(self._retries.run_iteration(self.context))

    def schedules(self) -> None:
        _run(
            launch_scheduled_runs(
                self.context,
                self._log,
                end_datetime_utc=get_current_datetime(),
                iteration_times=self._schedule_times,
                max_catchup_runs=_CATCH_UP,
            )
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        stack: TracebackType | None,
    ) -> None:
        self.context.__exit__(kind, error, stack)


class DaemonError(Exception):
    """An error that Dagster's daemon would have logged, and gone on."""


def _run(iteration: Iterable[Any]) -> None:
    for told in iteration:
        if hasattr(told, "to_string"):
            raise DaemonError(told.to_string())
