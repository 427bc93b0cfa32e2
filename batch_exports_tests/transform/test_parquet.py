"""Parquet files that independent readers open, and in which they skip what they need not read."""

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_exports.local.hostile import HOSTILE
from batch_exports.models import EVENTS, JSON, Projection
from batch_exports.transform.parquet import ROW_GROUP_ROWS, ParquetFormat

CODECS = ["none", "zstd", "lz4", "snappy", "gzip", "brotli"]
START = datetime(2026, 11, 1, tzinfo=UTC)
TIME = pa.timestamp("us", "UTC")
SCHEMA = Projection(EVENTS, EVENTS.select((), "s3"), "inserted_at").schema
# Lone surrogates are `clean`'s to mend; some readers refuse a JSON column that has one.
DOCUMENTS = [text for name, text in HOSTILE.items() if name != "lone surrogate"]
NAMES = ["$pageview", "click", "signed up", "😀"]


def events(rows: int, first: int = 0) -> pa.RecordBatch:
    numbers = range(first, first + rows)
    values: dict[str, list[Any]] = {
        "uuid": [f"{number:08}" for number in numbers],
        "event": [NAMES[number * 7 % len(NAMES)] for number in numbers],
        "distinct_id": [f"user {number % 97}" for number in numbers],
        "timestamp": [
            START - timedelta(microseconds=number * 331_777 % 10**9) for number in numbers
        ],
        "properties": [DOCUMENTS[number % len(DOCUMENTS)] for number in numbers],
        "person_id": [None if number % 3 else "p" for number in numbers],
        "person_properties": [None if number % 2 else '{"a":1.10}' for number in numbers],
        "elements_chain": ["" if number % 2 else None for number in numbers],
        "created_at": [None] * rows,
        "_inserted_at": [START + timedelta(seconds=number) for number in numbers],
    }
    return pa.RecordBatch.from_arrays(
        [column(field.type, values[field.name]) for field in SCHEMA], schema=SCHEMA
    )


def column(type_: pa.DataType, values: list[Any]) -> pa.Array:
    if type_.equals(JSON):
        return pa.ExtensionArray.from_storage(JSON, pa.array(values, pa.string()))
    return pa.array(values, type_)


def write(batches: list[pa.RecordBatch], codec: str = "zstd", **settings: Any) -> bytes:
    form = ParquetFormat(SCHEMA, codec, order=EVENTS.order, membership="_inserted_at", **settings)
    sink = io.BytesIO()
    writer = form.writer(sink)
    for block in form.blocks(batches):
        writer.write(block.payload)
    writer.close()
    assert not sink.closed
    return sink.getvalue()


def plain(table: pa.Table) -> list[dict[str, Any]]:
    """Rows in order of uuid, with JSON as text."""
    rows = table.cast(
        pa.schema([(f.name, pa.string() if f.type == JSON else f.type) for f in SCHEMA])
    )
    return sorted(rows.to_pylist(), key=lambda row: row["uuid"])


@pytest.fixture(scope="module")
def batch() -> pa.RecordBatch:
    return events(3000)


