"""`clean` passes exactly those rows that Redshift's documentation lets it take as they are.

Limits of types: https://docs.aws.amazon.com/redshift/latest/dg/c_Supported_data_types.html. VARCHAR
counts bytes: https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html.
"""

import json
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from batch_exports.errors import Terminal
from batch_exports.local.hostile import HOSTILE
from batch_exports.models import JSON
from batch_exports.transform.capabilities import Capabilities, OnUnrepresentable, SuperLimits
from batch_exports.transform.clean import (
    LONE_SURROGATE,
    NOT_JSON,
    NOT_UTF8,
    NUL,
    TOO_DEEP,
    Cleaned,
    clean,
)
from batch_exports.transform.super import BEYOND_NUMBERS
from batch_exports_tests.transform.strategies import is_json, json_texts, mutated_texts
from batch_exports_tests.transform.test_super import HELD, ROUNDED, first_reason

REPLACE, REJECT, FAIL = OnUnrepresentable
SCHEMA = pa.schema(
    [
        pa.field("n", pa.int64()),
        pa.field("event", pa.string()),
        pa.field("kept", JSON),
        pa.field("properties", JSON),
        pa.field("urls", pa.list_(pa.string())),
        pa.field("names", pa.list_(pa.string())),
        pa.field("amount", pa.decimal128(38, 4)),
    ]
)
# As small as in `test_super`, whose oracle tells what SUPER refuses.
LIMITS = SuperLimits(string_bytes=8, document_bytes=60, levels=3)
REDSHIFT = Capabilities(
    parses_json=True,
    holds_nul=False,
    bytes={"event": 6, "kept": 10, "names": 12},
    decimals={"amount": (5, 2)},
    supers={"properties": LIMITS, "urls": LIMITS},
)
DOCUMENTED = Capabilities(
    parses_json=True,
    holds_nul=False,
    years=(1, 9999),
    bytes={"event": 200, "kept": 65_535, "names": 65_535},
    supers={"properties": SuperLimits(), "urls": SuperLimits()},
    row_bytes=4 * 2**20,
)


def text(values: Sequence[bytes | None]) -> pa.Array:
    return pa.array(values, pa.binary()).view(pa.string())


def lists(values: Sequence[Any]) -> pa.Array:
    raw = pa.array(values, pa.list_(pa.binary()))
    return pa.ListArray.from_arrays(raw.offsets, raw.values.view(pa.string()), mask=raw.is_null())


def batch_of(rows: Sequence[dict[str, Any]]) -> pa.RecordBatch:
    """Rows, of good values but for the given ones; text as bytes, since it may be no UTF-8."""
    good = {"event": b"a", "kept": b"{}", "properties": b"{}", "urls": [], "names": []}
    columns = {
        name: [{**good, **row}.get(name) for row in rows] for name in SCHEMA.names if name != "n"
    }
    return pa.RecordBatch.from_arrays(
        [
            pa.array(range(len(rows)), pa.int64()),
            text(columns["event"]),
            pa.ExtensionArray.from_storage(JSON, text(columns["kept"])),
            pa.ExtensionArray.from_storage(JSON, text(columns["properties"])),
            lists(columns["urls"]),
            lists(columns["names"]),
            pa.array(columns["amount"], pa.decimal128(38, 4)),
        ],
        schema=SCHEMA,
    )


def storage(values: pa.Array) -> pa.Array:
    return values.storage if values.type.equals(JSON) else values


def found(cleaned: Cleaned) -> set[tuple[int, str, str]]:
    """The row, the column and the reason of each finding."""
    if cleaned.aside is None:
        return set()
    columns = [cleaned.aside[name].to_pylist() for name in ("n", "_column", "_reason")]
    return set(zip(*columns, strict=True))


