"""Rows that a real PostgreSQL takes and gives back as they were."""

import json
import re
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import sql
from psycopg.types.json import set_json_loads

from batch_exports.local import postgres_server as postgres
from batch_exports.local.generator import generate_events
from batch_exports.models import JSON, TIMESTAMP
from batch_exports.transform.block import sliced
from batch_exports.transform.postgres_copy import SIGNATURE, TRAILER, accepts, encode_rows
from batch_exports_tests.transform.strategies import json_texts

Row = tuple[Any, ...]
Case = tuple[pa.DataType, str, st.SearchStrategy[Any]]

STRINGS = pa.list_(pa.string())
TEXTS = st.text(st.characters(exclude_characters="\0", codec="utf-8"))
# What jsonb does not take is for `clean` to find.
JSONS = json_texts().filter(lambda text: r"\u0000" not in text)
UUIDS = st.uuids().map(str)
TIMES = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999))
INSTANTS = TIMES.map(lambda time: time.replace(tzinfo=UTC))
LISTS = st.lists(st.none() | TEXTS, max_size=4)


def decimals(precision: int, scale: int) -> st.SearchStrategy[Decimal]:
    """Numbers with all their places, and so the same in text."""
    most = 10**precision - 1
    return st.integers(-most, most).map(lambda n: Decimal(f"{n}e-{scale}"))


CASES: list[Case] = [
    *((pa.string(), name, TEXTS) for name in ("text", "varchar", "bpchar")),
    *((pa.string(), name, JSONS) for name in ("json", "jsonb")),
    *((JSON, name, JSONS) for name in ("text", "varchar", "bpchar", "json", "jsonb")),
    (pa.string(), "uuid", UUIDS | UUIDS.map(str.upper)),
    (pa.binary(), "bytea", st.binary()),
    (pa.bool_(), "bool", st.booleans()),
    (pa.int64(), "int2", st.integers(-(2**15), 2**15 - 1)),
    (pa.int64(), "int4", st.integers(-(2**31), 2**31 - 1)),
    (pa.int64(), "int8", st.integers(-(2**63), 2**63 - 1)),
    (pa.int64(), "numeric", st.integers(-(2**63), 2**63 - 1)),
    (pa.uint64(), "int8", st.integers(0, 2**63 - 1)),
    (pa.uint64(), "numeric", st.integers(0, 2**64 - 1)),
    (pa.int8(), "int2", st.integers(-(2**7), 2**7 - 1)),
    (pa.int8(), "numeric", st.integers(-(2**7), 2**7 - 1)),
    (pa.uint32(), "int8", st.integers(0, 2**32 - 1)),
    (pa.decimal128(38, 9), "numeric", decimals(38, 9)),
    (pa.decimal128(38, 0), "numeric", decimals(38, 0)),
    (pa.decimal128(7, 7), "numeric", decimals(7, 7)),
    (pa.float32(), "float4", st.floats(width=32)),
    (pa.float32(), "float8", st.floats(width=32)),
    (pa.float64(), "float8", st.floats()),
    (TIMESTAMP, "timestamptz", INSTANTS),
    (TIMESTAMP, "timestamp", INSTANTS),
    (pa.date32(), "date", st.dates()),
    *((STRINGS, name, LISTS) for name in ("_text", "_varchar")),
]

ALL = sql.SQL("*")

loads = partial(json.loads, parse_int=Decimal, parse_float=Decimal)


@pytest.fixture(scope="module")
def connection(postgres_server: postgres.Server) -> Iterator[psycopg.Connection]:
    with postgres_server.connect(autocommit=True) as connection:
        set_json_loads(loads, connection)
        yield connection


def array(arrow_type: pa.DataType, values: Sequence[Any]) -> pa.Array:
    if arrow_type.equals(JSON):
        return pa.ExtensionArray.from_storage(JSON, pa.array(values, pa.string()))
    return pa.array(values, arrow_type)


def batch_of(*columns: pa.Array) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(list(columns), [f"c{n}" for n in range(len(columns))])


