"""All embedded parts as one: up, down, status, environment.

A part is a file with four functions of the state folder, named in `Part`; to add one, write the
file and name it in `PARTS`.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from batch_exports.local import lake, postgres, s3
from batch_exports.local.private import make_private_folder
from batch_exports.local.redshift import part as redshift
from batch_exports.local.status import Status


@dataclass(frozen=True)
class Part:
    """One embedded part; every function takes the folder that holds the state of all parts.

    `start` and `stop` may be called in any state and end in theirs; `stop` keeps data.
    `environment` gives the shell variables that say how to reach the part, also while it is down,
    and raises LocalError when it never was up.
    """

    name: str
    start: Callable[[Path], None]
    stop: Callable[[Path], None]
    status: Callable[[Path], Status]
    environment: Callable[[Path], dict[str, str]]


PARTS = (
    Part("s3", s3.start, s3.stop, s3.status, s3.environment),
    Part("postgres", postgres.start, postgres.stop, postgres.status, postgres.environment),
    Part("redshift", redshift.start, redshift.stop, redshift.status, redshift.environment),
    Part("lake", lake.start, lake.stop, lake.status, lake.environment),
)


def state_folder() -> Path:
    """Where the parts keep their state: BATCH_EXPORTS_LOCAL_DIR, or .local in this folder."""
    return Path(os.environ.get("BATCH_EXPORTS_LOCAL_DIR") or ".local").absolute()


def up(state: Path, tell: Callable[[str], None] = lambda line: None) -> None:
    """Bring every part up; those that are up stay as they are. Raises LocalError.

    `tell` gets a line of progress at a time.
    """
    with _alone(state, tell):
        for part in PARTS:
            if not part.status(state).up:
                tell(f"{part.name}: starting ...")
            part.start(state)


def down(state: Path, tell: Callable[[str], None] = lambda line: None) -> None:
    """Stop every part, last one first; their data stays. Raises LocalError."""
    if not state.exists():
        return
    with _alone(state, tell):
        for part in reversed(PARTS):
            part.stop(state)


def status(state: Path) -> dict[str, Status]:
    """How each part is doing, by name."""
    return {part.name: part.status(state) for part in PARTS}


def environment(state: Path) -> dict[str, str]:
    """The shell variables that say how to reach the parts.

    Raises LocalError when one of them never was up.
    """
    return {name: value for part in PARTS for name, value in part.environment(state).items()}


@contextmanager
def _alone(state: Path, tell: Callable[[str], None]) -> Iterator[None]:
    """Keep other processes from changing the parts of `state` meanwhile."""
    make_private_folder(state)
    with (state / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell(f"another process is changing the parts in {state}: waiting for it ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
