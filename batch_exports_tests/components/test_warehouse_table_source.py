"""Tables of a warehouse as users define them: delivered through Dagster, with all checks."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow.parquet as pq
import pytest

from batch_exports.components.errors import InvalidComponent
from batch_exports.local import seaweedfs
from batch_exports.local.postgres_server import Server
from batch_exports.local.redshift.server import Emulator
from batch_exports_tests.conftest import ROLE_ARN
from batch_exports_tests.deployment import errors_of, load
from batch_exports_tests.sources.warehouse.places import Place, place

S3 = """\
type: batch_exports.S3Connection
attributes:
  name: archive
  region: us-east-1
  endpoint_url: "{{ env.TEST_S3_URL }}"
  allow_http: true
  aws_access_key_id: {env: TEST_S3_KEY_ID}
  aws_secret_access_key: {env: TEST_S3_SECRET}
"""
CONNECTION = """\
type: batch_exports.%(kind)sConnection
attributes:
  name: warehouse
  host: "{{ env.TEST_HOST }}"
  port: "{{ env.TEST_PORT }}"
  database: "{{ env.TEST_DATABASE }}"
  user: "{{ env.TEST_USER }}"
  password: {env: TEST_PASSWORD}
  ssl_root_cert: "{{ env.TEST_ROOT }}"
"""
SOURCE = """\
type: batch_exports.WarehouseTableSource
attributes:
  name: crm
  connection: warehouse
  schema: %(schema)s
  table: persons
  state_schema: %(state)s
  primary_key: [id]
"""
EXPORT = """\
type: batch_exports.S3BatchExport
attributes:
  name: crm_archive
  source: crm
  model: identifies
  start: "2026-11-01"
  delay_seconds: 0
  connection: archive
  bucket_name: %(bucket)s