def copy(
    connection: psycopg.Connection, batches: Sequence[pa.RecordBatch], types: Sequence[str]
) -> None:
    """Into a temporary table `landing` with columns of the batches' names."""
    columns = [
        sql.SQL("{} {}").format(sql.Identifier(column), sql.Identifier(typname))
        for column, typname in zip(batches[0].schema.names, types, strict=True)
    ]
    create = sql.SQL("CREATE TEMP TABLE landing ({})").format(sql.SQL(", ").join(columns))
    connection.execute(create)
    with connection.cursor().copy("COPY landing FROM STDIN (FORMAT BINARY)") as into:
        into.write(SIGNATURE)
        for batch in batches:
            into.write(memoryview(encode_rows(batch, types)))
        into.write(TRAILER)


def round_trip(
    connection: psycopg.Connection,
    batches: Sequence[pa.RecordBatch],
    types: Sequence[str],
    shown: sql.SQL = ALL,
) -> list[Row]:
    """What the server gives back, the same in PostgreSQL's text and binary format."""
    with connection.transaction(force_rollback=True):
        copy(connection, batches, types)
        query = sql.SQL("SELECT {} FROM landing ORDER BY ctid").format(shown)
        text, binary = (
            connection.execute(query, binary=binary).fetchall() for binary in (False, True)
        )
    landed, landed_binary = (
        [tuple(map(comparable, types, row)) for row in rows] for rows in (text, binary)
    )
    assert landed == landed_binary
    return landed


def comparable(typname: str, value: Any) -> Any:
    """Floats by their digits: NaN is as good as NaN, and -0.0 is not 0.0."""
    if isinstance(value, float):
        return repr(float(np.float32(value)) if typname == "float4" else value)
    return value


def expected(typname: str, value: Any) -> Any:
    """What psycopg makes of the value in a column of the type."""
    if value is None:
        return None
    match typname:
        case "json" | "jsonb":
            return loads(value)
        case "uuid":
            return uuid.UUID(value)
        case "timestamp":
            return value.replace(tzinfo=None)
    return comparable(typname, value)


@st.composite
def tables(draw: st.DrawFn, cases: Sequence[Case]) -> tuple[list[Row], pa.RecordBatch]:
    """A slice of a batch, and the rows that it holds."""
    columns = [values | st.none() if draw(st.booleans()) else values for *_, values in cases]
    rows = draw(st.lists(st.tuples(*columns), max_size=20))
    start = draw(st.integers(0, len(rows)))
    stop = draw(st.integers(start, len(rows)))
    by_column = zip(*rows, strict=True) if rows else [()] * len(cases)
    arrays = [array(type_, values) for (type_, *_), values in zip(cases, by_column, strict=True)]
    return rows[start:stop], batch_of(*arrays)[start:stop]


def check(connection: psycopg.Connection, cases: Sequence[Case], data: st.DataObject) -> None:
    types = [typname for _, typname, _ in cases]
    rows, batch = data.draw(tables(cases))
    landed = round_trip(connection, [batch], types)
    assert landed == [tuple(map(expected, types, row)) for row in rows]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]} as {case[1]}")
def test_each_type(connection: psycopg.Connection, case: Case) -> None:
    @settings(max_examples=20)
    @given(st.data())
    def comes_back(data: st.DataObject) -> None:
        check(connection, [case], data)

    assert accepts(case[0], case[1])
    comes_back()


@settings(max_examples=200)
@given(st.lists(st.sampled_from(CASES), min_size=1, max_size=6), st.data())
def test_types_side_by_side(
    connection: psycopg.Connection, cases: list[Case], data: st.DataObject
) -> None:
    check(connection, cases, data)


def test_events_in_many_batches(connection: psycopg.Connection) -> None:
    start, end = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)
    events = generate_events(2_000, start=start, end=end, hostile_share=0).read_all()
    types = {"uuid": "uuid", "team_id": "int4", "properties": "jsonb", "set": "jsonb"}
    types |= dict.fromkeys(("timestamp", "created_at", "inserted_at"), "timestamptz")
    typnames = [types.get(name, "text") for name in events.schema.names]
    batches = [piece for batch in events.to_batches() for piece in sliced(batch, 200_000)]
    assert len(batches) > 5
    landed = round_trip(connection, batches, typnames)
    rows = zip(*(column.to_pylist() for column in events.columns), strict=True)
    assert landed == [tuple(map(expected, typnames, row)) for row in rows]


def test_the_bytes_of_a_row() -> None:
    batch = batch_of(pa.array([1]), pa.array(["é"]), pa.array(["[]"]), array(STRINGS, [None]))
    assert encode_rows(batch, ["int4", "text", "jsonb", "_text"]).to_pybytes() == (
        b"\0\4"
        b"\0\0\0\4" b"\0\0\0\1"
        b"\0\0\0\2" b"\xc3\xa9"
        b"\0\0\0\3" b"\1[]"
        b"\xff\xff\xff\xff"
    )  # fmt: skip


def test_the_bytes_of_an_array() -> None:
    batch = batch_of(array(STRINGS, [["a", None], []]))
    assert encode_rows(batch, ["_varchar"]).to_pybytes() == (
        b"\0\1" b"\0\0\0\x1d"
        b"\0\0\0\1" b"\0\0\0\1" b"\0\0\4\x13" b"\0\0\0\2" b"\0\0\0\1"
        b"\0\0\0\1a" b"\xff\xff\xff\xff"
        b"\0\1" b"\0\0\0\x0c"
        b"\0\0\0\0" b"\0\0\0\1" b"\0\0\4\x13"
    )  # fmt: skip


def test_no_rows(connection: psycopg.Connection) -> None:
    batch = batch_of(*(array(type_, []) for type_, *_ in CASES))
    types = [typname for _, typname, _ in CASES]
    assert encode_rows(batch, types).size == 0
    assert round_trip(connection, [batch], types) == []


def test_no_columns(connection: psycopg.Connection) -> None:
    with connection.transaction(force_rollback=True):
        copy(connection, [batch_of(pa.array([1, 2, 3])).select([])], [])
        assert connection.execute("SELECT count(*) FROM landing").fetchall() == [(3,)]


@pytest.mark.parametrize("typname", ["timestamptz", "timestamp"])
@pytest.mark.parametrize(
    ("microseconds", "text"),
    [
        (-210_866_803_200_000_000, "4714-11-24 00:00:00 BC"),
        (-210_834_230_400_000_001, "4713-12-04 23:59:59.999999 BC"),
        (-62_135_596_800_000_001, "0001-12-31 23:59:59.999999 BC"),
        (-1, "1969-12-31 23:59:59.999999"),
        (0, "1970-01-01 00:00:00"),
        (946_684_800_000_000, "2000-01-01 00:00:00"),
        (2**63 - 1, "294247-01-10 04:00:54.775807"),
    ],
)
def test_times_beyond_pythons(
    connection: psycopg.Connection, typname: str, microseconds: int, text: str
) -> None:
    batch = batch_of(pa.array([microseconds]).cast(TIMESTAMP))
    shown = sql.SQL("(c0::timestamptz AT TIME ZONE 'UTC')::text")
    assert round_trip(connection, [batch], [typname], shown) == [(text,)]


@given(st.lists(st.integers(-210_866_803_200_000_000, 2**63 - 1), max_size=20))
def test_every_microsecond(connection: psycopg.Connection, microseconds: list[int]) -> None:
    batch = batch_of(pa.array(microseconds, pa.int64()).cast(TIMESTAMP))
    # In two steps: extract(epoch) rounds times with more than 16 digits.
    seconds, rest = "extract(epoch FROM date_trunc('second', c0))", "extract(microseconds FROM c0)"
    count = sql.SQL(f"{seconds}::int8 * 1000000 + {rest}::int8 % 1000000")
    landed = round_trip(connection, [batch], ["timestamptz"], count)
    assert landed == [(count,) for count in microseconds]


@pytest.mark.parametrize(
    ("days", "text"),
    [
        (-2_440_588, "4714-11-24 BC"),
        (-1, "1969-12-31"),
        (2_145_042_905, "5874897-12-31"),
    ],
)
def test_dates_beyond_pythons(connection: psycopg.Connection, days: int, text: str) -> None:
    batch = batch_of(pa.array([days], pa.int32()).cast(pa.date32()))
    shown = sql.SQL("c0::text")
    assert round_trip(connection, [batch], ["date"], shown) == [(text,)]


