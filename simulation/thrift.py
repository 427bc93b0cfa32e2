"""What Dagster does anew each time, done once: its SQLite storages, for hundreds of thousands of
small queries in one process. What they store is the same.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from typing import Any
from unittest.mock import patch

import sqlalchemy as db
from alembic.script import ScriptDirectory
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage

_STORAGES = (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage)
# Each run has a file of its own.
_OPEN_FILES = 64

_read_scripts: Any = ScriptDirectory.from_config
_scripts: dict[str | None, ScriptDirectory] = {}


@contextmanager
def thrifty() -> Iterator[None]:
    """Within the block engines are kept, files are not waited for, and migrations read once."""
    with ExitStack() as stack:
        for module in _STORAGES:
            stack.enter_context(patch.object(module, "create_engine", _engine))
        stack.enter_context(patch.object(ScriptDirectory, "from_config", _of_folder))
        yield


def _engine(url: str, **_: Any) -> db.Engine:
    return _known(url)


@lru_cache(maxsize=_OPEN_FILES)
def _known(url: str) -> db.Engine:
    engine = db.create_engine(url, pool_size=2, connect_args={"timeout": 60})
    engine.dispose = _keep  # type: ignore[method-assign]

    @db.event.listens_for(engine, "connect")
    def connected(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA synchronous = OFF")

    return engine


def _keep(close: bool = True) -> None:
    """Dagster closes the file of a run after each event."""


def _of_folder(config: Any) -> ScriptDirectory:
    folder = config.get_main_option("script_location")
    if folder not in _scripts:
        _scripts[folder] = _read_scripts(config)
    return _scripts[folder]
