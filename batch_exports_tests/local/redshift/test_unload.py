"""UNLOAD: the statement, the files, the manifest, and what stands in the way."""

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pyarrow.parquet as pq
import pytest

from batch_exports.local.redshift.authorization import Role
from batch_exports.local.redshift.refusal import Refusal
from batch_exports.local.redshift.unload import UnloadedFiles, unload
from batch_exports.local.redshift.unload_statement import Unload, parse_unload
from batch_exports_tests.local.redshift.copying import Copying, column, drained

Row = Sequence[bytes | None]

COLUMNS = [("id", "int8"), ("name", "varchar(25)")]
ROWS: list[Row] = [(b"1", "é".encode()), (b"2", None)]


def statement(options: str, query: str = "select 1", to: str = "s3://b/out/") -> str:
    return f"UNLOAD ('{query}') TO '{to}' IAM_ROLE default {options}"


def unloaded(
    copying: Copying,
    options: str = "",
    columns: Sequence[tuple[str, str]] = COLUMNS,
    rows: Sequence[Row] = ROWS,
) -> UnloadedFiles:
    parsed = parse_unload(statement(f"PARQUET {options}", to=copying.uri("out/")))
    return unload(parsed, columns, rows, copying.storage)


def read(copying: Copying, name: str) -> bytes:
    return copying.client.get_object(Bucket=copying.bucket, Key=copying.key(name))["Body"].read()


def names(copying: Copying) -> list[str]:
    folder = copying.key("out/")
    found = copying.client.list_objects_v2(Bucket=copying.bucket, Prefix=folder)
    return [item["Key"].removeprefix(folder) for item in found.get("Contents", [])]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("FORMAT AS PARQUET", {}),
        ("format parquet", {"parallel": True, "extension": "parquet"}),
        ("PARQUET MANIFEST VERBOSE", {"manifest": True, "verbose": True}),
        ("MANIFEST PARQUET ALLOWOVERWRITE", {"manifest": True, "allow_overwrite": True}),
        ("PARQUET CLEANPATH PARALLEL OFF", {"clean_path": True, "parallel": False}),
        ("PARQUET PARALLEL TRUE", {"parallel": True}),
        ("PARQUET MAXFILESIZE AS 5", {"max_file_bytes": 5 * 2**20}),
        ("PARQUET MAXFILESIZE 1.5 GB", {"max_file_bytes": 3 * 2**29}),
        ("PARQUET EXTENSION 'pq' REGION 'us-east-1'", {"extension": "pq", "region": "us-east-1"}),
    ],
)
def test_statements(options: str, expected: dict[str, Any]) -> None:
    """r_UNLOAD.html"""
    parsed = parse_unload(statement(options, query="select ''x'', \\'y\\' from t;"))
    assert parsed == replace(Unload("select 'x', 'y' from t;", "b", "out/", Role(None)), **expected)


@pytest.mark.parametrize(
    ("options", "query", "message"),
    [
        ("PARQUET CLEANPATH ALLOWOVERWRITE", "select 1", "can't both be specified"),
        ("PARQUET MAXFILESIZE 4 MB", "select 1", "between 5 MB and 6.2 GB"),
        ("PARQUET MAXFILESIZE 7 GB", "select 1", "between 5 MB and 6.2 GB"),
        ("PARQUET GZIP", "select 1", "not supported with PARQUET"),
        ("PARQUET HEADER", "select 1", "not supported with PARQUET"),
        ("PARQUET VERBOSE", "select 1", 'near "VERBOSE"'),
        ("PARQUET", "select * from t order by 1 limit 3", "Limit clause is not supported"),
        ("PARQUET ENCRYPTED", "select 1", "not covered"),
        ("FORMAT CSV", "select 1", "CSV is not covered"),
        ("", "select 1", "delimited text is not covered"),
    ],
)
def test_refused_statements(options: str, query: str, message: str) -> None:
    """r_UNLOAD.html"""
    with pytest.raises(Refusal, match=message):
        parse_unload(statement(options, query))


@pytest.mark.parametrize(
    "query",
    [
        "select * from t where id in (select id from u order by 1 limit 3)",
        "select ''limit 3'' as a, \"limit\" from t -- limit 3",
    ],
)
def test_limits_within_a_query(query: str) -> None:
    """r_UNLOAD.html#unload-usage-limit-clause"""
    assert parse_unload(statement("PARQUET", query + "\n")).query


def test_files_of_each_slice(copying: Copying) -> None:
    """r_UNLOAD.html: `<prefix><slice>_part_<part>`, .parquet; one slice where few rows are."""
    files = unloaded(copying)
    assert files == UnloadedFiles([copying.uri("out/0000_part_00.parquet")], 2)
    rows = pq.read_table(io.BytesIO(read(copying, "out/0000_part_00.parquet"))).to_pylist()
    assert rows == [{"id": 1, "name": "é"}, {"id": 2, "name": None}]
    assert names(copying) == ["0000_part_00.parquet"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", {"0000_part_00.parquet", "0001_part_00.parquet"}),
        ("PARALLEL OFF", {"000.parquet"}),
        ("PARALLEL OFF MAXFILESIZE 5 MB", {"000.parquet", "001.parquet"}),
        ("PARALLEL OFF EXTENSION '.pq'", {"000.pq"}),
    ],
)
def test_names_of_files(copying: Copying, options: str, expected: set[str]) -> None:
    """r_UNLOAD.html, r_UNLOAD_command_examples.html"""
    noise = Random(0)  # which no codec makes smaller than half its digits
    rows = [(str(n).encode(), noise.randbytes(800).hex().encode()) for n in range(8_000)]
    files = unloaded(copying, options, rows=rows)
    assert set(names(copying)) == expected
    found = [
        row["id"]
        for uri in files.uris
        for row in pq.read_table(
            io.BytesIO(read(copying, uri.removeprefix(copying.uri(""))))
        ).to_pylist()
    ]
    assert sorted(found) == list(range(8_000))
    assert files.rows == 8_000


