"""A declared model delivered to every destination: each type, and names that must be quoted."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from batch_exports.local.postgres_server import Server as PostgresServer
from batch_exports.local.redshift.server import Emulator
from batch_exports.local.seaweedfs import Server
from batch_exports.models import TIMESTAMP
from batch_exports_tests.components.postgres_warehouse import CONNECTION as POSTGRES
from batch_exports_tests.components.redshift_warehouse import CONNECTIONS
from batch_exports_tests.conftest import ROLE_ARN
from batch_exports_tests.deployment import KEY, START, errors_of, load

# Of each column the name, the declared type, the type in the lake's files, and values of three
# rows: of two versions of one order, and of another.
COLUMNS: list[tuple[str, str, pa.DataType, list[Any]]] = [
    ("order id", "text", pa.string(), ["é'$1", "é'$1", "b"]),
    ("line", "smallint", pa.int16(), [32767, 32767, -32768]),
    ("day", "date", pa.date32(), [date(2026, 11, 1), date(2026, 11, 1), date(1, 1, 1)]),
    ("version", "bigint", pa.int64(), [1, 2, 2**63 - 1]),
    ("updated_at", "timestamp", pa.timestamp("us"), [START, START + timedelta(hours=0.5), START]),
    ("select", "integer", pa.int32(), [1, None, -(2**31)]),
    ("Paid?", "boolean", pa.bool_(), [True, False, None]),
    ("real", "real", pa.float32(), [0.5, 0.1, -0.0]),
    ("double", "double", pa.float64(), [0.5, 0.1, 5e-324]),
    ("it's the total", "numeric(18, 2)", pa.decimal128(18, 2),
     [Decimal("1.00"), Decimal("-0.01"), Decimal("9999999999999999.99")]),
    ("digits", "NUMERIC(38,37)", pa.decimal128(38, 37),
     [None, Decimal("1." + "1" * 37), Decimal("-0." + "0" * 36 + "1")]),
    ("whole", "numeric(5)", pa.decimal128(5), [None, Decimal(99999), Decimal(0)]),
    ("a.b", "json", pa.string(), ["{}", '{"n": 12345678901234567890}', "null"]),
    ("tags", "text[]", pa.list_(pa.string()), [[], ["", None, "x,\"'"], None]),
    ("überlänge", "text", pa.string(), ["", None, "\\\n\t日本語"]),
]  # fmt: skip
REQUIRED = {"order id", "line", "day", "version", "updated_at"}
MODEL = """\
type: batch_exports.CustomModel
attributes:
  {named}
  {origin}
  key: [order id, line, day]
  versions: [updated_at, version]
  membership: updated_at
  columns:
"""
EXPORTS = """\
---
type: batch_exports.LakeSource
attributes: {{name: lake, path: "{lake}"}}
---
type: batch_exports.S3BatchExport
attributes: {{name: parquet, source: lake, model: orders, start: "2026-11-01", connection: archive,
  bucket_name: {bucket}, key_prefix: parquet/}}
---
type: batch_exports.S3BatchExport
attributes: {{name: lines, source: lake, model: orders, start: "2026-11-01", connection: archive,
  bucket_name: {bucket}, key_prefix: lines/, file_format: jsonlines, compression: none}}
---
type: batch_exports.PostgresBatchExport
attributes: {{name: merged, source: lake, model: orders, start: "2026-11-01", connection: postgres,
  schema: {schema}}}
---
type: batch_exports.PostgresBatchExport
attributes: {{name: loaded, load_from: parquet, start: "2026-11-01", delay_seconds: 120,
  connection: postgres, schema: {schema}, table: loaded, write_mode: replace}}
---
type: batch_exports.RedshiftBatchExport
attributes: {{name: copied, source: lake, model: orders, start: "2026-11-01", connection: warehouse,
  schema: {cluster}, stage: {{connection: archive, bucket_name: {bucket}, key_prefix: stage/}},
  authorization: {{role_arn: "{role}"}}}}
