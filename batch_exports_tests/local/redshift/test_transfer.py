"""COPY and UNLOAD within a client's session: its transactions, its tables, what stays of them."""

import io
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from psycopg import errors

from batch_exports.local import seaweedfs
from batch_exports.local.redshift.roles import ROLE_ARN
from batch_exports.local.redshift.server import Emulator

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture
def connection(redshift: Emulator, redshift_schema: str) -> Iterator[psycopg.Connection]:
    with redshift.connect(redshift.exporter) as connection:
        connection.execute(f"SET search_path TO {redshift_schema}")
        connection.execute("CREATE TABLE t (id bigint, name varchar(5), doc super)")
        connection.commit()
        yield connection


@pytest.fixture
def client(s3_server: seaweedfs.Server) -> "S3Client":
    return s3_server.client()


def lines(client: "S3Client", bucket: str, *rows: dict[str, object]) -> str:
    """A COPY of one file of JSON lines."""
    body = "".join(f"{json.dumps(row)}\n" for row in rows)
    client.put_object(Bucket=bucket, Key="rows.json", Body=body.encode())
    return f"COPY t FROM 's3://{bucket}/rows.json' IAM_ROLE '{ROLE_ARN}' JSON 'auto'"


def rows(connection: psycopg.Connection, query: str) -> list[tuple[object, ...]]:
    return connection.execute(query.encode()).fetchall()


@pytest.mark.parametrize("pipelined", [False, True])
def test_rows_come_and_go_with_the_transaction(
    connection: psycopg.Connection, client: "S3Client", bucket: str, pipelined: bool
) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_COPY.html, and PG_LAST_COPY_COUNT."""
    told: list[str | None] = []
    connection.add_notice_handler(lambda notice: told.append(notice.message_primary))
    copy = lines(client, bucket, {"id": 1, "name": "é", "doc": {"a": 1.50}}, {})
    if pipelined:  # the extended form of the protocol
        with connection.pipeline():
            connection.execute(copy.encode())
    else:
        connection.execute(copy.encode())
    assert told == ["Load into table 't' completed, 2 record(s) loaded successfully."]
    assert rows(connection, "SELECT PG_LAST_COPY_COUNT()") == [(2,)]
    query = "SELECT id, name, JSON_SERIALIZE(doc) FROM t WHERE id = 1"
    assert rows(connection, query) == [(1, "é", '{"a":1.5}')]
    connection.rollback()
    assert rows(connection, "SELECT COUNT(*) FROM t") == [(0,)]


def test_errors_outlive_the_transaction(
    connection: psycopg.Connection, client: "S3Client", bucket: str
) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_STL_LOAD_ERRORS.html"""
    copy = lines(client, bucket, {"id": 1, "name": "short"}, {"id": 2, "name": "too long"})
    with pytest.raises(errors.InternalError_, match="Check 'stl_load_errors'"):
        connection.execute(copy.encode())
    with pytest.raises(errors.InFailedSqlTransaction):
        connection.execute(copy.encode())
    connection.rollback()
    kept = "SELECT TRIM(colname), line_number, err_code, TRIM(raw_field_value) FROM stl_load_errors"
    mine = " WHERE session = pg_backend_pid()"
    assert rows(connection, kept + mine) == [("name", 2, 1204, '"too long"')]
    detail = "SELECT column_name, error_code FROM sys_load_error_detail"
    assert rows(connection, f"{detail}{mine.replace('session', 'session_id')}") == [("name", 1204)]
    assert rows(connection, "SELECT COUNT(*) FROM t") == [(0,)]


def test_files_are_kept_on_record(
    connection: psycopg.Connection, client: "S3Client", bucket: str
) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_STL_LOAD_COMMITS.html"""
    connection.execute(lines(client, bucket, {"id": 1}, {"id": 2}).encode())
    query = "SELECT TRIM(filename), lines_scanned FROM stl_load_commits WHERE query ="
    assert rows(connection, f"{query} PG_LAST_COPY_ID()") == [(f"s3://{bucket}/rows.json", 2)]


def test_into_a_temporary_table(
    connection: psycopg.Connection, client: "S3Client", bucket: str
) -> None:
    connection.execute("CREATE TEMP TABLE t (LIKE t)")
    connection.execute(lines(client, bucket, {"id": 1}).encode())
    assert rows(connection, "SELECT id FROM pg_temp.t") == [(1,)]
    connection.commit()
    connection.execute("DROP TABLE t")
    assert rows(connection, "SELECT id FROM t") == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("COPY t ", "COPY absent "), "nonexistent table absent"),
        ((ROLE_ARN, "arn:aws:iam::123456789012:role/other"), "not authorized to assume IAM Role"),
        (("rows.json", "absent"), "absent"),
        (("JSON 'auto'", "JSON 'auto' FASTER"), "syntax error"),
    ],
)
def test_a_failed_copy_fails_its_transaction(
    connection: psycopg.Connection,
    client: "S3Client",
    bucket: str,
    change: tuple[str, str],
    message: str,
) -> None:
    copy = lines(client, bucket, {"id": 1}).replace(*change)
    with pytest.raises(psycopg.Error, match=message):
        connection.execute(copy.encode())
    with pytest.raises(errors.InFailedSqlTransaction):
        connection.execute("SELECT 1")


def test_unload_writes_what_a_query_reads(
    connection: psycopg.Connection, client: "S3Client", bucket: str
) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_UNLOAD.html"""
    connection.execute(
        "INSERT INTO t (id, name, doc) SELECT 1, 'it''s', JSON_PARSE('{\"a\": 1.50}')"
    )
    connection.execute(
        f"UNLOAD ('SELECT id, name, doc, 1.5::numeric(4,2) AS n FROM t WHERE name = ''it\\'\\'s''')"
        f" TO 's3://{bucket}/out/' IAM_ROLE '{ROLE_ARN}' FORMAT PARQUET PARALLEL OFF".encode()
    )
    found = client.list_objects_v2(Bucket=bucket, Prefix="out/")["Contents"]
    body = client.get_object(Bucket=bucket, Key=found[0]["Key"])["Body"].read()
    table = pq.read_table(io.BytesIO(body))
    assert table.column("id").to_pylist() == [1]
    assert table.column("name").to_pylist() == ["it's"]
    assert table.column("doc").to_pylist() == ['{"a":1.50}']
    assert table.schema.field("n").type == pa.decimal128(4, 2)
