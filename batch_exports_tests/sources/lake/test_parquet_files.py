"""Parquet files of a lake: what is skipped, which types are taken, and what is refused."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from batch_exports.errors import Terminal
from batch_exports.interval import DataInterval
from batch_exports.sources.source import Selection
from batch_exports.transform.filters import PropertyFilter, RowFilter
from batch_exports_tests.sources.lake.lakes import (
    START,
    event,
    lake,
    minutes,
    put,
    read,
    select,
    table,
    uuids,
)

ROWS = [event(number) for number in range(40)]
HOUR = minutes(0, 60)
UUIDS = [row["uuid"] for row in ROWS]
IP = PropertyFilter("$ip", "event", "exact", "::1")


def spoil(path: Path, *groups: int, columns: tuple[str, ...] = ()) -> None:
    """Overwrite the data of row groups; the footer and its statistics stay."""
    metadata, data = pq.read_metadata(path), bytearray(path.read_bytes())
    for group in groups:
        for index in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(index)
            if not columns or chunk.path_in_schema in columns:
                start = chunk.dictionary_page_offset or chunk.data_page_offset
                data[start : start + chunk.total_compressed_size] = (
                    b"\xaa" * chunk.total_compressed_size
                )
    path.write_bytes(data)


def failure(root: Path, selection: Selection, interval: DataInterval = HOUR) -> Terminal:
    """What both reading and counting raise."""
    with (
        pytest.raises(Terminal) as read_error,
        lake(root).read(selection, interval) as batches,
    ):
        batches.read_all()
    with pytest.raises(Terminal) as count_error:
        lake(root).count(selection, interval)
    assert read_error.value.message == count_error.value.message
    return read_error.value


def test_row_groups_outside_the_interval_are_not_read(tmp_path: Path) -> None:
    path = put(tmp_path, "a.parquet", ROWS, row_group_size=10)
    spoil(path, 0, 2, 3)
    assert uuids(lake(tmp_path), select("uuid", "properties"), minutes(10, 20)) == UUIDS[10:20]
    assert uuids(lake(tmp_path), select("uuid", "properties"), minutes(12, 15)) == UUIDS[12:15]
    assert "lake:/events/a.parquet" in failure(tmp_path, select(), minutes(19, 21)).message


def test_files_outside_the_interval_are_not_read(tmp_path: Path) -> None:
    put(tmp_path, "b.parquet", ROWS[:20])
    spoil(put(tmp_path, "a.parquet", ROWS[20:]), 0)
    assert uuids(lake(tmp_path), select(), minutes(0, 20)) == UUIDS[:20]


def test_row_groups_of_other_events_are_not_read(tmp_path: Path) -> None:
    rows = [event(number, event="ab"[number // 10]) for number in range(20)]
    path = put(tmp_path, "a.parquet", rows, row_group_size=10)
    spoil(path, 1)
    for filters in (RowFilter(("a",)), RowFilter(("a", "none such"))):
        assert uuids(lake(tmp_path), select(filters=filters), HOUR) == UUIDS[:10]


def test_only_what_is_asked_for_is_read(tmp_path: Path) -> None:
    path = put(tmp_path, "a.parquet", ROWS)
    spoil(path, 0, columns=("properties", "person_properties", "team_id", "event"))
    assert uuids(lake(tmp_path), select("uuid", "distinct_id"), HOUR) == UUIDS


def test_where_no_row_matches_only_the_filtered_columns_are_read(tmp_path: Path) -> None:
    rows = [event(number, inserted_at=START + timedelta(days=number)) for number in range(2)]
    path = put(tmp_path, "a.parquet", rows)
    spoil(path, 0, columns=("uuid", "properties"))
    assert uuids(lake(tmp_path), select("uuid", "properties"), minutes(1, 60)) == []


TEXT_TYPES = [
    pa.large_string(),
    pa.string_view(),
    pa.dictionary(pa.int32(), pa.string()),
    pa.dictionary(pa.int8(), pa.large_string()),
]


@pytest.mark.parametrize("stored", [True, False], ids=["arrow schema", "parquet alone"])
@pytest.mark.parametrize("type_", TEXT_TYPES, ids=str)
def test_all_types_of_text(type_: pa.DataType, stored: bool, tmp_path: Path) -> None:
    plain = table(ROWS)
    fields = [
        field.with_type(type_) if field.type == pa.string() else field for field in plain.schema
    ]
    path = put(tmp_path, "a.parquet", ROWS)
    columns = ("uuid", "event", "properties", "ip")
    for filters in (
        RowFilter(),
        RowFilter(("click",)),
        RowFilter((), ("click",)),
        RowFilter(("click",), (), (IP,)),
    ):
        selection = select(*columns, filters=filters)
        pq.write_table(plain, path, row_group_size=10)
        wanted = read(lake(tmp_path), selection, HOUR)
        pq.write_table(plain.cast(pa.schema(fields)), path, row_group_size=10, store_schema=stored)
        assert read(lake(tmp_path), selection, HOUR) == wanted
        assert wanted


@pytest.mark.parametrize("storage", [pa.string(), pa.large_string()], ids=str)
def test_json_columns(storage: pa.DataType, tmp_path: Path) -> None:
    path, plain = put(tmp_path, "a.parquet", ROWS), table(ROWS)
    index = plain.schema.get_field_index("properties")
    texts = plain["properties"].combine_chunks().cast(storage)
    json_column = pa.ExtensionArray.from_storage(pa.json_(storage), texts)
    pq.write_table(plain.set_column(index, "properties", json_column), path)
    found = read(lake(tmp_path), select("uuid", "properties", "ip"), HOUR)
    assert [row["properties"] for row in found] == [row["properties"] for row in ROWS]
    selection = select(filters=RowFilter(properties=(IP,)))
    assert uuids(lake(tmp_path), selection, HOUR) == UUIDS[1::9]


TIME_TYPES = [
    *(pa.timestamp(unit, zone) for unit in ("s", "ms", "us", "ns") for zone in (None, "UTC")),
    pa.timestamp("us", "America/New_York"),
    pa.timestamp("ns", "+05:30"),
]


@pytest.mark.parametrize("int96", [False, True], ids=["integers", "int96"])
@pytest.mark.parametrize("type_", TIME_TYPES, ids=str)
def test_all_types_of_time(type_: pa.DataType, int96: bool, tmp_path: Path) -> None:
    path, plain = put(tmp_path, "a.parquet", ROWS), table(ROWS)
    for name in ("inserted_at", "timestamp"):
        values = plain[name] if type_.tz else pc.local_timestamp(plain[name])
        index = plain.schema.get_field_index(name)
        plain = plain.set_column(index, name, values.cast(type_))
    pq.write_table(plain, path, row_group_size=10, use_deprecated_int96_timestamps=int96)
    found = read(lake(tmp_path), select("uuid", "timestamp", "_inserted_at"), minutes(5, 25))
    assert [(row["uuid"], row["timestamp"], row["_inserted_at"]) for row in found] == [
        (row["uuid"], row["timestamp"], row["inserted_at"]) for row in ROWS[5:25]
    ]
    tick = timedelta(microseconds=1)
    edges = DataInterval(ROWS[5]["inserted_at"] + tick, ROWS[25]["inserted_at"] + tick)
    assert uuids(lake(tmp_path), select(), edges) == UUIDS[6:26]


def test_times_finer_than_a_microsecond_are_refused(tmp_path: Path) -> None:
    path, plain = put(tmp_path, "a.parquet", ROWS), table(ROWS)
    instants = pc.add(plain["timestamp"].cast(pa.timestamp("ns", "UTC")).cast(pa.int64()), 1)
    index = plain.schema.get_field_index("timestamp")
    plain = plain.set_column(index, "timestamp", instants.cast(pa.timestamp("ns", "UTC")))
    pq.write_table(plain, path)
    with (
        pytest.raises(
            Terminal, match=r"events/a\.parquet: the column 'timestamp' is timestamp\[ns"
        ),
        lake(tmp_path).read(select("uuid", "timestamp"), HOUR) as batches,
    ):
        batches.read_all()


NULLS: list[tuple[RowFilter, list[str]]] = [
    (RowFilter(("a",)), ["0000"]),
    (RowFilter((), ("a",)), ["0001", "0002", "0003"]),
    (RowFilter((), ("b",)), UUIDS[:4]),
]


@pytest.mark.parametrize(
    ("filters", "expected"), NULLS, ids=["include", "exclude", "exclude other"]
)
def test_events_without_a_name(filters: RowFilter, expected: list[str], tmp_path: Path) -> None:
    rows = [event(number, event=None if number else "a") for number in range(4)]
    for size in (1, 2, 4):
        put(tmp_path, "a.parquet", rows, row_group_size=size)
        assert uuids(lake(tmp_path), select(filters=filters), HOUR) == expected


def replaced(root: Path, name: str, values: Any) -> None:
    plain = table(ROWS)
    column = values if isinstance(values, pa.Array) else pa.array([values] * len(ROWS))
    plain = plain.set_column(plain.schema.get_field_index(name), name, column)
    pq.write_table(plain, put(root, "a.parquet", []))


def test_wrong_types(tmp_path: Path) -> None:
    replaced(tmp_path, "inserted_at", "2026-11-01")
    assert "membership column 'inserted_at' is string" in failure(tmp_path, select()).message
    replaced(tmp_path, "event", 1)
    for filters in (RowFilter(("a",)), RowFilter((), ("a",))):
        message = failure(tmp_path, select(filters=filters)).message
        assert "lake:/events/a.parquet: the column 'event' is int64" in message
        assert "expected as string" in message
    for value in (b"{}", {"a": 1}, 1):
        replaced(tmp_path, "properties", value)
        message = failure(tmp_path, select(filters=RowFilter(properties=(IP,)))).message
        assert "lake:/events/a.parquet: the column 'properties' is" in message


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("distinct_id", 1, "int64, and was expected as string"),
        ("properties", {"a": 1}, "struct<a: int64>, and was expected as json"),
        ("team_id", 1.5, "double, and was expected as int64"),
        ("team_id", "1", "string, and was expected as int64"),
        ("timestamp", 1, "int64, and was expected as timestamp[us, tz=UTC]"),
    ],
)
def test_wrong_types_of_delivered_columns(
    name: str, value: Any, shown: str, tmp_path: Path
) -> None:
    replaced(tmp_path, name, value)
    with (
        pytest.raises(Terminal) as caught,
        lake(tmp_path).read(select("uuid", name), HOUR) as batches,
    ):
        batches.read_all()
    assert f"lake:/events/a.parquet: the column '{name}' is {shown}" in caught.value.message


@pytest.mark.parametrize("name", ["uuid", "inserted_at", "event", "properties"])
def test_missing_columns(name: str, tmp_path: Path) -> None:
    path = put(tmp_path, "a.parquet", ROWS)
    pq.write_table(table(ROWS).drop_columns([name]), path)
    filters = RowFilter(("a",), (), (IP,))
    error = failure(tmp_path, select(filters=filters))
    assert f"lake:/events/a.parquet has no column '{name}'" in error.message
    assert "distinct_id" in error.remedy


@pytest.mark.parametrize("place", [0, 15, 39])
def test_rows_that_belong_to_no_interval(place: int, tmp_path: Path) -> None:
    """They are told of whichever interval is asked for, since no interval asks for them."""
    rows = [*ROWS]
    rows[place] = event(place, inserted_at=None)
    put(tmp_path, "a.parquet", rows, row_group_size=10)
    for interval in (minutes(0, 5), minutes(30, 35), minutes(500, 600)):
        message = failure(tmp_path, select(), interval).message
        assert "lake:/events/a.parquet: 1 rows have no inserted_at" in message


@pytest.mark.parametrize("kept", [0, 2, 100, -20])
def test_files_cut_off(kept: int, tmp_path: Path) -> None:
    path = put(tmp_path, "a.parquet", ROWS)
    path.write_bytes(path.read_bytes()[:kept])
    error = failure(tmp_path, select())
    assert "lake:/events/a.parquet cannot be read" in error.message
    assert "Write the file again" in error.remedy


@pytest.mark.parametrize("codec", ["none", "snappy", "zstd", "gzip"])
def test_damaged_data(codec: str, tmp_path: Path) -> None:
    spoil(put(tmp_path, "a.parquet", ROWS, compression=codec), 0)
    with (
        pytest.raises(Terminal, match=r"lake:/events/a\.parquet cannot be read"),
        lake(tmp_path).read(select(), HOUR) as batches,
    ):
        batches.read_all()
    # Where the statistics answer, nothing is read to count.
    assert lake(tmp_path).count(select(), HOUR) == len(ROWS)
    with pytest.raises(Terminal, match=r"lake:/events/a\.parquet cannot be read"):
        lake(tmp_path).count(select(), minutes(5, 10))


def test_text_that_is_not_utf8_is_left_to_clean(tmp_path: Path) -> None:
    bad = pa.array([b'{"$ip":"\xff\\n"}'] * len(ROWS), pa.binary()).view(pa.string())
    replaced(tmp_path, "properties", bad)
    with lake(tmp_path).read(select("uuid", "ip"), HOUR) as batches:
        found = batches.read_all()["ip"].combine_chunks().view(pa.binary())
    assert set(found.to_pylist()) == {b"\xff\n"}
    other = select(
        filters=RowFilter(properties=(PropertyFilter("$ip", "event", "icontains", "x"),))
    )
    assert uuids(lake(tmp_path), other, HOUR) == []


def test_an_empty_file(tmp_path: Path) -> None:
    put(tmp_path, "a.parquet", [])
    assert read(lake(tmp_path), select(), HOUR) == []
