"""Server processes that outlive the command that started them."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True)
class Process:
    """A process that can be told from a later one which happens to bear the same number."""

    pid: int
    born: str

    @classmethod
    def spawn(cls, command: Sequence[str], environment: Mapping[str, str], log: Path) -> Self:
        """Start `command` in a session of its own, both outputs appended to the file `log`.

        Raises OSError when the program cannot be started.
        """
        # posix_spawn rather than Popen: nothing in this process owns the child, so nothing warns
        # or waits when this process ends first, which is the usual case.
        pid = os.posix_spawn(
            command[0],
            list(command),
            environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        return cls(pid, _birth(pid) or "")

    @property
    def alive(self) -> bool:
        """Whether this very process still runs."""
        _reap(self.pid)
        return bool(self.born) and _birth(self.pid) == self.born

    def kill(self, patience: float = 10) -> None:
        """Kill the process and its children, and wait up to `patience` seconds until it is gone.

        Killing a process that is gone does nothing. Raises TimeoutError.
        """
        if not self.alive:
            return
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        deadline = time.monotonic() + patience
        while self.alive:
            if time.monotonic() > deadline:
                raise TimeoutError(f"process {self.pid} is still there {patience} s after SIGKILL")
            time.sleep(0.01)


def _reap(pid: int) -> None:
    # A killed child stays in the process table until its parent asks for it.
    with suppress(ChildProcessError):  # raised for one that another command started
        os.waitpid(pid, os.WNOHANG)


def _birth(pid: int) -> str | None:
    """When process `pid` started, in whatever form this system tells it; None without one."""
    if Path("/proc/self/stat").exists():
        try:
            # The name, second field, may hold spaces and parentheses; the start time is field 22.
            after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return after_name[19] if after_name[0] != "Z" else None
    told = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return told.stdout.strip() or None
