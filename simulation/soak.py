"""24 hours in which nothing goes wrong: as many runs as intervals, and memory that stays flat."""

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import dagster as dg

from simulation.exports import write_soaked
from simulation.incidents import BEGIN
from simulation.verification import due_keys, states
from simulation.world import World, world

_BEAT = timedelta(minutes=5)
# A minute after each interval's end, when schedules ask for it.
_AFTER = timedelta(minutes=1, seconds=5)
# From then on all is loaded that ever is.
_SETTLED_HOURS = 8
_MOST_GROWTH = 32 * 2**20


@dataclass(frozen=True)
class Soaked:
    """Resident bytes after each hour, the bytes that a run leaves in Dagster's storage, and what is
    not as it should be."""

    runs: int
    resident: Sequence[int]
    bytes_per_run: int
    wrong: Sequence[str]


def soak(folder: Path, hours: int, seed: int, progress: Callable[[str], None]) -> Soaked:
    """Run two exports for so many hours."""
    with world(folder, BEGIN, seed, write_soaked) as it:
        it.sources.burst(BEGIN)
        moment, resident = BEGIN + _AFTER, list[int]()
        while moment <= BEGIN + timedelta(hours=hours) + _AFTER:
            it.clock.move_to(moment)
            it.work(turns=1)
            progress(f"{moment:%Y-%m-%d %H:%M}")
            if moment.minute == _AFTER.seconds // 60 and moment.hour + moment.day > 1:
                resident.append(_resident())
            moment += _BEAT
        wrong, runs = _wrong(it)
        wrong += _growth(resident)
        return Soaked(runs, resident, _stored(folder) // max(runs, 1), wrong)


def _wrong(it: World) -> tuple[list[str], int]:
    found, now = it.exports(), it.clock.now
    records = it.instance.get_run_records()
    wrong, due = list[str](), 0
    for name, export in found.items():
        keys = due_keys(export, now)
        own = [each for each in records if each.dagster_run.job_name == export.job_name]
        if len(own) != len(keys):
            wrong.append(f"{name}: {len(own)} runs of {len(keys)} intervals")
        wrong += states(it, export, keys)
        due += len(keys)
    if len(records) != due:
        wrong.append(f"{len(records)} runs, {due} intervals")
    ended = [each for each in records if each.dagster_run.status is dg.DagsterRunStatus.SUCCESS]
    if len(ended) != len(records):
        wrong.append(f"{len(records) - len(ended)} runs have not succeeded")
    return wrong, len(records)


def _growth(resident: Sequence[int]) -> list[str]:
    settled = resident[_SETTLED_HOURS:]
    if not settled or settled[-1] - settled[0] < _MOST_GROWTH:
        return []
    return [f"resident memory grew from {settled[0]:,} to {settled[-1]:,} bytes"]


def _resident() -> int:
    """What the process holds, as the kernel counts it, https://docs.kernel.org/filesystems/proc.html."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def _stored(folder: Path) -> int:
    """Dagster's files, without those that SQLite keeps while it has them open."""
    paths = (folder / "home").rglob("*")
    return sum(path.stat().st_size for path in paths if path.suffix == ".db")
