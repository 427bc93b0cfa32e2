"""Persons that are exported to Redshift and synced back as identifies are the source's persons,
wherever these go.

docs/howto/round-trip.md shows the same definitions.
"""

import json
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import psycopg
import pytest
from psycopg import sql

from batch_exports.local import seaweedfs
from batch_exports.local.lake import lay_lake
from batch_exports.local.postgres_server import Server
from batch_exports.local.redshift.server import Emulator
from batch_exports_tests.conftest import ROLE_ARN
from batch_exports_tests.deployment import load

PAGE = Path(__file__).parent.parent / "docs" / "howto" / "round-trip.md"
DAYS = ("2026-11-01", "2026-11-02", "2026-11-03")
# The same identifies in tables, where each record keeps its newest state.
TABLES = """\
---
type: batch_exports.PostgresConnection
attributes:
  name: database
  host: "{{ env.TEST_PG_HOST }}"
  port: "{{ env.TEST_PG_PORT }}"
  database: analytics
  user: "{{ env.TEST_PG_USER }}"
  password: {env: TEST_PG_PASSWORD}
  ssl_root_cert: "{{ env.TEST_PG_ROOT }}"
---
type: batch_exports.PostgresBatchExport
attributes: {name: back_to_postgres, source: persons_of_cluster, model: identifies, interval: day,
  start: "2026-11-01", connection: database, schema: "{{ env.TEST_PG_SCHEMA }}"}
---
type: batch_exports.RedshiftBatchExport
attributes: {name: back_to_redshift, source: persons_of_cluster, model: identifies, interval: day,
  start: "2026-11-01", connection: cluster, schema: "{{ env.REDSHIFT_SCHEMA }}",
  stage: {connection: archive, bucket_name: "{{ env.BUCKET }}", key_prefix: stage},
  authorization: {role_arn: "{{ env.REDSHIFT_ROLE_ARN }}"}}
"""


