"""What jsonb cannot hold, beside what `test_clean_postgres` finds out from a server."""

from decimal import Decimal

import psycopg
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_exports.local import postgres_server as postgres
from batch_exports.models import JSON
from batch_exports.transform import jsonb
from batch_exports.transform.jsonb import MOST_LEVELS, Fitted, fit
from batch_exports.transform.postgres_copy import SIGNATURE, TRAILER, encode_rows

DEEP = {
    "arrays": ("[", "", "]", 1),
    "objects": ('{"[":', "0", "}", 1),
    "both": ('[{"a\\"}":', "0", "}]", 2),
    "beside strings": ('["[{",', '"]"', "]", 1),
}


def column(*texts: str | None) -> pa.Array:
    return pa.array(texts, pa.string())


def nested(levels: int, shape: str) -> str:
    opening, heart, closing, each = DEEP[shape]
    return opening * (levels // each) + heart + closing * (levels // each)


def parse(server: postgres.Server, *texts: str) -> None:
    """Have the server make jsonb of them, and not store it, which for large ones takes long."""
    batch = pa.record_batch({"v": pa.ExtensionArray.from_storage(JSON, column(*texts))})
    with server.connect() as connection:
        connection.execute("CREATE TEMP TABLE landing (v JSONB)")
        query = "COPY landing FROM STDIN (FORMAT BINARY) WHERE false"
        with connection.cursor().copy(query) as into:
            into.write(SIGNATURE)
            into.write(memoryview(encode_rows(batch, ["jsonb"])))
            into.write(TRAILER)


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        (r'"\u0000"', r'"\ufffd"'),
        (r'{"\u0000":"a\u0000b"}', r'{"\ufffd":"a\ufffdb"}'),
        (r'"\\\u0000"', r'"\\\ufffd"'),
        (r'"\"\u00000"', r'"\"\ufffd0"'),
        (r'"C:\\u0000"', r'"C:\\u0000"'),
        (r'"\\\\u0000\u0001"', r'"\\\\u0000\u0001"'),
        (r'"\uu0000"', r'"\uu0000"'),
        ('"u0000"', '"u0000"'),
    ],
)
def test_nul_is_replaced_in_reading_order(text: str, mended: str) -> None:
    given = column("1", text, None, '"\\\\u0000"')[1:]
    fitted = fit(given)
    assert fitted.values.to_pylist() == [mended, None, '"\\\\u0000"']
    assert fitted == Fitted(fitted.values, [0] if mended != text else [], [], [], [])


FITTING = [
    *["1e131071", "-1E+131071", "0.01e131073", "1e-16383", "0e131072", "0E+1073741822", "0e-16383"],
    *["1e000000000000000000005", "1e-000000000000000000005", "0." + "0" * 16_383, "9" * 131_072],
    *["0." + "0" * 20_000 + "e20000", "1" * 131_172 + "e-100", "1.5", "-0", "12345678901234567890"],
]
UNFIT = [
    *["1e131072", "10e131071", "1e1234567", "-1e-16384", "1.0e-16383", "0e-16384", "0e1073741824"],
    *["1e99999999999", "1e-99999999999", "0." + "0" * 16_384, "9" * 131_073, "1e" + "9" * 5_000],
    *["0." + "1" * 6_385 + "e-9999", "1" * 31_074 + "e99999", "0e" + "9" * 5_000],
]


@pytest.mark.parametrize("place", ["{}", "[{}]", '{{"a":{}}}', "[1 ,{} ]", " {}\n", '["1",{},1e5]'])
def test_numbers_that_numeric_holds(place: str) -> None:
    fitting = column(*(place.format(number) for number in FITTING))
    assert fit(fitting) == Fitted(fitting, [], [], [], [])
    unfit = column("{}", *(place.format(number) for number in UNFIT), None)
    assert fit(unfit).beyond_numeric == list(range(1, len(UNFIT) + 1))


@pytest.mark.parametrize("number", UNFIT)
def test_what_looks_like_a_number_in_a_string_is_none(number: str) -> None:
    texts = column(f'" {number} "', f'{{"{number}":"\\"{number}"}}', f'["\\\\",", {number}\\\\"]')
    assert fit(texts) == Fitted(texts, [], [], [], [])


def numeric(number: Decimal) -> bool:
    _, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    return -exponent <= 16_383 and (not number or len(digits) + exponent <= 131_072)


@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False) | st.none(), max_size=4))
def test_numbers_of_any_kind(numbers: list[Decimal | None]) -> None:
    spelled = [None if n is None else str(n) for n in numbers]
    bad = [at for at, n in enumerate(numbers) if n is not None and not numeric(n)]
    assert fit(column(*spelled)).beyond_numeric == bad


@pytest.mark.parametrize("shape", DEEP)
def test_nesting_that_postgres_takes(postgres_server: postgres.Server, shape: str) -> None:
    most = nested(MOST_LEVELS, shape)
    many = "[" + "[1],{}," * MOST_LEVELS + "1]"
    assert fit(column("{}", most, many)).too_deep == []
    parse(postgres_server, most, many)
    deeper = nested(MOST_LEVELS + 2, shape)
    assert fit(column(None, deeper, most, deeper)).too_deep == [1, 3]
    with pytest.raises(psycopg.errors.StatementTooComplex):
        parse(postgres_server, nested(20_000, shape))


def test_arrays_of_too_many_elements() -> None:
    """PostgreSQL 13, 17 and 18 took an array of 2**24 elements, and none of one more. No other text
    reaches a limit of jsonb with so few bytes; it is not sent here, as it takes the server seconds
    and 1 GB."""
    most, more = ("[" + "0," * (count - 1) + "0]" for count in (2**24 - 1, 2**24 + 1))
    assert fit(column("{}", most, None, more)).too_large == [3]


@pytest.mark.parametrize(
    ("text", "too_large"),
    [
        ('"' + "a" * 960 + '"', False),
        ('["' + "a" * 960 + '"]', False),
        ('["' + "a" * 997 + '"]', True),
        ("[" + "1," * 60 + "1]", False),
        ("[" + "1," * 100 + "1]", True),
        ('{"a":' * 30 + "1" + "}" * 30, False),
        ('{"a":' * 60 + "1" + "}" * 60, True),
        ("[" + '"a",' * 30 + '"a"]', False),
    ],
)
def test_what_may_be_too_large(monkeypatch: pytest.MonkeyPatch, text: str, too_large: bool) -> None:
    for name, size in (("_LONG", 1), ("_SURELY_SMALL", 100), ("MOST_BYTES", 1_000)):
        monkeypatch.setattr(jsonb, name, size)
    assert fit(column("{}", text)).too_large == ([1] if too_large else [])


def test_objects_of_too_many_members(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in (("_LONG", 1), ("_SURELY_SMALL", 10), ("_MOST_PAIRS", 20)):
        monkeypatch.setattr(jsonb, name, size)
    texts = ("{" + ",".join(f'"{n}":1' for n in range(count)) + "}" for count in (20, 21))
    assert fit(column(*texts)).too_large == [1]


def test_empty_columns() -> None:
    for empty in (column(), column(None, None)):
        assert fit(empty) == Fitted(empty, [], [], [], [])
