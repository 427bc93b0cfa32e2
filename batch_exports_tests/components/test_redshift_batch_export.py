"""Exports to Redshift as users define and run them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batch_exports.components.errors import InvalidComponent
from batch_exports.destinations.redshift.authorization import Role
from batch_exports.destinations.redshift.destination import RedshiftDestination
from batch_exports.local.event_schema import EVENTS
from batch_exports.local.person_schema import PERSONS
from batch_exports.local.redshift.server import Emulator
from batch_exports.local.seaweedfs import Server
from batch_exports.lookup import find_export
from batch_exports.transform.capabilities import OnUnrepresentable
from batch_exports_tests.components.test_postgres_batch_export import event, person
from batch_exports_tests.conftest import ROLE_ARN
from batch_exports_tests.deployment import KEY, LAKE, errors_of, load

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
ASSET = dg.AssetKey(["redshift", "events_table"])
ROLE = "arn:aws:iam::123456789012:role/copy"
STAGE = "stage: {connection: archive, bucket_name: stage}"
CHAIN = "stage: {connection: chain, bucket_name: stage}"


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
        for given in (line for line in lines if line.startswith(("model:", "connection:"))):
            export = re.sub(rf"  {given.split(':')[0]}: \w+\n", "", export, count=1)
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


@pytest.fixture
def warehouse(
    tmp_path: Path,
    redshift: Emulator,
    s3_server: Server,
    bucket: str,
    redshift_schema: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Warehouse]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Warehouse(
            tmp_path, redshift, s3_server, bucket, redshift_schema, monkeypatch, instance
        )


def verdicts(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {e.check_name: e.passed for e in result.get_asset_check_evaluations()}


@pytest.mark.parametrize("way", ["role", "keys", "INSERT"])
def test_a_partition_lands_and_its_checks_read_the_table(warehouse: Warehouse, way: str) -> None:
    warehouse.put("events", EVENTS, event("one", properties='{"a": 1}'), event("two"),
                  event("late", hour=1.5))  # fmt: skip
    lines = {
        "role": [warehouse.stage, f"authorization: {{role_arn: {ROLE_ARN}}}"],
        "keys": [warehouse.stage],
        "INSERT": ["mode: INSERT"],
    }
    result = warehouse.run(warehouse.define(*lines[way]))
    assert result.success
    assert verdicts(result) == dict.fromkeys(("row_count", "schema", "keys", "values"), True)
    rows = warehouse.rows("SELECT uuid, JSON_SERIALIZE(properties) FROM events ORDER BY uuid")
    assert [(uuid, text.replace(" ", "")) for uuid, text in rows] == [
        ("one", '{"a":1}'),
        ("two", "{}"),
    ]
    copies = [text for text in warehouse.emulator.statements if text.startswith("COPY")]
    assert bool(copies) == (way != "INSERT")
    assert all(("ACCESS_KEY_ID" in text) == (way == "keys") for text in copies)
    left = warehouse.s3.client().list_objects_v2(Bucket=warehouse.bucket)
    assert left["KeyCount"] == 0
    secrets = (warehouse.s3.admin.secret_access_key, warehouse.emulator.exporter.password)
    [materialization] = result.asset_materializations_for_node("redshift__events_table")
    assert not any(secret in str(materialization) for secret in secrets)


def test_a_role_that_the_cluster_may_not_assume(warehouse: Warehouse) -> None:
    """https://docs.aws.amazon.com/redshift/latest/mgmt/authorizing-redshift-service.html"""
    warehouse.put("events", EVENTS, event("one"))
    result = warehouse.run(
        warehouse.define(warehouse.stage, f"authorization: {{role_arn: {ROLE}}}")
    )
    assert not result.success
    [error] = errors_of(result)
    assert f"Associate {ROLE} with the cluster" in error
    assert warehouse.s3.admin.secret_access_key not in error


def test_persons_are_merged(warehouse: Warehouse) -> None:
    warehouse.put("persons", PERSONS, person("x", (0, 1)), person("x", (0, 3)), person("y", (0, 0)))
    definitions = warehouse.define("model: persons", "mode: INSERT")
    for _ in range(2):
        result = warehouse.run(definitions)
        assert result.success
        assert all(verdicts(result).values())
    rows = warehouse.rows("SELECT distinct_id, person_version FROM persons ORDER BY 1")
    assert rows == [("x", 3), ("y", 0)]


