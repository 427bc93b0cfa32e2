"""The lake part: sample data to export from, as Parquet files in `<state>/lake`, and as archives of
Amplitude's in `<state>/amplitude`."""

import hashlib
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from batch_exports.local import sample_events
from batch_exports.local.amplitude_archives import write_archives
from batch_exports.local.errors import LocalError
from batch_exports.local.event_schema import EVENTS
from batch_exports.local.person_schema import PERSONS
from batch_exports.local.sample_persons import sample_persons
from batch_exports.local.sample_sessions import sample_sessions
from batch_exports.local.session_schema import SESSIONS
from batch_exports.local.status import Status

_MARKER = "laid-by"
_HIDDEN_MARKER = ".laid-by"  # where every other file would be taken for an archive
_FILES_PER_DAY = 3
# Small, so that a reader who looks for one hour can skip most of the file.
_ROW_GROUP_ROWS = 1_000
_MAKERS = (
    "amplitude_archives.py",
    "chance.py",
    "event_schema.py",
    "hostile.py",
    "lake.py",
    "person_schema.py",
    "sample_amplitude.py",
    "sample_events.py",
    "sample_persons.py",
    "sample_sessions.py",
    "sample_versions.py",
    "session_schema.py",
)


def start(state: Path) -> None:
    """Lay the lake and the archives, unless they are there. Raises LocalError."""
    lay_lake(state / "lake")
    lay_archives(state / "amplitude")


def stop(state: Path) -> None:
    """Nothing runs, and the files stay."""


def status(state: Path) -> Status:
    folders = {state / "lake": _MARKER, state / "amplitude": _HIDDEN_MARKER}
    for folder, marker in folders.items():
        if not (folder / marker).exists():
            return Status(up=False, text="no sample data")
        if not _is_laid(folder, marker):
            return Status(up=False, text=f"sample data of another version in {folder}")
    lake, archives = folders
    return Status(up=True, text=f"sample events, persons and sessions in {lake}, and {archives}")


def environment(state: Path) -> dict[str, str]:
    """The folders of the lake and of the archives. Raises LocalError where they never were laid."""
    variables = {
        "BATCH_EXPORTS_LOCAL_LAKE": (state / "lake", _MARKER),
        "BATCH_EXPORTS_LOCAL_AMPLITUDE": (state / "amplitude", _HIDDEN_MARKER),
    }
    for folder, marker in variables.values():
        if not (folder / marker).exists():
            raise LocalError(f"there is no sample data in {folder}: run `batch-exports local up`")
    return {name: str(folder.absolute()) for name, (folder, _) in variables.items()}


def lay_lake(folder: Path) -> None:
    """Write the sample data under `folder`/<model>, with a folder for each day of arrival.

    A lake that is there stays; one that other code or other recorded data made is replaced. The
    lake appears complete or not at all. Raises LocalError when `folder` holds anything else.
    """
    _lay(folder, _MARKER, _write_lake)


def lay_archives(folder: Path) -> None:
    """Write the sample's archives of Amplitude's into `folder`, as `lay_lake` does the lake."""
    _lay(folder, _HIDDEN_MARKER, lambda fresh: write_archives(sample_events.sample_events(), fresh))


def _lay(folder: Path, marker: str, write: Callable[[Path], None]) -> None:
    if _is_laid(folder, marker):
        return
    if folder.exists() and any(folder.iterdir()) and not (folder / marker).exists():
        raise LocalError(
            f"{folder} holds files that are no sample lake, and would be lost: move them away, or "
            "name another folder in BATCH_EXPORTS_LOCAL_DIR"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".lake-", dir=folder.parent) as draft:
        fresh = Path(draft) / "fresh"
        write(fresh)
        (fresh / marker).write_text(_fingerprint())
        if folder.exists():
            folder.rename(Path(draft) / "stale")
        fresh.rename(folder)


def _write_lake(folder: Path) -> None:
    events = sample_events.sample_events()
    _write(events, EVENTS, folder / "events")
    _write(sample_persons(events), PERSONS, folder / "persons")
    _write(sample_sessions(events), SESSIONS, folder / "sessions")


def _is_laid(folder: Path, marker: str) -> bool:
    laid = folder / marker
    return laid.exists() and laid.read_text() == _fingerprint()


def _fingerprint() -> str:
    """Changes with all that decides what is in the lake."""
    here = Path(__file__).parent
    sources = [*(here / name for name in _MAKERS), *sorted(sample_events.SAMPLE.glob("*.parquet"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()


def _write(rows: pl.DataFrame, schema: pa.Schema, folder: Path) -> None:
    width = timedelta(days=1) / _FILES_PER_DAY
    start = sample_events.START
    while start < sample_events.END:
        part = (start - sample_events.START) // width % _FILES_PER_DAY
        path = folder / str(start.date()) / f"part-{part}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        arrived = pl.col("inserted_at").is_between(start, start + width, closed="left")
        table = rows.filter(arrived).to_arrow().cast(schema)
        pq.write_table(table, path, compression="zstd", row_group_size=_ROW_GROUP_ROWS)
        start += width
