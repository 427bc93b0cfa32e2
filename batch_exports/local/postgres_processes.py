"""The processes of a PostgreSQL server, and the lock by which they hold its data directory.

What the lock says: https://www.postgresql.org/docs/current/storage-file-layout.html, and in what
lines: src/include/utils/pidfile.h of PostgreSQL.
"""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from batch_exports.local.errors import LocalError

_LOCK = "postmaster.pid"
_MEMORY_LINE, _STATUS_LINE = 6, 7  # each is there once the server has got that far


def is_ready(cluster: Path) -> bool:
    """Whether the server that holds the data directory `cluster` lets clients in."""
    lines = _lock_lines(cluster)
    return len(lines) > _STATUS_LINE and lines[_STATUS_LINE].strip() == "ready"


def kill_processes(mark: str, patience: float = 5) -> None:
    """End every process that bears `mark` in its title with SIGKILL, and wait until it is gone.

    Raises LocalError when one is still there after `patience` seconds.
    """
    # Not by process group: each session has its own, and one that computes does not notice that its
    # server is gone.
    deadline = time.monotonic() + patience
    while pids := _processes(mark):
        if time.monotonic() > deadline:
            raise LocalError(f"processes of PostgreSQL are still there after SIGKILL: {pids}")
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def remove_lock(cluster: Path) -> None:
    """Remove the lock of the data directory `cluster`, and the shared memory that it names.

    No process of the server may be left. A server would do so for itself, when it is started again.
    """
    lines = _lock_lines(cluster)
    (cluster / _LOCK).unlink(missing_ok=True)
    if len(lines) <= _MEMORY_LINE:
        return
    memory = _key_and_number(lines[_MEMORY_LINE].split())
    if memory in _idle_shared_memory():
        with suppress(FileNotFoundError):  # without ipcrm, 56 bytes stay until the machine ends
            subprocess.run(["ipcrm", "-m", str(memory[1])], capture_output=True, check=False)


def _lock_lines(cluster: Path) -> list[str]:
    try:
        return (cluster / _LOCK).read_text().splitlines()
    except FileNotFoundError:
        return []


def _processes(mark: str) -> list[int]:
    if not Path("/proc/self/cmdline").exists():
        told = subprocess.run(
            ["ps", "-axww", "-o", "pid=,command="], capture_output=True, text=True, check=True
        )
        return [int(line.split()[0]) for line in told.stdout.splitlines() if mark in line]
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # gone meanwhile
            if mark.encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def _idle_shared_memory() -> set[tuple[int, int]]:
    """Key and number of all shared memory that no process is attached to."""
    try:
        rows = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    except FileNotFoundError:
        return set()
    return {_key_and_number(row.split()) for row in rows if row.split()[6] == "0"}


def _key_and_number(fields: list[str]) -> tuple[int, int]:
    # The same 32 bits are a negative number here, and a positive one there.
    return int(fields[0]) % 2**32, int(fields[1])