@pytest.fixture(scope="module")
def grouped(tmp_path_factory: pytest.TempPathFactory, batch: pa.RecordBatch) -> Path:
    """A file of several row groups."""
    path = tmp_path_factory.mktemp("parquet") / "events.parquet"
    path.write_bytes(write([batch], max_block_bytes=batch.nbytes // 5))
    return path


@pytest.mark.parametrize("codec", CODECS)
def test_readers_find_the_same_rows(codec: str, batch: pa.RecordBatch, tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    path.write_bytes(write([batch], codec))
    written = {
        pq.read_metadata(path).row_group(0).column(index).compression
        for index in range(len(SCHEMA))
    }
    assert written == {"UNCOMPRESSED" if codec == "none" else codec.upper()}
    wanted = plain(pa.Table.from_batches([batch]))
    assert plain(pq.read_table(path)) == wanted
    assert plain(pl.read_parquet(path).to_arrow()) == wanted
    assert in_duckdb(path, "") == wanted


def in_duckdb(path: Path, where: str) -> list[dict[str, Any]]:
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        names = ", ".join(
            f"{field.name}::varchar as {field.name}" if field.type == JSON else field.name
            for field in SCHEMA
        )
        query = f"select {names} from read_parquet(?) {where}"
        return plain(connection.sql(query, params=[str(path)]).to_arrow_table())


def test_json_columns_say_so(grouped: Path) -> None:
    schema = pq.ParquetFile(grouped).schema
    types = {schema.column(index).path: schema.column(index) for index in range(len(SCHEMA))}
    for name in ("properties", "person_properties"):
        assert types[name].physical_type == "BYTE_ARRAY"
        assert json.loads(types[name].logical_type.to_json())["Type"] == "JSON"
    assert json.loads(types["timestamp"].logical_type.to_json())["timeUnit"] == "microseconds"
    with duckdb.connect() as connection:
        query = "select distinct typeof(properties) from read_parquet(?)"
        assert connection.execute(query, [str(grouped)]).fetchall() == [("JSON",)]


def test_layout_lets_readers_skip(grouped: Path) -> None:
    metadata = pq.read_metadata(grouped)
    assert metadata.num_row_groups == 5
    assert sum(metadata.row_group(group).num_rows for group in range(5)) == 3000
    names = SCHEMA.names
    for group in range(metadata.num_row_groups):
        row_group = metadata.row_group(group)
        ordering = pq.SortingColumn.to_ordering(SCHEMA, row_group.sorting_columns)
        assert ordering == ((("event", "ascending"), ("timestamp", "ascending")), "at_end")
        for index, name in enumerate(names):
            chunk = row_group.column(index)
            assert chunk.has_offset_index, name
            is_json = SCHEMA.field(name).type == JSON
            assert chunk.is_stats_set != is_json, name
            assert chunk.has_column_index != is_json, name
        table = pq.ParquetFile(grouped).read_row_group(group, ["event", "timestamp"])
        keys = list(zip(*(values.to_pylist() for values in table.columns), strict=True))
        assert keys == sorted(keys, key=lambda key: (key[0].encode(), key[1]))
        statistics = row_group.column(names.index("timestamp")).statistics
        assert (statistics.min, statistics.max) == (min(keys, key=last)[1], max(keys, key=last)[1])


def last(key: tuple[str, datetime]) -> datetime:
    return key[1]


FILTERS = [
    ("event = 'click'", pc.field("event") == "click"),
    (
        "timestamp >= '2026-10-31 23:45:00Z' and timestamp < '2026-10-31 23:50:00Z'",
        (pc.field("timestamp") >= datetime(2026, 10, 31, 23, 45, tzinfo=UTC))
        & (pc.field("timestamp") < datetime(2026, 10, 31, 23, 50, tzinfo=UTC)),
    ),
    ("event = 'none such'", pc.field("event") == "none such"),
]


@pytest.mark.parametrize(("where", "expression"), FILTERS, ids=["event", "timestamp", "none"])
def test_filters_find_the_right_rows(
    where: str, expression: pc.Expression, grouped: Path, batch: pa.RecordBatch
) -> None:
    wanted = plain(pa.Table.from_batches([batch]).filter(expression))
    assert plain(ds.dataset(grouped).to_table(filter=expression)) == wanted
    assert in_duckdb(grouped, f"where {where}") == wanted
    assert bool(wanted) == ("none such" not in where)


@given(st.lists(st.integers(0, 60), max_size=6), st.integers(100, 8000))
def test_blocks_keep_every_row_and_their_order(sizes: list[int], max_bytes: int) -> None:
    """Groups follow the order of arrival; within one, rows of equal keys do."""
    schema = pa.schema([("key", pa.string()), ("n", pa.int64()), ("t", TIME)])
    batches, rows = [], 0
    for size in sizes:
        numbers = range(rows, rows + size)
        keys = pa.array([f"{number * 7 % 3}" * 5 for number in numbers], pa.string())
        times = pa.array([START + timedelta(seconds=number) for number in numbers], TIME)
        arrays = [keys, pa.array(numbers, pa.int64()), times]
        batches.append(pa.RecordBatch.from_arrays(arrays, schema=schema))
        rows += size
    form = ParquetFormat(schema, "zstd", order=["key"], membership="t", max_block_bytes=max_bytes)
    first = 0
    for block in form.blocks(batches):
        assert block.payload.num_rows == block.rows > 0
        assert block.payload.nbytes <= max(2 * max_bytes, 200)
        order = block.payload["n"].to_pylist()
        assert sorted(order) == list(range(first, first + block.rows))
        assert order == sorted(order, key=lambda number: (f"{number * 7 % 3}", number))
        assert block.first == START + timedelta(seconds=first)
        first += block.rows
        assert block.last == START + timedelta(seconds=first - 1)
    assert first == rows


def test_row_groups_have_a_limit_of_rows() -> None:
    schema = pa.schema([("n", pa.int64())])
    form = ParquetFormat(schema, "zstd")
    numbers = pa.record_batch([pa.array(range(2 * ROW_GROUP_ROWS + 1))], schema=schema)
    for batches in (
        [numbers],
        [numbers[start : start + 9000] for start in range(0, len(numbers), 9000)],
    ):
        blocks = list(form.blocks(batches))
        assert all(block.rows <= ROW_GROUP_ROWS for block in blocks)
        assert sum(block.rows for block in blocks) == len(numbers)
        assert {(block.first, block.last) for block in blocks} == {(None, None)}


def test_a_file_without_rows_has_its_schema() -> None:
    table = pq.read_table(io.BytesIO(write([])))
    assert table.num_rows == 0
    assert table.schema.names == SCHEMA.names


def test_lists_booleans_and_floats(tmp_path: Path) -> None:
    schema = pa.schema(
        [("urls", pa.list_(pa.string())), ("flag", pa.bool_()), ("float", pa.float64())]
    )
    rows = [
        {"urls": ["/", None, ""], "flag": True, "float": 0.1},
        {"urls": [], "flag": None, "float": float("-inf")},
        {"urls": None, "flag": False, "float": None},
    ] * 100
    form, sink = ParquetFormat(schema, "zstd"), io.BytesIO()
    writer = form.writer(sink)
    for block in form.blocks(pa.Table.from_pylist(rows, schema).to_batches(7)):
        writer.write(block.payload)
    writer.close()
    (tmp_path / "a.parquet").write_bytes(sink.getvalue())
    assert pq.read_table(tmp_path / "a.parquet").to_pylist() == rows
    assert pl.read_parquet(tmp_path / "a.parquet").to_dicts() == rows
    found = duckdb.sql(f"SELECT urls, flag, float FROM '{tmp_path}/a.parquet'")
    assert [str(type_) for type_ in found.types] == ["VARCHAR[]", "BOOLEAN", "DOUBLE"]
    assert found.fetchall() == [tuple(row.values()) for row in rows]
    chunk = pq.read_metadata(tmp_path / "a.parquet").row_group(0).column(0)
    assert chunk.path_in_schema == "urls.list.element"
    assert chunk.has_dictionary_page