"""
KEYS = [f"2026-11-01-0{hour}:00" for hour in range(3)]


@dataclass
class Deployment:
    """A source of the table, and an export of it to a bucket."""

    folder: Path
    warehouse: Place
    s3: seaweedfs.Server
    bucket: str
    instance: dg.DagsterInstance
    monkeypatch: pytest.MonkeyPatch

    def define(self, *lines: str, more: str = "") -> dg.Definitions:
        server, keys = self.warehouse.server, self.s3.admin
        variables = {
            "TEST_S3_URL": self.s3.endpoint,
            "TEST_S3_KEY_ID": keys.access_key_id,
            "TEST_S3_SECRET": keys.secret_access_key,
            "TEST_HOST": server.host,
            "TEST_PORT": str(server.port),
            "TEST_DATABASE": server.database,
            "TEST_USER": server.exporter.user,
            "TEST_PASSWORD": server.exporter.password,
            "TEST_ROOT": str(server.root_certificate),
        }
        for name, value in variables.items():
            self.monkeypatch.setenv(name, value)
        kind = "Redshift" if isinstance(server, Emulator) else "Postgres"
        given = {
            "kind": kind,
            "schema": self.warehouse.schema,
            "state": self.warehouse.state,
            "bucket": self.bucket,
        }
        source = SOURCE % given + "".join(f"  {line}\n" for line in lines)
        parts = [S3, CONNECTION % given, source, EXPORT % given, more % given]
        text = "---\n".join(part for part in parts if part)
        return load(self.folder / "defs", {"a/defs.yaml": text}, self.monkeypatch)

    def run(self, definitions: dg.Definitions, key: str) -> dg.ExecuteInProcessResult:
        job = definitions.resolve_job_def("crm_archive_job")
        return job.execute_in_process(
            partition_key=key, instance=self.instance, raise_on_error=False
        )

    def delivered(self) -> list[dict[str, Any]]:
        """The rows of all files."""
        client = self.s3.client()
        keys = [o["Key"] for o in client.list_objects_v2(Bucket=self.bucket).get("Contents", [])]
        rows: list[dict[str, Any]] = []
        for key in sorted(key for key in keys if key.endswith(".parquet.zst")):
            path = self.folder / "file.parquet"
            path.write_bytes(client.get_object(Bucket=self.bucket, Key=key)["Body"].read())
            rows += pq.read_table(path).to_pylist()
        return rows


Define = Callable[..., Deployment]


@pytest.fixture
def on(
    tmp_path: Path, s3_server: seaweedfs.Server, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Define]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield lambda warehouse, bucket="exports": Deployment(
            tmp_path, warehouse, s3_server, bucket, instance, monkeypatch
        )


@pytest.fixture(scope="module")
def postgres(postgres_server: Server) -> Iterator[Place]:
    with place(postgres_server) as found:
        yield found


@pytest.fixture(scope="module")
def redshift_place(redshift_emulator: Emulator) -> Iterator[Place]:
    with place(redshift_emulator) as found:
        yield found


def failed_checks(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    found = result.get_asset_check_evaluations()
    assert found
    return {e.check_name: e.description or "" for e in found if not e.passed}


@pytest.mark.parametrize("kind", ["postgres_server", "redshift_emulator"])
def test_changes_reach_a_bucket_with_all_checks(
    on: Define, kind: str, bucket: str, request: pytest.FixtureRequest
) -> None:
    with place(request.getfixturevalue(kind)) as warehouse:
        warehouse.make(
            "id INTEGER, email VARCHAR(50), city VARCHAR(20)",
            "1, 'a@x.org', 'Rome'",
            "2, 'b@x.org', 'Bonn'",
        )
        deployment = on(warehouse, bucket)
        lines = [
            "mode: mirror",
            "columns: [id, {column: city, trait: 'address.city'}]",
            "constants: {plan: free, context.app.name: crm}",
        ]
        if kind == "redshift_emulator":
            lines += [
                f"stage: {{connection: archive, bucket_name: {deployment.bucket}}}",
                f"authorization: {{role_arn: '{ROLE_ARN}'}}",
            ]
        definitions = deployment.define(*lines)
        for number, change in enumerate(
            [
                "SELECT 1",
                "UPDATE persons SET city = 'Oslo' WHERE id = 1",
                "DELETE FROM persons WHERE id = 2; INSERT INTO persons VALUES (3, NULL, 'Nobody')",
            ]
        ):
            warehouse.run(change)
            result = deployment.run(definitions, KEYS[number])
            assert result.success, errors_of(result)
            failed = failed_checks(result)
            assert failed.keys() == ({"source_rows"} if number == 2 else set())
    assert "nothing in it tells whom it is about), such as 3." in failed["source_rows"]
    rows = deployment.delivered()
    assert [(row["record_id"], row["operation"]) for row in rows[2:]] == [
        ("1", "update"),
        ("2", "delete"),
    ]
    assert json.loads(rows[2]["traits"]) == {
        "id": 1,
        "address": {"city": "Oslo"},
        "plan": "free",
    }
    assert json.loads(rows[2]["root"]) == {"context": {"app": {"name": "crm"}}}
    assert rows[3]["email"] == "b@x.org"


TABLE_EXPORT = """\
type: batch_exports.PostgresBatchExport
attributes:
  name: persons_table
  source: lake
  model: persons
  start: "2026-11-01"
  connection: warehouse
  schema: %(schema)s