@pytest.mark.parametrize(
    ("lines", "field", "problem"),
    [
        ([], "stage", "it is missing: COPY loads files from S3. Give stage"),
        (["mode: INSERT", STAGE], "stage", "of no use with mode: INSERT"),
        (
            ["mode: INSERT", "authorization: {role_arn: default}"],
            "authorization",
            "of no use with mode: INSERT",
        ),
        (["mode: copy", STAGE], "mode", "'COPY' or 'INSERT'"),
        (["stage: stage"], "stage", "it is no mapping"),
        (["stage: {connection: archive}"], "stage", "'bucket_name' is missing"),
        (['stage: {connection: archive, bucket_name: ""}'], "stage.bucket_name", "is empty"),
        (["stage: {connection: nope, bucket_name: b}"], "stage.connection", "named 'nope'"),
        (
            ["stage: {connection: archive, bucket_name: b, files: 0}"],
            "stage.files",
            "0 is out of range. Give 1 to",
        ),
        (
            ["stage: {connection: archive, bucket_name: b, key_prefix: /a/}"],
            "stage.key_prefix",
            "'/a/' is not a folder",
        ),
        (
            ["stage: {connection: archive, bucket_name: b, key_prefix: a/../b}"],
            "stage.key_prefix",
            "'a/../b' is not a folder",
        ),
        (
            ['stage: {connection: archive, bucket_name: b, key_prefix: "{table}/"}'],
            "stage.key_prefix",
            "a stage has no variables",
        ),
        ([STAGE, "authorization: {}"], "authorization", "one role or one connection"),
        (
            [STAGE, f"authorization: {{role_arn: {ROLE}, connection: archive}}"],
            "authorization",
            "one role or one connection",
        ),
        ([STAGE, "authorization: default"], "authorization", "it is no mapping"),
        ([STAGE, "authorization: {role_arn: copy}"], "authorization.role_arn", "not the ARN"),
        (
            [STAGE, "authorization: {connection: nope}"],
            "authorization.connection",
            "no S3Connection named 'nope'",
        ),
        (
            [STAGE, "authorization: {aws_secret_access_key: planted}"],
            "authorization",
            "'aws_secret_access_key' is not a field",
        ),
        ([CHAIN], "authorization", "the connection chain has no keys of its own"),
        # https://docs.aws.amazon.com/redshift/latest/dg/r_names.html
        ([STAGE, "table: Events"], "table", "is 'events' to Redshift"),
        ([STAGE, "schema: Exports"], "schema", "Write exports."),
        ([STAGE, f"table: {'t' * 120}"], "table", "has 120 bytes"),
        ([STAGE, f"schema: {'s' * 128}"], "schema", "has 128 bytes"),
        ([STAGE, "table: ''"], "table", "'' is not a name"),
        # https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_TABLE_NEW.html
        ([STAGE, "table: '#events'"], "table", "makes a temporary table"),
        ([STAGE, "dist_key: nope"], "dist_key", "'nope' is not a column of the export"),
        ([STAGE, "sort_key: [timestamp, nope]"], "sort_key", "'nope' is not a column"),
        ([STAGE, "sort_key: [timestamp, timestamp]"], "sort_key", "names a column twice"),
        # https://docs.aws.amazon.com/redshift/latest/dg/limitations-super.html
        ([STAGE, "dist_key: properties"], "dist_key", "'properties' is a SUPER column"),
        ([STAGE, "sort_key: [set]"], "sort_key", "'set' is a SUPER column"),
        ([STAGE, "semi_structured_type: JSONB"], "semi_structured_type", "'VARCHAR(65535)'"),
        ([STAGE, "write_mode: merge"], "write_mode", "have no versions to merge by"),
        ([STAGE, "write_mode: upsert"], "write_mode", "'upsert'"),
        ([STAGE, "connection: archive"], "connection", "no RedshiftConnection named 'archive'"),
    ],
)
def test_what_cannot_work_is_told_when_it_is_loaded(
    warehouse: Warehouse, lines: list[str], field: str, problem: str
) -> None:
    with pytest.raises(InvalidComponent) as caught:
        warehouse.define(*lines)
    message = str(caught.value)
    assert re.search(rf"defs\.yaml:\d+ - attributes\.{re.escape(field)}\n", message)
    assert problem in message
    assert "planted" not in message


