"""A day of a deployment of any size, without its data: what the scheduler has to do, and does.

Dagster's instance, daemons, storage and our definitions are what a deployment has; runs are those
of `pretence.py`. The clock stands while others work, and goes on by the processor seconds that the
daemon and its storage take, so that a busy machine sees the same as an idle one.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import time_machine

from batch_exports.automation.partition_runs import PARTITION_TAG
from batch_exports.definitions import component_tree, load_definitions
from batch_exports.export import Export
from batch_exports.lookup import find_exports
from simulation.clock import Clock
from simulation.daemon import Daemon
from simulation.deployment import Storage, deployed
from simulation.pretence import PretendingLauncher
from simulation.size import BEGIN, DELAY, Size

# How often Dagster's daemon looks, https://docs.dagster.io/deployment/execution/dagster-daemon.
_LOOK = timedelta(seconds=5)
# Less often than it does, since a round of sensors costs as much each time. After five minutes
# `fill_gaps` would take it for a standstill.
_SENSORS = timedelta(minutes=4)
_MONITORING = timedelta(minutes=8)
_IDLE_LOOKS = 10
# What has not begun by then never will.
_AFTERWARDS = timedelta(hours=6)


@dataclass
class Spent:
    """Processor seconds of the daemon with its code location, and of PostgreSQL, over so many times
    that the daemon looked; `connections` to PostgreSQL are not in them."""

    daemon: float = 0.0
    storage: float = 0.0
    connections: int = 0
    times: int = 0


@dataclass
class Day:
    """What came of it. `delays` are the seconds from when an interval was due to its run's begin;
    `missed` and `twice` are intervals; `rows` and `bytes` are what Dagster's storage grew by,
    and `connection` is what one to it costs: processor seconds of the daemon, and of PostgreSQL."""

    spent: dict[str, Spent] = field(default_factory=lambda: defaultdict(Spent))
    delays: Sequence[float] = ()
    durations: Sequence[float] = ()
    most_queued: int = 0
    due: int = 0
    missed: Sequence[str] = ()
    twice: Sequence[str] = ()
    rows: int = 0
    bytes: int = 0
    connection: tuple[float, float] = (0.0, 0.0)


def simulate(
    folder: Path, size: Size, hours: int, progress: Callable[[str], None], *, postgres: bool
) -> Day:
    """So many hours of a new deployment in `folder`; Dagster's storage is in PostgreSQL, or in
    SQLite."""
    with deployed(folder, size, postgres=postgres) as (instance, storage):
        rows, size_before = storage.rows(), storage.bytes()
        with time_machine.travel(BEGIN, tick=False) as traveller:
            clock = Clock(traveller)
            with Daemon(instance, clock) as daemon:
                worked = _Work(instance, daemon, size, storage)
                worked.until(BEGIN + timedelta(hours=hours), progress)
                day = worked.told()
        day.rows, day.bytes = storage.rows() - rows, storage.bytes() - size_before
        day.connection = storage.connection_cost()
        return day


class _Work:
    def __init__(
        self, instance: dg.DagsterInstance, daemon: Daemon, size: Size, storage: Storage
    ) -> None:
        self._instance, self._daemon, self._size, self._storage = instance, daemon, size, storage
        components = component_tree()
        found = find_exports(components, load_definitions(components))
        self._exports: dict[str, Export] = {each.export.name: each.export for each in found}
        assert isinstance(instance.run_launcher, PretendingLauncher)
        self._launcher = instance.run_launcher
        self._launcher.takes = self._takes
        self._day = Day()
        self._queued = 0
        self._end = BEGIN

    def until(self, end: datetime, progress: Callable[[str], None]) -> None:
        """All that becomes due by then, and until it has been delivered."""
        self._idle()
        self._end, moment = end, self._daemon.clock.now
        sensors = monitoring = moment
        while moment <= end or (self._is_busy and moment < end + _AFTERWARDS):
            self._daemon.clock.move_to(moment)
            self._launcher.tell(moment.timestamp())
            if moment <= end:
                self._spend("schedules", self._daemon.schedules)
            if moment >= sensors:
                sensors = moment + _SENSORS
                self._spend("sensors", self._daemon.sensors)
            self._spend("queue", self._daemon.queue)
            if moment >= monitoring:
                monitoring = moment + _MONITORING
                self._spend("monitoring", self._daemon.monitoring)
            self._look()
            progress(f"{moment:%Y-%m-%d %H:%M}, {self._queued} queued")
            moment = self._next(moment, min(sensors, monitoring))

    @property
    def _is_busy(self) -> bool:
        return bool(self._queued or self._launcher.under_way)

    def _look(self) -> None:
        queued = dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED])
        self._queued = self._instance.get_runs_count(queued)
        self._day.most_queued = max(self._day.most_queued, self._queued)

    def _next(self, moment: datetime, other: datetime) -> datetime:
        """When there is something to do next, of the moments at which the daemon looks."""
        interval = self._size.length
        tick = BEGIN + DELAY + (moment - BEGIN - DELAY) // interval * interval + interval
        ends = [datetime.fromtimestamp(run.ends, UTC) for run in self._launcher.under_way]
        soon = [moment + _LOOK] if self._queued and len(ends) < self._size.workers else []
        wanted = max(min([tick, other, *ends, *soon]), self._daemon.clock.now, moment + _LOOK)
        return BEGIN - (BEGIN - wanted) // _LOOK * _LOOK

    def _spend(self, name: str, work: Callable[[], None]) -> None:
        connections = self._storage.connections
        storage, daemon = self._storage.cpu(), time.process_time()
        work()
        daemon, storage = time.process_time() - daemon, self._storage.cpu() - storage
        spent = self._day.spent[name]
        spent.daemon, spent.storage = spent.daemon + daemon, spent.storage + storage
        spent.connections += self._storage.connections - connections
        spent.times += 1
        self._daemon.clock.pass_(timedelta(seconds=daemon + storage))

    def _idle(self) -> None:
        """What the daemon spends while there is nothing to do: before the first tick. What it does
        but once, it has done then."""
        self._daemon.schedules()
        self._daemon.queue()
        for _ in range(_IDLE_LOOKS):
            self._daemon.clock.pass_(_LOOK)
            self._spend("schedules, idle", self._daemon.schedules)
            self._spend("queue, idle", self._daemon.queue)

    def told(self) -> Day:
        day, last = self._day, self._end - DELAY
        due = {
            f"{name} {key}"
            for name, export in self._exports.items()
            for key in export.partitions.get_partition_keys(current_time=last)
        }
        runs = Counter(
            f"{run.job_name.removesuffix('_job')} {run.tags[PARTITION_TAG]}"
            for run in self._instance.get_runs()
        )
        over = self._launcher.over
        day.due = len(due)
        day.missed = sorted(due - {f"{run.export} {run.key}" for run in over})
        day.twice = sorted(run for run, times in runs.items() if times > 1)
        day.durations = [run.ends - run.began for run in over]
        day.delays = [run.began - self._due(run.export, run.key) for run in over]
        return day

    def _takes(self, export: str, key: str) -> float:
        return self._size.run_seconds(export, self._exports[export].interval(key).start)

    def _due(self, export: str, key: str) -> float:
        return (self._exports[export].interval(key).end + DELAY).timestamp()
