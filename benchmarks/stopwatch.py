"""Seconds of the clock and of the processors, and the process' greatest memory."""

import resource
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Lap:
    """`memory` is the most that the process ever held in RAM, in MiB, its imports included."""

    seconds: float = 0.0
    cpu: float = 0.0
    memory: float = 0.0


@contextmanager
def stopwatch() -> Generator[Lap, None, None]:
    lap = Lap()
    seconds, cpu = time.perf_counter(), _cpu()
    yield lap
    lap.seconds, lap.cpu, lap.memory = time.perf_counter() - seconds, _cpu() - cpu, _peak()


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _peak() -> float:
    """The kernel's high-water mark; getrusage's starts with that of the parent process."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024
