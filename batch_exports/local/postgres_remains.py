"""What is left of a PostgreSQL server whose main process was killed: how to find and end it."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from batch_exports.local.errors import LocalError


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
    lock = cluster / "postmaster.pid"
    with suppress(FileNotFoundError):
        lines = lock.read_text().splitlines()
        # The last line but one, once the server has got that far: key and number of the memory.
        # https://www.postgresql.org/docs/current/storage-file-layout.html
        memory = _key_and_number(lines[6].split()) if len(lines) > 6 else None
        if memory in _idle_shared_memory():
            subprocess.run(["ipcrm", "-m", str(memory[1])], capture_output=True, check=False)
        lock.unlink()


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
