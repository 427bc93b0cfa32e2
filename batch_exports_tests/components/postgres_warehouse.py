"""Exports to PostgreSQL as users define them, on the embedded server."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batch_exports.local.postgres_server import Server
from batch_exports_tests.deployment import KEY, LAKE, START, load

CONNECTION = """\
type: batch_exports.PostgresConnection
attributes:
  name: warehouse
  host: "{{ env.TEST_PG_HOST }}"
  port: "{{ env.TEST_PG_PORT }}"
  database: analytics
  user: "{{ env.TEST_PG_USER }}"
  password: {env: TEST_PG_PASSWORD}
  ssl_root_cert: "{{ env.TEST_PG_ROOT }}"
---
"""
EXPORT = """\
---
type: batch_exports.PostgresBatchExport
attributes:
  name: events_table
  source: lake
  model: events
  start: "2026-11-01"
  connection: warehouse
"""
NEXT = "2026-11-01-01:00"


@dataclass
class Warehouse:
    """A schema on a real server, a lake in a folder, and exports between them."""

    folder: Path
    server: Server
    schema: str
    monkeypatch: pytest.MonkeyPatch
    instance: dg.DagsterInstance

    def define(self, *lines: str) -> dg.Definitions:
        variables = {
            "TEST_PG_HOST": self.server.host,
            "TEST_PG_PORT": str(self.server.port),
            "TEST_PG_USER": self.server.exporter.user,
            "TEST_PG_PASSWORD": self.server.exporter.password,
            "TEST_PG_ROOT": str(self.server.root_certificate),
        }
        for name, value in variables.items():
            self.monkeypatch.setenv(name, value)
        lake = LAKE.replace("path: lake", f"path: {self.folder / 'lake'}")
        export = EXPORT + f"  schema: {self.schema}\n" + "".join(f"  {line}\n" for line in lines)
        if any(line.startswith("model:") for line in lines):
            export = export.replace("  model: events\n", "")
        files = {"a/defs.yaml": CONNECTION + lake + export}
        return load(self.folder / "defs", files, self.monkeypatch)

    def put(self, model: str, name: str, schema: pa.Schema, *rows: dict[str, Any]) -> None:
        folder = self.folder / "lake" / model
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), folder / f"{name}.parquet")

    def run(self, definitions: dg.Definitions, key: str = KEY) -> dg.ExecuteInProcessResult:
        job = definitions.resolve_job_def("events_table_job")
        return job.execute_in_process(
            partition_key=key, instance=self.instance, raise_on_error=False
        )

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.server.connect(self.server.exporter) as connection:
            connection.execute(f"SET search_path TO {self.schema}".encode())
            return connection.execute(query.encode()).fetchall()


def event(uuid: str, *, hour: float = 0.5, **given: Any) -> dict[str, Any]:
    moment = START + timedelta(hours=hour)
    times = {"timestamp": moment, "created_at": moment, "inserted_at": moment}
    return {"uuid": uuid, "event": "seen", "team_id": 1, "properties": "{}", **times, **given}


def person(
    key: str, versions: tuple[int, int], *, hour: float = 0.5, **given: Any
) -> dict[str, Any]:
    moment = START + timedelta(hours=hour)
    return {
        "team_id": 1,
        "distinct_id": key,
        "person_id": f"person of {key}",
        "properties": f'{{"version": {versions[1]}}}',
        "person_distinct_id_version": versions[0],
        "person_version": versions[1],
        "created_at": START,
        "inserted_at": moment,
        **given,
    }
