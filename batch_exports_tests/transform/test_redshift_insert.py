"""Literals read back as the values they were made of: by a parser of SQL, and by a real server."""

import math
import re
import struct
from collections.abc import Iterator
from datetime import datetime
from decimal import Context, Decimal
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from batch_exports.local import postgres_server as postgres
from batch_exports.transform import redshift_insert
from batch_exports.transform.redshift_insert import encode_values

SCHEMA = pa.schema(
    [
        pa.field("label", pa.string()),
        pa.field("document", pa.binary()),
        pa.field("flag", pa.bool_()),
        pa.field("number", pa.int64()),
        pa.field("measure", pa.float64()),
        pa.field("share", pa.float32()),
        pa.field("moment", pa.timestamp("us")),
        pa.field("amount", pa.decimal128(38, 20)),
        pa.field("count", pa.decimal128(38, 0)),
    ]
)
TABLE = """
CREATE TEMP TABLE landing (
    label TEXT, document TEXT, flag BOOLEAN, number BIGINT, measure DOUBLE PRECISION, share REAL,
    moment TIMESTAMP, amount NUMERIC(38, 20), count NUMERIC(38, 0)
)
"""
LANDED = """
SELECT label, document, flag, number, measure, share::float8, moment, amount, count
FROM landing ORDER BY ctid
"""
EPOCH = datetime(1970, 1, 1)
EXACT = Context(prec=60)
NULLS = (None,) * len(SCHEMA)
PLAIN = ("a", b"b", True, 1, 1.0, 1.0, EPOCH, Decimal(1), Decimal(2))
SPECIAL = [0.0, -0.0, math.inf, -math.inf, math.nan]

TEXTS = st.text(st.sampled_from("'\\aE é😀\n\t,()n0"), max_size=6) | st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=4
)
FLOATS = st.sampled_from([-0.0, 1e300, 5e-324, 0.1, 1e22, 1.0]) | st.floats()
MOMENTS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999_999))
ROWS = st.tuples(
    st.none() | TEXTS,
    st.none() | TEXTS.map(str.encode),
    st.none() | st.booleans(),
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | FLOATS,
    st.none() | st.floats(width=32),
    st.none() | MOMENTS,
    st.none() | st.integers(1 - 10**38, 10**38 - 1).map(lambda n: Decimal(n).scaleb(-20, EXACT)),
    st.none() | st.integers(1 - 10**38, 10**38 - 1).map(Decimal),
)

LITERAL = re.compile(
    r"(?P<null>NULL)|(?P<bool>TRUE|FALSE)|(?P<number>-?[0-9]+(?:\.[0-9]+)?)"
    r"|'(?P<text>(?:[^']|'')*)'(?P<type>::float[48])?",
    re.DOTALL,
)
ESCAPED = re.compile(
    r"(?P<null>NULL)|(?P<bool>TRUE|FALSE)|(?P<number>-?[0-9]+(?:\.[0-9]+)?)"
    r"|'(?P<text>(?:[^'\\]|''|\\\\)*)'(?P<type>::float[48])?",
    re.DOTALL,
)


def batch_of(rows: list[Any]) -> pa.RecordBatch:
    columns = zip(*rows, strict=True) if rows else [[]] * len(SCHEMA)
    return pa.RecordBatch.from_arrays(
        [pa.array(list(c), f.type) for c, f in zip(columns, SCHEMA, strict=True)], schema=SCHEMA
    )


def parsed(text: str, *, backslash_escapes: bool) -> list[tuple[Any, ...]]:
    """What a strict reader of SQL makes of `(v,v,…),(v,v,…)`."""
    pattern = ESCAPED if backslash_escapes else LITERAL
    rows, position = [], 0
    while position < len(text):
        row: list[Any] = []
        assert text[position] == "("
        while text[position] != ")":
            literal = pattern.match(text, position + 1)
            assert literal, text[position : position + 50]
            row.append(value_of(literal, backslash_escapes=backslash_escapes))
            position = literal.end()
            assert text[position] in ",)"
        rows.append(tuple(row))
        position += 1
        assert text[position : position + 1] in (",", "")
        position += 1
    return rows


def value_of(literal: re.Match[str], *, backslash_escapes: bool) -> Any:
    if literal["null"]:
        return None
    if literal["bool"]:
        return literal["bool"] == "TRUE"
    if literal["number"]:
        return Decimal(literal["number"])
    text = literal["text"].replace("''", "'")
    if backslash_escapes:
        text = text.replace("\\\\", "\\")
    if literal["type"] == "::float4":
        return struct.unpack("f", struct.pack("f", float(text)))[0]
    return float(text) if literal["type"] else text


def shown(rows: list[Any]) -> list[tuple[Any, ...]]:
    """Rows so that equal ones are the same number for number: NaN, -0 and the last bit."""
    return [tuple(map(_shown, row)) for row in rows]


def _shown(value: Any) -> Any:
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else struct.pack("d", value)
    return value.decode() if isinstance(value, bytes) else value