def test_a_stage_in_another_region(warehouse: Warehouse) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html"""
    there = CONNECTIONS.replace(
        '"{{ env.TEST_RS_HOST }}"', "c.abc.us-east-1.redshift.amazonaws.com"
    )
    lines = (CHAIN, "authorization: {role_arn: default}")
    with pytest.raises(InvalidComponent) as caught:
        warehouse.define(*lines, connections=there)
    assert "chain is in eu-west-1, the cluster in us-east-1" in str(caught.value)
    assert "Stage in a bucket in us-east-1." in str(caught.value)
    assert warehouse.define(STAGE, connections=there).resources


def test_what_is_written_is_what_a_run_gets(warehouse: Warehouse) -> None:
    lines = [
        "stage: {connection: archive, bucket_name: b, key_prefix: a/b, files: 8}",
        f"authorization: {{role_arn: '{ROLE},{ROLE}2'}}",
        "dist_key: distinct_id",
        "sort_key: [timestamp, uuid]",
        "table: t",
        "semi_structured_type: VARCHAR(65535)",
        "write_mode: append",
        "on_missing_column: fail",
        "on_unrepresentable: reject",
    ]
    with warehouse.destination(*lines) as made:
        stage = made.copy_from
        assert stage
        assert (stage.bucket, stage.key_prefix, stage.files) == ("b", "a/b/", 8)
        assert stage.authorization == Role(f"{ROLE},{ROLE}2")
        assert (made.name.schema, made.name.name) == (warehouse.schema, "t")
        assert (made.dist_key, made.sort_key) == ("distinct_id", ("timestamp", "uuid"))
        assert made.semi_structured_type == "VARCHAR(65535)"
        assert (made.write_mode, made.on_missing_column) == ("append", "fail")
        assert made.on_unrepresentable == OnUnrepresentable.REJECT
    with warehouse.destination("mode: INSERT") as made:
        assert made.copy_from is None
        assert (made.dist_key, made.sort_key, made.write_mode) == (None, (), "replace")


@pytest.mark.parametrize(
    ("lines", "clause"),
    [
        ([STAGE, "authorization: {role_arn: default}"], "IAM_ROLE default"),
        ([STAGE], "ACCESS_KEY_ID 'KEY' SECRET_ACCESS_KEY 'SECRET'"),
        (
            [STAGE, "authorization: {connection: temporary}"],
            "ACCESS_KEY_ID 'KEY' SECRET_ACCESS_KEY 'SECRET' SESSION_TOKEN 'planted-token'",
        ),
    ],
)
def test_what_copy_is_told(warehouse: Warehouse, lines: list[str], clause: str) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-authorization.html"""
    admin = warehouse.s3.admin
    with warehouse.destination(*lines) as made:
        assert made.copy_from
        told = made.copy_from.authorization.clause().as_string()
        assert told == clause.replace("KEY'", f"{admin.access_key_id}'", 1).replace(
            "'SECRET'", f"'{admin.secret_access_key}'"
        )
        assert admin.secret_access_key not in repr(made)
        assert "planted-token" not in repr(made)


def test_the_ui_shows_the_types_that_a_table_is_made_with(warehouse: Warehouse) -> None:
    for lines, type_ in ([], "SUPER"), (["semi_structured_type: VARCHAR(65535)"], "VARCHAR(65535)"):
        asset = warehouse.define("mode: INSERT", *lines).resolve_asset_graph().get(ASSET)
        assert asset.metadata["load_mode"] == "INSERT"
        assert asset.metadata["dagster/table_name"] == f"{warehouse.schema}.events"
        types = {c.name: c.type for c in asset.metadata["dagster/column_schema"].columns}
        assert types["properties"] == type_
        assert types["uuid"] == "VARCHAR(200)"


def test_persons_merge_and_events_replace_unless_told(warehouse: Warehouse) -> None:
    for lines, mode in [
        ([], "replace"),
        (["model: persons"], "merge"),
        (["model: sessions"], "merge"),
        (["model: persons", "write_mode: replace"], "replace"),
        (["write_mode: append"], "append"),
    ]:
        graph = warehouse.define("mode: INSERT", *lines).resolve_asset_graph()
        assert graph.get(ASSET).metadata["write_mode"] == mode
        checks = {key.name for key in graph.asset_check_keys}
        assert ("versions" in checks) == (mode == "merge")
