"""COPY and UNLOAD as a client of the emulator runs them."""

import json
from decimal import Decimal
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from psycopg import sql

from batch_exports.local.redshift.server import Emulator
from batch_exports_tests.conftest import ROLE_ARN
from batch_exports_tests.local.redshift.copying import Copying, parquet

ROLE = f"IAM_ROLE '{ROLE_ARN}'"


@pytest.fixture
def session(redshift: Emulator, redshift_schema: str) -> Any:
    """The exporter's session, whose tables are made in a schema of their own."""
    with redshift.connect(redshift.exporter, autocommit=True) as connection:
        connection.execute(f"SET search_path TO {redshift_schema}")
        yield connection


def copy(session: psycopg.Connection[Any], uri: str, options: str, target: str = "t") -> None:
    session.execute(sql.SQL("COPY {} FROM {} {} {}").format(
        sql.SQL(target), sql.Literal(uri), sql.SQL(ROLE), sql.SQL(options)
    ))  # fmt: skip


def all_rows(session: psycopg.Connection[Any], query: str = "SELECT * FROM t ORDER BY 1") -> Any:
    return session.execute(query).fetchall()


def put_parquet(copying: Copying, table: pa.Table) -> str:
    """A file with its manifest, whose address is given."""
    content = parquet(table)
    copying.put("data/1.parquet", content)
    copying.put_manifest(copying.entry("data/1.parquet", len(content), mandatory=True))
    return copying.uri("manifest")


def test_parquet_into_every_type(session: psycopg.Connection[Any], copying: Copying) -> None:
    """r_COPY.html; ingest-super.html"""
    session.execute(
        "CREATE TABLE t (a SMALLINT, b INTEGER, c BIGINT, d BOOLEAN, e REAL, f DOUBLE PRECISION,"
        " g DATE, h TIMESTAMP, i TIMESTAMPTZ, j NUMERIC(18,2), k VARCHAR(9), l CHAR(2),"
        " m VARBYTE(9), n SUPER)"
    )
    when = pa.scalar(0, pa.timestamp("us", "UTC"))
    table = pa.table(
        {
            "1": pa.array([1], pa.int16()),
            "2": pa.array([2], pa.int32()),
            "3": pa.array([3], pa.int64()),
            "4": pa.array([True]),
            "5": pa.array([0.5], pa.float32()),
            "6": pa.array([0.25]),
            "7": pa.array([0], pa.int32()).cast(pa.date32()),
            "8": pa.array([when]).cast(pa.timestamp("us")),
            "9": pa.array([when]),
            "10": pa.array([Decimal("-9.50")], pa.decimal128(18, 2)),
            "11": pa.array(["é"]),
            "12": pa.array(["ab"]),
            "13": pa.array([b"\0\xff"]),
            "14": pa.array([{"a": [1, None], "b": "\0 , "}]),
        }
    )
    copy(session, put_parquet(copying, table), "MANIFEST FORMAT PARQUET SERIALIZETOJSON")
    columns = ", ".join(f"{name}::varchar" for name in "abcdefghijkl")
    shown = all_rows(session, f"SELECT {columns} FROM t")
    assert shown == [
        (
            *("1", "2", "3", "true", "0.5", "0.25", "1970-01-01", "1970-01-01 00:00:00"),
            *("1970-01-01 00:00:00+00", "-9.50", "é", "ab"),
        )
    ]
    ((document,),) = all_rows(session, "SELECT json_serialize(n) FROM t")
    assert document == '{"a":[1,null],"b":"\\u0000 , "}'
    assert all_rows(session, "SELECT len(m) FROM t") == [(2,)]


def test_a_document_by_way_of_varbyte(session: psycopg.Connection[Any], copying: Copying) -> None:
    """JSON_PARSE.html: VARBYTE is parsed, beyond the length of one string."""
    document = json.dumps({"a": ["x" * 60_000] * 3}, separators=(",", ":"))
    session.execute("CREATE TEMP TABLE stage (d VARBYTE(16777216))")
    session.execute("CREATE TABLE t (d SUPER)")
    uri = put_parquet(copying, pa.table({"d": [document.encode()]}))
    copy(session, uri, "MANIFEST PARQUET", "stage (d)")
    session.execute("INSERT INTO t (d) SELECT JSON_PARSE(d) FROM stage")
    assert all_rows(session, "SELECT json_serialize(d) FROM t") == [(document,)]