@pytest.fixture
def definitions(
    tmp_path: Path,
    s3_server: seaweedfs.Server,
    bucket: str,
    redshift: Emulator,
    redshift_schema: str,
    postgres_server: Server,
    postgres_schema: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[dg.Definitions]:
    lay_lake(tmp_path / "lake")
    state = f"{redshift_schema}_state"
    with redshift.connect() as connection:
        schema, user = sql.Identifier(state), sql.Identifier(redshift.exporter.user)
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
        connection.execute(sql.SQL("GRANT ALL ON SCHEMA {} TO {}").format(schema, user))
    variables = {
        "S3_ENDPOINT": s3_server.endpoint,
        "S3_KEY_ID": s3_server.admin.access_key_id,
        "S3_SECRET": s3_server.admin.secret_access_key,
        "BUCKET": bucket,
        "LAKE": str(tmp_path / "lake"),
        "REDSHIFT_HOST": redshift.host,
        "REDSHIFT_PORT": str(redshift.port),
        "REDSHIFT_DATABASE": redshift.database,
        "REDSHIFT_USER": redshift.exporter.user,
        "REDSHIFT_PASSWORD": redshift.exporter.password,
        "REDSHIFT_ROOT_CERT": str(redshift.root_certificate),
        "REDSHIFT_SCHEMA": redshift_schema,
        "REDSHIFT_ROLE_ARN": ROLE_ARN,
        "TEST_PG_HOST": postgres_server.host,
        "TEST_PG_PORT": str(postgres_server.port),
        "TEST_PG_USER": postgres_server.exporter.user,
        "TEST_PG_PASSWORD": postgres_server.exporter.password,
        "TEST_PG_ROOT": str(postgres_server.root_certificate),
        "TEST_PG_SCHEMA": postgres_schema,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    written = PAGE.read_text().split("```yaml\n")[1].split("```")[0]
    text = written.replace("  primary_key:", f"  state_schema: {state}\n  primary_key:")
    yield load(tmp_path / "defs", {"a/defs.yaml": text.rstrip() + "\n" + TABLES}, monkeypatch)


def test_persons_come_back(
    definitions: dg.Definitions,
    tmp_path: Path,
    s3_server: seaweedfs.Server,
    bucket: str,
    redshift: Emulator,
    redshift_schema: str,
    postgres_server: Server,
    postgres_schema: str,
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        for day in DAYS:
            for name in (
                "persons_redshift",
                "persons_back",
                "back_to_postgres",
                "back_to_redshift",
            ):
                run = definitions.resolve_job_def(f"{name}_job").execute_in_process(
                    partition_key=day, instance=instance, raise_on_error=False
                )
                assert run.success
                checks = run.get_asset_check_evaluations()
                assert checks
                assert all(check.passed for check in checks), checks
    synced = identifies(s3_server, bucket)
    assert [len(rows) > 0 for rows in synced] == [True, True, True]
    assert {row["operation"] for rows in synced[1:] for row in rows} == {"insert", "update"}
    assert replayed(synced) == persons(tmp_path)
    latest = {row["record_id"]: row for rows in synced for row in rows}
    with postgres_server.connect() as connection:
        assert in_table(connection, postgres_schema, sql.SQL("traits::text")) == latest
    with redshift.connect() as connection:
        assert in_table(connection, redshift_schema, sql.SQL("JSON_SERIALIZE(traits)")) == latest
    for prefix in ("stage", "unload"):
        assert "Contents" not in s3_server.client().list_objects_v2(Bucket=bucket, Prefix=prefix)


def identifies(s3_server: seaweedfs.Server, bucket: str) -> list[list[Any]]:
    """What each day's sync delivered, in the order of days."""
    client, found = s3_server.client(), []
    for day in DAYS:
        stamp = day.replace("-", "")
        listed = client.list_objects_v2(Bucket=bucket, Prefix=f"persons_back/{stamp}T")["Contents"]
        (key,) = [item["Key"] for item in listed if item["Key"].endswith(".jsonl")]
        body = client.get_object(Bucket=bucket, Key=key)["Body"].read()
        found.append([json.loads(line) for line in body.splitlines()])
    return found


def replayed(synced: list[list[Any]]) -> dict[tuple[int, str], Any]:
    """The persons that a receiver knows after all syncs: what was said last of each."""
    known: dict[tuple[int, str], Any] = {}
    for row in (row for rows in synced for row in rows):
        traits = row["traits"]
        assert row["record_id"] == json.dumps(
            [traits["team_id"], row["user_id"]], separators=(",", ":"), ensure_ascii=False
        )
        known[traits["team_id"], row["user_id"]] = traits
    return known


def in_table(connection: psycopg.Connection[Any], schema: str, traits: sql.SQL) -> dict[str, Any]:
    """The records of a table of identifies, as JSON lines have them."""
    statement = sql.SQL(
        "SELECT record_id, operation, user_id, anonymous_id, email, {} AS traits, root, batch_id, "
        "sent_at, data_interval_start FROM {}"
    ).format(traits, sql.Identifier(schema, "identifies"))
    cursor = connection.execute(statement)
    names = [column.name for column in cursor.description or ()]
    found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    for row in found:
        row["traits"] = json.loads(row["traits"])
        for name in ("sent_at", "data_interval_start"):
            row[name] = f"{row[name].astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    assert len({row["record_id"] for row in found}) == len(found)
    return {row["record_id"]: row for row in found}


def persons(folder: Path) -> dict[tuple[int, str], Any]:
    """The newest version of each, as an independent reader finds them in the lake."""
    rows = duckdb.sql(
        f"""SELECT team_id, distinct_id, person_id, properties, person_distinct_id_version,
                   person_version, epoch_us(created_at) AS created_at
            FROM read_parquet('{folder}/lake/persons/**/*.parquet')
            QUALIFY row_number() OVER (PARTITION BY team_id, distinct_id
                ORDER BY person_distinct_id_version DESC, person_version DESC) = 1"""
    )
    names = rows.columns
    return {
        (row["team_id"], row["distinct_id"]): {
            "team_id": row["team_id"],
            "person_id": row["person_id"],
            "properties": json.loads(row["properties"]),
            "person_distinct_id_version": row["person_distinct_id_version"],
            "person_version": row["person_version"],
            "created_at": _iso(row["created_at"]),
        }
        for row in (dict(zip(names, values, strict=True)) for values in rows.fetchall())
    }


def _iso(microseconds: int) -> str:
    (text,) = duckdb.sql(
        f"SELECT strftime(make_timestamp({microseconds}), '%Y-%m-%dT%H:%M:%S.%fZ')"
    ).fetchall()[0]
    return str(text)
