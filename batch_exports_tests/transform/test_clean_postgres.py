"""`clean` passes exactly those rows that a real PostgreSQL takes and gives back as they were."""

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from psycopg import sql
from psycopg.types.json import set_json_loads

from batch_exports.local import postgres_server as postgres
from batch_exports.local.hostile import HOSTILE
from batch_exports.models import JSON, TIMESTAMP
from batch_exports.transform.capabilities import Capabilities, OnUnrepresentable
from batch_exports.transform.clean import clean
from batch_exports.transform.postgres_copy import SIGNATURE, TRAILER, encode_rows
from batch_exports.transform.ranges import bounds_of_years
from batch_exports_tests.transform.strategies import json_texts, mutated_texts
from batch_exports_tests.transform.test_jsonb import FITTING, UNFIT

TABLE = """
CREATE TEMP TABLE landing (
    number INTEGER NOT NULL, label VARCHAR(3), labels VARCHAR(3)[], document JSONB,
    moment TIMESTAMP WITH TIME ZONE, measure DOUBLE PRECISION
)
"""
TYPES = ["int4", "varchar", "_varchar", "jsonb", "timestamptz", "float8"]
SCHEMA = pa.schema(
    [
        pa.field("number", pa.int64()),
        pa.field("label", pa.string()),
        pa.field("labels", pa.list_(pa.string())),
        pa.field("document", JSON),
        pa.field("moment", TIMESTAMP),
        pa.field("measure", pa.float64()),
    ]
)
YEARS = (-4712, 294_276)
POSTGRES = Capabilities(
    parses_json=True,
    jsonb=True,
    holds_nul=False,
    years=YEARS,
    characters={"label": 3, "labels": 3},
    integers={"number": (-(2**31), 2**31 - 1)},
    required=frozenset({"number"}),
)
REPLACE, REJECT, _ = OnUnrepresentable

INTEGERS = st.sampled_from([0, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**63 - 1]) | st.none()
# As bytes, since not all of them are UTF-8.
TEXTS = (
    st.none()
    | st.text(st.sampled_from("aé😀\0 "), max_size=5).map(str.encode)
    | st.text(max_size=4).map(partial(str.encode, errors="surrogatepass"))
    | st.binary(max_size=4)
)
# All years but the first, of which PostgreSQL holds the last five weeks, and they are rejected.
FIRST, LAST = bounds_of_years(*YEARS)
MOMENTS = (
    st.none()
    | st.sampled_from([0, -(2**63), 2**63 - 1, FIRST])
    | st.integers(-(2**63), bounds_of_years(-4713, -4713)[0])
    | st.integers(FIRST, 2**63 - 1)
)

# Numbers at the limits of numeric, put together from parts.
DIGITS = st.sampled_from([1, 2, 6_384, 6_385, 16_383, 16_384, 121_073, 131_072, 131_073])
POWERS = [0, 1, 6, 9_998, 9_999, 10_000, 16_383, 16_384, 99_999, 100_000, 131_071, 131_072]
EXPONENTS = st.sampled_from([*POWERS, 2**30 - 2, 2**30, 10**10, 10**20])


@st.composite
def numbers(draw: st.DrawFn) -> str:
    whole = draw(st.sampled_from("0123456789"))
    if whole != "0":
        whole += draw(st.sampled_from("09")) * (draw(DIGITS) - 1)
    text = draw(st.sampled_from(["", "-"])) + whole
    if draw(st.booleans()):
        text += "." + draw(st.sampled_from("09")) * (draw(DIGITS) - 1) + draw(st.sampled_from("05"))
    if draw(st.booleans()):
        sign, zeros = draw(st.sampled_from(["", "+", "-"])), draw(st.sampled_from(["", "00000"]))
        text += draw(st.sampled_from("eE")) + sign + zeros + str(draw(EXPONENTS))
    return text


ESCAPES = [r"\u0000", r"\\", r"\"", r"\ud83d", r"\uD83D\uDE00", r"\uDE00", r"\u0061", r"\n"]
PIECES = st.sampled_from([*ESCAPES, "u0000", "a", "é", "1e999999,", " 1e-99999 "])
STRINGS = st.lists(PIECES, max_size=6).map(lambda pieces: f'"{"".join(pieces)}"')
PLACES = ["{}", "[{}]", " {}\n", '{{"a":{}}}', '{{"a": [1, {}], "b": {{}}}}', '{{"b":{} ,"a":""}}']
DOCUMENTS: st.SearchStrategy[str | None] = (
    st.none()
    | st.sampled_from([*HOSTILE.values(), "[" * 500 + "]" * 500])
    | st.builds(str.format, st.sampled_from(PLACES), numbers() | STRINGS)
    | st.builds('{{{}:1,{}:"x"}}'.format, STRINGS, STRINGS)
    | json_texts()
    | mutated_texts()
)
Row = tuple[Any, ...]

loads = partial(json.loads, parse_int=Decimal, parse_float=Decimal)


@pytest.fixture(scope="module")
def connection(postgres_server: postgres.Server) -> Iterator[psycopg.Connection]:
    with postgres_server.connect(autocommit=True) as connection:
        set_json_loads(loads, connection)
        yield connection


def text(values: Sequence[bytes | None]) -> pa.Array:
    return pa.array(values, pa.binary()).view(pa.string())