def as_parsed(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row as `parsed` gives it, which knows no types but those of literals."""
    *others, moment, amount, count = row
    return (
        *(Decimal(v) if type(v) is int else v for v in others),
        None if moment is None else moment.isoformat(" ", "microseconds"),
        amount,
        count,
    )


def encoded(batch: pa.RecordBatch, *, backslash_escapes: bool) -> str:
    values = list(encode_values(batch, most_bytes=2**20, backslash_escapes=backslash_escapes))
    assert [v.rows for v in values] == [batch.num_rows]
    return values[0].text.decode()


@given(st.lists(ROWS, min_size=1, max_size=4), st.booleans(), st.integers(0, 2))
@example([(None,) * 9, ("it's", b"\\'", True, -(2**63), -0.0, 0.5, EPOCH, None, None)], True, 0)
def test_literals_read_back(rows: list[Any], escapes: bool, offset: int) -> None:
    batch = batch_of([("'\\", b"'", None, 1, 1.5, None, EPOCH, None, None)] * offset + rows)
    read = parsed(encoded(batch[offset:], backslash_escapes=escapes), backslash_escapes=escapes)
    assert shown(read) == shown([as_parsed(row) for row in rows])


@pytest.fixture(scope="module", params=["on", "off"])
def connection(
    request: pytest.FixtureRequest, postgres_server: postgres.Server
) -> Iterator[tuple[psycopg.Connection, bool]]:
    """A server that takes backslashes as they are, or for escapes, as PostgreSQL 8 does."""
    with postgres_server.connect(autocommit=True) as connection:
        connection.execute("SET extra_float_digits = 3")
        connection.execute("SET escape_string_warning = off")
        connection.execute(f"SET standard_conforming_strings = {request.param}")
        connection.execute(TABLE)
        yield connection, request.param == "off"


@settings(max_examples=60)
@given(rows=st.lists(ROWS, min_size=1, max_size=6))
@example(rows=[NULLS, PLAIN, NULLS])
@example(rows=[("", b"", False, n, x, x, None, None, None) for n, x in enumerate(SPECIAL)])
def test_a_server_reads_the_same_values(
    connection: tuple[psycopg.Connection, bool], rows: list[Any]
) -> None:
    """The columns decide of what type a literal is, whatever the first row has."""
    server, escapes = connection
    with server.transaction(force_rollback=True):
        text = encoded(batch_of(rows), backslash_escapes=escapes)
        server.execute(f"INSERT INTO landing VALUES {text}".encode())
        landed = server.execute(LANDED).fetchall()
    assert shown(landed) == shown(rows)


@given(st.lists(st.text("a'\\", max_size=30), max_size=30), st.integers(40, 200), st.booleans())
def test_pieces_are_as_large_as_may_be(texts: list[str], most: int, escapes: bool) -> None:
    batch = pa.record_batch({"v": pa.array(texts, pa.string())})
    rows = [f"('{quoted(text, escapes)}')" for text in texts]
    if any(len(row) > most for row in rows):
        with pytest.raises(ValueError, match=f"and a statement {most}"):
            list(encode_values(batch, most_bytes=most, backslash_escapes=escapes))
        return
    values = list(encode_values(batch, most_bytes=most, backslash_escapes=escapes))
    assert b",".join(v.text for v in values).decode() == ",".join(rows)
    assert sum(v.rows for v in values) == len(rows)
    first = 0
    for piece in values:
        assert piece.text.decode() == ",".join(rows[first : first + piece.rows])
        first += piece.rows
        assert len(piece.text) <= most
        # One more row would be too large.
        assert first == len(rows) or len(piece.text) + 1 + len(rows[first]) > most


def quoted(text: str, escapes: bool) -> str:
    text = text.replace("'", "''")
    return text.replace("\\", "\\\\") if escapes else text


def test_slices_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """One row of many times the others' size, which a slice of equal rows would not part."""
    texts = ["a"] * 50 + ["b" * 5_000] + ["c"] * 50
    batch = pa.record_batch({"v": texts, "n": list(range(101))})
    whole = list(encode_values(batch, most_bytes=6_000, backslash_escapes=False))
    monkeypatch.setattr(redshift_insert, "_SLICE_BYTES", 64)
    assert list(encode_values(batch, most_bytes=6_000, backslash_escapes=False)) == whole


def test_decimals_have_all_digits_and_no_exponent() -> None:
    """An E makes a literal one in scientific notation, which is no exact number any more:
    https://docs.aws.amazon.com/redshift/latest/dg/r_numeric_literals201.html"""
    small = pa.array([Decimal("1e-15"), Decimal("-0.5"), Decimal(0)], pa.decimal128(20, 15))
    large = pa.array([Decimal("12e3"), Decimal("-1e9"), None], pa.decimal128(10, -3))
    (values,) = encode_values(
        pa.record_batch({"s": small, "l": large}), most_bytes=10**4, backslash_escapes=False
    )
    assert values.text.decode() == (
        "(0.000000000000001,12000),(-0.500000000000000,-1000000000),(0.000000000000000,NULL)"
    )


def test_the_ends_of_time() -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_Datetime_types.html"""
    texts = [
        "0001-01-01 00:00:00.000000",
        "9999-12-31 23:59:59.999999",
        "1969-12-31 23:59:59.999999",
    ]
    moments = pa.array(map(datetime.fromisoformat, texts), pa.timestamp("us"))
    batch = pa.record_batch({"t": moments})
    (values,) = encode_values(batch, most_bytes=10**4, backslash_escapes=False)
    assert values.text.decode() == ",".join(f"('{text}')" for text in texts)


def test_nothing_of_nothing() -> None:
    assert list(encode_values(batch_of([]), most_bytes=10, backslash_escapes=True)) == []


def test_types_without_a_literal() -> None:
    batch = pa.record_batch({"when": pa.array([0], pa.timestamp("us", "UTC"))})
    with pytest.raises(TypeError, match="when: no way to write timestamp"):
        list(encode_values(batch, most_bytes=100, backslash_escapes=False))