@pytest.mark.parametrize(
    ("column", "value", "mended", "reasons"),
    [
        ("event", b"a\0b", "a\ufffdb", [NUL]),
        ("urls", [b"\0", None, b"b\0"], ["\ufffd", None, "b\ufffd"], [NUL]),
        ("names", [b"\xff\0"], ["\ufffd\ufffd"], [NOT_UTF8, NUL]),
        ("properties", rb'{"\u0000":"\\u0000"}', r'{"\ufffd":"\\u0000"}', [NUL]),
        ("properties", rb'["\ud800\u0000"]', r'["\ufffd\ufffd"]', [LONE_SURROGATE, NUL]),
        ("kept", rb'["\ud800\u0000"]', r'["\ufffd\u0000"]', [LONE_SURROGATE]),
    ],
)
def test_what_is_replaced(column: str, value: Any, mended: Any, reasons: list[str]) -> None:
    """As for jsonb, so that both databases have the same. Text keeps what is an escape in it."""
    rows = batch_of([{}, {column: value}])
    cleaned = clean(rows, DOCUMENTED, REPLACE, ["n"])
    assert (cleaned.replaced, cleaned.rejected) == (1, 0)
    assert storage(cleaned.batch[column]).to_pylist()[1] == mended
    assert found(cleaned) == {(1, column, reason) for reason in reasons}
    assert clean(rows, DOCUMENTED, REJECT, ["n"]).rejected == 1
    with pytest.raises(Terminal, match=f"{column} of the row {{'n': 1}} has"):
        clean(rows, DOCUMENTED, FAIL, ["n"])


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("event", "é".encode() * 101, "has 202 bytes, and the column takes 200"),
        ("event", b"a" * 198 + b"\0", "has 201 bytes, and the column takes 200"),
        ("kept", b'"' + b"a" * 65_534 + b'"', "has 65536 bytes, and the column takes 65535"),
        ("kept", b"{", NOT_JSON),
        ("properties", b"{]", NOT_JSON),
        ("properties", b'["\\u0000' + b"a" * 65_533 + b'"]', SuperLimits().string_bytes + 1),
        ("properties", b"[" * 100_000 + b"]" * 100_000, TOO_DEEP),
        ("properties", b"[1e400]", BEYOND_NUMBERS),
        ("urls", [b"a", None, b"b" * 65_536, b"c" * 70_000], 70_000),
        ("names", [b"\x01" * 11_000], "has 66004 bytes, and the column takes 65535"),
        ("names", [b"a" * 65_531, None], "has 65540 bytes, and the column takes 65535"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_rejected(column: str, value: Any, reason: str | int) -> None:
    if isinstance(reason, int):
        reason = f"has a string of {reason} bytes, and SUPER takes 65535"
    rows = batch_of([{}, {column: value}, {}])
    cleaned = clean(rows, DOCUMENTED, REPLACE, ["n"])
    assert cleaned.rejected == 1
    assert cleaned.batch["n"].to_pylist() == [0, 2]
    assert (1, column, reason) in found(cleaned)
    assert {where for where, *_ in found(cleaned)} == {1}


def test_rows_of_more_than_4_mb() -> None:
    """A row's limit: https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-data-format.html"""
    strings = b"[" + b",".join([b'"' + b"a" * 60_000 + b'"'] * 70) + b"]"
    wide = {"urls": [b"a" * 1_000] * 4_300}
    cleaned = clean(batch_of([{}, {"properties": strings}, wide, {}]), DOCUMENTED, REPLACE, ["n"])
    assert cleaned.batch["n"].to_pylist() == [0, 3]
    where = {(row, column) for row, column, _ in found(cleaned)}
    assert where == {(1, "properties"), (2, "urls")}
    assert all("is of a row of 4" in reason for *_, reason in found(cleaned))


def test_what_fits_passes_untouched() -> None:
    rows = batch_of(
        [
            {"event": "é".encode() * 100, "kept": b'"' + b"a" * 65_533 + b'"'},
            {"event": None, "kept": None, "properties": None, "urls": None, "names": None},
            {"properties": b'"' + b"a" * 65_535 + b'"', "urls": [b"a" * 65_535, None]},
            {"properties": "\ufdd0\uffff".join('""').encode(), "names": [b"a" * 65_531]},
            {"properties": b"[" * 300 + ",".join(HELD).encode() + b"]" * 300},
        ]
    )
    assert clean(rows, DOCUMENTED, REPLACE, ["n"]) == Cleaned(rows)


def test_decimals() -> None:
    """More digits before the point are refused, more behind it would be rounded:
    https://docs.aws.amazon.com/redshift/latest/dg/r_Numeric_types201.html"""
    amounts = ["999.99", "-999.9900", "1000", "-0.001", "0", "12345.6789", None]
    rows = batch_of([{"amount": amount and Decimal(amount)} for amount in amounts])
    cleaned = clean(rows, REDSHIFT, REPLACE, ["n"])
    assert cleaned.batch["n"].to_pylist() == [0, 1, 4, 6]
    takes = "and the column takes 3 and 2"
    assert found(cleaned) == {
        (2, "amount", f"has 4 digits before its point and 0 after it, {takes}"),
        (3, "amount", f"has 0 digits before its point and 3 after it, {takes}"),
        (5, "amount", f"has 5 digits before its point and 4 after it, {takes}"),
    }


TEXTS = (
    st.text(st.sampled_from('aé😀\0\x01"\\'), max_size=9).map(str.encode)
    | st.text(max_size=4).map(partial(str.encode, errors="surrogatepass"))
    | st.binary(max_size=4)
)
LISTS = st.none() | st.lists(st.none() | TEXTS, max_size=4)
ESCAPES = st.lists(st.sampled_from([r"\u0000", r"\\", r"\"", r"\u00e9", "u0000", "a"]), max_size=8)
DOCUMENTS = (
    st.none()
    | st.sampled_from([*HOSTILE.values(), "[[[[1]]]]"])
    | st.builds('{{"a": [{}]}}'.format, st.sampled_from([*HELD, *ROUNDED]))
    | st.builds('{{"{}":1,"a":"{}"}}'.format, ESCAPES.map("".join), ESCAPES.map("".join))
    | json_texts()
    | mutated_texts()
).map(lambda document: None if document is None else document.encode(errors="surrogatepass"))
ROWS = st.fixed_dictionaries(
    {
        "event": st.none() | TEXTS,
        "kept": DOCUMENTS,
        "properties": DOCUMENTS,
        "urls": LISTS,
        "names": LISTS,
    }
)


def as_text(raw: bytes) -> tuple[str, list[str]]:
    """Text that VARCHAR holds, and why it is another than was given."""
    decoded = raw.decode(errors="replace")
    reasons = [NOT_UTF8] if decoded.encode() != raw else []
    return decoded.replace("\0", "\ufffd"), reasons + [NUL] * ("\0" in decoded)


def oracle(row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each column that does not hold its value, and why; one value after the other."""
    if row["event"] is not None:
        yield from (("event", reason) for reason in text_reasons(row["event"], 6))
    for column in ("urls", "names"):
        yield from ((column, reason) for reason in list_reasons(column, row[column]))
    for column in ("kept", "properties"):
        if row[column] is not None:
            yield from ((column, reason) for reason in json_reasons(column, row[column]))


def text_reasons(raw: bytes, most: int) -> Iterator[str]:
    mended, reasons = as_text(raw)
    yield from reasons
    size = len(mended.encode())
    if size > most:
        yield f"has {size} bytes, and the column takes {most}"


def list_reasons(column: str, elements: list[bytes | None] | None) -> Iterator[str]:
    mended = []
    for element in elements or []:
        text, reasons = (None, []) if element is None else as_text(element)
        mended.append(text)
        yield from reasons
    document = json.dumps(mended, ensure_ascii=False, separators=(",", ":"))
    size = len(document.encode())
    if column == "urls":
        # What is refused of JSON is refused of a list, which has no numbers.
        yield from first_reason(document)
    elif size > 12:
        yield f"has {size} bytes, and the column takes 12"


def json_reasons(column: str, raw: bytes) -> Iterator[str]:
    decoded = raw.decode(errors="replace")
    if decoded.encode() != raw:
        yield NOT_UTF8
    size = len(decoded.encode())
    if column == "kept" and size > 10:
        yield f"has {size} bytes, and the column takes 10"
    if not is_json(decoded):
        yield NOT_JSON
        return
    document = json.loads(decoded, object_pairs_hook=have_unique_names)
    # `json` reads an escaped surrogate without its partner as a character, which it is not.
    if re.search("[\ud800-\udfff]", json.dumps(document, ensure_ascii=False)):
        yield LONE_SURROGATE
    if column == "properties":
        if has_nul(document):
            yield NUL
        yield from first_reason(decoded)


def have_unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, of which this file's oracle would see but the last of members of one name."""
    assume(len(dict(pairs)) == len(pairs))
    return dict(pairs)


def has_nul(value: Any) -> bool:
    match value:
        case str():
            return "\0" in value
        case list():
            return any(map(has_nul, value))
        case dict():
            return any(has_nul(name) or has_nul(inner) for name, inner in value.items())
    return False


@settings(max_examples=150)
@given(st.lists(ROWS, max_size=4), st.integers(0, 2))
@example(
    [{"event": b"\0\0\0", "kept": None, "properties": b'"\\ud800"', "urls": None, "names": []}], 1
)
def test_exactly_what_does_not_fit_is_found(rows: list[dict[str, Any]], offset: int) -> None:
    bad = {"event": b"\xff" * 9, "urls": [b"\0" * 99], "properties": b"[[[[1]]]]"}
    given = batch_of([bad] * offset + rows)[offset:]
    cleaned = clean(given, REDSHIFT, REPLACE, ["n"])
    expected = {
        (offset + number, column, reason)
        for number, row in enumerate(rows)
        for column, reason in oracle(row)
    }
    assert found(cleaned) == expected
    mends = {NOT_UTF8, LONE_SURROGATE, NUL}
    rejected = {number for number, _, reason in expected if reason not in mends}
    assert cleaned.rejected == len(rejected)
    assert cleaned.replaced == len({number for number, *_ in expected} - rejected)
    delivered = cleaned.batch["n"].to_pylist()
    assert delivered == [n for n in range(offset, offset + len(rows)) if n not in rejected]
    for number, event in zip(delivered, cleaned.batch["event"].to_pylist(), strict=True):
        raw = rows[number - offset]["event"]
        assert event == (None if raw is None else as_text(raw)[0])
