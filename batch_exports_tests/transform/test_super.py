"""What SUPER can hold, held against a reader that looks at one value after the other."""

import json
import re
from collections.abc import Iterator
from decimal import Context, Decimal, InvalidOperation
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batch_exports.transform.capabilities import SuperLimits
from batch_exports.transform.super import BEYOND_NUMBERS, Fitted, fit_super
from batch_exports_tests.transform.strategies import exact, json_texts

# As documented: https://docs.aws.amazon.com/redshift/latest/dg/limitations-super.html
DOCUMENTED = SuperLimits()
SMALL = SuperLimits(string_bytes=8, document_bytes=60, levels=3)


def column(*texts: str | None) -> pa.Array:
    return pa.array(texts, pa.string())


def reasons(text: str, limits: SuperLimits = DOCUMENTED) -> list[str]:
    """Why a document is refused, beside others that are not."""
    fitted = fit_super(column("[]", text, None, '"é"')[1:], limits)
    assert all(position == 0 for position, _ in fitted.refused)
    return [reason for _, reason in fitted.refused]


@pytest.mark.parametrize(
    ("size", "spelled"), [(65_535, "a"), (65_536, "a"), (65_535, "\\u0061"), (65_536, "\\u0061")]
)
def test_strings_are_measured_without_their_escapes(size: int, spelled: str) -> None:
    refused = [f"has a string of {size} bytes, and SUPER takes 65535"] if size > 65_535 else []
    text = spelled * size
    assert reasons(f'["{text}"]') == refused
    assert reasons(f'{{"a":[{{"{text}":1}},"b"]}}') == refused
    halves = spelled * (size // 2)
    assert reasons(f'["{halves}","{halves}","{halves}"]') == []


def test_large_strings_where_they_are_opted_into() -> None:
    """https://aws.amazon.com/about-aws/whats-new/2026/11/amazon-redshift-expands-super-to-16-million-bytes/"""
    text = '"' + "é" * 40_000 + '"'
    assert reasons(text) == ["has a string of 80000 bytes, and SUPER takes 65535"]
    assert reasons(text, SuperLimits(string_bytes=16_000_000)) == []


def test_documents_of_more_than_16_mb() -> None:
    """What VARBYTE takes: https://docs.aws.amazon.com/redshift/latest/dg/r_VARBYTE_type.html"""
    text = "[" + ",".join(['"' + "a" * 60_000 + '"'] * 280) + "]"
    assert reasons(text) == [f"has {len(text)} bytes, and SUPER takes 16777216"]


@pytest.mark.parametrize("shape", ["[{}]", '{{"[":{}}}', '["]",{}]', '["[{{",{}]'])
def test_levels_are_counted_outside_strings(shape: str) -> None:
    text = "1"
    for _ in range(2):
        text = shape.format(text)
    deeper = shape.format(shape.format(text))
    limits = SuperLimits(levels=3)
    assert reasons(text, limits) == []
    assert reasons('[[],{},[[],{}],{"a":[1]}]', limits) == []
    assert reasons(deeper, limits) == ["is nested 4 levels deep, and SUPER takes 3"]


# DECIMAL takes 38 digits, of which 37 after the point, and DOUBLE PRECISION is of IEEE 754:
# https://docs.aws.amazon.com/redshift/latest/dg/r_Numeric_types201.html
HELD = [
    *["0", "-0", "1.50", "9007199254740993", "-9223372036854775809", "9" * 38, "1" + "0" * 300],
    *["0." + "1" * 37, "1." + "0" * 60, "0.00000000000000000000000000000000000001e0"],
    *["1e300", "-1.5E-300", "5e-324", "1.7976931348623157e308", "1e+22", "2.5e0000000005"],
    *["5.5511151231257827e-17", "1.0000000000000000000000e5", "0e99999999999999999999"],
    *["0.1000000000000000055511151231257827e0", "0." + "0" * 400 + "1e400"],
]
ROUNDED = [
    *["9" * 39, "-" + "1" * 60, "0." + "1" * 38, "1" * 20 + "." + "1" * 19, "1" + "0" * 400],
    *["1e309", "1e-400", "-1e99999999999999999999", "1e-99999999999999999999"],
    *["9007199254740993e0", "1.234567890123456789e5", "1.00000000000000000001E+10"],
    *["0." + "1" * 1_000 + "e0", "0." + "0" * 400 + "1"],
]
PLACES = ["{}", "[{}]", '{{"a":{}}}', "[1 ,{} ]", " {}\n", '["1",{},1e5]', '{{"{}":{}}}']


@pytest.mark.parametrize("place", PLACES)
def test_numbers(place: str) -> None:
    held = column(*(place.format(number, number) for number in HELD))
    assert fit_super(held, DOCUMENTED) == Fitted(held, [], [])
    rounded = column("{}", *(place.format(number, number) for number in ROUNDED), None)
    refused = [(position, BEYOND_NUMBERS) for position in range(1, len(ROUNDED) + 1)]
    assert fit_super(rounded, DOCUMENTED).refused == refused


@pytest.mark.parametrize("number", ROUNDED)
def test_what_looks_like_a_number_in_a_string_is_none(number: str) -> None:
    texts = column(f'" {number} "', f'{{"{number}":"\\"{number}"}}', f'["\\\\",", {number}\\\\"]')
    assert fit_super(texts, DOCUMENTED) == Fitted(texts, [], [])


def test_nul_is_replaced_as_for_jsonb() -> None:
    texts = column("1", r'{"\u0000":"a\\u0000"}', None, r'["\\\u0000", 1e400]', '"u0000"')[1:]
    fitted = fit_super(texts, DOCUMENTED)
    assert fitted.replaced == [0, 2]
    assert fitted.refused == [(2, BEYOND_NUMBERS)]
    mended = [r'{"\ufffd":"a\\u0000"}', None, r'["\\\ufffd", 1e400]', '"u0000"']
    assert fitted.values.to_pylist() == mended


DIGITS = st.sampled_from([0, 1, 2, 15, 16, 17, 36, 37, 38, 39, 60])


@st.composite
def numbers(draw: st.DrawFn) -> str:
    """Numbers at the limits of decimals and doubles, in all ways of writing them."""
    if draw(st.booleans()):
        form = draw(st.sampled_from(["{!r}", "{:.16e}", "{:.20e}", "{:.5f}"]))
        return form.format(draw(st.floats(allow_nan=False, allow_infinity=False)))
    text = draw(st.sampled_from(["", "-"])) + draw(st.sampled_from("0123456789"))
    if text[-1] != "0":
        text += draw(st.sampled_from("095")) * draw(DIGITS)
    if draw(st.booleans()):
        text += "." + draw(st.sampled_from("09")) * draw(DIGITS) + draw(st.sampled_from("05"))
    if draw(st.booleans()):
        text += draw(st.sampled_from(["e", "E+", "e-"])) + str(draw(st.sampled_from(POWERS)))
    return text


POWERS = [0, 1, 5, 22, 100, 290, 308, 309, 323, 340, 1_000]


@given(st.lists(st.none() | numbers(), max_size=5), st.sampled_from(PLACES[:5]))
def test_numbers_of_any_kind(spelled: list[str | None], place: str) -> None:
    texts = [None if number is None else place.format(number) for number in spelled]
    bad = [(at, BEYOND_NUMBERS) for at, n in enumerate(spelled) if n is not None and not held(n)]
    assert fit_super(column(*texts), DOCUMENTED).refused == bad


def held(text: str) -> bool:
    """Whether a DECIMAL of 38 digits, or a double, is the number that a text says."""
    if not re.search("[1-9]", re.split("[eE]", text)[0]):
        return True
    try:
        number = Decimal(text)
    except InvalidOperation:  # of an exponent beyond all doubles
        return False
    _, digits, power = number.normalize(Context(prec=2_000)).as_tuple()
    assert isinstance(power, int)
    before, after = max(len(digits) + power, 0), max(-power, 0)
    if not re.search("[eE]", text) and after <= 37 and before + after <= 38:
        return True
    nearest = float(text)
    if nearest in (0, float("inf"), -float("inf")):
        return False
    written = Context(prec=len(digits)).create_decimal(Decimal(nearest))
    return number in (written, Decimal(repr(nearest)))


@given(st.lists(st.none() | json_texts(), max_size=6), st.integers(0, 2))
@example(['["aaaaaaaaa"]', '{"\\u00e9\\u00e9\\u00e9\\u00e9":"éééé"}', "[[[[]]]]", "[[[]],{}]"], 0)
def test_any_documents(texts: list[str | None], offset: int) -> None:
    values = column(*['"too long a text"'] * offset, *texts)[offset:]
    expected = [(at, why) for at, text in enumerate(texts) if text for why in first_reason(text)]
    assert fit_super(values, SMALL).refused == expected


def first_reason(text: str) -> list[str]:
    size = len(text.encode())
    longest = max((len(s.encode("utf-8", "replace")) for s in strings(mended(text))), default=0)
    deepest = levels(json.loads(text))
    if size > SMALL.document_bytes:
        return [f"has {size} bytes, and SUPER takes {SMALL.document_bytes}"]
    if deepest > SMALL.levels:
        return [f"is nested {deepest} levels deep, and SUPER takes {SMALL.levels}"]
    if longest > SMALL.string_bytes:
        return [f"has a string of {longest} bytes, and SUPER takes {SMALL.string_bytes}"]
    return [] if all(map(held, spelled_numbers(text))) else [BEYOND_NUMBERS]


def mended(text: str) -> Any:
    return _replaced(json.loads(text))


def _replaced(value: Any) -> Any:
    match value:
        case str():
            return value.replace("\0", "\ufffd")
        case list():
            return [_replaced(element) for element in value]
        case dict():
            # As pairs, since two names may become one.
            return [part for pair in value.items() for part in map(_replaced, pair)]
    return value


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for element in value:
            yield from strings(element)


def levels(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(levels, value.values()), default=0)
    return 1 + max(map(levels, value), default=0) if isinstance(value, list) else 0


def spelled_numbers(text: str) -> Iterator[str]:
    yield from _numbers(exact(text))


def _numbers(value: Any) -> Iterator[str]:
    match value:
        case ("number", str() as text):
            yield text
        case list() | tuple():
            for element in value:
                yield from _numbers(element)
        case dict():
            for element in value.values():
                yield from _numbers(element)


def test_empty_columns() -> None:
    for empty in (column(), column(None, None)):
        assert fit_super(empty, SMALL) == Fitted(empty, [], [])
