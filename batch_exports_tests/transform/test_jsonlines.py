"""JSON lines that any reader parses into the same rows."""

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_exports.local.hostile import HOSTILE
from batch_exports.models import JSON
from batch_exports.transform.jsonlines import JsonLinesFormat, encode_lines
from batch_exports_tests.transform.strategies import exact, json_texts

TIME = pa.timestamp("us", "UTC")
SCHEMA = pa.schema(
    [
        pa.field("text", pa.string()),
        pa.field('na"me\\\n', pa.string()),
        pa.field("json", JSON),
        pa.field("time", TIME),
        pa.field("integer", pa.int64()),
        pa.field("flag", pa.bool_()),
        pa.field("float", pa.float64()),
        pa.field("texts", pa.list_(pa.string())),
        pa.field("floats", pa.list_(pa.float64())),
    ]
)
NASTY = "".join(map(chr, range(0x20))) + '\x7f\x80\x85\u2028\u2029\ufeff\uffff😀𝄞"\\/ é'
TEXTS = st.text() | st.text(alphabet=NASTY)
TIMES = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999))
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
ROWS = st.lists(
    st.tuples(
        st.none() | TEXTS,
        st.none() | TEXTS,
        st.none() | json_texts(),
        st.none() | TIMES.map(lambda time: time.replace(tzinfo=UTC)),
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | st.booleans(),
        st.none() | FLOATS,
        st.none() | st.lists(st.none() | TEXTS, max_size=3),
        st.none() | st.lists(FLOATS, max_size=3),
    ),
    max_size=6,
)


def batch(rows: list[tuple[Any, ...]]) -> pa.RecordBatch:
    columns = zip(*rows, strict=True) if rows else [()] * len(SCHEMA)
    return pa.RecordBatch.from_arrays(
        [column_of(field.type, values) for field, values in zip(SCHEMA, columns, strict=True)],
        schema=SCHEMA,
    )


def column_of(type_: pa.DataType, values: Any) -> pa.Array:
    if type_.equals(JSON):
        return pa.ExtensionArray.from_storage(JSON, pa.array(values, pa.string()))
    return pa.array(values, type_)


def expected(row: tuple[Any, ...]) -> dict[str, Any]:
    text, named, raw, time, integer, flag, real, texts, reals = row
    shown = None if time is None else f"{time:%H:%M:%S.%f}Z"
    return {
        "text": text,
        'na"me\\\n': named,
        "json": None if raw is None else exact(raw),
        "time": None if time is None else f"{time.date().isoformat()}T{shown}",
        "integer": None if integer is None else ("number", str(integer)),
        "flag": flag,
        "float": real,
        "texts": texts,
        "floats": reals,
    }


def as_read(line: str) -> dict[str, Any]:
    """A line with the numbers of columns of floats as floats, and others by their digits."""
    row: dict[str, Any] = exact(line)
    floats = {name: json.loads(line)[name] for name in ("float", "floats")}
    return row | floats


@given(ROWS, st.integers(0, 2))
def test_every_line_is_its_row(rows: list[tuple[Any, ...]], offset: int) -> None:
    filler = ("\n", "\n", "[\n1]", None, 1, True, 0.1, ["\n", None], [])
    encoded = encode_lines(batch([filler] * offset + rows)[offset:]).to_pybytes()
    assert encoded.count(b"\n") == len(rows)
    lines = encoded.decode().split("\n")
    assert lines.pop() == ""
    assert [as_read(line) for line in lines] == list(map(expected, rows))
    assert not any(ord(character) < 0x20 for line in lines for character in line.replace("\t", " "))


def one(type_: pa.DataType, value: Any) -> str:
    given = pa.RecordBatch.from_arrays(
        [column_of(type_, [value])], schema=pa.schema([("c", type_)])
    )
    return encode_lines(given).to_pybytes().decode()


@pytest.mark.parametrize("name", HOSTILE)
def test_json_is_spliced_in_as_it_is(name: str) -> None:
    assert one(JSON, HOSTILE[name]) == f'{{"c":{HOSTILE[name]}}}\n'