---
type: batch_exports.RedshiftBatchExport
attributes: {{name: inserted, source: lake, model: orders, start: "2026-11-01",
  connection: warehouse, schema: {cluster}, table: inserted, mode: INSERT, write_mode: replace}}
---
type: batch_exports.S3BatchExport
attributes: {{name: few, source: lake, model: orders, start: "2026-11-01", connection: archive,
  bucket_name: {bucket}, key_prefix: few/, columns: [order id, line, day, version, updated_at, real,
  digits, whole]}}
---
type: batch_exports.RedshiftBatchExport
attributes: {{name: straight, load_from: few, start: "2026-11-01", delay_seconds: 120,
  connection: warehouse, schema: {cluster}, table: straight,
  stage: {{connection: archive, bucket_name: {bucket}, key_prefix: stage/}},
  authorization: {{role_arn: "{role}"}}}}
---
"""
# The same rows once more, out of the table that one of these exports delivered.
BACK = """\
---
type: batch_exports.PostgresSource
attributes: {{name: database, connection: postgres, schema: {schema}}}
---
type: batch_exports.S3BatchExport
attributes: {{name: back, source: database, model: delivered, start: "2026-11-01",
  connection: archive, bucket_name: {bucket}, key_prefix: back/}}
---
"""
OUT_OF_TABLE = (
    "name: delivered\n  source: database",
    """query: |
    SELECT * FROM orders  -- {and no more}
    WHERE updated_at >= {data_interval_start} AND updated_at < {data_interval_end};""",
)
NAMES = [name for name, *_ in COLUMNS]


def declared(
    named: str = "name: orders\n  source: lake", origin: str = "table: shop/orders"
) -> str:
    lines = []
    for name, type_, *_ in COLUMNS:
        nullable = json.dumps(name not in REQUIRED)
        lines.append(f"{{name: {json.dumps(name)}, type: '{type_}', nullable: {nullable}}}")
    return MODEL.format(named=named, origin=origin) + "".join(f"    - {line}\n" for line in lines)


def row(number: int) -> dict[str, Any]:
    """A row as it must arrive: times are in UTC, JSON is read."""
    values = {name: values[number] for name, _, _, values in COLUMNS}
    values["updated_at"] = values["updated_at"].replace(tzinfo=UTC)
    values["a.b"] = json.loads(values["a.b"])
    return values


class Shop:
    """A lake with three rows of orders, and exports of them to every destination."""

    def __init__(self, folder: Path, definitions: dg.Definitions) -> None:
        self.folder = folder
        self.definitions = definitions
        self.instance = dg.DagsterInstance.ephemeral()

    def run(self, export: str, *failing: str) -> dict[str, Any]:
        """The partition and its checks, which all pass but these; what is told of it."""
        job = self.definitions.resolve_job_def(f"{export}_job")
        result = job.execute_in_process(
            partition_key=KEY, instance=self.instance, raise_on_error=False
        )
        assert result.success, errors_of(result)
        failed = {e.check_name: e.description for e in result.get_asset_check_evaluations()
                  if not e.passed}  # fmt: skip
        assert list(failed) == list(failing), failed
        [event] = result.get_asset_materialization_events()
        return {name: one.value for name, one in event.materialization.metadata.items()}

    def landed(self, server: Server, bucket: str, prefix: str) -> pa.Table:
        """The file of Parquet that was delivered there."""
        client = server.client()
        found = client.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]
        [key] = [item["Key"] for item in found if "manifest" not in item["Key"]]
        client.download_file(bucket, key, str(self.folder / "landed.parquet"))
        return pq.read_table(self.folder / "landed.parquet")


@pytest.fixture
def shop(
    tmp_path: Path,
    redshift: Emulator,
    s3_server: Server,
    postgres_server: PostgresServer,
    postgres_schema: str,
    redshift_schema: str,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Shop]:
    folder = tmp_path / "lake" / "shop" / "orders" / "day=1"
    folder.mkdir(parents=True)
    schema = pa.schema([(name, type_) for name, _, type_, _ in COLUMNS])
    values = [
        pa.array([v.replace(tzinfo=None) if isinstance(v, datetime) else v for v in column], type_)
        for _, _, type_, column in COLUMNS
    ]
    pq.write_table(pa.Table.from_arrays(values, schema=schema), folder / "a.parquet")
    for name, value in {
        "TEST_RS_HOST": redshift.host,
        "TEST_RS_PORT": str(redshift.port),
        "TEST_RS_DATABASE": redshift.database,
        "TEST_RS_USER": redshift.exporter.user,
        "TEST_RS_PASSWORD": redshift.exporter.password,
        "TEST_RS_ROOT": str(redshift.root_certificate),
        "TEST_S3_URL": s3_server.endpoint,
        "TEST_S3_KEY_ID": s3_server.admin.access_key_id,
        "TEST_S3_SECRET": s3_server.admin.secret_access_key,
        "TEST_TOKEN": "none",
        "TEST_PG_HOST": postgres_server.host,
        "TEST_PG_PORT": str(postgres_server.port),
        "TEST_PG_USER": postgres_server.exporter.user,
        "TEST_PG_PASSWORD": postgres_server.exporter.password,
        "TEST_PG_ROOT": str(postgres_server.root_certificate),
    }.items():
        monkeypatch.setenv(name, value)
    exports = (EXPORTS + BACK.removeprefix("---\n")).format(
        lake=tmp_path / "lake",
        bucket=bucket,
        schema=postgres_schema,
        cluster=redshift_schema,
        role=ROLE_ARN,
    )
    postgres = POSTGRES.replace("name: warehouse", "name: postgres")
    files = {"a/defs.yaml": CONNECTIONS + postgres + declared() + exports + declared(*OUT_OF_TABLE)}
    shop = Shop(tmp_path, load(tmp_path / "defs", files, monkeypatch))
    with shop.instance:
        yield shop


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda one: (one["order id"], one["version"]))


def in_files(table: pa.Table) -> list[dict[str, Any]]:
    return in_order([{**one, "a.b": json.loads(one["a.b"])} for one in table.to_pylist()])


def as_float32(one: dict[str, Any]) -> dict[str, Any]:
    """What is 0.1 in 32 bits is another number in 64."""
    return {**one, "real": pa.scalar(one["real"], pa.float32()).as_py()}


def read(
    connection: psycopg.Connection[Any], select: sql.SQL | sql.Composed, schema: str, table: str
) -> list[dict[str, Any]]:
    text = sql.SQL(select.as_string(connection)).format(sql.Identifier(schema, table))
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(text).fetchall()


def test_files(shop: Shop, s3_server: Server, bucket: str) -> None:
    shop.run("parquet")
    shop.run("lines")
    client = s3_server.client()
    keys = [item["Key"] for item in client.list_objects_v2(Bucket=bucket)["Contents"]]
    [lines] = [key for key in keys if key.startswith("lines/") and "manifest" not in key]
    landed = shop.landed(s3_server, bucket, "parquet/")
    types = dict(zip(landed.schema.names, landed.schema.types, strict=True))
    assert types["day"] == pa.date32()
    assert types["digits"] == pa.decimal128(38, 37)
    assert types["updated_at"] == TIMESTAMP
    assert in_files(landed) == [as_float32(row(number)) for number in (2, 0, 1)]
    text = client.get_object(Bucket=bucket, Key=lines)["Body"].read().decode()
    read = [json.loads(line, parse_float=Decimal) for line in text.splitlines()]
    [one] = [one for one in read if one["version"] == 2]
    assert list(one) == NAMES
    assert one == {
        **row(1),
        "day": "2026-11-01",
        "updated_at": "2026-11-01T00:30:00.000000Z",
        "real": Decimal("0.1"),
        "double": Decimal("0.1"),
    }


def test_postgres(shop: Shop, postgres_server: PostgresServer, postgres_schema: str) -> None:
    """By its versions the table is merged by default. Where rows take the place of others, all
    versions are there, and repeat keys."""
    shop.run("parquet")
    shop.run("merged")
    shop.run("loaded", "keys")
    for table, numbers in {"orders": (1, 2), "loaded": (0, 1, 2)}.items():
        with postgres_server.connect(postgres_server.exporter) as connection:
            rows = read(connection, sql.SQL("SELECT * FROM {}"), postgres_schema, table)
            statement = sql.SQL(
                "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
                "WHERE attrelid = {}::regclass AND attnum > 0"
            ).format(sql.Literal(f'"{postgres_schema}"."{table}"'))
            types = dict(connection.execute(statement).fetchall())
        assert list(rows[0]) == NAMES
        assert in_order(rows) == in_order([row(number) for number in numbers])
        assert types["line"] == "smallint"
        assert types["select"] == "integer"
        assert types["it's the total"] == "numeric(18,2)"
        assert types["whole"] == "numeric(5,0)"
        assert types["real"] == "real"
        assert types["a.b"] == "jsonb"


def test_redshift(shop: Shop, redshift: Emulator, redshift_schema: str) -> None:
    """Names are in lower case there, as Redshift keeps them."""
    shop.run("copied")
    shop.run("inserted", "keys")
    folded = [name.replace("Paid?", "paid?") for name in NAMES]
    columns = [
        sql.SQL("JSON_SERIALIZE({0}) AS {0}" if name in ("a.b", "tags") else "{}").format(
            sql.Identifier(name)
        )
        for name in folded
    ]
    select = sql.SQL("SELECT {} FROM {{}}").format(sql.SQL(", ").join(columns))
    for table, numbers in {"orders": (1, 2), "inserted": (0, 1, 2)}.items():
        with redshift.connect(redshift.exporter) as connection:
            rows = read(connection, select, redshift_schema, table)
            described = connection.execute(
                "SELECT column_name, data_type FROM svv_columns "
                "WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position",
                [redshift_schema, table],
            ).fetchall()
        for one in rows:
            one["Paid?"] = one.pop("paid?")
            one["a.b"] = json.loads(one["a.b"])
            one["tags"] = one["tags"] and json.loads(one["tags"])
        assert in_order(rows) == in_order([row(number) for number in numbers])
        types = dict(described)
        assert list(types) == folded
        assert types["line"] == "smallint"
        assert types["day"] == "date"
        assert types["real"] == "real"
        assert types["whole"] == "numeric"


def test_straight_into_redshift(shop: Shop, redshift: Emulator, redshift_schema: str) -> None:
    """COPY reads the files as they were delivered: days and numbers are of the same types there.

    https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html
    """
    shop.run("few")
    assert shop.run("straight")["way"] == "straight"
    with redshift.connect(redshift.exporter) as connection:
        rows = read(connection, sql.SQL("SELECT * FROM {}"), redshift_schema, "straight")
    names = list(rows[0])
    expected = [{name: row(number)[name] for name in names} for number in (1, 2)]
    assert len(names) == 8
    assert in_order(rows) == in_order(expected)


def test_what_a_destination_does_not_hold_is_rejected(shop: Shop) -> None:
    """A day before the year 1 is none in ISO 8601, nor on Redshift; PostgreSQL's SMALLINT ends."""
    file = shop.folder / "lake" / "shop" / "orders" / "day=1" / "a.parquet"
    rows = pq.read_table(file)
    for name, value in {"day": -800_000, "line": 40_000}.items():
        place = rows.schema.get_field_index(name)
        wide = rows.column(name).cast(pa.int32())
        values = pa.array([*wide.to_pylist()[:2], value], pa.int32())
        column = values.cast(pa.date32()) if name == "day" else values
        rows = rows.set_column(place, name, column)
    pq.write_table(rows, file)
    for export in ("lines", "merged", "copied"):
        told = shop.run(export, "values")
        assert told["rejected_rows"] == 1, export
        assert told["source_rows"] == 3, export


def test_out_of_a_table_again(shop: Shop, s3_server: Server, bucket: str) -> None:
    """By a query, of which the comment and the semicolon at its end are left out."""
    shop.run("merged")
    shop.run("back")
    landed = shop.landed(s3_server, bucket, "back/")
    assert landed.schema.field("digits").type == pa.decimal128(38, 37)
    assert in_files(landed) == [as_float32(row(number)) for number in (2, 1)]