def test_json_and_parquet_give_the_same(session: psycopg.Connection[Any], copying: Copying) -> None:
    """ingest-super.html"""
    rows = [{"id": n, "d": {"a": n, "b": ["é", None], "c": {"d": 1.5}}} for n in range(3)]
    session.execute("CREATE TABLE t (id BIGINT, d SUPER)")
    copying.put("json/1", "\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
    copy(session, copying.uri("json/"), "FORMAT JSON 'auto'")
    uri = put_parquet(copying, pa.Table.from_pylist(rows))
    copy(session, uri, "MANIFEST FORMAT AS PARQUET SERIALIZETOJSON")
    landed = all_rows(session, "SELECT id, json_serialize(d) FROM t ORDER BY 1, 2")
    assert landed[::2] == landed[1::2]
    assert [(id_, json.loads(text)) for id_, text in landed[::2]] == [
        (row["id"], row["d"]) for row in rows
    ]


def test_a_copy_belongs_to_its_transaction(
    session: psycopg.Connection[Any], copying: Copying
) -> None:
    """r_COPY.html, PG_LAST_COPY_COUNT.html"""
    session.execute("CREATE TABLE t (id BIGINT)")
    notices: list[str] = []
    session.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
    uri = put_parquet(copying, pa.table({"id": [1, 2, 3]}))
    with session.transaction(force_rollback=True):
        copy(session, uri, "MANIFEST PARQUET")
        assert all_rows(session, "SELECT pg_last_copy_count()") == [(3,)]
        assert all_rows(session) == [(1,), (2,), (3,)]
    assert all_rows(session) == []
    assert notices == ["Load into table 't' completed, 3 record(s) loaded successfully."]


def test_load_errors_outlive_the_transaction(
    session: psycopg.Connection[Any], copying: Copying
) -> None:
    """r_STL_LOAD_ERRORS.html, SYS_LOAD_ERROR_DETAIL.html"""
    session.execute("CREATE TABLE t (name VARCHAR(3))")
    copying.put("data/1", '{"name": "abc"}\n{"name": "éé"}')
    with pytest.raises(psycopg.errors.InternalError_, match="Load into table 't' failed"):
        copy(session, copying.uri("data/"), "FORMAT JSON 'auto'")
    assert all_rows(session) == []
    query = (
        "SELECT file_name, line_number, column_name, column_type, column_length, error_code,"
        " error_message FROM sys_load_error_detail WHERE file_name LIKE '%{}%'"
    )
    ((name, *rest),) = all_rows(session, query.format(copying.folder))
    assert name.strip() == copying.uri("data/1")
    assert [str(value).strip() for value in rest] == [
        *("2", "name", "varchar", "3", "1204", "String length exceeds DDL length"),
    ]


def test_parquet_errors_name_file_and_column(
    session: psycopg.Connection[Any], copying: Copying
) -> None:
    """copy-usage_notes-copy-from-columnar.html: errors are sent to the client."""
    session.execute("CREATE TABLE t (name VARCHAR(3))")
    uri = put_parquet(copying, pa.table({"name": ["éé"]}))
    with pytest.raises(psycopg.errors.InternalError_, match="Spectrum Scan Error") as raised:
        copy(session, uri, "MANIFEST PARQUET")
    detail = raised.value.diag.message_detail or ""
    assert "data column name is longer than the length" in detail
    assert copying.uri("data/1.parquet") in detail


def test_unload_and_load_again(session: psycopg.Connection[Any], copying: Copying) -> None:
    """r_UNLOAD.html"""
    session.execute("CREATE TABLE t (id BIGINT, name VARCHAR(9), price NUMERIC(18,2), d SUPER)")
    session.execute("INSERT INTO t SELECT 1, 'é', 2.5, JSON_PARSE('{\"a\": [1]}')")
    unload = "UNLOAD ('SELECT id, name, price, d FROM t') TO {} {} PARQUET MANIFEST VERBOSE"
    session.execute(sql.SQL(unload).format(sql.Literal(copying.uri("out/")), sql.SQL(ROLE)))
    session.execute("CREATE TABLE u (id BIGINT, name VARCHAR(9), price NUMERIC(18,2), d SUPER)")
    copy(session, copying.uri("out/manifest"), "MANIFEST PARQUET SERIALIZETOJSON", "u")
    columns = "id, name, price, json_serialize(d)"
    assert all_rows(session, f"SELECT {columns} FROM u") == [
        (1, "é", Decimal("2.50"), json.dumps('{"a":[1]}'))
    ]


def test_columns_of_a_list(session: psycopg.Connection[Any], copying: Copying) -> None:
    """copy-parameters-column-mapping.html"""
    session.execute("CREATE TABLE t (id BIGINT, name VARCHAR(9) DEFAULT 'none', n INTEGER)")
    uri = put_parquet(copying, pa.table({"x": pa.array([7], pa.int32()), "y": [1]}))
    copy(session, uri, "MANIFEST PARQUET", 't ("N", id)')
    assert all_rows(session) == [(1, "none", 7)]
