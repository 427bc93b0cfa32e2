"""Runs the program of a peer that is no library."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_TOLD = 1_500


def run(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
    """Raises RuntimeError with the end of what it said. Credentials come by `environment`."""
    done = subprocess.run(
        command,
        env=os.environ | dict(environment),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{Path(command[0]).name}: {done.stdout.strip()[-_TOLD:]}")
