"""A deployment of as many exports as wanted, whose runs move no data, and Dagster's storage."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dagster as dg
import psycopg2
import sqlalchemy as db
import yaml

from batch_exports.local import postgres_server
from batch_exports.local.postgres_server import Server
from benchmarks.processes import cpu, tree
from simulation.pretence import PretendingLauncher
from simulation.recording import BUCKET, FIRST, record
from simulation.size import BEGIN, Size

_SETTINGS = Path(__file__).parent.parent / "deploy" / "compose" / "dagster.yaml"
_FIRST_KEY = f"{BEGIN:%Y-%m-%d-%H:%M}"
_BASE = """\
type: batch_exports.S3Connection
attributes:
  name: archive
  region: us-east-1
  endpoint_url: "{{ env.S3_ENDPOINT }}"
  allow_http: true
  aws_access_key_id: {env: S3_KEY_ID}
  aws_secret_access_key: {env: S3_SECRET}
---
type: batch_exports.LakeSource
attributes: {name: lake, path: "{{ env.LAKE }}"}
---
type: batch_exports.Alerts
attributes: {name: oncall, webhook: {url: "http://127.0.0.1:9/"}}
"""
_EXPORT = """\
---
type: batch_exports.S3BatchExport
attributes:
  name: {name}
  source: lake
  model: events
  interval: {interval}
  start: "{start}"
  connection: archive
  bucket_name: {bucket}
  key_prefix: "{name}/"
"""
_CONNECTIONS = 50
# Exports load with any, and reach nothing.
_NOWHERE = {
    "S3_ENDPOINT": "http://127.0.0.1:9",
    "S3_KEY_ID": "no",
    "S3_SECRET": "no",
    "LAKE": "/no",
}


class Storage:
    """Dagster's: in `server`, or without one in files of SQLite below `home`.

    Dagster's daemon connects to PostgreSQL anew for each query. Here connections are kept, as its
    web server keeps them, and counted; what one would cost is `connection_cost`.
    """

    def __init__(self, instance: dg.DagsterInstance, home: Path, server: Server | None) -> None:
        self.home, self.server = home, server
        self.connections = 0
        if not server:
            return
        for storage in (instance.run_storage, instance.event_log_storage, _schedules(instance)):
            storage.optimize_for_webserver(60_000, pool_recycle=-1, max_overflow=5)
            db.event.listen(storage._engine, "checkout", self._count)

    def _count(self, *_: Any) -> None:
        self.connections += 1

    def connection_cost(self) -> tuple[float, float]:
        """Processor seconds of whoever connects and asks for one number, and of the server."""
        if not self.server:
            return 0.0, 0.0
        own, its = time.process_time(), self.cpu()
        for _ in range(_CONNECTIONS):
            connection = psycopg2.connect(self.server.url(self.server.admin))
            connection.cursor().execute("SELECT 1")
            connection.close()
        own, its = time.process_time() - own, self.cpu() - its
        return own / _CONNECTIONS, its / _CONNECTIONS

    def cpu(self) -> float:
        """Processor seconds of the server; a file's are those of who reads it."""
        process = self.server and self.server.process
        return cpu(tree([process.pid])) if process else 0.0

    def bytes(self) -> int:
        if not self.server:
            return sum(path.stat().st_size for path in self.home.rglob("*.db"))
        with self.server.connect(autocommit=True) as connection:
            connection.execute("VACUUM")
            row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        assert row
        return int(row[0])

    def rows(self) -> int:
        """Of the event log."""
        if not self.server:
            return 0
        with self.server.connect() as connection:
            row = connection.execute("SELECT count(*) FROM event_logs").fetchone()
        assert row
        return int(row[0])


def _schedules(instance: dg.DagsterInstance) -> Any:
    return instance.schedule_storage


@contextmanager
def deployed(
    folder: Path, size: Size, *, postgres: bool
) -> Iterator[tuple[dg.DagsterInstance, Storage]]:
    """A new one in `folder`. Its exports' first interval is run for real, elsewhere, to know what a
    run tells."""
    _write_exports(folder / "defs", size)
    recording = record(folder / "recorded", folder / "defs", f"{FIRST}_job", _FIRST_KEY, BEGIN)
    home = folder / "home"
    home.mkdir()
    server = postgres_server.start(folder / "storage") if postgres else None
    try:
        (home / "dagster.yaml").write_text(yaml.safe_dump(_settings(size, server)))
        variables = {"DAGSTER_HOME": str(home), "BATCH_EXPORTS_DEFS": str(folder / "defs")}
        with (
            patch.dict(os.environ, {**_NOWHERE, **variables}),
            dg.DagsterInstance.get() as instance,
        ):
            assert isinstance(instance.run_launcher, PretendingLauncher)
            instance.run_launcher.recording = recording
            yield instance, Storage(instance, home, server)
    finally:
        if server:
            postgres_server.stop(server.folder)


def _settings(size: Size, server: Server | None) -> Mapping[str, Any]:
    """Those of the deployment by compose, but for its launcher and where things are."""
    settings = yaml.safe_load(_SETTINGS.read_text())
    settings["run_launcher"] = {
        "module": PretendingLauncher.__module__,
        "class": PretendingLauncher.__name__,
    }
    settings["compute_logs"] = {
        "module": "dagster._core.storage.noop_compute_log_manager",
        "class": "NoOpComputeLogManager",
    }
    settings["concurrency"]["pools"]["default_limit"] = size.workers
    settings["concurrency"]["runs"]["max_concurrent_runs"] = size.workers
    del settings["storage"]
    if server:
        url = server.url(server.admin)
        settings["storage"] = {"postgres": {"postgres_url": url}}
    return settings


def _write_exports(folder: Path, size: Size) -> None:
    shards = f"  shards: {size.shards}\n" if size.shards > 1 else ""
    texts = [
        _EXPORT.format(
            name=f"{FIRST[:-3]}{number:03}",
            interval=size.interval,
            start=f"{BEGIN:%Y-%m-%d}",
            bucket=BUCKET,
        )
        + shards
        for number in range(size.exports)
    ]
    path = folder / "exports" / "defs.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(_BASE + "".join(texts))
