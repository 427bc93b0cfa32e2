"""Exports to Redshift as users define them, on the emulators."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batch_exports.destinations.redshift.destination import RedshiftDestination
from batch_exports.local.redshift.server import Emulator
from batch_exports.local.seaweedfs import Server
from batch_exports.lookup import find_export
from batch_exports_tests.deployment import KEY, LAKE, load

CONNECTIONS = """\
type: batch_exports.RedshiftConnection
attributes:
  name: warehouse
  host: "{{ env.TEST_RS_HOST }}"
  port: "{{ env.TEST_RS_PORT }}"
  database: "{{ env.TEST_RS_DATABASE }}"
  user: "{{ env.TEST_RS_USER }}"
  password: {env: TEST_RS_PASSWORD}
  ssl_root_cert: "{{ env.TEST_RS_ROOT }}"
---
type: batch_exports.S3Connection
attributes:
  name: archive
  region: us-east-1
  endpoint_url: "{{ env.TEST_S3_URL }}"
  allow_http: true
  aws_access_key_id: {env: TEST_S3_KEY_ID}
  aws_secret_access_key: {env: TEST_S3_SECRET}
---
type: batch_exports.S3Connection
attributes: {name: chain, region: eu-west-1}
---
type: batch_exports.S3Connection
attributes:
  name: temporary
  aws_access_key_id: {env: TEST_S3_KEY_ID}
  aws_secret_access_key: {env: TEST_S3_SECRET}
  aws_session_token: {env: TEST_TOKEN}
---
"""
EXPORT = """\
---
type: batch_exports.RedshiftBatchExport
attributes:
  name: events_table
  source: lake
  model: events
  start: "2026-11-01"
  connection: warehouse
"""


@dataclass
class Warehouse:
    """A schema and a bucket on the emulators, a lake in a folder, and exports between them."""

    folder: Path
    emulator: Emulator
    s3: Server
    bucket: str
    schema: str
    monkeypatch: pytest.MonkeyPatch
    instance: dg.DagsterInstance

    def define(self, *lines: str, connections: str = CONNECTIONS) -> dg.Definitions:
        variables = {
            "TEST_RS_HOST": self.emulator.host,
            "TEST_RS_PORT": str(self.emulator.port),
            "TEST_RS_DATABASE": self.emulator.database,
            "TEST_RS_USER": self.emulator.exporter.user,
            "TEST_RS_PASSWORD": self.emulator.exporter.password,
            "TEST_RS_ROOT": str(self.emulator.root_certificate),
            "TEST_S3_URL": self.s3.endpoint,
            "TEST_S3_KEY_ID": self.s3.admin.access_key_id,
            "TEST_S3_SECRET": self.s3.admin.secret_access_key,
            "TEST_TOKEN": "planted-token",
        }
        for name, value in variables.items():
            self.monkeypatch.setenv(name, value)
        lake = LAKE.replace("path: lake", f"path: {self.folder / 'lake'}")
        export = EXPORT + "".join(f"  {line}\n" for line in lines)
        if not any(line.startswith("schema:") for line in lines):
            export += f"  schema: {self.schema}\n"
        if any(line.startswith("load_from:") for line in lines):
            export = export.replace("  source: lake\n  model: events\n", "")
        replaced = ("  model: events\n", "model:"), ("  connection: warehouse\n", "connection:")
        for usual, field in replaced:
            if any(line.startswith(field) for line in lines):
                export = export.replace(usual, "", 1)
        files = {"a/defs.yaml": connections + lake + export}
        return load(self.folder / "defs", files, self.monkeypatch)

    @property
    def stage(self) -> str:
        return f"stage: {{connection: archive, bucket_name: {self.bucket}, files: 2}}"

    def put(self, model: str, schema: pa.Schema, *rows: dict[str, Any]) -> None:
        folder = self.folder / "lake" / model
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), folder / "a.parquet")

    def run(self, definitions: dg.Definitions) -> dg.ExecuteInProcessResult:
        job = definitions.resolve_job_def("events_table_job")
        return job.execute_in_process(
            partition_key=KEY, instance=self.instance, raise_on_error=False
        )

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.emulator.connect(self.emulator.exporter) as connection:
            connection.execute(f"SET search_path TO {self.schema}".encode())
            return connection.execute(query.encode()).fetchall()

    @contextmanager
    def destination(self, *lines: str) -> Iterator[RedshiftDestination]:
        """What a run of the export would write to."""
        self.define(*lines)
        found = find_export("events_table")
        with found.resources(found.export.destination_resources) as resources:
            yield cast(RedshiftDestination, found.export.destination(resources))
