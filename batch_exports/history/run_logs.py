"""The logs of old runs, without what nothing is read from but a run's own page."""

from collections.abc import Sequence
from pathlib import Path

import dagster as dg
import sqlalchemy as db
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

_TABLE = SqlEventLogStorageTable
# Steps, resources, where output went. Of partitions, checks and how a run ended other events tell.
# https://docs.dagster.io/deployment/troubleshooting/database-tuning has the same idea.
_OF_STEPS = (
    "STEP_START",
    "STEP_INPUT",
    "STEP_OUTPUT",
    "STEP_SUCCESS",
    "STEP_SKIPPED",
    "STEP_UP_FOR_RETRY",
    "STEP_RESTARTED",
    "STEP_WORKER_STARTING",
    "STEP_WORKER_STARTED",
    "RESOURCE_INIT_STARTED",
    "RESOURCE_INIT_SUCCESS",
    "LOADED_INPUT",
    "HANDLED_OUTPUT",
    "ENGINE_EVENT",
    "LOGS_CAPTURED",
)


def long_ones(instance: dg.DagsterInstance, runs: Sequence[str]) -> set[str]:
    """Those of the runs whose logs have more than `shorten` leaves of them.

    On SQLite none: there a run's log is a file, which is never smaller than 100 kB.
    """
    storage = instance.event_log_storage
    if not runs or isinstance(storage, SqliteEventLogStorage):
        return set()
    assert isinstance(storage, SqlEventLogStorage)
    asked = db.select(_TABLE.c.run_id).where(_noise(runs)).distinct()
    with storage.run_connection(None) as connection:
        return {run for (run,) in connection.execute(asked)}


def shorten(instance: dg.DagsterInstance, runs: Sequence[str]) -> None:
    """Leave of the runs' logs what tells of assets, checks, failures and how the runs ended."""
    storage = instance.event_log_storage
    assert isinstance(storage, SqlEventLogStorage)
    with storage.run_connection(None) as connection:
        connection.execute(_TABLE.delete().where(_noise(runs)))


def delete(instance: dg.DagsterInstance, run: str) -> None:
    """The run with all of its events. Dagster leaves an empty file of it on SQLite."""
    instance.delete_run(run)
    storage = instance.event_log_storage
    if isinstance(storage, SqliteEventLogStorage):
        file = Path(storage.path_for_shard(run))
        for name in (file.name, f"{file.name}-wal", f"{file.name}-shm"):
            file.with_name(name).unlink(missing_ok=True)


def _noise(runs: Sequence[str]) -> db.ColumnElement[bool]:
    kind = _TABLE.c.dagster_event_type
    return db.and_(_TABLE.c.run_id.in_(runs), db.or_(kind.is_(None), kind.in_(_OF_STEPS)))
