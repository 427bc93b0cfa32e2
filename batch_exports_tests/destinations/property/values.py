"""Values that a source may have, and what must become of each in the table."""

import json
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any, Literal

import pyarrow as pa

from batch_exports.models import JSON, TIMESTAMP, Column
from batch_exports_tests.destinations.rows import read_json

Fault = Literal["", "replaced", "rejected"]
Kind = Literal["postgres", "redshift"]


@dataclass(frozen=True)
class Value:
    """`sent` has text and JSON as bytes, and times in microseconds since 1970; `landed` is it as
    `comparable` reads it. What the table cannot hold has a `fault`, unlike any in its row."""

    sent: Any
    landed: Any
    fault: Fault = ""


def comparable(value: Any, type_: pa.DataType) -> Any:
    """A value that psycopg read (JSON and lists as JSON text, times as microseconds since 1970),
    such that equal ones mean the same."""
    if type_.equals(JSON) and value is not None:
        return ("json", _frozen(read_json(value)))
    if pa.types.is_list(type_) and value is not None:
        return tuple(json.loads(value))
    match value:
        case float():
            return repr(value)
        case _:
            return value


def _frozen(value: Any) -> Any:
    """JSON that was read, for sets: `true` is not 1."""
    match value:
        case bool():
            return ("bool", value)
        case list():
            return ("array", *(_frozen(item) for item in value))
        case dict():
            return ("object", frozenset((name, _frozen(item)) for name, item in value.items()))
        case _:
            return value


def plain(value: Any) -> Value:
    """One that is no JSON, and lands as it is."""
    sent = value.encode() if isinstance(value, str) else value
    return Value(sent, value)


def _json(text: bytes, landed: bytes | None = None, fault: Fault = "") -> Value:
    read = None if fault == "rejected" else comparable((landed or text).decode(), JSON)
    return Value(text, read, fault)


_FINE_TEXT = [
    plain(text)
    for text in (None, "", "x", "\\N", "a\tb\n\r\"'\\", "日本語 👩‍👩‍👧 \u202e\ufffd", "é" * 200)
]
_BAD_TEXT = [
    Value(b"key\0", "key\ufffd", "replaced"),
    Value(b"key\xff", "key\ufffd", "replaced"),
]
_FINE_JSON = [
    Value(None, None),
    _json(b"{}"),
    _json(b"null"),
    _json(b'{"a": 1.50, "b": [12345678901234567890, -0.0, 1e-7, true, 1]}'),
    _json(b'{"k": 1, "\\u00e9\\ud83d\\ude00": {"": [[], {}]}, "k": "last \\\\u0000"}'),
    _json(b' "text\\n"\r\n'),
    _json(b'{"large": "' + b"large " * 2_000 + b'"}'),
    # What PostgreSQL cannot compress, so that few rows fill a block.
    *(_json(json.dumps({"noise": Random(n).randbytes(900).hex()}).encode()) for n in range(2)),
]
# With the longest string that SUPER holds; as text it is longer than VARCHAR.
_LONGEST_JSON = b'{"longest": "' + b"x" * 65_535 + b'"}'
_FINE_JSON_OF: dict[Kind, list[Value]] = {
    "postgres": [_json(b"[1e400]")],
    "redshift": [_json(_LONGEST_JSON), _json(b"[1e300]")],
}
_BAD_JSON = [
    _json(b'{"a\\u0000": 1}', b'{"a\\ufffd": 1}', "replaced"),
    _json(b'["\\ud800"]', b'["\\ufffd"]', "replaced"),
    _json(b'["\xff"]', b'["\\ufffd"]', "replaced"),
    _json(b'{"cut": "of', fault="rejected"),
    _json(b"[1e400000]", fault="rejected"),
    _json(b"NaN", fault="rejected"),
]
_BAD_JSON_OF: dict[Kind, list[Value]] = {
    "postgres": [],
    "redshift": [
        _json(b'["' + b"x" * 65_536 + b'"]', fault="rejected"),
        _json(b"[" + b"1" * 39 + b"]", fault="rejected"),
    ],
}
_YEAR_10000, _YEAR_5000_BC = 253_402_300_800_000_000, -220_000_000_000_000_000


def fine(column: Column, look: int, kind: Kind) -> Value:
    """A value that the table takes as it is; in a required column it is not NULL."""
    refused = {(value.sent, type(value.sent)) for value in bad(column, kind) if _is_plain(value)}
    values = [
        value
        for value in _fine_values(column, kind)
        if (column.nullable or value.sent is not None)
        and not (_is_plain(value) and (value.sent, type(value.sent)) in refused)
    ]
    return values[look % len(values)]


def _is_plain(value: Value) -> bool:
    return not isinstance(value.sent, list)


def _fine_values(column: Column, kind: Kind) -> list[Value]:
    if column.type.equals(JSON):
        values = [*_FINE_JSON, *_FINE_JSON_OF[kind]]
    elif pa.types.is_string(column.type):
        values = _FINE_TEXT
    elif column.type.equals(TIMESTAMP):
        values = [plain(n) for n in (None, 0, -1, 1_700_000_000_123_456, _YEAR_10000)]
    elif pa.types.is_integer(column.type):
        values = [plain(n) for n in (None, 0, -1, 2**31 - 1, -(2**31))]
    elif pa.types.is_decimal(column.type):
        values = [plain(Decimal(n) if n else None) for n in ("", "0", "-0.000000001", "9" * 29)]
    elif pa.types.is_boolean(column.type):
        values = [plain(n) for n in (None, True, False)]
    elif pa.types.is_floating(column.type):
        floats = (0.1, -0.0, 5e-324, float("nan"), float("inf"))
        values = [plain(None), *(Value(n, repr(n)) for n in floats)]
    else:
        lists: list[list[str | None] | None] = [None, [], ["", None, "é"], ["NULL", "{}", '"\\,']]
        values = [
            Value(one and [text and text.encode() for text in one], one if one is None else (*one,))
            for one in lists
        ]
    return values


def bad(column: Column, kind: Kind) -> list[Value]:
    """Values that a table of ours cannot hold."""
    values = [] if column.nullable else [Value(None, None, "rejected")]
    if column.type.equals(JSON):
        values += [*_BAD_JSON, *_BAD_JSON_OF[kind]]
    elif pa.types.is_string(column.type):
        values += _BAD_TEXT
    elif pa.types.is_list(column.type):
        values.append(Value([b"a\0", None, b"\0"], ("a\ufffd", None, "\ufffd"), "replaced"))
    elif column.type.equals(TIMESTAMP):
        values.append(Value(_YEAR_5000_BC, None, "rejected"))
    if column.types.get(kind) == "VARCHAR(200)":
        values.append(Value(b"x" * 201, None, "rejected"))
    if column.types.get(kind) == "INTEGER":
        values.append(Value(2**31, None, "rejected"))
    return values + (_beyond_redshift(column) if kind == "redshift" else [])


def _beyond_redshift(column: Column) -> list[Value]:
    """What PostgreSQL holds: VARCHAR counts bytes, and years have four digits."""
    if column.type.equals(TIMESTAMP):
        return [Value(_YEAR_10000, None, "rejected")]
    if column.type.equals(JSON) and "redshift" in column.types:
        return [Value(_LONGEST_JSON, None, "rejected")]
    if not pa.types.is_string(column.type):
        return []
    if column.types.get("redshift") == "VARCHAR(200)":
        return [Value(("é" * 200).encode(), None, "rejected")]
    return [Value(b"x" * 65_536, None, "rejected")]
