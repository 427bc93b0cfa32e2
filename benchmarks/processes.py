"""What trees of processes hold in RAM and have used of the processors, as the kernel tells."""

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def tree(roots: Iterable[int]) -> set[int]:
    """The processes, and all that descend from them."""
    found: set[int] = set()
    waiting = list(roots)
    while waiting:
        if (pid := waiting.pop()) not in found:
            found.add(pid)
            waiting.extend(_children(pid))
    return found


def memory(pids: Iterable[int]) -> int:
    """Bytes in RAM; what processes share counts for each of them."""
    return sum(int(told.split()[1]) * _PAGE for pid in pids if (told := _read(pid, "statm")))


def cpu(pids: Iterable[int]) -> float:
    """Seconds of the processes, and of those of their children that have ended."""
    seconds = 0.0
    for pid in pids:
        if told := _read(pid, "stat"):
            # The name, second field, may hold spaces and parentheses; times are fields 14 to 17.
            seconds += sum(map(int, told.rpartition(")")[2].split()[11:15])) / _TICKS
    return seconds


def _children(pid: int) -> list[int]:
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []
    return [int(child) for thread in threads for child in _read_path(thread / "children").split()]


def _read(pid: int, name: str) -> str:
    return _read_path(Path(f"/proc/{pid}/{name}"))


def _read_path(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it has ended meanwhile
        return ""


def end(pids: Iterable[int]) -> None:
    """Kill those that are still there."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
