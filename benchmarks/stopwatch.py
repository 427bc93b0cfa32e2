"""Seconds of the clock and of the processors that a contender takes."""

import resource
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Lap:
    """What a contender tells of its run.

    `began` and `ended` are moments of the machine's monotonic clock, `cpu` the seconds of its own
    process and of those that it started and awaited. `stages` are seconds by what was done in them.
    `files` lie on the local disk; where there are none, what was delivered is below the task's
    prefix, or in `table`. It `delivers` nothing where rows are thrown away.
    """

    began: float = 0.0
    ended: float = 0.0
    cpu: float = 0.0
    stages: dict[str, float] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    table: str = ""
    delivers: bool = True

    @property
    def seconds(self) -> float:
        return self.ended - self.began


@contextmanager
def stopwatch() -> Generator[Lap, None, None]:
    lap = Lap(began=time.monotonic())
    cpu = _cpu()
    yield lap
    lap.ended, lap.cpu = time.monotonic(), _cpu() - cpu


@contextmanager
def stage(lap: Lap, name: str) -> Generator[None, None, None]:
    """Count the block's seconds as those of a stage of the lap."""
    began = time.monotonic()
    yield
    lap.stages[name] = lap.stages.get(name, 0.0) + time.monotonic() - began


def _cpu() -> float:
    own, others = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime
