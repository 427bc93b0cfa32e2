"""Rows of queries in Arrow: every value as the server has it, or an error that names it."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, LiteralString

import psycopg
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import sql

from batch_exports.errors import Terminal
from batch_exports.local.postgres_server import Server
from batch_exports.models import JSON, TIMESTAMP
from batch_exports.sources.postgres.stream import BATCH_BYTES, stream

TEXTS = pa.list_(pa.string())
NATURAL: dict[str, tuple[str, pa.DataType, Any]] = {
    "no type": ("NULL", pa.string(), None),
    "bool": ("false", pa.bool_(), False),
    "int2": ("'-32768'::int2", pa.int32(), -(2**15)),
    "int4": ("2147483647", pa.int32(), 2**31 - 1),
    "int8": ("'-9223372036854775808'::int8", pa.int64(), -(2**63)),
    "float4": ("0.1::real", pa.float32(), 0.10000000149011612),
    "float8": ("'5e-324'::float8", pa.float64(), 5e-324),
    "numeric(p, s)": ("1.5::numeric(10, 3)", pa.decimal128(10, 3), Decimal("1.500")),
    "numeric": ("0.10 + 1e-30", pa.string(), "0.100000000000000000000000000001"),
    "numeric of too many digits": (
        "1::numeric(40, 1) / 1", pa.string(), "1.00000000000000000000"
    ),
    "numeric of no digits after": ("15::numeric(4, -1)", pa.string(), "20"),
    "NaN": ("'NaN'::numeric", pa.string(), "NaN"),
    "json": ("""'{"b" :1.50,"a":"\\u0041","a":2}'::json""", JSON,
             '{"b" :1.50,"a":"\\u0041","a":2}'),
    "jsonb": ("""'{"b" :1.50,"a":"\\u0041"}'::jsonb""", JSON, '{"a": "A", "b": 1.50}'),
    "JSON's null": ("'null'::jsonb", JSON, "null"),
    "timestamptz": ("'2026-11-01 02:00:00.000001+02'::timestamptz", TIMESTAMP,
                    datetime(2026, 11, 1, 0, 0, 0, 1, tzinfo=UTC)),
    "timestamp": ("'2026-11-01 02:00'::timestamp", TIMESTAMP, datetime(2026, 11, 1, 2, tzinfo=UTC)),
    "date": ("'0001-01-01'::date", pa.date32(), date(1, 1, 1)),
    "time": ("'24:00'::time", pa.string(), "24:00:00"),
    "interval": ("'1 mon -2 days'::interval", pa.string(), "1 mon -2 days"),
    "uuid": ("'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::uuid", pa.string(),
             "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    "bytea": (r"'\x00ff5c0a'::bytea", pa.binary(), b"\x00\xff\\\n"),
    "no bytes": ("''::bytea", pa.binary(), b""),
    "char(n)": ("'a '::char(4)", pa.string(), "a"),
    "inet": ("'::1/64'::inet", pa.string(), "::1/64"),
    "range": ("'[1,2)'::int4range", pa.string(), "[1,2)"),
    "array": ("ARRAY[1.50, NULL, 'NaN']", JSON, '[1.50,null,"NaN"]'),
    "array of arrays": ("ARRAY[[1, 2], [3, 4]]", JSON, "[[1,2],[3,4]]"),
    "empty array": ("'{}'::text[]", JSON, "[]"),
    "row": ("ROW(1, 'a')", JSON, '{"f1":1,"f2":"a"}'),
}  # fmt: skip
WANTED: dict[str, tuple[str, pa.DataType, Any]] = {
    "text of a number": ("1.50", pa.string(), "1.50"),
    "text of JSON": ("'{\"a\": 1}'::jsonb", pa.string(), '{"a": 1}'),
    "text of an array": ("'{a,NULL,\"b,c\"}'::text[]", pa.string(), '{a,NULL,"b,c"}'),
    "JSON in text": ("'{}'", JSON, "{}"),
    "more bits": ("'7'::int2", pa.int64(), 7),
    "fewer bits": ("'7'::int8", pa.int32(), 7),
    "a whole numeric": ("7::numeric(20)", pa.int64(), 7),
    "a real, exactly": ("0.1::real", pa.float64(), 0.10000000149011612),
    "an integer": ("2147483647", pa.float64(), 2147483647.0),
    "digits": ("1.5", pa.decimal128(38, 9), Decimal("1.500000000")),
    "all digits": ("0.00000000000000000000000000000000000001", pa.decimal128(38, 38),
                   Decimal("1E-38")),
    "list": ("ARRAY['', NULL, 'null', E'\\n\"\\\\']", TEXTS, ["", None, "null", '\n"\\']),
    "empty list": ("'{}'::varchar[]", TEXTS, []),
    "no list": ("NULL::text[]", TEXTS, None),
    "list of numbers": ("ARRAY[1, NULL]", pa.list_(pa.int64()), [1, None]),
    "list of reals": ("ARRAY[0.1::real, 'NaN']", pa.list_(pa.float64()),
                      "[0.10000000149011612, nan]"),
    "list of moments": ("ARRAY['2026-11-01'::date]::timestamptz[]", pa.list_(TIMESTAMP),
                        [datetime(2026, 11, 1, tzinfo=UTC)]),
    "list of JSON": ("ARRAY['{\"a\": 1}'::jsonb]", pa.list_(JSON), ['{"a": 1}']),
}  # fmt: skip
REFUSED: dict[str, tuple[str, pa.DataType, str]] = {
    "infinity": ("'infinity'::timestamptz", TIMESTAMP, "has 'infinity', which is no timestamp"),
    "before all": ("'-infinity'::timestamp", TIMESTAMP, "has '-infinity'"),
    "before the year 1": ("'0044-03-15 BC'::timestamptz", TIMESTAMP, "has '0044-03-15 .* BC'"),
    "after 9999": ("'10000-01-01'::timestamptz", TIMESTAMP, "has '10000-01-01"),
    "endless day": ("'infinity'::date", pa.date32(), "has 'infinity', which is no date32"),
    "NaN": ("'NaN'::numeric", pa.decimal128(38, 9), "has 'NaN', which is no decimal128"),
    "too many digits": ("1e-10", pa.decimal128(38, 9), "has '0.0000000001'"),
    "too large": ("2147483648", pa.int32(), "has '2147483648', which is no int32"),
    "no whole number": ("1.0", pa.int64(), "has '1.0', which is no int64"),
    "rounded": ("1.5", pa.float64(), "is numeric, and was expected as double"),
    "maybe rounded": ("1::int8", pa.float64(), "is bigint, and was expected as double"),
    "halved": ("1::float8", pa.float32(), "is double precision, and was expected as float"),
    "text": ("'1'::text", pa.int64(), "is text, and was expected as int64"),
    "an array": ("'{1}'::int[]", pa.int64(), r"is integer\[\], and was expected as int64"),
    "no array": ("1", TEXTS, "is integer, and was expected as list<string>"),
    "nested": ("'{{a}}'::text[]", TEXTS, r"has '\[\[\"a\"\]\]', which is no list"),
    "no JSON": ("1", JSON, "is integer, and was expected as json"),
}


@pytest.fixture(scope="module")
def connection(postgres_server: Server) -> Iterator[psycopg.Connection]:
    """With settings that would change what values look like."""
    settings = "-cTimeZone=Asia/Kolkata -cDateStyle=SQL,DMY -cextra_float_digits=0"
    odd = f"{settings} -cbytea_output=escape"
    with postgres_server.connect(options=odd) as connection:
        yield connection


def value_of(connection: psycopg.Connection, text: LiteralString, schema: pa.Schema | None) -> Any:
    """The one value of a query, among more rows than one."""
    query = sql.SQL("SELECT {} AS value FROM generate_series(1, 3)").format(sql.SQL(text))
    with connection.transaction(force_rollback=True):
        table = pa.Table.from_batches(stream(connection, query, schema, where="the query"))
    values = table.column(0).to_pylist()
    assert len(values) == 3
    assert len({repr(value) for value in values}) == 1
    return table.schema.field(0).type, values[0]


@pytest.mark.parametrize(("text", "type_", "value"), NATURAL.values(), ids=NATURAL)
def test_types_of_their_own(
    connection: psycopg.Connection, text: LiteralString, type_: pa.DataType, value: Any
) -> None:
    assert value_of(connection, text, None) == (type_, value)


@pytest.mark.parametrize(("text", "type_", "value"), WANTED.values(), ids=WANTED)
def test_types_that_are_asked_for(
    connection: psycopg.Connection, text: LiteralString, type_: pa.DataType, value: Any
) -> None:
    found, read = value_of(connection, text, pa.schema([("value", type_)]))
    assert found == type_
    assert (str(read) if isinstance(value, str) else read) == value


@pytest.mark.parametrize(("text", "type_", "words"), REFUSED.values(), ids=REFUSED)
def test_no_value_is_changed(
    connection: psycopg.Connection, text: LiteralString, type_: pa.DataType, words: str
) -> None:
    with pytest.raises(Terminal, match=f"^the query: the column 'value' {words}"):
        value_of(connection, text, pa.schema([("value", type_)]))


def test_the_first_bad_value_is_named(connection: psycopg.Connection) -> None:
    query = sql.SQL(
        "SELECT CASE WHEN n % 777 = 0 THEN 'NaN'::numeric ELSE n END AS n "
        "FROM generate_series(1, 10000) AS n"
    )
    schema = pa.schema([("n", pa.decimal128(38, 0))])
    with connection.transaction(force_rollback=True), pytest.raises(Terminal, match="'NaN'"):
        list(stream(connection, query, schema, where="the query"))


def test_own_types(connection: psycopg.Connection) -> None:
    """An enum is text, a domain what it is made of."""
    with connection.transaction(force_rollback=True):
        connection.execute("CREATE TYPE mood AS ENUM ('so so', 'fine')")
        connection.execute("CREATE DOMAIN price AS numeric(6, 2) CHECK (value > 0)")
        query = sql.SQL("SELECT 'so so'::mood AS mood, 1.5::price AS price, ARRAY['fine'::mood] m")
        (batch,) = stream(connection, query, where="the query")
    assert batch.schema.types == [pa.string(), pa.decimal128(6, 2), JSON]
    assert batch.to_pylist() == [{"mood": "so so", "price": Decimal("1.50"), "m": '["fine"]'}]


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(
    rows=st.lists(st.tuples(st.none() | TEXT, st.none() | st.lists(st.none() | TEXT)), min_size=1)
)
@settings(max_examples=60)
def test_any_text(
    connection: psycopg.Connection, rows: list[tuple[str | None, list[str | None] | None]]
) -> None:
    texts, lists = zip(*rows, strict=True)
    query = sql.SQL(
        "SELECT value #>> '{{0}}' AS text, "
        "CASE WHEN value -> 1 <> 'null' THEN ARRAY(SELECT jsonb_array_elements_text(value -> 1)) "
        "END AS list FROM jsonb_array_elements({}) WITH ORDINALITY ORDER BY ordinality"
    ).format(sql.Literal(json.dumps(list(zip(texts, lists, strict=True)))) + sql.SQL("::jsonb"))
    schema = pa.schema([("list", TEXTS), ("text", pa.string())])
    with connection.transaction(force_rollback=True):
        table = pa.Table.from_batches(stream(connection, query, schema, where="the query"))
    assert table.column("text").to_pylist() == list(texts)
    assert table.column("list").to_pylist() == list(lists)


def test_batches_are_bounded_and_no_value_is_too_long(connection: psycopg.Connection) -> None:
    query = sql.SQL(
        "SELECT n, repeat('é', CASE WHEN n = 50 THEN 8000000 ELSE 100000 END) AS text "
        "FROM generate_series(1, 100) AS n"
    )
    with connection.transaction(force_rollback=True):
        batches = list(stream(connection, query, where="the query"))
    assert [n for batch in batches for n in batch["n"].to_pylist()] == list(range(1, 101))
    assert max(len(text) for batch in batches for text in batch["text"].to_pylist()) == 8_000_000
    assert max(batch.nbytes for batch in batches) < 16_000_000 + BATCH_BYTES
    assert sorted(batch.nbytes for batch in batches)[-2] < BATCH_BYTES + 300_000


def test_a_query_without_rows_has_no_batches(connection: psycopg.Connection) -> None:
    with connection.transaction(force_rollback=True):
        assert not list(stream(connection, sql.SQL("SELECT 1 AS n WHERE false"), where="the query"))


def test_a_missing_column_is_named(connection: psycopg.Connection) -> None:
    schema = pa.schema([("b", pa.string())])
    with connection.transaction(force_rollback=True), pytest.raises(Terminal, match=r"'b'.*has a"):
        list(stream(connection, sql.SQL("SELECT 1 AS a"), schema, where="the query"))