---
type: batch_exports.LakeSource
attributes: {name: lake, path: lake}
"""


def test_the_lineage_goes_through_the_warehouse(on: Define, postgres: Place) -> None:
    definitions = on(postgres).define(more=TABLE_EXPORT)
    graph = definitions.resolve_asset_graph()
    source = dg.AssetKey(["crm", "identifies"])
    assert graph.get(source).parent_keys == {dg.AssetKey(["postgres", "persons_table"])}
    assert graph.get(dg.AssetKey(["s3", "crm_archive"])).parent_keys == {source}
    assert graph.get(source).kinds == {"postgres"}


@pytest.mark.parametrize(
    ("line", "field", "said"),
    [
        ("primary_key: []", "primary_key", "it is empty"),
        ("primary_key: [a, a]", "primary_key", "'a' is named twice"),
        ("connection: nowhere", "connection", "no RedshiftConnection or PostgresConnection"),
        ("table: ''", "table", "'' is not a name"),
        ("columns: [{column: a, trait: 'a..b'}]", "columns", "'a..b' is no path"),
        ("columns: [a, {column: b, trait: a.c}]", "columns", "'a' and 'a.c' exclude"),
        (
            "columns: [{column: a, trait: 'x[0]'}, {column: b, trait: x.c}]",
            "columns",
            "'x[0]' and 'x.c' exclude",
        ),
        ("columns: [a, a]", "columns", "'a' and 'a' exclude"),
        ("columns: [{column: a}]", "columns", "it has the fields column."),
        ("constants: {'': 1}", "constants", "'' is no path"),
        ("constants: {a.b: 1, a.b.c: 2}", "constants", "'a.b' and 'a.b.c' exclude"),
        ("constants: {traits.plan: 1}", "constants", "would change traits"),
        ("stage: {connection: archive, bucket_name: b}", "stage", "of no use to PostgreSQL"),
        ("authorization: {role_arn: default}", "authorization", "of no use without a stage"),
        ("mode: append", "mode", "'append' does not fit"),
    ],
)
def test_what_does_not_fit(on: Define, postgres: Place, line: str, field: str, said: str) -> None:
    deployment = on(postgres)
    name = line.partition(":")[0]
    deployment.monkeypatch.setattr(
        f"{__name__}.SOURCE",
        "".join(
            one + "\n" for one in SOURCE.splitlines() if not one.strip().startswith(f"{name}:")
        ),
    )
    with pytest.raises(InvalidComponent) as raised:
        deployment.define(line)
    text = str(raised.value)
    assert f"attributes.{field}" in text
    assert said in text
    assert "defs.yaml:" in text


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["user_id: uid", "columns: [{column: uid, trait: u}]"], "'uid' is the user_id"),
        (["columns: [plan]", "constants: {plan: 1}"], "'plan' and 'plan' exclude"),
    ],
)
def test_what_does_not_go_together(
    on: Define, postgres: Place, lines: list[str], said: str
) -> None:
    with pytest.raises(InvalidComponent, match=said):
        on(postgres).define(*lines)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("stage: {connection: none, bucket_name: b}", "no S3Connection named 'none'"),
        ("stage: {connection: archive, bucket_name: b, files: 2}", "as many as the cluster has"),
        ("state_schema: _Rudder", "Write _rudder"),
    ],
)
def test_what_does_not_fit_redshift(
    on: Define, redshift_place: Place, line: str, said: str
) -> None:
    deployment = on(redshift_place)
    name = line.partition(":")[0]
    deployment.monkeypatch.setattr(
        f"{__name__}.SOURCE",
        "".join(
            one + "\n" for one in SOURCE.splitlines() if not one.strip().startswith(f"{name}:")
        ),
    )
    with pytest.raises(InvalidComponent, match=said):
        deployment.define(line)


def test_exports_of_one_source_sync_at_the_same_times(on: Define, postgres: Place) -> None:
    other = EXPORT.replace("crm_archive", "daily") + "  interval: day\n"
    with pytest.raises(InvalidComponent, match="syncs the source 'crm' at other times"):
        on(postgres).define(more=other)
    assert on(postgres).define(more=EXPORT.replace("crm_archive", "again"))


def test_a_sync_is_not_read_in_shards(on: Define, postgres: Place) -> None:
    other = EXPORT.replace("crm_archive", "again") + "  shards: 2\n"
    with pytest.raises(InvalidComponent, match="shards: what a sync of the source 'crm' finds"):
        on(postgres).define(more=other)