def test_json_keeps_its_text(connection: psycopg.Connection) -> None:
    text = ' {"b": 1.50, "a": 1e2, "a": "\\u0000"} '
    shown = sql.SQL("c0::text")
    assert round_trip(connection, [batch_of(array(JSON, [text]))], ["json"], shown) == [(text,)]


def test_null_lists_over_elements_that_are_not_theirs(connection: psycopg.Connection) -> None:
    offsets, elements = pa.array([0, 2, 3, 3, 4], pa.int32()), pa.array(["a", None, "b", "c"])
    lists = pa.ListArray.from_arrays(offsets, elements, mask=pa.array([True, False, True, False]))
    landed = round_trip(connection, [batch_of(lists)], ["_text"])
    assert landed == [(None,), (["b"],), (None,), (["c"],)]


@pytest.mark.parametrize(
    ("arrow_type", "typname", "value"),
    [
        *((pa.int64(), "int2", value) for value in (-(2**15) - 1, 2**15)),
        *((pa.int64(), "int4", value) for value in (-(2**31) - 1, 2**31)),
        (pa.uint64(), "int8", 2**63),
        *((TIMESTAMP, "timestamptz", value) for value in (-210_866_803_200_000_001, -(2**63))),
        (TIMESTAMP, "timestamp", -210_866_803_200_000_001),
        *((pa.date32(), "date", value) for value in (-2_440_589, 2_145_042_906)),
    ],
)
def test_what_a_type_cannot_hold_is_named(
    arrow_type: pa.DataType, typname: str, value: int
) -> None:
    column = pa.array([None, 1, value, 2], pa.uint64() if value == 2**63 else pa.int64())
    if pa.types.is_date32(arrow_type):
        column = column.cast(pa.int32())
    batch = pa.record_batch({"when_or_many": column.cast(arrow_type)})
    with pytest.raises(OverflowError, match=rf"when_or_many .*{typname}.*: {value} lies outside"):
        encode_rows(batch, [typname])


UUID = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@given(UUIDS, st.integers(0, 36), st.integers(0, 3), st.text(max_size=3))
def test_only_uuids_are_taken_for_uuids(text: str, place: int, cut: int, filling: str) -> None:
    text = text[:place] + filling + text[place + cut :]
    batch = pa.record_batch({"id": [str(uuid.UUID(int=0)), None, text]})
    if UUID.fullmatch(text):
        assert encode_rows(batch, ["uuid"]).to_pybytes().endswith(uuid.UUID(text).bytes)
    else:
        with pytest.raises(ValueError, match=r"^id .* is no UUID") as raised:
            encode_rows(batch, ["uuid"])
        assert repr(text) in str(raised.value)


def test_pairs_without_a_form_are_refused() -> None:
    arrow_types = {*(type_ for type_, *_ in CASES), pa.timestamp("us"), pa.timestamp("ns", "UTC")}
    known = {(type_, typname) for type_, typname, _ in CASES}
    refused = [(pa.float64(), "float4"), (pa.string(), "int4"), (JSON, "uuid"), (JSON, "bytea")]
    refused += [(type_, "point") for type_ in arrow_types]
    refused += [(pa.timestamp("us"), "timestamptz"), (pa.timestamp("ns", "UTC"), "timestamptz")]
    for arrow_type, typname in refused:
        assert (arrow_type, typname) not in known
        assert not accepts(arrow_type, typname)
        with pytest.raises(TypeError, match=f"^c0: .*{re.escape(str(arrow_type))}.*{typname}"):
            encode_rows(batch_of(pa.nulls(1, arrow_type)), [typname])


def test_each_column_needs_its_type() -> None:
    with pytest.raises(ValueError, match="zip"):
        encode_rows(batch_of(pa.array([1]), pa.array([2])), ["int4"])


def test_two_gibibytes_are_refused() -> None:
    megabyte = pa.array([b"x" * 2**20])
    with pytest.raises(pa.ArrowCapacityError):
        encode_rows(batch_of(*[megabyte] * 2048), ["bytea"] * 2048)