def test_manifest(copying: Copying) -> None:
    """r_UNLOAD.html: `<prefix>manifest`; COPY takes it as it is."""
    (uri,) = unloaded(copying, "MANIFEST").uris
    size = len(read(copying, "out/0000_part_00.parquet"))
    assert json.loads(read(copying, "out/manifest")) == {
        "entries": [{"url": uri, "meta": {"content_length": size}}]
    }
    target = [column("int8", "id"), column("varchar(25)", "name")]
    landed = copying.rows(target, "MANIFEST PARQUET", source="out/manifest")
    assert landed == [("1", "é"), ("2", None)]


def test_verbose_manifest(copying: Copying) -> None:
    """r_UNLOAD_command_examples.html#unload-examples-manifest-verbose"""
    columns = [*COLUMNS, ("price", "numeric(18,2)")]
    (uri,) = unloaded(copying, "MANIFEST VERBOSE", columns, [(b"1", b"x", b"2.50")]).uris
    size = len(read(copying, "out/0000_part_00.parquet"))
    assert json.loads(read(copying, "out/manifest")) == {
        "entries": [{"url": uri, "meta": {"content_length": size, "record_count": 1}}],
        "schema": {
            "elements": [
                {"name": "id", "type": {"base": "bigint"}},
                {"name": "name", "type": {"base": "character varying", "max_length": 25}},
                {"name": "price", "type": {"base": "numeric", "precision": 18, "scale": 2}},
            ]
        },
        "meta": {"content_length": size, "record_count": 1},
        "author": {"name": "Amazon Redshift", "version": "1.0.0"},
    }


def test_what_is_there_already(copying: Copying) -> None:
    """r_UNLOAD.html#allowoverwrite and #cleanpath"""
    copying.put("out/older", "x")
    with pytest.raises(Refusal, match="destination on S3 is not empty"):
        unloaded(copying)
    assert names(copying) == ["older"]
    unloaded(copying, "ALLOWOVERWRITE")
    unloaded(copying, "ALLOWOVERWRITE MANIFEST")
    assert names(copying) == ["0000_part_00.parquet", "manifest", "older"]
    unloaded(copying, "CLEANPATH")
    assert names(copying) == ["0000_part_00.parquet"]


@pytest.mark.parametrize(
    ("type_", "text", "parquet"),
    [
        ("int2", "-32768", "int16"),
        ("int4", "1", "int32"),
        ("int8", "-9223372036854775808", "int64"),
        ("bool", "true", "bool"),
        ("float4", "1.5", "float"),
        ("float8", "-1e+300", "double"),
        ("float8", "Infinity", "double"),
        ("numeric(38,9)", "-1.000000001", "decimal128(38, 9)"),
        ("date", "1969-07-20", "date32[day]"),
        ("timestamp", "2026-01-02 03:04:05.123456", "timestamp[us]"),
        ("char(4)", "ab  ", "string"),
        ("varchar(9)", "", "string"),
    ],
)
def test_values_come_back(copying: Copying, type_: str, text: str, parquet: str) -> None:
    """r_UNLOAD.html: what UNLOAD writes COPY reads."""
    shown = {"true": "t"}.get(text, text)
    unloaded(copying, "", [("c", type_)], [(shown.encode(),), (None,)])
    schema = pq.read_schema(io.BytesIO(read(copying, "out/0000_part_00.parquet")))
    assert str(schema.field("c").type) == parquet
    assert copying.rows([column(type_)], "PARQUET", source="out/") == [(text,), (None,)]


def test_times_lose_their_zone(copying: Copying) -> None:
    """r_UNLOAD.html#unload-parquet-usage: of TIMESTAMPTZ the zone is not unloaded."""
    unloaded(copying, "", [("c", "timestamptz")], [(b"2026-01-02 03:04:05.5+05:30",)])
    landed = copying.rows([column("timestamp")], "PARQUET", source="out/")
    assert landed == [("2026-01-01 21:34:05.5",)]


def test_super_is_json(copying: Copying) -> None:
    """unload-super-parquet.html: Parquet's type JSON. What COPY makes of that no page says; here
    it stays the string that Parquet has."""
    document = '{"a":[1.50,"\\u0000"]}'
    unloaded(copying, "", [("c", "super")], [(document.encode(),)])
    file = pq.ParquetFile(io.BytesIO(read(copying, "out/0000_part_00.parquet")))
    assert str(file.schema.column(0).logical_type) == "JSON"
    landed = copying.rows([column("super")], "PARQUET SERIALIZETOJSON", source="out/")
    assert json.loads(str(landed[0][0])) == document


@pytest.mark.parametrize("type_", ["varbyte", "varbyte(64000)", "inet"])
def test_types_that_are_not_unloaded(copying: Copying, type_: str) -> None:
    """r_UNLOAD.html#unload-usage-varbyte"""
    with pytest.raises(Refusal, match=r"does not support the VARBYTE|not covered"):
        unloaded(copying, "", [("c", type_)], [(b"x",)])


def test_no_rows(copying: Copying) -> None:
    assert unloaded(copying, "MANIFEST", rows=[]) == UnloadedFiles([], 0)
    assert names(copying) == ["manifest"]
    with pytest.raises(Refusal, match="No files of the manifest"):
        drained(copying.begin([column("int8")], "MANIFEST PARQUET", source="out/manifest"))