@pytest.mark.parametrize("character", [*map(chr, range(0x20)), '"', "\\"])
def test_every_character_that_must_be_escaped_is(character: str) -> None:
    line = one(pa.string(), f"a{character}b")
    assert line.endswith('"}\n')
    assert line.count("\n") == 1
    assert json.loads(line) == {"c": f"a{character}b"}


def test_line_ends_within_json_become_spaces() -> None:
    assert one(JSON, '{\n"a":\r\n[1,\r2]}') == '{"c":{ "a":  [1, 2]}}\n'


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(1969, 12, 31, 23, 59, 59, 999999), "1969-12-31T23:59:59.999999Z"),
        (datetime(1, 1, 1), "0001-01-01T00:00:00.000000Z"),
        (datetime(2026, 11, 1, 6, 0, 0, 1), "2026-11-01T06:00:00.000001Z"),
        (datetime(9999, 12, 31, 23, 59, 59, 999999), "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_times(moment: datetime, text: str) -> None:
    assert one(TIME, moment.replace(tzinfo=UTC)) == f'{{"c":"{text}"}}\n'


@pytest.mark.parametrize(
    "value", ["12345678901234567890123456789.123456789", "-0.5", "1E-9", "0", "100000"]
)
def test_decimals_keep_all_digits(value: str) -> None:
    line = one(pa.decimal128(38, 9), Decimal(value))
    assert json.loads(line, parse_float=Decimal) == {"c": Decimal(value)}


@pytest.mark.parametrize("value", [-(2**63), 2**63 - 1, 2**53 + 1, 0])
def test_integers_keep_all_digits(value: int) -> None:
    assert one(pa.int64(), value) == f'{{"c":{value}}}\n'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1"),
        (1.0, "1"),
        (-0.0, "-0"),
        (1e300, "1e+300"),
        (5e-324, "5e-324"),
        (2.0**60, "1.152921504606847e+18"),
    ],
)
def test_floats_are_short_and_exact(value: float, text: str) -> None:
    assert one(pa.float64(), value) == f'{{"c":{text}}}\n'
    assert json.loads(text) == value


def test_types_without_a_form_are_refused() -> None:
    with pytest.raises(TypeError, match="time64"):
        one(pa.time64("us"), time(12))
    with pytest.raises(TypeError, match="time64"):
        one(pa.list_(pa.time64("us")), [time(12)])


def test_days() -> None:
    assert one(pa.date32(), date(1969, 12, 31)) == '{"c":"1969-12-31"}\n'
    assert one(pa.list_(pa.date32()), [date(1, 1, 1), None]) == '{"c":["0001-01-01",null]}\n'


@given(st.lists(st.integers(0, 30), max_size=5), st.integers(1, 400))
def test_blocks_keep_all_rows_in_order(sizes: list[int], max_bytes: int) -> None:
    start, rows, batches = datetime(2026, 11, 1, tzinfo=UTC), 0, []
    for size in sizes:
        numbers = range(rows, rows + size)
        times = [start + timedelta(seconds=number) for number in numbers]
        batches.append(
            pa.record_batch({"n": pa.array(numbers, pa.int64()), "t": pa.array(times, TIME)})
        )
        rows += size
    form = JsonLinesFormat("none", membership="t", max_block_bytes=max_bytes)
    blocks = list(form.blocks(batches))
    lines = b"".join(block.payload.to_pybytes() for block in blocks).splitlines()
    assert [json.loads(line)["n"] for line in lines] == list(range(rows))
    first = 0
    for block in blocks:
        assert block.rows > 0
        assert (block.rows - 1) * 16 <= max_bytes  # at most a row too large
        assert block.payload.to_pybytes().count(b"\n") == block.rows
        assert block.first == start + timedelta(seconds=first)
        first += block.rows
        assert block.last == start + timedelta(seconds=first - 1)