def batch_of(rows: Sequence[Row]) -> pa.RecordBatch:
    numbers, labels, lists, documents, moments, measures = zip(*rows, strict=True)
    raw = pa.array(lists, pa.list_(pa.binary()))
    return pa.RecordBatch.from_arrays(
        [
            pa.array(numbers, pa.int64()),
            text(labels),
            pa.ListArray.from_arrays(raw.offsets, raw.values.view(pa.string()), mask=raw.is_null()),
            pa.ExtensionArray.from_storage(JSON, pa.array(documents, pa.string())),
            pa.array(moments, pa.int64()).cast(TIMESTAMP),
            pa.array(measures, pa.float64()),
        ],
        schema=SCHEMA,
    )


def landed(connection: psycopg.Connection, batch: pa.RecordBatch) -> list[Row]:
    """What the server gives back of rows that it was sent in one COPY."""
    microseconds = "(extract(epoch FROM date_trunc('second', moment))::int8 * 1000000"
    microseconds += " + extract(microseconds FROM moment)::int8 % 1000000)"
    query = f"SELECT number, label, labels, document, {microseconds}, measure FROM landing"
    with connection.transaction(force_rollback=True):
        connection.execute(
            TABLE
        )  # anew: rows that are rolled back leave gaps, which later ones fill
        with connection.cursor().copy("COPY landing FROM STDIN (FORMAT BINARY)") as into:
            into.write(SIGNATURE)
            into.write(memoryview(encode_rows(batch, TYPES)))
            into.write(TRAILER)
        return connection.execute(sql.SQL(query + " ORDER BY ctid")).fetchall()


def values_of(batch: pa.RecordBatch) -> list[Row]:
    """The rows of a batch, as psycopg would read them. Raises ValueError for what is no value."""
    columns = [
        batch["number"].to_pylist(),
        batch["label"].to_pylist(),
        batch["labels"].to_pylist(),
        [None if text is None else loads(text) for text in batch["document"].storage.to_pylist()],
        batch["moment"].cast(pa.int64()).to_pylist(),
        batch["measure"].to_pylist(),
    ]
    return list(zip(*columns, strict=True))


def is_held(connection: psycopg.Connection, batch: pa.RecordBatch) -> bool:
    try:
        return landed(connection, batch) == values_of(batch)
    except (psycopg.Error, OverflowError, ValueError):
        return False


def mended(value: Any) -> Any:
    """What is left of a value: U+FFFD stands for U+0000, and for what is no character."""
    match value:
        case bytes():
            return mended(value.decode(errors="replace"))
        case str():
            return "".join("\ufffd" if c == "\0" or "\ud800" <= c <= "\udfff" else c for c in value)
        case list():
            return [mended(element) for element in value]
        case dict():
            return {mended(key): mended(element) for key, element in value.items()}
    return value


def check(connection: psycopg.Connection, rows: Sequence[Row]) -> list[Row]:
    """What the server gives back of the rows that pass, with values replaced."""
    batch = batch_of(rows)
    held = [is_held(connection, batch[number : number + 1]) for number in range(len(rows))]
    strict = clean(batch, POSTGRES, REJECT, ["number"])
    assert strict.rejected == held.count(False)
    assert strict.batch.equals(batch.filter(pa.array(held, pa.bool_())))

    cleaned = clean(batch, POSTGRES, REPLACE, ["number"])
    assert cleaned.replaced + cleaned.rejected == held.count(False)
    came_back = landed(connection, cleaned.batch)
    assert came_back == values_of(cleaned.batch)
    return came_back


@settings(max_examples=150)
@given(st.lists(st.tuples(TEXTS, st.none() | st.lists(TEXTS, max_size=3)), min_size=1, max_size=4))
def test_text(connection: psycopg.Connection, pairs: list[tuple[Any, Any]]) -> None:
    rows = [(n, label, labels, None, None, None) for n, (label, labels) in enumerate(pairs)]
    for number, *texts in check(connection, rows):
        assert texts[:2] == mended(list(pairs[number]))


@settings(max_examples=150)
@given(st.lists(st.tuples(INTEGERS, MOMENTS), min_size=1, max_size=4))
def test_numbers_and_times(connection: psycopg.Connection, pairs: list[tuple[Any, Any]]) -> None:
    check(connection, [(number, None, None, None, moment, None) for number, moment in pairs])


@settings(max_examples=300)
@given(st.lists(DOCUMENTS, min_size=1, max_size=4))
@example([*FITTING, *UNFIT])
@example(['"C:\\\\u0000"', '"C:\\\\\\u0000"', '{"\\u0000":1}', '{"\\\\u0000":"\\u00000"}'])
@example(['{"a":"\\ud800\\u0000"}', '{"a":"\\u0000","b":1e999999}'])
def test_documents(connection: psycopg.Connection, documents: list[str | None]) -> None:
    rows = [(n, None, None, text, None, None) for n, text in enumerate(documents)]
    for number, _, _, document, *_ in check(connection, rows):
        text = documents[number]
        assert document == (None if text is None else mended(loads(text)))


def test_floats(connection: psycopg.Connection) -> None:
    special = [float("nan"), float("inf"), float("-inf"), -0.0, 5e-324, 1.7976931348623157e308]
    batch = batch_of([(0, None, None, None, None, measure) for measure in special])
    cleaned = clean(batch, POSTGRES, REJECT, ["number"])
    assert cleaned.rejected == 0
    assert repr(landed(connection, cleaned.batch)) == repr(values_of(batch))
